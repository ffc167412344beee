"""Who is at home: each person's own life knows it, a home's sensors may say it, and neither is guessed."""

from __future__ import annotations

from collections.abc import Iterable

from hearthway.records.life import STAY_RADIUS_M
from hearthway.records.situation import Situation

from .flat import gap_m


def is_home(situation: Situation) -> bool | None:
    """Is this person at home? None while home is not known or the position is unknown."""
    home = situation.home
    if home is None or situation.mode == "unknown":
        return None
    return gap_m(home.lat, home.lon, situation.lat, situation.lon) <= STAY_RADIUS_M


def somebody_home(situations: Iterable[Situation], sensed: bool | None = None) -> bool | None:
    """Is anybody at home? A sensor's word (fresh, else pass None) and the people's; None where nobody knows."""
    known = [at for at in map(is_home, situations) if at is not None]
    if sensed or any(known):
        return True
    return False if sensed is False or known else None
