"""When and where a Timeline says that somebody visited: what a stray position in the midst of it is held against."""

from __future__ import annotations

from array import array
from bisect import bisect_left

from hearthway.records.geo import distance_m
from hearthway.records.life import STAY_RADIUS_M
from hearthway.records.signals import Fix

MAX_VISITS = 500_000  # a hundred a day for thirteen years: 16 MB


class Visits:
    """Visits of one file; four numbers each."""

    def __init__(self, visits: list[tuple[float, float, float, float]]) -> None:
        visits.sort()
        self._starts, self._ends, self._lats, self._lons = (
            array("d", column) for column in (zip(*visits, strict=True) if visits else [()] * 4)
        )

    def contradict(self, fix: Fix) -> bool:
        """Does the fix lie within a visit's time, and away from its place?"""
        at = bisect_left(self._starts, fix.time_s) - 1
        if at < 0 or fix.time_s >= self._ends[at]:
            return False
        return distance_m(fix.lat, fix.lon, self._lats[at], self._lons[at]) > STAY_RADIUS_M
