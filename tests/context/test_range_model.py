"""Energy of a trip: its physics, what is learned of a car and a driver, the interval, and readings that cannot be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.context.energy import SIZE, Effort, Stretch
from hearthway.context.range_model import (
    MISSES,
    PRIOR_KWH,
    DriveState,
    Forecast,
    RangeModel,
    RangeState,
)

KWH = 50.0


def _model(seed: int | None = None) -> RangeModel:
    """A new car, or with a seed one that learned from six trips of no particular car."""
    return RangeModel(msgspec.msgpack.decode(_learned(seed), type=RangeState))


@cache
def _learned(seed: int | None) -> bytes:
    model = RangeModel(RangeState(capacity_kwh=KWH))
    if seed is not None:
        random = Random(seed)
        w = [random.uniform(0.3, 2.0) * 100.0 * kwh / KWH for kwh in PRIOR_KWH]
        for air_c in (10.0, 10.0, -10.0, -10.0, 30.0, 10.0):
            _drive(model, _trace(random, 900), w, air_c)
    return msgspec.msgpack.encode(model.state)


def _trace(random: Random, seconds: int) -> list[float]:
    """Speeds of a drive with halts, m/s, once a second."""
    speeds, wanted = [0.0], 14.0
    while len(speeds) < seconds:
        if random.random() < 0.02:
            wanted = random.choice((0.0, 8.0, 14.0, 22.0, 30.0))
        step = max(-2.0, min(1.5, wanted - speeds[-1]))
        speeds.append(max(0.0, speeds[-1] + step))
    return speeds


def _drive(
    model: RangeModel, speeds: Sequence[float], w: Sequence[float], air_c: float, soc: float = 90.0
) -> tuple[DriveState, float]:
    """Drives a trace in a car whose true weights are `w`; its state and the charge that is left."""
    drive, truth = model.depart(0.0, soc, air_c), Effort()
    left = soc
    for second in range(1, len(speeds)):
        truth.drive(second - 1.0, 1.0, speeds[second - 1], speeds[second], air_c=air_c)
        model.speed(drive, float(second), speeds[second])
        left = soc - sum(a * b for a, b in zip(w, truth.x, strict=True))
        if second % 30 == 0:
            model.charge(drive, float(second), round(left, 1))
    return drive, left


def _ahead(
    model: RangeModel, way: Sequence[Stretch], air_c: float | None = 15.0, soc: float = 80.0
) -> Forecast:
    return model.forecast(model.depart(0.0, soc, air_c), soc, way)


def _used(
    model: RangeModel, way: Sequence[Stretch], air_c: float | None = 15.0, soc: float = 80.0
) -> float:
    return soc - _ahead(model, way, air_c, soc).arrival_pct


def _way(km: float, mps: float, rise_m: float = 0.0) -> list[Stretch]:
    parts = max(1, round(km))
    each = Stretch(length_m=1000.0 * km / parts, speed_mps=mps, rise_m=rise_m / parts)
    return [each] * parts


cars = st.one_of(st.none(), st.integers(0, 7))


@settings(max_examples=40, deadline=None)
@given(cars, st.floats(25.0, 40.0), st.floats(1.0, 10.0), st.floats(-15.0, 35.0))
def test_faster_on_a_motorway_takes_more(
    car: int | None, mps: float, more: float, air_c: float
) -> None:
    """With the air's temperature middling: far from it, less time to heat can outweigh the air."""
    model = _model(car)
    if not -1.0 <= air_c - 21.0 <= 2.0:
        air_c = 21.0
    assert _used(model, _way(30.0, mps + more), air_c) > _used(model, _way(30.0, mps), air_c)


@settings(max_examples=40, deadline=None)
@given(cars, st.floats(8.0, 35.0), st.floats(20.0, 900.0))
def test_uphill_takes_more_than_flat_and_downhill_less(
    car: int | None, mps: float, rise_m: float
) -> None:
    model = _model(car)
    up, flat, down = (_used(model, _way(20.0, mps, rise)) for rise in (rise_m, 0.0, -rise_m))
    assert up > flat > down


@settings(max_examples=40, deadline=None)
@given(cars, st.floats(8.0, 35.0), st.floats(-30.0, 21.0), st.floats(0.5, 20.0))
def test_colder_never_takes_less(car: int | None, mps: float, air_c: float, colder: float) -> None:
    model = _model(car)
    assert _used(model, _way(20.0, mps), air_c - colder) > _used(model, _way(20.0, mps), air_c)


