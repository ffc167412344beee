"""What became of what was said, by what the person then did: each need says it of its own words, from facts alone.

It needs no answer, but a fact may be mistaken, and may have been meant all along: so it counts less than an answer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from hearthway.records.deeds import Deed
from hearthway.records.geo import distance_m

if TYPE_CHECKING:
    from .memory import Meal, Said

FOLLOWED, NOT_FOLLOWED = (
    0.5,
    0.125,
)  # what a deed for and against a word counts beside a plain answer
WITHIN_S = 90 * 60.0  # what began within this of a word tells what became of it
AT_M = 150.0  # so near a car park or charger the car is at it: what one walks from its far end


class Became(Struct, frozen=True, kw_only=True):
    """What became of one word: known since `time_s` (Unix s)."""

    time_s: float
    yes: bool
    words: str  # "you parked at one of them"

    @property
    def weight(self) -> float:
        return FOLLOWED if self.yes else NOT_FOLLOWED


class Happened(Struct, frozen=True, kw_only=True):
    """What a need may judge its words by; each by time."""

    meals: Sequence[Meal] = ()
    deeds: Sequence[Deed] = ()

    def after(self, time_s: float, *what: str, within_s: float = WITHIN_S) -> Iterator[Deed]:
        """The deeds of these kinds after that moment, by time."""
        first = bisect_right(self.deeds, time_s, key=lambda deed: deed.time_s)
        for n in range(first, len(self.deeds)):
            deed = self.deeds[n]
            if deed.time_s > time_s + within_s:
                return
            if deed.what in what:
                yield deed


def at_one(said: Said, deed: Deed) -> bool:
    """Was it done at one of the POIs that the word named?"""
    if deed.lat is None or deed.lon is None:
        return False
    return any(distance_m(deed.lat, deed.lon, *point) <= AT_M for point in said.points)


def became(said: Said, happened: Happened) -> Sequence[Became]:
    """What facts tell of that word; nothing where its need judges by none, or is no more."""
    from . import needs  # these are made of what remembers

    need = needs.of_topic(said.need)
    return () if need is None or need.became is None else need.became(said, happened)
