"""Opening hours at an instant, in the POI's own time zone. Evaluation: opening-hours-py."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from opening_hours import OpeningHours, State

from hearthway.records.localtime import zone_at
from hearthway.records.poi import Opening, OpenState

UNKNOWN = Opening(state=OpenState.UNKNOWN)
HORIZON_DAYS = 366  # a change farther away than this is no change for a person
# Holidays and the sun depend on where; loading their tables costs 0.7 s once, so only if asked for.
_DEPENDS_ON_WHERE = re.compile(r"\b(?:PH|SH|sunrise|sunset|dawn|dusk)\b", re.IGNORECASE)
_STATES = {
    State.OPEN: OpenState.OPEN,
    State.CLOSED: OpenState.CLOSED,
    State.UNKNOWN: OpenState.UNKNOWN,
}


def _parse(expression: str, zone: str, where: tuple[float, float] | None) -> OpeningHours | None:
    try:
        return OpeningHours(
            expression,
            timezone=ZoneInfo(zone),
            coords=where,
            auto_country=where is not None,
            auto_timezone=False,
            max_interval_days=HORIZON_DAYS,
        )
    except (SyntaxError, ValueError, OverflowError):
        return None


@lru_cache(maxsize=16_384)
def _parsed(expression: str, zone: str, where: tuple[float, float] | None) -> OpeningHours | None:
    return _parse(expression, zone, where)


def parses(expression: str) -> bool:
    """Is this an opening-hours expression that can be evaluated?"""
    return bool(expression.strip()) and _parse(expression, "UTC", None) is not None


def opening_at(expression: str, lat: float, lon: float, at_s: float) -> Opening:
    """Open, closed or unknown at Unix time `at_s`, and until when; missing or unparsable is unknown."""
    if not expression.strip():
        return UNKNOWN
    zone = zone_at(lat, lon)
    where = None
    if _DEPENDS_ON_WHERE.search(expression):
        where = (
            round(lat, 2),
            round(lon, 2),
        )  # about 1 km: seconds of sunset, and a cache that hits
    hours = _parsed(expression, zone, where)
    if hours is None:
        return UNKNOWN
    try:
        moment = datetime.fromtimestamp(at_s, UTC).astimezone(ZoneInfo(zone))
        state = _STATES[hours.state(moment)[0]]
        change = hours.next_change(moment)
    except (ValueError, OverflowError, OSError, TypeError):
        return UNKNOWN
    return Opening(state=state, until_s=None if change is None else change.timestamp())
