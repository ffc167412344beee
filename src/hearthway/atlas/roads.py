"""Shortest paths by driving time on an atlas's road graph.

One Dijkstra forwards from a and one backwards to b answer a route and all its detours: both stop as
soon as every point asked for is settled. Turn costs are left out; speeds are the limit times a share
by class of road (tags.CLASSES), so times are for ordinary daytime traffic, not measured.

Off the map there are no roads, so what lies outside is estimated and says so (`on_road` False): the
bee-line times 1.3, at a speed that grows with the distance (`bee_line_s`).
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from math import cos, inf, radians
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hearthway.records.errors import InputError
from hearthway.records.geo import METRES_PER_DEGREE, distance_m, valid_point
from hearthway.records.poi import Detour, Route

from .graph import Roads as Arrays
from .pois import damaged

SNAP_M = 300.0
BAND_M = 200.0  # how much farther than the nearest junction one may enter the map
WINDING = 1.3  # road metres per bee-line metre off the map: a common figure for European roads
ACCESS_MPS = 15 / 3.6  # between a point and the nearest road: driveways and car parks
Point = tuple[float, float]
Bools = npt.NDArray[np.bool_]


def bee_line_s(road_m: float) -> float:
    """Seconds for `road_m` of unknown road: 3 km at 27 km/h, 20 km more at 50, the rest at 80."""
    town, country = min(road_m, 3_000.0), min(max(road_m - 3_000.0, 0.0), 20_000.0)
    rest = max(road_m - 23_000.0, 0.0)
    return town * 3.6 / 27 + country * 3.6 / 50 + rest * 3.6 / 80


def _bee(a: Point, b: Point) -> tuple[float, float]:
    road_m = distance_m(*a, *b) * WINDING
    return bee_line_s(road_m), road_m


class Snap(NamedTuple):
    """A point's place on the graph: how far along which chain, and how far the point is from it."""

    chain: int
    share: float  # 0 at the chain's tail, 1 at its head
    apart_m: float
    segment: int
    lat: float
    lon: float


class Anchor(NamedTuple):
    """Where a point joins the graph: (vertex, seconds, metres) in and out; one snap, or a band."""

    point: Point
    snap: Snap | None  # None off the map
    leaving: tuple[tuple[int, float, float], ...]  # from the point to vertices
    arriving: tuple[tuple[int, float, float], ...]  # from vertices to the point


class Search(NamedTuple):
    """The outcome of one Dijkstra: seconds, metres and the chain by which each vertex was reached."""

    seconds: dict[int, float]
    metres: dict[int, float]
    via: dict[int, tuple[int, int]]  # vertex -> (vertex before, chain), seeds missing


