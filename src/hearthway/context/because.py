"""Why a drive is believed to lead there: what each thing that speaks in the posterior adds to the log-odds.

Each is taken out of the model alone, and the posterior is asked again: the reason's weight is the difference, so without it the
log-odds are less by exactly that. They are no sum: of two that say the same either may go, and little changes.
Asked only where a word is said, or somebody asks: it costs as many posteriors as there are parts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, log
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from hearthway.records.suggestion import Reason

from .destination import DestinationModel, Posterior
from .prior import Departure, PastTrip

SURE = 1e-9  # a probability nearer to 0 or 1 than this has the log-odds of this
SAYS = 0.005  # in log-odds: what says less is no reason


class Part(Struct, frozen=True, kw_only=True):
    """One thing that speaks: the model's constants without it, or the past trips as if all were alike in it."""

    feature: str
    words: str
    tuning: dict[str, float] = {}
    alike: Callable[[PastTrip, Departure], PastTrip] | None = None
    calendar: bool = False  # what the calendar has next


PARTS = (
    Part(
        feature="hour",
        words="the hour at which you set out",
        alike=lambda trip, leaving: replace(trip, local_s=leaving.local_s),
    ),
    Part(
        feature="weekday",
        words="the day of the week",
        alike=lambda trip, leaving: replace(trip, weekday=leaving.weekday, off=leaving.off),
    ),
    Part(
        feature="origin",
        words="where you set out from",
        alike=lambda trip, leaving: (
            trip if leaving.origin is None else replace(trip, origin=leaving.origin)
        ),
    ),
    Part(
        feature="heading",
        words="the direction of the way so far",
        tuning={"heading": 0.0, "leg_short": 0.0, "leg_long": 0.0, "detour_km": 0.0},
    ),
    Part(feature="nearing", words="how near the way has come", tuning={"nearing": 0.0}),
    Part(
        feature="following",
        words="the streets of your past trips",
        tuning={"following": 0.0, "new_followed": 0.0},
    ),
    Part(
        feature="own-way",
        words="that it is your own way to several places",
        tuning={"own_way": inf},
    ),
    Part(feature="calendar", words="what your calendar has next", calendar=True),
)


def without(model: DestinationModel, part: Part | None, departure: Departure) -> DestinationModel:
    """The model without that part, for this departure."""
    if part is None:
        return model
    changes: dict[str, Any] = {}
    if part.tuning:
        changes["tuning"] = replace(model.tuning, **part.tuning)
    if part.alike is not None:
        changes["trips"] = [part.alike(trip, departure) for trip in model.trips]
    return model.like(**changes) if changes else model


def log_odds(p: float) -> float:
    """Of a probability."""
    sure = min(1.0 - SURE, max(SURE, p))
    return log(sure / (1.0 - sure))


def p_of(posterior: Posterior, goals: Sequence[int], *, planned: bool) -> float:
    """That it leads to one of these places, or (`planned`) to what the calendar has where one was never."""
    there = sum(p for index, p in posterior.places if index in goals)
    return min(1.0, there + posterior.planned * planned)


def reasons(
    ask: Callable[[Part | None], Posterior], goals: Sequence[int], *, planned: bool
) -> tuple[Reason, ...]:
    """The parts that say something of these goals, the strongest first; `ask`: the posterior without a part (None: whole)."""
    whole = log_odds(p_of(ask(None), goals, planned=planned))
    found = []
    for part in PARTS:
        p = p_of(ask(part), goals, planned=planned)
        weight = whole - log_odds(p)
        if abs(weight) >= SAYS:
            words = f"{part.words} (without it p {p:.2f})"
            found.append(Reason(feature=part.feature, weight=weight, words=words))
    return tuple(sorted(found, key=lambda one: (-abs(one.weight), one.feature)))
