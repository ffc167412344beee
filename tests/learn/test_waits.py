"""What a place's own seatings teach, and what they let expect: against evenings whose outcome is known."""

from __future__ import annotations

from itertools import pairwise
from math import exp, log
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hearthway.learn.floor import CLEAR_S
from hearthway.learn.queue_ahead import AHEAD_MIN, _ahead, forecast
from hearthway.learn.seatings import DAY_S, Habits, learn, still_here
from hearthway.records.venue import Ahead, Party

NOW_S = 1_780_000_000.0
TABLES = (2, 2, 4, 4)


def lived(
    days: int = 10, *, meal_s: float = 3_000.0, every_s: float = 900.0, seed: int = 1
) -> list[Party]:
    """Evenings in which a party of two comes every `every_s` in the four hours around now and sits at once."""
    random = Random(seed)
    found: list[Party] = []
    for day in range(days, 0, -1):
        at = NOW_S - day * DAY_S - 7_200.0
        while at < NOW_S - day * DAY_S + 7_200.0:
            lasted = meal_s * exp(random.gauss(0.0, 0.2))
            found.append(
                Party(
                    number=len(found) + 1,
                    size=2,
                    came_s=at,
                    seated_s=at,
                    left_s=min(at + lasted, NOW_S),
                )
            )
            at += every_s
    return found


def now(
    past: list[Party], *, seated: int = 0, waiting: int = 0, age_s: float = 600.0
) -> list[Party]:
    """And this evening: so many sit since `age_s`, so many wait since 5 min."""
    first = len(past) + 1
    return [
        *past,
        *(
            Party(number=first + n, size=2, came_s=NOW_S - age_s, seated_s=NOW_S - age_s)
            for n in range(seated)
        ),
        *(Party(number=first + seated + n, size=2, came_s=NOW_S - 300.0) for n in range(waiting)),
    ]


def curve(parties: list[Party], tables: tuple[int, ...] = TABLES) -> tuple[Ahead, ...]:
    found = forecast(parties, tables, NOW_S)
    assert not isinstance(found, str), found
    return found


def habits(parties: list[Party]) -> Habits:
    found = learn(parties, NOW_S)
    assert not isinstance(found, str), found
    return found


def test_a_free_table_is_no_wait_and_a_full_house_is_one() -> None:
    assert curve(now(lived(), seated=3))[0] == Ahead(0, 0, 0, 0)
    full = curve(now(lived(), seated=4))
    assert full[0].wait_min > 20  # four that sat down 10 min ago and stay about 50
    assert [at.in_min for at in full] == list(AHEAD_MIN)
    assert full[5].wait_min < full[0].wait_min  # in an hour most of them are gone


def test_who_queues_first_is_seated_first_and_who_sat_longest_leaves_first() -> None:
    alone = curve(now(lived(), seated=4))[0].wait_min
    behind = curve(now(lived(), seated=4, waiting=3))[0].wait_min
    assert behind > alone
    older = curve(now(lived(), seated=4, age_s=2_400.0))[0].wait_min
    assert older < alone - 10


def test_long_meals_make_long_waits() -> None:
    short, long = (curve(now(lived(meal_s=m), seated=4))[0].wait_min for m in (2_000.0, 5_000.0))
    assert long > short + 20


def test_a_big_party_waits_for_a_big_table_without_keeping_others_from_small_ones() -> None:
    house = now(lived(), seated=1, age_s=600.0)
    big = Party(number=9_999, size=4, came_s=NOW_S - 60.0)
    assert curve([*house, big], (2, 2))[0].wait_min == 0
    assert curve(now(lived(), seated=2, waiting=1), (2, 2))[0].wait_min > 20  # the control


def test_meal_durations_come_from_this_place() -> None:
    meals = habits(now(lived(meal_s=2_400.0), seated=1)).meals
    assert exp(meals[0].mean) == pytest.approx(2_400.0, rel=0.06)
    assert meals[0].deviation == pytest.approx(0.22, abs=0.04)
    assert meals[2].mean == pytest.approx(meals[0].mean, abs=1e-9)  # none seen: that of all


