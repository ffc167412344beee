"""bench/quiet.py in small: a life from another description is left in peace, and a need is told on its own day."""

from __future__ import annotations

from contextlib import closing
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from hearthway.app.equipment import gate_settings
from hearthway.assist import needs
from hearthway.assist.needs.meal import need as meal
from hearthway.assist.needs.meal.table import AtTable
from hearthway.atlas.store import Atlas
from hearthway.context import eaten
from hearthway.records.errors import InputError
from hearthway.records.geo import distance_m

DAYS, QUIET_DAYS = 21, 7


@pytest.fixture(scope="module")
def technician(quiet: ModuleType) -> Any:
    """Three weeks of stops next door to tables in the middle of Helsinki, and a week in which nobody eats out."""
    atlas = Atlas.bundled()
    life = quiet._lives.begun("technician", atlas, 1)
    begin_s = life.now_s
    life.live(DAYS, quiet=False)
    middle_s = life.now_s
    life.live(QUIET_DAYS, quiet=True)
    assert not any(leg.eats for leg in life.legs if leg.start_s >= middle_s)
    yield list(life.items(begin_s, middle_s)), list(life.items(middle_s, life.now_s)), atlas
    atlas.close()


def test_who_stops_near_tables_all_day_is_left_in_peace(
    quiet: ModuleType, technician: Any, tmp_path: Path
) -> None:
    learned, lived, atlas = technician
    heard = quiet.hear(tmp_path / "a.db", atlas, learned, lived)
    assert heard.said == []
    assert heard.looks > 500
    assert heard.peer_s, "the hand's rule must speak: there are drives at mealtimes"


