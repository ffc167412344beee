"""Where to point when one point must be named: the one with the most probability within the hit radius.

The posterior speaks of places; a trip ends at its last fix on the way, which lies beside a place's centre, on the side one
comes from, and the farther from it the seldomer the logger writes. So each place stands for the last fixes of the
trips that went there before (those from the same origin and side weigh more) and for its own centre, moved a
little towards here. Places that are near one another add up.

"Somewhere new" is a cloud ahead, about the way that is being gone, as far as trips of this person go. A moment picked
at random along a trip finds it at a given length the likelier, the shorter the whole trip is.

The constants are rounded and the same for everybody. They were looked at on GeoLife 001 as it is, thinned, with holes
cut in, scaled by 0.5 to 2 and with its days shuffled, and on synthetic lives, and kept only where they helped on the
average of all; none of these is a person unseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from math import atan2, cos, exp, floor, hypot, log, pi, sin

from msgspec import Struct

from hearthway.records.geo import METRES_PER_DEGREE
from hearthway.records.life import HIT_RADIUS_M, TRIP_MIN_M

from .destination import Posterior
from .flat import east_north_m, gap_m
from .past import PastLegs
from .places import NOWHERE, KnownPlace
from .prior import Departure, PastTrip
from .routes import Track, point_behind

MAX_ENDS = 16  # of past trips to a place, the latest
LATE_LEGS = 64  # that tell how far from a place and how far from home one ends
MAX_PLACES = 12
MIN_P = 0.004
EDGE_M = 30.0  # how softly the hit radius ends: what is learned of an end is not exact
FAR_M = 5.0 * EDGE_M  # beyond the hit radius, where nothing counts any more
ASIDE_M = (60.0, 130.0, 190.0)  # from a place's centre to the fix before it, at first
ASIDE_TRIPS = 8  # trips after which this person's own distances weigh as much
RING_WEIGHT = 1.5  # of what is so for all places, in past trips to this one
RING = tuple((cos(i * pi / 4.0), sin(i * pi / 4.0)) for i in range(8))
OTHER_ORIGIN = 0.4
SIDE = 0.7  # concentration of the side from which a place is approached
LENGTH_STEP = 0.25  # of the logarithm of a trip's length
LENGTHS_M = tuple(400.0 * exp(LENGTH_STEP * i) for i in range(17))  # 400 m to 22 km
LENGTH_PRIOR = 4.0  # what all lengths have in common, in trips
AHEAD_POWER = 2.0  # of a length, against longer trips, once the way is under way
KNOWN_PART = 0.25  # what a trip to a known place says about the length of others
TURNS = (-1.4, -0.6, 0.0, 0.6, 1.4)  # radians off the way that is being gone
TURN = 1.5  # concentration of the turns
SEARCH_M = (120.0, 60.0)  # the best candidate is moved by these as long as it gains

Point = tuple[float, float]


class Aim(Struct, frozen=True):
    """A point, the probability of ending within `HIT_RADIUS_M` of it, and the place it stands for (None: new)."""

    lat: float
    lon: float
    p: float
    place: int | None


class _Atom(Struct, frozen=True):
    x: float
    y: float
    weight: float
    place: int | None


def best_point(
    posterior: Posterior,
    places: list[KnownPlace],
    past: PastLegs,
    track: Track,
    departure: Departure,
) -> Aim | None:
    """The point with the most posterior probability within the hit radius; None without a position."""
    if not track.points:
        return None
    here = track.last if track.last is not None else track.points[-1]
    lat0, lon0 = here[1], here[2]
    atoms, goals = _cloud(posterior, places, past, track, departure, lat0, lon0)
    if not goals:
        return None
    best, most = _densest(atoms, goals)
    lat = lat0 + best.y / METRES_PER_DEGREE
    lon = lon0 + best.x / (METRES_PER_DEGREE * max(0.01, cos((lat0 + lat) * pi / 360.0)))
    return Aim(lat, (lon + 180.0) % 360.0 - 180.0, min(1.0, most), best.place)


def _cloud(
    posterior: Posterior,
    places: list[KnownPlace],
    past: PastLegs,
    track: Track,
    departure: Departure,
    lat0: float,
    lon0: float,
) -> tuple[list[_Atom], list[_Atom]]:
    """(the posterior as points on the plane about here, points that may be named)."""
    shown = [pair for pair in posterior.places[:MAX_PLACES] if pair[1] >= MIN_P]
    atoms: list[_Atom] = []
    goals: list[_Atom] = []
    late = past.trips[-LATE_LEGS:]
    aside = _aside(late, places)
    for index, p in shown:
        place = places[index]
        found = _place_atoms(place, p, _ends(past.to(index)), departure.origin, aside, lat0, lon0)
        atoms += found
        goals.append(_mean(found))
        x, y = east_north_m(lat0, lon0, place.lat, place.lon)
        goals.append(_Atom(x, y, p, index))
        goals += sorted(found[len(RING) * len(aside) :], key=lambda a: -a.weight)[:2]
    ahead = _ahead(posterior.new, track, places, departure, _lengths(late, places), lat0, lon0)
    atoms += ahead
    goals += [atom for atom in ahead if hypot(atom.x, atom.y) < 1_500.0]
    return atoms, goals


def _densest(atoms: list[_Atom], goals: list[_Atom]) -> tuple[_Atom, float]:
    """The best goal, moved while it gains, and its mass."""
    best, most, near = goals[0], -1.0, _Near(atoms)
    for goal in goals:
        mass = _mass(near.about(goal.x, goal.y), goal.x, goal.y)
        if mass > most + 1e-9:
            best, most = goal, mass
    close = [atom for atom in atoms if hypot(atom.x - best.x, atom.y - best.y) < 900.0]
    for step in SEARCH_M:
        for cx, cy in RING:
            moved = _Atom(best.x + step * cx, best.y + step * cy, 0.0, best.place)
            mass = _mass(close, moved.x, moved.y)
            if mass > most + 1e-9:
                best, most = moved, mass
    return best, most


class _Near:
    """Atoms by the squares they lie in, so that a goal is held against those about it alone."""

    def __init__(self, atoms: list[_Atom]) -> None:
        self._atoms, self._wide = atoms, HIT_RADIUS_M + FAR_M
        self._squares: dict[tuple[int, int], list[int]] = {}
        self._found: dict[tuple[int, int], list[_Atom]] = {}
        for at, atom in enumerate(atoms):
            self._squares.setdefault(self._square(atom.x, atom.y), []).append(at)

    def _square(self, x: float, y: float) -> tuple[int, int]:
        return floor(x / self._wide), floor(y / self._wide)

    def about(self, x: float, y: float) -> list[_Atom]:
        """All that can count at a point, in their order: so the sums are those over all atoms."""
        square = self._square(x, y)
        found = self._found.get(square)
        if found is None:
            east, north = square
            squares = [(east + i, north + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
            near = sorted(at for one in squares for at in self._squares.get(one, ()))
            found = self._found[square] = [self._atoms[at] for at in near]
        return found


def _mass(atoms: list[_Atom], x: float, y: float) -> float:
    """The probability within the hit radius of a point."""
    mass = 0.0
    for atom in atoms:
        off = hypot(atom.x - x, atom.y - y) - HIT_RADIUS_M
        if off < FAR_M:
            mass += atom.weight / (1.0 + exp(off / EDGE_M))
    return mass


def _ends(there: Sequence[PastTrip]) -> list[tuple[int, Point]]:
    """(origin, last fix) of the latest of the trips to a place."""
    ends = ((trip.origin, trip.end) for trip in reversed(there) if trip.end is not None)
    return list(islice(ends, MAX_ENDS))


def _aside(trips: Sequence[PastTrip], places: list[KnownPlace]) -> tuple[float, ...]:
    """How far from its place's centre a trip of this person ends: three quantiles."""
    own = [
        gap_m(trip.end[0], trip.end[1], places[trip.destination].lat, places[trip.destination].lon)
        for trip in trips
        if trip.end is not None and trip.destination != NOWHERE
    ]
    own.sort()
    share = len(own) / (len(own) + ASIDE_TRIPS)
    return tuple(
        prior if not own else (1.0 - share) * prior + share * own[(2 * k + 1) * len(own) // 6]
        for k, prior in enumerate(ASIDE_M)
    )


def _place_atoms(
    place: KnownPlace,
    p: float,
    ends: list[tuple[int, Point]],
    origin: int | None,
    aside: tuple[float, ...],
    lat0: float,
    lon0: float,
) -> list[_Atom]:
    x, y = east_north_m(lat0, lon0, place.lat, place.lon)
    away = max(1.0, hypot(x, y))
    raw = []
    for cx, cy in RING:
        weight = exp(SIDE * (-(cx * x + cy * y) / away - 1.0))
        raw += [(x + radius * cx, y + radius * cy, weight) for radius in aside]
    scale = RING_WEIGHT / sum(weight for _, _, weight in raw)
    raw = [(e, n, weight * scale) for e, n, weight in raw]
    for start, (lat, lon) in ends:
        east, north = east_north_m(lat0, lon0, lat, lon)
        off = hypot(east - x, north - y)
        weight = 1.0 if origin is not None and start == origin else OTHER_ORIGIN
        if off > 1.0:
            side = -((east - x) * x + (north - y) * y) / (off * away)
            weight *= exp(SIDE * (side - 1.0))
        raw.append((east, north, weight))
    total = sum(weight for _, _, weight in raw)
    return [_Atom(e, n, p * weight / total, place.index) for e, n, weight in raw]


def _mean(atoms: list[_Atom]) -> _Atom:
    total = sum(a.weight for a in atoms)
    return _Atom(
        sum(a.x * a.weight for a in atoms) / total,
        sum(a.y * a.weight for a in atoms) / total,
        total,
        atoms[0].place,
    )


def _lengths(trips: Sequence[PastTrip], places: list[KnownPlace]) -> list[float]:
    """How often a trip to somewhere new is as long (bee-line) as each of `LENGTHS_M`."""
    counts = [LENGTH_PRIOR / len(LENGTHS_M)] * len(LENGTHS_M)
    for trip in trips:
        if trip.end is None or trip.origin == NOWHERE:
            continue
        start = places[trip.origin]
        direct = max(LENGTHS_M[0], gap_m(start.lat, start.lon, *trip.end))
        at = min(len(LENGTHS_M) - 1, round(log(direct / LENGTHS_M[0]) / LENGTH_STEP))
        for near, part in ((at - 1, 0.25), (at, 0.5), (at + 1, 0.25)):
            counts[min(len(LENGTHS_M) - 1, max(0, near))] += part * (
                1.0 if trip.new else KNOWN_PART
            )
    return counts


def _ahead(
    p_new: float,
    track: Track,
    places: list[KnownPlace],
    departure: Departure,
    lengths: list[float],
    lat0: float,
    lon0: float,
) -> list[_Atom]:
    """The cloud of "somewhere new": ahead of here, and never within a trip's least length of its start."""
    first = track.points[0]
    fx, fy = east_north_m(lat0, lon0, first[1], first[2])
    gone = hypot(fx, fy)
    back = point_behind(track, 500.0)
    bx, by = east_north_m(lat0, lon0, back[1], back[2])
    leg = hypot(bx, by)
    way = 0.0
    turns = tuple(i * pi / 4.0 for i in range(8))
    if leg > 50.0:
        dx, dy = -bx / leg, -by / leg
        if gone > 50.0:
            dx, dy = dx - fx / gone, dy - fy / gone
        way, turns = atan2(dx, dy), TURNS
    sx, sy = fx, fy
    if departure.origin is not None:
        start = places[departure.origin]
        sx, sy = east_north_m(lat0, lon0, start.lat, start.lon)
    ramp = gone / (gone + 100.0)
    raw = []
    for length, often in zip(LENGTHS_M, lengths, strict=True):
        left = length - gone
        if left < -LENGTHS_M[0] / 2.0:
            continue
        left = max(50.0, left)
        often *= length ** -(AHEAD_POWER * ramp)
        for turn in turns:
            x, y = left * sin(way + turn), left * cos(way + turn)
            if hypot(x - sx, y - sy) < TRIP_MIN_M * 0.7:
                continue
            raw.append((x, y, often * exp(TURN * (cos(turn) - 1.0)) if turns is TURNS else often))
    total = sum(w for _, _, w in raw)
    return [_Atom(x, y, p_new * w / total, None) for x, y, w in raw]
