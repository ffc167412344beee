"""What became of a word about chargers: whether, and where, the car then charged."""

from __future__ import annotations

from hearthway.assist.deeds import Became, Happened, at_one
from hearthway.assist.memory import Said
from hearthway.records.deeds import CHARGED, UNCHARGED


def became(said: Said, happened: Happened) -> list[Became]:
    """The first place within 90 minutes at which it stood, and of which it told its charge, tells."""
    stood = next(happened.after(said.time_s, CHARGED, UNCHARGED), None)
    if stood is None:
        return []
    if stood.what == UNCHARGED:
        return [
            Became(time_s=stood.known_s, yes=False, words="the car did not charge where it stood")
        ]
    there = at_one(said, stood)
    words = "the car charged at one of them" if there else "the car charged elsewhere"
    return [Became(time_s=stood.known_s, yes=there, words=words)]
