"""How well the route so far fits each place: by the roads of a map where it has them, else by the bee-line.

Whoever drives somewhere comes nearer by about as much as he drives: what is driven beyond that speaks against a place (Krumm and
Horvitz 2006, Predestination: an efficient driver). A bee-line sees that of a straight road only. In a valley the way out of
it leads towards the wrong places for minutes; by road it leads to those alone to which it leads.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import log
from typing import NamedTuple

from msgspec import Struct

from hearthway.records.poi import RoadNear

from .flat import gap_m, gaps_m
from .places import KnownPlace
from .routes import Track, point_behind

Point = tuple[float, float]
NO_MOVE_M, NO_TURN_M = 50.0, 80.0  # less says nothing of a direction
BEHIND = 8  # points behind from which bee-lines are kept: the start, and two that move on
KEPT = 128  # points of ways looked up: of one leg, and of the next one's start


class Tuning(Struct, frozen=True, kw_only=True):
    """The constants, in one place."""

    heading: float = 1.9  # weights of the route so far
    leg_short: float = 0.45  # the last 300 m
    leg_long: float = 0.1  # the last 800 m
    detour_km: float = 0.8  # against a place for each km driven out of its way, up to 6
    nearing: float = 1.6
    near_m: float = 150.0
    passing: float = (
        2.0  # in votes: how firmly one holds to this, against legs that came as near and went on
    )
    following: float = 0.5
    follow_gain: float = 4.0
    follow_pivot: float = 0.4
    follow_from_m: float = 400.0
    unseen_path: float = 0.5
    taken_from: float = 0.5  # of the recent route shared with a past trip: from here on
    taken_to: float = 0.9  # it may be that way, and from here on it is
    own_way: float = 0.05  # in votes: with so many past trips it is one's own way or chance
    own_from_m: float = 150.0
    new_route: float = 0.5  # what an arbitrary destination is worth once there is a route
    new_followed: float = 0.6  # less of it where past routes are being followed


TUNING = Tuning()


class ByRoad:
    """How far places are by road from points of a way; a point is looked up once."""

    def __init__(self, roads: RoadNear) -> None:
        self._roads = roads
        self._known: dict[Point, dict[Point, float | None]] = {}
        self._near: tuple[Point, bool] | None = None

    def on_map(self, point: Point) -> bool:
        """Is there a road of the map near it? Of the point last asked about it is known."""
        if self._near is None or self._near[0] != point:
            self._near = point, self._roads.road_m(*point) is not None
        return self._near[1]

    def metres(self, start: Point, ends: Collection[Point]) -> Mapping[Point, float | None]:
        """From `start` to each of these at least; None where the map has no such way."""
        known = self._known.setdefault(start, {})
        asked = [end for end in ends if end not in known]
        if asked:
            known.update(zip(asked, self._roads.ways_m(start, asked), strict=True))
        while len(self._known) > KEPT:
            del self._known[next(iter(self._known))]
        return known


class Spots:
    """The places that a route is held against. How far they are from a point of the way, bee-line, is worked out once."""

    def __init__(self, places: Mapping[int, KnownPlace]) -> None:
        self.places = places
        self._points = [(place.lat, place.lon) for place in places.values()]
        self._known: dict[Point, list[float]] = {}

    def gaps_m(self, lat: float, lon: float) -> list[float]:
        """From a point that will be asked about again, in their order."""
        found = self._known.get((lat, lon))
        if found is None:
            while len(self._known) >= BEHIND:
                del self._known[next(iter(self._known))]
            found = self._known[lat, lon] = self.once_m(lat, lon)
        return found

    def once_m(self, lat: float, lon: float) -> list[float]:
        """From a point that will not."""
        return gaps_m(lat, lon, self._points)


class Fit(NamedTuple):
    """Log-likelihood of a route for a place, up to a constant that all places share."""

    score: float
    nearing: float  # of it what having come so near says
    left_m: float  # from here to the place


class RouteFit:
    """The route so far, ready to be held against each place."""

    def __init__(self, track: Track, tuning: Tuning = TUNING) -> None:
        """A track with a point at least."""
        self._tuning = tuning
        self._first = track.points[0]
        self._last = track.points[-1]
        self._here = track.here if track.here is not None else self._last
        self._gone = gap_m(self._first[1], self._first[2], self._here[1], self._here[2])
        self.ramp = self._gone / (self._gone + tuning.near_m)
        self._backs = []
        for metres, weight in ((300.0, tuning.leg_short), (800.0, tuning.leg_long)):
            back = point_behind(track, metres, self._here)
            leg = gap_m(back[1], back[2], self._here[1], self._here[2])
            if leg > NO_TURN_M:
                self._backs.append((back, leg, weight))

    def by_bee_line(self, spots: Spots) -> dict[int, Fit]:
        """How well the route fits each of these, as the crow flies."""
        lefts = spots.once_m(*self._here[1:])
        wholes = spots.gaps_m(*self._first[1:])
        backs = [(spots.gaps_m(*back[1:]), leg, weight) for back, leg, weight in self._backs]
        nearings = self._nearing(lefts, wholes)
        headings = self._heading(lefts, wholes, self._gone, backs)
        each = zip(spots.places, nearings, headings, lefts, strict=True)
        return {index: Fit(near + head, near, left) for index, near, head, left in each}

    def by_road(self, roads: ByRoad, places: Mapping[int, KnownPlace]) -> dict[int, float]:
        """How well it fits those of these places to which the map has roads, up to its last point 100 m apart.

        What was driven is reckoned as what it brought one nearer to any of them, and no less than the bee-line: a search
        from each point to each later one would double the work, and adds the same to all places.
        """
        if self._last is self._first or not places or not roads.on_map(self._last[1:]):
            return {}
        spots = {index: (round(p.lat, 5), round(p.lon, 5)) for index, p in places.items()}
        ends = set(spots.values())

        def told(point: tuple[float, float, float]) -> dict[int, float]:
            found = roads.metres((point[1], point[2]), ends)
            ways = {index: found[spot] for index, spot in spots.items()}
            return {index: metres for index, metres in ways.items() if metres is not None}

        left = told(self._last)
        whole = told(self._first) if left else {}
        known = left.keys() & whole.keys()
        if not known:
            return {}
        gone = _driven(self._gone, whole, left, known)
        backs = [(told(back), leg, weight) for back, leg, weight in self._backs]
        behind = [
            (
                [before.get(index) for index in known],
                _driven(leg, before, left, known & before.keys()),
                weight,
            )
            for before, leg, weight in backs
        ]
        lefts, wholes = [left[index] for index in known], [whole[index] for index in known]
        nearings = self._nearing(lefts, wholes)
        headings = self._heading(lefts, wholes, gone, behind)
        each = zip(known, nearings, headings, strict=True)
        return {index: near + head for index, near, head in each}

    def _nearing(self, lefts: Sequence[float], wholes: Sequence[float]) -> list[float]:
        """What having come so near each place says: metres from here and from the start."""
        weight, near_m = self._tuning.nearing, self._tuning.near_m
        each = zip(lefts, wholes, strict=True)
        return [weight * log((whole + near_m) / (left + near_m)) for left, whole in each]

    def _heading(
        self,
        lefts: Sequence[float],
        wholes: Sequence[float],
        gone: float,
        legs: Sequence[tuple[Sequence[float | None], float, float]],
    ) -> list[float]:
        """What heading and detour say of each. `legs`: from a point behind to the places, from there to here, and what that weighs."""
        straight, detour_km = self.ramp * self._tuning.heading, self._tuning.detour_km
        scores = []
        for at, (left, whole) in enumerate(zip(lefts, wholes, strict=True)):
            score = 0.0
            if self._gone > NO_MOVE_M:
                excess = max(0.0, gone + left - whole) / gone
                score = straight * (1.0 - excess) - detour_km * min(6.0, excess * gone / 1000.0)
            for befores, leg, weight in legs:
                before = befores[at]
                if before is not None:
                    score += weight * (1.0 - max(0.0, leg + left - before) / leg)
            scores.append(score)
        return scores


def _driven(
    least: float, before: Mapping[int, float], left: Mapping[int, float], among: Collection[int]
) -> float:
    """The most by which one has come nearer to any of these places."""
    return max(least, max((before[index] - left[index] for index in among), default=0.0))
