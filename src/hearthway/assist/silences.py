"""Every reason for saying nothing, in one table: the code for programs, the words for people."""

from __future__ import annotations

from hearthway.records.situation import Situation
from hearthway.records.suggestion import Silence

SILENCES: dict[str, str] = {
    "not-driving": "You are not driving.",
    "no-routine-yet": "There are too few days of your life here to know when you eat.",
    "unknown-destination": "It is not clear where you are heading.",
    "needs-a-map": "There is no map here, so no place to eat is known.",
    "off-map": "Where you are heading lies off the map.",
    "not-mealtime": "You rarely eat out when you will arrive.",
    "ate-recently": "You have eaten not long ago.",
    "heading-home": "You are heading home, and such a drive of yours rarely ends at a table.",
    "not-an-eating-drive": "Your visits there at this time are rarely for a meal.",
    "budget": "Enough has been said today.",
    "said-already": "It has been said already for this meal.",
    "not-now": "You asked not to be told now.",
    "dismissed": "You turned the last suggestion down a short while ago.",
    "too-far": "You are still too far away for it to be news.",
    "too-early": "Waiting a little makes it surer and costs nothing.",
    "too-late": "You are too close to arriving to act on it.",
    "high-driving-load": "The driving needs all your attention.",
    "no-places-near": "The map knows no place to eat near there.",
    "nothing-open": "Nothing there is open when you arrive.",
    "not-worth-interrupting": "It is not worth interrupting you.",
    "forbidden": "A rule of yours forbids it.",
}


def silence(
    situation: Situation,
    code: str,
    *,
    detail: str = "",
    utility: float | None = None,
    threshold: float | None = None,
) -> Silence:
    """The silence named `code` at this situation's time; KeyError for a code outside the table."""
    words = SILENCES[code]
    return Silence(
        time_s=situation.time_s,
        person=situation.person,
        code=code,
        words=f"{words} {detail}".rstrip(),
        utility=utility,
        threshold=threshold,
    )