class RoadNetwork:
    """The RoadGraph of an atlas (a protocol of records.poi)."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._count = len(arrays.tail)
        if self._count:
            self._prepare()

    @property
    def chains(self) -> int:
        """How many stretches of road between junctions."""
        return self._count

    def _prepare(self) -> None:
        a = self._arrays
        self._lat = a.lat / 1e7
        self._lon = a.lon / 1e7
        first, last = a.shape[:-1], a.shape[1:] - 1
        self._south = np.minimum.reduceat(self._lat, first)
        self._north = np.maximum.reduceat(self._lat, first)
        self._west = np.minimum.reduceat(self._lon, first)
        self._east = np.maximum.reduceat(self._lon, first)
        self._seconds = a.length_m.astype(np.float64) * 36.0 / a.speed_dkmh
        vertices = int(max(a.tail.max(), a.head.max())) + 1
        self._vertex_lat = np.zeros(vertices)
        self._vertex_lon = np.zeros(vertices)
        self._vertex_component = np.zeros(vertices, dtype=np.int16)
        for ends, points in ((a.tail, first), (a.head, last)):
            self._vertex_lat[ends] = self._lat[points]
            self._vertex_lon[ends] = self._lon[points]
            self._vertex_component[ends] = a.component
        forward, backward = (a.directions & 1) > 0, (a.directions & 2) > 0
        number = np.arange(self._count)
        self._out = _adjacency(
            np.concatenate([a.tail[forward], a.head[backward]]),
            np.concatenate([a.head[forward], a.tail[backward]]),
            np.concatenate([number[forward], number[backward]]),
            vertices,
        )
        self._in = _adjacency(
            np.concatenate([a.head[forward], a.tail[backward]]),
            np.concatenate([a.tail[forward], a.head[backward]]),
            np.concatenate([number[forward], number[backward]]),
            vertices,
        )
        self._chain_s = self._seconds.tolist()
        self._chain_m = a.length_m.astype(np.float64).tolist()

    def covers(self, lat: float, lon: float) -> bool:
        """Is there a road of this map within 300 m?"""
        return valid_point(lat, lon) and bool(self._snaps((lat, lon)))

    def _snaps(self, point: Point) -> dict[int, Snap]:
        """The nearest place on each component's roads within SNAP_M, by component."""
        if not self._count:
            return {}
        lat, lon = point
        north = SNAP_M / METRES_PER_DEGREE
        scale = METRES_PER_DEGREE * max(0.01, cos(radians(lat)))
        east = SNAP_M / scale
        near = np.flatnonzero(
            (self._south <= lat + north)
            & (self._north >= lat - north)
            & (self._west <= lon + east)
            & (self._east >= lon - east)
        )
        if len(near) == 0:
            return {}
        shape = self._arrays.shape
        counts = shape[near + 1] - shape[near] - 1
        owner = np.repeat(near, counts)
        skip = np.repeat(np.cumsum(counts) - counts, counts)
        begin = np.repeat(shape[near], counts) + (np.arange(len(owner)) - skip)
        ay = (self._lat[begin] - lat) * METRES_PER_DEGREE
        ax = (self._lon[begin] - lon) * scale
        by = (self._lat[begin + 1] - lat) * METRES_PER_DEGREE
        bx = (self._lon[begin + 1] - lon) * scale
        dy, dx = by - ay, bx - ax
        square = dy * dy + dx * dx
        t = np.clip(-(ay * dy + ax * dx) / np.where(square == 0, 1.0, square), 0.0, 1.0)
        apart = np.hypot(ay + t * dy, ax + t * dx)
        components = self._arrays.component[owner]
        found: dict[int, Snap] = {}
        for component in np.unique(components).tolist():
            index = int(np.argmin(np.where(components == component, apart, inf)))
            if apart[index] > SNAP_M:
                continue
            segment, chain = int(begin[index]), int(owner[index])
            where = float(t[index])
            found[component] = Snap(
                chain,
                self._share(chain, segment, where),
                float(apart[index]),
                segment,
                lat + float(ay[index] + where * dy[index]) / METRES_PER_DEGREE,
                lon + float(ax[index] + where * dx[index]) / scale,
            )
        return found

    def _share(self, chain: int, segment: int, where: float) -> float:
        start, end = int(self._arrays.shape[chain]), int(self._arrays.shape[chain + 1])
        lat, lon = self._lat[start:end], self._lon[start:end]
        scale = cos(radians(float(lat[0])))
        steps = np.hypot(np.diff(lat), np.diff(lon) * scale)
        total = float(steps.sum())
        if total == 0:
            return 0.0
        at = segment - start
        return (float(steps[:at].sum()) + where * float(steps[at])) / total

    def _anchor(self, point: Point, component: int, snap: Snap | None) -> Anchor:
        if snap is None:
            return self._outside(point, component)
        a = self._arrays
        tail, head = int(a.tail[snap.chain]), int(a.head[snap.chain])
        way_s, way_m = self._chain_s[snap.chain], self._chain_m[snap.chain]
        to_road_s, share = snap.apart_m / ACCESS_MPS, snap.share
        back = (share * way_s + to_road_s, share * way_m + snap.apart_m)
        on = ((1 - share) * way_s + to_road_s, (1 - share) * way_m + snap.apart_m)
        leaving, arriving = [], []
        if a.directions[snap.chain] & 1:
            leaving.append((head, *on))
            arriving.append((tail, *back))
        if a.directions[snap.chain] & 2:
            leaving.append((tail, *back))
            arriving.append((head, *on))
        return Anchor(point, snap, tuple(leaving), tuple(arriving))

    def _outside(self, point: Point, component: int) -> Anchor:
        """A point off the map joins at the junctions on the side that faces it."""
        lat, lon = point
        scale = METRES_PER_DEGREE * max(0.01, cos(radians(lat)))
        apart = np.hypot(
            (self._vertex_lat - lat) * METRES_PER_DEGREE, (self._vertex_lon - lon) * scale
        )
        apart[self._vertex_component != component] = inf
        facing = np.flatnonzero(apart <= apart.min() + BAND_M)
        joins = tuple(
            (
                vertex,
                *_bee(point, (float(self._vertex_lat[vertex]), float(self._vertex_lon[vertex]))),
            )
            for vertex in facing.tolist()
        )
        return Anchor(point, None, joins, joins)

    def _search(
        self,
        seeds: Sequence[tuple[int, float, float]],
        targets: frozenset[int],
        adjacency: list[list[tuple[int, int]]],
    ) -> Search:
        chain_s, chain_m = self._chain_s, self._chain_m
        seconds: dict[int, float] = {}
        metres: dict[int, float] = {}
        via: dict[int, tuple[int, int]] = {}
        heap: list[tuple[float, int, float, int, int]] = []
        tentative: dict[int, float] = {}
        for vertex, s, m in sorted(seeds):
            if s < tentative.get(vertex, inf):
                tentative[vertex] = s
                heappush(heap, (s, vertex, m, -1, -1))
        left = set(targets)
        while heap and left:
            s, vertex, m, before, chain = heappop(heap)
            if vertex in seconds:
                continue
            seconds[vertex], metres[vertex] = s, m
            if chain >= 0:
                via[vertex] = (before, chain)
            left.discard(vertex)
            for following, edge in adjacency[vertex]:
                reached = s + chain_s[edge]
                if reached < tentative.get(following, inf):
                    tentative[following] = reached
                    heappush(heap, (reached, following, m + chain_m[edge], vertex, edge))
        return Search(seconds, metres, via)

    def _component(self, points: Sequence[dict[int, Snap]]) -> int | None:
        """The component that all points on the map share, nearest first; None where they share none."""
        on_map = [snaps for snaps in points if snaps]
        if not on_map:
            return 0
        shared = sorted(set.intersection(*(set(snaps) for snaps in on_map)))
        if not shared:
            return None
        return min(shared, key=lambda c: (sum(snaps[c].apart_m for snaps in on_map), c))

    def _along_chain(self, a: Anchor, b: Anchor) -> tuple[float, float] | None:
        """Seconds and metres where both points lie on one chain and the car need not leave it."""
        if a.snap is None or b.snap is None or a.snap.chain != b.snap.chain:
            return None
        chain, step = a.snap.chain, b.snap.share - a.snap.share
        needed = 1 if step >= 0 else 2
        if step and not self._arrays.directions[chain] & needed:
            return None
        access_m = a.snap.apart_m + b.snap.apart_m
        return (
            abs(step) * self._chain_s[chain] + access_m / ACCESS_MPS,
            abs(step) * self._chain_m[chain] + access_m,
        )

    def _cost(
        self, a: Anchor, b: Anchor, search: Search, *, backwards: bool = False
    ) -> tuple[float, float, int]:
        """Seconds and metres from a to b, and the vertex where the search ends (-1: along one chain)."""
        best = (inf, inf, -1)
        for vertex, s, m in a.leaving if backwards else b.arriving:
            reached = search.seconds.get(vertex)
            if reached is not None and reached + s < best[0]:
                best = (reached + s, search.metres[vertex] + m, vertex)
        direct = self._along_chain(a, b)
        if direct is not None and direct[0] <= best[0]:
            best = (*direct, -1)
        return best

    def route(self, a: Point, b: Point) -> Route | None:
        """The fastest way from a to b. Off the map: an estimate, `on_road` False. None: no way."""
        _check(a, b)
        snaps_a, snaps_b = self._snaps(a), self._snaps(b)
        if not snaps_a and not snaps_b:
            duration_s, length_m = _bee(a, b)
            return Route(distance_m=length_m, duration_s=duration_s, points=(a, b), on_road=False)
        component = self._component([snaps_a, snaps_b])
        if component is None:
            return None
        start = self._anchor(a, component, snaps_a.get(component))
        goal = self._anchor(b, component, snaps_b.get(component))
        search = self._search(start.leaving, frozenset(v for v, _, _ in goal.arriving), self._out)
        duration_s, length_m, end = self._cost(start, goal, search)
        if duration_s == inf:
            return None
        return Route(
            distance_m=length_m,
            duration_s=duration_s,
            points=tuple(self._points(start, goal, search, end)),
            on_road=start.snap is not None and goal.snap is not None,
        )

    def _points(self, start: Anchor, goal: Anchor, search: Search, end: int) -> list[Point]:
        line: list[Point] = [start.point]
        if end < 0 and start.snap is not None and goal.snap is not None:
            line += self._stretch(start.snap.chain, start.snap, goal.snap)
        elif end >= 0:
            steps: list[tuple[int, int]] = []
            vertex = end
            while vertex in search.via:
                before, chain = search.via[vertex]
                steps.append((before, chain))
                vertex = before
            if start.snap is not None:
                line += self._to_vertex(start.snap, vertex)
            else:
                line.append((float(self._vertex_lat[vertex]), float(self._vertex_lon[vertex])))
            for before, chain in reversed(steps):
                line += self._whole(chain, before)[1:]
            if goal.snap is not None:
                line += reversed(self._to_vertex(goal.snap, end))
        line.append(goal.point)
        return [point for i, point in enumerate(line) if i == 0 or point != line[i - 1]]

    def _shape(self, first: int, last: int) -> list[Point]:
        lats, lons = self._lat[first:last].tolist(), self._lon[first:last].tolist()
        return list(zip(lats, lons, strict=True))

    def _whole(self, chain: int, start: int) -> list[Point]:
        shape = self._arrays.shape
        points = self._shape(int(shape[chain]), int(shape[chain + 1]))
        return points if int(self._arrays.tail[chain]) == start else points[::-1]

    def _to_vertex(self, snap: Snap, vertex: int) -> list[Point]:
        """From a snapped point along its chain to one of the chain's ends."""
        shape = self._arrays.shape
        here = (snap.lat, snap.lon)
        ahead = [here, *self._shape(snap.segment + 1, int(shape[snap.chain + 1]))]
        back = [here, *reversed(self._shape(int(shape[snap.chain]), snap.segment + 1))]
        return ahead if int(self._arrays.head[snap.chain]) == vertex else back

    def _stretch(self, chain: int, a: Snap, b: Snap) -> list[Point]:
        low, high = sorted((a, b), key=lambda snap: snap.share)
        between = self._shape(low.segment + 1, high.segment + 1)
        line = [(low.lat, low.lon), *between, (high.lat, high.lon)]
        return line if low is a else line[::-1]

    def detours(self, a: Point, b: Point, vias: Sequence[Point]) -> list[Detour | None]:
        """What a stop at each via costs between a and b; None where there is no way there and on."""
        _check(a, b, *vias)
        snaps_a, snaps_b = self._snaps(a), self._snaps(b)
        snaps = [self._snaps(via) for via in vias]
        base = self._component([snaps_a, snaps_b])
        if base is None:
            return [None] * len(vias)
        found: list[Detour | None] = [None] * len(vias)
        groups: dict[int, list[int]] = {}
        for index, via_snaps in enumerate(snaps):
            component = self._component([snaps_a, snaps_b, via_snaps])
            if component is not None:
                groups.setdefault(component, []).append(index)
        for component in sorted(groups):
            members = groups[component]
            part = [(vias[i], snaps[i].get(component)) for i in members]
            ends = (a, snaps_a.get(component)), (b, snaps_b.get(component))
            for index, detour in zip(members, self._detours(component, *ends, part), strict=True):
                found[index] = detour
        return found

    def _detours(
        self,
        component: int,
        a: tuple[Point, Snap | None],
        b: tuple[Point, Snap | None],
        vias: Sequence[tuple[Point, Snap | None]],
    ) -> list[Detour | None]:
        if not self._count:
            return [_flat_detour(a[0], b[0], via) for via, _ in vias]
        start, goal = self._anchor(a[0], component, a[1]), self._anchor(b[0], component, b[1])
        stops = [self._anchor(via, component, snap) for via, snap in vias]
        joined = [stop for stop in stops if stop.snap is not None]
        to = frozenset(v for stop in (goal, *joined) for v, _, _ in stop.arriving)
        on = frozenset(v for stop in joined for v, _, _ in stop.leaving)
        outward = self._search(start.leaving, to, self._out)
        homeward = self._search(goal.arriving, on, self._in)
        outside = start.snap is None and goal.snap is None
        base_s, base_m = _bee(a[0], b[0]) if outside else self._cost(start, goal, outward)[:2]
        found: list[Detour | None] = []
        for stop in stops:
            if stop.snap is None:
                reach, onward = _bee(a[0], stop.point), _bee(stop.point, b[0])
            else:
                reach = self._cost(start, stop, outward)[:2]
                onward = self._cost(stop, goal, homeward, backwards=True)[:2]
            if inf in (reach[0], onward[0], base_s):
                found.append(None)
                continue
            found.append(
                Detour(
                    extra_s=max(0.0, reach[0] + onward[0] - base_s),
                    extra_m=max(0.0, reach[1] + onward[1] - base_m),
                    reach_s=reach[0],
                    on_road=all(end is not None for end in (start.snap, goal.snap, stop.snap)),
                )
            )
        return found


