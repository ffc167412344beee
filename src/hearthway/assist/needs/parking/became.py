"""What became of a word about where to park: where the car then stood."""

from __future__ import annotations

from hearthway.assist.deeds import Became, Happened, at_one
from hearthway.assist.memory import Said
from hearthway.records.deeds import PARKED


def became(said: Said, happened: Happened) -> list[Became]:
    """The first place within 90 minutes at which it was parked for a stay tells."""
    parked = next(happened.after(said.time_s, PARKED), None)
    if parked is None:
        return []
    there = at_one(said, parked)
    words = "you parked at one of them" if there else "you parked elsewhere"
    return [Became(time_s=parked.known_s, yes=there, words=words)]
