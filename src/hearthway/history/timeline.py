"""The parts of Google's `Timeline.json`, which phones export since 2024: segments of Android and of iOS, raw signals.

A visit and an activity are what Google concluded, not what was measured: each gives a fix where and when it begins
and one where and when it ends, counted in the report as inferred. A stay is thereby known by its two ends, nothing
is made up between them, and positions within its time that lie away from its place are counted and left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec

from hearthway.records.signals import Fix

from . import report as why
from .jsonstream import Broken, Oversized
from .point import make_fix, number, read_time
from .report import ReadReport
from .visits import MAX_VISITS, Visits

NO_NUMBER = "?"  # stands for a value that is there and unreadable, so that it is counted as that
_PAIR = re.compile(
    r"(?:geo:)?\s*(-?[0-9.]{1,20}(?:[eE]-?[0-9]{1,2})?)[^0-9,]{0,4},\s*"
    r"(-?[0-9.]{1,20}(?:[eE]-?[0-9]{1,2})?)[^0-9,]{0,4}(?:;.*)?"
)


class _Segment(msgspec.Struct):
    """One entry of Timeline.json's `semanticSegments`, or of the list that iOS writes."""

    startTime: Any = None  # noqa: N815  Google's name
    endTime: Any = None  # noqa: N815  Google's name
    visit: Any = None
    activity: Any = None
    timelinePath: Any = None  # noqa: N815  Google's name
    timelineMemory: Any = None  # noqa: N815  Google's name; a title for a journey, no position


class _Signal(msgspec.Struct):
    """One entry of `rawSignals`; only some hold a position."""

    position: Any = None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _pair(value: object) -> tuple[object, object]:
    """Latitude and longitude of "60.17°, 24.94°", of "geo:60.17,24.94", or of an object that holds one."""
    if isinstance(value, dict):
        value = value.get("latLng")
    if value is None:
        return None, None
    found = _PAIR.fullmatch(value) if isinstance(value, str) and len(value) < 100 else None
    return (found[1], found[2]) if found else (NO_NUMBER, NO_NUMBER)


def _place(visit: dict[str, Any]) -> tuple[str, object]:
    """Why a visit is left out, or "" and its place."""
    if (number(visit.get("hierarchyLevel")) or 0.0) > 0.0:
        return why.NESTED, None  # a shop in a mall: the mall's visit says the same
    if visit.get("isTimelessVisit") in (True, "true"):
        return why.UNTIMED, None
    return "", _dict(visit.get("topCandidate")).get("placeLocation")


class Timeline:
    """Turns segments and signals into fixes, and counts."""

    def __init__(self, report: ReadReport, visits: Visits) -> None:
        self.report = report
        self._visits = visits
        self._decode_segment = msgspec.json.Decoder(_Segment).decode
        self._decode_signal = msgspec.json.Decoder(_Signal).decode

    def signal(self, text: bytes, at: int) -> list[Fix | None]:
        """The fix of one raw signal, where it is a position."""
        one = self._decode_signal(text)
        if not isinstance(one.position, dict):
            return []
        held = one.position
        lat, lon = _pair(held.get("LatLng", held.get("latLng")))
        fix = make_fix(
            self.report,
            at,
            lat,
            lon,
            held.get("timestamp"),
            accuracy_m=held.get("accuracyMeters"),
            speed_mps=held.get("speedMetersPerSecond"),
        )
        return [self._measured(fix, at)]

    def segment(self, text: bytes, at: int) -> list[Fix | None]:
        """The fixes of one segment; None where one of its points gave none."""
        one = self._decode_segment(text)
        found: list[Fix | None] = []
        known = one.timelineMemory is not None
        if isinstance(one.visit, dict):
            known = True
            found += self._visit(one, one.visit, at)
        if isinstance(one.activity, dict):
            known = True
            held = one.activity
            found.append(self._inferred(held.get("start"), one.startTime, at))
            found.append(self._inferred(held.get("end"), one.endTime, at))
        if isinstance(one.timelinePath, list):
            known = True
            found += [self._step(one.startTime, _dict(step), at) for step in one.timelinePath]
        if not known:
            self.report.refuse(why.MISSING, at)
        return found

    def _visit(self, one: _Segment, visit: dict[str, Any], at: int) -> list[Fix | None]:
        reason, place = _place(visit)
        if reason:
            self.report.refuse(reason, at)
            return []
        return [self._inferred(place, time, at) for time in (one.startTime, one.endTime)]

    def _inferred(self, place: object, time: object, at: int) -> Fix | None:
        lat, lon = _pair(place)
        fix = make_fix(self.report, at, lat, lon, time)
        self.report.inferred += fix is not None
        return fix

    def _step(self, start: object, step: dict[str, Any], at: int) -> Fix | None:
        lat, lon = _pair(step.get("point"))
        time = step.get("time")
        if time is None:  # iOS: minutes after the segment's start
            time = _later(start, step.get("durationMinutesOffsetFromStartTime"))
        return self._measured(make_fix(self.report, at, lat, lon, time), at)

    def _measured(self, fix: Fix | None, at: int) -> Fix | None:
        """Without the stray positions of a phone that lies still: one of them would end the visit's stay."""
        if fix is None or not self._visits.contradict(fix):
            return fix
        self.report.kept -= 1
        self.report.skip(why.AWAY, at)
        return None


def _later(start: object, minutes: object) -> object:
    """Unix seconds; what is no time, where one of the two is none, for the caller to count."""
    start_s = read_time(start) if isinstance(start, str) else None
    after = number(minutes)
    if start_s is None:
        return start
    if after is None:
        return None if minutes is None else NO_NUMBER
    return start_s + 60.0 * after


def visits_in(entries: Iterator[tuple[str, bytes]]) -> Visits:
    """All visits of a Timeline, from a first pass: a path may stand before the visit it lies in. None in Records.json."""
    found: list[tuple[float, float, float, float]] = []
    decode = msgspec.json.Decoder(_Segment).decode
    scratch = ReadReport()  # the second pass counts
    with suppress(Broken, Oversized):
        for name, text in entries:
            if name == "locations" or len(found) >= MAX_VISITS:
                break
            if name == "rawSignals" or b'"visit"' not in text:
                continue
            with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                one = decode(text)
                reason, place = _place(_dict(one.visit))
                lat, lon = _pair(place)
                ends = [
                    make_fix(scratch, 0, lat, lon, time) for time in (one.startTime, one.endTime)
                ]
                if not reason and ends[0] and ends[1]:
                    found.append((ends[0].time_s, ends[1].time_s, ends[0].lat, ends[0].lon))
    return Visits(found)
