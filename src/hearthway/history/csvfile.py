"""CSV histories: `lat,lng,datetime,uid` in any order, under the names people's tools use."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from math import isfinite
from pathlib import Path

from hearthway.records.errors import InputError
from hearthway.records.geo import valid_point
from hearthway.records.signals import Fix

from . import report as why
from .point import measure, read_time
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
    return measure(row[index]) if index < len(row) else None
