"""What became of a word to leave: when one then left."""

from __future__ import annotations

from hearthway.assist.deeds import Became, Happened
from hearthway.assist.memory import Said
from hearthway.records.deeds import LEFT

LATEST_S = 12 * 3600.0  # whoever leaves after that does so for something else


def became(said: Said, happened: Happened) -> list[Became]:
    """The first time one left after it: while the word stood, or later."""
    if said.until_s is None:
        return []
    left = next(happened.after(said.time_s, LEFT, within_s=LATEST_S), None)
    if left is None:
        return []
    in_time = left.time_s <= said.until_s
    words = "you left in time" if in_time else "you left later"
    return [Became(time_s=left.known_s, yes=in_time, words=words)]
