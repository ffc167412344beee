"""What became of a word about a cold house: whether the heating began before anybody was in."""

from __future__ import annotations

from hearthway.assist.deeds import WITHIN_S, Became, Happened
from hearthway.assist.memory import Said
from hearthway.records.deeds import CAME_IN, HEATS

SAME_S = (
    300.0  # begun so soon after somebody came: by whom, and when it was asked for, nobody knows
)


def became(said: Said, happened: Happened) -> list[Became]:
    """Heating with nobody in was asked for from afar, as no programme was about to; without it till one comes, it was not.

    Where the house tells of neither within 90 minutes, nothing is known.
    """
    # Who came in just before the 90 minutes end is given the same five minutes as anybody.
    began = next(happened.after(said.time_s, HEATS, within_s=WITHIN_S + SAME_S), None)
    came = next(happened.after(said.time_s, CAME_IN), None)
    if began is not None and came is None and began.time_s > said.time_s + WITHIN_S:
        return []
    if began is not None and (came is None or began.time_s < came.time_s):
        return [Became(time_s=began.known_s, yes=True, words="the heating began before you came")]
    if came is None or (began is not None and began.time_s <= came.time_s + SAME_S):
        return []
    words = "nobody had the heating begin before somebody came"
    return [Became(time_s=came.known_s + SAME_S, yes=False, words=words)]
