"""GeoLife's `.plt`: six header lines, then `lat,lon,0,altitude_ft,days,date,time` in GMT."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hearthway.records.geo import valid_point
from hearthway.records.signals import Fix

from . import report as why
from .csvfile import _number, read_time
from .report import ReadReport
from .source import lines

HEADER_LINES = 6


def person_of(path: Path) -> str:
    """GeoLife's layout is `<uid>/Trajectory/<start>.plt`; elsewhere the person is unnamed."""
    return path.parent.parent.name if path.parent.name == "Trajectory" else ""


def read_plt(path: Path, report: ReadReport) -> Iterator[tuple[str, Fix]]:
    """(uid, fix) of each usable row, in file order."""
    uid = person_of(path.absolute())
    for number, line in lines(path, report):
        if number <= HEADER_LINES or not line.strip():
            continue
        report.rows += 1
        row = line.split(",")
        if len(row) < 7:
            report.skip(why.MISSING, number)
            continue
        lat, lon = _number(row[0]), _number(row[1])
        if lat is None or lon is None:
            report.skip(why.BAD_NUMBER, number)
            continue
        if not valid_point(lat, lon):
            report.skip(why.OUT_OF_RANGE, number)
            continue
        time_s = read_time(f"{row[5].strip()}T{row[6].strip()}")
        if time_s is None:
            report.skip(why.BAD_TIME, number)
            continue
        report.kept += 1
        yield uid, Fix(time_s=time_s, lat=lat, lon=lon)
