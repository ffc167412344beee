"""At a table or next door to one: what the map and the person's other spots say."""

from __future__ import annotations

from math import exp, log
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sitting import SCATTER

from hearthway.assist.memory import Meal
from hearthway.assist.needs.meal.clockwork import by_the_clock
from hearthway.assist.needs.meal.settings import NEWEST_SPOTS
from hearthway.assist.needs.meal.table import (
    at_table,
    habit_ratio,
    ratio,
    shares,
    spots_of,
    stay_ratio,
    tables_of,
    tables_per_m2,
)
from hearthway.records.geo import offset
from hearthway.records.poi import OpenState, Poi

MIDDLE = (42.5, 1.52)
OPEN_SHARE = 0.9
quick = settings(max_examples=60, deadline=None)


def thing(number: int, kind: str, north_m: float, east_m: float) -> Poi:
    lat, lon = offset(*MIDDLE, north_m, east_m)
    return Poi(osm_id=f"node/{number}", kind=kind, name=f"{kind} {number}", lat=lat, lon=lon)


TELLS_NOTHING_MIN = 112.5  # so long a stay is as likely if one eats as if not


TELLS_NOTHING_QUARTER = 70  # and so is one that begins at half past five


def stay(
    north_m: float,
    east_m: float,
    day: int = 0,
    minutes: float = TELLS_NOTHING_MIN,
    quarter: int = TELLS_NOTHING_QUARTER,
) -> Meal:
    lat, lon = offset(*MIDDLE, north_m, east_m)
    start_s = day * 86_400.0 + quarter * 900.0
    end_s = start_s + 60.0 * minutes
    return Meal(time_s=start_s, end_s=end_s, quarter=quarter, day=day, lat=lat, lon=lon)


def stays(
    count: int,
    north_m: float,
    east_m: float,
    first: int = 0,
    minutes: float = TELLS_NOTHING_MIN,
    quarter: int = TELLS_NOTHING_QUARTER,
) -> list[Meal]:
    """About that long and at that hour, as people come to eat: nobody sits down by the clock."""
    return [
        alter(stay(north_m, east_m, first + i, minutes, quarter), *SCATTER[i % len(SCATTER)])
        for i in range(count)
    ]


