"""State -> Situation: every field from what was observed, or left unknown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

from msgspec import UNSET

from hearthway.records.calendar import CalendarEntry
from hearthway.records.localtime import DAY_S, utc_offset_s
from hearthway.records.situation import (
    Battery,
    Destination,
    Evidence,
    NextPlaces,
    Planned,
    Situation,
    Via,
)
from hearthway.sense.catalogue import OUTSIDE, SOC

from .agenda import OwnWays
from .battery import ROAD_FACTOR
from .day_kind import NO_DAYS_OFF, DayKinds
from .destination import Posterior
from .eaten import EatenOut
from .flat import gap_m
from .heading import Shown, goal_of, with_planned
from .manoeuvre import manoeuvre_of
from .modes import ModeFilter
from .motion import SILENT_S, mode_of
from .places import KnownPlace, PlaceBook
from .range_model import Forecast
from .routines import Meal
from .state import LifeState
from .tomorrow import stand_of, tomorrow_of
from .where_next import NextPlaces as Likely

SHOWN_NEXT = 8  # of where one will go from here
ENOUGH_TRIPS = 5
TOLD_DAYS = 90.0  # for so long a change is told where people look


class LookedUp(NamedTuple):
    """What is put together once of a life, and asked at each look."""

    shown: Shown
    ways: OwnWays
    eaten: EatenOut


def situation_of(
    state: LifeState,
    book: PlaceBook,
    looked: LookedUp,
    posterior: Posterior | None,
    likely: Likely | None,
    now_s: float,
    tomorrow: Sequence[CalendarEntry] = (),
    planned: Sequence[Planned] = (),
    kinds: DayKinds = NO_DAYS_OFF,
) -> Situation:
    """The situation at `now_s`; None and empty where something is not known. `tomorrow`: what the calendar has then."""
    last = state.last
    if last is None:
        return Situation(
            time_s=now_s, utc_offset_s=0, person=state.person, mode="unknown", lat=0.0, lon=0.0
        )
    staying = state.here is not None
    destinations: tuple[Destination, ...] = ()
    p_new = 1.0
    if posterior is not None:
        destinations = looked.shown.of(posterior, planned, kinds)
        p_new = posterior.new
    goal = None if posterior is None else goal_of(state, posterior, planned)
    origin = state.here if staying else state.previous_place
    home = book.home()
    fresh = now_s - last.time_s <= SILENT_S
    manoeuvre = None if staying else manoeuvre_of(state.recent, now_s)
    mode, mode_p = mode_of(state.recent, ModeFilter(state.modes), staying=staying, now_s=now_s)
    return Situation(
        time_s=now_s,
        utc_offset_s=utc_offset_s(last.lat, last.lon, now_s),
        person=state.person,
        mode=mode,
        mode_p=UNSET if mode_p is None else mode_p,
        lat=last.lat,
        lon=last.lon,
        speed_mps=last.speed_mps if fresh else None,
        trip_start_s=None if staying else state.trip_start_s,
        trip_distance_m=0.0 if staying else state.trip_way_m + state.track.length_m,
        origin=book.record(state.places[origin]) if origin is not None else None,
        destinations=destinations,
        p_new=p_new,
        places_known=book.known(),
        stays_known=state.stays,
        days_known=state.days,
        routines=looked.eaten.routines(),
        home=book.record(home) if home is not None else None,
        battery=_battery(state, book, looked.ways, goal, destinations[:1], now_s, tomorrow, kinds),
        evidence=_evidence(state, now_s),
        last_meal_s=_last_meal(state, looked.eaten.meals()),
        manoeuvre=UNSET if manoeuvre is None else manoeuvre,
        next_places=UNSET
        if likely is None
        else NextPlaces(
            places=with_planned(
                _records(state, book, likely.places[:SHOWN_NEXT]),
                likely.planned,
                planned,
                state.places,
                now_s,
            ),
            p_new=likely.new,
            leave_s=likely.leave_s,
        ),
    )


def _records(
    state: LifeState, book: PlaceBook, ranked: Iterable[tuple[int, float]]
) -> tuple[Destination, ...]:
    return tuple(Destination(place=book.record(state.places[index]), p=p) for index, p in ranked)


def changes_told(state: LifeState, book: PlaceBook) -> tuple[str, ...]:
    """Which home or work seems to be another lately, and since when, one line each; not where the owner said it."""
    last = state.last
    latest = {change.what: change for change in state.settling.changes}
    lines = []
    for change in latest.values():
        owned = any(place.given == change.what for place in book.places)
        if owned or last is None or last.time_s - change.since_s > TOLD_DAYS * DAY_S:
            continue
        now, before = (book.places[index] for index in (change.now, change.before))
        local_s = change.since_s + utc_offset_s(now.lat, now.lon, change.since_s)
        day = datetime.fromtimestamp(local_s, UTC)
        lines.append(
            f"{change.what} seems to be at {now.name or f'p{now.index}'} since "
            f"{day.day} {day:%B %Y}, before that at {before.name or f'p{before.index}'}"
        )
    return tuple(lines)


def _last_meal(state: LifeState, meals: list[Meal]) -> float | None:
    if state.dwell.staying and state.dwell_at_food:
        return state.dwell.end_s
    return meals[-1].visit.end_s if meals else None


def _battery(
    state: LifeState,
    book: PlaceBook,
    own: OwnWays,
    goal: KnownPlace | None,
    likeliest: tuple[Destination, ...],
    now_s: float,
    tomorrow: Sequence[CalendarEntry],
    kinds: DayKinds = NO_DAYS_OFF,
) -> Battery | None:
    battery = state.battery
    last, soc = state.last, battery.soc_pct
    if soc is None or last is None:
        return None
    home = book.home()
    vias = [destination.via for destination in likeliest if isinstance(destination.via, Via)]
    points = [(last.lat, last.lon), *((via.lat, via.lon) for via in vias)]
    heights = [here_m(state, now_s), *(None for _ in vias)]
    if goal is not None:
        points.append((goal.lat, goal.lon))
        heights.append(goal.height_m)
    if home is not None:
        points.append((home.lat, home.lon))
        heights.append(home.height_m)
    factor = road_factor(state)
    lengths = [factor * gap_m(*a, *b) for a, b in pairwise(points)]
    if vias:  # after a short stop the car is not cold: the way to it and on is one
        lengths[:2] = [sum(lengths[:2])]
        del heights[1 : len(heights) - len(lengths)]
    told = battery.ahead(now_s, lengths, heights)
    at_arrival = told[0] if told and goal is not None else None
    at_home = told[-1] if told and home is not None else None
    at = None if home is None else stand_of(state.places, home)
    uncharged = at is not None and at.charges is False and at_arrival is not None
    return Battery(
        soc_pct=soc,
        age_s=max(0.0, now_s - battery.soc_time_s),
        at_arrival_pct=None if at_arrival is None else max(0.0, at_arrival.arrival_pct),
        at_home_pct=None if at_home is None else max(0.0, at_home.arrival_pct),
        at_home_low_pct=None if at_home is None else max(0.0, at_home.low_pct),
        at_home_high_pct=None if at_home is None else max(0.0, at_home.high_pct),
        pct_per_km=_per_km(soc, told, lengths),
        air_c=battery.outside(now_s),
        trips=battery.trips,
        capacity_kwh=battery.range.capacity_kwh or UNSET,
        there=UNSET if goal is None else stand_of(state.places, goal),
        home=UNSET if at is None else at,
        tomorrow=tomorrow_of(state, book, own, now_s, (lengths, heights), factor, tomorrow, kinds)
        if uncharged
        else UNSET,
    )


def here_m(state: LifeState, now_s: float) -> float | None:
    """How high the car is, metres: as it tells, else as it told before where it stands; None where neither is known."""
    told = state.battery.height(now_s)
    place = state.here if state.here is not None else state.previous_place
    left = state.battery.drive is not None and state.battery.drive.effort.length_m > 0.0
    if told is not None or place is None or left:
        return told
    return state.places[place].height_m


def road_factor(state: LifeState) -> float:
    """Way by road over bee-line, of this person's own trips once there are enough."""
    if state.trip_count < ENOUGH_TRIPS or state.direct_m <= 0.0:
        return ROAD_FACTOR
    return min(2.0, max(1.05, state.way_m / state.direct_m))


def _per_km(soc_pct: float, told: Sequence[Forecast], lengths_m: Sequence[float]) -> float | None:
    way_m = sum(lengths_m)
    return 1000.0 * (soc_pct - told[-1].arrival_pct) / way_m if told and way_m > 0.0 else None


def _evidence(state: LifeState, now_s: float) -> tuple[Evidence, ...]:
    last = state.last
    if last is None:
        return ()
    age_s = max(0.0, now_s - last.time_s)
    names = ["Latitude", "Longitude"]
    used = [
        Evidence(
            key=f"{state.prefix}.{name}", source=state.source, age_s=age_s, person=state.person
        )
        for name in names
    ]
    if state.battery.soc_pct is not None:
        used.append(
            Evidence(
                key=SOC,
                source=state.battery.source,
                age_s=max(0.0, now_s - state.battery.soc_time_s),
            )
        )
        if state.battery.outside(now_s) is not None:
            used.append(
                Evidence(
                    key=OUTSIDE,
                    source=state.battery.air_source,
                    age_s=max(0.0, now_s - state.battery.air_time_s),
                )
            )
    return tuple(used)