def test_without_what_is_asked_of_a_table_it_would_be_told_of_breakfast(
    quiet: ModuleType, technician: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: the same days, every stay beside a table taken for a meal."""
    monkeypatch.setattr(eaten, "MOST_A_DAY", 1e9)
    monkeypatch.setattr(meal, "at_table", lambda *_: AtTable(p=1.0, sure=1.0))
    monkeypatch.setattr(meal, "tables_of", lambda *_: {})
    learned, lived, atlas = technician
    assert quiet.hear(tmp_path / "a.db", atlas, learned, lived).said


def test_the_car_that_was_not_plugged_in_is_told_once_calmly_in_time(
    quiet: ModuleType, tmp_path: Path
) -> None:
    battery = next(need for need in needs.found() if "charge" in need.topics)
    atlas = Atlas.bundled()
    try:
        day = quiet.own_day(battery, "parent", atlas, 1, tmp_path / "a.db")
    finally:
        atlas.close()
    assert day.fits(gate_settings(quiet.CONFIG)), day


def test_the_car_that_never_charges_at_home_is_told_before_monday_and_one_that_does_is_not(
    quiet: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same Sunday, one fact changed: where the car is plugged in."""
    battery = next(need for need in needs.found() if "charge" in need.topics)
    monkeypatch.setattr(quiet, "LEARN_DAYS", 46)  # a Friday as well
    begun = quiet._lives.begun

    def at_home(*given: Any) -> Any:
        life = begun(*given)
        life.charges_at = None
        return life

    with closing(Atlas.bundled()) as atlas:
        told = quiet.own_day(battery, "commuter", atlas, 1, tmp_path / "a.db")
        monkeypatch.setattr(quiet._lives, "begun", at_home)
        silent = quiet.own_day(battery, "commuter", atlas, 1, tmp_path / "b.db")
    assert told.fits(gate_settings(quiet.CONFIG)), told
    assert silent.words == 0


def test_who_was_not_seen_since_the_morning_is_told_when_to_leave_where_no_map_has_the_way(
    quiet: ModuleType, tmp_path: Path
) -> None:
    leave = next(need for need in needs.found() if "leave" in need.topics)
    with closing(Atlas.bundled()) as atlas:
        day = quiet.own_day(leave, "couple", atlas, 11, tmp_path / "a.db")
    assert day.fits(gate_settings(quiet.CONFIG)), day


def test_dinner_out_with_a_choice_of_tables_is_told_once_calmly_in_time(
    quiet: ModuleType, tmp_path: Path
) -> None:
    dinner = next(need for need in needs.found() if "dinner" in need.topics)
    assert dinner.name in quiet.EVENINGS
    atlas = Atlas.bundled()
    try:
        day = quiet.evening_out(dinner, atlas, 1, tmp_path / "a.db")
    finally:
        atlas.close()
    assert day.fits(gate_settings(quiet.CONFIG)), day


def test_the_usual_coffee_is_told_once_calmly_in_time(quiet: ModuleType, tmp_path: Path) -> None:
    coffee = next(need for need in needs.found() if "coffee" in need.topics)
    with closing(Atlas.bundled()) as atlas:
        day = quiet.own_day(coffee, "reader", atlas, 11, tmp_path / "a.db")
    assert day.fits(gate_settings(quiet.CONFIG)), day


def test_a_drive_that_is_over_before_any_word_may_be_said_has_a_row_of_its_own(
    quiet: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It stays a day on which nothing was told; a minute of setting off and 40 s to act on a word are what a drive must have."""
    meal = next(need for need in needs.found() if need.name == "meal")
    lasts_s = iter((21.0, 99.0, 100.0, float("inf")))

    def silent(*_: Any) -> Any:
        return quiet.OwnDay(0, 0, drive_s=next(lasts_s))

    monkeypatch.setattr(quiet, "own_day", silent)
    monkeypatch.setattr(quiet, "EVENINGS", ())
    monkeypatch.setattr(quiet, "days_of", lambda _: ("eats", {"shift": None, "parent": None}))
    monkeypatch.setattr(quiet.needs, "found", lambda: [meal])
    with closing(Atlas.bundled()) as atlas:
        rows = {r["metric"]: r for r in quiet.need_rows("a map", atlas, range(2, 4), tmp_path)}
    assert (rows[quiet.SHORT]["ours"], rows[quiet.SHORT]["theirs"]) == (2, 4)
    assert (rows[quiet.TOLD]["ours"], rows[quiet.TOLD]["theirs"]) == (0, 4)


def test_how_long_the_drive_of_an_own_day_lasted_is_the_generators_word(quiet: ModuleType) -> None:
    meal = next(need for need in needs.found() if need.name == "meal")
    heard = quiet.Heard()
    assert quiet.judged(meal, heard, 1_000.0, 74.0).drive_s == 74.0
    planned = quiet.judged(meal, heard, 1_000.0)
    assert not planned.too_short(gate_settings(quiet.CONFIG)), "what is said before one leaves"


def test_lives_are_reproducible(quiet: ModuleType) -> None:
    atlas = Atlas.bundled()
    fixes = []
    for seed in (1, 1, 2):
        life = quiet._lives.begun("shift", atlas, seed)
        life.live(3, quiet=False)
        fixes.append(life.phone.fixes)
    atlas.close()
    assert fixes[0] == fixes[1] != fixes[2]


def test_from_beyond_the_edge_one_drives_by_the_roads_of_the_map(quiet: ModuleType) -> None:
    with closing(Atlas.bundled()) as atlas:
        town = quiet._lives.begun("parent", atlas, 11).town
        inside = next(p for p in town._taken if town.atlas.roads.covers(*p))
        assert not atlas.roads.covers(*town.home)
        for a, b in ((town.home, inside), (inside, town.home)):
            way = town.way(a, b)
            on_map = [atlas.roads.covers(*p) for p in way]
            assert sum(x != y for x, y in pairwise(on_map)) == 1, "it comes onto the map once"
            driven = [p for p, on in zip(way, on_map, strict=True) if on][2:-2]
            assert len(driven) > 5
            assert max(atlas.road_m(*p) or 0.0 for p in driven) < 1.0
            assert max(distance_m(*p, *q) for p, q in pairwise(way)) < 400.0


def test_a_place_new_to_somebody_is_far_from_all_that_he_knows(quiet: ModuleType) -> None:
    with closing(Atlas.bundled()) as atlas:
        for kind, spot in (("parent", "fair"), ("student", "hall")):
            life = quiet.begun(kind, atlas, 11)
            life.live(14, quiet=False)
            there = life.spots[spot]
            assert atlas.covers(*there)
            assert quiet.to_the_fair(life, spot).new
            life.go(quiet._lives.shifted(there, 200.0, 0.0))
            assert not quiet.to_the_fair(life, spot).new, "now the next street is known"


def test_the_quiet_days_of_the_third_description_hold_no_need(quiet: ModuleType) -> None:
    third = quiet._third
    assert not set(third.KINDS) & set(quiet._lives.KINDS), "a kind names its description"
    atlas = Atlas.bundled()
    try:
        life = quiet.begun("nights", atlas, 2)
        life.live(7, quiet=False)
        assert sum(leg.eats for leg in life.legs) == 1
        before = len(life.legs)
        life.live(7, quiet=True)
        assert len(life.legs) > before + 5
        assert not any(leg.eats or leg.low or leg.new for leg in life.legs[before:])
        fixes = []
        for _ in range(2):
            courier = quiet.begun("courier", atlas, 1)
            courier.live(3, quiet=True)
            fixes.append(courier.phone.fixes)
        assert fixes[0] == fixes[1]
    finally:
        atlas.close()


def test_every_need_has_a_day_and_one_without_is_an_error(quiet: ModuleType) -> None:
    for need in needs.found():
        assert quiet.days_of(need)[1]
    stranger = msgspec.structs.replace(needs.found()[0], name="stranger")
    with pytest.raises(InputError, match="Add one to OWN_DAYS"):
        quiet.days_of(stranger)


def test_what_fails(quiet: ModuleType) -> None:
    told = [
        quiet.row(f"a map, days of {need.name}", quiet.TOLD, "days", 1, "days", 2)
        for need in needs.found()
    ]
    assert not quiet.failed(told)
    assert quiet.failed(told[1:]), "a need that was told on none of its days"
    assert quiet.failed([*told, quiet.row("a life", quiet.FALSE, "words", 1, "hand rule", 9)])
    assert quiet.failed([*told, quiet.row("a map", quiet.WRONG, "days", 1, "asked", 0)])


def test_a_life_for_which_the_map_has_no_room_is_a_row_and_no_end(
    quiet: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Both where its quiet days are asked for and where a need's own are; what is lived is what it was."""
    lacks = "No road leads next door to that table."

    def full(kind: str, _atlas: Atlas, seed: int) -> Any:
        if (kind, seed) != ("couple", 3):
            raise InputError(lacks, "Take another map.")
        return "a life"

    monkeypatch.setattr(quiet, "begun", full)
    atlas = Atlas.bundled()
    lives = list(quiet.described("third", ("couple", "nights"), atlas, 2))
    rows = list(quiet.quiet_rows("a map, seed 2", lives, atlas, tmp_path / "a.db"))
    assert [one["case"] for one in rows] == [
        "a map, seed 2, third, couple",
        "a map, seed 2, third, nights",
    ]
    assert {one["metric"] for one in rows} == {quiet.NO_ROOM}
    leaving = next(need for need in needs.found() if need.name == "leave_now")
    assert quiet.own_day(leaving, "couple", atlas, 2, tmp_path / "a.db").why == lacks
    assert quiet.with_room("couple", atlas, 3) == "a life"
    monkeypatch.setattr(quiet.needs, "found", lambda: [leaving])
    rows = list(quiet.need_rows("a map", atlas, range(2, 3), tmp_path / "a.db"))
    told = [one for one in rows if one["metric"] == quiet.TOLD]
    assert [(one["ours"], one["theirs"]) for one in told] == [(0, 0)]
    assert sum(one["metric"] == quiet.NO_ROOM for one in rows) == len(
        quiet.OWN_DAYS["leave_now"][1]
    )
    assert quiet.failed(rows), "on none of its days it was told"
    atlas.close()


def test_a_map_on_which_no_household_can_live_is_a_row_and_no_end(
    quiet: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def nothing(*_: Any) -> Any:
        raise InputError("This map has no named place to eat.", "Choose another.")

    monkeypatch.setattr(quiet, "generate", nothing)
    with closing(Atlas.bundled()) as atlas:
        lives = quiet.households(atlas, 1)
        rows = list(quiet.quiet_rows("a map, seed 1", lives, atlas, tmp_path / "a.db"))
        none = quiet.evening_out(meal.NEED, atlas, 1, tmp_path / "a.db")
    assert [(one["case"], one["metric"]) for one in rows] == [
        ("a map, seed 1, household", quiet.NO_ROOM)
    ]
    assert none.why == "This map has no named place to eat."
    assert quiet.failed(rows, "volunteer"), "nobody was heard"


def test_a_day_on_which_only_something_else_is_said_is_said_wrong(
    quiet: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    leaving = next(need for need in needs.found() if need.name == "leave_now")
    days = iter([quiet.OwnDay(0, 1), quiet.OwnDay(0, 0), quiet.OwnDay(1, 0, 0.1, 900.0)])
    monkeypatch.setattr(quiet.needs, "found", lambda: [leaving])
    monkeypatch.setattr(quiet, "own_day", lambda *_: next(days))
    monkeypatch.setattr(quiet, "asked", lambda *_: (("parent", "couple", "medic"), ()))
    with closing(Atlas.bundled()) as atlas:
        rows = list(quiet.need_rows("a map", atlas, range(1, 2), tmp_path / "a.db"))
    by_metric = {one["metric"]: one["ours"] for one in rows}
    assert (by_metric[quiet.TOLD], by_metric[quiet.WRONG]) == (1, 1)
    assert quiet.failed(rows)


def test_a_word_on_an_earlier_drive_of_the_day_is_not_the_one(quiet: ModuleType) -> None:
    settings = gate_settings(quiet.CONFIG)
    assert quiet.OwnDay(1, 0, 0.1, 300.0, 600.0).fits(settings)
    assert not quiet.OwnDay(1, 0, 0.1, 30_000.0, 600.0).fits(settings)
    assert quiet.OwnDay(1, 0, 0.1, 1_300.0).fits(settings), "before one leaves"
