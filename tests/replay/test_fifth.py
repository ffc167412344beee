"""The fifth description of bench/quiet.py: by car and otherwise, quiet where it says so, with calendars that ask for no word."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hearthway.assist import needs
from hearthway.atlas.store import Atlas
from hearthway.history.calendar import read_calendar
from hearthway.records.errors import InputError
from hearthway.records.geo import distance_m
from hearthway.records.localtime import utc_offset_s

DAYS, QUIET_DAYS = 60, 30


@pytest.fixture(scope="module")
def atlas() -> Iterator[Atlas]:
    """The bundled map."""
    with closing(Atlas.bundled()) as bundled:
        yield bundled


@pytest.fixture(scope="module")
def lives(quiet: ModuleType, atlas: Atlas) -> dict[str, tuple[Any, float]]:
    """One of each kind, after the days that are kept and those that are quiet, and when these began."""
    found = {}
    for kind in quiet._fifth.KINDS:
        life = quiet.begun(kind, atlas, 2)
        life.live(DAYS, quiet=False)
        begin_s = life.now_s
        life.live(QUIET_DAYS, quiet=True)
        found[kind] = life, begin_s
    return found


def test_a_kind_names_its_description(quiet: ModuleType) -> None:
    kinds = [kind for of in quiet.DESCRIPTIONS.values() for kind in of]
    assert len(set(kinds)) == len(kinds)
    assert set(quiet._fifth.KINDS) == set(quiet._fifth.MAKERS) == set(quiet.DESCRIPTIONS["fifth"])


def test_on_quiet_days_nobody_eats_out_and_the_car_goes_where_it_has_often_stood(
    quiet: ModuleType, lives: dict[str, Any]
) -> None:
    for kind, (life, begin_s) in lives.items():
        after = [leg for leg in life.legs if leg.start_s >= begin_s]
        assert len(after) > QUIET_DAYS, kind
        assert not any(leg.eats or leg.low or leg.new for leg in after), kind
        before = [leg.to for leg in life.legs if leg.start_s < begin_s]
        assert all(before.count(leg.to) >= 4 for leg in after if leg.to != life.town.home), kind
        assert all(a.end_s <= b.start_s for a, b in pairwise(life.legs)), kind


def test_who_has_days_of_meals_eats_out_often_and_drives_there_more_than_some_minutes(
    quiet: ModuleType, lives: dict[str, Any]
) -> None:
    own = set(quiet.OWN_DAYS["meal"][1]) & set(lives)
    assert own == {kind for kind, (life, _) in lives.items() if any(leg.eats for leg in life.legs)}
    for kind in own:
        meals = [leg for leg in lives[kind][0].legs if leg.eats]
        assert len(meals) >= 4, kind
        assert min(leg.end_s - leg.start_s for leg in meals) > 450.0, kind


def test_the_car_has_one_space_but_at_a_dense_place(quiet: ModuleType, atlas: Atlas) -> None:
    life = quiet.begun("father", atlas, 2)
    spaces: dict[Any, set[Any]] = {}
    for name in ("ground", "arena", "ground", "arena"):
        life.go(life.spots[name])
        spaces.setdefault(name, set()).add(life.space)
        assert life.at == life.spots[name]
    assert (len(spaces["ground"]), len(spaces["arena"])) == (1, 2)
    life._to(life.town.home, "foot")
    with pytest.raises(InputError, match="stands elsewhere"):
        life.go(life.spots["ground"])


def test_a_match_is_where_one_knows_no_street(quiet: ModuleType, atlas: Atlas) -> None:
    life = quiet.begun("father", atlas, 1)
    life.live(DAYS, quiet=False)
    assert life.stood[life.spots["arena"]] == 1
    assert quiet.to_the_fair(life, "arena").new


def test_one_is_out_without_the_car_as_well(lives: dict[str, Any]) -> None:
    for kind, (life, _) in lives.items():
        driven = [leg.start_s for leg in life.legs]
        without = [a for a, b in life.away() if not any(a <= at_s < b for at_s in driven)]
        assert without, kind
        assert all(a < b for a, b in life.away()), kind
        assert all(b <= c for (_, b), (c, _) in pairwise(life.away())), kind


def test_somebody_moves_and_somebody_changes_where_the_car_is_charged(
    quiet: ModuleType, atlas: Atlas
) -> None:
    changes: list[tuple[str, int, Callable[[Any], Any]]] = [
        ("cook", 24, lambda life: life.town.home),
        ("medic", 30, lambda life: life.charges_at),
    ]
    for kind, day, what in changes:
        life = quiet.begun(kind, atlas, 2)
        life.live(day, quiet=False)
        before = what(life)
        life.live(1, quiet=False)
        assert what(life) != before, kind


def test_a_phone_tells_as_seldom_as_it_does_and_nothing_in_tunnels_or_while_it_is_flat(
    lives: dict[str, Any],
) -> None:
    for kind, (life, _) in lives.items():
        phone = life.phone
        assert phone.silent, kind
        for fix in phone.fixes[:: 1 + len(phone.fixes) // 2_000]:
            assert not any(a <= fix.time_s < b for a, b in phone.silent), kind
    phone = lives["fiancee"][0].phone
    gaps = [b.time_s - a.time_s for a, b in pairwise(phone.fixes)]
    assert sorted(gaps)[len(gaps) // 10] > 150.0
    at = lives["fiancee"][0].at
    before = len(phone.fixes)
    phone.write(phone.fixes[-1].time_s + 60.0, at, 0.0)
    assert len(phone.fixes) == before + 1
    phone.tunnels.append((at, 100.0))
    phone.write(phone.fixes[-1].time_s + 60.0, at, 0.0)
    assert len(phone.fixes) == before + 1


def test_the_quiet_days_hold_the_change_to_winter_time(lives: dict[str, Any]) -> None:
    life, begin_s = lives["cook"]
    lat, lon = life.town.middle
    offsets = [utc_offset_s(lat, lon, begin_s + day * 86_400.0) for day in range(QUIET_DAYS)]
    assert offsets[0] - offsets[-1] == 3_600.0


def test_what_stands_in_a_calendar_is_cancelled_or_one_is_there_long_before(
    quiet: ModuleType, lives: dict[str, Any], tmp_path: Path
) -> None:
    for kind, (life, begin_s) in lives.items():
        file = tmp_path / f"{kind}.ics"
        file.write_text(life.calendar(life.day - QUIET_DAYS, QUIET_DAYS))
        if not file.read_text():
            continue
        read = read_calendar(file, zone="UTC", now_s=begin_s)
        assert not read.unreadable
        entries = [one for series in read.series for one in series.entries]
        assert len(entries) > 10, kind
        for one in entries:
            if one.lat is None or one.lon is None or one.cancelled:
                continue
            leg = [leg for leg in life.legs if leg.end_s < one.start_s][-1]
            assert distance_m(leg.to[0], leg.to[1], one.lat, one.lon) < 1.0, kind
            assert one.start_s - leg.end_s > 25 * 60.0, kind


def test_lives_are_the_same_by_seed(quiet: ModuleType, atlas: Atlas) -> None:
    told = []
    for seed in (1, 1, 2):
        life = quiet.begun("supplier", atlas, seed)
        life.live(3, quiet=False)
        told.append(life.phone.fixes)
    assert told[0] == told[1] != told[2]


def test_a_map_without_room_is_told(
    quiet: ModuleType, atlas: Atlas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quiet._fifth.Land, "_fits", lambda *_: False)
    (none,) = quiet.described("fifth", ("volunteer",), atlas, 1)
    assert (none.name, none.why) == (
        "fifth, volunteer",
        "This map has no restaurant that can be driven to.",
    )


def test_a_description_or_a_kind_can_be_asked_for_alone(quiet: ModuleType) -> None:
    meal = next(need for need in needs.found() if need.name == "meal")
    assert quiet.asked(meal, "fifth") == (("cook", "supplier", "medic", "father", "fiancee"), ())
    assert quiet.asked(meal, "cook") == (("cook",), ())
    assert quiet.asked(meal, "household") == ((), ("household",))
    every, evening = quiet.asked(meal, "")
    assert every == tuple(quiet.OWN_DAYS["meal"][1])
    assert evening == ("household",)
    assert quiet.within("fourth", "fifth", ("cook",)) == ()
    told = [quiet.row("a map, days of meal", quiet.TOLD, "days", 1, "days", 2)]
    assert not quiet.failed(told, "cook")
    assert quiet.failed([], "cook"), "of what was asked for, one need was told on none of its days"
    with pytest.raises(InputError, match="no lives called cooks"):
        quiet.measured(Path(), "", range(1, 2), "cooks")
