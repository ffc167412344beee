"""What a destination is predicted with when nothing clever is done: three peers, given every fair chance.

Each names one of the person's places at the start of a trip, from the same past trips and places that Hearthway
has, and never one within `TRIP_MIN_M` of where the trip starts (a trip cannot end there).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from msgspec import Struct

from hearthway.context.flat import gap_m
from hearthway.context.places import KnownPlace
from hearthway.records.life import TRIP_MIN_M

MOST_FREQUENT = "most frequent place"
MARKOV = "first-order Markov"
SAME_HOUR = "last place at this weekday and hour"
NAMES = (MOST_FREQUENT, MARKOV, SAME_HOUR)
DAYS, FREE = 7, 5  # of a week, and the first free one


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


class WentBefore:
    """The past trips as the peers ask for them: by where they left, and by hour and weekday."""

    def __init__(self, trips: Iterable[Went] = ()) -> None:
        self.trips: list[Went] = []
        self._from: dict[int, dict[int, tuple[int, float]]] = {}  # how many led there, and the last
        self._at: dict[
            tuple[int, int], dict[int, int]
        ] = {}  # the number of the last that led there
        for trip in trips:
            self.add(trip)

    def add(self, trip: Went) -> None:
        """A trip is over; it began after all others."""
        leaving, to = trip.leaving, trip.destination
        led = self._from.setdefault(leaving.origin, {})
        led[to] = led.get(to, (0, 0.0))[0] + 1, leaving.time_s
        hour = _hour(leaving), leaving.weekday
        self._at.setdefault(hour, {})[to] = len(self.trips)
        self.trips.append(trip)

    def most_often(self, leaving: Leaving, among: Container[int]) -> int | None:
        """Where trips from here to one of these went most often, the latest where equally often."""
        led = self._from.get(leaving.origin, {}).items()
        found = [(count, last_s, -to) for to, (count, last_s) in led if to in among]
        return -max(found)[2] if found else None

    def latest(self, leaving: Leaving, among: Container[int]) -> int | None:
        """Where the last trip to one of these went at this weekday and hour; else on this kind of day, else at this hour."""
        hour, day = _hour(leaving), leaving.weekday
        alike = [d for d in range(DAYS) if (d < FREE) == (day < FREE)]
        for days in ((day,), alike, range(DAYS)):
            last = [
                (number, to)
                for each in days
                for to, number in self._at.get((hour, each), {}).items()
                if to in among
            ]
            if last:
                return max(last)[1]
        return None


def _hour(leaving: Leaving) -> int:
    return int(leaving.local_s // 3600)


def baselines(
    departure: Leaving, places: Sequence[KnownPlace], past: WentBefore
) -> dict[str, int | None]:
    """Place index by baseline name; None only where no place can be named at all."""
    here = places[departure.origin]
    allowed = [
        place
        for place in places
        if not place.blank and gap_m(here.lat, here.lon, place.lat, place.lon) > TRIP_MIN_M
    ]
    open_to = {place.index for place in allowed}
    frequent = (
        max(allowed, key=lambda place: (place.visits, place.last_s, -place.index)).index
        if allowed
        else None
    )
    markov, same_hour = past.most_often(departure, open_to), past.latest(departure, open_to)
    return {
        MOST_FREQUENT: frequent,
        MARKOV: frequent if markov is None else markov,
        SAME_HOUR: frequent if same_hour is None else same_hour,
    }
