"""Which parts of the earth a life is drawn on: real lives have trips to other cities, and a map of all is a map of none.

A region is worth its size while each doubling brings enough stays: within a city and its surroundings next to nothing is
asked for, beyond them a fifth of the stays. What is left makes a map of its own where enough of life was there, as
after a move; everything else is counted, not drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, inf, log2, radians

from msgspec import Struct

from hearthway.context.flat import east_north_m
from hearthway.records.geo import METRES_PER_DEGREE

MOST = 3
WORTH_A_MAP = 0.1  # of all stays
CENTRES = 12  # the most visited places are tried as middles
NEAR_M, AROUND_M = 1_000.0, 25_000.0  # half of a map's side: no map is smaller; a city and around
DOUBLED_NEAR, DOUBLED_FAR = 0.01, 0.2  # the share of stays asked for, up to there and beyond
LEAST_M = 2_000.0  # a map's side
MARGIN = 0.09  # of the side, on each
FLATTEST, TALLEST = 0.6, 1.0  # height over width
SQUEEZE_MIN = 0.05  # cos(lat) nearer to a pole: a picture has to end somewhere

Weighed = tuple[float, float, float]  # latitude, longitude, stays


class Region(Struct, frozen=True, kw_only=True):
    """A box of degrees, north up; `east` goes beyond 180 where the box crosses the date line."""

    south: float
    west: float
    north: float
    east: float

    @property
    def squeeze(self) -> float:
        """Metres a degree of longitude, over metres a degree of latitude, in its middle."""
        return _squeeze((self.south + self.north) / 2.0)

    @property
    def high_m(self) -> float:
        """Metres from south to north."""
        return (self.north - self.south) * METRES_PER_DEGREE

    @property
    def wide_m(self) -> float:
        """Metres from west to east, in its middle."""
        return (self.east - self.west) * METRES_PER_DEGREE * self.squeeze

    def east_of_west(self, lon: float) -> float:
        """Degrees from its western edge to there, the short way from its middle."""
        half = (self.east - self.west) / 2.0
        return half + (lon - self.west - half + 180.0) % 360.0 - 180.0

    def holds(self, lat: float, lon: float) -> bool:
        """Is the point in it?"""
        across = self.east_of_west(lon)
        return self.south <= lat <= self.north and 0.0 <= across <= self.east - self.west


def regions_of(points: Sequence[Weighed]) -> tuple[Region, ...]:
    """The regions to draw, the one with most stays first; none where there is no point."""
    total = sum(weight for _, _, weight in points)
    left, found = list(points), list[Region]()
    while left and len(found) < MOST:
        inner = _best(left, total)
        held = sum(weight for _, _, weight in inner)
        if found and held < WORTH_A_MAP * total:
            break
        region = _around(inner)
        found.append(region)
        drawn = set(inner)
        left = [
            point for point in left if point not in drawn and not region.holds(point[0], point[1])
        ]
    return tuple(found)


def _best(points: Sequence[Weighed], total: float) -> list[Weighed]:
    """The points of the box that is worth most."""
    best, best_worth = list[int](), -inf
    heaviest = sorted(points, key=lambda point: (-point[2], point[0], point[1]))
    for centre in heaviest[:CENTRES]:
        away = sorted((_box_m(centre, point), i) for i, point in enumerate(points))
        held, reached, least = 0.0, 0, best_worth
        for count, (apart_m, i) in enumerate(away, 1):
            held += points[i][2]
            if count < len(away) and away[count][0] <= apart_m:
                continue
            worth = held / total - _price(apart_m)
            if worth > best_worth:
                reached, best_worth = count, worth
        if best_worth > least:
            best = [i for _, i in away[:reached]]
    return [points[i] for i in best]


def _price(half_m: float) -> float:
    """The share of stays that a map of this half side has to bring."""
    near = log2(min(max(half_m, NEAR_M), AROUND_M) / NEAR_M)
    far = log2(max(half_m, AROUND_M) / AROUND_M)
    return DOUBLED_NEAR * near + DOUBLED_FAR * far


def _box_m(centre: Weighed, point: Weighed) -> float:
    """Half the side of the square about `centre` that reaches the point, in metres."""
    east, north = east_north_m(centre[0], centre[1], point[0], point[1])
    return max(abs(east), abs(north))


def _around(points: Sequence[Weighed]) -> Region:
    """The box about points, with a margin, of a shape that a page can show."""
    lats, lon0 = [lat for lat, _, _ in points], points[0][1]
    turns = [(lon - lon0 + 180.0) % 360.0 - 180.0 for _, lon, _ in points]
    middle = (min(lats) + max(lats)) / 2.0
    across = lon0 + (min(turns) + max(turns)) / 2.0
    squeeze = _squeeze(middle)
    grown = 1.0 / (1.0 - 2.0 * MARGIN)
    high_m = max(LEAST_M * FLATTEST, (max(lats) - min(lats)) * METRES_PER_DEGREE * grown)
    wide_m = max(LEAST_M, (max(turns) - min(turns)) * METRES_PER_DEGREE * squeeze * grown)
    wide_m = max(wide_m, high_m / TALLEST)
    high_m = max(high_m, wide_m * FLATTEST)
    north = high_m / METRES_PER_DEGREE / 2.0
    east = min(180.0, wide_m / (METRES_PER_DEGREE * squeeze) / 2.0)
    middle = min(90.0 - north, max(north - 90.0, middle)) if north < 90.0 else 0.0
    west = (across - east + 180.0) % 360.0 - 180.0
    return Region(
        south=round(max(-90.0, middle - north), 6),
        west=round(west, 6),
        north=round(min(90.0, middle + north), 6),
        east=round(west + 2.0 * east, 6),
    )


def _squeeze(lat: float) -> float:
    return max(SQUEEZE_MIN, cos(radians(lat)))
