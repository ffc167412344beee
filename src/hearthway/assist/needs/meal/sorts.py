"""What is had out: a meal, or a coffee. Where each is had, when and how long one sits, and what it leaves of the appetite."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from hearthway.assist.memory import Meal
from hearthway.context.routines import meal_of
from hearthway.records.poi import MEAL

from .settings import (
    ALIKE,
    COFFEE_ALIKE,
    COFFEE_LESS_MIN,
    COFFEE_PRIOR,
    COFFEE_SATED_S,
    COFFEE_SITS_DOWN,
    COFFEE_WANTED_S,
    HABIT_PRIOR,
    HUNGRY_S,
    SATED_S,
    SITS_DOWN,
)

COFFEE = "coffee"
WHOLLY = 0.999  # of shares that sum to 1


class Sort(Struct, frozen=True, kw_only=True):
    """One sort of thing had out."""

    tables: tuple[str, ...]  # kinds of POI where it is had
    sits_down: tuple[
        tuple[float, float, float, float], ...
    ]  # share, middle hour, its spread, usual seconds
    prior: tuple[float, float]  # of a spot beside such a table being that table (Beta)
    sated_s: float  # after something had out no wish for as long,
    hungry_s: float  # and the whole of it again after so long
    less_min: float = 0.0  # minutes by which deciding early wins less
    alike: float = ALIKE  # how much two stays have in common that speak for it by hour and length
    late: bool = False  # counted only at the hours at which a stay at a cafe is a coffee
    had: str = "a meal"
    at: str = "at a table"


MEAL_OUT = Sort(
    tables=MEAL, sits_down=SITS_DOWN, prior=HABIT_PRIOR, sated_s=SATED_S, hungry_s=HUNGRY_S
)
COFFEE_OUT = Sort(
    tables=("cafe",),
    sits_down=COFFEE_SITS_DOWN,
    prior=COFFEE_PRIOR,
    alike=COFFEE_ALIKE,
    sated_s=COFFEE_SATED_S,
    hungry_s=COFFEE_WANTED_S,
    less_min=COFFEE_LESS_MIN,
    late=True,
    had="coffee",
    at="at a café",
)


def sort_of(topic: str) -> Sort:
    """Of "coffee", or of any meal."""
    return COFFEE_OUT if topic == COFFEE else MEAL_OUT


def coffee_at(quarter: int) -> bool:
    """Is a stay at a cafe that begins in this quarter hour of the local day a coffee, and not a meal?"""
    return meal_of((quarter + 0.5) * 900.0, coffee=True) == COFFEE


def was_coffee(meal: Meal) -> bool:
    """By its hour, and nothing but cafes near it."""
    return coffee_at(meal.quarter) and dict(meal.tags).get("kind:cafe", 0.0) >= WHOLLY


def of_topic(topic: str, meals: Sequence[Meal]) -> Sequence[Meal]:
    """Of these stays those that may have been for it: of coffee the coffees alone."""
    return [meal for meal in meals if was_coffee(meal)] if topic == COFFEE else meals
