"""What became of a word to leave: when one then left, and whether that led to what it was about."""

from __future__ import annotations

from hearthway.assist.deeds import Became, Happened
from hearthway.assist.memory import Said
from hearthway.records.deeds import LEFT, PARKED, Deed
from hearthway.records.geo import distance_m
from hearthway.records.life import HIT_RADIUS_M

LATEST_S = 12 * 3600.0  # whoever leaves, or is there, after that does so for something else


def became(said: Said, happened: Happened) -> list[Became]:
    """The first time one left after it: too late is against it; in time is for it once one has been where the entry is.

    Who left in time and was never seen there (who is on the way by way of a school, or went shopping) tells nothing.
    """
    if said.until_s is None:
        return []
    left = next(happened.after(said.time_s, LEFT, within_s=LATEST_S), None)
    if left is None:
        return []
    if left.time_s > said.until_s:
        return [Became(time_s=left.known_s, yes=False, words="you left later")]
    if not said.points:  # where it is was not kept
        return [Became(time_s=left.known_s, yes=True, words="you left in time")]
    there = (
        deed
        for deed in happened.after(left.time_s, LEFT, PARKED, within_s=LATEST_S)
        if _is_there(said, deed)
    )
    seen_s = min((deed.known_s for deed in there), default=None)
    if seen_s is None:
        return []
    return [Became(time_s=seen_s, yes=True, words="you left in time, and went there")]


def _is_there(said: Said, deed: Deed) -> bool:
    """Was it done where the entry is, as near as one counts as being there before it?"""
    if deed.lat is None or deed.lon is None:
        return False
    return any(distance_m(deed.lat, deed.lon, *point) <= HIT_RADIUS_M for point in said.points)
