"""What a person did, learned as it happens: when one left, where the car was parked and whether it charged there, when the house heats.

A fold beside the life's: it is told of each item once the life has taken it. What positions and the car tell, and what the
house tells, are kept apart, as these come by two clocks: neither depends on how the two are mixed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, field

from hearthway.records.deeds import CAME_IN, CHARGED, HEATS, LEFT, PARKED, UNCHARGED, Deed
from hearthway.records.signals import Fix, Signal
from hearthway.sense.catalogue import HEATING, PRESENCE

from .charging import SETTING_OUT_M
from .events import LifeEvent, TripEnded, TripStarted
from .flat import gap_m

if TYPE_CHECKING:
    from .state import LifeState

ROLLS_MPS = 3.0  # faster than one walks, and hardly slower than a car looks for a place
SEEN_S = 90.0  # where it stopped is the next position, if that comes so soon
LEFT_SEEN_S = 2400.0  # after a longer silence nobody knows when one left: a phone at rest tells every half hour
MAX_DEEDS, MAX_HOUSE = 1_000, 200  # the latest: what is older than some months hardly counts


class Standing(Struct, array_like=True):
    """The car has stood here since `time_s`. `charged`: did it, as known when one left; None: not told."""

    time_s: float
    lat: float
    lon: float
    charged: bool | None = None


class Switched(Struct, array_like=True):
    """What a key of the house said last, and when."""

    time_s: float
    on: bool | None


class DeedState(Struct, kw_only=True):
    """The fold of what was done so far."""

    done: list[Deed] = field(default_factory=list)
    house: list[Deed] = field(default_factory=list)
    last: Standing | None = None  # the last position
    rolled_s: float | None = None  # when one last moved faster than on foot
    stop: Standing | None = None  # where that ended
    stands: Standing | None = None  # the car, since the last trip with it ended
    heats: Switched | None = None
    occupied: Switched | None = None


def deeds_of(state: DeedState) -> tuple[Deed, ...]:
    """All that is known to have been done, by time."""
    return by_time((*state.done, *state.house))


def by_time(deeds: Iterable[Deed]) -> tuple[Deed, ...]:
    """In their order. Of two of one time and kind the first stays it: where they have no position, that has no order."""
    return tuple(sorted(deeds, key=lambda deed: (deed.time_s, deed.known_s, deed.what)))


def latest(state: DeedState) -> tuple[Deed | None, Deed | None]:
    """What was done last: another one, where anything more was done."""
    done, house = state.done, state.house
    return done[-1] if done else None, house[-1] if house else None


def note(life: LifeState, item: Fix | Signal, events: Sequence[LifeEvent]) -> None:
    """Learn from `item`, which the life has just taken, and from what became certain with it."""
    state = life.deeds
    for event in events:
        if isinstance(event, TripStarted):
            _left(state, event)
        elif isinstance(event, TripEnded) and event.trip.mode == "car":
            _parked(life, event, item.time_s)
        elif isinstance(event, TripEnded) and state.stands is not None:
            state.stands.charged = None  # the car stands there still
    if isinstance(item, Signal):
        _house(state, item)
    elif state.last is None or item.time_s > state.last.time_s:
        _roll(state, item)
    _set_off(life)


def _left(state: DeedState, event: TripStarted) -> None:
    last, origin = state.last, event.origin
    if last is not None and event.time_s - last.time_s <= LEFT_SEEN_S:
        _done(state, Deed(event.time_s, event.time_s, LEFT, origin.lat, origin.lon))


def _parked(life: LifeState, event: TripEnded, now_s: float) -> None:
    """A trip by car is over: how the car stood before is known, and where it stands now if its stop was seen."""
    state, stop, stood = life.deeds, life.deeds.stop, life.deeds.stands
    if stood is not None and stood.charged is not None:
        what = CHARGED if stood.charged else UNCHARGED
        _done(state, Deed(stood.time_s, now_s, what, stood.lat, stood.lon))
    state.stands = None
    if stop is None or stop.time_s < event.trip.start_s:
        return
    _done(state, Deed(stop.time_s, now_s, PARKED, stop.lat, stop.lon))
    if event.destination.place_id == f"p{life.car.at}":
        state.stands = Standing(stop.time_s, stop.lat, stop.lon)


def _set_off(life: LifeState) -> None:
    """Once one is well on the way, nothing more is learned of how the car stood where it did."""
    stands = life.deeds.stands
    if stands is None or stands.charged is not None or life.here is not None or not life.car.told:
        return
    if life.trip_way_m + life.track.length_m >= SETTING_OUT_M:
        stands.charged = life.car.charged


def _roll(state: DeedState, fix: Fix) -> None:
    """Where the car stops is where the first position lies at which it rolls no more."""
    last, mps = state.last, fix.speed_mps
    if mps is None and last is not None and fix.time_s - last.time_s <= SEEN_S:
        mps = gap_m(last.lat, last.lon, fix.lat, fix.lon) / (fix.time_s - last.time_s)
    state.last = Standing(fix.time_s, fix.lat, fix.lon)
    if mps is not None and mps >= ROLLS_MPS:
        state.rolled_s, state.stop = fix.time_s, None
    elif state.rolled_s is not None and state.stop is None:
        if fix.time_s - state.rolled_s <= SEEN_S:
            state.stop = state.last
        state.rolled_s = None


def _house(state: DeedState, signal: Signal) -> None:
    name = {HEATING: "heats", PRESENCE: "occupied"}.get(signal.key)
    on = signal.value
    if name is None or not (on is None or isinstance(on, bool)):
        return
    before: Switched | None = getattr(state, name)
    if before is not None and signal.time_s < before.time_s:
        return
    setattr(state, name, Switched(signal.time_s, on))
    if before is not None and before.on is False and on:
        what = HEATS if signal.key == HEATING else CAME_IN
        state.house.append(Deed(signal.time_s, signal.time_s, what))
        del state.house[:-MAX_HOUSE]


def _done(state: DeedState, deed: Deed) -> None:
    state.done.append(deed)
    del state.done[:-MAX_DEEDS]
