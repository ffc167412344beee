"""How regular a life is: which of the habits of `prior` foretold its own legs best, as these came.

Whoever goes somewhere each Sunday at two tells by two such Sundays where the third leads; of whoever does not, two Sundays tell
little. One constant cannot serve both. So each leg is foretold with each of these habits, and what came true weighs how
much each is trusted of the next: a Bayesian mixture of experts, whose evidence fades as votes do. Who moves house stays as
regular as he was.

The same is asked of days off (`day_kind`): each leg on one is foretold with its calendar read in each way, and what came true
weighs how that calendar is read from then on. Such days are few, so this fades over years.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

from msgspec import Struct, field

from hearthway.records.localtime import DAY_S

from .day_kind import FREE, OWN, PLAIN, READINGS
from .prior import HABITS, HALF_LIFE_DAYS, PastTrip, Prior

FIRST_ODDS = (
    20.0  # the first, which suit most people, against each other, until this life tells otherwise
)
MAX_FORETOLD = (
    200  # legs: two months of an ordinary life, after which a vote counts little more than a third
)

# How a calendar of holidays is read before this life tells: as free days, and where it has too many for that as days like others.
FIRST_READ = {FREE: 4.0, PLAIN: 1.0, OWN: 1.0}
FIRST_READ_MANY = {FREE: 1.0, PLAIN: 4.0, OWN: 1.0}
READ_HALF_LIFE_DAYS = 730.0  # they come once a year
MAX_OFF = 300  # legs: some three years of school holidays


class Foretold(Struct, frozen=True, array_like=True):
    """A leg that was foretold: when it set out, and the log-probability that each of `HABITS` gave to what came true."""

    depart_s: float
    said: tuple[float, ...]


class OffForetold(Struct, frozen=True, array_like=True):
    """A leg on a day off that was foretold: the number of its calendar, and the log-probability of what came true by `READINGS`."""

    depart_s: float
    off: int
    said: tuple[float, ...]


class Regularity(Struct, array_like=True):
    """The latest legs of a life that were foretold, and those on days off."""

    legs: list[Foretold] = field(default_factory=list)
    off: list[OffForetold] = field(default_factory=list)

    def trust(self, now_s: float) -> tuple[float, ...]:
        """How much each of `HABITS` is trusted of a leg that begins at `now_s`, together 1."""
        odds = [log(FIRST_ODDS), *(0.0 for _ in HABITS[1:])]
        for leg in self.legs:
            days = max(0.0, now_s - leg.depart_s) / DAY_S
            still = 0.5 ** (days / HALF_LIFE_DAYS)
            odds = [one + still * said for one, said in zip(odds, leg.said, strict=True)]
        return _shares(odds)

    def readings(self, number: int, now_s: float, *, many: bool = False) -> tuple[float, ...]:
        """How much each of `READINGS` of the calendar of that number is trusted of a leg that begins at `now_s`, together 1.

        `many`: it has too many days for anybody to be free on all of them.
        """
        first = FIRST_READ_MANY if many else FIRST_READ
        odds = [log(first[reading]) for reading in READINGS]
        for leg in self.off:
            if leg.off == number:
                still = 0.5 ** (max(0.0, now_s - leg.depart_s) / DAY_S / READ_HALF_LIFE_DAYS)
                odds = [one + still * said for one, said in zip(odds, leg.said, strict=True)]
        return _shares(odds)

    def read(self, many: Sequence[bool], now_s: float) -> tuple[int, ...]:
        """How calendars 1, 2, ... are most probably to be read; `many` as for `readings`, by calendar."""
        found = []
        for number, too_many in enumerate(many, 1):
            trusted = self.readings(number, now_s, many=too_many)
            found.append(READINGS[trusted.index(max(trusted))])
        return tuple(found)

    def learn(self, foretold: Sequence[Prior], trip: PastTrip) -> None:
        """What came true, and what each had said of it."""
        said = _said(foretold, trip)
        if said:
            self.legs.append(Foretold(trip.depart_s, said))
            del self.legs[:-MAX_FORETOLD]

    def learn_off(self, foretold: Sequence[Prior], trip: PastTrip) -> None:
        """The same of a leg on a day off, by `READINGS`."""
        said = _said(foretold, trip)
        if said:
            self.off.append(OffForetold(trip.depart_s, trip.off, said))
            del self.off[:-MAX_OFF]


def _said(foretold: Sequence[Prior], trip: PastTrip) -> tuple[float, ...]:
    """The log-probability that each gave to where this leg led; nothing where one thought it impossible."""
    said = [one.new if trip.new else one.places.get(trip.destination, 0.0) for one in foretold]
    return () if min(said) <= 0.0 else tuple(round(log(p), 4) for p in said)


def _shares(odds: Sequence[float]) -> tuple[float, ...]:
    """Of log-odds the shares, together 1."""
    top = max(odds)
    weights = [exp(one - top) for one in odds]
    whole = sum(weights)
    return tuple(weight / whole for weight in weights)
