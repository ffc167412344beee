"""Local time from coordinates, where the data carries no zone. Boundaries: tzf; rules: the IANA database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY_S = 86_400
CELLS_PER_DEGREE = 50
_REMEMBERED = (
    4096  # six weeks of quarters: times come in their order, and a car may lie about place and time
)
Lookup = Callable[[int, int], str]  # (lat cell, lon cell) -> IANA zone name, "" where there is none


def here(lat_cell: int, lon_cell: int) -> str:
    """The boundaries looked up in this process: they take some 30 MB of it from the first call on."""
    from tzfpy import get_tz

    return get_tz(lon_cell / CELLS_PER_DEGREE, lat_cell / CELLS_PER_DEGREE)


_lookups: list[Lookup] = [here]


def look_up_by(lookup: Lookup) -> None:
    """From now on unknown cells are asked of `lookup`, which must answer as `here` does."""
    _lookups[0] = lookup


@lru_cache(maxsize=_REMEMBERED)
def _zone_of_cell(lat_cell: int, lon_cell: int) -> str:
    return _lookups[0](lat_cell, lon_cell) or "UTC"


def zone_at(lat: float, lon: float) -> str:
    """IANA zone name at a point, resolved on a 0.02 degree grid (about 2 km)."""
    return _zone_of_cell(round(lat * CELLS_PER_DEGREE), round(lon * CELLS_PER_DEGREE))


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=_REMEMBERED)
def _offset_in_quarter(name: str, quarter: int) -> int:
    moment = datetime.fromtimestamp(quarter * 900, UTC).astimezone(_zone(name))
    offset = moment.utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def offset_in_s(zone: str, time_s: float) -> int:
    """Seconds to add to Unix time for local time in an IANA zone at that time (DST included)."""
    return _offset_in_quarter(zone, int(time_s // 900))


def utc_offset_s(lat: float, lon: float, time_s: float) -> int:
    """Seconds to add to Unix time for local time there and then (DST included)."""
    return offset_in_s(zone_at(lat, lon), time_s)


def local_second(time_s: float, offset_s: int) -> float:
    """Seconds since local midnight, in [0, 86400)."""
    return (time_s + offset_s) % DAY_S


def local_day(time_s: float, offset_s: int) -> int:
    """Local days since 1970-01-01 (a Thursday)."""
    return int((time_s + offset_s) // DAY_S)


def weekday(day: int) -> int:
    """0 = Monday for a `local_day`."""
    return (day + 3) % 7


def clock(time_s: float, offset_s: int, *, seconds: bool = False) -> str:
    """Local "18:05" or "18:05:09"."""
    total = int(local_second(time_s, offset_s))
    text = f"{total // 3600:02d}:{total % 3600 // 60:02d}"
    return f"{text}:{total % 60:02d}" if seconds else text


def clock_at(lat: float, lon: float, time_s: float) -> str:
    """Local "18:05" there and then: in the night of a change that is not what the clock before it would say."""
    return clock(time_s, utc_offset_s(lat, lon, time_s))
