"""Google's location histories: Takeout's `Records.json`, and the `Timeline.json` that phones export since 2024.

Formats as described by https://locationhistoryformat.com (Records) and as Android and iOS write them (Timeline). A visit
and an activity are what Google concluded, not what was measured: each gives a fix where and when it begins and one
where and when it ends, counted in the report as inferred. A stay is thereby known by its two ends, nothing is made up
between them, and positions within its time that lie away from its place are counted and left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from hearthway.records.errors import InputError
from hearthway.records.signals import Fix

from . import report as why
from .jsonstream import MAX_DEPTH, MAX_ENTRY, Broken, Document, Oversized
from .point import make_fix, number, read_time
from .report import ReadReport
from .source import chunks
from .visits import MAX_VISITS, Visits

WRAP = 1 << 32  # exports before 2017 hold some negative E7 values as unsigned 32-bit integers
MAX_DEVICES = 100
NO_NUMBER = "?"  # stands for a value that is there and unreadable, so that it is counted as that
_PAIR = re.compile(
    r"(?:geo:)?\s*(-?[0-9.]{1,20}(?:[eE]-?[0-9]{1,2})?)[^0-9,]{0,4},\s*"
    r"(-?[0-9.]{1,20}(?:[eE]-?[0-9]{1,2})?)[^0-9,]{0,4}(?:;.*)?"
)


class _Record(msgspec.Struct):
    """One raw point of Records.json; every field may be absent or odd."""

    latitudeE7: Any = None  # noqa: N815  Google's name
    longitudeE7: Any = None  # noqa: N815  Google's name
    timestamp: Any = None
    timestampMs: Any = None  # noqa: N815  Google's name, until 2021
    accuracy: Any = None
    velocity: Any = None
    deviceTag: Any = None  # noqa: N815  Google's name


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


def _e7(value: object, limit: int) -> object:
    """Degrees of an E7 integer; the value itself where it is none, for the caller to count."""
    found = number(value)
    if found is None:
        return value
    return (found - WRAP if found > limit else found) / 1e7


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


class _Google:
    """Turns entries into fixes, and counts."""

    def __init__(self, report: ReadReport, visits: Visits) -> None:
        self.report = report
        self._visits = visits
        self.devices: set[object] = set()
        record = msgspec.json.Decoder(_Record)
        segment = msgspec.json.Decoder(_Segment)
        signal = msgspec.json.Decoder(_Signal)
        self._kinds: dict[str, Callable[[bytes, int], list[Fix | None]]] = {
            "locations": lambda text, at: self._record(record.decode(text), at),
            "semanticSegments": lambda text, at: self._segment(segment.decode(text), at),
            "": lambda text, at: self._segment(segment.decode(text), at),
            "rawSignals": lambda text, at: self._signal(signal.decode(text), at),
        }

    def fixes(self, name: str, text: bytes, at: int) -> list[Fix]:
        """The fixes of one entry of a list, `at` being its place in the document."""
        try:
            found = self._kinds[name](text, at)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._skip(why.BROKEN, at)
            return []
        return [fix for fix in found if fix is not None]

    def _skip(self, reason: str, at: int) -> None:
        self.report.rows += 1
        self.report.skip(reason, at)

    def _record(self, one: _Record, at: int) -> list[Fix | None]:
        tag = one.deviceTag
        if isinstance(tag, (int, str)) and len(self.devices) < MAX_DEVICES:
            self.devices.add(tag)
        fix = make_fix(
            self.report,
            at,
            _e7(one.latitudeE7, 900_000_000),
            _e7(one.longitudeE7, 1_800_000_000),
            one.timestamp if one.timestamp is not None else one.timestampMs,
            accuracy_m=one.accuracy,
            speed_mps=one.velocity,
        )
        return [fix]

    def _signal(self, one: _Signal, at: int) -> list[Fix | None]:
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

    def _segment(self, one: _Segment, at: int) -> list[Fix | None]:
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
            self._skip(why.MISSING, at)
        return found

    def _visit(self, one: _Segment, visit: dict[str, Any], at: int) -> list[Fix | None]:
        reason, place = _place(visit)
        if reason:
            self._skip(reason, at)
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


def _visits_in(path: Path) -> Visits:
    """All visits of a Timeline, from a first pass: a path may stand before the visit it lies in. None in Records.json."""
    found: list[tuple[float, float, float, float]] = []
    decode = msgspec.json.Decoder(_Segment).decode
    scratch = ReadReport()  # the second pass counts
    with suppress(Broken, Oversized):
        for name, text in Document(chunks(path, scratch)).entries(LISTS):
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


LISTS = frozenset({"locations", "semanticSegments", "rawSignals"})


def read_google(path: Path, report: ReadReport) -> Iterator[tuple[str, Fix]]:
    """("", fix) of each usable point, in file order; neither form names a person."""
    report.counted = "entry"
    document = Document(chunks(path, report))
    google = _Google(report, _visits_in(path))
    try:
        for name, text in document.entries(LISTS):
            for fix in google.fixes(name, text, document.count):
                yield "", fix
    except Oversized:
        raise InputError(
            f"{path} is no location history: its entry {document.count + 1:,} is larger than {MAX_ENTRY >> 20} MB, "
            f"or nested deeper than {MAX_DEPTH} levels.",
            "Name the file that the phone or Takeout wrote.",
        ) from None
    except Broken:
        if report.kept == 0:
            raise InputError(
                f"{path} is not well-formed JSON, or is cut off, in entry {document.count + 1:,}.",
                "Export the history again.",
            ) from None
        if not report.truncated:
            report.truncated = True
            report.notes.append(
                f"{path.name} breaks off after entry {document.count:,}: what came before is used"
            )
    if not document.is_list and not LISTS.intersection(document.names):
        raise _other_json(path, document.names)
    if len(google.devices) > 1:
        report.notes.append(f"points of {len(google.devices):,} devices, read as one person's")


def _other_json(path: Path, names: list[str]) -> InputError:
    if "timelineObjects" in names:
        return InputError(
            f"{path} is one month of Google's Semantic Location History, which is not read here.",
            "Name the Records.json of the same Takeout: it holds the points of all months.",
        )
    return InputError(
        f"{path} is JSON, but no location history (it holds {', '.join(names[:8]) or 'nothing'}).",
        "Readable JSON is Google's Records.json and Timeline.json (see docs/reference/histories.md).",
    )
