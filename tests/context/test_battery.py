"""The battery on the way: what a trip teaches, what is forecast when, and what is left unknown."""

from __future__ import annotations

import msgspec
import pytest

from hearthway.context.battery import MIN_TRIPS, BatteryState, usual

HOUR = 3600.0


def _trip(
    battery: BatteryState,
    start_s: float,
    *,
    km: float = 9.0,
    used_pct: float = 2.0,
    mps: float = 15.0,
    place: int = 1,
) -> float:
    """One trip with a position every 20 s and the charge before and after; its end."""
    begin = battery.soc_pct if battery.soc_pct is not None else 90.0
    battery.reading(begin, start_s, "car")
    battery.depart(start_s)
    seconds = 1000.0 * km / mps
    for i in range(1, int(seconds / 20.0) + 1):
        battery.move(start_s + 20.0 * i, mps, 20.0 * mps)
    battery.reading(begin - used_pct, start_s + seconds, "car")
    battery.arrive(1000.0 * km, place)
    return start_s + seconds


def _learned(trips: int = 8, **how: float) -> BatteryState:
    battery, time_s = BatteryState(), 0.0
    for _ in range(trips):
        time_s = _trip(battery, time_s + HOUR, **how)  # type: ignore[arg-type]
    return battery


def test_a_forecast_waits_for_enough_trips() -> None:
    assert _learned(MIN_TRIPS - 1).ahead(1e6, [10_000.0]) == []
    (told,) = _learned(MIN_TRIPS).ahead(1e6, [10_000.0])
    assert told.low_pct < told.arrival_pct < told.high_pct < 90.0


@pytest.mark.parametrize("used_pct", [1.4, 2.0, 3.2])
def test_what_past_trips_took_is_what_the_next_will(used_pct: float) -> None:
    battery = _learned(12, used_pct=used_pct)
    assert battery.soc_pct is not None
    (told,) = battery.ahead(1e6, [9_000.0])
    assert battery.soc_pct - told.arrival_pct == pytest.approx(used_pct, rel=0.08)


def test_what_the_car_had_no_part_in_teaches_nothing() -> None:
    battery = _learned(5)
    before = msgspec.msgpack.encode(battery.range)
    _trip(battery, 1e6, used_pct=0.0)  # a bus
    _trip(battery, 2e6, used_pct=-20.0)  # charged on the way
    _trip(battery, 3e6, km=1.5, used_pct=0.4)  # too short
    assert msgspec.msgpack.encode(battery.range) == before
    _trip(battery, 4e6)
    assert msgspec.msgpack.encode(battery.range) != before


def test_standing_about_at_the_end_is_no_driving() -> None:
    """Twenty minutes pass before a stay is certain, with positions that jitter."""
    plain, waiting = BatteryState(), BatteryState()
    for battery in (plain, waiting):
        battery.reading(80.0, 0.0, "car")
        battery.depart(0.0)
        for i in range(1, 31):
            battery.move(20.0 * i, 15.0, 300.0)
    for i in range(1, 240):
        waiting.move(600.0 + 5.0 * i, 0.3, 1.5)
    assert plain.drive is not None
    assert waiting.drive is not None
    assert waiting.drive.effort == plain.drive.effort
    waiting.move(600.0 + 1200.0, 10.0, 50.0)  # and a halt that was that long is none
    assert waiting.drive.effort.seconds < plain.drive.effort.seconds + 10.0


def test_a_short_halt_is_part_of_the_drive() -> None:
    battery = BatteryState()
    battery.reading(80.0, 0.0, "car")
    battery.depart(0.0)
    for i in range(1, 6):
        battery.move(20.0 * i, 15.0, 300.0)
    battery.move(160.0, 0.0, 0.0)
    battery.move(180.0, 15.0, 300.0)
    assert battery.drive is not None
    assert battery.drive.effort.seconds == pytest.approx(180.0)


def test_a_second_way_adds_its_doubt_and_begins_cold() -> None:
    battery = _learned(10)
    battery.air(-5.0, 1e6, "car")
    near, far = battery.ahead(1e6, [9_000.0, 9_000.0])
    assert far.high_pct - far.low_pct > 1.6 * (near.high_pct - near.low_pct)
    assert battery.soc_pct is not None
    assert near.arrival_pct - far.arrival_pct == pytest.approx(battery.soc_pct - near.arrival_pct)
    battery.depart(1e6)
    for i in range(1, 61):
        battery.move(1e6 + 20.0 * i, 15.0, 300.0)
    warm, home = battery.ahead(1e6 + 1200.0, [9_000.0, 9_000.0])
    assert warm.arrival_pct - home.arrival_pct > battery.soc_pct - warm.arrival_pct


def test_the_temperature_counts_while_it_is_fresh() -> None:
    battery = _learned(10)
    battery.air(-10.0, 1e6, "car")
    (cold,) = battery.ahead(1e6 + 60.0, [9_000.0])
    (stale,) = battery.ahead(1e6 + 7200.0, [9_000.0])
    assert battery.outside(1e6 + 60.0) == -10.0
    assert battery.outside(1e6 + 7200.0) is None
    assert cold.arrival_pct < stale.arrival_pct - 0.3
    battery.air(30.0, 1e6 - 5.0, "car")  # older than what is known
    assert battery.air_c == -10.0


def test_a_trip_holds_the_interval_to_what_was_shown_for_its_end() -> None:
    battery = _learned(6)
    assert battery.range.misses == []
    for place, held in ((1, 1), (2, 1)):
        battery.reading(60.0, 2e6 * place, "car")
        battery.depart(2e6 * place)
        battery.expect(1, 9_000.0)
        for i in range(1, 31):
            battery.move(2e6 * place + 20.0 * i, 15.0, 300.0)
        battery.reading(58.0, 2e6 * place + 600.0, "car")
        battery.arrive(9_000.0, place)
        assert len(battery.range.misses) == held
        assert battery.shown is None


def test_it_goes_on_in_the_middle_of_a_trip() -> None:
    battery = _learned(4)
    battery.depart(1e6)
    battery.expect(1, 9_000.0)
    battery.move(1e6 + 20.0, 15.0, 300.0)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(battery), type=BatteryState)
    for one in (battery, again):
        one.move(1e6 + 40.0, 15.0, 300.0)
        one.reading(80.0, 1e6 + 400.0, "car")
    assert again == battery


def test_longer_ways_are_faster_ones() -> None:
    speeds = [usual(metres).speed_mps for metres in (500.0, 5_000.0, 50_000.0)]
    assert speeds == sorted(speeds)
    assert 6.0 < speeds[0] < speeds[-1] < 26.0


def test_a_car_that_tells_its_charge_on_the_way_is_known_from_there_on() -> None:
    battery = BatteryState()
    battery.depart(0.0)
    for i in range(1, 31):
        battery.move(20.0 * i, 15.0, 300.0)
    assert battery.drive is not None
    assert battery.drive.effort.seconds == 0.0  # perhaps it was no car
    battery.reading(80.0, 600.0, "car")
    battery.move(620.0, 15.0, 300.0)
    assert battery.drive.effort.seconds == pytest.approx(20.0)
    assert not battery.drive.broken
