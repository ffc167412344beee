"""CSV histories: `lat,lng,datetime,uid` in any order, under the names people's tools use."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
from pathlib import Path

from hearthway.records.errors import InputError
from hearthway.records.geo import valid_point
from hearthway.records.signals import Fix

from . import report as why
from .report import ReadReport
from .source import lines

NAMES = {
    "lat": ("lat", "latitude", "location_lat"),
    "lon": ("lng", "lon", "long", "longitude", "location_lng"),
    "time": ("datetime", "time", "timestamp", "date_time", "check-in_time", "tst"),
    "uid": ("uid", "user", "user_id", "person", "userid"),
    "accuracy": ("accuracy", "accuracy_m", "hacc", "acc"),
    "speed": ("speed_mps",),
}
EARLIEST_S = 315_532_800.0  # 1980: before it there was no GPS
LATEST_S = 4_102_444_800.0  # 2100


_SECONDS = {f"{second:02d}{zone}": float(second) for second in range(60) for zone in ("", "Z")}


@lru_cache(maxsize=4_096)
def _minute_s(text: str) -> float | None:
    """Unix seconds of "2025-11-01 18:00" in UTC: neighbouring rows share their minute, so it is parsed once."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def read_time(text: str) -> float | None:
    """Unix seconds of an ISO 8601 time (no zone: UTC) or an epoch number (s or ms); None if neither."""
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
        if time_s > 1e11:
            time_s /= 1000.0
    return time_s if EARLIEST_S <= time_s <= LATEST_S else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


def _columns(path: Path, header: list[str]) -> dict[str, int]:
    names = [cell.strip().strip('"').lower() for cell in header]
    found: dict[str, int] = {}
    for key, aliases in NAMES.items():
        for alias in aliases:
            if alias in names:
                found[key] = names.index(alias)
                break
    missing = [key for key in ("lat", "lon", "time") if key not in found]
    if missing:
        raise InputError(
            f"{path} has no column for {' and '.join(missing)} in line 1 ({', '.join(names)[:120]}).",
            "The first line must name the columns, such as `lat,lng,datetime,uid`.",
        )
    return found


def read_csv(path: Path, report: ReadReport) -> Iterator[tuple[str, Fix]]:
    """(uid, fix) of each usable row, in file order. Rows without a person belong to ""."""
    text = lines(path, report)
    first = next(text, None)
    if first is None:
        raise InputError(f"{path} is empty.", "Export the history again.")
    delimiter = ";" if first[1].count(";") > first[1].count(",") else ","
    at = _columns(path, next(csv.reader([first[1]], delimiter=delimiter)))
    i_lat, i_lon, i_time = at["lat"], at["lon"], at["time"]
    i_uid, i_acc, i_speed = at.get("uid"), at.get("accuracy"), at.get("speed")
    width = max(i_lat, i_lon, i_time, i_uid or 0)
    for number, line in text:
        if not line.strip():
            continue
        report.rows += 1
        # The reader proper is needed only where a cell is quoted: a fifth of the cost otherwise.
        try:
            row = (
                next(csv.reader([line], delimiter=delimiter))
                if '"' in line
                else line.split(delimiter)
            )
        except csv.Error:
            row = []
        if len(row) <= width or not (row[i_lat] and row[i_lon] and row[i_time]):
            report.skip(why.MISSING, number)
            continue
        try:
            lat, lon = float(row[i_lat]), float(row[i_lon])
        except ValueError:
            report.skip(why.BAD_NUMBER, number)
            continue
        if not valid_point(lat, lon):
            finite = isfinite(lat) and isfinite(lon)
            report.skip(why.OUT_OF_RANGE if finite else why.BAD_NUMBER, number)
            continue
        time_s = read_time(row[i_time])
        if time_s is None:
            report.skip(why.BAD_TIME, number)
            continue
        report.kept += 1
        yield (
            row[i_uid].strip() if i_uid is not None else "",
            Fix(
                time_s=time_s,
                lat=lat,
                lon=lon,
                accuracy_m=None if i_acc is None else _cell(row, i_acc),
                speed_mps=None if i_speed is None else _cell(row, i_speed),
            ),
        )


def _cell(row: list[str], index: int) -> float | None:
    if index >= len(row):
        return None
    value = _number(row[index])
    return value if value is not None and value >= 0.0 else None
