"""How regular a life is: which of the habits of `prior` foretold its own legs best, as these came.

Whoever goes somewhere each Sunday at two tells by two such Sundays where the third leads; of whoever does not, two Sundays tell
little. One constant cannot serve both. So each leg is foretold with each of these habits, and what came true weighs how
much each is trusted of the next: a Bayesian mixture of experts, whose evidence fades as votes do. Who moves house stays as
regular as he was.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

from msgspec import Struct, field

from hearthway.records.localtime import DAY_S

from .prior import HABITS, HALF_LIFE_DAYS, PastTrip, Prior

FIRST_ODDS = (
    20.0  # the first, which suit most people, against each other, until this life tells otherwise
)
MAX_FORETOLD = (
    200  # legs: two months of an ordinary life, after which a vote counts little more than a third
)


class Foretold(Struct, frozen=True, array_like=True):
    """A leg that was foretold: when it set out, and the log-probability that each of `HABITS` gave to what came true."""

    depart_s: float
    said: tuple[float, ...]


class Regularity(Struct, array_like=True):
    """The latest legs of a life that were foretold."""

    legs: list[Foretold] = field(default_factory=list)

    def trust(self, now_s: float) -> tuple[float, ...]:
        """How much each of `HABITS` is trusted of a leg that begins at `now_s`, together 1."""
        odds = [log(FIRST_ODDS), *(0.0 for _ in HABITS[1:])]
        for leg in self.legs:
            days = max(0.0, now_s - leg.depart_s) / DAY_S
            still = 0.5 ** (days / HALF_LIFE_DAYS)
            odds = [one + still * said for one, said in zip(odds, leg.said, strict=True)]
        top = max(odds)
        weights = [exp(one - top) for one in odds]
        whole = sum(weights)
        return tuple(weight / whole for weight in weights)

    def learn(self, foretold: Sequence[Prior], trip: PastTrip) -> None:
        """What came true, and what each had said of it."""
        said = [one.new if trip.new else one.places.get(trip.destination, 0.0) for one in foretold]
        if min(said) <= 0.0:
            return
        self.legs.append(Foretold(trip.depart_s, tuple(round(log(p), 4) for p in said)))
        del self.legs[:-MAX_FORETOLD]
