"""How past entries of the calendar were kept: how long after the word one left, and when one was there.

An entry was gone to where a leg to its place ended within an hour before or half an hour after its beginning. What one did not
go to, or nobody saw, tells nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hearthway.records.calendar import CalendarEntry
from hearthway.records.situation import Kept, about

from .places import PlaceBook
from .prior import PastTrip
from .state import LifeState

EARLY_S, LATE_S = 3600.0, 1800.0
MAX_KEPT = 20  # the latest, of all and of each place


def kept_of(
    state: LifeState,
    book: PlaceBook,
    entries: Iterable[CalendarEntry],
    words: Mapping[str, float],
) -> list[tuple[int, Kept]]:
    """(place, how it was kept) of past entries given by start; `words`: when one was told of each, by its mark."""
    by_place: dict[int, list[PastTrip]] = {}
    for leg in state.trips:
        by_place.setdefault(leg.destination, []).append(leg)
    found = []
    for entry in entries:
        if entry.cancelled or entry.all_day or entry.lat is None or entry.lon is None:
            continue
        place = book.nearest(entry.lat, entry.lon)
        trip = None if place is None else _gone_to(by_place.get(place.index, []), entry.start_s)
        if place is None or trip is None:
            continue
        word_s = words.get(about(entry.start_s))
        left_s = None if word_s is None else trip.depart_s - word_s
        if left_s is not None and left_s < 0.0:
            continue  # told once one was there: of another entry at that time
        arrived_s = trip.depart_s + trip.duration_s - entry.start_s
        found.append((place.index, Kept(left_s, arrived_s)))
    return found


def _gone_to(trips: list[PastTrip], start_s: float) -> PastTrip | None:
    """The last leg there that ended about then."""
    for trip in reversed(trips):
        arrived_s = trip.depart_s + trip.duration_s - start_s
        if -EARLY_S <= arrived_s <= LATE_S:
            return trip
    return None
