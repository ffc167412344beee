"""What goes along when this person leaves home, from tags of things and from nothing else.

A home says whether it sees a thing's tag, a phone whether it does. Of each trip from home it is known of a thing that it
went along, or that it stayed, or nothing: then that trip does not count. A trip is judged when it is over, from readings kept with
their times, so it does not matter which came first, the position or the tag.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable

from msgspec import Struct, field

from hearthway.records.signals import Signal
from hearthway.records.situation import Habit
from hearthway.sense.catalogue import item_of

from .day_kind import NO_DAYS_OFF, WEEK, DayKinds, free_day, same_kind
from .prior import PastTrip

MAX_THINGS = 16
MAX_READINGS = 64  # of one key since the last trip from home
MAX_OUTINGS = 3_000
# A phone at rest tells where it is every quarter of an hour: so much earlier may a thing have left with it.
BEFORE_S = 900.0
TIMES = 5  # occasions of a kind, as days of a routine: fewer tell no habit
SUCH = 2
DAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


class Outing(Struct, frozen=True, array_like=True):
    """On the trip from home that began then, this thing went along or stayed."""

    depart_s: float
    name: str
    along: bool


class ItemsState(Struct, kw_only=True):
    """The fold of what tags said. `at_home` and `with_phone`: by name, (time, seen or not) in order of time."""

    at_home: dict[str, list[tuple[float, bool | None]]] = field(default_factory=dict)
    with_phone: dict[str, list[tuple[float, bool | None]]] = field(default_factory=dict)
    outings: list[Outing] = field(default_factory=list)


def take(state: ItemsState, signal: Signal) -> None:
    """Keep what a tag's key says, until the trip that it may be about is over."""
    name, value = item_of(signal.key), signal.value
    if not name or not (value is None or isinstance(value, bool)):
        return
    if name not in state.at_home:
        if len(state.at_home) >= MAX_THINGS:
            return
        state.at_home[name], state.with_phone[name] = [], []
    of = state.at_home if signal.key.startswith("Home.") else state.with_phone
    readings = of[name]
    at = bisect_left(readings, signal.time_s, key=lambda reading: reading[0])
    if at < len(readings) and readings[at][0] == signal.time_s:
        readings[at] = (signal.time_s, value)
    else:
        readings.insert(at, (signal.time_s, value))
    del readings[:-MAX_READINGS]


def returned(state: ItemsState, depart_s: float, until_s: float) -> None:
    """A trip from home that began at `depart_s` is over: what went along is learned."""
    for name in sorted(state.at_home):
        along = _along(state.at_home[name], state.with_phone[name], depart_s, until_s)
        if along is not None:
            state.outings.append(Outing(depart_s, name, along))
    del state.outings[:-MAX_OUTINGS]
    for readings in (*state.at_home.values(), *state.with_phone.values()):
        old = bisect_left(readings, until_s, key=lambda reading: reading[0])
        del readings[: max(0, old - 1)]


def _along(
    at_home: list[tuple[float, bool | None]],
    with_phone: list[tuple[float, bool | None]],
    depart_s: float,
    until_s: float,
) -> bool | None:
    """The phone saw it on the way, or it was at home before and no more afterwards; home saw it all the while; else None."""
    if any(value for time_s, value in with_phone if depart_s < time_s <= until_s):
        return True
    before = [value for time_s, value in at_home if time_s <= depart_s - BEFORE_S]
    after = [value for time_s, value in at_home if depart_s < time_s <= until_s]
    around = [value for time_s, value in at_home if depart_s - BEFORE_S < time_s <= until_s]
    if any(after):
        return False
    went = bool(around) and around[-1] is False
    return True if went and before and before[-1] is True else None


def occasions(
    outings: Iterable[Outing], trips: Iterable[PastTrip], home: int
) -> dict[str, list[tuple[PastTrip, bool]]]:
    """By name: the trips from home of which it is known whether that thing went along."""
    by_start = {trip.depart_s: trip for trip in trips if trip.origin == home}
    found: dict[str, list[tuple[PastTrip, bool]]] = {}
    for one in outings:
        trip = by_start.get(one.depart_s)
        if trip is not None and trip.destination not in (home, trip.origin):
            found.setdefault(one.name, []).append((trip, one.along))
    return found


def habits_of(
    past: list[tuple[PastTrip, bool]],
    today: int,
    place_id: Callable[[int], str],
    kinds: DayKinds = NO_DAYS_OFF,
) -> tuple[Habit, ...]:
    """For each place that such trips led to: how often it went along on this weekday, else on such days, else ever. `today`: of
    `day_kind`.

    The first of these counts that has `TIMES` occasions, or one on which it stayed; of a kind of day on which one was
    hardly ever there, other days tell nothing. A place with fewer occasions has no habit.
    """
    found = []
    for place in sorted({trip.destination for trip, _ in past}):
        there = [(kinds.of(trip), along) for trip, along in past if trip.destination == place]
        same = [along for day, along in there if day == today]
        such = [along for day, along in there if same_kind(day, today)]
        ever = [along for _, along in there] if len(such) >= SUCH else []
        by_day = [
            (f"on {DAYS[today % WEEK]}", same if today < WEEK else []),
            (_called(today, kinds), such),
            ("on any day", ever),
        ]
        for like, mine in by_day:
            if len(mine) >= TIMES or not all(mine):
                found.append(
                    Habit(place_id=place_id(place), like=like, along=sum(mine), times=len(mine))
                )
                break
    return tuple(found)


def _called(day: int, kinds: DayKinds) -> str:
    """On days of its kind."""
    if free_day(day):
        return "on free days" if kinds.off else "at weekends"
    return "on weekdays" if day < WEEK else "on such days off"
