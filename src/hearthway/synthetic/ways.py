"""Ways between the places of a household: roads of the map, SUMO's drives, and bee-lines beyond the map."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, radians, sin
from random import Random

from hearthway.records.geo import bearing_deg, distance_m, offset
from hearthway.records.poi import RoadGraph

from .drives import DrivePool
from .motion import Piece, Point, Recorded, Ruled, gap_m

SNAP_M = 250.0  # a road farther off than this does not lead there
CITY_MPS, RURAL_MPS, FAST_MPS = 13.9, 22.2, 27.8


@dataclass(frozen=True, slots=True)
class Spot:
    """Somewhere a car can stand. `mapped` spots lie on roads of the map, the others beyond it."""

    key: str
    point: Point
    mapped: bool
    pooled: bool = False  # SUMO's drives lead here


def away(point: Point, bearing: float, metres: float) -> Point:
    """The point `metres` away in a direction (degrees clockwise from north)."""
    return offset(*point, metres * cos(radians(bearing)), metres * sin(radians(bearing)))


def bee_line(a: Point, b: Point, bend: float, *, onto_map: bool, off_map: bool) -> Ruled:
    """A gently bent line with town, country and fast stretches; slow only at the ends beyond the map."""
    total = gap_m(a, b)
    heading = bearing_deg(*a, *b)
    count = max(4, min(60, int(total / 300.0)))
    points: list[Point] = []
    limits: list[float] = []
    for i in range(count + 1):
        share = i / count
        on_line = (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share)
        aside = bend * total * sin(pi * share) + 0.008 * total * sin(2 * pi * share + 9.0 * bend)
        points.append(on_line if i in (0, count) else away(on_line, heading + 90.0, aside))
    for i in range(count):
        middle = (i + 0.5) / count * total
        ends = [total - middle] if off_map else [middle] if onto_map else [middle, total - middle]
        if off_map and onto_map:
            ends = []
        near = min([*ends, middle + 1500.0, total - middle + 1500.0])
        limits.append(CITY_MPS if near < 1800.0 else RURAL_MPS if near < 4000.0 else FAST_MPS)
    return Ruled(points=tuple(points), limits_mps=tuple(limits), stops_per_km=0.18)


class Ways:
    """Finds and remembers the way between two spots; the same pair always has the same way."""

    def __init__(
        self, roads: RoadGraph, pool: DrivePool | None, entries: list[Point], seed: int
    ) -> None:
        self._roads = roads
        self._pool = pool
        self.entries = entries
        self._seed = seed
        self._road: dict[tuple[Point, Point], Ruled | None] = {}

    def road(self, a: Point, b: Point) -> Ruled | None:
        """The map's way from a to b, or None where it has none; limits follow from its duration."""
        if (a, b) in self._road:
            return self._road[a, b]
        route = self._roads.route(a, b)
        piece: Ruled | None = None
        if (
            route is not None
            and route.on_road
            and len(route.points) >= 2
            and route.duration_s > 0.0
            and gap_m(route.points[0], a) <= SNAP_M
            and distance_m(*route.points[-1], *b) <= SNAP_M
        ):
            mean = route.distance_m / route.duration_s
            limit = max(6.0, min(FAST_MPS, mean * 1.1))
            points = _thin(route.points)
            if len(points) >= 2:
                piece = Ruled(
                    points=points,
                    limits_mps=(limit,) * (len(points) - 1),
                    stops_per_km=0.9 if limit < 15.0 else 0.35,
                )
        self._road[a, b] = piece
        return piece

    def between(self, a: Spot, b: Spot, rng: Random) -> tuple[Piece, ...]:
        """The pieces from a to b. Where no road is known, a bee-line stands in (and is one)."""
        if a.mapped and b.mapped:
            road = self.road(a.point, b.point)
            return (road,) if road else (self._line(a, b, onto_map=False, off_map=False),)
        if not a.mapped and not b.mapped:
            return (self._line(a, b, onto_map=False, off_map=False),)
        if b.mapped:
            for entry, inside in self._inside(a, b, rng, inbound=True):
                line = bee_line(a.point, entry, self._bend(a, entry), onto_map=True, off_map=False)
                return (line, inside)
        else:
            for entry, inside in self._inside(b, a, rng, inbound=False):
                line = bee_line(entry, b.point, self._bend(b, entry), onto_map=False, off_map=True)
                return (inside, line)
        return (self._line(a, b, onto_map=False, off_map=False),)

    def _inside(
        self, outside: Spot, inside: Spot, rng: Random, *, inbound: bool
    ) -> list[tuple[Point, Piece]]:
        """The mapped part between the entry nearest to `outside` and `inside`, at most one."""
        if inside.pooled and self._pool is not None:
            drives = self._pool.into(inside.point) if inbound else self._pool.out_of(inside.point)
            if drives:
                edge = min(
                    (_edge(d, inbound=inbound) for d in drives),
                    key=lambda p: (gap_m(p, outside.point), p),
                )
                same = [d for d in drives if distance_m(*_edge(d, inbound=inbound), *edge) < 60.0]
                drive = same[rng.randrange(len(same))]
                return [(_edge(drive, inbound=inbound), drive)]
        ordered = sorted(
            self.entries,
            key=lambda e: (gap_m(e, outside.point) + gap_m(e, inside.point), e),
        )
        for entry in ordered[:6]:
            road = self.road(entry, inside.point) if inbound else self.road(inside.point, entry)
            if road is not None:
                return [(road.points[0] if inbound else road.points[-1], road)]
        return []

    def _bend(self, outside: Spot, entry: Point) -> float:
        text = f"{self._seed}/bend/{outside.key}/{entry[0]:.4f}/{entry[1]:.4f}"
        return Random(text).uniform(-0.05, 0.05)

    def _line(self, a: Spot, b: Spot, *, onto_map: bool, off_map: bool) -> Ruled:
        key = "/".join(sorted((a.key, b.key)))
        bend = Random(f"{self._seed}/bend/{key}").uniform(-0.05, 0.05)
        if a.key > b.key:
            bend = -bend
        return bee_line(a.point, b.point, bend, onto_map=onto_map, off_map=off_map)


def _edge(drive: Recorded, *, inbound: bool) -> Point:
    sample = drive.samples[0] if inbound else drive.samples[-1]
    return sample[0], sample[1]


def _thin(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """Points at least 4 m apart, ends kept: shorter steps carry no shape."""
    kept = [points[0]]
    for point in points[1:-1]:
        if distance_m(*kept[-1], *point) >= 4.0:
            kept.append(point)
    if points[-1] != kept[-1]:
        kept.append(points[-1])
    return tuple(kept)
