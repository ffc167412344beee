"""Wanting to eat on arrival: from the person's own meals, hours and places."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.assist.memory import Meal
from hearthway.assist.needs.meal.hunger import (
    appetite,
    believed_share,
    hazard,
    hunger_at,
    lower_end,
    mass,
    usable,
)
from hearthway.assist.settings import GateSettings
from hearthway.records.life import Routine

quick = settings(max_examples=60, deadline=None)


def meal(world: Any, hour: float, day: int = 50) -> Meal:
    start_s = world.at(hour, day)
    return Meal(
        time_s=start_s,
        end_s=start_s + 3000,
        quarter=int(hour * 4),
        day=day,
        lat=world.mall.lat,
        lon=world.mall.lon,
    )


def need(world: Any, meals: list[Meal], place: Any = None, hour: float = 18.5) -> Any:
    return hunger_at(
        world.drive(),
        world.routine("dinner", 18.5),
        place or world.mall,
        meals,
        arrive_s=world.at(hour),
    )


def test_meals_there_at_that_hour_raise_it_and_other_hours_do_not(world: Any) -> None:
    none = need(world, [])
    dinners = need(world, [meal(world, 18.5, d) for d in range(30)])
    lunches = need(world, [meal(world, 12.0, d) for d in range(30)])
    assert none.p < 0.5 < dinners.p
    assert dinners.meals_here == 30
    assert lunches.meals_here == 0
    assert lunches.p < dinners.p


def test_arrivals_that_were_no_meal_lower_it(world: Any) -> None:
    """150 arrivals at home and no meal out there: a drive home is not an eating-out drive."""
    assert need(world, [], world.home).p < 0.1
    dinners = [meal(world, 18.5, d) for d in range(8)]
    rare, usual = (need(world, dinners, place).p for place in (world.home, world.mall))
    assert rare < usual


def test_an_unknown_place_says_what_the_routine_says_and_hardly_that(world: Any) -> None:
    fresh = type(world.mall)(place_id="x", lat=0.1, lon=0.1, visits=0)
    found = need(world, [], fresh)
    assert found.p == pytest.approx(lower_end(found.hazard, 1.0 - found.hazard))
    assert 0.0 < found.p < found.hazard


@quick
@given(yes=st.floats(0.01, 200), no=st.floats(0.01, 200), more=st.floats(1, 50))
def test_more_counts_of_the_same_share_leave_less_open(yes: float, no: float, more: float) -> None:
    low, mean = lower_end(yes, no), yes / (yes + no)
    assert 0.0 <= low < mean
    assert low <= lower_end(yes * more, no * more) + 1e-12
    assert low < lower_end(yes + more, no), "more for it"


def test_few_meals_are_no_certainty(world: Any) -> None:
    """Three of three are not yet as good as nine of nine."""

    def after(count: int) -> float:
        place = type(world.mall)(place_id="x", lat=0.1, lon=0.1, visits=count)
        return float(need(world, [meal(world, 18.5, d) for d in range(count)], place).p)

    three, nine = after(3), after(9)
    assert three < 0.75 < 0.85 < nine


def test_the_hazard_follows_the_routine(world: Any) -> None:
    dinner = world.routine("dinner", 18.5)
    at_dinner, at_breakfast = hazard(dinner, 74), hazard(dinner, 32)
    assert at_dinner[0] > 0.4
    assert at_breakfast == (0.0, 0.0)
    assert hazard(dinner, 80)[0] < at_dinner[0], "later, most of it would have happened"


def test_a_routine_around_midnight(world: Any) -> None:
    density = [0.0] * 96
    density[95] = density[0] = 0.5
    late = Routine(name="dinner", days=40, density=tuple(density), share_of_days=0.9)
    assert mass(late, 94, 4) == 1.0
    assert hazard(late, 95)[1] == 1.0
    assert hazard(late, 0)[1] == 1.0


@quick
@given(days=st.integers(0, 400), share=st.floats(0, 1))
def test_the_share_is_a_probability_and_shrinks_while_days_are_few(days: int, share: float) -> None:
    routine = Routine(name="dinner", days=days, share_of_days=share)
    believed = believed_share(routine)
    assert 0.0 <= believed <= 1.0
    few = believed_share(Routine(name="dinner", days=2, share_of_days=1.0))
    many = believed_share(Routine(name="dinner", days=200, share_of_days=1.0))
    assert few < 0.5 < many


@quick
@given(
    density=st.lists(st.floats(0, 1), min_size=96, max_size=96),
    share=st.floats(0, 1),
    quarter=st.integers(0, 95),
    visits=st.integers(0, 500),
)
def test_a_need_is_a_probability(
    world: Any, density: list[float], share: float, quarter: int, visits: int
) -> None:
    total = sum(density) or 1.0
    routine = Routine(
        name="dinner", days=30, density=tuple(d / total for d in density), share_of_days=share
    )
    place = type(world.mall)(place_id="x", lat=60.0, lon=24.0, visits=visits)
    found = hunger_at(world.drive(), routine, place, [], arrive_s=world.at(quarter / 4))
    assert 0.0 <= found.p <= 1.0


def test_appetite_returns_with_the_hours(world: Any) -> None:
    dinner, now = world.routine("dinner", 18.5), world.drive()
    hours = [0.2, 1.5, 2.5, 3.5, 4.5]
    values = [
        appetite(
            world.drive(last_meal_s=now.time_s - h * 3600), [], dinner, arrive_s=now.time_s + 300
        )
        for h in hours
    ]
    assert values == sorted(values)
    assert values[0] == 0.0
    assert values[-1] == 1.0
    assert appetite(now, [], dinner, now.time_s) == 1.0


def test_this_meal_was_had_already(world: Any) -> None:
    """Dinner at half past five is dinner, however long ago it seems at nine."""
    dinner = world.routine("dinner", 18.5)
    late = world.drive(time_s=world.at(22.5), last_meal_s=world.at(18.6))
    assert appetite(late, [], dinner, world.at(22.6)) == 0.0
    after_lunch = world.drive(last_meal_s=world.at(12.8))
    assert appetite(after_lunch, [], dinner, world.at(18.4)) == 1.0


def test_only_meals_with_evidence_count(world: Any) -> None:
    rules = GateSettings(min_days=5)
    odd = (
        world.routine("dinner", 18.5, days=4),
        world.routine("coffee", 15.0, days=90),
        Routine(name="lunch", days=90),
        world.routine("lunch", 12.0, days=5),
    )
    assert [r.days for r in usable(world.drive(routines=odd), rules)] == [5]


def test_meals_at_home_are_not_meals_out(world: Any) -> None:
    """Who lives above a restaurant is not dining out every evening, nor learning its taste."""
    memory = world.dining({"node/1": 20})
    house = next(p for p in world.pois if p.osm_id == "node/1")
    assert len(memory.meals_out(world.drive().time_s, ())) == 20
    assert memory.meals_out(world.drive().time_s, ((house.lat, house.lon),)) == []
    assert memory.meals_out(0.0, ()) == []
