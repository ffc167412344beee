"""Where somebody who stays will go next: the counts of `prior`, at the time at which he will likely leave.

The counts are joined with weights of their own, `STAYING`: those of `prior` serve the route, whose constants were set with
them. Somewhere new, too, is likely as it came true where there is no route: the counted rate is too sharp, and too low
while nearly every place is still unknown. The constants are the same for everybody and rounded. They were set on
the training and validation visits of every second of 45 people of GeoLife and every sixth of 535 of Foursquare New
York, by log-loss, GeoLife counting double. Nothing is stored: the answer follows from the legs, so forgetting is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp

from msgspec import Struct

from hearthway.records.localtime import DAY_S

from .places import KnownPlace
from .prior import (
    HALF_LIFE_DAYS,
    Departure,
    PastTrip,
    Prior,
    Weights,
    prior_of,
)
from .settling import Change

STAYING = Weights(
    origin=0.7,
    hour=0.9,
    both=0.8,
    fast=0.3,
    back=0.0,
    once=-0.8,
    today=-0.4,
    near=1.0,
    irregular=0.08,
)

W_RATE = 0.7  # of the log-odds of somewhere new
NEW_BIAS = -0.6
NEW_FIRST = 1.5  # over the number of legs: whose history has just begun is nearly everywhere for the first time
DAYS_AHEAD = 8
OTHER_WEEKDAY = 0.5  # what when one leaves on a Monday says of a Tuesday
OTHER_KIND = 0.05  # and it says little of a Sunday
SEEN_NIGHTS = 3  # who was not seen to leave for longer may have been without a phone
SLOT_S = 900.0  # what is asked within a quarter of an hour is asked once


class NextPlaces(Struct, frozen=True):
    """Probabilities by place index, the likeliest first; they and `new` sum to 1. `leave_s`: the likely departure."""

    places: tuple[tuple[int, float], ...]
    new: float
    leave_s: float
    planned: float = 0.0  # of what the calendar has next, where one was never there; part of that 1


class WhereNext:
    """Asks for somebody who stays; what was answered holds for that quarter of an hour, and until a leg is learned."""

    def __init__(self) -> None:
        self._asked: tuple[Departure, int, tuple[Change, ...]] | None = None
        self._leaving: Departure | None = None
        self._answer = NextPlaces((), 1.0, 0.0)

    def ask(
        self,
        here: Departure,
        places: list[KnownPlace],
        trips: list[PastTrip],
        stays: int,
        changes: tuple[Change, ...] = (),
    ) -> NextPlaces:
        """What is likely for somebody who is at `here.origin` at `here.time_s`, a full slot, in his stay number `stays`."""
        asked = here, stays, changes
        if self._asked == asked:
            return self._answer
        leaving = leaving_of(here, trips)
        known = self._asked is not None and self._asked[1:] == asked[1:]
        if not known or self._leaving != leaving:
            prior = likely(leaving, places, trips, changes=changes)
            self._answer = NextPlaces(ranked(prior.places.items()), prior.new, leaving.time_s)
        self._asked, self._leaving = asked, leaving
        return self._answer


def leaving_of(here: Departure, trips: Sequence[PastTrip]) -> Departure:
    """The likely departure of somebody who is at `here.origin` at `here.time_s`, to a slot."""
    local_s = (here.local_s + likely_wait_s(here, trips)) // SLOT_S * SLOT_S
    local_s = max(local_s, here.local_s)
    return Departure(
        here.origin,
        here.time_s + local_s - here.local_s,
        local_s % DAY_S,
        (here.weekday + int(local_s // DAY_S)) % 7,
    )


def likely(
    leaving: Departure,
    places: list[KnownPlace],
    trips: list[PastTrip],
    among: Sequence[KnownPlace] | None = None,
    changes: Sequence[Change] = (),
) -> Prior:
    """What past legs say of who leaves then, calibrated; `among` and `changes` as for `prior_of`."""
    return calibrated(prior_of(leaving, places, trips, changes, STAYING, among), len(trips))


def calibrated(prior: Prior, legs: int) -> Prior:
    """The prior with somewhere new as likely as it came true where there is no route, after so many legs."""
    if not prior.places:
        return prior
    odds = (prior.new / (1.0 - prior.new)) ** W_RATE * exp(NEW_BIAS + NEW_FIRST / (legs + 1))
    new = odds / (1.0 + odds)
    rest = (1.0 - new) / (1.0 - prior.new)
    return Prior({index: p * rest for index, p in prior.places.items()}, new, prior.votes)


def ranked(places: Iterable[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """The likeliest first; the older place where two are equally likely."""
    return tuple(sorted(places, key=lambda pair: (-pair[1], pair[0])))


def likely_wait_s(here: Departure, trips: Sequence[PastTrip]) -> float:
    """How long until he leaves, seconds: the median of when the first past departure from here comes again.

    Each comes again on each of the next days at its time, as often as on the days on which one was here, those without a
    departure included; both are weighed by age and by kind of day. 0 where nobody ever left from here.
    """
    legs = [
        _Past(trip.weekday, trip.local_s, _age(here, trip.depart_s))
        for trip in trips
        if here.origin is not None and trip.origin == here.origin
    ]
    legs.sort(key=lambda past: past.local_s)
    days = _days_here(here, trips) if legs else []
    still, left = 1.0, list[tuple[float, float]]()
    for later in range(DAYS_AHEAD):
        weekday = (here.weekday + later) % 7
        whole = sum(day.age * _kind(day.weekday, weekday) for day in days)
        for past in legs:
            if later or past.local_s > here.local_s:
                still *= 1.0 - min(1.0, past.age * _kind(past.weekday, weekday) / whole)
                left.append((later * DAY_S + past.local_s - here.local_s, still))
        if still <= 0.5:
            break
    half = (1.0 + still) / 2.0 if still > 0.5 else 0.5  # of the times at which he leaves at all
    return next((wait_s for wait_s, stays in left if stays <= half), 0.0)


class _Past(Struct, frozen=True):
    """A past departure, or a day here: when, and what it still counts."""

    weekday: int
    local_s: float
    age: float


def _days_here(here: Departure, trips: Sequence[PastTrip]) -> list[_Past]:
    """The local days on any part of which one was here, between an arrival and the departure after it."""
    found: dict[int, _Past] = {}
    for at, trip in enumerate(trips):
        if trip.origin != here.origin:
            continue
        last = round((trip.depart_s - trip.local_s) / DAY_S)
        first = last
        if at and trips[at - 1].destination == here.origin:
            came_s = trips[at - 1].depart_s + trips[at - 1].duration_s
            nights = int((trip.depart_s - came_s + DAY_S - trip.local_s) // DAY_S)
            first -= nights if nights <= SEEN_NIGHTS else 0
        for day in range(first, last + 1):
            since_s = trip.depart_s - (last - day) * DAY_S
            weekday = (trip.weekday - (last - day)) % 7
            found[day] = _Past(weekday, 0.0, _age(here, since_s))
    return list(found.values())


def _age(here: Departure, time_s: float) -> float:
    return float(0.5 ** (max(0.0, here.time_s - time_s) / DAY_S / HALF_LIFE_DAYS))


def _kind(weekday: int, other: int) -> float:
    if weekday == other:
        return 1.0
    return OTHER_WEEKDAY if (weekday < 5) == (other < 5) else OTHER_KIND
