"""Is this a day on which one eats out? From the days between one's own such meals.

Where and at what hour one eats says nothing of the day: who dines out every eighth evening and did so yesterday is on another errand
that leads past the table, and a habit that was broken off leads past it as well. So how regular the gaps are is
learned: Erlang distributions about their median, from none (by lot) to those that hardly scatter, with a share of gaps by lot
beside, weighed by how well they foretold the gaps so far. They tell how likely the next meal is on this very day,
against a day drawn by lot; and, as each meal may have been the habit's last, whether it goes on at all (by these and the gaps themselves, a Dirichlet process): models of customers who
leave unseen ask the same (Platzer & Reutterer 2016, the Pareto/GGG; Fader, Hardie & Lee 2005, the BG/NBD).
Both only take away: what speaks for the day is in where the drive leads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise, product
from math import exp, prod
from statistics import median

from msgspec import Struct

from hearthway.assist.memory import Meal
from hearthway.context.routines import meal_of
from hearthway.records.count import count_of

from .settings import A_MEAL_P, BY_LOT, LAST_OF, LATEST_GAPS, REGULAR, SMOOTH
from .sorts import was_coffee

TELLS = 0.75  # what takes less than a quarter may be the chance of few gaps, and takes nothing


class Rhythm(Struct, frozen=True, kw_only=True):
    """How the days since the last such meal compare with the gaps before it; the shares multiply a probability."""

    since: int = 0  # local days
    usual: float = 0.0  # likewise, the median of the gaps
    gaps: int = 0
    soon: float = 1.0  # what having eaten so lately leaves
    goes_on: float = 1.0  # probability that the habit goes on, against that on the usual day

    @property
    def share(self) -> float:
        """What both leave."""
        both = self.soon * self.goes_on
        return both if both < TELLS else 1.0

    def words(self, name: str) -> str:
        """Where it takes something away."""
        if self.share == 1.0:
            return ""
        days = "a day" if self.since == 1 else f"{self.since} days"
        return f"; {days} after the last {name}, usually {self.usual:g} ({count_of(self.gaps, 'time')}), {self.share:.2f}"


def days_of(topic: str, meals: Sequence[Meal], likely: Mapping[Meal, float]) -> list[int]:
    """The local days with such a meal, rising; `likely`: how probably each stay was one, surely where it says nothing."""
    return sorted(
        {
            meal.day
            for meal in meals
            if likely.get(meal, 1.0) >= A_MEAL_P
            and meal_of((meal.quarter + 0.5) * 900.0, coffee=was_coffee(meal)) == topic
        }
    )


def rhythm_of(days: Sequence[int], today: int) -> Rhythm:
    """Of these days, before today."""
    before = [day for day in days if day < today]
    gaps = _gaps(before)
    if not gaps:
        return Rhythm()
    since, count, usual = today - before[-1], len(gaps), float(median(gaps))
    rate = _rate(gaps)
    not_yet = _foretold(gaps, usual, rate, since)[1]
    last = 1.0 / (LAST_OF + len(before))
    soon, turns = _soon(gaps, since), _gaps(before[:-1])
    if turns and gaps[-1] < round(median(turns)):
        # One more than the rhythm has: who dined out on a birthday as well does so on the usual day all the same.
        soon = max(soon, _soon(turns, today - before[-2]))

    def alive(days: int, not_yet: float) -> float:
        lasts = (SMOOTH * not_yet + sum(gap >= days for gap in gaps)) / (SMOOTH + count)
        return lasts / (lasts * (1.0 - last) + last)

    then = round(usual)  # of that day, or a day like it, all else that is believed was learned
    return Rhythm(
        since=since,
        usual=usual,
        gaps=count,
        soon=soon,
        goes_on=min(
            1.0, alive(since, not_yet) / alive(then, _foretold(gaps, usual, rate, then)[1])
        ),
    )


def _gaps(days: Sequence[int]) -> tuple[int, ...]:
    return tuple(late - early for early, late in pairwise(days))[-LATEST_GAPS:]


def _rate(gaps: tuple[int, ...]) -> float:
    """How often a day by lot has such a meal."""
    return len(gaps) / (sum(gaps) + 1.0)


def _soon(gaps: tuple[int, ...], since: int) -> float:
    """What having eaten so lately leaves, against a day by lot; all of it once as much has passed as usual."""
    usual, rate = float(median(gaps)), _rate(gaps)
    if since >= round(usual):
        return 1.0
    now, not_yet = _foretold(gaps, usual, rate, since)
    return min(1.0, now / not_yet / rate)


@lru_cache(maxsize=32)
def _foretold(gaps: tuple[int, ...], usual: float, rate: float, since: int) -> tuple[float, float]:
    """The probability that the next gap is so many days, and that it is as many or more."""
    whole = now = not_yet = 0.0
    for shape, by_lot in product(REGULAR, BY_LOT):

        def left(days: int, shape: int = shape, by_lot: float = by_lot) -> float:
            drawn = (1.0 - rate) ** (days - 1)
            return (
                by_lot * drawn + (1.0 - by_lot) * _erlang(shape * (days - 0.5) / usual, shape)
                if days > 1
                else 1.0
            )

        weight = prod(left(gap) - left(gap + 1) for gap in gaps)
        whole += weight
        now += weight * (left(since) - left(since + 1))
        not_yet += weight * left(since)
    return now / whole, not_yet / whole


def _erlang(passed: float, shape: int) -> float:
    """The probability that an Erlang distribution of that shape and rate 1 lies beyond `passed`."""
    term = total = exp(-passed)
    for n in range(1, shape):
        term *= passed / n
        total += term
    return total
