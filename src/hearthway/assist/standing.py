"""Does what was said still stand? What is over is shown on no surface, waits for no answer and rides along with no drive."""

from __future__ import annotations

from msgspec import UNSET

from hearthway.records.situation import Situation
from hearthway.records.suggestion import Suggestion

STANDS_S = 90 * 60.0  # as long as following a word still counts, if nothing ended it before


def stands(said: Suggestion, now_s: float, situation: Situation | None = None) -> bool:
    """Is it still about what goes on? `situation`: the latest known.

    A word said on a trip is over with that trip, one said at rest when one has left; and at the time it names itself.
    """
    if now_s - said.time_s >= STANDS_S:
        return False
    if said.until_s is not UNSET and now_s >= said.until_s:
        return False
    if situation is None or situation.time_s < said.time_s:
        return True
    return situation.trip_start_s == said.situation.trip_start_s
