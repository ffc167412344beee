"""What became of a word about a meal: where one then ate."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from hearthway.assist.deeds import WITHIN_S, Became, Happened
from hearthway.assist.memory import Said
from hearthway.records.poi import FOOD

MOSTLY = 0.5  # share of a visit from which on it was at one of the POIs suggested


def became(said: Said, happened: Happened) -> list[Became]:
    """Each meal out that began within 90 minutes tells; it is known when it is over."""
    if said.kind not in FOOD:
        return []
    meals = happened.meals
    first = bisect_left(meals, said.time_s, key=lambda meal: meal.time_s)
    last = bisect_right(meals, said.time_s + WITHIN_S, key=lambda meal: meal.time_s)
    told = []
    for meal in meals[first:last]:
        there = sum(part for osm_id, part in meal.pois if osm_id in said.osm_ids) >= MOSTLY
        words = "you ate at one of them" if there else "you ate elsewhere"
        told.append(Became(time_s=meal.end_s, yes=there, words=words))
    return told
