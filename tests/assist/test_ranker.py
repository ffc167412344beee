"""What others say yes to: what is unknown stays unknown, and the order of kinds is theirs."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.assist.student_of_others import file, ranker

import hearthway
from hearthway.assist.explain import why
from hearthway.assist.memory import Meal
from hearthway.assist.ranker import (
    COMPANY,
    FEATURES,
    GOALS,
    MOST,
    SORTS,
    Moment,
    Ranker,
    moments,
    row,
    visits_month,
)
from hearthway.records.errors import StudentError
from hearthway.records.situation import Battery
from hearthway.records.suggestion import Suggestion

SHIPPED = Path(hearthway.__file__).parent / "student" / "data"
NAMES = [name for name, _ in FEATURES]
WARM = Battery(soc_pct=31.0, age_s=2.0, at_home_pct=12.0, air_c=20.0)
some_moment = st.builds(
    Moment,
    sort=st.sampled_from(SORTS),
    visits_month=st.none() | st.floats(0.0, 60.0),
    hour=st.none() | st.floats(0.0, 23.99),
    goal=st.none() | st.sampled_from(GOALS),
    company=st.none() | st.sampled_from(COMPANY),
    air_c=st.none() | st.floats(-40.0, 50.0),
    way_min=st.none() | st.floats(0.0, 120.0),
)


def numbers(moment: Moment) -> dict[str, float]:
    return dict(zip(NAMES, row(moment), strict=True))


def test_what_is_unknown_is_no_number() -> None:
    told = numbers(Moment(sort="coffee"))
    assert [name for name, value in told.items() if not isnan(value)] == [
        f"sort.{one}" for one in SORTS
    ]
    assert told["sort.coffee"] == 1.0
    assert told["sort.bar"] == 0.0


@pytest.mark.parametrize(
    ("hour", "shares"),
    [
        (18.0, {"hour.18": 1.0}),
        (16.0, {"hour.14": 0.5, "hour.18": 0.5}),
        (1.0, {"hour.22": 2.0 / 3.0, "hour.7": 1.0 / 3.0}),  # the night is one gap of nine hours
        (0.0, {"hour.22": 7.0 / 9.0, "hour.7": 2.0 / 9.0}),
    ],
)
def test_an_hour_between_two_that_were_asked_about_is_a_part_of_each(
    hour: float, shares: dict[str, float]
) -> None:
    told = numbers(Moment(sort="bar", hour=hour))
    hours = {n: v for n, v in told.items() if n.startswith("hour.") and v}
    assert hours == pytest.approx(shares)


def test_a_long_way_is_told_from_a_quarter_of_an_hour_on() -> None:
    ways = [numbers(Moment(sort="bar", way_min=m)) for m in (14.9, 15.0, 25.0)]
    assert [(w["way.15min"], w["way.25min"]) for w in ways] == [(0, 0), (1, 0), (1, 1)]


def test_a_student_of_something_else_and_a_spoilt_file_are_refused() -> None:
    with pytest.raises(StudentError, match="made for another version"):
        Ranker((SHIPPED / "modes.student").read_bytes(), "modes.student")
    with pytest.raises(StudentError):
        Ranker(file()[:-7])
    with pytest.raises(StudentError):
        Ranker(b"nothing")


@given(asked=st.dictionaries(st.sampled_from(("cafe", "pub", "restaurant")), some_moment))
def test_no_kind_stands_farther_from_the_mean_than_is_let(asked: dict[str, Moment]) -> None:
    strong = ranker({"company.friends": 9.0, "air": 2.0, "sort.bar": -9.0})
    for known in (strong, ranker()):
        rather = known.preferred(asked)
        assert set(rather) == set(asked)
        assert all(-MOST <= score <= MOST for score in rather.values())


def test_the_order_is_that_of_the_student_and_its_mean_is_taken_away() -> None:
    asked = ranker()
    kinds = {
        "cafe": Moment(sort="coffee", hour=18.0),
        "fast_food": Moment(sort="takeaway", hour=18.0),
        "pub": Moment(sort="bar", hour=18.0),
    }
    rather = asked.preferred(kinds)
    assert sorted(rather, key=lambda kind: -rather[kind]) == ["fast_food", "cafe", "pub"]
    assert sum(rather.values()) == pytest.approx(0.0, abs=1e-9)
    assert asked.preferred(dict(reversed(kinds.items()))) == rather
    assert asked.preferred({"pub": kinds["pub"]}) == {"pub": 0.0}
    assert asked.preferred({}) == {}


def test_visits_are_counted_by_sort_over_two_months(world: Any) -> None:
    def ate(day: int, *tags: tuple[str, float]) -> Meal:
        since_s = world.at(18.5, day)
        return Meal(
            time_s=since_s, end_s=since_s + 3000, quarter=74, day=day, lat=60.0, lon=24.0, tags=tags
        )

    pub = (("cuisine:thai", 1.0), ("kind:pub", 0.5), ("kind:fast_food", 0.5))
    meals = [ate(day, ("kind:restaurant", 1.0)) for day in range(36)] + [ate(36, *pub)]
    told = visits_month(meals, world.drive(time_s=world.at(18.2, 40), days_known=41))
    assert told == pytest.approx(
        {"restaurant": 36 * 30 / 41, "bar": 0.5 * 30 / 41, "takeaway": 0.5 * 30 / 41}
    )
    assert visits_month(meals, world.drive(days_known=13)) is None
    later = visits_month(meals, world.drive(time_s=world.at(18.2, 90), days_known=91))
    assert later is not None
    assert later["restaurant"] == pytest.approx(6 * 30 / 60), "those of days 30 (at 18:30) to 35"
    assert visits_month(meals, world.drive(time_s=world.at(18.2, 20), days_known=20)) == (
        pytest.approx({"restaurant": 20 * 30 / 20})
    )


def test_a_moment_holds_what_the_situation_knows(world: Any) -> None:
    told = moments(world.drive(battery=WARM), (), ("restaurant", "charger"), label="work")
    (one,) = told.values()
    assert set(told) == {"restaurant"}, "of chargers nobody was asked"
    assert (one.sort, one.goal, one.air_c, one.company) == ("restaurant", "work", 20.0, None)
    assert one.hour == pytest.approx(18.2)
    elsewhere = moments(world.drive(battery=None), (), ("pub",), label="regular")
    assert (elsewhere["pub"].goal, elsewhere["pub"].air_c) == ("elsewhere", None)


def said(world: Any, memory: Any, asked: Ranker | None, **changes: Any) -> Suggestion:
    found = world.assistant(ranker=asked).consider(world.drive(**changes), memory)
    assert isinstance(found, Suggestion), found
    return found


EATEN = {"node/1": 25, "node/2": 8, "node/4": 4}


def test_without_a_ranker_nothing_of_it_stands_in_the_word(world: Any) -> None:
    word = said(world, world.dining(EATEN), None)
    assert word.others is msgspec.UNSET
    assert b"others" not in msgspec.msgpack.encode(word)
    assert "kind" in {r.feature for o in word.options for r in o.reasons}


def test_the_order_of_kinds_is_a_reason_in_minutes_and_replaces_the_share_of_own_meals(
    world: Any,
) -> None:
    asked = ranker({"sort.takeaway": 1.0, "sort.restaurant": -0.5})
    word = said(world, world.dining(EATEN), asked)
    alone = said(world, world.dining(EATEN), None)
    features = {r.feature for o in word.options for r in o.reasons}
    assert "kind" not in features
    assert "others" in features
    assert word.others == asked.identity
    for option in word.options:
        weights = {r.feature: r.weight for r in option.reasons}
        assert option.utility == pytest.approx(sum(weights.values()))
    assert word.p_useful == alone.p_useful, "the counts hold hour and place already"
    assert word.p_before == alone.p_before
    text = "\n".join(why(word))
    assert f"the student {asked.identity[:12]}, for the order of kinds" in text
    assert said(world, world.dining(EATEN), asked) == word, "the same moment, the same word"
