"""What only a meal says: when it is for this person, and how many places are open then."""

from __future__ import annotations

from hearthway.records.count import count_of
from hearthway.records.localtime import clock

from .hunger import Hunger
from .sorts import COFFEE


def routine_line(
    hunger: Hunger, known_open: int, shown_open: int, *, unsure: int = 0, last: int = 0
) -> str:
    """When this meal is for this person, how many are known to be open, and what is shown of them.

    Of those shown `unsure` keep no hours and stand among the others all the same, and `last` stand behind them.
    """
    routine = hunger.routine
    unit = "evening" if hunger.name == "dinner" else "day"
    days = count_of(routine.days, unit)
    start, end = clock(routine.start_s, 0), clock(routine.end_s, 0)
    if known_open:
        opened = f"{known_open} open when you arrive"
        if known_open > shown_open:
            opened += f", {shown_open} shown"
        if unsure:
            opened += f", {unsure} of unknown hours"
        if last:
            opened += ", hours unknown last"
    else:
        opened = "0 known to be open; hours unknown"
    name = "coffee time" if hunger.name == COFFEE else f"{hunger.name}time"
    return f"{name} for you is {start}-{end} ({days}) · {opened}:"
