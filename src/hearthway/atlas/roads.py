"""Shortest paths by driving time on an atlas's road graph.

One Dijkstra forwards from a and one backwards to b answer a route and all its detours: both stop as
soon as every point asked for is settled. Turn costs are left out; speeds are the limit times a share
by class of road (tags.CLASSES), so times are for ordinary daytime traffic, not measured.

Off the map there are no roads, so what lies outside is estimated and says so (`on_road` False): the
bee-line times 1.3, at the pace of a way as long as the whole (`streets.bee_line_s`).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from functools import lru_cache
from heapq import heappop, heappush
from itertools import accumulate
from math import inf
from typing import NamedTuple

from hearthway.records.errors import InputError
from hearthway.records.geo import valid_point
from hearthway.records.poi import Detour, Route

from .columns import Column, Ints, RoadColumns
from .streets import ACCESS_MPS, Anchor, Join, Pace, Point, Snap, Streets

MOST_SETTLED = 20_000  # junctions: all within half an hour of a city, searched in less than 0.1 s
Snaps = dict[int, tuple[Snap, ...]]


class Adjacency:
    """Edge i of vertex v, begin[v] <= i < begin[v + 1], goes from v = start[i] to end[i] by chain[i].

    Arrays of the standard library: a third of a list's memory, and read as fast.
    """

    def __init__(self, roads: RoadColumns, streets: Streets, *, backwards: bool) -> None:
        """`backwards`: every edge turned round, for what is searched from its end."""
        ahead = (roads.head, roads.tail) if backwards else (roads.tail, roads.head)
        ways = ((1, ahead[0], ahead[1]), (2, ahead[1], ahead[0]))
        counts = array("i", bytes(4 * (streets.vertices + 1)))
        for bit, start, _ in ways:
            for chain, directions in enumerate(roads.directions):
                if directions & bit:
                    counts[start[chain] + 1] += 1
        self.begin = array("i", accumulate(counts))
        edges = self.begin[-1]
        self.start, self.end, self.chain = (array("i", bytes(4 * edges)) for _ in range(3))
        free = array("i", self.begin)
        for bit, start, end in ways:
            for chain, directions in enumerate(roads.directions):
                if directions & bit:
                    at = free[start[chain]]
                    free[start[chain]] += 1
                    self.start[at], self.end[at], self.chain[at] = start[chain], end[chain], chain
        self.seconds: Column = array("d", (streets.chain_s[chain] for chain in self.chain))


class Search(NamedTuple):
    """The outcome of one Dijkstra: seconds and metres of what was settled, and the edge it was reached by."""

    seconds: dict[int, float]
    metres: dict[int, float]
    edge: dict[int, int]  # missing for seeds


class Way(NamedTuple):
    """The cheapest way between two anchors: by a join of the far one, or along one chain."""

    seconds: float
    metres: float
    join: Join | None = None
    along: tuple[Snap, Snap] | None = None


NO_WAY = Way(inf, inf)


class RoadNetwork:
    """The RoadGraph of an atlas (a protocol of records.poi)."""

    def __init__(self, roads: RoadColumns) -> None:
        self._streets = streets = Streets(roads)
        self._snaps = lru_cache(maxsize=4096)(streets.snaps)  # the same POIs come again and again
        self._directions: Ints = roads.directions
        self._out = Adjacency(roads, streets, backwards=False)
        self._in = Adjacency(roads, streets, backwards=True)

    @property
    def chains(self) -> int:
        """How many stretches of road between junctions."""
        return self._streets.count

    def covers(self, lat: float, lon: float) -> bool:
        """Is there a road of this map within 300 m?"""
        return valid_point(lat, lon) and bool(self._snaps((lat, lon)))

    def road_m(self, lat: float, lon: float) -> float | None:
        """Metres to the nearest road of this map; None where none is within 300 m."""
        return self._streets.nearest_m(lat, lon) if valid_point(lat, lon) else None

    def ways_m(self, start: Point, ends: Sequence[Point]) -> list[float | None]:
        """Road metres of the fastest way to each end; None off the map, and where none is found among `MOST_SETTLED` junctions."""
        found: list[float | None] = [None] * len(ends)
        groups: dict[int, list[int]] = {}
        snaps = self._snaps(start) if valid_point(*start) else {}
        theirs = [self._snaps(end) if snaps and valid_point(*end) else {} for end in ends]
        for at, those in enumerate(theirs):
            component = _component(snaps, those) if those else None
            if component is not None:
                groups.setdefault(component, []).append(at)
        pace = Pace.of(start, start)  # of what is off the map; nothing here is
        for component, members in groups.items():
            begin = self._streets.anchor(start, component, snaps[component], pace)
            goals = [
                self._streets.anchor(ends[at], component, theirs[at][component], pace)
                for at in members
            ]
            arriving = [join for goal in goals for join in goal.arriving]
            search = self._search(begin.leaving, arriving, self._out, MOST_SETTLED)
            for at, goal in zip(members, goals, strict=True):
                way = self._way(begin, goal, search, goal.arriving, pace)
                found[at] = None if way.seconds == inf else way.metres
        return found

    def _search(
        self,
        seeds: Sequence[Join],
        targets: Iterable[Join],
        adjacency: Adjacency,
        most: int | None = None,
    ) -> Search:
        """Dijkstra from the seeds until every target's vertex is settled, or so many are."""
        begin, end, cost_s = adjacency.begin, adjacency.end, adjacency.seconds
        start, by, chain_m = adjacency.start, adjacency.chain, self._streets.chain_m
        best: dict[int, float] = {}
        metres: dict[int, float] = {}
        edges: dict[int, int] = {}
        settled: dict[int, float] = {}
        heap: list[tuple[float, int]] = []
        for seed in seeds:
            if seed.seconds < best.get(seed.vertex, inf):
                best[seed.vertex], metres[seed.vertex] = seed.seconds, seed.metres
                heappush(heap, (seed.seconds, seed.vertex))
        left = {join.vertex for join in targets}
        while heap and left and (most is None or len(settled) < most):
            at_s, vertex = heappop(heap)
            if vertex in settled:
                continue
            settled[vertex] = at_s
            left.discard(vertex)
            if vertex in edges:
                edge = edges[vertex]
                metres[vertex] = metres[start[edge]] + chain_m[by[edge]]
            for edge in range(begin[vertex], begin[vertex + 1]):
                following, reached = end[edge], at_s + cost_s[edge]
                if reached < best.get(following, inf):
                    best[following], edges[following] = reached, edge
                    heappush(heap, (reached, following))
        return Search(settled, metres, edges)

    def _along_chain(self, a: Anchor, b: Anchor) -> Way:
        """The way where both points lie on one chain and the car need not leave it."""
        best = NO_WAY
        for first in a.snaps:
            for second in b.snaps:
                if first.chain != second.chain:
                    continue
                step = second.share - first.share
                if step and not self._directions[first.chain] & (1 if step > 0 else 2):
                    continue
                access_m = first.apart_m + second.apart_m
                seconds = abs(step) * self._streets.chain_s[first.chain] + access_m / ACCESS_MPS
                if seconds < best.seconds:
                    metres = abs(step) * self._streets.chain_m[first.chain] + access_m
                    best = Way(seconds, metres, None, (first, second))
        return best

    def _way(self, a: Anchor, b: Anchor, search: Search, joins: Sequence[Join], pace: Pace) -> Way:
        """The cheapest way from a to b: `search` started at one of them, `joins` are the other's."""
        if not a.snaps and not b.snaps:
            return Way(*pace.leg(a.point, b.point))
        best = self._along_chain(a, b)
        for join in joins:
            reached = search.seconds.get(join.vertex)
            if reached is not None and reached + join.seconds < best.seconds:
                metres = search.metres[join.vertex] + join.metres
                best = Way(reached + join.seconds, metres, join)
        return best

    def route(self, a: Point, b: Point) -> Route | None:
        """The fastest way from a to b. Off the map: an estimate, `on_road` False. None: no way.

        InputError where a or b is no point on the earth.
        """
        _check(a, b)
        snaps_a, snaps_b = self._snaps(a), self._snaps(b)
        pace = Pace.of(a, b)
        if not snaps_a and not snaps_b:
            duration_s, length_m = pace.leg(a, b)
            return Route(distance_m=length_m, duration_s=duration_s, points=(a, b), on_road=False)
        component = _component(snaps_a, snaps_b)
        if component is None:
            return None
        start = self._streets.anchor(a, component, snaps_a.get(component, ()), pace)
        goal = self._streets.anchor(b, component, snaps_b.get(component, ()), pace)
        search = self._search(start.leaving, goal.arriving, self._out)
        way = self._way(start, goal, search, goal.arriving, pace)
        if way.seconds == inf:
            return None
        return Route(
            distance_m=way.metres,
            duration_s=way.seconds,
            points=self._points(start, goal, search, way),
            on_road=bool(start.snaps and goal.snaps),
        )

    def _points(self, start: Anchor, goal: Anchor, search: Search, way: Way) -> tuple[Point, ...]:
        line = [start.point]
        if way.along is not None:
            line += self._streets.stretch(*way.along)
        elif way.join is not None:
            steps: list[tuple[int, int]] = []
            vertex = way.join.vertex
            while vertex in search.edge:
                edge = search.edge[vertex]
                vertex = self._out.start[edge]
                steps.append((vertex, self._out.chain[edge]))
            joins = (join for join in start.leaving if join.vertex == vertex)
            line += self._streets.to_vertex(min(joins, key=lambda join: join.seconds))
            for last, chain in reversed(steps):
                line += self._streets.whole(chain, last)[1:]
            line += reversed(self._streets.to_vertex(way.join))
        line.append(goal.point)
        return tuple(p for i, p in enumerate(line) if i == 0 or p != line[i - 1])

    def detours(self, a: Point, b: Point, vias: Sequence[Point]) -> list[Detour | None]:
        """What a stop at each via costs between a and b; None where there is no way there and on.

        InputError where any of them is no point on the earth.
        """
        _check(a, b, *vias)
        snaps_a, snaps_b = self._snaps(a), self._snaps(b)
        snaps = [self._snaps(via) for via in vias]
        groups: dict[int, list[int]] = {}
        for index, via_snaps in enumerate(snaps):
            component = _component(snaps_a, snaps_b, via_snaps)
            if component is not None:
                groups.setdefault(component, []).append(index)
        found: list[Detour | None] = [None] * len(vias)
        pace = Pace.of(a, b)
        for component, members in sorted(groups.items()):
            points = [a, b, *(vias[i] for i in members)]
            theirs = [snaps_a, snaps_b, *(snaps[i] for i in members)]
            start, goal, *stops = (
                self._streets.anchor(point, component, those.get(component, ()), pace)
                if self._streets.count
                else Anchor(point, (), (), ())
                for point, those in zip(points, theirs, strict=True)
            )
            for i, detour in zip(members, self._detours(start, goal, stops, pace), strict=True):
                found[i] = detour
        return found

    def _detours(
        self, start: Anchor, goal: Anchor, stops: Sequence[Anchor], pace: Pace
    ) -> list[Detour | None]:
        to = [join for anchor in (goal, *stops) for join in anchor.arriving]
        on = [join for anchor in stops for join in anchor.leaving]
        outward = self._search(start.leaving, to, self._out)
        homeward = self._search(goal.arriving, on, self._in)
        base = self._way(start, goal, outward, goal.arriving, pace)
        found: list[Detour | None] = []
        for stop in stops:
            reach = self._way(start, stop, outward, stop.arriving, pace)
            onward = self._way(stop, goal, homeward, stop.leaving, pace)
            if inf in (reach.seconds, onward.seconds, base.seconds):
                found.append(None)
                continue
            found.append(
                Detour(
                    extra_s=max(0.0, reach.seconds + onward.seconds - base.seconds),
                    extra_m=max(0.0, reach.metres + onward.metres - base.metres),
                    reach_s=reach.seconds,
                    on_road=bool(start.snaps and goal.snaps and stop.snaps),
                )
            )
        return found


def _component(*points: Snaps) -> int | None:
    """The component that all points on the map share, nearest first; None where they share none."""
    on_map = [snaps for snaps in points if snaps]
    if not on_map:
        return 0
    shared = sorted(set.intersection(*(set(snaps) for snaps in on_map)))
    if not shared:
        return None
    return min(shared, key=lambda c: (sum(snaps[c][0].apart_m for snaps in on_map), c))


def _check(*points: Point) -> None:
    for lat, lon in points:
        if not valid_point(lat, lon):
            raise InputError(
                f"{lat}, {lon} is not a point on the earth.",
                "Give latitude and longitude in degrees.",
            )
