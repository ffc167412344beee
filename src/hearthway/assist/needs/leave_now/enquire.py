"""When to leave, when somebody asks: for the first entry one can still go to, however far off it is."""

from __future__ import annotations

from hearthway.assist.shape import Enquiry, Known, Scene, Unfit
from hearthway.records.geo import distance_m
from hearthway.records.life import HIT_RADIUS_M
from hearthway.records.situation import Agenda, Planned

from .settings import DOOR_MIN, LATE_MIN
from .travel import travel


def enquire(scene: Scene, enquiry: Enquiry) -> Known | Unfit:
    """The entry, when to leave for it, and what that time is made of."""
    now = scene.situation
    if now.mode in ("driving", "riding"):
        return Unfit(code="under-way")
    agenda = now.agenda
    if not isinstance(agenda, Agenda):
        return Unfit(code="nothing-planned")
    since_s = now.time_s - LATE_MIN * 60.0
    timed = [one for one in agenda.planned if not one.all_day and one.start_s >= since_s]
    found = [_one(scene, agenda, one) for one in timed]
    known = (one for one in found if isinstance(one, Known))
    return next(known, None) or next(iter(found), Unfit(code="nothing-planned"))


def _one(scene: Scene, agenda: Agenda, planned: Planned) -> Known | Unfit:
    place, now = planned.place, scene.situation
    if place is None:
        return Unfit(code="place-unknown")
    if distance_m(now.lat, now.lon, place.lat, place.lon) <= HIT_RADIUS_M:
        return Unfit(code="there-already")
    way = travel(scene, agenda, place, planned.trips_s)
    if isinstance(way, Unfit):
        return way
    by_s = planned.start_s - way.seconds - DOOR_MIN * 60.0
    if now.time_s > by_s + LATE_MIN * 60.0:
        return Unfit(code="too-late")
    words = f"{way.words} · {DOOR_MIN:.0f} min to park and walk in"
    return Known(planned=planned, by_s=by_s, words=words)
