"""Google's location histories: Takeout's `Records.json`, and the `Timeline.json` of phones, told apart by their lists.

Format of Records.json as described by https://locationhistoryformat.com.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from hearthway.records.errors import InputError
from hearthway.records.signals import Fix

from . import report as why
from .jsonstream import MAX_DEPTH, MAX_ENTRY, Broken, Document, Oversized
from .point import make_fix, number
from .report import ReadReport
from .source import chunks
from .timeline import Timeline, visits_in
from .visits import Visits

WRAP = 1 << 32  # exports before 2017 hold some negative E7 values as unsigned 32-bit integers
MAX_DEVICES = 100


LISTS = frozenset({"locations", "semanticSegments", "rawSignals"})


class _Record(msgspec.Struct):
    """One raw point of Records.json; every field may be absent or odd."""

    latitudeE7: Any = None  # noqa: N815  Google's name
    longitudeE7: Any = None  # noqa: N815  Google's name
    timestamp: Any = None
    timestampMs: Any = None  # noqa: N815  Google's name, until 2021
    accuracy: Any = None
    velocity: Any = None
    deviceTag: Any = None  # noqa: N815  Google's name


def _e7(value: object, limit: int) -> object:
    """Degrees of an E7 integer; the value itself where it is none, for the caller to count."""
    found = number(value)
    if found is None:
        return value
    return (found - WRAP if found > limit else found) / 1e7


class _Google:
    """Turns entries into fixes, and counts."""

    def __init__(self, report: ReadReport, visits: Visits) -> None:
        self.report = report
        self.devices: set[object] = set()
        self._decode = msgspec.json.Decoder(_Record).decode
        timeline = Timeline(report, visits)
        self._kinds: dict[str, Callable[[bytes, int], list[Fix | None]]] = {
            "locations": self._record,
            "semanticSegments": timeline.segment,
            "": timeline.segment,
            "rawSignals": timeline.signal,
        }

    def fixes(self, name: str, text: bytes, at: int) -> list[Fix]:
        """The fixes of one entry of a list, `at` being its place in the document."""
        try:
            found = self._kinds[name](text, at)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.report.refuse(why.BROKEN, at)
            return []
        return [fix for fix in found if fix is not None]

    def _record(self, text: bytes, at: int) -> list[Fix | None]:
        one = self._decode(text)
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


def read_google(path: Path, report: ReadReport) -> Iterator[tuple[str, Fix]]:
    """("", fix) of each usable point, in file order; neither form names a person."""
    report.counted = "entry"
    document = Document(chunks(path, report))
    google = _Google(report, visits_in(Document(chunks(path, ReadReport())).entries(LISTS)))
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
