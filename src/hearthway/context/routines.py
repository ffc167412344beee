"""When this person eats: distributions over the local day, learned from visits at food POIs."""

from __future__ import annotations

from math import exp

from msgspec import Struct

from hearthway.records.life import Routine
from hearthway.records.situation import MealVisit

BINS = 96
BIN_S = 900
MIN_MEAL_S = 20 * 60.0
MAX_MEAL_S = 3.5 * 3600.0
NEAR_FOOD_M = 60.0
WINDOWS = {  # a visit belongs to the meal in whose window it begins, local time
    "breakfast": (5.0, 10.5),
    "lunch": (10.5, 15.5),
    "coffee": (15.5, 16.5),
    "dinner": (16.5, 23.0),
}
SMOOTH_BINS = 1.5
MAX_VISITS = 1_500


class Meal(Struct):
    """A visit, with what its routine needs: local day and second of its start, and the place it stood at."""

    visit: MealVisit
    day: int
    local_s: float
    weekday: int
    place: int  # index of the person's place there; -1 where it is none
    coffee: bool = False  # only cafes stood there


def meal_of(local_s: float, *, coffee: bool) -> str:
    """Which meal a visit is: by the hour; a cafe outside breakfast and lunch hours is coffee."""
    hour = local_s / 3600.0
    for name, (begin, end) in WINDOWS.items():
        if begin <= hour < end:
            return "coffee" if coffee and name in ("coffee", "dinner") else name
    return ""


def routines_of(meals: list[Meal], days_known: int) -> tuple[Routine, ...]:
    """One routine a meal that was observed at all, in the order of the day."""
    out = []
    for name in ("breakfast", "lunch", "coffee", "dinner"):
        mine = [meal for meal in meals if meal_of(meal.local_s, coffee=meal.coffee) == name]
        if mine:
            out.append(_routine(name, mine, days_known))
    return tuple(out)


def _routine(name: str, meals: list[Meal], days_known: int) -> Routine:
    mass = [0.0] * BINS
    for meal in meals:
        centre = meal.local_s / BIN_S - 0.5
        low = int(centre) - 5
        kernel = [exp(-0.5 * ((low + i - centre) / SMOOTH_BINS) ** 2) for i in range(12)]
        norm = sum(kernel)
        for i, part in enumerate(kernel):
            mass[(low + i) % BINS] += part / norm
    total = sum(mass)
    starts = sorted(meal.local_s for meal in meals)
    days = len({meal.day for meal in meals})
    return Routine(
        name=name,
        days=days,
        density=tuple(part / total for part in mass),
        start_s=_quantile(starts, 0.1),
        end_s=_quantile(starts, 0.9),
        mean_s=sum(starts) / len(starts),
        share_of_days=min(1.0, days / max(1, days_known)),
    )


def _quantile(ordered: list[float], share: float) -> float:
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)
