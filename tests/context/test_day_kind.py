"""Which days are of one kind, and how a calendar of holidays is numbered."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from hearthway.context.day_kind import (
    FREE,
    MANY,
    NO_DAYS_OFF,
    OWN,
    PLAIN,
    DayKinds,
    alike,
    day_kind,
    free_day,
    many,
    numbered,
    same_kind,
)
from hearthway.records.localtime import local_day, weekday

MONDAY, TUESDAY, SATURDAY, SUNDAY = 0, 1, 5, 6
A_MONDAY = (date(2026, 1, 12) - date(1970, 1, 1)).days


def test_without_days_off_a_day_is_what_the_week_makes_it() -> None:
    for day in range(7):
        assert day_kind(day, 0, ()) == day_kind(day, 0, (FREE, OWN)) == day
        assert free_day(day) is (day > 4)
        assert NO_DAYS_OFF.on(A_MONDAY + day) == day
        for other in range(7):
            assert same_kind(day, other) is ((day < 5) == (other < 5))
            want = 1.0 if day == other else 0.5 if (day < 5) == (other < 5) else 0.25
            assert alike(day, other, 0.5, 0.25) == want


def test_a_day_off_is_read_in_one_of_three_ways() -> None:
    free, plain, own = (day_kind(MONDAY, 1, (how,)) for how in (FREE, PLAIN, OWN))
    assert day_kind(MONDAY, 1, ()) == free  # where nothing is known of its calendar
    assert plain == MONDAY
    assert free_day(free)
    assert not free_day(own)
    assert same_kind(free, SUNDAY)
    assert not same_kind(free, MONDAY)
    assert not same_kind(own, MONDAY)
    assert not same_kind(own, SUNDAY)
    other = day_kind(TUESDAY, 2, (OWN, OWN))
    assert not same_kind(own, other)  # each calendar has its own kind of days
    assert same_kind(own, day_kind(TUESDAY, 1, (OWN,)))
    assert alike(free, day_kind(MONDAY, 2, (OWN, FREE)), 0.5, 0.1) == 1.0
    assert alike(free, SATURDAY, 0.5, 0.1) == 0.5
    assert alike(free, MONDAY, 0.5, 0.1) == 0.1


def test_of_several_calendars_the_one_with_the_fewest_days_counts() -> None:
    school = [A_MONDAY + n for n in range(14)]
    found = numbered({"School": school, "Finland": [A_MONDAY + 1, A_MONDAY + 5]})
    assert found[A_MONDAY + 1] == 1
    assert found[A_MONDAY] == 2
    assert A_MONDAY + 5 not in found  # a weekend is free by itself
    assert len(found) == 10
    assert numbered({}) == {}
    same = {"B": [A_MONDAY], "A": [A_MONDAY]}
    assert numbered(same) == numbered(dict(sorted(same.items()))) == {A_MONDAY: 1}


def test_a_school_has_more_days_off_than_anybody_who_works() -> None:
    working = [d for d in range(A_MONDAY, A_MONDAY + 365) if weekday(d) < 5]
    assert many(numbered({"one": working[:MANY]})) == (False,)
    assert many(numbered({"one": working[: MANY + 1]})) == (True,)
    ten_years = [A_MONDAY + 364 * year + 7 * week for year in range(10) for week in range(12)]
    assert many(numbered({"public": ten_years})) == (False,)
    assert many({}) == ()


@pytest.mark.parametrize(
    "zone", ["Pacific/Auckland", "Pacific/Kiritimati", "Pacific/Midway", "UTC"]
)
@pytest.mark.parametrize("hour", [0, 12, 23])
def test_the_day_is_right_however_far_the_clock_is_from_utc(zone: str, hour: int) -> None:
    at = datetime(2026, 1, 1, hour, 30, tzinfo=ZoneInfo(zone))
    offset = at.utcoffset()
    assert offset is not None
    day = local_day(at.timestamp(), int(offset.total_seconds()))
    assert day == (datetime(2026, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days
    kinds = DayKinds({day: 1, day + 4: 2}, (FREE, OWN))
    local_s = hour * 3600.0 + 1800.0
    found = [kinds.off_after(at.timestamp(), local_s, weekday(day), n) for n in range(5)]
    assert found == [1, 0, 0, 0, 2]
    assert kinds.after(at.timestamp(), local_s, weekday(day), 4) == kinds.on(day + 4)
