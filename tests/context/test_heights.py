"""Heights: what a receiver tells is smoothed, what a way climbs is known from places, and level where nobody told one."""

from __future__ import annotations

import math

import msgspec
import pytest
from msgspec import UNSET

from hearthway.context.agenda import OwnWays
from hearthway.context.battery import BatteryState
from hearthway.context.heights import Heights, meant, rises
from hearthway.context.life import Life
from hearthway.context.places import KnownPlace, PlaceBook
from hearthway.context.spots import Spot
from hearthway.context.view import _battery
from hearthway.records.geo import offset
from hearthway.records.signals import Fix, Signal
from hearthway.records.situation import Destination, Via
from hearthway.sense.catalogue import ALTITUDE, ODOMETER, SOC

HOME, WORK = (60.17, 24.94), offset(60.17, 24.94, 9_000.0, 0.0)
DAY_S, MONDAY_S = 86_400.0, 1_767_564_000.0
UP_M = 400.0


def test_a_climb_is_the_receivers_and_its_wavering_is_not() -> None:
    heights, wavering = Heights(), Heights()
    for second in range(200):
        heights.tell(100.0 + 0.6 * second, float(second))
        wavering.tell(100.0 + (second % 2), float(second))
        assert heights.step(float(second), 15.0) is not None
        wavering.step(float(second), 15.0)
    assert heights.risen_m == pytest.approx(0.6 * 199, abs=5.0)
    assert abs(wavering.risen_m) < 1.0


def test_what_is_old_absurd_or_a_jump_is_no_climb() -> None:
    heights = Heights()
    assert heights.step(0.0, 100.0) is None
    heights.tell(100.0, 0.0)
    assert heights.step(1.0, 100.0) == 100.0
    assert heights.step(120.0, 100.0) is None
    for bad in (math.nan, math.inf, -501.0, 9_001.0):
        heights.tell(bad, 130.0)
    heights.tell(50.0, -1.0)
    assert heights.told_m == 100.0
    heights.tell(700.0, 130.0)
    assert heights.step(130.0, 100.0) == 700.0
    assert heights.risen_m == 0.0
    heights.begin()
    assert heights.risen_m == 0.0


def test_a_way_climbs_between_heights_that_are_known() -> None:
    assert rises([10.0, 30.0, 5.0]) == [20.0, -25.0]
    assert rises([10.0, None, 5.0]) == [0.0, -5.0]
    assert rises([None, 30.0, 5.0]) == [0.0, -25.0]
    assert rises([None, None, None]) == [0.0, 0.0]


def test_a_place_is_as_high_as_the_mean_of_what_was_told_there() -> None:
    mean: float | None = None
    for count, height in enumerate((10.0, 14.0, 12.0), start=1):
        mean = meant(mean, count, height)
    assert mean == pytest.approx(12.0)
    assert meant(12.0, 500, 22.0) == pytest.approx(13.0)


def test_joined_places_share_their_height_and_a_divided_one_learns_it_again() -> None:
    book = PlaceBook()
    one, other, third = (
        KnownPlace(index=i, lat=HOME[0], lon=HOME[1], height_m=h, heights=n)
        for i, (h, n) in enumerate(((10.0, 3), (14.0, 1), (None, 0)))
    )
    book.places += [one, other, third]
    book.join(other, one)
    assert (one.height_m, one.heights) == (11.0, 4)
    book.join(third, one)
    assert (one.height_m, one.heights) == (11.0, 4)
    apart = [Spot(lat=offset(*HOME, 300.0, 0.0)[0], lon=HOME[1], visits=1)]
    book.divide(one, apart)
    assert (one.height_m, one.heights) == (None, 0)


def _commuter(days: int, *, told: bool, up_m: float = UP_M) -> tuple[Life, list[bytes]]:
    """Up to work and down again; what the battery line said at each departure."""
    life, odometer = Life("ada"), 1e6
    said: list[bytes] = []

    def go(
        start_s: float, begin: tuple[float, float], end: tuple[float, float], rise: float
    ) -> None:
        nonlocal odometer
        base = 0.0 if rise > 0.0 else up_m
        for i in range(1, 61):
            now_s, share = start_s + 10.0 * i, i / 60.0
            if told:
                tell(ALTITUDE, base + share * rise, now_s)
            if i % 20 == 0:
                odometer += 3_000.0
                soc[0] -= (1.8 + rise / 100.0) / 3.0
                tell(SOC, round(soc[0], 2), now_s)
                tell(ODOMETER, odometer, now_s)
            lat, lon = (a + (b - a) * share for a, b in zip(begin, end, strict=True))
            life.observe(Fix(time_s=now_s, lat=lat, lon=lon))
            if i == 30:
                said.append(msgspec.json.encode(life.situation(now_s).battery))

    def tell(key: str, value: float, now_s: float) -> None:
        life.observe_signal(Signal(key=key, value=value, time_s=now_s, source="car"))

    def rest(begin_s: float, end_s: float, at: tuple[float, float]) -> None:
        while begin_s < end_s:
            life.observe(Fix(time_s=begin_s, lat=at[0], lon=at[1]))
            begin_s += 600.0

    soc = [80.0]
    for day in range(days):
        midnight = MONDAY_S + day * DAY_S
        soc[0] = 80.0
        rest(midnight + 60.0, midnight + 8 * 3600.0, HOME)
        tell(SOC, 80.0, midnight + 8 * 3600.0 - 30.0)
        go(midnight + 8 * 3600.0, HOME, WORK, up_m)
        rest(midnight + 8.5 * 3600.0, midnight + 17 * 3600.0, WORK)
        go(midnight + 17 * 3600.0, WORK, HOME, -up_m)
        rest(midnight + 17.5 * 3600.0, midnight + 24 * 3600.0, HOME)
    return life, said


