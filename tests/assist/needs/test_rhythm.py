"""Is this a day on which one eats out: too soon for the next meal, or a habit that is over?"""

from __future__ import annotations

from itertools import cycle
from math import fsum
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sitting import SCATTER

from hearthway.assist.memory import Meal, Memory
from hearthway.assist.needs.meal.rhythm import Rhythm, days_of, rhythm_of
from hearthway.learn.outcome import learn_visit
from hearthway.records.situation import Destination, MealVisit
from hearthway.records.suggestion import Silence, Suggestion

WEEKLY = [7 * n for n in range(9)]  # nine Thursdays, the last on day 56
days_out = st.lists(st.integers(0, 200), max_size=40)


@given(days=days_out, today=st.integers(0, 400))
@settings(max_examples=100, deadline=None)
def test_it_only_takes_away(days: list[int], today: int) -> None:
    found = rhythm_of(sorted(set(days)), today)
    assert 0.0 < found.share <= 1.0
    assert 0.0 < found.soon <= 1.0
    assert 0.0 < found.goes_on <= 1.0


def test_on_the_usual_day_hardly_anything_is_taken() -> None:
    assert rhythm_of(WEEKLY, 63).share > 0.96
    assert rhythm_of(WEEKLY, 63).words("lunch") == ""
    assert rhythm_of([], 63) == rhythm_of([56], 63) == Rhythm(), "no gap, no rhythm"


def test_so_soon_after_the_last_one_hardly_ever_eats_out() -> None:
    soon = {since: rhythm_of(WEEKLY, 56 + since).soon for since in range(1, 9)}
    assert max(soon[1], soon[2], soon[3]) < 0.1
    assert soon[4] < soon[5] < soon[6] == soon[7] == soon[8] == 1.0
    told = rhythm_of(WEEKLY, 57).words("lunch")
    assert told == f"; a day after the last lunch, usually 7 (8 times), {soon[1]:.2f}"


def test_where_no_rhythm_is_none_is_taken_for_one() -> None:
    """Days drawn by lot, three in ten; and lunch on working days, which comes after a weekend as ever."""
    rng = Random(1)
    for _ in range(20):
        days = [day for day in range(84) if rng.random() < 0.3]
        shares = [rhythm_of(days, days[-1] + since).share for since in (1, 2, 3, 4)]
        assert fsum(shares) > 3.5, days
    evenings = [0, 4, 5, 6, 11, 12, 20, 33, 39]
    assert rhythm_of(evenings, 41).share == 1.0
    lunches = [day for day in range(60) if day % 7 < 5]
    assert rhythm_of(lunches, lunches[-1] + 3).share == 1.0


def test_a_meal_beside_the_rhythm_takes_nothing_from_its_next_turn() -> None:
    weekly = [*range(0, 57, 7), 58]  # and one more, two days after the last
    assert rhythm_of(weekly, 63).share == 1.0
    assert rhythm_of(weekly, 60).soon < 0.5  # which is no day of either
    assert rhythm_of([0, 7, 14, 21, 35, 42, 49, 56, 61], 63).share == 1.0
    every_eighth = list(range(0, 57, 8))  # the last of these was its turn: the next day is none
    assert rhythm_of(every_eighth, 57).soon < 0.2


def test_a_habit_that_was_broken_off_is_believed_less_and_one_more_meal_mends_it() -> None:
    shares = [rhythm_of(WEEKLY, 56 + since).goes_on for since in (7, 8, 10, 14, 21)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.95 > shares[1] > 0.75
    assert shares[3] < 0.2
    assert (
        rhythm_of(WEEKLY, 70).words("lunch")
        == f"; 14 days after the last lunch, usually 7 (8 times), {shares[3]:.2f}"
    )
    missed_before = [0, 7, 14, 28, 35, 42, 49, 56]
    assert 0.5 < rhythm_of(missed_before, 70).goes_on < 0.7
    assert rhythm_of([*WEEKLY, 70], 77).share > 0.95


def test_the_longer_a_habit_was_kept_the_surer_it_is_broken_off_by_a_gap() -> None:
    few, many = rhythm_of(WEEKLY[:4], 35), rhythm_of(WEEKLY, 70)
    assert many.goes_on < few.goes_on


def test_days_are_of_that_meal_and_of_what_rather_was_one(world: Any) -> None:
    def at(hour: float, day: int) -> Meal:
        start_s = world.at(hour, day)
        visit = MealVisit(
            start_s=start_s, end_s=start_s + 3000.0, osm_id="node/1", lat=60.0, lon=24.0
        )
        (meal,) = learn_visit(Memory(person="anna"), visit).meals
        return meal

    lunch, dinner, errand = at(12.5, 1), at(18.5, 2), at(19.0, 5)
    meals = [lunch, dinner, errand]
    assert days_of("dinner", meals, {lunch: 0.9, dinner: 0.9, errand: 0.3}) == [dinner.day]
    assert days_of("dinner", meals, {errand: 0.6}) == [dinner.day, errand.day]
    assert days_of("lunch", meals, {}) == [lunch.day]


def dined(world: Any, days: range) -> Memory:
    memory, town = Memory(person="anna"), world.town(world.pois, world.hours)
    for day, (late_min, longer) in zip(days, cycle(SCATTER), strict=False):
        poi, start_s = world.pois[1], world.at(18.5, day) + 60.0 * late_min
        end_s = start_s + 3000.0 * longer
        visit = MealVisit(start_s=start_s, end_s=end_s, osm_id=poi.osm_id, lat=poi.lat, lon=poi.lon)
        memory = learn_visit(memory, visit, town)
    return memory


@pytest.mark.parametrize(
    ("last", "speaks"), [(99, False), (96, False), (93, True), (92, True), (86, False)]
)
def test_who_dines_out_once_a_week_is_told_of_it_on_such_a_day(
    world: Any, last: int, *, speaks: bool
) -> None:
    """The same drive on day 100, so many days after the last of 14 dinners."""
    memory = dined(world, range(last - 7 * 13, last + 1, 7))
    place = msgspec.structs.replace(world.mall, visits=16)
    goals = (Destination(place=place, p=0.9), Destination(place=world.home, p=0.06))
    answer = world.assistant().consider(world.drive(destinations=goals, p_new=0.04), memory)
    assert isinstance(answer, Suggestion) is speaks, answer
    if isinstance(answer, Silence):
        assert answer.code == "not-worth-interrupting"
