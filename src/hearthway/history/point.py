"""One row's values as a fix, or counted under the reason why they give none."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite

from hearthway.records.geo import valid_point
from hearthway.records.signals import Fix

from . import report as why
from .report import ReadReport

EARLIEST_S = 315_532_800.0  # 1980: before it there was no GPS
LATEST_S = 4_102_444_800.0  # 2100
MEASURE_MAX = 1e9  # metres or metres a second: beyond it nothing is measured
_SECONDS = {f"{second:02d}{zone}": float(second) for second in range(60) for zone in ("", "Z")}


@lru_cache(maxsize=4_096)
def _minute_s(text: str) -> float | None:
    """Unix seconds of "2025-11-01 18:00" in UTC: neighbouring rows share their minute, so it is parsed once."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def read_time(text: str) -> float | None:
    """Unix seconds of an ISO 8601 time (no zone: UTC) or an epoch number (s, ms or µs); None if neither."""
    second = _SECONDS.get(text[17:])
    if second is not None and text[4:5] == "-" and text[13:17:3] == "::":
        minute = _minute_s(text[:16])
        if minute is not None and EARLIEST_S <= minute < LATEST_S:
            return minute + second
    text = text.strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is not None and not text.isdigit():
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        time_s = moment.timestamp()
    else:
        try:
            time_s = float(text)
        except ValueError:
            return None
        if time_s > 1e14:
            time_s /= 1e6
        elif time_s > 1e11:
            time_s /= 1000.0
    return time_s if EARLIEST_S <= time_s <= LATEST_S else None


def number(value: object) -> float | None:
    """A finite number, also one written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if isfinite(found) else None


def measure(value: object) -> float | None:
    """A number that cannot be below zero or huge, such as an accuracy; exporters write -1 for "unknown"."""
    found = number(value)
    return found if found is not None and 0.0 <= found <= MEASURE_MAX else None


def make_fix(
    report: ReadReport,
    where: int,
    lat: object,
    lon: object,
    time: object,
    *,
    accuracy_m: object = None,
    speed_mps: object = None,
) -> Fix | None:
    """Count one row of the report; its fix, or None with the reason counted at line or entry `where`."""
    report.rows += 1
    if any(value is None or value == "" for value in (lat, lon, time)):
        report.skip(why.MISSING, where)
        return None
    lat_deg, lon_deg = number(lat), number(lon)
    if lat_deg is None or lon_deg is None:
        report.skip(why.BAD_NUMBER, where)
        return None
    if not valid_point(lat_deg, lon_deg):
        report.skip(why.OUT_OF_RANGE, where)
        return None
    is_time = isinstance(time, (int, float, str)) and not isinstance(time, bool)
    time_s = read_time(time if isinstance(time, str) else repr(number(time))) if is_time else None
    if time_s is None:
        report.skip(why.BAD_TIME, where)
        return None
    report.kept += 1
    return Fix(
        time_s=time_s,
        lat=lat_deg,
        lon=lon_deg,
        accuracy_m=measure(accuracy_m),
        speed_mps=measure(speed_mps),
    )
