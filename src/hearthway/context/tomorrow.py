"""Tomorrow's first trip, and what the battery holds after it where the car is not charged before.

The calendar tells it where its first entry with a place comes before this person's usual first trip of such a day; else
the first trips of past such days do, as equally likely ways: of the same weekday where there were enough of those, else
of days of work or of free days. There and back, or only there where the car usually charges at that place.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from msgspec import UNSET, Struct, UnsetType

from hearthway.records.calendar import CalendarEntry
from hearthway.records.life import TRIP_MIN_M
from hearthway.records.localtime import DAY_S, local_second, utc_offset_s
from hearthway.records.situation import Stand, Tomorrow

from .agenda import OwnWays
from .battery import usual
from .charging import NIGHT_S, FirstTrip, day_of
from .day_kind import NO_DAYS_OFF, WEEK, DayKinds, free_day, kind_of
from .flat import gap_m
from .places import KnownPlace, PlaceBook
from .state import LifeState

LEAST_STAYS = 3
LEAST_DAYS = 4
WAYS = 9  # equally likely ways that are looked at
GOES_P = 0.9  # of what stands in the calendar with a place, some is not driven to: assumed
LEAVES_BY = 0.8  # by then one has left on so many of ten past days
# What tells that a car does not charge at home: so many nights it did not, and that it can be seen to charge at all.
STOOD_LEAST, CHARGED_MOST, CHARGED_ELSEWHERE = 10, 1, 2
DAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


class _Way(Struct, frozen=True):
    """A way, and how high its end is, metres."""

    metres: float
    end_m: float | None


class UsualDays(Struct, frozen=True):
    """Past days of a kind, and the first trips from home on them."""

    kind: str
    days: int
    trips: list[FirstTrip]

    @property
    def p_drives(self) -> float:
        return len(self.trips) / self.days


def stand_of(places: Sequence[KnownPlace], place: KnownPlace) -> Stand:
    """How long one usually stays at a place, and whether the car charges there."""
    known = len(place.stays_s) >= LEAST_STAYS
    return Stand(
        stays=len(place.stays_s),
        usual_s=float(median(place.stays_s)) if known else None,
        stood=place.car_stood,
        charged=place.car_charged,
        charges=_charges(places, place),
    )


def _charges(places: Sequence[KnownPlace], place: KnownPlace) -> bool | None:
    if place.car_charged > CHARGED_MOST:
        return True
    elsewhere = sum(p.car_charged for p in places if p is not place)
    sure = place.car_stood >= STOOD_LEAST and elsewhere >= CHARGED_ELSEWHERE
    return False if sure else None


def tomorrow_of(
    state: LifeState,
    book: PlaceBook,
    own: OwnWays,
    now_s: float,
    home_by: tuple[Sequence[float], Sequence[float | None]],
    factor: float,
    entries: Sequence[CalendarEntry],
    kinds: DayKinds = NO_DAYS_OFF,
) -> Tomorrow | UnsetType:
    """`home_by`: ways home from here in metres, and the heights of their ends (`BatteryState.ahead`); `factor` is way over bee-line, `entries` are tomorrow's; unset where nothing tells."""
    home, last = book.home(), state.last
    if home is None or last is None:
        return UNSET
    day = day_of(now_s, utc_offset_s(last.lat, last.lon, now_s)) + 1
    past = usual_days(state.car.firsts, home.index, day, kinds)
    planned = _planned(state, book, own, home, factor, entries, past)
    if planned == ():
        return UNSET
    legs = planned or _own(state, factor, home, past)
    if not legs:
        return UNSET
    ways_m, heights_m = home_by
    ends = [
        state.battery.ahead(
            now_s, [*ways_m, *(way.metres for way in leg)], [*heights_m, *(w.end_m for w in leg)]
        )
        for leg in legs
    ]
    if not all(ends):
        return UNSET
    by_calendar = planned is not None
    return Tomorrow(
        source="calendar" if by_calendar else "own trips",
        kind="" if by_calendar or past is None else past.kind,
        days=0 if by_calendar or past is None else past.days,
        p_drives=GOES_P if by_calendar or past is None else past.p_drives,
        ways_m=tuple(sum(way.metres for way in leg) for leg in legs),
        left_pct=tuple(end[-1].arrival_pct for end in ends),
        high_pct=tuple(end[-1].high_pct for end in ends),
    )


