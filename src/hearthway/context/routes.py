"""The route so far, thinned as it grows, and how far it follows the routes of past trips."""

from __future__ import annotations

from itertools import pairwise
from math import atan2, cos, floor, pi, radians

from msgspec import Struct, field

from hearthway.records.geo import METRES_PER_DEGREE

from .flat import east_north_m, gap_m

STEP_M = 100.0  # spacing of the points kept
MAX_POINTS = 256  # beyond it, the spacing doubles: bounded memory on any drive
CELL_M = 120.0
MEMORY_M = 2_000.0  # a match this far behind counts half
_OCTANT = pi / 4.0


class Track(Struct):
    """A route being driven."""

    points: list[tuple[float, float, float]] = field(default_factory=list)  # time_s, lat, lon
    step_m: float = STEP_M
    length_m: float = 0.0  # over raw fixes
    fixes: int = 0
    last: tuple[float, float, float] | None = None

    def extend(self, time_s: float, lat: float, lon: float) -> bool:
        """Take a fix; True where it became a point of the thinned route."""
        self.fixes += 1
        if self.last is not None:
            self.length_m += gap_m(self.last[1], self.last[2], lat, lon)
        self.last = (time_s, lat, lon)
        if self.points and gap_m(self.points[-1][1], self.points[-1][2], lat, lon) < self.step_m:
            return False
        self.points.append((time_s, lat, lon))
        if len(self.points) > MAX_POINTS:
            del self.points[1::2]
            self.step_m *= 2.0
        return True

    def path(self) -> list[tuple[float, float]]:
        """Its points, up to the last fix."""
        path = [(lat, lon) for _, lat, lon in self.points]
        if self.last is not None and self.last != self.points[-1]:
            path.append((self.last[1], self.last[2]))
        return path


def thinned(path: list[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most so many points, evenly taken, rounded to about a metre: bounded memory a trip."""
    count = len(path)
    if count > most:
        path = [path[i * (count - 1) // (most - 1)] for i in range(most)]
    return [(round(lat, 5), round(lon, 5)) for lat, lon in path]


def point_behind(track: Track, metres: float) -> tuple[float, float, float]:
    """The route's point about `metres` before its end, along the way."""
    points = track.points
    want = metres
    here = track.last if track.last is not None else points[-1]
    for point in reversed(points):
        want -= gap_m(point[1], point[2], here[1], here[2])
        here = point
        if want <= 0.0:
            return point
    return points[0]


def cell_of(lat: float, lon: float) -> tuple[int, int]:
    """The grid cell of a point: about `CELL_M` square, columns scaled per degree of latitude."""
    scale = METRES_PER_DEGREE * cos(radians(round(lat)))
    return floor(lat * METRES_PER_DEGREE / CELL_M), floor(lon * scale / CELL_M)


def octant(east: float, north: float) -> int:
    """Direction in eighths of a turn."""
    return floor(atan2(east, north) / _OCTANT + 0.5) % 8


class RouteIndex:
    """Which past routes pass a cell, and in which direction. Derived from the trips; never stored."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int], set[tuple[int, int]]] = {}

    def add(self, trip: int, path: list[tuple[float, float]]) -> None:
        """Enter the route of a trip."""
        for (lat_a, lon_a), (lat_b, lon_b) in pairwise(path):
            east, north = east_north_m(lat_a, lon_a, lat_b, lon_b)
            way = octant(east, north)
            steps = max(1, min(400, int(max(abs(east), abs(north)) / (CELL_M / 2))))
            for i in range(steps + 1):
                part = i / steps
                cell = cell_of(lat_a + (lat_b - lat_a) * part, lon_a + (lon_b - lon_a) * part)
                self._cells.setdefault(cell, set()).add((trip, way))

    def drop(self, oldest: int) -> None:
        """Forget trips below `oldest`."""
        for cell in list(self._cells):
            kept = {entry for entry in self._cells[cell] if entry[0] >= oldest}
            if kept:
                self._cells[cell] = kept
            else:
                del self._cells[cell]

    def passing(self, lat: float, lon: float, way: int | None) -> set[int]:
        """Trips that pass within about a cell of the point, going about that way."""
        row, column = cell_of(lat, lon)
        found: set[int] = set()
        for r in (row - 1, row, row + 1):
            for c in (column - 1, column, column + 1):
                for trip, direction in self._cells.get((r, c), ()):
                    if way is None or (direction - way + 1) % 8 <= 2:
                        found.add(trip)
        return found


class Follower:
    """How much of the recent route each past trip shares: weights fade with distance."""

    def __init__(self, index: RouteIndex) -> None:
        self._index = index
        self.seen_m = 0.0
        self.steps = 0  # taken so far
        self.shared_m: dict[int, float] = {}
        self._last: tuple[float, float] | None = None

    def step(self, lat: float, lon: float) -> None:
        """Take the next point of the thinned route."""
        self.steps += 1
        if self._last is None:
            self._last = (lat, lon)
            return
        east, north = east_north_m(self._last[0], self._last[1], lat, lon)
        moved = min(1_000.0, (east * east + north * north) ** 0.5)
        fade = 0.5 ** (moved / MEMORY_M)
        self.seen_m = self.seen_m * fade + moved
        for trip in self.shared_m:
            self.shared_m[trip] *= fade
        for trip in self._index.passing(lat, lon, octant(east, north)):
            self.shared_m[trip] = self.shared_m.get(trip, 0.0) + moved
        self._last = (lat, lon)

    def share(self, trip: int) -> float:
        """The part of the recent route that this trip took too, 0 to 1."""
        return self.shared_m.get(trip, 0.0) / self.seen_m if self.seen_m > 0.0 else 0.0


class Way:
    """A route being driven, and how far it follows past ones."""

    def __init__(self, index: RouteIndex, track: Track) -> None:
        self.track = track
        self._index = index
        self.follower = self._again()

    def extend(self, time_s: float, lat: float, lon: float) -> None:
        """Take a fix."""
        step_m = self.track.step_m
        if self.track.extend(time_s, lat, lon):
            if self.track.step_m != step_m:
                self.follower = self._again()
            else:
                self.follower.step(lat, lon)

    def _again(self) -> Follower:
        follower = Follower(self._index)
        for _, lat, lon in self.track.points:
            follower.step(lat, lon)
        return follower
