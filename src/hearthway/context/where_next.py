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

from .day_kind import NO_DAYS_OFF, DayKinds, alike
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
        self._asked: tuple[Departure, int, tuple[Change, ...], tuple[int, ...]] | None = None
        self._leaving: Departure | None = None
        self._answer = NextPlaces((), 1.0, 0.0)

    def ask(
        self,
        here: Departure,
        places: list[KnownPlace],
        trips: list[PastTrip],
        stays: int,
        changes: tuple[Change, ...] = (),
        kinds: DayKinds = NO_DAYS_OFF,
    ) -> NextPlaces:
        """What is likely for somebody who is at `here.origin` at `here.time_s`, a full slot, in his stay number `stays`."""
        asked = here, stays, changes, kinds.read
        if self._asked == asked:
            return self._answer
        leaving = leaving_of(here, trips, kinds)
        known = self._asked is not None and self._asked[1:] == asked[1:]
        if not known or self._leaving != leaving:
            prior = likely(leaving, places, trips, changes=changes, read=kinds.read)
            self._answer = NextPlaces(ranked(prior.places.items()), prior.new, leaving.time_s)
        self._asked, self._leaving = asked, leaving
        return self._answer


def leaving_of(
    here: Departure, trips: Sequence[PastTrip], kinds: DayKinds = NO_DAYS_OFF
) -> Departure:
    """The likely departure of somebody who is at `here.origin` at `here.time_s`, to a slot."""
    local_s = (here.local_s + likely_wait_s(here, trips, kinds)) // SLOT_S * SLOT_S
    local_s = max(local_s, here.local_s)
    later = int(local_s // DAY_S)
    return Departure(
        here.origin,
        here.time_s + local_s - here.local_s,
        local_s % DAY_S,
        (here.weekday + later) % 7,
        kinds.off_after(here.time_s, here.local_s, here.weekday, later),
    )


def likely(
    leaving: Departure,
    places: list[KnownPlace],
    trips: list[PastTrip],
    among: Sequence[KnownPlace] | None = None,
    changes: Sequence[Change] = (),
    read: Sequence[int] = (),
) -> Prior:
    """What past legs say of who leaves then, calibrated; `among`, `changes` and `read` as for `prior_of`."""
    prior = prior_of(leaving, places, trips, changes, STAYING, among, read=read)
    return calibrated(prior, len(trips))


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


def likely_wait_s(
    here: Departure, trips: Sequence[PastTrip], kinds: DayKinds = NO_DAYS_OFF
) -> float:
    """How long until he leaves, seconds: the median of when the first past departure from here comes again.

    Each comes again on each of the next days at its time, as often as on the days on which one was still here then, those
    without a departure included; all are weighed by age and by kind of day (Kaplan and Meier 1958: a day on which one had
    left before says nothing of when one leaves who is still here). 0 where nobody ever left from here.
    """
    stretches = _stretches(here, trips, kinds)
    by_begin = sorted(stretches, key=lambda one: one.begin_s)
    by_end = sorted(stretches, key=lambda one: one.end_s)
    still, left = 1.0, list[tuple[float, float]]()
    for later in range(DAYS_AHEAD if stretches else 0):
        today = kinds.after(here.time_s, here.local_s, here.weekday, later)
        begun, here_still = 0, 0.0
        for one in by_end:
            while begun < len(by_begin) and by_begin[begun].begin_s <= one.end_s:
                here_still += by_begin[begun].age * _kind(by_begin[begun].day, today)
                begun += 1
            weight = one.age * _kind(one.day, today)
            if one.left and (later or one.end_s > here.local_s):
                still *= 1.0 - weight / max(weight, here_still)
                left.append((later * DAY_S + one.end_s - here.local_s, still))
            here_still -= weight
        if still <= 0.5:
            break
    half = (1.0 + still) / 2.0 if still > 0.5 else 0.5  # of the times at which he leaves at all
    return next((wait_s for wait_s, stays in left if stays <= half), 0.0)


class _Stretch(Struct, frozen=True):
    """A part of a past local day on which one was here, whether he left then, and what it still counts."""

    day: int  # of `day_kind`
    begin_s: float
    end_s: float
    left: bool
    age: float


def _stretches(here: Departure, trips: Sequence[PastTrip], kinds: DayKinds) -> list[_Stretch]:
    """Between each arrival and the departure after it, day by day; from midnight on where the arrival is not known."""
    found = list[_Stretch]()
    for at, trip in enumerate(trips):
        if here.origin is None or trip.origin != here.origin:
            continue
        nights, came_s = 0, 0.0  # local, of the first day
        if at and trips[at - 1].destination == here.origin:
            stayed_s = max(0.0, trip.depart_s - trips[at - 1].depart_s - trips[at - 1].duration_s)
            nights = int((stayed_s + DAY_S - trip.local_s) // DAY_S)
            came_s = trip.local_s - stayed_s + nights * DAY_S
            if nights > SEEN_NIGHTS:
                nights, came_s = 0, 0.0
        found += [
            _Stretch(
                day=kinds.after(trip.depart_s, trip.local_s, trip.weekday, -back),
                begin_s=came_s if back == nights else 0.0,
                end_s=DAY_S if back else trip.local_s,
                left=not back,
                age=_age(here, trip.depart_s - back * DAY_S),
            )
            for back in range(nights, -1, -1)
        ]
    return found


def _age(here: Departure, time_s: float) -> float:
    return float(0.5 ** (max(0.0, here.time_s - time_s) / DAY_S / HALF_LIFE_DAYS))


def _kind(day: int, other: int) -> float:
    return alike(day, other, OTHER_WEEKDAY, OTHER_KIND)