def hours_of(now_s: float, lat: float, lon: float) -> tuple[float, float]:
    """When tomorrow begins and ends there (Unix seconds)."""
    offset = utc_offset_s(lat, lon, now_s)
    begin_s = (day_of(now_s, offset) + 1) * DAY_S + NIGHT_S - offset
    return begin_s, begin_s + DAY_S


def usual_days(
    firsts: Sequence[FirstTrip], home: int, day: int, kinds: DayKinds = NO_DAYS_OFF
) -> UsualDays | None:
    """What past days like `day` tell; None where there were too few."""
    if not firsts:
        return None
    mine = kinds.on(day)
    known = [(d, kinds.on(d)) for d in range(firsts[0].day, day - 1)]
    such = [d for d, kind in known if kind_of(kind) == kind_of(mine)]
    same = [d for d, kind in known if kind == mine] if mine < WEEK else []
    for kind, days in ((DAYS[mine % WEEK], same), (_called(mine, kinds), such)):
        if len(days) >= LEAST_DAYS:
            seen = set(days)
            return UsualDays(
                kind, len(days), [f for f in firsts if f.day in seen and f.origin == home]
            )
    return None


def _called(day: int, kinds: DayKinds) -> str:
    """Days of its kind."""
    if free_day(day):
        return "free days" if kinds.off else "weekend days"
    return "workdays" if day < WEEK else "such days off"


def _own(
    state: LifeState, factor: float, home: KnownPlace, past: UsualDays | None
) -> list[tuple[_Way, ...]]:
    """Past first trips as legs, shortest first, at most `WAYS` of them evenly taken."""
    if past is None:
        return []
    legs = sorted(
        (_there_and_back(state, factor, home, trip.destination, trip.way_m) for trip in past.trips),
        key=lambda leg: [way.metres for way in leg],
    )
    if len(legs) <= WAYS:
        return legs
    return [legs[(2 * i + 1) * len(legs) // (2 * WAYS)] for i in range(WAYS)]


def _there_and_back(
    state: LifeState, factor: float, home: KnownPlace, there: int, way_m: float
) -> tuple[_Way, ...]:
    if there < 0:
        return (_Way(way_m, None), _Way(way_m, home.height_m))
    place = state.places[there]
    if _charges(state.places, place):
        return (_Way(way_m, place.height_m),)
    back_m = factor * gap_m(place.lat, place.lon, home.lat, home.lon)
    return (_Way(way_m, place.height_m), _Way(back_m, home.height_m))


def _planned(
    state: LifeState,
    book: PlaceBook,
    own: OwnWays,
    home: KnownPlace,
    factor: float,
    entries: Sequence[CalendarEntry],
    past: UsualDays | None,
) -> list[tuple[_Way, ...]] | tuple[()] | None:
    """The calendar's first way; None where it tells none that comes first, () where nobody knows how one gets there."""
    for entry in entries:
        if entry.cancelled or entry.all_day or entry.lat is None or entry.lon is None:
            continue
        away_m = gap_m(home.lat, home.lon, entry.lat, entry.lon)
        if away_m <= TRIP_MIN_M:
            continue
        way_m = factor * away_m
        if past is not None and not _comes_first(entry, way_m, past):
            return None
        if away_m > own.farthest_m:
            return ()
        known = book.nearest(entry.lat, entry.lon)
        there = -1 if known is None else known.index
        return [_there_and_back(state, factor, home, there, way_m)]
    return None


def _comes_first(entry: CalendarEntry, way_m: float, past: UsualDays) -> bool:
    """Does one leave for it before one usually leaves?"""
    if past.p_drives < 1.0 - LEAVES_BY or entry.lat is None or entry.lon is None:
        return True
    leave_s = entry.start_s - way_m / usual(way_m).speed_mps
    second = local_second(leave_s, utc_offset_s(entry.lat, entry.lon, leave_s))
    left = sorted(trip.local_s for trip in past.trips)
    return second <= left[int(LEAVES_BY * (len(left) - 1))]
