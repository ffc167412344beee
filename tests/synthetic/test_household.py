"""The generator's laws: equal settings give equal bytes, habits move meals, one setting changes one fact."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from hearthway.records.codec import digest, pack, to_json, unpack
from hearthway.records.errors import InputError
from hearthway.records.geo import distance_m, valid_point
from hearthway.records.poi import Poi
from hearthway.records.signals import Fix
from hearthway.synthetic.drives import DrivePool
from hearthway.synthetic.household import SyntheticHousehold, generate
from hearthway.synthetic.settings import Settings

HELSINKI = ZoneInfo("Europe/Helsinki")
SHORT = 3  # weeks: enough to see a habit, quick to make


@pytest.fixture
def make(town: Any) -> Callable[..., SyntheticHousehold]:
    """Households of the town, each made once a session."""
    return _make


@lru_cache(maxsize=64)
def _cached(chosen: Settings) -> SyntheticHousehold:
    town = _TOWN[0]
    return generate(chosen, town, town, None, lambda lat, lon: None)


_TOWN: list[Any] = []


def _make(**wanted: Any) -> SyntheticHousehold:
    return _cached(Settings(**{"weeks": SHORT, **wanted}))


@pytest.fixture(autouse=True)
def _remember(town: Any) -> None:
    if not _TOWN:
        _TOWN.append(town)


def adult(household: SyntheticHousehold, index: int) -> list[Fix]:
    return household.people[index].fixes


def local(time_s: float) -> datetime:
    return datetime.fromtimestamp(time_s, UTC).astimezone(HELSINKI)


def table_dwells(fixes: Sequence[Fix], foods: Sequence[Poi]) -> list[tuple[float, float]]:
    """Sittings of at least 25 minutes within 25 m of one place to eat: a plain second opinion."""
    found: list[tuple[float, float]] = []
    for poi in foods:
        begin: float | None = None
        last = 0.0
        for fix in fixes:
            near = (
                abs(fix.lat - poi.lat) < 0.0003
                and distance_m(fix.lat, fix.lon, poi.lat, poi.lon) < 25.0
            )
            if near:
                begin = fix.time_s if begin is None else begin
                last = fix.time_s
            elif begin is not None:
                if last - begin >= 20 * 60.0:
                    found.append((begin, last))
                begin = None
    return sorted(found)


def test_equal_settings_give_equal_bytes(town: Any) -> None:
    chosen = Settings(seed=7, weeks=2)
    first = generate(chosen, town, town, None, lambda lat, lon: None)
    second = generate(chosen, town, town, None, lambda lat, lon: None)
    assert pack(first) == pack(second)
    assert pack(generate(Settings(seed=8, weeks=2), town, town, None, lambda a, b: None)) != pack(
        first
    )


def test_it_is_a_plain_record(make: Callable[..., SyntheticHousehold]) -> None:
    household = make()
    assert unpack(pack(household), SyntheticHousehold) == household
    assert to_json(household).startswith(b"{")


def test_bytes_do_not_depend_on_the_hash_seed() -> None:
    script = (
        "import importlib.util, sys\n"
        "spec = importlib.util.spec_from_file_location('town', sys.argv[1])\n"
        "town = importlib.util.module_from_spec(spec); spec.loader.exec_module(town)\n"
        "from hearthway.records.codec import digest\n"
        "from hearthway.synthetic.household import generate\n"
        "from hearthway.synthetic.settings import Settings\n"
        "t = town.Town(town.town_pois())\n"
        "print(digest(generate(Settings(seed=3, weeks=2), t, t, None, lambda a, b: None)))\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script, str(Path(__file__).parent / "conftest.py")],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(digests) == 1


@given(seed=st.integers(0, 2**62), weeks=st.integers(1, 2))
@examples(max_examples=12, deadline=None)
def test_traces_are_plausible_on_every_seed(seed: int, weeks: int) -> None:
    household = _make(seed=seed, weeks=weeks)
    start_s = household.drive.start_s
    for person in household.people:
        assert len(person.fixes) > 150 * weeks * 7
        for fix in person.fixes:
            assert valid_point(fix.lat, fix.lon)
            assert 0.0 < (fix.accuracy_m or 0.0) < 40.0
        for a, b in pairwise(person.fixes):
            assert b.time_s > a.time_s
            seconds = b.time_s - a.time_s
            assert distance_m(a.lat, a.lon, b.lat, b.lon) < 45.0 * seconds + 30.0
        assert person.fixes[-1].time_s < start_s
        times = [s.time_s for s in person.car_signals]
        assert times == sorted(times)
        odometer = [
            float(s.value or 0.0) for s in person.car_signals if s.key == "Vehicle.TraveledDistance"
        ]
        assert odometer == sorted(odometer)
        for signal in person.car_signals:
            if signal.unit == "percent":
                assert 0.0 <= float(signal.value or 0.0) <= 100.0


def test_twelve_weeks_have_what_a_life_has(town: Any) -> None:
    household = generate(Settings(seed=2), town, town, None, lambda lat, lon: None)
    assert [p.role for p in household.people] == ["adult", "adult", "child"]
    for person in household.people[:2]:
        assert 22_000 <= len(person.fixes) <= 40_000
        gaps = [b.time_s - a.time_s for a, b in pairwise(person.fixes)]
        assert sum(gap > 15 * 60 for gap in gaps) >= 10  # holes
        assert max(gaps) > 20 * 3600  # a missed day
    words = "\n".join(household.describe())
    assert words.startswith("SYNTHETIC")
    for word in ("days away", "sick", "guests", "detours", "missed", "FASTSim", "off the map"):
        assert word in words
    dinners = table_dwells(adult(household, 0), [p for p in town.pois if p.kind == "restaurant"])
    assert 14 <= len(dinners) <= 40


def test_one_week_is_told_as_one(town: Any) -> None:
    household = generate(Settings(seed=2, weeks=1), town, town, None, lambda lat, lon: None)
    words = "\n".join(household.describe())
    assert "1 week to " in words
    assert not re.search(
        r"\b1 (weeks|days|public holidays|sick days|evenings|detours|missed days|meals) ", words
    )


def test_the_dinner_habit_moves_the_meals_and_the_drive(
    town: Any, make: Callable[..., SyntheticHousehold]
) -> None:
    foods = [p for p in town.pois if p.kind == "restaurant"]
    early, late = make(dinner_mean="17:30"), make(dinner_mean="20:30")
    means = []
    for household in (early, late):
        hours = [
            local(begin).hour + local(begin).minute / 60.0
            for begin, _ in table_dwells(adult(household, 0), foods)
        ]
        assert len(hours) >= 3
        means.append(sum(hours) / len(hours))
    assert means[0] == pytest.approx(17.5, abs=0.7)
    assert means[1] == pytest.approx(20.5, abs=0.7)
    moved = late.drive.truth.arrive_s - early.drive.truth.arrive_s
    assert moved == pytest.approx(3 * 3600.0, abs=2.0)
    assert late.drive.truth.destination_osm_id == early.drive.truth.destination_osm_id
    narrow = make(dinner_sd_min=0.0)
    starts = [
        local(begin).hour * 60.0 + local(begin).minute
        for begin, _ in table_dwells(adult(narrow, 0), foods)
    ]
    assert max(starts) - min(starts) < 30.0


def test_local_habits_survive_the_change_of_the_clocks(
    make: Callable[..., SyntheticHousehold],
) -> None:
    household = make(end_day="2025-11-07", weeks=4)  # Helsinki's clocks go back on 26 October
    drives_out = [
        local(a.time_s)
        for a in household.people[0].car_signals
        if a.unit == "percent" and 6 <= local(a.time_s).hour < 9
    ]
    before = [t for t in drives_out if t.date().isoformat() < "2025-10-26"]
    after = [t for t in drives_out if t.date().isoformat() >= "2025-10-27"]
    assert before
    assert after
    minutes = [t.hour * 60 + t.minute for t in before], [t.hour * 60 + t.minute for t in after]
    assert abs(min(minutes[0]) - min(minutes[1])) < 40
    assert {t.utcoffset() for t in before} != {t.utcoffset() for t in after}


def drive_path(household: SyntheticHousehold) -> list[tuple[float, float, float]]:
    start = household.drive.start_s
    return [
        (t - start, float(s[0].value or 0.0), float(s[1].value or 0.0))
        for t, s in household.drive.ticks
    ]


def test_the_drive_is_car_signals_at_one_hertz(make: Callable[..., SyntheticHousehold]) -> None:
    drive = make().drive
    for (a, _), (b, signals) in pairwise(drive.ticks):
        assert 0.0 < b - a <= 1.01
        assert [s.key for s in signals if s.key != "Vehicle.Exterior.AirTemperature"] == [
            "Vehicle.CurrentLocation.Latitude",
            "Vehicle.CurrentLocation.Longitude",
            "Vehicle.Speed",
            "Vehicle.Powertrain.TractionBattery.StateOfCharge.Current",
        ]
        assert all(s.time_s == b and not s.person for s in signals)
        assert 0.0 <= float(signals[2].value or 0.0) < 162.0
    cold = [i for i, (_, signals) in enumerate(drive.ticks) if len(signals) == 5]
    assert cold == list(range(0, len(drive.ticks), 60))
    charge = [float(s[3].value or 0.0) for _, s in drive.ticks]
    assert charge == sorted(charge, reverse=True)
    last = drive.ticks[-1][1]
    truth = drive.truth
    assert last[2].value == 0.0
    assert (
        distance_m(float(last[0].value or 0), float(last[1].value or 0), truth.lat, truth.lon) < 25
    )
    assert 0 < truth.dinner_s - truth.arrive_s < 30 * 60
    assert local(truth.arrive_s).date().isoformat() == "2025-11-14"


def test_another_time_of_day_is_the_same_drive(make: Callable[..., SyntheticHousehold]) -> None:
    usual, morning = make(), make(drive_at="08:00")
    assert local(morning.drive.start_s).strftime("%H:%M") == "08:00"
    assert drive_path(morning) == drive_path(usual)
    assert weeks_before(morning) == weeks_before(usual)


def weeks_before(household: SyntheticHousehold) -> list[list[Fix]]:
    midnight = datetime(2025, 11, 14, tzinfo=HELSINKI).timestamp()
    return [[f for f in p.fixes if f.time_s < midnight] for p in household.people]


def test_having_eaten_changes_one_fact(town: Any, make: Callable[..., SyntheticHousehold]) -> None:
    foods = [p for p in town.pois if p.kind == "restaurant"]
    usual, fed = make(), make(ate_before=True)
    assert drive_path(fed) == drive_path(usual)
    assert fed.drive.start_s == usual.drive.start_s
    assert weeks_before(fed) == weeks_before(usual)
    ends = [end for _, end in table_dwells(adult(fed, 0), foods)]
    assert 0 < fed.drive.start_s - ends[-1] < 90 * 60
    assert adult(fed, 1) == adult(usual, 1)
    dinners = [end for _, end in table_dwells(adult(usual, 0), foods)]
    assert all(usual.drive.start_s - end > 10 * 3600 for end in dinners)


def test_somewhere_new_was_never_visited(make: Callable[..., SyntheticHousehold]) -> None:
    for seed in (1, 2, 3):
        usual, new = make(seed=seed), make(seed=seed, destination="new")
        truth = new.drive.truth
        assert not truth.visited_before
        assert weeks_before(new) == weeks_before(usual)
        assert drive_path(new)[0][1:] == pytest.approx(drive_path(usual)[0][1:], abs=1e-4)
        assert local(truth.arrive_s).hour == local(usual.drive.truth.arrive_s).hour
        for person in new.people:
            assert min(distance_m(f.lat, f.lon, truth.lat, truth.lon) for f in person.fixes) > 400.0


def test_either_adult_may_ride_the_same_drive(make: Callable[..., SyntheticHousehold]) -> None:
    first, second = make(), make(driver="b")
    assert first.drive.ticks == second.drive.ticks
    assert first.driver_id == first.people[0].person_id
    assert second.driver_id == first.people[1].person_id
    truth = first.drive.truth
    for person in second.people[:2]:  # both know the place
        near = [f for f in person.fixes if distance_m(f.lat, f.lon, truth.lat, truth.lon) < 200.0]
        assert len(near) > 5


def test_the_two_have_different_tastes(town: Any) -> None:
    different = 0
    for seed in range(1, 6):
        household = generate(Settings(seed=seed, weeks=5), town, town, None, lambda a, b: None)
        tops = []
        for index in (0, 1):
            counts = {
                p.osm_id: len(table_dwells(adult(household, index), [p]))
                for p in town.pois
                if p.kind == "restaurant"
            }
            tops.append(max(sorted(counts), key=lambda k: counts[k]))
        different += tops[0] != tops[1]
    assert different >= 4


def test_weekend_and_winter_ends_work(make: Callable[..., SyntheticHousehold]) -> None:
    for day in ("2025-11-15", "2025-11-16", "2026-03-29", "2024-02-29"):
        assert local(make(end_day=day).drive.start_s).date().isoformat() == day


def test_venues_are_near_the_destination(make: Callable[..., SyntheticHousehold]) -> None:
    household = make()
    assert 1 <= len(household.venues) <= 2
    ids = {p.osm_id: p for p in _TOWN[0].pois}
    for venue in household.venues:
        poi = ids[venue.osm_id]
        assert poi.name == venue.name
        assert poi.opening_hours != "off"
        truth = household.drive.truth
        assert distance_m(poi.lat, poi.lon, truth.lat, truth.lon) < 700.0
        assert venue.wait_min > 0


def test_person_ids_stay_with_the_seed(make: Callable[..., SyntheticHousehold]) -> None:
    ids = [p.person_id for p in make().people]
    assert ids == [p.person_id for p in make(dinner_mean="20:00").people]
    assert ids != [p.person_id for p in make(seed=2).people]
    assert len(set(ids)) == 3
    assert digest(b"x")  # ids are made by the same digest


def test_a_pool_of_another_map_is_not_used(make: Callable[..., SyntheticHousehold]) -> None:
    town = _TOWN[0]
    small = Settings(weeks=1)
    pool = DrivePool.bundled()
    with_pool = generate(small, town, town, pool, lambda a, b: None)
    assert with_pool.describe()  # the town lies where the pool drives: it may use it
    far = generate(small, town, town, None, lambda a, b: None)
    assert "simulated by SUMO" not in "\n".join(far.describe())


def test_maps_that_cannot_carry_a_life_say_why(
    town: Any, town_type: type, without_food: list[Poi], one_table: list[Poi]
) -> None:
    cases = [
        (town_type([]), "no named place to eat"),
        (town_type(without_food), "no named place to eat"),
        (town_type(one_table), "two named places"),
        (town_type(town.pois, roads=False), "no roads"),
    ]
    for broken, word in cases:
        with pytest.raises(InputError, match=word) as caught:
            generate(Settings(weeks=1), broken, broken, None, lambda a, b: None)
        assert caught.value.next_step
