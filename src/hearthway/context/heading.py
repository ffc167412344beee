"""Posterior -> the destinations of a situation: each place with its probability, the likeliest with the usual stop on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from hearthway.records.situation import Destination, Planned, Via

from .day_kind import DayKinds
from .destination import Posterior
from .drawn import next_goal
from .halts import stop_of, via_of
from .places import KnownPlace, PlaceBook
from .state import LifeState

SHOWN = 24  # candidates in a situation; the rest of the mass is spread over many


def destinations_of(
    state: LifeState,
    book: PlaceBook,
    posterior: Posterior,
    planned: Sequence[Planned],
    kinds: DayKinds,
) -> tuple[Destination, ...]:
    """The likeliest first; also the place of the calendar's next entry, where this person was never there."""
    found = tuple(
        Destination(
            place=book.record(state.places[index]),
            p=p,
            via=UNSET if at else _via(state, index, kinds),
            came=_came(tuple(state.places[index].began_q)) or UNSET,
        )
        for at, (index, p) in enumerate(posterior.places[:SHOWN])
    )
    if state.departure is None:
        return found
    return with_planned(found, posterior.planned, planned, state.places, state.departure.time_s)


@lru_cache(maxsize=256)  # of each candidate, at each look; a place's visits change once a visit
def _came(began_q: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """How many visits began in each quarter of an hour."""
    return tuple(sorted(Counter(began_q).items()))


def goal_of(
    state: LifeState, posterior: Posterior, planned: Sequence[Planned]
) -> KnownPlace | None:
    """Where this leg most probably leads, of all of these; None where no place is probable."""
    first = posterior.places[0] if posterior.places else None
    if posterior.planned > (0.0 if first is None else first[1]) and state.departure is not None:
        found = next_goal(planned, state.places, state.departure.time_s)
        return None if found is None else found[1].place
    return None if first is None else state.places[first[0]]


def _via(state: LifeState, destination: int, kinds: DayKinds) -> Via | UnsetType:
    """The usual stop on the way there that is still to come."""
    if state.departure is None:
        return UNSET
    made = [stop_of(halt) for halt in state.halts]
    found = via_of(state.trips, state.departure, destination, made, state.track, kinds)
    return found or UNSET


def with_planned(
    destinations: tuple[Destination, ...],
    p: float,
    planned: Sequence[Planned],
    places: Sequence[KnownPlace],
    time_s: float,
) -> tuple[Destination, ...]:
    """Also the place of the calendar's next entry at `time_s`, with this probability, where one was never there."""
    found = next_goal(planned, places, time_s) if p > 0.0 else None
    if found is None or found[0].place is None:
        return destinations
    entry, place = found[0], found[0].place
    name = entry.location.split(",")[0].strip() or entry.title
    shown = Destination(place=replace(place, name=place.called or name), p=p)
    return tuple(sorted((*destinations, shown), key=lambda d: -d.p))
