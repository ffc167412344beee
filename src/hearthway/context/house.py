"""How warm the house is when somebody is in, and how fast it warms: learned from its own readings, and from nothing else.

Between two readings the older one holds, for as long as its key is fresh (twice that here: what is kept of a reading that
stays the same is told anew only once in that time). So it does not matter in which order the readings of one instant
come, and what is learned depends on no position: a phone and its store fold the same readings to the same state.
"""

from __future__ import annotations

from statistics import median

from msgspec import Struct, field

from hearthway.records.localtime import DAY_S, local_day, local_second, utc_offset_s, weekday
from hearthway.records.signals import Signal
from hearthway.records.situation import HouseHabits, Usual
from hearthway.sense.catalogue import CATALOGUE, HEATING, PRESENCE, ROOM, SETPOINT

from .day_kind import same_kind

HOUR_S = 3600.0
KEPT_DAYS = 28  # a season moves in weeks
HOLDS = 2.0  # times its freshness a kept reading holds
MAX_WARMINGS = 20
MIN_RISE_C = 1.0  # a thermostat that holds a temperature moves it by less
MIN_WARMING_S = 20 * 60.0
STEP_C = 0.15  # less is a sensor's own noise
AT_SETPOINT_C = 0.5  # so near the wanted temperature heating is throttled
AROUND_S = HOUR_S  # "at this time": within an hour of it
MIN_HOUR_S = 600.0  # of somebody in before an hour counts
MAX_STARTS = 120
AHEAD_HOURS = 3
ALONE_AROUND_S = 1.5 * HOUR_S
ALONE_WITHIN_DAYS = 14


class Reading(Struct, array_like=True):
    """What a key last said."""

    value: float | bool | None
    time_s: float


class WarmHour(Struct, array_like=True):
    """One hour of Unix time with somebody in: the temperature times seconds, and the seconds."""

    hour: int
    sum: float
    seconds: float


class Warming(Struct, frozen=True, array_like=True):
    """One time that the heating warmed the house: until when, by how much, in how long."""

    end_s: float
    rise_c: float
    seconds: float


class Heating(Struct, array_like=True):
    """The heating is on: since when, from which temperature, and where it first came to its highest."""

    start_s: float
    from_c: float | None
    top_s: float
    top_c: float


class HouseState(Struct, kw_only=True):
    """The fold of all readings of the house so far."""

    now_s: float = 0.0
    room: Reading | None = None
    setpoint: Reading | None = None
    heating: Reading | None = None
    occupied: Reading | None = None
    hours: list[WarmHour] = field(default_factory=list)
    on: Heating | None = None
    warmings: list[Warming] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)  # when the heating began with nobody in
    heated_s: float | None = None  # when it last was on


_FIELDS = {ROOM: "room", SETPOINT: "setpoint", HEATING: "heating", PRESENCE: "occupied"}


def take(state: HouseState, signal: Signal) -> None:
    """Learn from a normalised reading; one from before the last is dropped."""
    name = _FIELDS.get(signal.key)
    if name is None or signal.time_s < state.now_s or isinstance(signal.value, str):
        return
    if signal.time_s > state.now_s:
        _settle(state)
        _live(state, signal.time_s)
        state.now_s = signal.time_s
    setattr(state, name, Reading(signal.value, signal.time_s))


def _held(state: HouseState, key: str) -> float | bool | None:
    """What the key says at `now_s`, unless that is too old."""
    reading: Reading | None = getattr(state, _FIELDS[key])
    if reading is None or state.now_s - reading.time_s > HOLDS * CATALOGUE[key].freshness_s:
        return None
    return reading.value


def _settle(state: HouseState) -> None:
    """Everything said at `now_s` is in: has the heating begun, come further, or stopped?"""
    on, room = _held(state, HEATING) is True, _held(state, ROOM)
    if on:
        state.heated_s = state.now_s
    if on and state.on is None:
        state.on = Heating(state.now_s, room, state.now_s, -273.15 if room is None else room)
        if _held(state, PRESENCE) is False:
            state.alone.append(state.now_s)
            del state.alone[:-MAX_STARTS]
        return
    heating = state.on
    if heating is None:
        return
    if room is not None and room > heating.top_c + STEP_C:
        heating.top_s, heating.top_c = state.now_s, room
    wanted = _held(state, SETPOINT)
    there = wanted is not None and room is not None and room >= wanted - AT_SETPOINT_C
    if not on or (there and heating.from_c is not None):
        _warmed(state, heating)
    if not on:
        state.on = None


