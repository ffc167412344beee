"""The logical clock: order, never back, and no clock of the household can freeze or lose a write."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.mesh.state.hlc import (
    CAP_MS,
    COUNT_MAX,
    HORIZON_MS,
    Hlc,
    HlcClock,
    check,
    following,
    usable_ms,
)
from hearthway.records.errors import WireError

NODES = st.sampled_from(["car", "home", "phone", "phone-2"])
MOMENTS = st.builds(Hlc, st.integers(0, CAP_MS), st.integers(0, COUNT_MAX), NODES)
# the year 1970 and before, now, years ahead, past the end, and no number at all
CLOCKS = st.one_of(
    st.floats(-1e6, 1e6),
    st.floats(1.6e9, 2.2e9),
    st.sampled_from([0.0, 253_402_300_799.0, 253_402_300_800.0, 1e15, math.inf, math.nan]),
)
YEAR_S = 365.25 * 86_400.0


@given(MOMENTS, MOMENTS)
def test_text_sorts_as_moments_do(one: Hlc, other: Hlc) -> None:
    assert (one < other) == (one.encode() < other.encode())
    assert Hlc.decode(one.encode()) == one


def test_the_text_has_one_form() -> None:
    assert Hlc(0xABC, 0x1F, "car").encode() == "000000000abc-00001f-car"
    assert Hlc(CAP_MS, COUNT_MAX, "a-b").encode() == "e677d21fdbff-ffffff-a-b"
    good = "000000000abc-00001f-car"
    for bad in (
        "",
        "yesterday",
        good.upper(),
        " " + good,
        good[1:],
        "0" + good,
        "abc-1f-car",
        good[:20],
    ):
        with pytest.raises(WireError, match="not a logical time") as caught:
            Hlc.decode(bad)
        assert "database" in caught.value.next_step
    assert Hlc.decode(good[:20] + "\n") == Hlc(0xABC, 0x1F, "\n")


@given(st.lists(st.one_of(CLOCKS, MOMENTS.filter(lambda m: m.wall_ms < CAP_MS)), max_size=30))
def test_never_back_whatever_clocks_and_peers_say_and_over_restarts(
    steps: list[float | Hlc],
) -> None:
    clock, last = HlcClock("phone"), Hlc(0, 0, "")
    seen = Hlc(0, 0, "")
    for step in steps:
        if isinstance(step, Hlc):
            clock.observe(step)
            if step.wall_ms <= HORIZON_MS:  # one from beyond counts for its key alone
                seen = max(seen, step)
            continue
        moment = clock.tick(step)
        assert moment > last
        assert (moment.wall_ms, moment.count) > (seen.wall_ms, seen.count)
        assert moment.node == "phone"
        last = moment
        clock = HlcClock("phone", last=max(moment, seen))  # what was written is on disk


@given(MOMENTS, MOMENTS, MOMENTS)
def test_observing_is_a_maximum(a: Hlc, b: Hlc, c: Hlc) -> None:
    def after(*seen: Hlc) -> Hlc | str:
        clock = HlcClock("phone")
        for one in seen:
            clock.observe(one)
        try:
            return clock.tick(0.0)
        except WireError as why:
            return why.message

    assert after(a, b, c) == after(c, a, b) == after(b, c, a, a, b)


def test_a_count_on_from_years_ahead_wins_over_it() -> None:
    now_s = 1.8e9
    ahead = HlcClock("car").tick(now_s + 10 * YEAR_S)
    phone = HlcClock("phone")
    phone.observe(ahead)
    behind = HlcClock("home")
    behind.observe(ahead)
    assert ahead < phone.tick(now_s) == Hlc(ahead.wall_ms, 1, "phone")
    assert ahead < behind.tick(now_s - 10 * YEAR_S) == Hlc(ahead.wall_ms, 1, "home")
    # and once real time is there, real time counts again
    assert phone.tick(now_s + 11 * YEAR_S).wall_ms == int((now_s + 11 * YEAR_S) * 1000)


def test_a_new_millisecond_begins_at_nothing() -> None:
    assert following(5, 3, 6) == (6, 0)
    assert following(5, 3, 5) == (5, 4)
    assert following(5, 3, 4) == (5, 4)
    assert following(5, COUNT_MAX - 1, 4) == (5, COUNT_MAX)
    assert following(5, COUNT_MAX, 5) == (6, 0)
    assert following(5, COUNT_MAX, 9) == (9, 0)


def test_seconds_become_milliseconds_and_no_time_becomes_none() -> None:
    assert usable_ms(1.9999) == 1999
    assert usable_ms(0.0) == 0
    assert usable_ms(0.5) == 500
    assert usable_ms(CAP_MS / 1000) == CAP_MS
    assert usable_ms(CAP_MS / 1000 + 1) == 0
    assert [usable_ms(x) for x in (-1.0, -0.001, math.nan, math.inf, -math.inf)] == [0] * 5


def test_past_the_year_9999_is_refused_and_changes_nothing() -> None:
    clock = HlcClock("phone", last=Hlc(7, 7, "phone"))
    for wild in (
        Hlc(CAP_MS + 1, 0, "car"),
        Hlc(-1, 0, "car"),
        Hlc(0, -1, "car"),
        Hlc(0, COUNT_MAX + 1, "car"),
    ):
        with pytest.raises(WireError, match="car is dated after the year 9999") as caught:
            clock.observe(wild)
        assert "Set the clock" in caught.value.next_step
    assert clock.tick(0.0) == Hlc(7, 8, "phone")
    for edge in (Hlc(CAP_MS, COUNT_MAX, "car"), Hlc(0, 0, "car")):
        assert check(edge) is edge
    full = HlcClock("phone", last=Hlc(CAP_MS, COUNT_MAX, "car"))
    with pytest.raises(WireError, match="year 9999"):
        full.tick(0.0)


def test_a_clock_starts_where_it_is_told() -> None:
    assert HlcClock("phone").tick(-5.0) == Hlc(0, 1, "phone")
    assert HlcClock("phone").tick(2.5) == Hlc(2500, 0, "phone")
    assert HlcClock("phone", last=Hlc(3000, 4, "car")).tick(2.5) == Hlc(3000, 5, "phone")


def test_writes_of_one_clock_follow_each_other_without_a_restart() -> None:
    clock = HlcClock("phone")
    assert [clock.tick(2.5) for _ in range(3)] == [Hlc(2500, n, "phone") for n in range(3)]
    assert clock.tick(1.0) == Hlc(2500, 3, "phone")
    assert clock.tick(3.0) == Hlc(3000, 0, "phone")
    assert clock.tick(math.nan) == Hlc(3000, 1, "phone")
