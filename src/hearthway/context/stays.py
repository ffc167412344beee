"""Stays, found online: at least `min_s` within `radius_m` (the definition; method: Li et al. 2008, anchor window).

While moving, the window holds the newest fixes that all lie within the radius of its first one, the anchor. When
the window spans `min_s`, it is a stay; it lasts while fixes stay within the radius of its centre. The centre is
the mean over time, not over fixes: a logger that sleeps indoors writes mostly the ways in and out. A recording hole
counts as staying only if both of its ends lie within the radius: what was not seen is not assumed.
"""

from __future__ import annotations

from msgspec import Struct, field

from hearthway.records.life import STAY_MIN_S, STAY_RADIUS_M, Stay
from hearthway.records.signals import Fix

from .flat import gap_m

MAX_WINDOW = 4_096  # a window is at most 20 min long: more than 3 fixes a second are thinned


class Window(Struct):
    """The detector's whole state."""

    fixes: list[tuple[float, float, float]] = field(default_factory=list)  # time_s, lat, lon
    staying: bool = False
    start_s: float = 0.0
    end_s: float = 0.0
    sum_lat: float = (
        0.0  # seconds times degrees from the anchor: exact, and safe across the date line
    )
    sum_lon: float = 0.0
    lat0: float = 0.0
    lon0: float = 0.0
    last_lat: float = 0.0
    last_lon: float = 0.0
    count: int = 0
    before: tuple[float, float, float] | None = (
        None  # last fix that left the window: the last raw fix
    )


class Outcome(Struct, frozen=True):
    """What one fix brought: a stay that ended with it, a stay that it made certain."""

    ended: Stay | None = None
    started: Stay | None = None


NOTHING = Outcome()


class StayDetector:
    """Feed fixes in time order."""

    def __init__(
        self,
        window: Window | None = None,
        *,
        radius_m: float = STAY_RADIUS_M,
        min_s: float = STAY_MIN_S,
    ) -> None:
        self.window = window if window is not None else Window()
        self._radius_m, self._min_s = radius_m, min_s

    def current(self) -> Stay | None:
        """The stay that is going on, as far as it is known; None while moving."""
        return _stay(self.window) if self.window.staying else None

    def feed(self, fix: Fix) -> Outcome:
        """Take the next fix; at most one stay ends and one starts with it."""
        window = self.window
        point = (fix.time_s, fix.lat, fix.lon)
        ended = None
        if window.staying:
            lat, lon = _centre(window)
            if gap_m(lat, lon, fix.lat, fix.lon) <= self._radius_m:
                self._add(point)
                return NOTHING
            ended = _stay(window)
            window.staying = False
            window.fixes = []
            window.before = None
        self._slide(point)
        started = None
        if point[0] - window.fixes[0][0] >= self._min_s:
            first = window.fixes[0]
            window.staying = True
            window.start_s = first[0]
            _, window.lat0, window.lon0 = first
            window.last_lat, window.last_lon = first[1], first[2]
            window.end_s = first[0]
            window.sum_lat = window.sum_lon = 0.0
            window.count = 0
            for one in window.fixes:
                self._add(one)
            window.fixes = []
            started = _stay(window)
        return Outcome(ended, started) if ended is not None or started is not None else NOTHING

    def _add(self, point: tuple[float, float, float]) -> None:
        """The time since the last fix is shared by the two ends."""
        window = self.window
        time_s, lat, lon = point
        weight = time_s - window.end_s
        window.sum_lat += weight * ((lat + window.last_lat) / 2.0 - window.lat0)
        window.sum_lon += weight * (
            (_turn(lon - window.lon0) + _turn(window.last_lon - window.lon0)) / 2.0
        )
        window.count += 1
        window.end_s, window.last_lat, window.last_lon = time_s, lat, lon

    def _slide(self, point: tuple[float, float, float]) -> None:
        """Drop anchors until all fixes, the new one included, lie within the radius of the first."""
        window, radius = self.window, self._radius_m
        fixes = window.fixes
        fixes.append(point)
        drop = 0
        last = len(fixes) - 1
        while drop < last:
            _, lat, lon = fixes[drop]
            # The old anchor held for the old window: only the new fix can break it.
            for at in range(last, drop if drop else last - 1, -1):
                if gap_m(lat, lon, fixes[at][1], fixes[at][2]) > radius:
                    break
            else:
                break
            drop += 1
        if drop:
            window.before = fixes[drop - 1]
            del fixes[:drop]
        elif len(fixes) > MAX_WINDOW:
            del fixes[1::2]


def _turn(degrees: float) -> float:
    return (degrees + 180.0) % 360.0 - 180.0


def _centre(window: Window) -> tuple[float, float]:
    span = window.end_s - window.start_s
    if span <= 0.0:
        return window.last_lat, window.last_lon
    lon = window.lon0 + window.sum_lon / span
    return window.lat0 + window.sum_lat / span, _turn(lon)


def _stay(window: Window) -> Stay:
    lat, lon = _centre(window)
    return Stay(start_s=window.start_s, end_s=window.end_s, lat=lat, lon=lon, fixes=window.count)
