"""Where points join the road graph: the nearest stretches of road, or the map's facing side."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise, product
from math import cos, floor, hypot, inf, radians
from typing import NamedTuple

from hearthway.records.geo import METRES_PER_DEGREE, distance_m

from .columns import Column, RoadColumns

SNAP_M = 300.0
BESIDE_M = 12.0  # both carriageways of a road are as good: the position does not tell which
AT_JUNCTION_M = 1.0
BAND_M = 200.0  # how much farther than the nearest junction one may enter the map
WINDING = 1.3  # road metres per bee-line metre off the map: a common figure for European roads
CELL_DEG = 0.01  # of the grid by which stretches near a point are found
WIDE_CELLS = 64  # a stretch over more of them is looked at wherever the point is
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

    def __init__(self, roads: RoadColumns) -> None:
        self.arrays = roads
        self.count = len(roads.tail)
        self.lat: Column = array("d", (lat / 1e7 for lat in roads.lat))
        self.lon: Column = array("d", (lon / 1e7 for lon in roads.lon))
        self.chain_m: Column = array("d", roads.length_m)
        self.chain_s: Column = array(
            "d",
            (m * 36.0 / speed for m, speed in zip(roads.length_m, roads.speed_dkmh, strict=True)),
        )
        self._facing = lru_cache(maxsize=64)(
            self._facing_side
        )  # the same ends come again and again
        self.vertices = 1 + max(max(roads.tail), max(roads.head)) if self.count else 0
        self._vertex_lat: Column = array("d", [inf]) * self.vertices
        self._vertex_lon: Column = array("d", [inf]) * self.vertices
        self._vertex_component = array("i", [-1]) * self.vertices
        self._boxes: tuple[Column, ...] = tuple(array("d") for _ in range(4))
        self._cells: dict[tuple[int, int], array[int]] = {}
        self._wide: array[int] = array("i")
        for chain in range(self.count):
            self._place(chain)

    def _place(self, chain: int) -> None:
        """Its ends, its box and the cells of the grid that it touches."""
        roads = self.arrays
        start, end = roads.shape[chain], roads.shape[chain + 1]
        for vertex, point in ((roads.tail[chain], start), (roads.head[chain], end - 1)):
            self._vertex_lat[vertex] = self.lat[point]
            self._vertex_lon[vertex] = self.lon[point]
            self._vertex_component[vertex] = roads.component[chain]
        lats, lons = self.lat[start:end], self.lon[start:end]
        box = min(lats), max(lats), min(lons), max(lons)
        for column, edge in zip(self._boxes, box, strict=True):
            column.append(edge)
        rows, columns = _cells(*box)
        if len(rows) * len(columns) > WIDE_CELLS:
            self._wide.append(chain)
            return
        for cell in product(rows, columns):
            self._cells.setdefault(cell, array("i")).append(chain)

    def vertex_point(self, vertex: int) -> Point:
        """Where a junction is."""
        return self._vertex_lat[vertex], self._vertex_lon[vertex]

    def _near(self, lat: float, lon: float, north: float, east: float) -> list[int]:
        """Chains whose box meets that box around the point, in their order."""
        south_of, north_of, west_of, east_of = self._boxes
        found = set(self._wide)
        for cell in product(*_cells(lat - north, lat + north, lon - east, lon + east)):
            found.update(self._cells.get(cell, ()))
        return sorted(
            chain
            for chain in found
            if south_of[chain] <= lat + north
            and north_of[chain] >= lat - north
            and west_of[chain] <= lon + east
            and east_of[chain] >= lon - east
        )

    def nearest_m(self, lat: float, lon: float) -> float | None:
        """Metres to the nearest stretch; None where none is within SNAP_M."""
        scale = METRES_PER_DEGREE * max(0.01, cos(radians(lat)))
        near = self._near(lat, lon, SNAP_M / METRES_PER_DEGREE, SNAP_M / scale)
        best = min((self._apart(chain, lat, lon, scale)[0] for chain in near), default=inf)
        return best if best <= SNAP_M else None

    def snaps(self, point: Point) -> dict[int, tuple[Snap, ...]]:
        """The nearest stretches within SNAP_M, nearest first, by component."""
        lat, lon = point
        scale = METRES_PER_DEGREE * max(0.01, cos(radians(lat)))
        nearest: dict[int, list[tuple[float, int, int, float, float, float]]] = {}
        for chain in self._near(lat, lon, SNAP_M / METRES_PER_DEGREE, SNAP_M / scale):
            apart = self._apart(chain, lat, lon, scale)
            nearest.setdefault(self.arrays.component[chain], []).append(apart)
        found: dict[int, tuple[Snap, ...]] = {}
        for component, chains in sorted(nearest.items()):
            limit = min(SNAP_M, min(chains)[0] + BESIDE_M)
            snaps = [
                Snap(
                    apart_m,
                    chain,
                    self._share(chain, segment, where),
                    segment,
                    lat + y / METRES_PER_DEGREE,
                    lon + x / scale,
                )
                for apart_m, chain, segment, where, y, x in chains
                if apart_m <= limit
            ]
            if snaps:
                found[component] = tuple(sorted(snaps))
        return found

    def _apart(
        self, chain: int, lat: float, lon: float, scale: float
    ) -> tuple[float, int, int, float, float, float]:
        """(metres, chain, segment, how far along it, metres north and east) of its point nearest to that one."""
        start, end = self.arrays.shape[chain], self.arrays.shape[chain + 1]
        ys = [(y - lat) * METRES_PER_DEGREE for y in self.lat[start:end]]
        xs = [(x - lon) * scale for x in self.lon[start:end]]
        best = (inf, chain, start, 0.0, 0.0, 0.0)
        for at, ((ay, by), (ax, bx)) in enumerate(
            zip(pairwise(ys), pairwise(xs), strict=True), start
        ):
            dy, dx = by - ay, bx - ax
            square = dy * dy + dx * dx
            t = min(1.0, max(0.0, -(ay * dy + ax * dx) / square)) if square else 0.0
            y, x = ay + t * dy, ax + t * dx
            apart = hypot(y, x)
            if apart < best[0]:
                best = (apart, chain, at, t, y, x)
        return best

    def _share(self, chain: int, segment: int, where: float) -> float:
        start, end = self.arrays.shape[chain], self.arrays.shape[chain + 1]
        narrow = cos(radians(self.lat[start]))
        steps = [
            hypot(b - a, (d - c) * narrow)
            for (a, b), (c, d) in zip(
                pairwise(self.lat[start:end]), pairwise(self.lon[start:end]), strict=True
            )
        ]
        total = sum(steps)
        if total == 0:
            return 0.0
        at = segment - start
        return min(1.0, (sum(steps[:at]) + where * steps[at]) / total)

    def anchor(self, point: Point, component: int, snaps: Sequence[Snap], pace: Pace) -> Anchor:
        """How a point joins one component of the graph."""
        if not snaps:
            return self._outside(point, component, pace)
        leaving: list[Join] = []
        arriving: list[Join] = []
        for snap in snaps:
            ahead, back = self._ends(snap)
            directions = self.arrays.directions[snap.chain]
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
        head, tail = self.arrays.head[snap.chain], self.arrays.tail[snap.chain]
        rest = 1 - share
        return (
            Join(head, rest * way_s + to_road_s, rest * way_m + snap.apart_m, snap),
            Join(tail, share * way_s + to_road_s, share * way_m + snap.apart_m, snap),
        )

    def _outside(self, point: Point, component: int, pace: Pace) -> Anchor:
        """A point off the map joins at the junctions on the side that faces it."""
        joins = tuple(
            Join(vertex, *pace.leg(point, self.vertex_point(vertex)), None)
            for vertex in self._facing(point, component)
        )
        return Anchor(point, (), joins, joins)

    def _facing_side(self, point: Point, component: int) -> tuple[int, ...]:
        lat, lon = point
        scale = METRES_PER_DEGREE * max(0.01, cos(radians(lat)))
        apart = {
            vertex: hypot(
                (self._vertex_lat[vertex] - lat) * METRES_PER_DEGREE,
                (self._vertex_lon[vertex] - lon) * scale,
            )
            for vertex, of in enumerate(self._vertex_component)
            if of == component
        }
        limit = min(apart.values(), default=inf) + BAND_M
        return tuple(vertex for vertex, metres in apart.items() if metres <= limit)

    def shape(self, first: int, last: int) -> list[Point]:
        """The points first:last of the arrays."""
        return list(zip(self.lat[first:last], self.lon[first:last], strict=True))

    def whole(self, chain: int, start: int) -> list[Point]:
        """A chain's points from the vertex `start` to its other end."""
        shape = self.arrays.shape
        points = self.shape(shape[chain], shape[chain + 1])
        return points if self.arrays.tail[chain] == start else points[::-1]

    def to_vertex(self, join: Join) -> list[Point]:
        """From where a point meets the road to the vertex of the join."""
        snap = join.snap
        if snap is None:
            return [self.vertex_point(join.vertex)]
        shape, here = self.arrays.shape, (snap.lat, snap.lon)
        ahead, _ = self._ends(snap)
        if (join.vertex, join.metres) == (ahead.vertex, ahead.metres):
            return [here, *self.shape(snap.segment + 1, shape[snap.chain + 1])]
        return [here, *reversed(self.shape(shape[snap.chain], snap.segment + 1))]

    def stretch(self, a: Snap, b: Snap) -> list[Point]:
        """From one snapped point to another on the same chain."""
        low, high = sorted((a, b), key=lambda snap: snap.share)
        between = self.shape(low.segment + 1, high.segment + 1)
        line = [(low.lat, low.lon), *between, (high.lat, high.lon)]
        return line if low is a else line[::-1]


def _cells(south: float, north: float, west: float, east: float) -> tuple[range, range]:
    """Rows and columns of the grid that a box touches."""
    return (
        range(floor(south / CELL_DEG), floor(north / CELL_DEG) + 1),
        range(floor(west / CELL_DEG), floor(east / CELL_DEG) + 1),
    )
