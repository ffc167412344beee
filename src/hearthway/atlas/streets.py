"""Where points join the road graph: the nearest stretches of road, or the map's facing side."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from math import cos, inf, radians
from typing import NamedTuple

import numpy as np

from hearthway.records.geo import METRES_PER_DEGREE, distance_m

from .arrays import Roads as Arrays

SNAP_M = 300.0
BESIDE_M = 12.0  # both carriageways of a road are as good: the position does not tell which
AT_JUNCTION_M = 1.0
BAND_M = 200.0  # how much farther than the nearest junction one may enter the map
WINDING = 1.3  # road metres per bee-line metre off the map: a common figure for European roads
ACCESS_MPS = 15 / 3.6  # between a point and the nearest road: driveways and car parks
Point = tuple[float, float]


def bee_line_s(road_m: float) -> float:
    """Seconds for `road_m` of unknown road: 3 km at 27 km/h, 20 km more at 50, the rest at 80."""
    town, country = min(road_m, 3_000.0), min(max(road_m - 3_000.0, 0.0), 20_000.0)
    rest = max(road_m - 23_000.0, 0.0)
    return town * 3.6 / 27 + country * 3.6 / 50 + rest * 3.6 / 80


class Pace(NamedTuple):
    """How unknown roads are reckoned on one way: road metres times seconds a metre."""

    s_per_m: float

    @staticmethod
    def of(a: Point, b: Point) -> Pace:
        """The average pace of the bee-line from a to b, so that its parts add up to the whole."""
        road_m = max(1.0, distance_m(*a, *b) * WINDING)
        return Pace(bee_line_s(road_m) / road_m)

    def leg(self, a: Point, b: Point) -> tuple[float, float]:
        """Seconds and road metres of the bee-line from a to b."""
        road_m = distance_m(*a, *b) * WINDING
        return road_m * self.s_per_m, road_m


class Snap(NamedTuple):
    """A place on the graph: how far along which chain, and how far the point is from it."""

    apart_m: float
    chain: int
    share: float  # 0 at the chain's tail, 1 at its head
    segment: int  # index of the segment's first point in the arrays
    lat: float
    lon: float


class Join(NamedTuple):
    """What it costs to get between a point and a vertex, and by which snap (None off the map)."""

    vertex: int
    seconds: float
    metres: float
    snap: Snap | None


class Anchor(NamedTuple):
    """Where a point joins the graph, leaving it and arriving at it. No snaps: it is off the map."""

    point: Point
    snaps: tuple[Snap, ...]
    leaving: tuple[Join, ...]
    arriving: tuple[Join, ...]


class Streets:
    """The shapes of a road graph's chains, and the search for the nearest."""

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = arrays
        self.count = len(arrays.tail)
        self.lat, self.lon = arrays.lat / 1e7, arrays.lon / 1e7
        self.chain_seconds = arrays.length_m.astype(np.float64) * 36.0 / arrays.speed_dkmh
        self.chain_s = array("d", self.chain_seconds.tobytes())
        self.chain_m = array("d", arrays.length_m.astype(np.float64).tobytes())
        self.vertices = 0
        if not self.count:
            return
        first, last = arrays.shape[:-1], arrays.shape[1:] - 1
        self._south = np.minimum.reduceat(self.lat, first)
        self._north = np.maximum.reduceat(self.lat, first)
        self._west = np.minimum.reduceat(self.lon, first)
        self._east = np.maximum.reduceat(self.lon, first)
        self.vertices = int(max(arrays.tail.max(), arrays.head.max())) + 1
        self._vertex_lat = np.full(self.vertices, inf)
        self._vertex_lon = np.full(self.vertices, inf)
        self._vertex_component = np.full(self.vertices, -1, dtype=np.int32)
        for ends, points in ((arrays.tail, first), (arrays.head, last)):
            self._vertex_lat[ends] = self.lat[points]
            self._vertex_lon[ends] = self.lon[points]
            self._vertex_component[ends] = arrays.component

    def vertex_point(self, vertex: int) -> Point:
        """Where a junction is."""
        return float(self._vertex_lat[vertex]), float(self._vertex_lon[vertex])

    def snaps(self, point: Point) -> dict[int, tuple[Snap, ...]]:
        """The nearest stretches within SNAP_M, nearest first, by component."""
        if not self.count:
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
        shape = self.arrays.shape
        counts = shape[near + 1] - shape[near] - 1
        firsts = np.cumsum(counts) - counts
        begin = np.repeat(shape[near] - firsts, counts) + np.arange(int(counts.sum()))
        ay = (self.lat[begin] - lat) * METRES_PER_DEGREE
        ax = (self.lon[begin] - lon) * scale
        dy = (self.lat[begin + 1] - lat) * METRES_PER_DEGREE - ay
        dx = (self.lon[begin + 1] - lon) * scale - ax
        square = dy * dy + dx * dx
        t = np.clip(-(ay * dy + ax * dx) / np.where(square == 0, 1.0, square), 0.0, 1.0)
        apart = np.hypot(ay + t * dy, ax + t * dx)
        chain_apart = np.minimum.reduceat(apart, firsts)
        components = self.arrays.component[near]
        found: dict[int, tuple[Snap, ...]] = {}
        for component in np.unique(components).tolist():
            of_component = np.where(components == component, chain_apart, inf)
            limit = min(SNAP_M, float(of_component.min()) + BESIDE_M)
            snaps = []
            for which in np.flatnonzero(of_component <= limit).tolist():
                low = int(firsts[which])
                at = low + int(np.argmin(apart[low : low + int(counts[which])]))
                where = float(t[at])
                snaps.append(
                    Snap(
                        float(apart[at]),
                        int(near[which]),
                        self._share(int(near[which]), int(begin[at]), where),
                        int(begin[at]),
                        lat + float(ay[at] + where * dy[at]) / METRES_PER_DEGREE,
                        lon + float(ax[at] + where * dx[at]) / scale,
                    )
                )
            if snaps:
                found[component] = tuple(sorted(snaps))
        return found

    def _share(self, chain: int, segment: int, where: float) -> float:
        start, end = int(self.arrays.shape[chain]), int(self.arrays.shape[chain + 1])
        lat, lon = self.lat[start:end], self.lon[start:end]
        steps = np.hypot(np.diff(lat), np.diff(lon) * cos(radians(float(lat[0]))))
        total = float(steps.sum())
        if total == 0:
            return 0.0
        at = segment - start
        return min(1.0, (float(steps[:at].sum()) + where * float(steps[at])) / total)

    def anchor(self, point: Point, component: int, snaps: Sequence[Snap], pace: Pace) -> Anchor:
        """How a point joins one component of the graph."""
        if not snaps:
            return self._outside(point, component, pace)
        leaving: list[Join] = []
        arriving: list[Join] = []
        for snap in snaps:
            ahead, back = self._ends(snap)
            directions = int(self.arrays.directions[snap.chain])
            at_tail = snap.share * self.chain_m[snap.chain] <= AT_JUNCTION_M
            at_head = (1 - snap.share) * self.chain_m[snap.chain] <= AT_JUNCTION_M
            if directions & 1 or at_head:
                leaving.append(ahead)
            if directions & 2 or at_tail:
                leaving.append(back)
            if directions & 1 or at_tail:
                arriving.append(back)
            if directions & 2 or at_head:
                arriving.append(ahead)
        return Anchor(point, tuple(snaps), tuple(leaving), tuple(arriving))

    def _ends(self, snap: Snap) -> tuple[Join, Join]:
        """From the snapped point to the chain's head, and to its tail."""
        way_s, way_m, share = self.chain_s[snap.chain], self.chain_m[snap.chain], snap.share
        to_road_s = snap.apart_m / ACCESS_MPS
        head, tail = int(self.arrays.head[snap.chain]), int(self.arrays.tail[snap.chain])
        rest = 1 - share
        return (
            Join(head, rest * way_s + to_road_s, rest * way_m + snap.apart_m, snap),
            Join(tail, share * way_s + to_road_s, share * way_m + snap.apart_m, snap),
        )

    def _outside(self, point: Point, component: int, pace: Pace) -> Anchor:
        """A point off the map joins at the junctions on the side that faces it."""
        lat, lon = point
        scale = METRES_PER_DEGREE * max(0.01, cos(radians(lat)))
        apart = np.hypot(
            (self._vertex_lat - lat) * METRES_PER_DEGREE, (self._vertex_lon - lon) * scale
        )
        apart[self._vertex_component != component] = inf
        facing = np.flatnonzero(apart <= apart.min() + BAND_M)
        joins = tuple(
            Join(vertex, *pace.leg(point, self.vertex_point(vertex)), None)
            for vertex in facing.tolist()
        )
        return Anchor(point, (), joins, joins)

    def shape(self, first: int, last: int) -> list[Point]:
        """The points first:last of the arrays."""
        lats, lons = self.lat[first:last].tolist(), self.lon[first:last].tolist()
        return list(zip(lats, lons, strict=True))

    def whole(self, chain: int, start: int) -> list[Point]:
        """A chain's points from the vertex `start` to its other end."""
        shape = self.arrays.shape
        points = self.shape(int(shape[chain]), int(shape[chain + 1]))
        return points if int(self.arrays.tail[chain]) == start else points[::-1]

    def to_vertex(self, join: Join) -> list[Point]:
        """From where a point meets the road to the vertex of the join."""
        snap = join.snap
        if snap is None:
            return [self.vertex_point(join.vertex)]
        shape, here = self.arrays.shape, (snap.lat, snap.lon)
        ahead, _ = self._ends(snap)
        if (join.vertex, join.metres) == (ahead.vertex, ahead.metres):
            return [here, *self.shape(snap.segment + 1, int(shape[snap.chain + 1]))]
        return [here, *reversed(self.shape(int(shape[snap.chain]), snap.segment + 1))]

    def stretch(self, a: Snap, b: Snap) -> list[Point]:
        """From one snapped point to another on the same chain."""
        low, high = sorted((a, b), key=lambda snap: snap.share)
        between = self.shape(low.segment + 1, high.segment + 1)
        line = [(low.lat, low.lon), *between, (high.lat, high.lon)]
        return line if low is a else line[::-1]
