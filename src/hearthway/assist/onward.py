"""What is shown of where somebody who stays will go next: a question with three places, a claim, or nothing.

Nobody is interrupted by it: it stands where one looks. On a person's first days the likeliest place is right too seldom to
be named alone, and three together are right often enough to be asked (decision 0030 has the figures), so:
a question where three places together are likely enough, a claim only once enough stays are known and one place is.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import UNSET, Struct

from hearthway.records.geo import distance_m
from hearthway.records.localtime import clock, local_day, weekday
from hearthway.records.situation import Destination, Situation

from .moment import metres, plain

SHORTLIST = 3
ASK_STAYS = (
    10  # with fewer, three places are nearly all that are known, and what comes is somewhere new
)
ASK_P = 0.80
CLAIM_STAYS = 50
CLAIM_P = 0.75
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class OnwardKind(StrEnum):
    """How sure it is."""

    QUESTION = "question"
    CLAIM = "claim"


class Onward(Struct, frozen=True, kw_only=True):
    """What may be shown, and the probability of what it names."""

    kind: OnwardKind
    words: str
    p: float


def onward_of(situation: Situation) -> Onward | None:
    """What may be shown of where one goes from here; None while under way, and where nothing is likely enough."""
    ahead = situation.next_places
    if ahead is UNSET or not ahead.places:
        return None
    when = when_words(situation.time_s, ahead.leave_s, situation.utc_offset_s)
    first = ahead.places[0]
    if situation.stays_known >= CLAIM_STAYS and first.p >= CLAIM_P:
        words = f"Next, {when}: probably {_called(first, situation)} (p {first.p:.2f})"
        return Onward(kind=OnwardKind.CLAIM, words=words, p=first.p)
    short = ahead.places[:SHORTLIST]
    together = sum(one.p for one in short)
    if situation.stays_known < ASK_STAYS or together < ASK_P:
        return None
    *others, last = (_called(one, situation) for one in short)
    names = f"{', '.join(others)} or {last}" if others else last
    words = f"Next, {when}: {names}? (p {together:.2f} together)"
    return Onward(kind=OnwardKind.QUESTION, words=words, p=together)


def when_words(now_s: float, leave_s: float, offset_s: int) -> str:
    """ "around 17:10", with the weekday where that is not today."""
    around = f"around {clock(leave_s, offset_s)}"
    day = local_day(leave_s, offset_s)
    return around if day == local_day(now_s, offset_s) else f"{DAYS[weekday(day)]} {around}"


def _called(one: Destination, situation: Situation) -> str:
    place = one.place
    away_m = distance_m(situation.lat, situation.lon, place.lat, place.lon)
    return plain(place.called) or f"a place {metres(away_m)} away"
