"""A region as a picture: where a point lies on it, lines as short path data, and how long its scale bar is.

Equirectangular, north up, degrees of longitude narrowed by the cosine of the middle's latitude.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import floor, log10

from hearthway.records.geo import METRES_PER_DEGREE

from .mapped import STEPS
from .regions import Region

WIDTH = STEPS  # units: half a pixel where the page is wide, so that whole numbers are fine enough
BAR = 0.22  # of the width, at most
Point = tuple[float, float]
Spot = tuple[int, int]  # units, from the upper left


class Picture:
    """Points of the earth as points of a drawing of a region."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self._scale = WIDTH / (region.east - region.west)
        self._up = WIDTH / region.wide_m * METRES_PER_DEGREE
        self.height = round((region.north - region.south) * self._up)

    def at(self, lat: float, lon: float) -> Spot:
        """Where a point is drawn; it may lie outside the picture."""
        return (
            round(self.region.east_of_west(lon) * self._scale),
            round((self.region.north - lat) * self._up),
        )

    def paths(self, lines: Iterable[Sequence[Point]]) -> Iterable[str]:
        """Path data of each line, as far as it may be seen; nothing for one that is outside or a point."""
        for line in lines:
            data = self._path([self.at(lat, lon) for lat, lon in line])
            if data:
                yield data

    def _path(self, spots: Sequence[Spot]) -> str:
        out: list[str] = []
        end: Spot | None = None
        for (x0, y0), (x1, y1) in pairwise(spots):
            beside = max(x0, x1) < 0 or min(x0, x1) > WIDTH
            if beside or max(y0, y1) < 0 or min(y0, y1) > self.height:
                continue
            if (x0, y0) == (x1, y1) or abs(x1 - x0) > 180.0 * self._scale:
                continue  # a point, or a step over the far side of the earth
            if end != (x0, y0):
                out.append(f"M{x0} {y0}l")
            elif x1 >= x0:  # a minus parts two numbers as well
                out.append(" ")
            dy = y1 - y0
            out.append(f"{x1 - x0}{dy}" if dy < 0 else f"{x1 - x0} {dy}")
            end = (x1, y1)
        return "".join(out)

    def bar(self) -> tuple[int, str]:
        """The scale bar's length in units and in words: 1, 2 or 5 times a power of ten."""
        most_m = self.region.wide_m * BAR
        step = 10.0 ** floor(log10(most_m))
        long_m = max(step * times for times in (1.0, 2.0, 5.0) if step * times <= most_m)
        words = f"{long_m / 1_000.0:,.0f} km" if long_m >= 1_000.0 else f"{long_m:.0f} m"
        return round(WIDTH * long_m / self.region.wide_m), words