def _flat_detour(a: Point, b: Point, via: Point) -> Detour:
    base, reach, onward = _bee(a, b), _bee(a, via), _bee(via, b)
    return Detour(
        extra_s=max(0.0, reach[0] + onward[0] - base[0]),
        extra_m=max(0.0, reach[1] + onward[1] - base[1]),
        reach_s=reach[0],
        on_road=False,
    )


def _check(*points: Point) -> None:
    for lat, lon in points:
        if not valid_point(lat, lon):
            raise InputError(
                f"{lat}, {lon} is not a point on the earth.",
                "Give latitude and longitude in degrees.",
            )


def _adjacency(
    start: npt.NDArray[np.int32],
    end: npt.NDArray[np.int32],
    chain: npt.NDArray[np.int64],
    vertices: int,
) -> list[list[tuple[int, int]]]:
    table: list[list[tuple[int, int]]] = [[] for _ in range(vertices)]
    for u, v, c in zip(start.tolist(), end.tolist(), chain.tolist(), strict=True):
        table[u].append((v, c))
    return table


def validate(arrays: Arrays) -> None:
    """MapError unless the arrays are a road graph: lengths agree, indices point inside."""
    count = len(arrays.tail)
    same = all(
        len(column) == count
        for column in (
            arrays.head,
            arrays.speed_dkmh,
            arrays.directions,
            arrays.component,
            arrays.length_m,
        )
    )
    if not same or len(arrays.shape) != count + 1 or len(arrays.lat) != len(arrays.lon):
        raise damaged("the road graph's tables disagree in length")
    if count == 0:
        return
    steps = np.diff(arrays.shape)
    sound = (
        arrays.shape[0] == 0
        and arrays.shape[-1] == len(arrays.lat)
        and int(steps.min()) >= 2
        and int(min(arrays.tail.min(), arrays.head.min())) >= 0
        and int(max(arrays.tail.max(), arrays.head.max())) < 2 * count
        and int(arrays.speed_dkmh.min()) > 0
        and int(arrays.directions.min()) >= 1
        and int(arrays.directions.max()) <= 3
        and int(arrays.component.min()) >= 0
        and bool(np.isfinite(arrays.length_m).all())
        and float(arrays.length_m.min()) >= 0
        and int(np.abs(arrays.lat.astype(np.int64)).max()) <= 900_000_000
        and int(np.abs(arrays.lon.astype(np.int64)).max()) <= 1_800_000_000
    )
    if not sound:
        raise damaged("the road graph points outside itself")
