"""Opening hours at an instant, in the POI's own time zone. Evaluation: opening-hours-py."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import opening_hours
from opening_hours import OpeningHours, State

from hearthway.records.localtime import zone_at
from hearthway.records.poi import Opening, OpenState

UNKNOWN = Opening(state=OpenState.UNKNOWN)
HORIZON_DAYS = 366  # a change farther away than this is no change for a person
YEARS = (1980, 2100)  # outside of these neither clocks nor holidays are known
SAME_STATE_STEPS = 8  # a comment may change while the state stays
# The library's own errors, which its type stubs leave out.
_LIBRARY_ERRORS: tuple[type[Exception], ...] = tuple(
    getattr(opening_hours, name)
    for name in ("ParserError", "InvalidCoordinatesError", "UnknownCountryError")
)
_UNREADABLE: tuple[type[Exception], ...] = (
    *_LIBRARY_ERRORS,
    ZoneInfoNotFoundError,
    OSError,
    OverflowError,
    SyntaxError,
    TypeError,
    ValueError,
)
_HOLIDAYS = re.compile(r"\b(?:PH|SH)\b", re.IGNORECASE)
_SUN = re.compile(r"sunrise|sunset|dawn|dusk", re.IGNORECASE)
_DASHES = str.maketrans({"–": "-", "—": "-", "‑": "-", "−": "-"})
_OPEN_END = re.compile(r"(-\s*)?(\d{1,2}):(\d{2})\s*\+(?!\s*\d)")
_SAID_OPEN = re.compile(r'\bopen\s*"')
_STATES = {
    State.OPEN: OpenState.OPEN,
    State.CLOSED: OpenState.CLOSED,
    State.UNKNOWN: OpenState.UNKNOWN,
}


@lru_cache(maxsize=1)
def _countries() -> dict[str, str]:
    """IANA zone -> ISO country, from zone.tab.

    The library could find the country from coordinates, but its borders cost 107 MB and 0.3 s.
    """
    table = (files("tzdata") / "zoneinfo" / "zone.tab").read_text("utf-8")
    rows = (line.split("\t") for line in table.splitlines() if not line.startswith("#"))
    return {row[2]: row[0] for row in rows if len(row) > 2}


@lru_cache(maxsize=512)
def _calendar(zone: str) -> str | None:
    """The country whose public holidays the library knows for this zone."""
    country = _countries().get(zone)
    if country is None:
        return None
    try:
        OpeningHours("PH off", country=country)
    except _UNREADABLE:
        return None  # holidays unknown there: they count as ordinary days
    return country


@lru_cache(maxsize=16_384)
def _parsed(expression: str, zone: str, where: tuple[float, float] | None) -> OpeningHours | None:
    try:
        return OpeningHours(
            expression,
            timezone=ZoneInfo(zone),
            country=_calendar(zone) if _HOLIDAYS.search(expression) else None,
            coords=where,
            auto_country=False,
            max_interval_days=HORIZON_DAYS,
        )
    except _UNREADABLE:
        return None


def parses(expression: str) -> bool:
    """Is this an opening-hours expression that can be evaluated?"""
    text = expression.translate(_DASHES).strip()
    return bool(text) and _parsed(text, "UTC", None) is not None


def _state(hours: OpeningHours, expression: str, moment: datetime) -> OpenState:
    """As OpenStreetMap's specification has it: a rule with a comment and no word on its state is unknown."""
    state, comment = hours.state(moment)
    if state == State.OPEN and comment and not _SAID_OPEN.search(expression):
        return OpenState.UNKNOWN
    return _STATES[state]


def _until_s(hours: OpeningHours, expression: str, moment: datetime) -> float | None:
    state, change = _state(hours, expression, moment), hours.next_change(moment)
    for _ in range(SAME_STATE_STEPS):
        if change is None or _state(hours, expression, change) is not state:
            break
        change = hours.next_change(change)
    return None if change is None else change.timestamp()


def _narrow(match: re.Match[str]) -> str:
    """The time that is certain: up to the end that is named, or the one minute of opening."""
    span, hour, minute = match[1], int(match[2]), int(match[3])
    end = hour * 60 + minute + 1
    start = f"{hour:02d}:{minute:02d}"
    return f"-{start}" if span else f"{start}-{end // 60:02d}:{end % 60:02d}"


def _wide(match: re.Match[str]) -> str:
    """The time that is possible, with the closing times that opening_hours.js guesses."""
    span, minutes = match[1], int(match[2]) * 60 + int(match[3])
    longest = 8 * 60 if minutes >= 22 * 60 else 10 * 60 if minutes >= 17 * 60 else 0
    end = min(48 * 60, minutes + longest) if longest else 24 * 60
    close = f"-{end // 60:02d}:{end % 60:02d}"
    return close if span else f"{int(match[2]):02d}:{match[3]}{close}"


def _opening(hours: OpeningHours, text: str, moment: datetime) -> Opening:
    return Opening(state=_state(hours, text, moment), until_s=_until_s(hours, text, moment))


def opening_at(expression: str, lat: float, lon: float, at_s: float) -> Opening:
    """Open, closed or unknown at Unix time `at_s`, and until when; missing or unparsable is unknown.

    An open end ("16:00-22:00+", "17:00+") is open until the time that is named and unknown after it.
    """
    text = expression.translate(_DASHES).strip()
    if not text:
        return UNKNOWN
    where = None
    if _SUN.search(text):
        where = (round(lat, 2), round(lon, 2))  # about 1 km: seconds of sunset, a cache that hits
    zone = zone_at(lat, lon)
    try:
        moment = datetime.fromtimestamp(at_s, UTC).astimezone(ZoneInfo(zone))
        if not YEARS[0] <= moment.year <= YEARS[1]:
            return UNKNOWN
        if _OPEN_END.search(text) is None:
            hours = _parsed(text, zone, where)
            return UNKNOWN if hours is None else _opening(hours, text, moment)
        certain, possible = _OPEN_END.sub(_narrow, text), _OPEN_END.sub(_wide, text)
        narrow, wide = _parsed(certain, zone, where), _parsed(possible, zone, where)
        if narrow is None or wide is None:
            return UNKNOWN
        if _state(narrow, certain, moment) is OpenState.OPEN:
            return Opening(state=OpenState.OPEN)
        found = _opening(wide, possible, moment)
        return UNKNOWN if found.state is OpenState.OPEN else found
    except _UNREADABLE:
        return UNKNOWN
