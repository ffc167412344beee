"""The route so far, thinned as it grows, and how far it follows the routes of past trips."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import atan2, cos, floor, pi, radians

from msgspec import Struct, field

from hearthway.records.geo import METRES_PER_DEGREE

from .flat import east_north_m, gap_m

STEP_M = 100.0  # spacing of the points kept
MAX_POINTS = 256  # beyond it, the spacing doubles: bounded memory on any drive
CELL_M = 120.0
HERE_M = 10.0  # on from where one was held to be, one is elsewhere: a pace more tells nothing of where it leads
MEMORY_M = 2_000.0  # a match this far behind counts half
_OCTANT = pi / 4.0


class Track(Struct):
    """A route being driven."""

    points: list[tuple[float, float, float]] = field(default_factory=list)  # time_s, lat, lon
    step_m: float = STEP_M
    length_m: float = 0.0  # over raw fixes
    fixes: int = 0
    last: tuple[float, float, float] | None = None
    here: tuple[float, float, float] | None = (
        None  # the last fix that is `HERE_M` on from the one before it
    )

    def extend(self, time_s: float, lat: float, lon: float) -> bool:
        """Take a fix; True where it became a point of the thinned route."""
        self.fixes += 1
        if self.last is not None:
            self.length_m += gap_m(self.last[1], self.last[2], lat, lon)
        self.last = (time_s, lat, lon)
        here = self.here
        if self.points and gap_m(self.points[-1][1], self.points[-1][2], lat, lon) < self.step_m:
            if here is None or gap_m(here[1], here[2], lat, lon) >= HERE_M:
                self.here = self.last
            return False
        self.points.append(self.last)
        self.here = self.last
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


def point_behind(
    track: Track, metres: float, here: tuple[float, float, float] | None = None
) -> tuple[float, float, float]:
    """The route's point about `metres` before its end, or before `here` on its last stretch, along the way."""
    points = track.points
    want = metres
    here = here or track.last or points[-1]
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


def _cells_of(path: list[tuple[float, float]]) -> Iterator[tuple[int, int, int]]:
    """The cells that a route passes, each with the direction."""
    for (lat_a, lon_a), (lat_b, lon_b) in pairwise(path):
        east, north = east_north_m(lat_a, lon_a, lat_b, lon_b)
        way = octant(east, north)
        steps = max(1, min(400, int(max(abs(east), abs(north)) / (CELL_M / 2))))
        for i in range(steps + 1):
            part = i / steps
            lat, lon = lat_a + (lat_b - lat_a) * part, lon_a + (lon_b - lon_a) * part
            yield *cell_of(lat, lon), way


class RouteIndex:
    """Which past routes pass a cell, and in which direction. Derived from the trips; never stored."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int, int], set[int]] = {}  # row, column, direction

    def add(self, trip: int, path: list[tuple[float, float]]) -> None:
        """Enter the route of a trip."""
        for cell in _cells_of(path):
            self._cells.setdefault(cell, set()).add(trip)

    def drop(self, trip: int, path: list[tuple[float, float]]) -> None:
        """Forget the route of a trip."""
        for cell in _cells_of(path):
            trips = self._cells.get(cell)
            if trips is not None:
                trips.discard(trip)
                if not trips:
                    del self._cells[cell]

    def passing(self, lat: float, lon: float, way: int | None) -> set[int]:
        """Trips that pass within about a cell of the point, going about that way."""
        row, column = cell_of(lat, lon)
        ways = range(8) if way is None else ((way - 1) % 8, way, (way + 1) % 8)
        found: set[int] = set()
        for r in (row - 1, row, row + 1):
            for c in (column - 1, column, column + 1):
                for direction in ways:
                    trips = self._cells.get((r, c, direction))
                    if trips is not None:
                        found |= trips
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
    """A route being driven, and how far it follows past ones: looked up as it is asked, for routes are learned between legs."""

    def __init__(self, index: RouteIndex, track: Track) -> None:
        self.track = track
        self._index = index
        self._step_m, self._follower = track.step_m, Follower(index)

    def extend(self, time_s: float, lat: float, lon: float) -> None:
        """Take a fix."""
        self.track.extend(time_s, lat, lon)

    @property
    def follower(self) -> Follower:
        """Up to the last point of the way; another one where these lie farther apart than they did."""
        if self._step_m != self.track.step_m:
            self._step_m, self._follower = self.track.step_m, Follower(self._index)
        for _, lat, lon in self.track.points[self._follower.steps :]:
            self._follower.step(lat, lon)
        return self._follower