def test_arrivals_come_from_this_time_of_day_and_from_today() -> None:
    found = habits(now(lived(), seated=1))
    soon, night = sum(found.rates[:4]) / 4, sum(found.rates[16:20]) / 4
    assert soon * 900.0 == pytest.approx(1.0, rel=0.25)  # one every 15 min
    assert night < soon / 20
    shape, rate = found.level
    assert shape / rate < 1.0  # hardly anybody came these two hours
    crowd = habits(now(lived(), seated=30, age_s=1_800.0))
    assert crowd.level[0] / crowd.level[1] > 1.5


def gave_up(after_s: float) -> list[Party]:
    return [
        Party(number=5_000 + n, size=2, came_s=NOW_S - DAY_S, left_s=NOW_S - DAY_S + after_s)
        for n in range(20)
    ]


def test_giving_up_comes_from_this_place_and_from_how_long_one_has_queued() -> None:
    past = lived()
    assert habits(now(past, seated=1)).giving_up == pytest.approx([0.5 / 7_200.0] * 4)
    soon = habits(now([*past, *gave_up(540.0)], seated=1)).giving_up
    assert soon[0] > 10 * 0.5 / 7_200.0
    late = habits(now([*past, *gave_up(1_300.0)], seated=1)).giving_up
    assert late[2] > 2 * late[0]
    assert late[0] < soon[0]


def test_who_gives_up_makes_the_queue_shorter() -> None:
    """Six wait and have waited for 20 min; here nobody ever gives up, or all do after 21."""
    house = now(lived(), seated=4)
    queue = [Party(number=800 + n, size=2, came_s=NOW_S - 1_210.0) for n in range(6)]
    patient = curve([*house, *queue])[0].wait_min
    assert curve([*house, *queue, *gave_up(1_270.0)])[0].wait_min < patient - 10


def test_a_slow_evening_is_seen_by_those_that_should_have_left() -> None:
    usual = dict(habits(now(lived(), seated=1)).paces)
    assert max(usual, key=usual.__getitem__) == pytest.approx(0.0, abs=0.03)
    slow = dict(habits(now(lived(), seated=8, age_s=3_500.0)).paces)
    assert max(slow, key=slow.__getitem__) > 0.1
    assert sum(slow.values()) > 0.0


def test_a_house_that_keeps_its_large_table_makes_two_wait_for_a_small_one() -> None:
    """Two tables for two, one for six, which stands empty; on ten evenings two guests waited beside it, or did not."""

    def evenings(wait_s: float) -> list[Party]:
        found = []
        for day in range(10, 0, -1):
            at = NOW_S - day * DAY_S - 3_600.0
            for n, (came_s, sat_s) in enumerate(
                ((0.0, 0.0), (0.0, 0.0), (1_200.0, 1_200.0 + wait_s))
            ):
                found.append(
                    Party(
                        number=10 * day + n,
                        size=2,
                        came_s=at + came_s,
                        seated_s=at + sat_s,
                        left_s=at + sat_s + 2_700.0,
                    )
                )
        return found

    two = now([], seated=2)
    before = lived(40, every_s=40_000.0)
    kept, given_ = ([*before, *evenings(wait_s)] for wait_s in (1_740.0, 0.0))
    told = [
        curve([*past, *(replace(p, number=9_000 + p.number) for p in two)], (2, 2, 6))[0]
        for past in (kept, given_)
    ]
    assert told[0].wait_min > 20
    assert told[1] == Ahead(0, 0, 0, 0)


def test_a_table_that_was_just_left_must_be_cleared() -> None:
    house = now(lived(), seated=3)
    gone = Party(
        number=7_000, size=2, came_s=NOW_S - 2_000.0, seated_s=NOW_S - 2_000.0, left_s=NOW_S - 30.0
    )
    assert curve([*house, gone])[0].wait_min == round((CLEAR_S - 30.0) / 60.0)
    assert curve([*house, replace(gone, left_s=NOW_S - 900.0)])[0].wait_min == 0


