"""Plane geometry good within a few hundred kilometres: the inner loops need no great circles."""

from __future__ import annotations

from collections.abc import Iterable
from math import cos, hypot, radians

from hearthway.records.geo import METRES_PER_DEGREE


def east_north_m(lat0: float, lon0: float, lat: float, lon: float) -> tuple[float, float]:
    """Metres east and north of (lat0, lon0); the short way across the date line."""
    turn = lon - lon0
    if turn > 180.0:
        turn -= 360.0
    elif turn < -180.0:
        turn += 360.0
    scale = METRES_PER_DEGREE * cos(radians((lat0 + lat) / 2.0))
    return turn * scale, (lat - lat0) * METRES_PER_DEGREE


def gap_m(lat0: float, lon0: float, lat: float, lon: float) -> float:
    """Metres between two points on the plane; within 0.5 % of the great circle up to 300 km."""
    # The same figures as east_north_m, written out: every fix asks several times.
    turn = lon - lon0
    if turn > 180.0:
        turn -= 360.0
    elif turn < -180.0:
        turn += 360.0
    scale = METRES_PER_DEGREE * cos(radians((lat0 + lat) / 2.0))
    return hypot(turn * scale, (lat - lat0) * METRES_PER_DEGREE)


def gaps_m(lat0: float, lon0: float, points: Iterable[tuple[float, float]]) -> list[float]:
    """Metres from one point to each of these: the figures of `gap_m`."""
    found = []
    for lat, lon in points:
        turn = lon - lon0
        if turn > 180.0:
            turn -= 360.0
        elif turn < -180.0:
            turn += 360.0
        scale = METRES_PER_DEGREE * cos(radians((lat0 + lat) / 2.0))
        found.append(hypot(turn * scale, (lat - lat0) * METRES_PER_DEGREE))
    return found
