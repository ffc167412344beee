"""A life that changes, as a phone writes it down: what is told of it, where legs then lead, and when lunch is."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from math import isclose, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.context.eaten import eaten_out
from hearthway.context.life import Life
from hearthway.context.places import KnownPlace, PlaceBook
from hearthway.context.prior import OLD_LIFE_DAYS, Departure, PastTrip, prior_of
from hearthway.context.routines import Meal, meal_of, routines_of, still_so
from hearthway.context.settling import Change
from hearthway.context.view import TOLD_DAYS
from hearthway.records.geo import distance_m, offset
from hearthway.records.life import PlaceWord
from hearthway.records.localtime import DAY_S
from hearthway.records.signals import Fix
from hearthway.records.situation import MealVisit

Make = Callable[..., list[Fix]]
Spots = dict[str, tuple[float, float]]
MONDAY_S = 1_709_510_400.0 - 7_200.0  # 4 March 2024, local midnight in Helsinki
HOME, WORK, NEW, SHOP = range(4)
MOVED_S = 30 * DAY_S


@pytest.fixture(scope="module")
def moved(
    make_stay: Make, make_drive: Make, spots: Spots
) -> tuple[Life, tuple[float, float], float]:
    """Four weeks, then two in another house: the life, the house, and when its first night began."""
    life, house = Life("ada"), offset(*spots["home"], 4_000.0, -3_000.0)
    for day in range(42):
        midnight_s, home = MONDAY_S + day * DAY_S, spots["home"] if day < 28 else house
        at, since_s = spots["home"] if day <= 28 else house, midnight_s + 1.0
        plan = (
            [(spots["work"], 8.0), (home, 17.0)]
            if day % 7 < 5
            else [(spots["gym"], 10.0), (home, 12.0)]
        )
        for goal, hour in plan:
            leave_s = midnight_s + hour * 3600.0
            way = make_drive(leave_s, at, goal)
            for fix in [*make_stay(since_s, leave_s, at, day), *way]:
                life.observe(fix)
            at, since_s = goal, way[-1].time_s + 60.0
        for fix in make_stay(since_s, midnight_s + DAY_S, at, day):
            life.observe(fix)
    return life, house, MONDAY_S + 28 * DAY_S + 21 * 3600.0  # summer time began the day before


def test_the_new_house_is_home_and_its_first_night_is_told(
    moved: tuple[Life, tuple[float, float], float], spots: Spots
) -> None:
    life, house, since_s = moved
    labelled = {place.label: place for place in life.places() if place.label}
    assert distance_m(labelled["home"].lat, labelled["home"].lon, *house) < 30.0
    assert distance_m(labelled["work"].lat, labelled["work"].lon, *spots["work"]) < 30.0
    assert life.state.settling.changes[-1].since_s == since_s
    new = labelled["home"].place_id
    assert life.changes == (f"home seems to be at {new} since 1 April 2024, before that at p0",)


def test_it_is_told_by_its_given_name_and_not_for_ever(
    moved: tuple[Life, tuple[float, float], float], make_stay: Make
) -> None:
    life, house, since_s = moved
    again = Life.load(life.dump())
    assert again.changes == life.changes
    flat = again.state.places[0]
    again.hear(
        PlaceWord(time_s=since_s, kind="name", lat=flat.lat, lon=flat.lon, name="the old flat")
    )
    assert again.changes[0].endswith("before that at the old flat")
    own = Life.load(life.dump())
    own.hear(PlaceWord(time_s=since_s, kind="home", lat=house[0], lon=house[1]))
    assert own.changes == ()  # who said it needs not be told
    late_s = since_s + TOLD_DAYS * DAY_S + 1.0
    for fix in make_stay(late_s, late_s + 600.0, house):
        again.observe(fix)
    assert again.changes == ()
    assert life.changes != ()


def test_the_way_from_work_leads_to_the_new_home_at_once(
    moved: tuple[Life, tuple[float, float], float],
) -> None:
    life, _, _ = moved
    state = life.state
    home = state.settling.nights.at
    leaving = Departure(1, MONDAY_S + 42 * DAY_S + 17 * 3600.0, 17 * 3600.0, 0)
    knowing = life.model.posterior(leaving, state.places, changes=state.settling.changes)
    plain = life.model.posterior(leaving, state.places)
    assert knowing.places[0][0] == home
    assert dict(knowing.places)[home] > dict(plain.places)[home]


def _places() -> list[KnownPlace]:
    at = [(60.2, 24.9)] + [offset(60.2, 24.9, 3_000.0 * i, 2_000.0) for i in range(1, 4)]
    return [
        KnownPlace(index=i, lat=lat, lon=lon, visits=5, last_s=MOVED_S)
        for i, (lat, lon) in enumerate(at)
    ]


def _legs() -> list[PastTrip]:
    """From work home and from home to work, before anything changed."""
    return [
        PastTrip(
            origin, goal, day * DAY_S + hour * 3600.0, hour * 3600.0, day % 7, False, 5e3, 600.0
        )
        for day in range(30)
        for origin, goal, hour in ((HOME, WORK, 8.0), (WORK, HOME, 17.0))
    ]


def _leaving(origin: int, hour: float, days: int = 1) -> Departure:
    return Departure(origin, MOVED_S + days * DAY_S + hour * 3600.0, hour * 3600.0, (30 + days) % 7)


@pytest.mark.parametrize("p", [0.5, 0.9, 0.99])
def test_what_led_home_leads_to_the_new_one_as_probably_as_it_is_one(p: float) -> None:
    change = Change("home", HOME, NEW, MOVED_S, p)
    legs, places = _legs(), _places()
    before = prior_of(_leaving(WORK, 17.0), places, legs).places
    after = prior_of(_leaving(WORK, 17.0), places, legs, [change]).places
    assert after[NEW] > 3.0 * before[NEW]
    assert after[HOME] < before[HOME]
    from_there = prior_of(_leaving(NEW, 8.0), places, legs, [change]).places
    assert from_there[WORK] == max(from_there.values())
    assert from_there[WORK] > prior_of(_leaving(NEW, 8.0), places, legs).places[WORK]


def test_a_change_says_nothing_of_legs_after_it_and_none_changes_nothing() -> None:
    legs, places = _legs(), _places()
    early = Change("home", HOME, NEW, -1.0, 0.9)
    leaving = _leaving(WORK, 17.0)
    assert prior_of(leaving, places, legs, [early]) == prior_of(leaving, places, legs)


def test_the_longer_after_a_change_the_less_its_past_says() -> None:
    legs, places = _legs(), _places()
    legs += [
        PastTrip(WORK, SHOP, MOVED_S + 17 * 3600.0, 17 * 3600.0, 2, False, 5e3, 600.0),
    ]
    change = Change("home", NEW, SHOP, MOVED_S, 0.9)  # nothing led to or from there before
    shares = []
    for days in (1, int(OLD_LIFE_DAYS), int(3 * OLD_LIFE_DAYS)):
        leaving = _leaving(WORK, 17.0, days)
        odds = [
            log(found[SHOP] / found[HOME])
            for found in (
                prior_of(leaving, places, legs, [change]).places,
                prior_of(leaving, places, legs).places,
            )
        ]
        shares.append(odds[0] - odds[1])
    assert 0.0 < shares[0] < shares[1] < shares[2]


# --- mealtimes


def _meals(hours: list[float], at: int = SHOP) -> list[Meal]:
    return [
        Meal(
            visit=MealVisit(
                start_s=day * DAY_S + hour * 3600.0,
                end_s=day * DAY_S + hour * 3600.0 + 2400.0,
                osm_id="",
            ),
            day=day,
            local_s=hour * 3600.0,
            weekday=day % 7,
            place=at,
        )
        for day, hour in enumerate(hours)
    ]


def _about(hour: float, count: int, seed: int) -> list[float]:
    pick = random.Random(seed)
    return [hour + pick.gauss(0.0, 0.2) for _ in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_other_hours_are_learned_within_five_lunches(seed: int) -> None:
    before, after = _about(12.2, 40, seed), _about(14.2, 5, seed + 100)
    (lunch,) = routines_of(_meals(before + after), 60)
    (alike,) = routines_of(_meals(before), 60)
    assert abs(alike.mean_s - 12.2 * 3600.0) < 600.0
    assert abs(lunch.mean_s - 14.2 * 3600.0) < 1800.0
    assert sum(lunch.density[52:62]) > 0.8
    assert isclose(sum(lunch.density), 1.0)
    assert lunch.start_s > alike.start_s + 1800.0


@pytest.mark.parametrize("seed", range(5))
def test_an_odd_hour_and_two_usual_ones_are_no_change(seed: int) -> None:
    pick = random.Random(seed)
    weekends = [14.0 if day % 7 > 4 else 12.2 for day in range(45)]
    for hours in ([*_about(12.2, 40, seed), 14.5], [h + pick.gauss(0.0, 0.2) for h in weekends]):
        shares = still_so([hour * 3600.0 for hour in hours])
        assert shares[len(shares) // 2] > 0.7
        (lunch,) = routines_of(_meals(hours), 60)
        assert abs(lunch.mean_s / 3600.0 - sum(hours) / len(hours)) < 0.4


def test_with_another_work_other_hours_are_believed_sooner() -> None:
    hours = _about(12.2, 30, 1) + _about(14.2, 2, 2)
    changed_s = 30 * DAY_S
    (plain,) = routines_of(_meals(hours), 60)
    (knowing,) = routines_of(_meals(hours), 60, [changed_s])
    assert knowing.mean_s > plain.mean_s + 1800.0
    (same,) = routines_of(_meals(_about(12.2, 32, 1)), 60, [changed_s])
    assert abs(same.mean_s - 12.2 * 3600.0) < 600.0


@given(st.lists(st.floats(0.0, 86_399.0), min_size=1, max_size=60), st.sets(st.integers(-3, 70)))
def test_later_meals_count_at_least_as_much(starts: list[float], likely: set[int]) -> None:
    shares = still_so(starts, likely)
    assert len(shares) == len(starts)
    assert shares[-1] == 1.0
    assert all(0.0 <= a <= b + 1e-9 <= 1.0 + 2e-9 for a, b in pairwise(shares))


def test_lunch_near_the_work_that_was_is_still_none() -> None:
    """Stays at a work above a restaurant were none while it was the work, and are none afterwards."""
    life = Life("ada")
    life.state.places = _places()
    life.state.meals = _meals(_about(12.2, 10, 1), at=WORK) + _meals(_about(12.2, 3, 2), at=SHOP)
    book = PlaceBook(life.state.places, life.state.settling)
    assert {meal.place for meal in eaten_out(life.state, book)} == {WORK, SHOP}
    life.state.settling.changes = [Change("work", WORK, NEW, 0.0, 0.9)]
    assert {meal.place for meal in eaten_out(life.state, book)} == {SHOP}
    assert all(meal_of(meal.local_s, coffee=False) == "lunch" for meal in life.state.meals)
