"""GeoLife's `.plt`: six header lines, then `lat,lon,0,altitude_ft,days,date,time` in GMT."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hearthway.records.signals import Fix

from .point import make_fix
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
        row = line.split(",")
        lat, lon, day, hour = (row[0], row[1], row[5], row[6]) if len(row) >= 7 else [""] * 4
        time = f"{day.strip()}T{hour.strip()}" if day and hour else ""
        fix = make_fix(report, number, lat, lon, time)
        if fix is not None:
            yield uid, fix
