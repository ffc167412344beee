"""The forecast of the house: from its own past only, online, bounded, with sun by UTC and load by the local clock."""

from __future__ import annotations

from collections.abc import Callable
from math import nan, pi, sin

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.context.power_ahead import (
    KEPT_DAYS,
    LEAST_DAYS,
    SURPLUSES,
    PowerAhead,
    PowerState,
)

SLOT_S = 1_800
DAY = 48
Kw = Callable[[int], float]


def no_offset(_: float) -> int:
    return 0


def sun(slot: int) -> float:
    """A clear day from 06:00 to 18:00."""
    return 4.0 * max(0.0, sin((slot % DAY - 12) / 24 * pi))


def evening(slot: int) -> float:
    return 2.0 if 36 <= slot % DAY < 44 else 0.4


def learned(slots: int, load: Kw, pv: Kw, offset: Callable[[float], int] = no_offset) -> PowerAhead:
    ahead = PowerAhead(offset)
    for slot in range(slots):
        ahead.learn(slot * SLOT_S, load(slot), pv(slot))
    return ahead


def middle(ahead: PowerAhead, slot: int) -> float:
    found = ahead.surpluses(slot * SLOT_S)
    return found[len(found) // 2]


def test_a_house_of_habit_is_foreseen() -> None:
    ahead = learned(10 * DAY + 20, evening, sun)
    for slot in range(10 * DAY + 20, 12 * DAY):
        found = ahead.surpluses(slot * SLOT_S)
        assert found == pytest.approx([sun(slot) - evening(slot)] * len(found), abs=1e-9)


def test_a_dull_morning_dims_the_afternoon_and_less_the_next_day() -> None:
    def dull(slot: int) -> float:
        return sun(slot) * (0.3 if slot >= 20 * DAY else 1.0)

    noon = 20 * DAY + 24
    dim, clear = learned(noon, evening, dull), learned(noon, evening, sun)
    assert middle(clear, noon + 2) == pytest.approx(sun(noon + 2) - 0.4)
    assert middle(dim, noon + 2) < 0.55 * middle(clear, noon + 2)
    assert middle(dim, noon + DAY) > 0.9 * middle(clear, noon + DAY)


def test_a_busy_hour_raises_the_next() -> None:
    def busy(slot: int) -> float:
        return evening(slot) + (3.0 if slot >= 20 * DAY + 8 else 0.0)

    now = 20 * DAY + 14
    calm, loud = learned(now, evening, sun), learned(now, busy, sun)
    assert middle(loud, now) < middle(calm, now) - 1.0
    assert middle(loud, now + 40) > middle(calm, now + 40) - 0.5


def test_days_that_differ_are_a_spread() -> None:
    ahead = learned(28 * DAY, evening, lambda slot: sun(slot) * (0.2 + 0.1 * (slot // DAY % 8)))
    found = ahead.surpluses((28 * DAY + 24) * SLOT_S)
    assert len(found) == SURPLUSES
    assert list(found) == sorted(found)
    assert found[-1] - found[0] > 1.5
    assert all(-0.4 <= each <= 4.0 - 0.4 for each in found)


def test_what_comes_is_not_known() -> None:
    """The same past gives the same forecast, whatever follows; and learning it changes the forecast."""
    past, other = learned(9 * DAY, evening, sun), learned(9 * DAY, evening, sun)
    asked = (9 * DAY + 30) * SLOT_S
    before = past.surpluses(asked)
    assert before == other.surpluses(asked)
    other.learn(9 * DAY * SLOT_S, 9.0, 0.0)
    assert other.surpluses(asked) != before


@pytest.mark.parametrize("moved_s", [3_600, -3_600])
def test_when_clocks_change_people_move_and_the_sun_does_not(moved_s: int) -> None:
    """From day 10 on the local clock is an hour off; yet the evening begins at 18:00 on it."""
    change_s = 10 * DAY * SLOT_S

    def offset(time_s: float) -> int:
        return moved_s if time_s >= change_s else 0

    ahead = learned(10 * DAY, evening, sun, offset)
    for local in range(DAY):
        slot = 10 * DAY + local - moved_s // SLOT_S
        if slot >= 10 * DAY:
            assert middle(ahead, slot) == pytest.approx(sun(slot) - evening(local), abs=1e-9)


def test_too_little_is_no_forecast() -> None:
    for days in range(LEAST_DAYS):
        assert learned(days * DAY, evening, sun).surpluses(days * DAY * SLOT_S) == ()
    ahead = learned(LEAST_DAYS * DAY, evening, sun)
    assert len(ahead.surpluses(LEAST_DAYS * DAY * SLOT_S)) == LEAST_DAYS
    assert ahead.surpluses((LEAST_DAYS + 1) * DAY * SLOT_S) == pytest.approx((-0.4,) * LEAST_DAYS)
    assert ahead.surpluses((KEPT_DAYS + 1) * DAY * SLOT_S) == ()


def test_holes_are_left_out() -> None:
    ahead = PowerAhead(no_offset)
    for slot in range(10 * DAY):
        if slot // DAY in (2, 3):
            continue  # nothing recorded
        unknown = slot // DAY == 5
        ahead.learn(slot * SLOT_S, nan if unknown else evening(slot), nan if unknown else sun(slot))
    found = ahead.surpluses((10 * DAY + 24) * SLOT_S)
    assert found == pytest.approx((sun(24) - 0.4,) * 7, abs=1e-9)


def test_what_came_before_is_passed_over_and_a_long_absence_begins_anew() -> None:
    ahead = learned(5 * DAY, evening, sun)
    before = msgspec.json.encode(ahead.state)
    ahead.learn(4 * DAY * SLOT_S, 99.0, 99.0)
    assert msgspec.json.encode(ahead.state) == before
    ahead.learn(100 * DAY * SLOT_S, 1.0, 0.0)
    assert ahead.state.load_kw == [1.0]
    assert ahead.state.next == 100 * DAY + 1


def test_a_year_is_four_weeks() -> None:
    ahead = learned(365 * DAY, evening, sun)
    assert len(ahead.state.load_kw) == len(ahead.state.pv_kw) == KEPT_DAYS * DAY
    assert len(msgspec.msgpack.encode(ahead.state)) < 30_000


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=4 * DAY, max_size=5 * DAY))
def test_written_down_and_taken_up_it_goes_on_unchanged(values: list[tuple[float, float]]) -> None:
    ahead = PowerAhead(no_offset)
    for slot, (load, pv) in enumerate(values):
        ahead.learn(slot * SLOT_S, load, pv)
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(ahead.state), type=PowerState)
    again = PowerAhead(no_offset, state)
    asked = [(len(values) + lead) * SLOT_S for lead in (0, 1, 30)]
    assert [again.surpluses(time_s) for time_s in asked] == [
        ahead.surpluses(time_s) for time_s in asked
    ]
