"""Wanting to eat on arrival: from the person's own meals, hours and places."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.assist.explain import why
from hearthway.assist.memory import Meal, Memory
from hearthway.assist.needs.meal import target
from hearthway.assist.needs.meal.hunger import (
    ONE_ARRIVAL,
    STANDS_FOR,
    Hunger,
    appetite,
    believed_share,
    beta,
    firmness,
    hazard,
    hunger_at,
    mass,
    meals_by_place,
    other_arrivals,
    slots_at,
    together,
    usable,
)
from hearthway.assist.needs.meal.target import Target, find_target
from hearthway.assist.settings import Dial, GateSettings
from hearthway.records.life import Routine
from hearthway.records.situation import Destination
from hearthway.records.suggestion import Suggestion

quick = settings(max_examples=60, deadline=None)


def low(yes: float, no: float) -> float:
    """The lower end of what these counts leave open."""
    mean, doubt = beta(yes, no)
    return max(0.0, mean - doubt)


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


def need(
    world: Any,
    meals: list[Meal],
    place: Any = None,
    hour: float = 18.5,
    firm: Any = ONE_ARRIVAL,
    **more: Any,
) -> Any:
    return hunger_at(
        world.drive(),
        world.routine("dinner", 18.5),
        Destination(place=place or world.mall, p=1.0, **more),
        meals,
        arrive_s=world.at(hour),
        firm=firm,
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
    assert found.p == pytest.approx(low(found.hazard, 1.0 - found.hazard))
    assert 0.0 < found.p < found.hazard


@quick
@given(yes=st.floats(0.01, 200), no=st.floats(0.01, 200), more=st.floats(1, 50))
def test_more_counts_of_the_same_share_leave_less_open(yes: float, no: float, more: float) -> None:
    lower, mean = low(yes, no), yes / (yes + no)
    assert 0.0 <= lower < mean
    assert lower <= low(yes * more, no * more) + 1e-12
    assert lower < low(yes + more, no), "more for it"


def test_when_one_came_counts_and_not_only_how_often(world: Any) -> None:
    """Five dinners where one was fifteen times: at other hours that is five of five, always at this hour five of fifteen."""
    place = type(world.mall)(place_id="x", lat=0.1, lon=0.1, visits=15)
    dinners = [meal(world, 18.5, d) for d in range(5)]
    noon, evening = 48, 74
    at_noon = need(world, dinners, place, came=((noon, 10), (evening, 5)))
    same_hour = need(world, dinners, place, came=((evening, 15),))
    unknown = need(world, dinners, place)
    assert at_noon.arrivals_here == 5.0
    assert same_hour.arrivals_here == 15.0
    assert same_hour.p < 0.4 < unknown.p < at_noon.p


@quick
@given(
    visits=st.integers(0, 60),
    came=st.lists(
        st.tuples(st.integers(0, 95), st.integers(1, 9)), max_size=6, unique_by=lambda one: one[0]
    ),
    eaten=st.integers(0, 9),
)
def test_arrivals_are_never_below_none_nor_more_than_were_made(
    world: Any, visits: int, came: list[tuple[int, int]], eaten: int
) -> None:
    visits += sum(count for _, count in came)
    place = type(world.mall)(place_id="x", lat=0.1, lon=0.1, visits=visits)
    slots = slots_at(world.drive(), world.at(18.5))
    goal = Destination(place=place, p=1.0, came=tuple(sorted(came)))
    dinners = [meal(world, 18.5, d) for d in range(eaten)]
    assert 0.0 <= other_arrivals(goal, dinners, slots) <= visits
    assert other_arrivals(goal, dinners, slots) <= other_arrivals(goal, [], slots) + 1e-9


def test_the_doubts_of_neighbours_are_their_own(world: Any) -> None:
    """Two places with three dinners each, equally probable, leave less open together than one; one alone is as it is."""
    place = type(world.mall)(place_id="x", lat=0.1, lon=0.1, visits=3)
    three: Hunger = need(world, [meal(world, 18.5, d) for d in range(3)], place)
    assert together([(1.0, three)]) == pytest.approx(three.p)
    assert together([(0.4, three)]) == pytest.approx(0.4 * three.p)
    halves = together([(0.5, three), (0.5, three)])
    assert three.p < halves < three.mean
    never: Hunger = need(world, [], world.home)
    assert together([(0.5, three), (0.5, never)]) < 0.5 * three.mean + 0.5 * never.mean


def test_no_place_has_more_meals_than_stays_while_its_neighbour_has_room(world: Any) -> None:
    """Stays at one table were counted at two places 200 m apart: each meal goes where its stay can have been counted."""
    make, at = type(world.mall), (world.mall.lat, world.mall.lon)
    nearer = make(place_id="a", lat=at[0], lon=at[1], visits=2)
    other = make(place_id="b", lat=at[0] + 0.0018, lon=at[1], visits=9)
    dinners = [meal(world, 18.5, d) for d in range(5)]
    found = meals_by_place([nearer, other], dinners)
    assert [len(found["a"]), len(found["b"])] == [2, 3]
    assert sorted(found["a"] + found["b"]) == sorted(dinners)
    alone = meals_by_place([nearer], dinners)
    assert len(alone["a"]) == 5, "with no other place near it they were had there all the same"
    far = make(place_id="c", lat=at[0] + 0.01, lon=at[1], visits=9)
    assert [*meals_by_place([nearer, far], dinners)] == ["a"]
    assert meals_by_place([far], dinners) == {}


def test_few_meals_are_no_certainty(world: Any) -> None:
    """Three of three are not yet as good as nine of nine."""

    def after(count: int) -> float:
        place = type(world.mall)(place_id="x", lat=0.1, lon=0.1, visits=count)
        return float(need(world, [meal(world, 18.5, d) for d in range(count)], place).p)

    three, nine = after(3), after(9)
    assert three < 0.75 < 0.85 < nine


def arrivals(firm: Any) -> float:
    """How many arrivals the hour stands for, on the average."""
    return float(sum(each * share for each, share in firm))


def test_places_that_are_for_meals_or_are_not_let_one_arrival_say_much(world: Any) -> None:
    """Who eats wherever he ate before, and nowhere else, eats there again; where meals and errands share their places one meal says little."""
    each_its_own = firmness([(3, 0.0), (2, 0.0), (4, 0.0), (0, 40.0), (0, 6.0)], 0.1)
    shared = firmness([(3, 3.0), (2, 4.0), (4, 5.0), (3, 6.0), (0, 6.0)], 0.1)
    assert arrivals(each_its_own) < 0.5 < 1.5 < arrivals(shared)
    place = type(world.mall)(place_id="x", lat=0.1, lon=0.1, visits=3)
    dinners = [meal(world, 18.5, d) for d in range(3)]
    clear, plain, unclear = (
        need(world, dinners, place, firm=firm) for firm in (each_its_own, ONE_ARRIVAL, shared)
    )
    assert unclear.p < plain.p < 0.75 < clear.p < clear.mean
    nine = type(world.mall)(place_id="x", lat=0.1, lon=0.1, visits=9)
    often = need(world, [meal(world, 18.5, d) for d in range(9)], nine, firm=each_its_own)
    assert clear.p < often.p, "few meals are no certainty, whoever has them"
    assert need(world, [], world.home, firm=each_its_own).p < 0.05


FIRM = re.compile(
    r"dinner then ([\d.]+): .*, the hour beside them counting as ([\d.]+) arrivals"
    r" by what your places tell \(as one: dinner ([\d.]+)\)"
)


@pytest.mark.parametrize(
    ("hour", "more_home"), [(18.2, ((72, 160),)), (18.2, ()), (17.6, ((73, 60),))]
)
def test_why_tells_what_the_hours_firmness_did_and_without_it_it_is_that(
    world: Any, monkeypatch: pytest.MonkeyPatch, hour: float, more_home: Any
) -> None:
    """What it says p would be, were the hour one arrival, is p once nothing is learned of it."""
    mall = type(world.mall)(place_id="mall", lat=world.mall.lat, lon=world.mall.lon, visits=9)
    goals = (
        Destination(place=mall, p=0.9, came=((73, 5), (74, 4))),
        Destination(place=world.home, p=0.05, came=more_home),
    )
    drive = world.drive(time_s=world.at(hour), trip_start_s=world.at(17.0), destinations=goals)
    memory = world.dining({"node/1": 4, "node/2": 3})

    def words() -> str:
        said = world.assistant(settings=GateSettings(dial=Dial.EAGER)).consider(drive, memory)
        assert isinstance(said, Suggestion), said
        assert why(said)
        return next(r.words for r in said.reasons if r.feature == "deciding-early")

    told = FIRM.search(words())
    assert told is not None
    p, stands_for, plain = (float(part) for part in told.groups())
    assert p > plain
    assert stands_for < 1.0
    monkeypatch.setattr(target, "firmness", lambda _counts, _chance: ONE_ARRIVAL)
    memory = world.dining({"node/1": 4, "node/2": 3})  # it remembers what was worked out
    without = words()
    assert "the hour beside them" not in without
    assert f"dinner then {plain:.2f}:" in without


@quick
@given(
    counts=st.lists(st.tuples(st.integers(0, 40), st.floats(0, 400)), max_size=24),
    chance=st.floats(0, 1),
)
def test_how_firmly_the_hour_stands_is_always_a_distribution(
    counts: list[tuple[int, float]], chance: float
) -> None:
    firm = firmness(counts, chance)
    assert sum(share for _, share in firm) == pytest.approx(1.0)
    assert {each for each, _ in firm} <= set(STANDS_FOR)
    if not any(sum(each) for each in counts):
        assert firm == ONE_ARRIVAL


def test_no_hour_is_called_by_another_meal_however_sure_the_place_is(world: Any) -> None:
    """Lunches at noon at a place for nothing else: dinner has hardly a chance then, and no place lends it one."""
    where = type(world.mall)(place_id="x", lat=world.mall.lat, lon=world.mall.lon, visits=9)
    noon = [meal(world, 12.0, day) for day in range(80, 89)]
    memory = Memory(person="anna", meals=tuple(noon))
    goals = (
        Destination(place=where, p=0.9, came=((48, 9),)),
        Destination(place=world.home, p=0.05, came=((72, 160),)),
    )
    drive = world.drive(
        time_s=world.at(11.8),
        destinations=goals,
        routines=(world.routine("lunch", 12.0), world.routine("dinner", 18.5)),
    )
    found = find_target(drive, memory, GateSettings(), lambda _topic, _meal: 1.0)
    assert isinstance(found, Target)
    assert found.hunger.name == "lunch"
    assert found.hunger.p > need(world, noon, where, hour=12.0).p, (
        "the home says: a place is for meals or it is not"
    )


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
    goal = Destination(place=place, p=1.0)
    found = hunger_at(world.drive(), routine, goal, [], arrive_s=world.at(quarter / 4))
    assert 0.0 <= found.p <= 1.0


def surely(_: Meal) -> float:
    return 1.0


def test_a_stay_that_was_hardly_a_meal_leaves_the_appetite(world: Any) -> None:
    """An afternoon of sport next door to a pub is no dinner; one that ended a minute ago is still taken for one."""
    dinner, pub = world.routine("dinner", 18.5), meal(world, 16.0, 0)
    leaving = world.drive(time_s=pub.end_s + 600.0, last_meal_s=pub.end_s)
    arrive_s = leaving.time_s + 600.0
    sated = appetite(leaving, [pub], dinner, arrive_s, surely)
    assert sated < 0.3
    assert appetite(leaving, [pub], dinner, arrive_s, lambda _: 0.1) == pytest.approx(
        1.0 - 0.1 * (1.0 - sated)
    )
    assert appetite(leaving, [], dinner, arrive_s, lambda _: 0.1) == sated


def test_a_shop_next_door_to_a_table_does_not_undo_the_dinner_before_it(world: Any) -> None:
    dinner, at_six, shop = world.routine("dinner", 18.5), meal(world, 18.0, 0), meal(world, 19.5, 0)
    later = world.drive(time_s=shop.end_s + 600.0, last_meal_s=shop.end_s)
    ate = {at_six: 1.0, shop: 0.05}
    assert appetite(later, [at_six, shop], dinner, later.time_s + 600.0, ate.__getitem__) < 0.1


def test_appetite_returns_with_the_hours(world: Any) -> None:
    dinner, now = world.routine("dinner", 18.5), world.drive()
    hours = [0.2, 1.5, 2.5, 3.5, 4.5]
    values = [
        appetite(
            world.drive(last_meal_s=now.time_s - h * 3600), [], dinner, now.time_s + 300, surely
        )
        for h in hours
    ]
    assert values == sorted(values)
    assert values[0] == 0.0
    assert values[-1] == 1.0
    assert appetite(now, [], dinner, now.time_s, surely) == 1.0


def test_this_meal_was_had_already(world: Any) -> None:
    """Dinner at half past five is dinner, however long ago it seems at nine."""
    dinner = world.routine("dinner", 18.5)
    late = world.drive(time_s=world.at(22.5), last_meal_s=world.at(18.6))
    assert appetite(late, [], dinner, world.at(22.6), surely) == 0.0
    after_lunch = world.drive(last_meal_s=world.at(12.8))
    assert appetite(after_lunch, [], dinner, world.at(18.4), surely) == 1.0


def test_only_meals_with_evidence_count(world: Any) -> None:
    rules = GateSettings(min_days=5)
    odd = (
        world.routine("dinner", 18.5, days=4),
        world.routine("coffee", 16.0, days=6),
        world.routine("tea", 15.0, days=90),
        Routine(name="lunch", days=90),
        world.routine("lunch", 12.0, days=5),
    )
    assert [r.days for r in usable(world.drive(routines=odd), rules)] == [6, 5]


def test_meals_at_home_are_not_meals_out(world: Any) -> None:
    """Who lives above a restaurant is not dining out every evening, nor learning its taste."""
    memory = world.dining({"node/1": 20})
    house = next(p for p in world.pois if p.osm_id == "node/1")
    assert len(memory.meals_out(world.drive().time_s, ())) == 20
    assert memory.meals_out(world.drive().time_s, ((house.lat, house.lon),)) == []
    assert memory.meals_out(0.0, ()) == []
