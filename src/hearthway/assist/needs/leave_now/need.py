"""The need to leave: the calendar's next entry with a place, the way there, and the time to get ready."""

from __future__ import annotations

from collections.abc import Mapping

from hearthway.assist import moment
from hearthway.assist.shape import Aim, Fact, Need, Offer, Saying, Scene, Unfit
from hearthway.records.geo import distance_m
from hearthway.records.life import HIT_RADIUS_M, Place
from hearthway.records.localtime import clock_at
from hearthway.records.situation import Agenda, Planned
from hearthway.records.venue import Wait
from hearthway.sense.catalogue import CAR_POSITION, PHONE_POSITION

from .became import became
from .enquire import enquire
from .ready import Ready, longest_ready_min, ready
from .settings import (
    DOOR_MIN,
    EARLY_S,
    GO_P,
    LATE_COST_MIN,
    LATE_MIN,
    NEAR_M,
    POSITION_S,
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
    ready: Ready

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


def _at_entry(scene: Scene) -> Planned | None:
    """The entry at whose place one is, before that is known for a stay; None where one is at none that has begun or is over."""
    now = scene.situation
    if now.mode in ("driving", "riding", "staying"):
        return None
    begun = [p for p in _agenda(scene).planned if p.start_s <= now.time_s + EARLY_S]
    there = (p for p in begun if p.place is not None and _away_m(scene, p.place) <= HIT_RADIUS_M)
    return next(there, None)


def _under_way(scene: Scene) -> bool:
    """Driving or riding, or otherwise moving and away from where one stayed last, and from what the calendar had there."""
    situation = scene.situation
    if situation.mode in ("driving", "riding"):
        return True
    origin = situation.origin
    away = origin is None or _away_m(scene, origin) > NEAR_M
    return situation.mode in ("walking", "cycling", "moving") and away and _at_entry(scene) is None


def could_matter(scene: Scene) -> Unfit | None:
    """While one is still where one stayed, and something comes."""
    if not _timed(scene):
        return Unfit(code="nothing-planned")
    if _under_way(scene):
        return Unfit(code="under-way")
    lost = scene.situation.mode == "unknown" and _at_entry(scene) is None
    return Unfit(code="whereabouts-unknown") if lost else None


def _position_fresh(scene: Scene) -> bool:
    stems = (PHONE_POSITION, CAR_POSITION)
    ages = [e.age_s for e in scene.situation.evidence if e.key.startswith(stems)]
    return bool(ages) and min(ages) <= POSITION_S


def aim(scene: Scene) -> LeaveAim | Unfit:
    """Of all entries not spoken of yet the one for which one has to leave first."""
    aims: list[LeaveAim] = []
    reasons: list[Unfit] = []
    timed = _timed(scene)
    found = [(planned, _aim_at(scene, planned)) for planned in timed]
    for planned, one in found:
        if isinstance(one, Unfit):
            reasons.append(one)
        elif not any(_goes_to(to) for first, to in found if _reached_from(first, planned)):
            aims.append(one)
    said = scene.memory.said_about()
    fresh = [one for one in aims if one.about not in said]
    if aims:
        return min(fresh or aims, key=lambda one: one.leave_by_s)
    return reasons[0]  # of what comes first; `could_matter` saw that something comes


def _reached_from(first: Planned, planned: Planned) -> bool:
    """Is `first` over before `planned` begins, at another place? Then one comes from there."""
    if first.start_s >= planned.start_s or max(first.start_s, first.end_s) > planned.start_s:
        return False
    return first.place is not None and planned.place is not None


def _goes_to(found: LeaveAim | Unfit) -> bool:
    """May one still go to it? Not where one is there, or it is too late, or nobody knows the way."""
    return isinstance(found, LeaveAim) or found.code == "too-far"


def _own_trips_s(scene: Scene, planned: Planned) -> tuple[float, ...]:
    """Own trips there from where one is: as long as no stay is known at an entry's place, from that place."""
    at = _at_entry(scene)
    if at is None:
        return planned.trips_s
    placed = [p for p in _agenda(scene).planned if p.place is not None and not p.all_day]
    before = [p for p in placed if p.start_s < planned.start_s]
    return planned.from_before_s if before and before[-1] == at else ()


def _aim_at(scene: Scene, planned: Planned) -> LeaveAim | Unfit:
    place, agenda = planned.place, _agenda(scene)
    if place is None:
        return Unfit(code="place-unknown")
    if _away_m(scene, place) <= HIT_RADIUS_M:
        return Unfit(code="there-already")
    if surely_later(scene, planned, longest_ready_min(agenda)):
        return Unfit(code="too-far")
    found = travel(scene, agenda, place, _own_trips_s(scene, planned))
    if isinstance(found, Unfit):
        return found
    aim = LeaveAim(
        topic="leave",
        about=planned.about,
        p_useful=GO_P,
        at_most_min=0.0,
        planned=planned,
        place=place,
        travel=found,
        ready=ready(agenda, planned),
    )
    late = scene.situation.time_s > aim.leave_by_s + LATE_MIN * 60.0
    return Unfit(code="too-late") if late else aim


def lead_s(scene: Scene, aim: LeaveAim) -> float:
    """Until one has to get ready; from then on there is a minute left until it is missed."""
    ready_s = aim.leave_by_s - aim.ready.minutes * 60.0 - scene.situation.time_s
    return max(ready_s, URGENT_S)


def propose(scene: Scene, aim: LeaveAim) -> LeaveOffer | Unfit:
    """Nothing more to look up."""
    return LeaveOffer(
        topic=aim.topic,
        about=aim.about,
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
    at = clock_at(situation.lat, situation.lon, planned.start_s)
    name = _name(scene, planned, aim.place)
    late_min = (situation.time_s - aim.leave_by_s) / 60.0
    if late_min >= 1.0:
        return f"Leave now for {name}: about {late_min:.0f} min late for {at}"
    by = clock_at(situation.lat, situation.lon, aim.leave_by_s)
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
            f"{parts} · {aim.ready.words}",
        ),
        worth_min=0.0,
        worth_words="there is nothing to choose",
        p_words=f" (it is in your calendar: {GO_P:.2f} assumed)",
        until_s=aim.leave_by_s + LATE_MIN * 60.0,
        phone_only=True,
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
    enquire=enquire,
    became=became,
    repeat_s=REPEAT_S,
)
