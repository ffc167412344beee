"""By what a whole trip went: what a judge says is kept, the filter learns from its own word, and unknown numbers stay unknown."""

from __future__ import annotations

from math import isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.context.events import TripEnded
from hearthway.context.life import Life
from hearthway.context.mode_marks import BOUNDS_MPS, ENOUGH_CHANGES, FEATURES, WayMarks
from hearthway.context.modes import ModeFilter
from hearthway.records.life import TravelMode
from hearthway.records.signals import Fix
from hearthway.sense.catalogue import normalise
from hearthway.synthetic.travellers import Traveller

BEFORE = (0.2, 0.1, 0.6, 0.1)


def _told(one: Traveller, life: Life) -> list[TripEnded]:
    found = []
    for item in one.items:
        events = (
            life.observe(item) if isinstance(item, Fix) else life.observe_signal(normalise(item))
        )
        found += [event for event in events if isinstance(event, TripEnded)]
    return found


@pytest.fixture(scope="module")
def somebody() -> Traveller:
    one = Traveller(3)
    one.live(3)
    return one


def test_what_the_judge_says_is_kept_and_the_filter_learns_by_itself(somebody: Traveller) -> None:
    def always(_: ModeFilter) -> tuple[TravelMode, float]:
        return "transit", 0.9

    judged, alone = Life("a", judge=always), Life("a", judge=ModeFilter.trip)
    trips, filtered = _told(somebody, judged), _told(somebody, alone)
    assert {one.trip.mode for one in trips} == {"transit"}
    assert {one.trip.mode for one in filtered} != {"transit"}, "the control"
    assert judged.state.modes == alone.state.modes


def test_a_row_has_one_number_a_feature(somebody: Traveller) -> None:
    rows: list[list[float]] = []

    def noting(way: ModeFilter) -> tuple[TravelMode, float]:
        rows.append(way.row())
        return way.trip()

    _told(somebody, Life("a", judge=noting))
    assert rows
    assert {len(row) for row in rows} == {len(FEATURES)}
    assert all(sum(row[: len(BOUNDS_MPS) + 1]) == pytest.approx(1.0) for row in rows)


def test_stopping_and_going_on_equals_never_having_stopped(somebody: Traveller) -> None:
    whole = Life("a", judge=ModeFilter.trip)
    _told(somebody, whole)
    parted = Life("a", judge=ModeFilter.trip)
    for item in somebody.items:
        if isinstance(item, Fix):
            parted.observe(item)
        else:
            parted.observe_signal(normalise(item))
    assert Life.load(parted.dump()).dump() == whole.dump()


def test_what_was_not_seen_is_no_number() -> None:
    marks = WayMarks()
    row = marks.row([0.0] * 5, BEFORE, told=False, car_told=0.0)
    names = [name for name, _ in FEATURES]
    for name in ("halts", "hard acceleration", "acceleration", "fastest step", "seconds a step"):
        assert isnan(row[names.index(name)]), name
    for _ in range(ENOUGH_CHANGES):
        marks.sped(-2.0, hard=True)
    marks.step(15.0, 8.0, stops=3, dense_m=600.0)
    row = marks.row([100.0, 0.0, 900.0, 0.0, 0.0], BEFORE, told=True, car_told=2.0)
    assert row[names.index("halts")] == pytest.approx(5.0)
    assert row[names.index("acceleration")] == 2.0
    assert row[names.index("hard acceleration")] == 1.0
    assert row[names.index("metres by car, as the filter has it")] == pytest.approx(0.9)
    assert row[names.index("the car spoke")] == 1.0


@given(st.lists(st.tuples(st.floats(0.1, 900.0), st.floats(0.0, 100.0)), min_size=1, max_size=30))
def test_shares_of_time_sum_to_one(steps: list[tuple[float, float]]) -> None:
    marks = WayMarks()
    for gap_s, mps in steps:
        marks.step(gap_s, mps, stops=0, dense_m=0.0)
    row = marks.row([1.0, 0.0, 0.0, 0.0, 0.0], BEFORE, told=False, car_told=0.0)
    assert sum(row[: len(BOUNDS_MPS) + 1]) == pytest.approx(1.0)
    assert row[[name for name, _ in FEATURES].index("fastest step")] == max(m for _, m in steps)


def test_travellers_are_the_same_for_the_same_seed() -> None:
    one, two, other = Traveller(1), Traveller(1), Traveller(2)
    for each in (one, two, other):
        each.live(1)
    assert (one.items, one.ways) == (two.items, two.ways)
    assert one.ways != other.ways
    assert all(way.end_s > way.start_s for way in one.ways)
    assert nan not in [item.time_s for item in one.items]
