"""Meals out, and the hours at which they usually are: put together once, and asked for at each look."""

from __future__ import annotations

from hearthway.records.life import Routine

from .places import PlaceBook
from .routines import Meal, routines_of
from .state import LifeState

MOST_A_DAY = 2.0  # meals out: nobody has three on an average day


def eaten_out(state: LifeState, book: PlaceBook) -> list[Meal]:
    """Meal visits that do not stand at home or work, nor where these were: living above a restaurant is no dinner.

    None where there are more than `MOST_A_DAY` on the average day with any: who stops near tables all day, as one
    does who works in a town's middle, tells nothing of meals by it.
    """
    labels = book.labels()
    lived = {index for index, label in labels.items() if label in ("home", "work")}
    lived.update(change.before for change in state.settling.changes)
    meals = [meal for meal in state.meals if meal.place not in lived]
    return meals if len(meals) <= MOST_A_DAY * len({meal.day for meal in meals}) else []


class EatenOut:
    """Both: the meals until one was learned or a place is another, the hours until the meals, the days or the life are others."""

    def __init__(self, state: LifeState, book: PlaceBook) -> None:
        self._state, self._book = state, book
        self._labels: dict[int, str] | None = None  # others once anything of a place is another
        self._latest: Meal | None = None
        self._meals: list[Meal] = []
        self._asked: tuple[list[Meal], int, list[float]] | None = None
        self._routines: tuple[Routine, ...] = ()

    def meals(self) -> list[Meal]:
        """Those that `eaten_out` finds."""
        state, labels = self._state, self._book.labels()
        latest = state.meals[-1] if state.meals else None
        if labels is not self._labels or latest is not self._latest:
            self._labels, self._latest = labels, latest
            self._meals = eaten_out(state, self._book)
        return self._meals

    def routines(self) -> tuple[Routine, ...]:
        """Their hours."""
        state = self._state
        asked = self.meals(), state.days, [change.since_s for change in state.settling.changes]
        if asked != self._asked:  # one by one these are mostly the same objects: that is told fast
            self._asked, self._routines = asked, routines_of(*asked)
        return self._routines
