"""Calendar entries -> what a situation says of them: where they are in this life, and own trips from here to there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hearthway.records.calendar import CalendarEntry
from hearthway.records.life import Place
from hearthway.records.situation import Agenda, Kept, OwnTrip, Planned

from .flat import gap_m
from .kept import MAX_KEPT, kept_of
from .past import PastLegs
from .places import PlaceBook
from .state import LifeState

MAX_TRIPS = 20  # the latest own trips of a pair of places
MAX_PLANNED = 16
MAX_WAYS = 10  # ways whose latest trip tells how this person's time compares with the map's
WAY_MIN_M = 1500.0  # on a shorter way parking is most of the time


class OwnWays:
    """What past legs tell of the ways between places; how far and how long they are is put together once."""

    def __init__(self, state: LifeState, book: PlaceBook, past: PastLegs) -> None:
        self.past = past
        self._state, self._book = state, book
        self._asked: tuple[dict[int, str], int] | None = None
        self._farthest_m = 0.0
        self._latest: tuple[OwnTrip, ...] = ()

    @property
    def farthest_m(self) -> float:
        """The longest trip so far, by its bee-line."""
        self._look_up()
        return self._farthest_m

    @property
    def latest(self) -> tuple[OwnTrip, ...]:
        """The latest trip of each of the latest ways."""
        self._look_up()
        return self._latest

    def trips_s(self, here: int | None, there: int) -> tuple[float, ...]:
        """How long own trips from one place to another took."""
        return tuple([t.duration_s for t in self.past.between(here, there)[-MAX_TRIPS:]])

    def _look_up(self) -> None:
        """Anew once a leg was learned, or a place is another: then its labels are."""
        labels, legs = self._book.labels(), len(self.past.trips)
        if self._asked is not None and self._asked[0] is labels and self._asked[1] == legs:
            return
        places, latest, farthest_m = self._state.places, list[OwnTrip](), 0.0
        for origin, destination, trip in self.past.ways():
            if min(origin, destination) < 0:
                continue
            a, b = places[origin], places[destination]
            away_m = gap_m(a.lat, a.lon, b.lat, b.lon)
            farthest_m = max(farthest_m, away_m)
            if away_m >= WAY_MIN_M and len(latest) < MAX_WAYS:
                latest.append(OwnTrip(a.lat, a.lon, b.lat, b.lon, trip.duration_s))
        self._asked = labels, legs
        self._farthest_m, self._latest = farthest_m, tuple(latest)


def agenda_of(
    state: LifeState,
    book: PlaceBook,
    own: OwnWays,
    entries: Iterable[CalendarEntry],
    past: Iterable[CalendarEntry] = (),
    words: Mapping[str, float] | None = None,
) -> Agenda | None:
    """The agenda of entries given by start; None where there are none that were not called off.

    `past` entries tell how such are kept, with the time of the word about each, by its mark.
    """
    coming = [entry for entry in entries if not entry.cancelled][:MAX_PLANNED]
    if not coming:
        return None
    kept = kept_of(own.past, book, past, words or {})
    planned, before = [], None
    for entry in coming:
        planned.append(_planned(state, book, own, entry, before, kept))
        if entry.lat is not None and not entry.all_day:
            before = entry
    return Agenda(
        planned=tuple(planned),
        farthest_m=own.farthest_m,
        own_trips=own.latest,
        kept=tuple(one for _, one in kept[-MAX_KEPT:]),
    )


def _planned(
    state: LifeState,
    book: PlaceBook,
    own: OwnWays,
    entry: CalendarEntry,
    before: CalendarEntry | None,
    kept: Sequence[tuple[int, Kept]],
) -> Planned:
    place: Place | None = None
    trips_s: tuple[float, ...] = ()
    from_before_s: tuple[float, ...] = ()
    here: tuple[Kept, ...] = ()
    if entry.lat is not None and entry.lon is not None:
        known = book.nearest(entry.lat, entry.lon)
        if known is None:
            place = Place(place_id="", lat=entry.lat, lon=entry.lon, visits=0)
        else:
            place = book.record(known)
            at = state.here if state.here is not None else state.previous_place
            trips_s = own.trips_s(at, known.index)
            from_before_s = own.trips_s(_index_at(book, before), known.index)
            here = tuple([one for index, one in kept if index == known.index][-MAX_KEPT:])
    return Planned(
        title=entry.title,
        start_s=entry.start_s,
        end_s=entry.end_s,
        all_day=entry.all_day,
        location=entry.location,
        place=place,
        place_from=entry.place_from,
        trips_s=trips_s,
        from_before_s=from_before_s,
        kept=here,
    )


def _index_at(book: PlaceBook, entry: CalendarEntry | None) -> int | None:
    if entry is None or entry.lat is None or entry.lon is None:
        return None
    known = book.nearest(entry.lat, entry.lon)
    return None if known is None else known.index
