"""Distances on the ground. Every coordinate pair in Hearthway is WGS84 degrees, latitude first."""

from __future__ import annotations

from math import asin, atan2, cos, degrees, radians, sin, sqrt

EARTH_RADIUS_M = 6_371_008.8  # mean radius, IUGG
METRES_PER_DEGREE = EARTH_RADIUS_M * radians(1.0)


def distance_m(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Great-circle metres between two points (haversine; exact enough at every range)."""
    phi_a, phi_b = radians(lat_a), radians(lat_b)
    half = (
        sin((phi_b - phi_a) / 2) ** 2
        + cos(phi_a) * cos(phi_b) * sin(radians(lon_b - lon_a) / 2) ** 2
    )
    return 2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(half)))


def bearing_deg(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Initial bearing from a to b, degrees clockwise from north, in [0, 360)."""
    phi_a, phi_b, d_lon = radians(lat_a), radians(lat_b), radians(lon_b - lon_a)
    y = sin(d_lon) * cos(phi_b)
    x = cos(phi_a) * sin(phi_b) - sin(phi_a) * cos(phi_b) * cos(d_lon)
    return degrees(atan2(y, x)) % 360.0


def offset(lat: float, lon: float, north_m: float, east_m: float) -> tuple[float, float]:
    """The point `north_m`, `east_m` away; good to 0.1 % within 100 km and below 80 degrees."""
    return (
        lat + north_m / METRES_PER_DEGREE,
        lon + east_m / (METRES_PER_DEGREE * max(0.01, cos(radians(lat)))),
    )


def valid_point(lat: float, lon: float) -> bool:
    """Is this a point on the earth? (NaN and the 0,0 of a dead receiver are not.)"""
    return -90.0 <= lat <= 90.0 and -180.0 <= lon <= 180.0 and (lat, lon) != (0.0, 0.0)
