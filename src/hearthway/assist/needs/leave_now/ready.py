"""How long this person takes to get ready, from how past entries were kept: anywhere, and at the same place.

From a word to leaving is what one took. Where no word was said, one left as long after or before it had to be as one was late or
early at the door, beside the minutes assumed. The assumed minutes count as some entries of one's own, and what was seen
anywhere as as many at this place.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median

from msgspec import Struct

from hearthway.records.situation import Agenda, Kept, Planned

from .settings import DOOR_MIN, READY_COUNTS, READY_LEAST_MIN, READY_MIN, READY_MOST_MIN


class Ready(Struct, frozen=True, kw_only=True):
    """Minutes to allow, and what they rest on."""

    minutes: float
    words: str


def ready(agenda: Agenda, planned: Planned) -> Ready:
    """How long before one has to leave the word is due."""
    anywhere = _joined(READY_MIN, agenda.kept)
    minutes = _joined(anywhere, planned.kept)
    return Ready(
        minutes=minutes,
        words=f"{minutes:.0f} min to get ready ({_words(agenda.kept, planned.kept)})",
    )


def _joined(before_min: float, kept: Sequence[Kept]) -> float:
    taken = [_taken_min(one) for one in kept]
    return (READY_COUNTS * before_min + sum(taken)) / (READY_COUNTS + len(taken))


def _taken_min(one: Kept) -> float:
    minutes = READY_MIN + DOOR_MIN + one.arrived_s / 60.0
    if one.left_s is not None:
        minutes = one.left_s / 60.0
    return min(READY_MOST_MIN, max(READY_LEAST_MIN, minutes))


def _words(kept: Sequence[Kept], there: Sequence[Kept]) -> str:
    if not kept:
        return "assumed"
    facts = [f"{READY_MIN:.0f} assumed, as {READY_COUNTS} times"]
    left = [one.left_s / 60.0 for one in kept if one.left_s is not None]
    if left:
        leave = "left" if len(left) == 1 else "usually leave"
        facts.append(f"you {leave} {median(left):.0f} min after the word, {_times(left)}")
    unasked = [one.arrived_s for one in kept if one.left_s is None]
    if unasked:
        facts.append(f"without a word you were there {_beside(fmean(unasked))}, {_times(unasked)}")
    early = [-one.arrived_s / 60.0 for one in kept if one.arrived_s <= 0.0]
    if left and early:
        facts.append(f"on time by {median(early):.0f} min, {_times(early)}")
    if there:
        taken = fmean(_taken_min(one) for one in there)
        facts.append(f"for this place {taken:.0f} min, {_times(there)}")
    return "; ".join(facts)


def _times(seen: Sequence[float | Kept]) -> str:
    return "once" if len(seen) == 1 else f"{len(seen)} times"


def _beside(after_s: float) -> str:
    return f"{abs(after_s) / 60.0:.0f} min {'late' if after_s > 0.0 else 'early'}"


def longest_ready_min(agenda: Agenda) -> float:
    """The longest that may come of it for any entry: a bound that needs no entry looked at."""
    return READY_MOST_MIN if agenda.kept else READY_MIN
