"""Posterior -> the destinations of a situation: each place with its probability, the likeliest with the usual stop on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from hearthway.records.life import Place
from hearthway.records.situation import Destination, Planned

from .day_kind import DayKinds
from .destination import DestinationModel, Posterior
from .drawn import next_goal
from .halts import stop_of, to_come
from .places import KnownPlace, PlaceBook
from .state import LifeState

Came = tuple[tuple[int, int], ...]  # how many visits began in each quarter of an hour
SHOWN = 24  # candidates in a situation; the rest of the mass is spread over many


class Shown:
    """The destinations of a situation; what a posterior says of the places is put together once."""

    def __init__(self, state: LifeState, book: PlaceBook, model: DestinationModel) -> None:
        self._state, self._book, self._model = state, book, model
        self._posterior: Posterior | None = None
        self._labels: dict[int, str] = {}
        self._known: dict[int, tuple[Place, Came | UnsetType]] = {}
        self._found: tuple[Destination, ...] = ()

    def of(
        self, posterior: Posterior, planned: Sequence[Planned], kinds: DayKinds
    ) -> tuple[Destination, ...]:
        """The likeliest first; also the place of the calendar's next entry, where this person was never there."""
        found, departure = self._places(posterior), self._state.departure
        if departure is None:
            return found
        if found:
            usual = self._model.usual_stop(departure, posterior.places[0][0], kinds)
            made = [stop_of(halt) for halt in self._state.halts]
            via = to_come(usual, made, self._state.track)
            if via is not None:
                found = (replace(found[0], via=via), *found[1:])
        places = self._state.places
        return with_planned(found, posterior.planned, planned, places, departure.time_s)

    def _places(self, posterior: Posterior) -> tuple[Destination, ...]:
        labels = self._book.labels()  # others as soon as anything of a place is another
        if labels is not self._labels:
            self._known.clear()
        if posterior is not self._posterior or labels is not self._labels:
            known = self._known
            for index, _ in posterior.places[:SHOWN]:
                if index not in known:
                    place = self._state.places[index]
                    came = tuple(sorted(Counter(place.began_q).items()))
                    known[index] = self._book.record(place), came or UNSET
            self._found = tuple(
                Destination(place=known[index][0], p=p, came=known[index][1])
                for index, p in posterior.places[:SHOWN]
            )
            self._posterior, self._labels = posterior, labels
        return self._found


def goal_of(
    state: LifeState, posterior: Posterior, planned: Sequence[Planned]
) -> KnownPlace | None:
    """Where this leg most probably leads, of all of these; None where no place is probable."""
    first = posterior.places[0] if posterior.places else None
    if posterior.planned > (0.0 if first is None else first[1]) and state.departure is not None:
        found = next_goal(planned, state.places, state.departure.time_s)
        return None if found is None else found[1].place
    return None if first is None else state.places[first[0]]


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
