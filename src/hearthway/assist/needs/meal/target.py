"""Heading where, and wanting which meal there: the destination and meal a word could be about, or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec
from msgspec import Struct

from hearthway.assist.memory import Meal, Memory
from hearthway.assist.settings import AREA_M, GateSettings
from hearthway.assist.shape import Unfit
from hearthway.assist.taste import living
from hearthway.assist.way import eta_s
from hearthway.records.geo import distance_m
from hearthway.records.life import Place, Routine
from hearthway.records.situation import Destination, Situation

from .hunger import (
    MIN_APPETITE,
    Firmness,
    Hunger,
    appetite,
    firmness,
    hazard,
    hunger_at,
    meals_by_place,
    other_arrivals,
    quarter_of,
    slots_at,
    together,
    usable,
)
from .sorts import of_topic

MIN_CONSIDERED_P, MAX_CONSIDERED = 0.02, 12  # destinations looked at: the rest carry no word


class Target(Struct, frozen=True, kw_only=True):
    """A destination, the wish for a meal there, and what is believed about both (probabilities)."""

    place: Place
    hunger: Hunger
    p: float
    p_area: float  # of every destination within `AREA_M`: they share their options
    p_useful: float  # one of these is the destination, and the meal is wanted there
    area: tuple[Place, ...]  # these destinations, the weightiest first
    # of each of these what it adds to `p_useful`, and the meals there around this time
    there: tuple[tuple[float, tuple[Meal, ...]], ...] = ()


def _apart_m(a: Place, b: Place) -> float:
    return distance_m(a.lat, a.lon, b.lat, b.lon)


def _firm(
    situation: Situation,
    memory: Memory,
    routines: Sequence[Routine],
    around_s: float,
    meals: Mapping[str, Sequence[Meal]],
) -> Firmness:
    """How firmly the hour stands against what each place tells, by all places that one may be heading to."""
    slots, quarter = slots_at(situation, around_s), quarter_of(situation, around_s)
    counts = []
    for goal in situation.destinations:
        here = meals.get(goal.place.place_id, ())
        count = sum(meal.quarter in slots for meal in here)
        counts.append((count, other_arrivals(goal, here, slots)))
    counts.sort()
    chance = max(hazard(routine, quarter)[0] for routine in routines)
    return memory.once("firm", (counts, chance), lambda: firmness(counts, chance))


def find_target(
    situation: Situation,
    memory: Memory,
    settings: GateSettings,
    at_table: Callable[[str, Meal], float],
) -> Target | Unfit:
    """The destination and meal with most to say, or why there is none; `at_table`: did that stay sate so that it counts for this topic?"""
    routines = usable(situation, settings)
    goals = [d for d in situation.destinations if d.p >= MIN_CONSIDERED_P][:MAX_CONSIDERED]
    if not goals:
        return Unfit(code="unknown-destination")
    top = goals[0].place
    arrivals = {
        d.place.place_id: situation.time_s + eta_s(situation, d.place, None)[0] for d in goals
    }
    at_top = [
        hunger_at(situation, r, goals[0], (), arrive_s=arrivals[top.place_id]) for r in routines
    ]
    if max(n.window_mass for n in at_top) < settings.min_window_mass:
        return Unfit(code="not-mealtime")
    out = memory.meals_out(situation.time_s, living(situation))
    hungry = {
        r.name: appetite(situation, out, r, arrivals[top.place_id], partial(at_table, r.name))
        for r in routines
    }
    due = max(at_top, key=lambda n: (n.window_mass, n.name))
    if hungry[due.name] < MIN_APPETITE:
        return Unfit(code="ate-recently")
    home = situation.home
    # A meal belongs to the nearest of all known places: else what stands near it would inherit the meals of the improbable.
    known = {d.place.place_id: d.place for d in situation.destinations}
    known |= {p.place_id: p for p in (home, situation.origin) if p is not None}
    places = list(known.values())
    stand = sorted((p.place_id, p.lat, p.lon, p.visits) for p in places)
    meals = memory.once("by place", (stand, out), lambda: meals_by_place(places, out))
    # One firmness for all topics, or the same arrivals would speak for a dinner at noon.
    around_s = arrivals[top.place_id]
    firm = _firm(situation, memory, routines, around_s, meals)

    def wishes(goal: Destination) -> dict[str, Hunger]:
        place_id = goal.place.place_id
        arrive_s, here = arrivals[place_id], meals.get(place_id, [])
        return {
            r.name: hunger_at(
                situation,
                r,
                goal,
                of_topic(r.name, here),
                arrive_s=arrive_s,
                hungry=hungry[r.name],
                firm=firm,
            )
            for r in routines
        }

    wants = {d.place.place_id: wishes(d) for d in goals}
    targets = []
    for goal in goals:
        hunger = max(wants[goal.place.place_id].values(), key=lambda n: (n.p, n.name))
        around = [d for d in goals if _apart_m(d.place, goal.place) <= AREA_M]
        useful = {d.place.place_id: d.p * wants[d.place.place_id][hunger.name].p for d in around}
        around.sort(key=lambda d: (-useful[d.place.place_id], -d.p, d.place.place_id))
        targets.append(
            Target(
                place=goal.place,
                hunger=hunger,
                p=goal.p,
                p_area=sum(d.p for d in around),
                p_useful=together([(d.p, wants[d.place.place_id][hunger.name]) for d in around]),
                area=tuple(d.place for d in around),
            )
        )
    widest = max(targets, key=lambda t: (t.p_useful, t.p, t.place.place_id))
    # of the destinations that share these options, the one that weighs most gives the name and the way
    target = next(t for t in targets if t.place.place_id == widest.area[0].place_id)
    homeward = (
        home is not None
        and top.place_id == home.place_id
        and goals[0].p >= settings.min_destination_p
    )
    if target.p_area < settings.min_destination_p:
        return Unfit(code="heading-home" if homeward else "unknown-destination")
    if target.hunger.p < settings.min_need_p:
        return Unfit(code="heading-home" if homeward else "not-an-eating-drive")
    then = slots_at(situation, arrivals[target.place.place_id])
    chance = {d.place.place_id: d.p for d in goals}

    def part(place_id: str) -> tuple[float, tuple[Meal, ...]]:
        mine = of_topic(target.hunger.name, meals.get(place_id, []))
        here = tuple(m for m in mine if m.quarter in then)
        return chance[place_id] * wants[place_id][target.hunger.name].p, here

    there = tuple(part(place.place_id) for place in target.area)
    return msgspec.structs.replace(target, there=there)
