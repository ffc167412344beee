"""Meals, answers and what was said become memory. The fold commutes and repeats, so late events are safe."""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, fsum

from hearthway.assist.memory import Answered, Meal, Memory, Said, first_kind
from hearthway.records.deeds import Deed
from hearthway.records.geo import distance_m
from hearthway.records.localtime import local_day, local_second, utc_offset_s
from hearthway.records.poi import Poi, PoiIndex
from hearthway.records.situation import Agenda, MealVisit
from hearthway.records.suggestion import Answer, Suggestion

NEARNESS_M = (
    15.0  # how far from a POI's point on the map one sits: a room, and the receiver's error
)
MIN_SHARE = 0.02

Event = MealVisit | Answer | Suggestion


def _shares(visit: MealVisit, pois: PoiIndex | None) -> list[tuple[str, float, Poi | None]]:
    """The POIs a visit may have been at, each with its share: the nearer to the stay, the larger."""
    ids = [visit.osm_id] if visit.osm_id else sorted(set(visit.candidates))
    found = [(osm_id, pois.get(osm_id) if pois is not None else None) for osm_id in ids]
    weights = [
        1.0
        if poi is None
        else exp(-0.5 * (distance_m(visit.lat, visit.lon, poi.lat, poi.lon) / NEARNESS_M) ** 2)
        for _, poi in found
    ]
    total = fsum(weights)
    if len(found) == 1 or total <= 0.0:
        weights, total = [1.0] * len(found), float(len(found))
    return [(i, w / total, poi) for (i, poi), w in zip(found, weights, strict=True)]


def learn_visit(memory: Memory, visit: MealVisit, pois: PoiIndex | None = None) -> Memory:
    """With a meal out: its hour, its place, its cuisines and kind (shared where several POIs fit)."""
    offset_s = utc_offset_s(visit.lat, visit.lon, visit.start_s)
    shares = _shares(visit, pois)
    tags: dict[str, float] = {}
    for _, part, poi in shares:
        cuisines = (
            visit.cuisines if visit.osm_id and visit.cuisines else poi.cuisines if poi else ()
        )
        for tag in [f"cuisine:{c}" for c in sorted(set(cuisines))] + (
            [f"kind:{poi.kind}"] if poi else []
        ):
            tags[tag] = tags.get(tag, 0.0) + part
    return memory.meal(
        Meal(
            time_s=visit.start_s,
            end_s=visit.end_s,
            quarter=int(local_second(visit.start_s, offset_s) // 900),
            day=local_day(visit.start_s, offset_s),
            lat=visit.lat,
            lon=visit.lon,
            pois=tuple((osm_id, part) for osm_id, part, _ in shares if part >= MIN_SHARE),
            tags=tuple((tag, part) for tag, part in sorted(tags.items()) if part >= MIN_SHARE),
        )
    )


def learn_answer(memory: Memory, answer: Answer) -> Memory:
    """With an answer of this person; somebody else's answer changes nothing."""
    if answer.person != memory.person:
        return memory
    return memory.heard(
        Answered(
            time_s=answer.time_s,
            suggestion_id=answer.suggestion_id,
            kind=answer.kind,
            need=answer.need,
            osm_id=answer.osm_id,
            cuisines=tuple(sorted(set(answer.cuisines))),
        )
    )


def learn_said(memory: Memory, suggestion: Suggestion) -> Memory:
    """With a suggestion that was made to this person: it counts against the day's budget."""
    if suggestion.person != memory.person:
        return memory
    return memory.spoke(
        Said(
            time_s=suggestion.time_s,
            suggestion_id=suggestion.suggestion_id,
            day=local_day(suggestion.time_s, suggestion.utc_offset_s),
            need=suggestion.need,
            p_useful=suggestion.p_useful,
            osm_ids=tuple(o.poi.osm_id for o in suggestion.options),
            p_before=suggestion.p_before,
            kind=first_kind(suggestion.options),
            about=suggestion.about if isinstance(suggestion.about, str) else "",
            points=tuple((o.poi.lat, o.poi.lon) for o in suggestion.options)
            or _entry_points(suggestion),
            until_s=suggestion.until_s if isinstance(suggestion.until_s, float) else None,
        )
    )


def _entry_points(suggestion: Suggestion) -> tuple[tuple[float, float], ...]:
    """Where that lies which stands in the calendar and the word was about."""
    agenda, about = suggestion.situation.agenda, suggestion.about
    if not isinstance(agenda, Agenda) or not isinstance(about, str):
        return ()
    meant = (one.place for one in agenda.planned if one.about == about and not one.all_day)
    return tuple((place.lat, place.lon) for place in meant if place is not None)


def relearn(
    person: str,
    events: Iterable[Event],
    pois: PoiIndex | None = None,
    deeds: tuple[Deed, ...] = (),
) -> Memory:
    """The memory that follows from what remains: equal events give equal bytes, in any order.

    `deeds`: what the life knows to have been done, by time.
    """
    memory = Memory(person=person, deeds=deeds)
    for event in events:
        match event:
            case MealVisit():
                memory = learn_visit(memory, event, pois)
            case Answer():
                memory = learn_answer(memory, event)
            case Suggestion():
                memory = learn_said(memory, event)
    return memory