def _warmed(state: HouseState, heating: Heating) -> None:
    """This warming is over; from here on nothing more is learned of it."""
    seconds = heating.top_s - heating.start_s
    if heating.from_c is not None:
        rise_c = heating.top_c - heating.from_c
        if rise_c >= MIN_RISE_C and seconds >= MIN_WARMING_S:
            state.warmings.append(Warming(heating.top_s, round(rise_c, 2), seconds))
            del state.warmings[:-MAX_WARMINGS]
    heating.from_c = None


def _live(state: HouseState, until_s: float) -> None:
    """From `now_s` to `until_s` nothing was said: the temperature, as long as it holds, with somebody in."""
    room, occupied = state.room, state.occupied
    if _held(state, PRESENCE) is not True or room is None or occupied is None:
        return
    celsius = _held(state, ROOM)
    if celsius is None:
        return
    end_s = min(
        until_s,
        room.time_s + HOLDS * CATALOGUE[ROOM].freshness_s,
        occupied.time_s + HOLDS * CATALOGUE[PRESENCE].freshness_s,
    )
    at_s = state.now_s
    while at_s < end_s:
        hour = int(at_s // HOUR_S)
        part_s = min(end_s, (hour + 1) * HOUR_S) - at_s
        if not state.hours or state.hours[-1].hour != hour:
            state.hours.append(WarmHour(hour, 0.0, 0.0))
        state.hours[-1].sum += celsius * part_s
        state.hours[-1].seconds += part_s
        at_s += part_s
    first = int(end_s // HOUR_S) - KEPT_DAYS * 24
    while state.hours and state.hours[0].hour < first:
        del state.hours[0]


def habits(state: HouseState, at: tuple[float, float], now_s: float) -> HouseHabits:
    """What was learned, for now and the next hours at the house's own local time; `at`: where it stands."""
    return HouseHabits(
        usual=_usual(state, at, now_s),
        warmings=tuple((one.rise_c, one.seconds) for one in state.warmings),
        heated_age_s=None if state.heated_s is None else max(0.0, now_s - state.heated_s),
        alone_days=_alone_days(state, at, now_s),
    )


def _usual(state: HouseState, at: tuple[float, float], now_s: float) -> tuple[Usual, ...]:
    """Now and each hour ahead: the median over the days on which somebody was in within an hour of that local time."""
    days: list[dict[int, list[float]]] = [{} for _ in range(AHEAD_HOURS + 1)]
    now_local_s, shifts = now_s + utc_offset_s(*at, now_s), dict[int, int]()
    for one in state.hours:
        mid_s = (one.hour + 0.5) * HOUR_S
        date = one.hour // 24
        if date not in shifts:
            shifts[date] = utc_offset_s(*at, mid_s)
        local_s = mid_s + shifts[date]
        later_s = (local_s - now_local_s + AROUND_S) % DAY_S - AROUND_S
        if later_s > AHEAD_HOURS * HOUR_S + AROUND_S or one.seconds < MIN_HOUR_S:
            continue
        for n, by_day in enumerate(days):
            if abs(later_s - n * HOUR_S) <= AROUND_S:
                celsius = one.sum / one.seconds
                by_day.setdefault(int(local_s // DAY_S), []).append(celsius)
    means = [[sum(day) / len(day) for day in by_day.values()] for by_day in days]
    return tuple(
        Usual(
            time_s=now_s + n * HOUR_S,
            celsius=round(median(each), 2) if each else None,
            days=len(each),
        )
        for n, each in enumerate(means)
    )


def _alone_days(state: HouseState, at: tuple[float, float], now_s: float) -> int:
    shift = utc_offset_s(*at, now_s)
    today, second = local_day(now_s, shift), local_second(now_s, shift)
    found = set()
    for start_s in state.alone:
        own = utc_offset_s(*at, start_s)
        day = local_day(start_s, own)
        like = same_kind(weekday(day), weekday(today))  # a heating's programme knows two kinds
        near = _apart_s(local_second(start_s, own), second) <= ALONE_AROUND_S
        if like and near and today - ALONE_WITHIN_DAYS <= day < today:
            found.add(day)
    return len(found)


def _apart_s(a: float, b: float) -> float:
    apart = abs(a - b)
    return min(apart, DAY_S - apart)
