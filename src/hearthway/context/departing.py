"""When the car is next needed: by the calendar's next entry with a place, or by the first trips of past days, whichever comes first."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from hearthway.records.calendar import CalendarEntry
from hearthway.records.life import TRIP_MIN_M
from hearthway.records.localtime import DAY_S, utc_offset_s

from .agenda import OwnWays
from .battery import usual
from .charging import NIGHT_S, day_of
from .day_kind import NO_DAYS_OFF, DayKinds
from .flat import gap_m
from .places import KnownPlace, PlaceBook
from .state import LifeState
from .tomorrow import usual_days
from .view import road_factor

AHEAD_DAYS = 7
LIKELY = 0.5  # a day on whose like the car stands more often is no day with a departure
EARLY = 0.1  # one left earlier on so many of ten such days: then it must be ready


class Leaves(Struct, frozen=True, kw_only=True):
    """A departure, Unix seconds. `told_s`: when the calendar was read; `days`, `drove`: past days like it, and those with a trip."""

    time_s: float
    source: str  # "calendar" or "own trips"
    told_s: float | None = None
    kind: str = ""  # such as "Mondays"
    days: int = 0
    drove: int = 0


def next_leaving(
    state: LifeState,
    book: PlaceBook,
    own: OwnWays,
    now_s: float,
    entries: Sequence[CalendarEntry],
    kinds: DayKinds = NO_DAYS_OFF,
) -> Leaves | None:
    """The earlier of the two; None where neither tells, or nobody knows where the car stands."""
    home = book.home()
    at = home if state.car.at is None else state.places[state.car.at]
    if at is None:
        return None
    found = [_planned(state, own, at, now_s, entries)]
    if at is home:
        found.append(_usual(state, at, now_s, kinds))
    return min((one for one in found if one is not None), key=lambda one: one.time_s, default=None)


def _planned(
    state: LifeState,
    own: OwnWays,
    at: KnownPlace,
    now_s: float,
    entries: Sequence[CalendarEntry],
) -> Leaves | None:
    """For the first entry to which one has to drive, and can: farther off than any trip so far nobody knows how one gets there."""
    for entry in entries:
        if entry.cancelled or entry.all_day or entry.lat is None or entry.lon is None:
            continue
        away_m = gap_m(at.lat, at.lon, entry.lat, entry.lon)
        if not TRIP_MIN_M < away_m <= own.farthest_m:
            continue
        way_m = road_factor(state) * away_m
        time_s = entry.start_s - way_m / usual(way_m).speed_mps
        if time_s > now_s:
            return Leaves(time_s=time_s // 60.0 * 60.0, source="calendar", told_s=entry.read_s)
    return None


def _usual(state: LifeState, home: KnownPlace, now_s: float, kinds: DayKinds) -> Leaves | None:
    """On the first day ahead on whose like the car is mostly driven from home."""
    today = day_of(now_s, utc_offset_s(home.lat, home.lon, now_s))
    for day in range(today, today + AHEAD_DAYS + 1):
        past = usual_days(state.car.firsts, home.index, day, kinds)
        if past is None or past.p_drives < LIKELY or day == state.car.last_day:
            continue
        times = sorted(_unix_s(home, day, trip.local_s) for trip in past.trips)
        ahead = [time_s for time_s in times if time_s > now_s]
        if not ahead:
            continue
        early_s = times[int(EARLY * (len(times) - 1))]
        return Leaves(
            time_s=(early_s if early_s > now_s else ahead[0]) // 60.0 * 60.0,
            source="own trips",
            kind=past.kind,
            days=past.days,
            drove=len(past.trips),
        )
    return None


def _unix_s(home: KnownPlace, day: int, local_s: float) -> float:
    """Of a local second on a day that goes from four to four, by that day's own clock."""
    wall_s = day * DAY_S + NIGHT_S + (local_s - NIGHT_S) % DAY_S
    guess_s = wall_s - utc_offset_s(home.lat, home.lon, wall_s)
    return wall_s - utc_offset_s(home.lat, home.lon, guess_s)
