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
        self._stay: tuple[tuple[int | None, int, tuple[int, ...]], Leavings] | None = None
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
        leaving = self._leavings(here, trips, stays, kinds).leaving(here)
        known = self._asked is not None and self._asked[1:] == asked[1:]
        if not known or self._leaving != leaving:
            prior = likely(leaving, places, trips, changes=changes, read=kinds.read)
            self._answer = NextPlaces(ranked(prior.places.items()), prior.new, leaving.time_s)
        self._asked, self._leaving = asked, leaving
        return self._answer

    def _leavings(
        self, here: Departure, trips: Sequence[PastTrip], stays: int, kinds: DayKinds
    ) -> Leavings:
        """The same during a stay: no leg is learned in one."""
        stay = here.origin, stays, kinds.read
        if self._stay is None or self._stay[0] != stay:
            self._stay = stay, Leavings(here.origin, trips, kinds)
        return self._stay[1]


def leaving_of(
    here: Departure, trips: Sequence[PastTrip], kinds: DayKinds = NO_DAYS_OFF
) -> Departure:
    """The likely departure of somebody who is at `here.origin` at `here.time_s`, to a slot."""
    return Leavings(here.origin, trips, kinds).leaving(here)


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


class _Stretch(Struct, frozen=True):
    """A part of a past local day on which one was here, whether he left then, and what it still counts."""

    day: int  # of `day_kind`
    begin_s: float
    end_s: float
    left: bool
    age: float


class Leavings:
    """The past stays at a place and how they ended, put together for one stay there: to be asked at any time of it."""

    def __init__(
        self, origin: int | None, trips: Sequence[PastTrip], kinds: DayKinds = NO_DAYS_OFF
    ) -> None:
        """All legs that a life keeps: a place where one was but years ago is known by nothing else."""
        self._kinds = kinds
        stretches = _stretches(origin, trips, kinds)
        self._by_begin = sorted(stretches, key=lambda one: one.begin_s)
        self._by_end = sorted(stretches, key=lambda one: one.end_s)
        self._known: dict[int, list[tuple[float, float]]] = {}

    def leaving(self, here: Departure) -> Departure:
        """See `leaving_of`."""
        local_s = (here.local_s + self.likely_wait_s(here)) // SLOT_S * SLOT_S
        local_s = max(local_s, here.local_s)
        later = int(local_s // DAY_S)
        return Departure(
            here.origin,
            here.time_s + local_s - here.local_s,
            local_s % DAY_S,
            (here.weekday + later) % 7,
            self._kinds.off_after(here.time_s, here.local_s, here.weekday, later),
        )

    def likely_wait_s(self, here: Departure) -> float:
        """How long until he leaves, seconds: the median of when the first past departure from here comes again.

        Each comes again on each of the next days at its time, as often as on the days on which one was still here then, those
        without a departure included; all are weighed by age and by kind of day (Kaplan and Meier 1958: a day on which one had
        left before says nothing of when one leaves who is still here). 0 where nobody ever left from here.
        """
        still, left = 1.0, list[tuple[float, float]]()
        for later in range(DAYS_AHEAD if self._by_end else 0):
            today = self._kinds.after(here.time_s, here.local_s, here.weekday, later)
            for end_s, stays in self._left(today):
                if later or end_s > here.local_s:
                    still *= stays
                    wait_s = later * DAY_S + end_s - here.local_s
                    if still <= 0.5:
                        return wait_s
                    left.append((wait_s, still))
        half = (1.0 + still) / 2.0  # of the times at which he leaves at all
        return next((wait_s for wait_s, stays in left if stays <= half), 0.0)

    def _left(self, today: int) -> list[tuple[float, float]]:
        """On such a day: when one left, in the order of the day, and what share of those who were still here then stays on."""
        found = self._known.get(today)
        if found is None:
            found = self._known[today] = []
            begun, here_still = 0, 0.0
            for one in self._by_end:
                while begun < len(self._by_begin) and self._by_begin[begun].begin_s <= one.end_s:
                    here_still += self._by_begin[begun].age * _kind(
                        self._by_begin[begun].day, today
                    )
                    begun += 1
                weight = one.age * _kind(one.day, today)
                if one.left:
                    found.append((one.end_s, 1.0 - weight / max(weight, here_still)))
                here_still -= weight
        return found


def _stretches(origin: int | None, trips: Sequence[PastTrip], kinds: DayKinds) -> list[_Stretch]:
    """Between each arrival and the departure after it, day by day; from midnight on where the arrival is not known.

    What one counts is by its age against the latest leg's: against others alone it tells anything.
    """
    found = list[_Stretch]()
    if origin is None or not trips:
        return found
    latest_s = trips[-1].depart_s
    before: PastTrip | None = None
    for trip in trips:
        last, before = before, trip
        if trip.origin != origin:
            continue
        nights, came_s = 0, 0.0  # local, of the first day
        if last is not None and last.destination == origin:
            stayed_s = max(0.0, trip.depart_s - last.depart_s - last.duration_s)
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
                age=float(
                    0.5 ** ((latest_s - trip.depart_s + back * DAY_S) / DAY_S / HALF_LIFE_DAYS)
                ),
            )
            for back in range(nights, -1, -1)
        ]
    return found


def _kind(day: int, other: int) -> float:
    return alike(day, other, OTHER_WEEKDAY, OTHER_KIND)
