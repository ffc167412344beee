"""What a page and `status` say of where a phone's person goes, from the situation of its last look."""

from __future__ import annotations

from msgspec import UNSET

from hearthway.assist.moment import destination_called, position_age_s
from hearthway.assist.onward import Onward, onward_of
from hearthway.assist.way import eta_s
from hearthway.atlas.store import Atlas
from hearthway.records.situation import Situation

ONWARD_STALE_S = (
    3600.0  # what was likely next when a position last came: phones at rest send one seldom
)
ONWARD_LATE_S = 900.0  # "around 17:10" is no more said at half past


def onward_at(seen: Situation | None, now_s: float) -> Onward | None:
    """Where to next while staying, as long as that was asked lately and its time has not gone by."""
    if seen is None or seen.next_places is UNSET:
        return None
    gone = now_s - seen.next_places.leave_s > ONWARD_LATE_S
    position_s = seen.time_s - (position_age_s(seen) or 0.0)
    return None if gone or now_s - position_s > ONWARD_STALE_S else onward_of(seen)


def way_ahead(seen: Situation | None, atlas: Atlas | None) -> tuple[tuple[float, float], ...]:
    """The expected way to the likeliest destination, where the map has roads."""
    if seen is None or atlas is None or seen.mode != "driving" or not seen.destinations:
        return ()
    _, route = eta_s(seen, seen.destinations[0].place, atlas)
    return route.points if route.on_road else ()


def heading_called(seen: Situation | None, atlas: Atlas | None) -> str:
    """What the likeliest destination is called, as in a suggestion; "" where nothing is likely, or it has no name."""
    if seen is None or not seen.destinations:
        return ""
    goals = seen.destinations
    return destination_called(None if atlas is None else atlas.place_name, goals, goals[0].place)
