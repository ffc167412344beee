"""The need to leave: the calendar's next entry with a place, the way there, and the time to get ready."""

from __future__ import annotations

from collections.abc import Mapping

from hearthway.assist import moment
from hearthway.assist.shape import Aim, Fact, Need, Offer, Saying, Scene, Unfit
from hearthway.records.geo import distance_m
from hearthway.records.life import HIT_RADIUS_M, Place
from hearthway.records.localtime import clock
from hearthway.records.situation import Agenda, Planned
from hearthway.records.venue import Wait
from hearthway.sense.catalogue import CAR_POSITION, PHONE_POSITION

from .settings import (
    DOOR_MIN,
    GO_P,
    LATE_COST_MIN,
    LATE_MIN,
    NEAR_M,
    POSITION_S,
    READY_MIN,
    REPEAT_S,
)
from .silences import SILENCES
from .travel import Travel, surely_later, travel

URGENT_S = 60.0  # once it is time, every minute counts


class LeaveAim(Aim, frozen=True, kw_only=True):
    """Leaving for this entry."""

    planned: Planned
    place: Place
    travel: Travel

    @property
    def leave_by_s(self) -> float:
        """When to leave, to be at the door in time (Unix seconds)."""
        return self.planned.start_s - self.travel.seconds - DOOR_MIN * 60.0


class LeaveOffer(Offer, frozen=True, kw_only=True):
    """The same: there is nothing to choose from."""

    aim: LeaveAim


def _agenda(scene: Scene) -> Agenda:
    agenda = scene.situation.agenda
    return agenda if isinstance(agenda, Agenda) else Agenda(planned=(), farthest_m=0.0)


def _timed(scene: Scene) -> list[Planned]:
    """What begins at a time of day, and did not begin so long ago that one missed it."""
    since_s = scene.situation.time_s - LATE_MIN * 60.0
    return [p for p in _agenda(scene).planned if not p.all_day and p.start_s >= since_s]


def _away_m(scene: Scene, place: Place) -> float:
    return distance_m(scene.situation.lat, scene.situation.lon, place.lat, place.lon)


def _under_way(scene: Scene) -> bool:
    """Driving, or on foot and away from where one stayed last."""
    situation = scene.situation
    if situation.mode == "driving":
        return True
    origin = situation.origin
    return situation.mode == "walking" and (origin is None or _away_m(scene, origin) > NEAR_M)


def could_matter(scene: Scene) -> Unfit | None:
    """While one is still where one stayed, and something comes."""
    if not _timed(scene):
        return Unfit(code="nothing-planned")
    if _under_way(scene):
        return Unfit(code="under-way")
    return Unfit(code="whereabouts-unknown") if scene.situation.mode == "unknown" else None


def _position_fresh(scene: Scene) -> bool:
    stems = (PHONE_POSITION, CAR_POSITION)
    ages = [e.age_s for e in scene.situation.evidence if e.key.startswith(stems)]
    return bool(ages) and min(ages) <= POSITION_S


def aim(scene: Scene) -> LeaveAim | Unfit:
    """Of all entries the one for which one has to leave first."""
    aims: list[LeaveAim] = []
    reasons: list[Unfit] = []
    for planned in _timed(scene):
        found = _aim_at(scene, planned)
        if isinstance(found, Unfit):
            reasons.append(found)
        else:
            aims.append(found)
    if aims:
        return min(aims, key=lambda one: one.leave_by_s)
    return reasons[0]  # of what comes first; `could_matter` saw that something comes


def _aim_at(scene: Scene, planned: Planned) -> LeaveAim | Unfit:
    place = planned.place
    if place is None:
        return Unfit(code="place-unknown")
    if _away_m(scene, place) <= HIT_RADIUS_M:
        return Unfit(code="there-already")
    if surely_later(scene, planned):
        return Unfit(code="too-far")
    found = travel(scene, _agenda(scene), place, planned.trips_s)
    if isinstance(found, Unfit):
        return found
    aim = LeaveAim(
        topic="leave",
        p_useful=GO_P,
        at_most_min=0.0,
        planned=planned,
        place=place,
        travel=found,
    )
    late = scene.situation.time_s > aim.leave_by_s + LATE_MIN * 60.0
    return Unfit(code="too-late") if late else aim


def lead_s(scene: Scene, aim: LeaveAim) -> float:
    """Until one has to get ready; from then on there is a minute left until it is missed."""
    ready_s = aim.leave_by_s - READY_MIN * 60.0 - scene.situation.time_s
    return max(ready_s, URGENT_S)


def propose(scene: Scene, aim: LeaveAim) -> LeaveOffer | Unfit:
    """Nothing more to look up."""
    return LeaveOffer(
        topic=aim.topic,
        p_useful=aim.p_useful,
        lead_s=lead_s(scene, aim),
        at_best_min=0.0,
        aim=aim,
    )


def _name(scene: Scene, planned: Planned, place: Place) -> str:
    """What the calendar, the person or the map calls it."""
    said = moment.plain(planned.location.split(",")[0]) or moment.plain(place.called)
    on_map = None if said or scene.name_of is None else scene.name_of(place.lat, place.lon)
    return said or moment.plain(on_map or "") or "the place in your calendar"


def _headline(scene: Scene, aim: LeaveAim) -> str:
    situation, planned = scene.situation, aim.planned
    at = clock(planned.start_s, situation.utc_offset_s)
    name = _name(scene, planned, aim.place)
    late_min = (situation.time_s - aim.leave_by_s) / 60.0
    if late_min >= 1.0:
        return f"Leave now for {name}: about {late_min:.0f} min late for {at}"
    by = clock(aim.leave_by_s, situation.utc_offset_s)
    return f"Leave by {by} to be at {name} at {at}"


def decide(scene: Scene, offer: LeaveOffer, waits: Mapping[str, Wait]) -> Saying | Unfit:
    """When, where to, and what the time is made of."""
    aim = offer.aim
    source = {"calendar": "your calendar has the place", "own place": "a place of yours"}
    where = source.get(aim.planned.place_from, f"the map has the place ({aim.planned.place_from})")
    parts = f"{aim.travel.words} · {DOOR_MIN:.0f} min to park and walk in"
    return Saying(
        headline=_headline(scene, aim),
        lines=(
            f"{moment.plain(aim.planned.title) or 'without a title'} · {where}",
            f"{parts} · {READY_MIN:.0f} min to get ready (assumed)",
        ),
        worth_min=0.0,
        worth_words="there is nothing to choose",
        p_words=f" (it is in your calendar: {GO_P:.2f} assumed)",
    )


NEED = Need[LeaveAim, LeaveOffer](
    name="leave_now",
    topics=("leave",),
    order=3,
    early_min=LATE_COST_MIN,
    early_words="not coming late",
    useful_words="you were going there and had not left yet",
    silences=SILENCES,
    must_know=(
        Fact(name="where you are", code="whereabouts-unknown", known=_position_fresh),
        Fact(
            name="where it is",
            code="place-unknown",
            known=lambda scene: any(p.place is not None for p in _timed(scene)),
        ),
    ),
    could_matter=could_matter,
    aim=aim,
    lead_s=lead_s,
    propose=propose,
    decide=decide,
    repeat_s=REPEAT_S,
)
