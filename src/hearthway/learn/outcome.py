"""Meals, answers and what was said become memory. The fold commutes and repeats, so late events are safe."""

from __future__ import annotations

from collections.abc import Iterable

from hearthway.assist.memory import Answered, Meal, Memory, Said
from hearthway.records.localtime import local_day, local_second, utc_offset_s
from hearthway.records.poi import PoiIndex
from hearthway.records.situation import MealVisit
from hearthway.records.suggestion import Answer, Suggestion

Event = MealVisit | Answer | Suggestion


def learn_visit(memory: Memory, visit: MealVisit, pois: PoiIndex | None = None) -> Memory:
    """With a meal out: its hour, its place, its cuisine and kind (shared among equally likely POIs)."""
    offset_s = utc_offset_s(visit.lat, visit.lon, visit.start_s)
    where = (visit.osm_id,) if visit.osm_id else tuple(sorted(set(visit.candidates)))
    tags: dict[str, float] = {}
    for osm_id in where:
        poi = pois.get(osm_id) if pois is not None else None
        cuisines = visit.cuisines if visit.osm_id or poi is None else poi.cuisines
        if poi is not None and not cuisines:
            cuisines = poi.cuisines
        found = [f"cuisine:{c}" for c in sorted(set(cuisines))]
        if poi is not None:
            found.append(f"kind:{poi.kind}")
        for tag in found:
            tags[tag] = tags.get(tag, 0.0) + 1.0 / len(where)
    if not where:
        tags = {f"cuisine:{c}": 1.0 for c in sorted(set(visit.cuisines))}
    return memory.meal(
        Meal(
            time_s=visit.start_s,
            end_s=visit.end_s,
            quarter=int(local_second(visit.start_s, offset_s) // 900),
            day=local_day(visit.start_s, offset_s),
            lat=visit.lat,
            lon=visit.lon,
            pois=where,
            tags=tuple(sorted(tags.items())),
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
        )
    )


def relearn(person: str, events: Iterable[Event], pois: PoiIndex | None = None) -> Memory:
    """The memory that follows from what remains: equal events give equal bytes, in any order."""
    memory = Memory(person=person)
    for event in events:
        match event:
            case MealVisit():
                memory = learn_visit(memory, event, pois)
            case Answer():
                memory = learn_answer(memory, event)
            case Suggestion():
                memory = learn_said(memory, event)
    return memory
