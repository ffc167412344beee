"""Where somebody who stays goes next, with what the calendar has next: there, in time; and not away from where it is."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from hearthway.records.life import HIT_RADIUS_M
from hearthway.records.situation import Planned

from .drawn import GOAL, drawn, next_goal, time_for, way_s
from .flat import gap_m
from .places import KnownPlace
from .prior import Prior
from .where_next import NextPlaces, ranked

Point = tuple[float, float]


def as_planned(
    likely: NextPlaces,
    places: Sequence[KnownPlace],
    here: Point,
    now_s: float,
    planned: Sequence[Planned],
) -> NextPlaces:
    """What is likely without a calendar, as its next entries by start move it."""
    likely = replace(likely, leave_s=_after(likely, places, here, now_s, planned))
    found = next_goal(planned, places, now_s)
    if found is None:
        return likely
    entry, goal = found
    there = goal.place.lat, goal.place.lon
    if gap_m(*here, *there) <= HIT_RADIUS_M:
        return likely
    leave_s = min(likely.leave_s, max(now_s, entry.start_s - way_s(here, there)))
    prior = Prior(dict(likely.places), likely.new, [])
    moved = drawn(prior, places, here, leave_s, entry.start_s, goal)
    unseen = moved.places.pop(GOAL, 0.0)
    return NextPlaces(ranked(moved.places.items()), moved.new, leave_s, unseen)


def _after(
    likely: NextPlaces,
    places: Sequence[KnownPlace],
    here: Point,
    now_s: float,
    planned: Sequence[Planned],
) -> float:
    """When one leaves: not while something is on here, nor where there is no time to go and come back for it."""
    leave_s = likely.leave_s
    for entry in planned:
        place = entry.place
        if entry.all_day or place is None or entry.end_s <= now_s:
            continue
        if gap_m(*here, place.lat, place.lon) > HIT_RADIUS_M:
            continue
        left_s = entry.start_s - leave_s
        back = likely.places and time_for(here, places[likely.places[0][0]], here, 0.0, left_s)
        if not back and leave_s < entry.end_s:
            leave_s = entry.end_s
    return leave_s