def alter(meal: Meal, late_min: float, longer: float) -> Meal:
    """The same, begun so much later, and so many times as long."""
    begin_s = meal.time_s + 60.0 * late_min
    end_s = begin_s + longer * (meal.end_s - meal.time_s)
    quarter = int(begin_s % 86_400.0 // 900.0)
    return msgspec.structs.replace(meal, time_s=begin_s, end_s=end_s, quarter=quarter)


def village(world: Any, **hours: OpenState) -> Any:
    """One inn; the three shops are far from it."""
    shops = [thing(10 + i, "shop", 220.0 + 40 * i, 100.0) for i in range(3)]
    return world.town([thing(1, "restaurant", 0, 0), *shops], {"node/1": hours.get("inn")})


def street(world: Any) -> Any:
    """A town's middle: a table every 40 m, and a shop 15 m from each."""
    tables = [thing(i, "restaurant", 0, 40.0 * i) for i in range(12)]
    shops = [thing(100 + i, "shop", 0, 40.0 * i + 15.0) for i in range(12)]
    return world.town([*tables, *shops], {})


def p_of(there: list[tuple[float, list[Meal]]], meals: list[Meal], town: Any) -> float:
    return at_table(there, tables_of(meals, town, OPEN_SHARE)).p


def at(meals: list[Meal], town: Any) -> float:
    return p_of([(1.0, meals)], meals, town)


def test_the_only_inn_of_a_village_is_a_table_and_the_next_house_is_not(world: Any) -> None:
    inn = at(stays(8, 3, 0), village(world))
    assert inn > 0.9
    assert at(stays(8, 40, 0), village(world)) < 0.2
    assert at(stays(8, 300, 300), village(world)) == 0.0, "no table near at all"


def test_in_a_towns_middle_one_spot_says_less_and_several_at_tables_say_it(world: Any) -> None:
    town = street(world)
    alone = at(stays(8, 2, 0), town)
    assert alone < at(stays(8, 2, 0), village(world))
    several = [m for i in range(6) for m in stays(2, 2, 80.0 * i, first=10 * i)]
    assert at(several, town) > alone + 0.1


def test_who_stops_all_over_the_town_is_at_a_table_by_chance(world: Any) -> None:
    """Of seven spots one lies at a table: the other six, between tables, make it an errand as well."""
    town = street(world)
    usual = stays(4, 2, 0)
    errands = [m for i in range(1, 7) for m in stays(4, 30, 70.0 * i, first=10 * i)]
    assert p_of([(1.0, usual)], [*usual, *errands], town) < at(usual, town) - 0.1


def test_how_long_one_stays_tells_a_meal_from_an_afternoon_and_from_a_short_errand(
    world: Any,
) -> None:
    town = street(world)
    plain = at(stays(8, 2, 0), town)
    assert at(stays(8, 2, 0, minutes=60.0), town) > plain + 0.05
    assert at(stays(8, 2, 0, minutes=150.0), town) < plain - 0.2
    assert at(stays(8, 2, 0, minutes=21.0), town) < plain - 0.1


def test_a_phone_that_slept_through_half_of_one_stay_changes_little(world: Any) -> None:
    town = street(world)
    whole = stays(8, 2, 0, minutes=60.0, quarter=50)
    torn = [*whole[:7], *stays(1, 2, 0, first=7, minutes=20.0, quarter=50)]
    assert at(whole, town) - 0.04 < at(torn, town) < at(whole, town)


def test_who_comes_at_mealtimes_is_likelier_at_a_table_than_who_comes_in_between(
    world: Any,
) -> None:
    town = street(world)
    plain = at(stays(8, 2, 0), town)
    lunch, dinner = (at(stays(8, 2, 0, minutes=75.0, quarter=q), town) for q in (50, 77))
    before, after, early = (at(stays(8, 2, 0, minutes=75.0, quarter=q), town) for q in (41, 61, 30))
    assert min(lunch, dinner) > plain + 0.1
    assert max(before, after, early) < plain - 0.05


def test_who_stays_now_short_now_long_at_any_hour_eats_nowhere(world: Any) -> None:
    """The middle one of these stays is a lunch of an hour; a garden among tables is visited so, and no table."""
    town = street(world)
    garden = [
        stay(2, 0, day, minutes, quarter)
        for day, (minutes, quarter) in enumerate(
            ((25, 38), (150, 60), (60, 50), (30, 44), (180, 62), (120, 40), (60, 49), (22, 66))
        )
    ]
    assert at(garden, town) < 0.6 < at(stays(8, 2, 0, minutes=60.0, quarter=50), town) - 0.3


@quick
@given(minutes=st.floats(20.0, 210.0), quarter=st.integers(0, 95), count=st.integers(1, 40))
def test_many_stays_of_one_habit_tell_no_more_than_two_that_have_nothing_in_common(
    minutes: float, quarter: int, count: int
) -> None:
    one = log(habit_ratio(spots_of([stay(0, 0, 0, minutes, quarter)])[0]))
    alike = [stay(0, 0, day, minutes, quarter) for day in range(count)]
    many = log(habit_ratio(spots_of(alike)[0]))
    assert abs(one) - 1e-9 <= abs(many) <= 2.0 * abs(one) + 1e-9


@quick
@given(minutes=st.floats(20.0, 210.0), quarter=st.integers(0, 95))
def test_length_and_hour_say_most_for_fifty_minutes_at_midday_and_are_never_sure_alone(
    minutes: float, quarter: int
) -> None:
    told = stay_ratio(stay(0, 0, 0, minutes, quarter))
    assert 0.0 < told <= 1.1 * stay_ratio(stay(0, 0, 0, 50.0, 51)) < 6.0


def test_a_dinner_takes_longer_than_a_lunch() -> None:
    half_an_hour, long = (
        [stay_ratio(stay(0, 0, 0, minutes, quarter)) for quarter in (51, 77)]
        for minutes in (30.0, 90.0)
    )
    assert half_an_hour[0] > 2.0 * half_an_hour[1]
    assert long[1] > 1.2 * long[0]


@quick
@given(
    late=st.lists(st.floats(-200.0, 200.0), min_size=1, max_size=12),
    longer=st.lists(st.floats(0.4, 2.5), min_size=12, max_size=12),
)
def test_the_clock_only_takes_away_whatever_the_order_and_two_stays_tell_nothing_of_it(
    late: list[float], longer: list[float]
) -> None:
    meals = [
        alter(stay(0, 0, day, 60.0, 50), *each)
        for day, each in enumerate(zip(late, longer, strict=False))
    ]
    told = by_the_clock(meals)
    assert 0.0 < told <= 1.0
    assert by_the_clock(meals[::-1]) == told
    assert by_the_clock(meals[:2]) == 1.0


def test_who_comes_at_the_same_minute_each_week_has_an_appointment_and_no_table(world: Any) -> None:
    """A choir of 95 minutes next door to the inn, and dinners as long at it."""
    dinners = stays(8, 2, 0, minutes=95.0, quarter=74)
    choir = [
        alter(stay(2, 0, 7 * week, 95.0, 74), late_min, 1.0)
        for week, late_min in enumerate((0, 3, -2, 4, -4, 1, -3, 2))
    ]
    assert by_the_clock(dinners) > 0.9
    assert by_the_clock(choir) < 0.1
    late_once = [*choir[:7], alter(choir[7], 30.0, 0.6)]
    assert by_the_clock(late_once) < 0.25, "a tram that was late, a rehearsal cut short"
    town = street(world)
    assert at(choir, town) < 0.5 < 0.75 < at(dinners, town)


def test_who_comes_whenever_there_is_time_has_an_errand_and_no_table() -> None:
    errand = [
        alter(stay(2, 0, day, 45.0, 50), *each)
        for day, each in enumerate(
            ((-80, 0.5), (60, 1.9), (-30, 1.0), (75, 0.6), (5, 2.4), (-65, 0.5))
        )
    ]
    assert by_the_clock(errand) < 0.5


@pytest.mark.parametrize("count", [200, 1_000])
@pytest.mark.parametrize("scatter", [0.0, 0.1, 1.0, 8.0])
def test_hundreds_of_stays_are_weighed_as_well(count: int, scatter: float) -> None:
    """A courier fetches from one kitchen several times a day: no likelihood of so many is a number above 0."""
    rng = Random(count)
    many = [
        alter(
            stay(0, 0, day, 60.0, 50),
            15.0 * scatter * rng.gauss(0, 1),
            exp(0.3 * scatter * rng.gauss(0, 0.5)),
        )
        for day in range(count)
    ]
    told = by_the_clock(many)
    assert told > 0.9 if scatter == 1.0 else told < 0.05


@pytest.mark.parametrize("count", [30, 60, 300])
def test_who_lunches_now_before_and_now_after_the_others_is_at_a_table(count: int) -> None:
    lunches = [
        alter(stay(0, 0, day, 50.0, (47, 54)[day % 2]), *SCATTER[day // 2 % len(SCATTER)])
        for day in range(count)
    ]
    assert by_the_clock(lunches) > 0.5


def test_a_lunch_and_a_dinner_are_two_habits() -> None:
    both = [*stays(6, 2, 0, minutes=60.0, quarter=50), *stays(6, 2, 0, minutes=60.0, quarter=76)]
    assert by_the_clock(both) > 0.9


def test_a_table_that_was_closed_is_none_and_an_unknown_one_is_as_open_as_the_others(
    world: Any,
) -> None:
    spot = spots_of(stays(8, 3, 0))[0]
    known = ratio(spot, village(world, inn=OpenState.OPEN), 0.3)
    unknown = ratio(spot, village(world, inn=OpenState.UNKNOWN), 0.3)
    assert unknown == pytest.approx(0.3 * known)
    assert ratio(spot, village(world, inn=OpenState.CLOSED), 0.3) == 0.0
    beside = village(world, inn=OpenState.CLOSED)
    beside.pois.append(thing(2, "pub", 12, 0))
    assert ratio(spot, beside, 0.3) > 0.0, "the next one may have been open"


def test_the_density_follows_the_shops(world: Any) -> None:
    assert tables_per_m2(street(world), *MIDDLE) > 5 * tables_per_m2(village(world), *MIDDLE)
    assert tables_per_m2(world.town([], {}), *MIDDLE) > 0.0


def test_spots_are_where_stays_lie_together_and_the_newest_are_kept(world: Any) -> None:
    two = spots_of([*stays(3, 0, 0), *stays(2, 10, 0, first=5), *stays(1, 90, 0, first=9)])
    assert [len(s.meals) for s in two] == [1, 5]
    many = [stay(0, 100.0 * i, day=i) for i in range(NEWEST_SPOTS + 5)]
    spots = spots_of(many)
    assert len(spots) == NEWEST_SPOTS
    assert spots[0].meals[0].day == NEWEST_SPOTS + 4
    old = many[:1]
    assert 0.0 <= p_of([(1.0, old)], many, street(world)) <= 1.0
    assert p_of([], [], street(world)) == 0.0


def test_the_map_is_asked_about_a_spot_once_until_one_sits_there_again(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every moment of a drive asks about all spots."""
    pois, asked = village(world), []
    near = type(pois).near

    def counted(self: Any, *where: Any) -> Any:
        asked.append(where)
        return near(self, *where)

    monkeypatch.setattr(type(pois), "near", counted)
    spot = spots_of(stays(2, 5.0, 3.0))[0]
    first = ratio(spot, pois, OPEN_SHARE)
    assert first > 0.0
    assert asked
    asked.clear()
    assert ratio(spots_of(stays(2, 5.0, 3.0))[0], pois, OPEN_SHARE) == first
    assert not asked
    assert ratio(spots_of(stays(3, 5.0, 3.0))[0], pois, OPEN_SHARE) != first  # a newer stay
    assert asked
    other = village(world, inn=OpenState.CLOSED)  # another map
    assert ratio(spot, other, OPEN_SHARE) == 0.0


def test_each_place_counts_as_probably_as_one_goes_there_for_a_meal(world: Any) -> None:
    """The errand next door has more stays, and is where one is hardly heading."""
    town = village(world)
    inn, errand = stays(4, 3, 0), stays(30, 300, 300, first=10)
    both = [*inn, *errand]
    one, other = (p_of([(1.0, here)], both, town) for here in (inn, errand))
    heading = p_of([(0.6, inn), (0.2, errand)], both, town)
    assert other < 0.1 < 0.8 < one
    assert heading == pytest.approx(0.75 * one + 0.25 * other)
    assert p_of([(0.0, inn)], both, town) == 0.0
    unknown = p_of([(0.5, [])], both, town)
    assert unknown == pytest.approx((4 * one + 30 * other) / 34), "no stay there: what all say"


def test_known_errands_beside_a_table_make_a_meal_less_probable_and_the_table_no_less_sure(
    world: Any,
) -> None:
    """Half of the stays there are at something else: that is another thing than not to know whether it is a table."""
    town = village(world)
    inn, errand = stays(8, 3, 0), stays(8, 300, 300, first=10)
    mixed = at_table([(1.0, [*inn, *errand])], tables_of([*inn, *errand], town, OPEN_SHARE))
    assert mixed.p == pytest.approx(0.5, abs=0.1)
    assert mixed.sure > 0.9
    doubtful = stays(8, 2, 0)
    alone = at_table([(1.0, doubtful)], tables_of(doubtful, street(world), OPEN_SHARE))
    assert alone.sure == pytest.approx(alone.p)
    assert alone.sure < mixed.sure
    assert at_table([(1.0, errand)], tables_of(errand, town, OPEN_SHARE)).sure == 0.0


@quick
@given(ratios=st.lists(st.floats(0, 1e4), min_size=1, max_size=NEWEST_SPOTS), more=st.floats(0, 50))
def test_shares_are_probabilities_and_grow_with_the_evidence(
    ratios: list[float], more: float
) -> None:
    found = shares(ratios)
    assert all(0.0 <= p <= 1.0 for p in found)
    raised = shares([ratios[0] + more, *ratios[1:]])
    assert all(b >= a - 1e-9 for a, b in zip(found, raised, strict=True)), "also of the others"
