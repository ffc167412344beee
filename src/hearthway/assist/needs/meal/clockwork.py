"""Do stays of one habit begin and end by the clock? Then it is rather an appointment than a meal.

A choir, a lesson, a course at the doctor's begins in the same few minutes each week and lasts as long each time. Who
eats out comes a quarter of an hour sooner or later and sits longer or less, and whoever has an errand comes when there
is time. How much stays of one habit scatter, in the hour at which they begin and in the logarithm of their length, is known of none
beforehand: each sort of habit has a wide distribution over it (log-normal), which is summed over; a stay in ten may be anything, for a phone sleeps
through half of one. By how much one such habit's middle lies at mealtimes, and is as long as a meal, `table` tells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from math import exp, fsum, log, pi, prod, sqrt
from statistics import NormalDist, median

from hearthway.assist.memory import Meal
from hearthway.context.routines import MAX_MEAL_S, MIN_MEAL_S, meal_of

from .settings import (
    CLOCK_H,
    CLOCK_LOG,
    LIKE_OTHERS,
    MEAL_SCATTER,
    ODD_STAY,
    OTHER_SCATTER,
    SCATTER_SPREAD,
)

QUARTER_S = 900.0
LEAST = 3  # two stays tell next to nothing of how much they scatter
HOURS, LOGS = 8.0, log(MAX_MEAL_S / MIN_MEAL_S)  # where a stay that is anything may lie
# What so many stays tell of the scatter is about as wide as these steps of it lie apart; with more of either, it would fall between two.
NEWEST, STEPS = 60, 33
_STEPS = tuple(NormalDist().inv_cdf((i + 0.5) / STEPS) for i in range(STEPS))
Habit = tuple[tuple[float, ...], tuple[float, ...]]  # hours of the local day, logarithms of seconds


def by_the_clock(meals: Sequence[Meal]) -> float:
    """How many times likelier stays scatter so little, or so much, if one eats there than if not; at most 1.

    To scatter as meals do speaks for none: errands after work do so too. Stays of different meals are different habits.
    """
    habits: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for meal in sorted(meals):
        second = meal.quarter * QUARTER_S + meal.time_s % QUARTER_S
        hours, logs = habits[meal_of(second, coffee=False)]
        hours.append(second / 3600.0)
        logs.append(log(max(meal.end_s - meal.time_s, 1.0)))
    told = [
        _ratio((tuple(hours[-NEWEST:]), tuple(logs[-NEWEST:])))
        for hours, logs in habits.values()
        if len(hours) >= LEAST
    ]
    return prod(told)


@lru_cache(maxsize=256)  # a spot is asked about at every moment of a drive
def _ratio(habit: Habit) -> float:
    others = _sum([log(share) + _likely(habit, scatter) for share, *scatter in OTHER_SCATTER])
    told = min(0.0, _likely(habit, MEAL_SCATTER) - others)
    return LIKE_OTHERS + (1.0 - LIKE_OTHERS) * exp(told)


def _likely(habit: Habit, scatter: Sequence[float]) -> float:
    """The logarithm of how likely such stays are."""
    hours, logs = habit
    usual_h, usual_log = scatter
    return _alike(hours, usual_h, CLOCK_H, HOURS) + _alike(logs, usual_log, CLOCK_LOG, LOGS)


def _alike(values: Sequence[float], usual: float, read: float, width: float) -> float:
    """That of these values about their median, the scatter of the habit unknown; `read`: that of the phone's own clock."""
    middle, count = median(values), len(values)
    told = []
    for step in _STEPS:
        spread = sqrt((usual * exp(SCATTER_SPREAD * step)) ** 2 + read**2)
        bell = (1.0 - ODD_STAY) / (spread * sqrt(2.0 * pi))
        each = [
            log(bell * exp(-0.5 * ((value - middle) / spread) ** 2) + ODD_STAY / width)
            for value in values
        ]
        told.append(fsum(each) * (count - 1) / count)  # the median is one of them
    return _sum(told) - log(len(_STEPS))


def _sum(logs: Sequence[float]) -> float:
    """The logarithm of the sum of what these are the logarithms of: of hundreds of stays that is none a float could hold."""
    most = max(logs)
    return most + log(fsum(exp(one - most) for one in logs))
