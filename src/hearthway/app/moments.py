"""Moments as a person writes them: by the clock of where they were then."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hearthway.mesh.state.store import Store
from hearthway.records.errors import InputError
from hearthway.records.localtime import utc_offset_s, zone_at

YEARS = range(1971, 9_999)  # in which every zone has a local time
AROUND_S = 43_200.0


def written(text: str, *, end: bool = False) -> datetime:
    """An ISO day or instant, naive where it names no zone; of a day its begin, or with `end` the next one's. InputError."""
    text = text.strip()
    try:
        moment = datetime.fromisoformat(text)
        return moment + timedelta(days=1) if end and _is_day(text) else moment
    except (ValueError, OverflowError):
        raise InputError(
            f"{text[:40]!r} is no time.", "Write 2025-11-01 or 2025-11-01T18:00."
        ) from None


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def zone_there(store: Store, person_id: str, at: datetime) -> str | None:
    """IANA zone of where the person was when it was `at` there; None where no position is held half a day around it."""
    plain_s = at.replace(tzinfo=UTC).timestamp()
    near = store.fixes(person_id, plain_s - AROUND_S, plain_s + AROUND_S)
    here = min(
        near,
        key=lambda f: abs(f.time_s + utc_offset_s(f.lat, f.lon, f.time_s) - plain_s),
        default=None,
    )
    return None if here is None else zone_at(here.lat, here.lon)


def unix_s(at: datetime, zone: str, *, last: bool = False) -> float:
    """When it is `at` in `zone`; of the two moments in the night that is an hour longer the first, or the `last`."""
    if at.tzinfo is not None or at.year not in YEARS:
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    return at.replace(tzinfo=ZoneInfo(zone), fold=int(last)).timestamp()
