"""Where the car charges, how long one stays, and what tomorrow's first trip will take: from lives that differ in one fact."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from hearthway.context.charging import FADE_STOOD, MAX_FIRSTS, CarState, FirstTrip
from hearthway.context.life import Life
from hearthway.context.places import MAX_STAYS, NOWHERE, KnownPlace, PlaceBook
from hearthway.context.remap import move_part, renumber
from hearthway.context.spots import Spot
from hearthway.context.state import LifeState
from hearthway.context.tomorrow import hours_of
from hearthway.records.calendar import CalendarEntry
from hearthway.records.geo import offset
from hearthway.records.signals import Fix, Signal
from hearthway.records.situation import Battery, Stand, Tomorrow
from hearthway.sense.catalogue import CHARGING, ODOMETER, SOC

HOME = (60.17, 24.94)
WORK = offset(*HOME, 9_000.0, 0.0)
POOL = offset(*HOME, 0.0, 5_000.0)
DAY_S, HOUR_S = 86_400.0, 3_600.0
MONDAY_S = 1_767_564_000.0  # 2026-01-05 00:00 in Helsinki
PCT_PER_KM = 0.2
Item = Fix | Signal


class Driver:
    """Mondays to Fridays to work at 08:00 and home at 17:00; what car and phone tell of it."""

    def __init__(self, charges_at: tuple[float, float] | None, *, says: bool = False) -> None:
        self.charges_at, self.says = charges_at, says
        self.soc_pct, self.odometer_m, self.charged = 70.0, 1e6, 0
        self.at, self.now_s = HOME, MONDAY_S

    def tell(self, key: str, value: float | bool) -> Signal:
        return Signal(key=key, value=value, time_s=self.now_s, source="car")

    def rest(self, until_s: float) -> Iterator[Item]:
        plugged = self.at == self.charges_at and self.soc_pct < 75.0
        if plugged and self.says:
            yield self.tell(CHARGING, True)
        while self.now_s < until_s:
            yield Fix(time_s=self.now_s, lat=self.at[0], lon=self.at[1])
            self.now_s = min(until_s, self.now_s + 600.0)
        if plugged:
            self.soc_pct, self.charged = 80.0, self.charged + 1
            if self.says:
                yield self.tell(CHARGING, False)

    def go(self, to: tuple[float, float]) -> Iterator[Item]:
        begin, steps = self.at, 40
        way_m = 111_195.0 * abs(to[0] - begin[0]) + 55_300.0 * abs(to[1] - begin[1])
        yield self.tell(SOC, round(self.soc_pct, 2))
        yield self.tell(ODOMETER, self.odometer_m)
        for i in range(1, steps + 1):
            self.now_s += way_m / steps / 15.0
            share = i / steps
            lat, lon = (a + (b - a) * share for a, b in zip(begin, to, strict=True))
            yield Fix(time_s=self.now_s, lat=lat, lon=lon)
        self.soc_pct -= PCT_PER_KM * way_m / 1000.0
        self.odometer_m += way_m
        self.at = to
        yield self.tell(SOC, round(self.soc_pct, 2))
        yield self.tell(ODOMETER, self.odometer_m)

    def days(self, count: int, first: int = 0) -> Iterator[Item]:
        for day in range(first, first + count):
            begin_s = MONDAY_S + day * DAY_S
            if day % 7 < 5:
                yield from self.rest(begin_s + 8 * HOUR_S)
                yield from self.go(WORK)
                yield from self.rest(begin_s + 17 * HOUR_S)
                yield from self.go(HOME)
            elif day % 7 == 5:
                yield from self.rest(begin_s + 11 * HOUR_S)
                yield from self.go(POOL)
                yield from self.rest(begin_s + 13 * HOUR_S)
                yield from self.go(HOME)


def feed(life: Life, items: Iterator[Item]) -> None:
    for item in items:
        if isinstance(item, Fix):
            life.observe(item)
        else:
            life.observe_signal(item)


def sunday_evening(
    charges_at: tuple[float, float] | None,
    *,
    says: bool = False,
    days_off: dict[int, int] | None = None,
) -> tuple[Life, int]:
    """Four weeks; on the last Sunday a drive home from the pool has just begun. And how often the car was charged."""
    driver, life = Driver(charges_at, says=says), Life("anna", days_off=days_off)
    feed(life, driver.days(27))
    begin_s = MONDAY_S + 27 * DAY_S
    feed(life, driver.rest(begin_s + 15 * HOUR_S))
    feed(life, driver.go(POOL))
    feed(life, driver.rest(begin_s + 17 * HOUR_S))
    driver.soc_pct = 14.0
    way = list(driver.go(HOME))
    feed(life, iter(way[: len(way) // 2]))
    return life, driver.charged


@pytest.fixture(scope="module")
def at_work() -> Life:
    return sunday_evening(WORK)[0]


def battery_of(life: Life, entries: tuple[CalendarEntry, ...] = ()) -> Battery:
    assert life.state.last is not None
    battery = life.situation(life.state.last.time_s, entries).battery
    assert battery is not None
    return battery


def stand_at(life: Life, point: tuple[float, float]) -> KnownPlace:
    place = life._book.nearest(*point)
    assert place is not None
    return place


def test_where_it_charges_is_counted_where_its_charge_rises(at_work: Life) -> None:
    home, work, pool = (stand_at(at_work, point) for point in (HOME, WORK, POOL))
    assert work.car_charged > 5
    assert (home.car_charged, pool.car_charged) == (0, 0)
    assert work.car_stood >= 19
    assert home.car_stood >= 20
    battery = battery_of(at_work)
    assert isinstance(battery.home, Stand)
    assert battery.home.charges is False


def test_who_charges_at_home_has_no_tomorrow_to_think_of() -> None:
    life, _ = sunday_evening(HOME)
    battery = battery_of(life)
    assert isinstance(battery.home, Stand)
    assert battery.home.charges is True
    assert battery.tomorrow is msgspec.UNSET


def test_where_no_charging_was_ever_seen_nothing_is_concluded() -> None:
    """The charge only falls: that home has no charger cannot be told from a car that is silent about it."""
    battery = battery_of(sunday_evening(None)[0])
    assert isinstance(battery.home, Stand)
    assert battery.home.charges is None
    assert battery.tomorrow is msgspec.UNSET


def test_that_it_says_so_itself_gives_the_same_count() -> None:
    (mute, charged), (telling, _) = (sunday_evening(WORK, says=says) for says in (False, True))
    for life in (mute, telling):
        assert stand_at(life, WORK).car_charged == charged > 5


def test_tomorrow_is_the_first_trip_of_past_mondays_and_only_there_where_it_charges(
    at_work: Life,
) -> None:
    battery = battery_of(at_work)
    tomorrow = battery.tomorrow
    assert isinstance(tomorrow, Tomorrow)
    assert (tomorrow.source, tomorrow.kind, tomorrow.days) == ("own trips", "Mondays", 4)
    assert tomorrow.p_drives == 1.0
    assert all(way == pytest.approx(9_000.0, rel=0.05) for way in tomorrow.ways_m)
    assert battery.at_home_pct is not None
    for left, high in zip(tomorrow.left_pct, tomorrow.high_pct, strict=True):
        assert left < battery.at_home_pct
        assert high > left
    used = battery.at_home_pct - tomorrow.left_pct[0]
    assert used == pytest.approx(9.0 * PCT_PER_KM, rel=0.25)


def entry(hour: float, at: tuple[float, float] | None, **changes: bool) -> CalendarEntry:
    start_s = MONDAY_S + 28 * DAY_S + hour * HOUR_S
    lat, lon = (None, None) if at is None else at
    found = CalendarEntry(
        uid="u", occurs_s=start_s, start_s=start_s, end_s=start_s, lat=lat, lon=lon
    )
    return msgspec.structs.replace(found, **changes)


def test_what_the_calendar_has_before_the_usual_first_trip_is_it(at_work: Life) -> None:
    tomorrow = battery_of(at_work, (entry(7.0, POOL),)).tomorrow
    assert isinstance(tomorrow, Tomorrow)
    assert (tomorrow.source, tomorrow.p_drives, len(tomorrow.ways_m)) == ("calendar", 0.9, 1)
    assert tomorrow.ways_m[0] == pytest.approx(10_000.0, rel=0.3)  # there and back


@pytest.mark.parametrize(
    "entries",
    [
        (entry(19.0, POOL),),
        (entry(7.0, POOL, cancelled=True),),
        (entry(7.0, POOL, all_day=True),),
        (entry(7.0, None),),
        (entry(7.0, HOME),),
    ],
)
def test_another_entry_leaves_it_to_the_own_trips(
    at_work: Life, entries: tuple[CalendarEntry, ...]
) -> None:
    tomorrow = battery_of(at_work, entries).tomorrow
    assert isinstance(tomorrow, Tomorrow)
    assert tomorrow.source == "own trips"


def test_farther_than_ever_nobody_knows_whether_the_car_is_needed(at_work: Life) -> None:
    assert battery_of(at_work, (entry(7.0, (61.5, 23.76)),)).tomorrow is msgspec.UNSET


def test_how_long_one_stays_there(at_work: Life) -> None:
    there = battery_of(at_work).there
    assert isinstance(there, Stand)
    stays = {point: stand_at(at_work, point).stays_s for point in (WORK, POOL)}
    assert len(stays[WORK]) == MAX_STAYS
    assert 8.5 * HOUR_S <= sorted(stays[WORK])[10] <= 9.0 * HOUR_S
    assert 1.5 * HOUR_S <= sorted(stays[POOL])[1] <= 2.0 * HOUR_S


def test_stopping_and_going_on_changes_nothing_and_an_old_state_opens(at_work: Life) -> None:
    assert Life.load(at_work.dump()).dump() == at_work.dump()
    old = msgspec.msgpack.decode(at_work.dump())
    del old["car"]
    for place in old["places"]:
        for name in ("stays_s", "began_q", "car_stood", "car_charged"):
            del place[name]
    life = Life.load(msgspec.msgpack.encode(old))
    assert battery_of(life).tomorrow is msgspec.UNSET


def place_at(index: int, point: tuple[float, float], **facts: int) -> KnownPlace:
    return KnownPlace(index=index, lat=point[0], lon=point[1], **facts)  # type: ignore[arg-type]  # as the test names them


def test_what_is_told_elsewhere_counts_for_no_place() -> None:
    places = [place_at(0, HOME), place_at(1, WORK)]
    car = CarState()
    car.parked(places, 0, 50.0, 0.0)
    car.reading(80.0, beside=1)  # the person is at another place: who knows where that was
    car.reading(80.0, beside=None)
    car.charging(5.0, beside=None, on=True)
    car.parked(places, 1, 70.0, 10.0)
    assert (places[0].car_stood, places[0].car_charged) == (0, 0)
    car.reading(71.0, beside=1)  # no charging: a battery that warms up
    car.parked(places, 0, 60.0, 20.0)
    assert (places[1].car_stood, places[1].car_charged) == (1, 0)
    car.charging(25.0, beside=None, on=True)  # on arriving, before the stay is certain
    car.parked(places, 1, 55.0, 24.0)
    car.parked(places, 0, 50.0, 30.0)
    assert (places[1].car_stood, places[1].car_charged) == (2, 1)


def test_bounds() -> None:
    places = [place_at(0, HOME)]
    car = CarState()
    for day in range(3 * FADE_STOOD):
        car.parked(places, 0, 50.0, day * DAY_S)
        car.reading(80.0, beside=0)
        car.drove(day * DAY_S + 9 * HOUR_S, HOME, 0, 0, 1_000.0)
        car.drove(day * DAY_S + 12 * HOUR_S, HOME, 0, 0, 2_000.0)  # not the first of its day
    assert places[0].car_stood < FADE_STOOD
    assert places[0].car_charged == places[0].car_stood
    assert len(car.firsts) == MAX_FIRSTS
    assert {first.way_m for first in car.firsts} == {1_000.0}


def test_two_places_that_are_found_to_be_one_have_the_counts_of_both() -> None:
    state = LifeState()
    state.places += [place_at(0, HOME, visits=5, car_stood=9, car_charged=1), place_at(1, WORK)]
    state.places.append(place_at(2, HOME, visits=2, car_stood=2, car_charged=1))
    state.places[0].stays_s, state.places[2].stays_s = [5.0] * MAX_STAYS, [7.0]
    state.car.at = 2
    state.car.firsts = [FirstTrip(1, 0, 2.0, 2, 1, 9_000.0), FirstTrip(2, 1, 2.0, 0, 2, 9_000.0)]
    book = PlaceBook(state.places)
    book.join(state.places[2], state.places[0])
    renumber(state, 2, 0)
    one = state.places[0]
    assert (one.car_stood, one.car_charged, len(one.stays_s)) == (11, 2, MAX_STAYS)
    assert [state.car.at] == [0]
    assert [(first.origin, first.destination) for first in state.car.firsts] == [(0, 1), (0, 0)]
    renumber(state, 0, NOWHERE)
    assert [state.car.at] == [None]
    assert [(first.origin, first.destination) for first in state.car.firsts] == [(-1, 1), (-1, -1)]


def test_a_place_that_is_divided_learns_its_counts_again() -> None:
    """Nobody knows of which of the two they were."""
    near, next_door = offset(*HOME, 0.0, 40.0), offset(*HOME, 0.0, 260.0)
    state = LifeState()
    state.places.append(place_at(0, HOME, visits=8, car_stood=12, car_charged=6))
    state.places[0].stays_s = [5.0] * 8
    spots = [Spot(lat=p[0], lon=p[1], visits=4) for p in (near, next_door)]
    state.places[0].spots = list(spots)
    state.car.at = 0
    other = PlaceBook(state.places).divide(state.places[0], [spots[1]])
    move_part(state, state.places[0], other)
    for place in state.places:
        assert (place.visits, place.car_stood, place.car_charged, place.stays_s) == (4, 0, 0, [])
    assert state.car.at is None


def test_who_drives_after_midnight_has_not_slept_yet() -> None:
    late_s = MONDAY_S + DAY_S + 1.5 * HOUR_S  # Tuesday, half past one
    begin_s, end_s = hours_of(late_s, *HOME)
    assert begin_s == MONDAY_S + DAY_S + 4 * HOUR_S
    assert end_s - begin_s == DAY_S
    assert hours_of(MONDAY_S + 20 * HOUR_S, *HOME)[0] == begin_s


def test_a_life_of_nothing() -> None:
    assert LifeState().car == CarState()
    assert Life("anna").situation(0.0).battery is None


def test_of_a_holiday_tomorrow_no_way_to_work_is_expected(at_work: Life) -> None:
    monday = int(MONDAY_S // DAY_S) + 1 + 28  # midnight there is the evening before by UTC
    holiday, _ = sunday_evening(WORK, days_off={monday: 1})
    usual, free = (battery_of(life).tomorrow for life in (at_work, holiday))
    assert isinstance(usual, Tomorrow)
    assert isinstance(free, Tomorrow)
    assert usual.p_drives == 1.0
    assert free.kind == "free days"
    assert free.p_drives == pytest.approx(4 / 7)  # to the pool on each Saturday, and on no Sunday
    assert max(free.ways_m) > max(usual.ways_m)  # there and back: the car does not charge there
