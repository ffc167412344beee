"""A calendar file (iCalendar, RFC 5545) to entries: every occurrence of the next year, with what the file says of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from math import isfinite
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from hearthway.records.calendar import CalendarEntry
from hearthway.records.count import count_of
from hearthway.records.errors import InputError
from hearthway.records.geo import valid_point

from .recurring import Steps, UnreadableError, repeated
from .source import check_regular

SUFFIX = ".ics"
MAX_BYTES = 8 << 20  # some 20,000 entries, 5 s and 150 MB to read: more than a life's calendar
MAX_ENTRIES = 50_000  # occurrences one file may bring
PAST_S = 31 * 86_400.0  # what is over longer says nothing about what to do now
AHEAD_S = 366 * 86_400.0  # how far repetitions are worked out; importing again goes on
OFF_PAST_S = (
    10 * AHEAD_S
)  # of holidays: a life that is imported may be long, and what it was on them tells of the next
OFF_AHEAD_S = 3 * AHEAD_S
_EPOCH = date(1970, 1, 1)
MAX_TEXT = 200
_LONGEST = timedelta(days=366)
_BOUNDS = re.compile(rb"^(BEGIN|END):VCALENDAR[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)


class Series(Struct, frozen=True, kw_only=True):
    """All that a calendar of a file says of one UID. Not `whole`: it changes single occurrences and leaves the others."""

    uid: str
    whole: bool
    entries: tuple[CalendarEntry, ...]
    sequence: int
    stamped_s: float
    calendar: str  # the name of the calendar it is in


class CalendarFile(Struct, frozen=True, kw_only=True):
    """What was read. `mirrors`: the file is a whole named calendar, so what it no longer has is gone."""

    name: str
    mirrors: bool
    series: tuple[Series, ...]
    unreadable: int  # entries left out
    unread: frozenset[str] = frozenset()  # their UIDs: the calendar has them, whatever they say
    timed: int = 0  # of a calendar of holidays: what begins at a time of day, and was left out


def read_calendar(path: Path, *, zone: str, now_s: float, holidays: bool = False) -> CalendarFile:
    """The entries of a file from a month ago on; InputError for what is no calendar, cut short, or too much.

    `zone` (IANA) is where days and times without a zone are meant. `holidays`: its days are off, and entries at a time of day
    are left out; from ten years ago until three ahead.
    """
    calendars = _parsed(path)
    reader = _Reader(ZoneInfo(zone), now_s, holidays=holidays)
    names, methods = set(), set()
    for calendar in calendars:
        method = _words(calendar.get("METHOD")).upper()
        methods.add(method)
        names.add(_words(calendar.get("X-WR-CALNAME")))
        reader.take(calendar, _words(calendar.get("X-WR-CALNAME")), method == "CANCEL")
    name = names.pop() if len(names) == 1 else ""
    read = CalendarFile(
        name=name,
        mirrors=bool(name) and methods <= {"", "PUBLISH"},
        series=tuple(reader.series()),
        unreadable=reader.unreadable,
        unread=frozenset(reader.unread),
    )
    return _off(read, path) if holidays else read


def _off(read: CalendarFile, path: Path) -> CalendarFile:
    """The same as days off, called after its file where it has no name; InputError where it has no day in these years."""
    name = read.name or _words(path.name.removesuffix(SUFFIX))
    days, others = list[Series](), set[str]()
    for one in read.series:
        found = tuple(_days(one.entries, name))
        if found:
            days.append(replace(one, entries=found, calendar=name))
        else:
            others.add(one.uid)  # whatever is held of them stays
    timed = sum(len(one.entries) for one in read.series) - sum(len(one.entries) for one in days)
    if not days:
        count = count_of(timed, "entry", "entries")
        none = f": of {count} none is a whole day" if timed else ""
        raise InputError(
            f"{path} has no day off in these years{none}.",
            "Take a calendar of public or school holidays; an ordinary one is imported without --holidays.",
        )
    unread = read.unread | others
    return replace(read, name=name, series=tuple(days), unread=unread, timed=timed)


def _days(found: Sequence[CalendarEntry], name: str) -> Iterator[CalendarEntry]:
    """Whole days with their numbers; what was called off is none. They are nowhere: nobody gets ready for them."""
    for one in found:
        if not one.all_day:
            continue
        off = None if one.cancelled else one.days
        yield replace(one, calendar=name, location="", lat=None, lon=None, place_from="", off=off)


def _parsed(path: Path) -> list[Any]:
    try:
        from icalendar import Calendar
    except ImportError:
        raise InputError(
            "Reading a calendar needs the icalendar library, which is not installed.",
            "Run: pip install 'hearthway[calendar]'",
        ) from None
    check_regular(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as why:
        raise InputError(
            f"{path} cannot be read: {why.strerror or why}.", "Check its name."
        ) from None
    if len(data) > MAX_BYTES:
        raise InputError(
            f"{path} is larger than {MAX_BYTES >> 20} MB.", "Export a shorter time of the calendar."
        )
    bounds = [
        match.group(1).upper() for match in _BOUNDS.finditer(data.removeprefix(b"\xef\xbb\xbf"))
    ]
    if not bounds:
        raise InputError(f"{path} is no calendar.", "Export it as iCalendar (.ics).")
    if bounds != [b"BEGIN", b"END"] * (len(bounds) // 2):
        raise InputError(f"{path} is cut short or mixed up.", "Export the calendar again.")
    try:
        return list(Calendar.from_ical(data, multiple=True))
    except Exception as why:  # noqa: BLE001  # the library's parser, on a stranger's bytes
        raise InputError(
            f"{path} does not read as a calendar ({type(why).__name__}).",
            "Export the calendar again as iCalendar (.ics).",
        ) from None


class _Part(Struct, frozen=True, kw_only=True):
    """One VEVENT: its own entry, when it recurs, and which occurrence of a series it replaces."""

    entry: CalendarEntry
    starts: tuple[float, ...]
    replaces_s: float | None


class _Reader:
    """Reads VEVENTs one at a time; a broken one is left out and counted, and spoils no other."""

    def __init__(self, zone: tzinfo, now_s: float, *, holidays: bool = False) -> None:
        self._zone = zone
        self._now_s = now_s
        past_s, ahead_s = (OFF_PAST_S, OFF_AHEAD_S) if holidays else (PAST_S, AHEAD_S)
        self._since_s, self._until_s = now_s - past_s, now_s + ahead_s
        self._steps = Steps()
        self._parts: dict[tuple[str, str], list[_Part]] = {}  # by UID and calendar
        self._count = 0
        self.unreadable = 0
        self.unread: set[str] = set()

    def take(self, calendar: Any, name: str, cancelled: bool) -> None:
        """Every VEVENT of one calendar."""
        for event in calendar.walk("VEVENT"):
            try:
                part = self._part(event, name, cancelled)
            except InputError:
                raise
            except Exception:  # noqa: BLE001  # the library raises what it likes on values that do not parse
                self.unreadable += 1
                self.unread.add(_words(event.get("UID")))
                continue
            self._count += len(part.starts)
            if self._count > MAX_ENTRIES:
                raise InputError(
                    f"This calendar has more than {MAX_ENTRIES:,} entries.",
                    "Export a shorter time of it.",
                )
            self._parts.setdefault((part.entry.uid, part.entry.calendar), []).append(part)

    def series(self) -> Iterator[Series]:
        """By UID and calendar; an occurrence that was changed by itself replaces that of its series."""
        for (uid, calendar), parts in sorted(self._parts.items()):
            found: dict[float, CalendarEntry] = {}
            for part in sorted(parts, key=lambda p: (p.replaces_s is not None, _version(p.entry))):
                length_s = part.entry.end_s - part.entry.start_s
                for start_s in part.starts:
                    occurs_s = start_s if part.replaces_s is None else part.replaces_s
                    one = replace(
                        part.entry, occurs_s=occurs_s, start_s=start_s, end_s=start_s + length_s
                    )
                    found[occurs_s] = replace(one, days=self._days(one)) if one.all_day else one
            sequence, stamped_s = max(_version(part.entry) for part in parts)
            yield Series(
                uid=uid,
                whole=any(part.replaces_s is None for part in parts),
                entries=tuple(found[key] for key in sorted(found) if self._shown(found[key])),
                sequence=sequence,
                stamped_s=stamped_s,
                calendar=calendar,
            )

    def _days(self, entry: CalendarEntry) -> tuple[int, int]:
        """The first and the last local day."""
        first = (datetime.fromtimestamp(entry.start_s, self._zone).date() - _EPOCH).days
        # An end on the day of the beginning is what programs write that do not know it is exclusive.
        return first, first + max(1, round((entry.end_s - entry.start_s) / 86_400.0)) - 1

    def _shown(self, entry: CalendarEntry) -> bool:
        return entry.end_s >= self._since_s

    def _part(self, event: Any, name: str, cancelled: bool) -> _Part:
        uid = _words(event.get("UID"))
        start = _value(event, "DTSTART")
        if not uid or not isinstance(start, date) or "RANGE" in _params(event, "RECURRENCE-ID"):
            raise UnreadableError("no UID, no start, or a change of all later occurrences")
        start_s = self._seconds(start)
        length_s = self._length_s(event, start, start_s)
        lat, lon = _point(event)
        instead = _value(event, "RECURRENCE-ID")
        entry = CalendarEntry(
            uid=uid,
            occurs_s=start_s,
            start_s=start_s,
            end_s=start_s + length_s,
            all_day=not isinstance(start, datetime),
            cancelled=cancelled or _words(event.get("STATUS")).upper() == "CANCELLED",
            title=_words(event.get("SUMMARY")),
            location=_words(event.get("LOCATION")),
            lat=lat,
            lon=lon,
            place_from="calendar" if lat is not None else "",
            sequence=_sequence(event),
            stamped_s=self._stamp_s(event),
            calendar=name,
            read_s=self._now_s,
        )
        if instead is not None:
            return _Part(entry=entry, starts=(start_s,), replaces_s=self._seconds(instead))
        starts = sorted(s for s in self._starts(event, start) if s + length_s >= self._since_s)
        return _Part(entry=entry, starts=tuple(starts), replaces_s=None)

    def _starts(self, event: Any, start: date | datetime) -> set[float]:
        """Of the entry and of all its repetitions within the window."""
        zone = start.tzinfo if isinstance(start, datetime) and start.tzinfo else self._zone
        local = _local(start)
        end = datetime.fromtimestamp(self._until_s, zone).replace(tzinfo=None)
        found = {local.replace(tzinfo=zone).timestamp()}
        for rule in _listed(event.get("RRULE")):
            found |= {
                one.replace(tzinfo=zone).timestamp()
                for one in repeated(rule, local, zone, end, self._steps)
            }
        for one in _dates(event, "RDATE"):
            found.add(self._seconds(one[0] if isinstance(one, tuple) else one))
        for one in _dates(event, "EXDATE"):
            if isinstance(one, datetime) or not isinstance(start, datetime):
                found.discard(self._seconds(one))
            else:  # a day: whatever of it begins then
                found = {s for s in found if datetime.fromtimestamp(s, zone).date() != one}
        return found

    def _length_s(self, event: Any, start: date | datetime, start_s: float) -> float:
        if event.get("DTEND") is not None:
            length = timedelta(seconds=self._seconds(_value(event, "DTEND")) - start_s)
        elif event.get("DURATION") is not None:
            length = _value(event, "DURATION")
        else:
            length = timedelta(0) if isinstance(start, datetime) else timedelta(days=1)
        if not timedelta(0) <= length <= _LONGEST:
            raise UnreadableError("it ends before it begins, or a year later")
        return length.total_seconds()

    def _seconds(self, value: date | datetime) -> float:
        """Unix seconds; a day begins at midnight, and what has no zone is meant where the person lives."""
        local = _local(value)
        zone = value.tzinfo if isinstance(value, datetime) and value.tzinfo else self._zone
        return local.replace(tzinfo=zone).timestamp()

    def _stamp_s(self, event: Any) -> float:
        for name in ("LAST-MODIFIED", "DTSTAMP"):
            if event.get(name) is not None:
                return self._seconds(_value(event, name))
        return 0.0


def _version(entry: CalendarEntry) -> tuple[int, float]:
    return entry.sequence, entry.stamped_s


def _local(value: date | datetime) -> datetime:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return datetime.combine(value, time())


def _listed(value: Any) -> Sequence[Any]:
    """RFC 5545 lets some properties stand several times: the library then gives a list."""
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)


def _dates(event: Any, name: str) -> Iterator[Any]:
    for listed in _listed(event.get(name)):
        for one in listed.dts:
            yield _zoned(one.dt, listed.params)


def _value(event: Any, name: str) -> Any:
    value = event.get(name)
    return None if value is None else _zoned(value.dt, value.params)


def _zoned(value: Any, params: Mapping[str, Any]) -> Any:
    """UnreadableError for a zone that nobody here knows: another would be a guess."""
    if isinstance(value, datetime) and value.tzinfo is None and "TZID" in params:
        raise UnreadableError(f"zone {params['TZID']}")
    return value


def _params(event: Any, name: str) -> Any:
    value = event.get(name)
    return {} if value is None else value.params


def _words(value: object) -> str:
    """One printable line of at most `MAX_TEXT` signs."""
    text = "" if value is None else str(value[0] if isinstance(value, list) and value else value)
    line = " ".join("".join(c if c.isprintable() else " " for c in text[:4096]).split())
    return line[:MAX_TEXT]


def _sequence(event: Any) -> int:
    number = int(event.get("SEQUENCE", 0))
    if not 0 <= number < 2**31:  # RFC 5545 3.3.8: an integer of 32 bits
        raise UnreadableError(f"SEQUENCE {number}")
    return number


def _point(event: Any) -> tuple[float | None, float | None]:
    """GEO, where it is a point on the earth; 0,0 is what programs write that know none."""
    geo = event.get("GEO")
    if geo is None:
        return None, None
    lat, lon = float(geo.latitude), float(geo.longitude)
    if not (isfinite(lat) and isfinite(lon) and valid_point(lat, lon)) or (lat, lon) == (0.0, 0.0):
        return None, None
    return lat, lon
