"""What the calendar says of where a drive leads: the next entry draws it there, and leaves no time for what lies aside.

One goes to what stands there with `ATTENDS_P`. Then by way of another place, as usual, if there is time to be there, and for
longer than the way round takes, and the less often the sooner it begins; else straight. The rest is as without a calendar.
The route so far is weighed after this, so whoever drives the other way is seen to.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from hearthway.records.life import HIT_RADIUS_M, STAY_MIN_S
from hearthway.records.situation import Planned

from .flat import gap_m
from .places import KnownPlace
from .prior import Prior

GOAL = -2  # the index of a goal that is no place of this person yet; never kept
ATTENDS_P = 0.9  # as `leave_now` has it: of what one writes down with a place, some is not gone to
STRAIGHT_S = 30 * 60.0  # who sets out so much too early goes somewhere else first, half of the time
LATE_S = 15 * 60.0  # whoever would be later than this goes there no more
ROAD, ROAD_MPS = 1.35, 11.0  # way over bee-line, and 40 km/h: what a way takes, roughly

Point = tuple[float, float]


class Goal(Struct, frozen=True):
    """Where the entry is, as a candidate: its index among the places, `GOAL` if one was never there."""

    index: int
    place: KnownPlace


def next_goal(
    planned: Sequence[Planned], places: Sequence[KnownPlace], time_s: float
) -> tuple[Planned, Goal] | None:
    """The first entry that begins at a time of day, at a known place, and is not missed."""
    for entry in planned:
        place = entry.place
        if entry.all_day or entry.start_s < time_s - LATE_S or place is None:
            continue
        known = [p for p in places if f"p{p.index}" == place.place_id]
        if known:
            return entry, Goal(known[0].index, known[0])
        return entry, Goal(GOAL, KnownPlace(index=GOAL, lat=place.lat, lon=place.lon))
    return None


def drawn(
    prior: Prior, places: Sequence[KnownPlace], here: Point, time_s: float, start_s: float, at: Goal
) -> Prior:
    """The prior of a leg that begins `here` at `time_s`, with an entry of `start_s` at `at`; its index is among the places."""
    there = at.place.lat, at.place.lon
    direct_s = way_s(here, there)
    left_s = start_s - time_s
    if direct_s > left_s + LATE_S:
        return prior  # too late for it: it will not be gone to
    early_s = left_s - direct_s
    possible = {
        index: p
        for index, p in prior.places.items()
        if index != at.index and time_for(here, places[index], there, direct_s, left_s)
    }
    new = prior.new if early_s >= STAY_MIN_S else 0.0
    others = sum(possible.values()) + new
    if gap_m(*here, *there) <= HIT_RADIUS_M:  # one is there: back in time from wherever one goes
        aside, straight = (ATTENDS_P / others if others > 0.0 else 0.0), 0.0
    else:
        aside = ATTENDS_P * (1.0 - min(1.0, 0.5 ** (early_s / STRAIGHT_S)))
        straight = ATTENDS_P - aside * others
    if aside <= 0.0 and straight <= 0.0:
        return prior
    told = {
        index: (1.0 - ATTENDS_P) * p + aside * possible.get(index, 0.0)
        for index, p in prior.places.items()
    }
    if straight > 0.0:
        told[at.index] = told.get(at.index, 0.0) + straight
    return Prior(told, (1.0 - ATTENDS_P) * prior.new + aside * new, prior.votes)


def way_s(a: Point, b: Point) -> float:
    """What the way takes by car, roughly."""
    return gap_m(*a, *b) * ROAD / ROAD_MPS


def time_for(here: Point, place: KnownPlace, there: Point, direct_s: float, left_s: float) -> bool:
    """Is there time to stay at `place` before it begins, and for longer than the way round by it takes?"""
    spot = place.lat, place.lon
    driven_s = way_s(here, spot) + way_s(spot, there)
    return left_s - driven_s >= max(STAY_MIN_S, driven_s - direct_s)
