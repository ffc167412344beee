"""Reasons for saying nothing that are the gate's own: the code for programs, the words for people.

Each need has a table of its own beside these, and its words come first.
"""

from __future__ import annotations

from collections.abc import Mapping

from hearthway.records.situation import Situation
from hearthway.records.suggestion import Silence

SILENCES: dict[str, str] = {
    "budget": "Enough has been said today.",
    "said-already": "It has been said already.",
    "one-at-a-time": "Something else was said a moment ago.",
    "not-now": "You asked not to be told now.",
    "dismissed": "You turned the last suggestion down a short while ago.",
    "too-far": "You are still too far away for it to be news.",
    "too-early": "Waiting a little makes it surer and costs nothing.",
    "too-late": "You are too close to arriving to act on it.",
    "high-driving-load": "The driving needs all your attention.",
    "not-worth-interrupting": "It is not worth interrupting you.",
    "not-driving": "You are not driving.",
    "mode-unclear": "It is not clear whether you are driving.",
    "forbidden": "A rule of yours forbids it.",
}


def silence(
    situation: Situation,
    code: str,
    *,
    words: Mapping[str, str] | None = None,
    detail: str = "",
    utility: float | None = None,
    threshold: float | None = None,
) -> Silence:
    """The silence named `code` at this situation's time, in a need's `words` where it has some.

    KeyError for a code in neither table.
    """
    said = (words or {}).get(code) or SILENCES[code]
    return Silence(
        time_s=situation.time_s,
        person=situation.person,
        code=code,
        words=f"{said} {detail}".rstrip(),
        utility=utility,
        threshold=threshold,
    )
