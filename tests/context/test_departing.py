"""When the car is next needed: by usual first trips, by the calendar where that comes first, by neither where nobody knows."""

from __future__ import annotations

from typing import Any

import pytest
from tests.context.test_tomorrow import DAY_S, HOME, HOUR_S, MONDAY_S, WORK, Driver, feed

from hearthway.context.life import Life
from hearthway.records.calendar import CalendarEntry
from hearthway.records.geo import offset

FAR = offset(*HOME, 80_000.0, 0.0)
WEEKS = 6


@pytest.fixture(scope="module")
def life() -> Life:
    """To work at eight from Mondays to Fridays, swimming on Saturdays at eleven; it is Sunday evening, at home."""
    found, driver = Life("ada"), Driver(None)
    feed(found, driver.days(7 * WEEKS))
    feed(found, driver.rest(MONDAY_S + 7 * WEEKS * DAY_S - 6 * HOUR_S))
    return found


def at(day: int, hour: float) -> float:
    return MONDAY_S + (7 * WEEKS + day) * DAY_S + hour * HOUR_S


def entry(start_s: float, where: tuple[float, float] | None = WORK, **more: Any) -> CalendarEntry:
    lat, lon = where if where is not None else (None, None)
    return CalendarEntry(
        uid="u",
        occurs_s=start_s,
        start_s=start_s,
        end_s=start_s + HOUR_S,
        title="x",
        lat=lat,
        lon=lon,
        read_s=at(-1, 9),
        **more,
    )


def test_the_first_trip_of_such_days_is_when_it_must_be_ready(life: Life) -> None:
    leaves = life.leaving(at(-1, 20), ())
    assert leaves is not None
    assert leaves.source == "own trips"
    assert leaves.time_s == pytest.approx(at(0, 8), abs=120.0)
    assert (leaves.kind, leaves.drove) == ("Mondays", leaves.days)


def test_a_day_without_trips_is_passed_over_and_so_is_one_already_begun(life: Life) -> None:
    sunday = life.leaving(at(5, 20), ())  # of the Saturday that no trip was seen of
    assert sunday is not None
    assert sunday.time_s == pytest.approx(at(7, 8), abs=120.0)
    tuesday = life.leaving(at(0, 9), ())
    assert tuesday is not None
    assert tuesday.time_s == pytest.approx(at(1, 8), abs=120.0)


def test_the_calendar_counts_where_it_comes_first(life: Life) -> None:
    early = life.leaving(at(-1, 20), [entry(at(0, 6))])
    assert early is not None
    assert early.source == "calendar"
    assert at(0, 5) < early.time_s < at(0, 6)
    assert early.told_s == at(-1, 9)
    late = life.leaving(at(-1, 20), [entry(at(0, 14))])
    assert late is not None
    assert late.source == "own trips"


@pytest.mark.parametrize(
    "passed",
    [
        entry(at(0, 6), None),
        entry(at(0, 6), HOME),
        entry(at(0, 6), FAR),
        entry(at(0, 6), cancelled=True),
        entry(at(0, 6), all_day=True),
    ],
)
def test_an_entry_to_which_one_does_not_drive_tells_nothing(
    life: Life, passed: CalendarEntry
) -> None:
    leaves = life.leaving(at(-1, 20), [passed])
    assert leaves is not None
    assert leaves.source == "own trips"


def test_a_car_that_stands_elsewhere_leaves_by_the_calendar_only(life: Life) -> None:
    again = Life.load(life.dump())
    again.state.car.at = next(
        place.index for place in again.state.places if abs(place.lat - WORK[0]) < 0.01
    )
    assert again.leaving(at(-1, 20), ()) is None
    leaves = again.leaving(at(-1, 20), [entry(at(0, 6), HOME)])
    assert leaves is not None
    assert leaves.source == "calendar"


def test_of_a_life_that_nobody_knows_nothing_is_said() -> None:
    assert Life("ada").leaving(at(0, 0), [entry(at(0, 6))]) is None


def test_in_the_night_of_a_change_the_clock_of_that_day_counts(life: Life) -> None:
    """Clocks go forward on 2026-03-29: a Monday's eight o'clock is an hour earlier by UTC from then on."""
    before = life.leaving(at(0, 20), ())
    spring_s = MONDAY_S + 12 * 7 * DAY_S - 4 * HOUR_S
    after = life.leaving(spring_s, ())
    assert before is not None
    assert after is not None
    assert (before.time_s - after.time_s) % DAY_S == pytest.approx(HOUR_S, abs=180.0)


def test_on_a_holiday_nobody_needs_it_for_work(life: Life) -> None:
    monday = int(MONDAY_S // DAY_S) + 1 + 7 * WEEKS  # midnight there is the evening before by UTC
    leaves = Life.load(life.dump(), days_off={monday: 1}).leaving(at(-1, 20), ())
    assert leaves is not None
    assert leaves.kind == "free days"
    assert leaves.time_s == pytest.approx(at(0, 11), abs=120.0)  # to the pool, as on free days
