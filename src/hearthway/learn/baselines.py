"""What a destination is predicted with when nothing clever is done: three peers, given every fair chance.

Each names one of the person's places at the start of a trip, from the same past trips and places that Hearthway
has, and never one within `TRIP_MIN_M` of where the trip starts (a trip cannot end there).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from hearthway.context.flat import gap_m
from hearthway.context.places import KnownPlace
from hearthway.records.life import TRIP_MIN_M

MOST_FREQUENT = "most frequent place"
MARKOV = "first-order Markov"
SAME_HOUR = "last place at this weekday and hour"
NAMES = (MOST_FREQUENT, MARKOV, SAME_HOUR)


class Leaving(Struct, frozen=True):
    """A trip's start, as the peers see it: place index, Unix time, local second of the day, weekday."""

    origin: int
    time_s: float
    local_s: float
    weekday: int


class Went(Struct, frozen=True):
    """A past trip, as the peers see it."""

    leaving: Leaving
    destination: int


def baselines(
    departure: Leaving, places: Sequence[KnownPlace], trips: Sequence[Went]
) -> dict[str, int | None]:
    """Place index by baseline name; None only where no place can be named at all."""
    here = places[departure.origin]
    allowed = [
        place
        for place in places
        if not place.blank and gap_m(here.lat, here.lon, place.lat, place.lon) > TRIP_MIN_M
    ]
    open_to = {place.index for place in allowed}
    past = [trip for trip in trips if trip.destination in open_to]
    frequent = (
        max(allowed, key=lambda place: (place.visits, place.last_s, -place.index)).index
        if allowed
        else None
    )
    return {
        MOST_FREQUENT: frequent,
        MARKOV: _markov(departure, past, frequent),
        SAME_HOUR: _same_hour(departure, past, frequent),
    }


def _markov(departure: Leaving, past: list[Went], fallback: int | None) -> int | None:
    """Where trips from here went most often, the latest where equally often; else the fallback."""
    counts: Counter[int] = Counter()
    latest: dict[int, float] = {}
    for trip in past:
        if trip.leaving.origin == departure.origin:
            counts[trip.destination] += 1
            latest[trip.destination] = trip.leaving.time_s
    if not counts:
        return fallback
    return max(counts, key=lambda place: (counts[place], latest[place], -place))


def _same_hour(departure: Leaving, past: list[Went], fallback: int | None) -> int | None:
    """Where the last trip at this weekday and hour went; else on this kind of day, else at this hour."""
    hour = int(departure.local_s // 3600)
    at_hour = [trip for trip in past if int(trip.leaving.local_s // 3600) == hour]
    same_kind = [t for t in at_hour if (t.leaving.weekday < 5) == (departure.weekday < 5)]
    same_day = [trip for trip in at_hour if trip.leaving.weekday == departure.weekday]
    for choice in (same_day, same_kind, at_hour):
        if choice:
            return choice[-1].destination
    return fallback