def test_places_learn_how_high_they_are_and_the_way_home_is_downhill() -> None:
    known, _ = _commuter(15, told=True)
    blind, _ = _commuter(15, told=False)
    home, work = (
        next(p for p in known.places() if abs(p.lat - at[0]) < 0.01) for at in (HOME, WORK)
    )
    high = {p.place_id: known.state.places[int(p.place_id[1:])].height_m for p in (home, work)}
    assert high[home.place_id] == pytest.approx(0.0, abs=10.0)
    assert high[work.place_id] == pytest.approx(UP_M, abs=10.0)
    now_s = MONDAY_S + 15 * DAY_S
    downhill, level = (_home_gives(life, now_s, told=life is known) for life in (known, blind))
    truth = -(1.8 - UP_M / 100.0)
    assert abs(downhill - truth) < abs(level - truth) - 1.0


def test_without_heights_nothing_is_otherwise_than_on_the_level() -> None:
    told, level = _commuter(12, told=True, up_m=0.0), _commuter(12, told=False, up_m=0.0)
    assert told[1] == level[1]
    assert level[0].state.battery.heights == Heights()
    assert all(place.height_m is None for place in level[0].state.places)


def test_the_line_under_way_knows_the_hill_ahead() -> None:
    (_, known), (_, blind) = (_commuter(15, told=told) for told in (True, False))
    up, down = (msgspec.json.decode(known[-2])["at_arrival_pct"], msgspec.json.decode(known[-1]))
    assert up is not None
    assert down["at_arrival_pct"] > down["soc_pct"] + 0.3  # half the descent is still ahead
    assert msgspec.json.decode(blind[-1])["at_arrival_pct"] < down["at_arrival_pct"] - 0.3


def _home_gives(life: Life, now_s: float, *, told: bool) -> float:
    """Percent that the way home from work is said to give back (above 0) or take, at departure there."""
    battery = life.state.battery
    places = {round(p.lat, 2): p for p in life.state.places}
    home, work = places[round(HOME[0], 2)], places[round(WORK[0], 2)]
    heights = [work.height_m, home.height_m] if told else []
    (ahead,) = battery.ahead(now_s, [9_000.0], heights)
    assert battery.soc_pct is not None
    return ahead.arrival_pct - battery.soc_pct


def test_the_height_of_now_is_the_cars_else_the_places() -> None:
    battery = BatteryState()
    battery.heights.tell(120.0, 1000.0)
    assert battery.height(1060.0) == 120.0
    assert battery.height(2000.0) is None


@pytest.mark.parametrize("with_goal", [True, False])
@pytest.mark.parametrize("with_home", [True, False])
def test_a_short_stop_on_the_way_ends_no_climb(with_goal: bool, with_home: bool) -> None:
    life, _ = _commuter(15, told=True)
    state, now_s = life.state, MONDAY_S + 15 * DAY_S
    work = next(place for place in state.places if abs(place.lat - WORK[0]) < 0.01)
    book = life._book if with_home else PlaceBook([])
    own = OwnWays(state, book, life.model.past)
    goal, at = (work if with_goal else None), offset(*HOME, 4_000.0, 0.0)
    stop = Via(lat=at[0], lon=at[1], seconds=300.0, times=5, of=6)
    told = [
        _battery(state, book, own, goal, (Destination(place=life.place(work.index), p=0.9, via=via),), now_s, ())
        for via in (stop, UNSET)
    ]  # fmt: skip
    for one in told:
        assert one is not None
        assert (one.at_arrival_pct is not None) is with_goal
    by_stop, straight = told
    if with_goal and by_stop is not None and straight is not None:
        assert by_stop.at_arrival_pct == pytest.approx(straight.at_arrival_pct, abs=0.2)
