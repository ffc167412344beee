"""The fourth description of bench/quiet.py: the same by seed, quiet where it says so, and told where a map has no room for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from itertools import pairwise
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from hearthway.atlas.store import Atlas
from hearthway.records.geo import distance_m
from hearthway.records.localtime import utc_offset_s
from hearthway.records.poi import MEAL

DAYS, QUIET_DAYS = 35, 14
NEVER_OUT, WITHOUT_HABIT = "salon", "agent"


@pytest.fixture(scope="module")
def atlas() -> Iterator[Atlas]:
    """The bundled map."""
    with closing(Atlas.bundled()) as bundled:
        yield bundled


@pytest.fixture(scope="module")
def lives(quiet: ModuleType, atlas: Atlas) -> dict[str, Any]:
    """One of each kind, after `DAYS` days."""
    found = {}
    for kind in quiet._fourth.KINDS:
        found[kind] = life = quiet.begun(kind, atlas, 2)
        life.live(DAYS, quiet=False)
    return found


def test_where_to_park_is_a_question_where_one_has_been_once_or_twice(
    quiet: ModuleType, lives: dict[str, Any]
) -> None:
    for kind, life in lives.items():
        from_s = life.legs[len(life.legs) // 2].start_s
        asked = quiet._fourth.parks_anew(life, from_s)
        for leg in life.legs:
            before = [past for past in life.legs if past.end_s < leg.end_s]
            been = sum(distance_m(*past.to, *leg.to) < quiet._lives.ALONE_M for past in before)
            assert (leg in asked) is (leg.start_s >= from_s and been in (1, 2)), kind


def test_of_words_on_quiet_days_those_of_parking_are_none_too_many_on_such_drives_alone(
    quiet: ModuleType,
) -> None:
    life = quiet.Life("x", [], [], {1}, lambda time_s: int(time_s // 100), parks=[(110.0, 120.0)])

    def word(need: str, time_s: float) -> Any:
        return SimpleNamespace(need=need, time_s=time_s)

    assert not life.false(word("parking", 115.0))
    assert life.false(word("parking", 125.0))
    assert life.false(word("dinner", 115.0))
    assert not life.false(word("dinner", 215.0)), "no quiet day"


def test_a_kind_names_its_description(quiet: ModuleType) -> None:
    others = {*quiet._lives.KINDS, *quiet._lives.WITH_COFFEE, *quiet._third.KINDS, quiet.HOUSEHOLD}
    assert not set(quiet._fourth.KINDS) & others
    assert set(quiet._fourth.KINDS) == set(quiet._fourth.MAKERS)


def test_who_eats_out_as_usual_has_a_day_of_it_and_on_quiet_days_nobody_does(
    quiet: ModuleType, lives: dict[str, Any]
) -> None:
    out = {kind for kind, life in lives.items() if any(leg.eats for leg in life.legs)}
    assert out == set(lives) - {NEVER_OUT}
    own = set(quiet.OWN_DAYS["meal"][1]) & set(lives)
    assert own == out - {WITHOUT_HABIT}
    for kind, life in lives.items():
        before = len(life.legs)
        life.live(QUIET_DAYS, quiet=True)
        lived = life.legs[before:]
        assert len(lived) > QUIET_DAYS, kind
        assert not any(leg.eats or leg.low or leg.new for leg in lived), kind
        assert all(a.end_s <= b.start_s for a, b in pairwise(life.legs)), kind
    for kind in own:
        assert quiet.usual_meal(lives[kind]).eats


def test_food_that_is_fetched_is_no_meal_out(lives: dict[str, Any], atlas: Atlas) -> None:
    life = lives[NEVER_OUT]
    fetched = []
    for leg, after in pairwise(life.legs):
        lat, lon = life.town.doors.get(leg.to, leg.to)
        tables = atlas.near(lat, lon, 1.0, MEAL)
        if any(distance_m(lat, lon, poi.lat, poi.lon) < 0.1 for poi in tables):
            fetched.append((after.start_s - leg.end_s) / 60.0)
    assert fetched
    assert max(fetched) < 10.0


def test_lives_are_the_same_by_seed(quiet: ModuleType, atlas: Atlas) -> None:
    told = []
    for seed in (1, 1, 2):
        life = quiet.begun("carpool", atlas, seed)
        life.live(3, quiet=False)
        told.append(life.phone.fixes)
    assert told[0] == told[1] != told[2]


def test_it_is_a_spring_that_begins_on_a_monday_and_changes_the_clock(
    quiet: ModuleType, atlas: Atlas
) -> None:
    first = date(1970, 1, 1) + timedelta(days=quiet._fourth.FIRST_DAY)
    assert first.weekday() == 0
    life = quiet.begun("clerk", atlas, 1)
    begin_s, end_s = life.now_s, life.now_s + 86_400.0 * quiet.LEARN_DAYS
    lat, lon = life.town.middle
    offsets = [utc_offset_s(lat, lon, time_s) for time_s in (begin_s, end_s)]
    assert offsets[1] - offsets[0] == 3_600.0


def test_its_phone_tells_by_distance_and_nothing_in_tunnels(lives: dict[str, Any]) -> None:
    life = lives["carpool"]
    phone = life.phone
    assert phone.tunnels
    inside = skipped = 0
    for leg in life.legs[:60]:
        told = [fix for fix in phone.fixes if leg.start_s < fix.time_s < leg.end_s]
        gaps_m = [distance_m(a.lat, a.lon, b.lat, b.lon) for a, b in pairwise(told)]
        skipped += sum(gap > 100.0 for gap in gaps_m)
        inside += sum(
            distance_m(fix.lat, fix.lon, *middle) < around_m - 40.0
            for fix in told
            for middle, around_m in phone.tunnels
        )
    assert not inside
    assert skipped, "a way leads through one"


def test_a_map_without_room_is_told(
    quiet: ModuleType, atlas: Atlas, monkeypatch: pytest.MonkeyPatch
) -> None:
    streets = quiet._fourth.Streets
    monkeypatch.setattr(streets, "_fits", lambda *_: False)
    for kind in quiet._fourth.KINDS:
        why = quiet.with_room(kind, atlas, 1)
        assert why == "This map has no place to eat that can be driven to."
    monkeypatch.setattr(streets, "_fits", lambda _self, _point, apart_m: apart_m > 0.0)
    (none,) = quiet.described("fourth", (NEVER_OUT,), atlas, 1)
    assert (none.name, none.why) == (
        "fourth, salon",
        "No road leads to the house beside a table of this map.",
    )
