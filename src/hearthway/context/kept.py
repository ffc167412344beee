"""How past entries of the calendar were kept: how long after the word one left, and when one was there.

An entry was gone to where a leg to its place ended within an hour before or half an hour after its beginning. What one did not
go to, or nobody saw, tells nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

from hearthway.records.calendar import CalendarEntry
from hearthway.records.situation import Kept, about

from .past import PastLegs
from .places import PlaceBook
from .prior import PastTrip

EARLY_S, LATE_S = 3600.0, 1800.0
MAX_KEPT = 20  # the latest, of all and of each place


def kept_of(
    legs: PastLegs,
    book: PlaceBook,
    entries: Iterable[CalendarEntry],
    words: Mapping[str, float],
) -> list[tuple[int, Kept]]:
    """(place, how it was kept) of past entries given by start; `words`: when one was told of each, by its mark."""
    found = []
    for entry in entries:
        if entry.cancelled or entry.all_day or entry.lat is None or entry.lon is None:
            continue
        place = book.nearest(entry.lat, entry.lon)
        trip = None if place is None else _gone_to(legs.to(place.index), entry.start_s)
        if place is None or trip is None:
            continue
        word_s = words.get(about(entry.start_s))
        left_s = None if word_s is None else trip.depart_s - word_s
        if left_s is not None and left_s < 0.0:
            continue  # told once one was there: of another entry at that time
        found.append((place.index, Kept(left_s, _arrived_s(trip) - entry.start_s)))
    return found


def _gone_to(trips: Sequence[PastTrip], start_s: float) -> PastTrip | None:
    """The last leg there that ended about then; one ends before the next begins."""
    after = bisect_right(trips, start_s + LATE_S, key=_arrived_s)
    if not after or _arrived_s(trips[after - 1]) < start_s - EARLY_S:
        return None
    return trips[after - 1]


def _arrived_s(trip: PastTrip) -> float:
    return trip.depart_s + trip.duration_s