@settings(max_examples=40, deadline=None)
@given(cars, st.floats(8.0, 35.0), st.floats(2.0, 50.0), st.floats(1.0, 50.0))
def test_the_interval_widens_with_the_way(
    car: int | None, mps: float, km: float, more: float
) -> None:
    model = _model(car)
    near, far = _ahead(model, _way(km, mps)), _ahead(model, _way(km + more, mps))
    assert far.high_pct - far.low_pct > near.high_pct - near.low_pct > 0.0
    assert far.low_pct < far.arrival_pct < far.high_pct


def test_no_way_ahead_takes_nothing() -> None:
    told = _ahead(_model(), [])
    assert told.arrival_pct == 80.0
    assert told.seconds == 0.0


def test_a_thirstier_car_is_learned_within_a_few_trips() -> None:
    thirsty = [1.4 * 100.0 * kwh / KWH for kwh in PRIOR_KWH]
    model, random = _model(), Random(1)
    misses = []
    for _ in range(8):
        speeds = _trace(random, 1200)
        drive, left = _drive(model, speeds, thirsty, 10.0)
        probe = Effort()
        for second in range(1, len(speeds)):
            probe.drive(second - 1.0, 1.0, speeds[second - 1], speeds[second], air_c=10.0)
        misses.append(abs(model.state.use.mean(probe.x) - (90.0 - left)) / (90.0 - left))
        model.charge(drive, 1300.0, round(left, 1), last=True)
    untouched = abs(_model().state.use.mean(probe.x) - (90.0 - left)) / (90.0 - left)
    assert untouched > 0.25
    assert misses[-1] < 0.03


def test_a_slow_driver_is_learned_from_the_ways_as_the_map_has_them() -> None:
    model = _model()
    usual = _ahead(model, _way(20.0, 20.0)).seconds
    w = [100.0 * kwh / KWH for kwh in PRIOR_KWH]
    for _ in range(10):
        speeds = [0.0, *([13.0] * 900)]
        drive, left = _drive(model, speeds, w, 15.0)
        model.arrive(drive, left, _way(sum(speeds) / 1000.0, 20.0))
    assert _ahead(model, _way(20.0, 20.0)).seconds == pytest.approx(20_000.0 / 13.0, rel=0.06)
    assert _ahead(model, _way(20.0, 20.0)).seconds > usual * 1.1


def test_todays_jam_speaks_at_once_and_is_not_yet_a_habit() -> None:
    model = _model()
    before = [list(habit) for habit in model.state.habits]
    drive = model.depart(0.0, 80.0, 15.0)
    for second in range(1, 1200):
        model.speed(drive, float(second), 6.0)
    calm = model.forecast(drive, 70.0, _way(10.0, 20.0))
    jam = model.forecast(drive, 70.0, _way(10.0, 20.0), _way(7.2, 20.0))
    assert jam.seconds > 1.3 * calm.seconds
    assert [list(habit) for habit in model.state.habits] == before


def test_intervals_hold_nine_in_ten_of_a_car_that_errs_more_than_thought() -> None:
    """Trips that scatter by twice the model's own spread: the past misses widen the interval."""
    model, random = _model(), Random(3)
    first = _ahead(model, _way(20.0, 20.0))
    inside = []
    for number in range(300):
        told = _ahead(model, _way(20.0, 20.0))
        truth = told.arrival_pct + random.gauss(0.0, 2.0 * told.spread_pct)
        if number >= 60:
            inside.append(told.low_pct <= truth <= told.high_pct)
        model.arrive(model.depart(0.0, 80.0, 15.0), truth, [], [told])
    assert 0.85 <= sum(inside) / len(inside) <= 0.95
    last = _ahead(model, _way(20.0, 20.0))
    assert last.high_pct - last.low_pct > 1.5 * (first.high_pct - first.low_pct)


@pytest.mark.parametrize(
    ("time_s", "mps"),
    [
        (10.0, math.nan),
        (10.0, math.inf),
        (10.0, 400.0),
        (5.0, 10.0),  # before the last one
        (5.5, 10.0),  # the same moment
        (math.nan, 10.0),
        (1e12, 10.0),  # a clock gone wrong
    ],
)
def test_a_speed_that_cannot_be_is_counted_and_left_out(time_s: float, mps: float) -> None:
    model = _model()
    drive = model.depart(0.0, 80.0, 15.0)
    model.speed(drive, 5.5, 10.0)
    before = msgspec.msgpack.encode(drive)
    model.speed(drive, time_s, mps)
    assert msgspec.msgpack.encode(drive) == before
    assert model.state.refused == 1
    model.speed(drive, 6.5, 10.0)  # and the next good one counts
    assert model.state.refused == 1
    assert drive.effort.length_m == pytest.approx(5.5 * 5.0 + 10.0)