def test_said_is_the_mean_and_never_outside_its_range() -> None:
    assert _ahead(0, [0.0] * 100) == Ahead(0, 0, 0, 0)
    assert _ahead(10, [0.0] * 60 + [1_200.0] * 40) == Ahead(10, 8, 0, 20)
    assert _ahead(10, [0.0] * 95 + [7_200.0] * 5) == Ahead(10, 0, 0, 0)


def test_unknown_until_enough_was_seen_and_when_nobody_enters_anything() -> None:
    few = now(lived(1), seated=4)
    assert "of the 30 meals" in str(forecast(few, TABLES, NOW_S))
    one_day = now(lived(2, every_s=300.0), seated=4)
    assert "days it needs" in str(
        forecast([p for p in one_day if p.came_s > NOW_S - DAY_S - 7_200.0], TABLES, NOW_S)
    )
    stale = [p for p in lived() if p.left_s is not None and p.left_s < NOW_S - 4_000.0]
    assert "nothing was entered" in str(forecast(stale, TABLES, NOW_S))
    assert "which tables" in str(forecast(now(lived(), seated=4), (), NOW_S))
    assert "which tables" in str(forecast(now(lived(), seated=4), (1, 1), NOW_S))
    assert curve(now(lived(), seated=4))  # the control


def test_who_was_forgotten_to_be_entered_as_gone_is_gone() -> None:
    forgotten = [
        Party(number=1, size=2, came_s=NOW_S - 20_000.0, seated_s=NOW_S - 19_000.0),
        Party(number=2, size=2, came_s=NOW_S - 15_000.0),
    ]
    here = Party(number=3, size=2, came_s=NOW_S - 60.0)
    assert still_here([*forgotten, here], NOW_S) == ([], [here])


def test_the_same_input_gives_the_same_curve_and_more_of_it_is_surer() -> None:
    house = now(lived(), seated=4, waiting=2)
    assert curve(house) == curve(list(reversed(house)))
    spread = [at.high_min - at.low_min for at in curve(house)]
    assert all(width >= 0 for width in spread)


def test_the_interval_holds_the_truth_of_a_house_like_this_one() -> None:
    """Four tables, sat down 10 min ago, meals of the learned kind: the first to leave, over many true evenings."""
    at = curve(now(lived(30, every_s=40_000.0), seated=4))[0]
    random = Random(5)
    mean, deviation = log(3_000.0), 0.2
    inside = 0
    for _ in range(400):
        stays: list[float] = []
        while len(stays) < 4:
            meal = exp(random.gauss(mean, deviation))
            if meal > 600.0:
                stays.append(meal - 600.0)
        inside += at.low_min - 0.5 <= (min(stays) + CLEAR_S) / 60.0 <= at.high_min + 0.5
    assert 0.7 <= inside / 400 <= 1.0


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 100),
            st.floats(0.0, 90_000.0),
            st.none() | st.floats(-10.0, 30_000.0),
            st.none() | st.floats(-10.0, 30_000.0),
        ),
        max_size=40,
    ),
    st.lists(st.integers(1, 12), max_size=8),
)
def test_whatever_was_entered_gives_a_curve_in_order_or_a_reason(
    entries: list[tuple[int, float, float | None, float | None]], tables: list[int]
) -> None:
    odd = [
        Party(
            number=10_000 + n,
            size=size,
            came_s=NOW_S - ago,
            seated_s=None if seated is None else NOW_S - ago + seated,
            left_s=None if left is None else NOW_S - ago + left,
        )
        for n, (size, ago, seated, left) in enumerate(entries)
    ]
    found = forecast([*now(lived(4), seated=2), *odd], tables, NOW_S)
    if isinstance(found, str):
        assert found
        return
    assert all(0 <= at.low_min <= at.wait_min <= at.high_min <= 240 for at in found)
    assert all(a.in_min < b.in_min for a, b in pairwise(found))


def test_what_lies_in_the_future_is_no_evidence() -> None:
    house = now(lived(), seated=4)
    ahead = [replace(p, number=p.number + 50_000, came_s=p.came_s + 40 * DAY_S) for p in lived()]
    assert curve(house) == curve([*house, *ahead])
