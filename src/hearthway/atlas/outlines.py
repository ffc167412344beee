"""How far a point is from a line, and from an area given by its rings."""

from __future__ import annotations

from math import cos, hypot, radians

from hearthway.records.geo import METRES_PER_DEGREE


def segment_m(lat: float, lon: float, a: tuple[float, float], b: tuple[float, float]) -> float:
    """Metres from a point to the segment a-b (flat within a few kilometres)."""
    scale = METRES_PER_DEGREE * cos(radians(lat))
    ax, ay = (a[1] - lon) * scale, (a[0] - lat) * METRES_PER_DEGREE
    bx, by = (b[1] - lon) * scale, (b[0] - lat) * METRES_PER_DEGREE
    dx, dy = bx - ax, by - ay
    square = dx * dx + dy * dy
    t = 0.0 if square == 0 else min(1.0, max(0.0, -(ax * dx + ay * dy) / square))
    return hypot(ax + t * dx, ay + t * dy)


def outline_m(lat: float, lon: float, rings: list[list[tuple[float, float]]]) -> float:
    """Metres from a point to an area given by its rings; 0 inside (even-odd)."""
    inside, nearest_m = False, float("inf")
    for ring in rings:
        for a, b in zip(ring, [*ring[1:], ring[0]], strict=True):
            nearest_m = min(nearest_m, segment_m(lat, lon, a, b))
            if (a[0] > lat) != (b[0] > lat):
                crossing = a[1] + (lat - a[0]) / (b[0] - a[0]) * (b[1] - a[1])
                inside ^= lon < crossing
    return 0.0 if inside else nearest_m