@pytest.mark.parametrize(
    ("time_s", "soc"), [(300.0, math.nan), (300.0, 140.0), (300.0, -3.0), (-1.0, 50.0), (1e9, 50.0)]
)
def test_a_charge_that_cannot_be_teaches_nothing(time_s: float, soc: float) -> None:
    model = _model()
    drive = model.depart(0.0, 80.0, 15.0)
    for second in range(1, 300):
        model.speed(drive, float(second), 15.0)
    model.charge(drive, time_s, soc)
    assert (model.state.legs, model.state.refused) == (0, 1)
    model.charge(drive, 300.0, 78.0)
    assert (model.state.legs, model.state.refused) == (1, 1)


def test_other_readings_that_cannot_be_are_counted() -> None:
    model = RangeModel(RangeState())
    model.capacity(0.0)
    model.capacity(math.nan)
    drive = model.depart(0.0, 130.0, math.nan)
    model.speed(drive, 1.0, 5.0, height_m=math.inf)
    assert model.state.refused == 5
    assert (model.state.capacity_kwh, drive.leg_pct, drive.air_c) == (None, None, None)
    model.capacity(KWH)
    assert model.state.capacity_kwh == KWH


def test_a_hole_or_a_charger_on_the_way_teaches_nothing() -> None:
    for soc, hole in ((78.0, 100.0), (88.0, 1.0), (78.0, 1.0)):
        model = _model()
        drive = model.depart(0.0, 80.0, 15.0)
        for second in range(1, 300):
            model.speed(drive, float(second), 15.0)
        model.speed(drive, 299.0 + hole, 15.0)
        model.charge(drive, 299.0 + hole, soc)
        assert model.state.legs == (1 if (soc, hole) == (78.0, 1.0) else 0)
        assert drive.leg_pct == soc  # the next leg begins here


def test_a_receivers_jump_in_height_is_no_climb() -> None:
    model = _model()
    drive = model.depart(0.0, 80.0, 15.0)
    for second, height in enumerate((500.0, 501.0, 900.0, 901.0), start=1):
        model.speed(drive, float(second), 15.0, height_m=height)
    level = model.depart(0.0, 80.0, 15.0)
    for second in range(1, 5):
        model.speed(level, float(second), 15.0)
    assert drive.effort.x[2] - level.effort.x[2] == pytest.approx(2 * 9.81)


def test_one_absurd_leg_moves_little_and_many_move_it() -> None:
    model = _model()
    usual = _used(model, _way(20.0, 20.0))

    def leg() -> None:
        drive = model.depart(0.0, 80.0, 15.0)
        for second in range(1, 300):
            model.speed(drive, float(second), 15.0)
        model.charge(drive, 300.0, 60.0)  # 20 percent in five minutes

    leg()
    assert _used(model, _way(20.0, 20.0)) < 1.35 * usual
    for _ in range(30):
        leg()
    assert _used(model, _way(20.0, 20.0)) > 2.0 * usual


def test_the_state_goes_round_and_stays_small() -> None:
    model, random = _model(), Random(5)
    w = [100.0 * kwh / KWH for kwh in PRIOR_KWH]
    sizes = []
    for _ in range(40):
        told = [_ahead(model, _way(9.0, 15.0))] * 4
        drive, left = _drive(model, _trace(random, 700), w, 10.0)
        model.arrive(drive, left, _way(9.0, 15.0), told)
        sizes.append(len(msgspec.msgpack.encode(model.state)))
    assert len(model.state.misses) == MISSES
    assert max(sizes) < 1_500
    again = RangeModel(msgspec.msgpack.decode(msgspec.msgpack.encode(model.state), type=RangeState))
    assert again.state == model.state
    assert _ahead(again, _way(20.0, 20.0)) == _ahead(model, _way(20.0, 20.0))


def test_an_unknown_battery_is_less_sure_than_a_known_one() -> None:
    unknown = RangeModel(RangeState())
    known = RangeModel(RangeState(capacity_kwh=55.0))
    a, b = _ahead(unknown, _way(20.0, 20.0)), _ahead(known, _way(20.0, 20.0))
    assert a.arrival_pct == pytest.approx(b.arrival_pct)
    assert a.spread_pct > 1.5 * b.spread_pct
    assert len(PRIOR_KWH) == SIZE
