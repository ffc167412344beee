"""Calendar entries -> what a situation says of them: where they are in this life, and own trips from here to there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hearthway.records.calendar import CalendarEntry
from hearthway.records.life import Place
from hearthway.records.situation import Agenda, Kept, OwnTrip, Planned

from .flat import gap_m
from .kept import MAX_KEPT, kept_of
from .places import PlaceBook
from .state import LifeState

MAX_TRIPS = 20  # the latest own trips of a pair of places
MAX_PLANNED = 16
MAX_WAYS = 10  # ways whose latest trip tells how this person's time compares with the map's
WAY_MIN_M = 1500.0  # on a shorter way parking is most of the time


def agenda_of(
    state: LifeState,
    book: PlaceBook,
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
    kept = kept_of(state, book, past, words or {})
    planned, before = [], None
    for entry in coming:
        planned.append(_planned(state, book, entry, before, kept))
        if entry.lat is not None and not entry.all_day:
            before = entry
    return Agenda(
        planned=tuple(planned),
        farthest_m=farthest_m(state),
        own_trips=_own_trips(state),
        kept=tuple(one for _, one in kept[-MAX_KEPT:]),
    )


def _planned(
    state: LifeState,
    book: PlaceBook,
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
            trips_s = _trips_s(state, at, known.index)
            from_before_s = _trips_s(state, _index_at(book, before), known.index)
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


def _trips_s(state: LifeState, here: int | None, there: int) -> tuple[float, ...]:
    """How long own trips from one place to another took."""
    if here is None:
        return ()
    found = [t.duration_s for t in state.trips if t.origin == here and t.destination == there]
    return tuple(found[-MAX_TRIPS:])


def farthest_m(state: LifeState) -> float:
    """The longest trip so far, by its bee-line."""
    ends = {(t.origin, t.destination) for t in state.trips if min(t.origin, t.destination) >= 0}
    places = state.places
    return max(
        (gap_m(places[a].lat, places[a].lon, places[b].lat, places[b].lon) for a, b in ends),
        default=0.0,
    )


def _own_trips(state: LifeState) -> tuple[OwnTrip, ...]:
    found: dict[tuple[int, int], OwnTrip] = {}
    for trip in reversed(state.trips):
        way = trip.origin, trip.destination
        if min(way) < 0 or way in found:
            continue
        a, b = state.places[trip.origin], state.places[trip.destination]
        if gap_m(a.lat, a.lon, b.lat, b.lon) >= WAY_MIN_M:
            found[way] = OwnTrip(a.lat, a.lon, b.lat, b.lon, trip.duration_s)
        if len(found) == MAX_WAYS:
            break
    return tuple(found.values())
