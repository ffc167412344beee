"""Turning, braking and stop-and-go from fixes of any rate, and nothing where they do not tell."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import cos, isfinite, pi, sin

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.context.life import Life
from hearthway.context.manoeuvre import manoeuvre_of
from hearthway.context.state import Moment
from hearthway.records.geo import offset
from hearthway.records.signals import Fix
from hearthway.records.situation import Manoeuvre

HERE = (60.2, 24.9)
Way = Callable[[float], tuple[float, float]]  # metres north and east after so many seconds


def _moments(
    way: Way,
    until_s: float,
    every_s: float,
    mps: Callable[[float], float | None],
    accuracy_m: float | None = 0.5,
) -> list[Moment]:
    """Fixes whose speed is told, where it is known."""
    out = []
    for i in range(int(until_s / every_s) + 1):
        at_s = i * every_s
        told = mps(at_s)
        spot = offset(*HERE, *way(at_s))
        out.append(Moment(at_s, *spot, told, accuracy_m, told is not None))
    return out


def _circle(radius_m: float, mps: float) -> Way:
    return lambda s: (radius_m * sin(mps * s / radius_m), radius_m * cos(mps * s / radius_m))


def _told(recent: list[Moment]) -> Manoeuvre:
    found = manoeuvre_of(recent, recent[-1].time_s)
    assert found is not None
    return found


@pytest.mark.parametrize("every_s", [1.0, 2.0, 5.0])
@pytest.mark.parametrize(("radius_m", "mps"), [(30.0, 6.0), (80.0, 10.0), (400.0, 20.0)])
def test_a_bend_is_speed_squared_over_its_radius(
    every_s: float, radius_m: float, mps: float
) -> None:
    found = _told(_moments(_circle(radius_m, mps), 30.0, every_s, lambda _: mps))
    assert found.lateral_mps2 == pytest.approx(mps**2 / radius_m, rel=0.15)
    assert found.braking_mps2 == 0.0
    assert found.uneven_mps == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("every_s", [1.0, 2.0, 5.0])
def test_a_straight_is_none_and_slowing_down_is_braking(every_s: float) -> None:
    def straight(s: float) -> tuple[float, float]:
        return (12.0 * s, 3.0 * s)

    calm = _told(_moments(straight, 30.0, every_s, lambda _: 12.0))
    assert calm.lateral_mps2 == pytest.approx(0.0, abs=0.05)
    assert calm.braking_mps2 == 0.0
    firm = _told(_moments(straight, 30.0, every_s, lambda s: 12.0 - 2.0 * max(0.0, s - 25.0)))
    assert firm.braking_mps2 == pytest.approx(2.0, rel=0.05)
    faster = _told(_moments(straight, 30.0, every_s, lambda s: 2.0 + 0.4 * s))
    assert faster.braking_mps2 == 0.0


def test_what_an_error_explains_is_no_turn_and_no_braking() -> None:
    def turned(accuracy_m: float | None) -> float:
        found = _told(_moments(_circle(30.0, 6.0), 30.0, 5.0, lambda _: 6.0, accuracy_m))
        assert found.lateral_mps2 is not None
        return found.lateral_mps2

    figures = [turned(accuracy_m) for accuracy_m in (0.5, 5.0, 15.0, 60.0)]
    assert figures == sorted(figures, reverse=True)
    assert figures[-1] == 0.0 < figures[1]
    assert turned(None) == turned(5.0)
    implied = [Moment(t, *HERE, mps, 15.0) for t, mps in ((0.0, 12.0), (4.0, 10.0))]
    assert _told(implied).braking_mps2 == pytest.approx((2.0 - 10.0 * 2**0.5 / 8.0) / 4.0, abs=0.01)
    mixed = [Moment(0.0, *HERE, 12.0, 5.0, True), Moment(4.0, *HERE, 2.0, 5.0, False)]
    assert manoeuvre_of(mixed, 4.0) is None
    alike = [Moment(0.0, *HERE, 12.0, 5.0, True), Moment(4.0, *HERE, 2.0, 5.0, True)]
    assert _told(alike).braking_mps2 == 2.5


def test_a_stored_moment_of_before_has_no_accuracy(six_weeks: list[Fix]) -> None:
    life = Life("ada")
    for fix in six_weeks[:50]:
        life.observe(fix)
    old = msgspec.msgpack.decode(life.dump())
    old["recent"] = [moment[:4] for moment in old["recent"]]
    again = Life.load(msgspec.msgpack.encode(old))
    assert [m.lat for m in again.state.recent] == [m.lat for m in life.state.recent]
    assert not any(m.told for m in again.state.recent)


def test_stop_and_go_is_uneven() -> None:
    found = _told(_moments(lambda s: (5.0 * s, 0.0), 60.0, 2.0, lambda s: 10.0 * (s % 20.0 < 10.0)))
    assert found.uneven_mps == pytest.approx(5.0, abs=0.3)


def test_what_is_old_or_rare_tells_nothing() -> None:
    recent = _moments(_circle(30.0, 6.0), 30.0, 1.0, lambda _: 6.0)
    assert manoeuvre_of(recent, recent[-1].time_s + 6.5) is None
    assert manoeuvre_of([], 0.0) is None
    assert manoeuvre_of(recent[:1], 0.0) is None
    assert manoeuvre_of(_moments(_circle(30.0, 6.0), 180.0, 30.0, lambda _: None), 180.0) is None
    unknown = _told(_moments(_circle(30.0, 6.0), 30.0, 1.0, lambda _: None))
    assert (unknown.braking_mps2, unknown.uneven_mps) == (None, None)
    assert unknown.lateral_mps2 is not None


def test_standing_still_with_jitter_is_no_turn() -> None:
    pick = random.Random(1)
    recent = _moments(
        lambda _: (pick.gauss(0, 3), pick.gauss(0, 3)), 60.0, 1.0, lambda _: 0.0, None
    )
    found = _told(recent)
    assert (found.lateral_mps2 or 0.0) < 0.9


def test_the_error_of_a_phone_makes_few_turns() -> None:
    """A straight at 12 m/s, 5 m of error each way: seldom what forbids a word."""
    pick = random.Random(2)
    recent = _moments(
        lambda s: (12.0 * s + pick.gauss(0, 5), pick.gauss(0, 5)), 600.0, 1.0, lambda _: 12.0, 7.5
    )
    seen = [_told(recent[max(0, i - 60) : i + 1]).lateral_mps2 or 0.0 for i in range(60, 600)]
    assert sum(one > 1.2 for one in seen) / len(seen) < 0.06


@given(
    st.lists(
        st.tuples(
            st.floats(0.01, 30.0),
            st.floats(-400.0, 400.0),
            st.floats(-400.0, 400.0),
            st.none() | st.floats(0.0, 80.0),
        ),
        max_size=40,
    ),
    st.floats(0.0, 20.0),
)
def test_any_fixes_give_finite_figures(
    steps: list[tuple[float, float, float, float | None]], later_s: float
) -> None:
    recent: list[Moment] = []
    time_s, north, east = 0.0, 0.0, 0.0
    for gap_s, dn, de, mps in steps:
        time_s, north, east = time_s + gap_s, north + dn, east + de
        recent.append(Moment(time_s, *offset(*HERE, north, east), mps, None, mps is not None))
    found = manoeuvre_of(recent, time_s + later_s)
    if found is not None:
        for figure in (found.lateral_mps2, found.braking_mps2, found.uneven_mps):
            assert figure is None or (isfinite(figure) and figure >= 0.0)


def test_a_roundabout_shows_in_the_situation_and_is_over_after_it() -> None:
    """Straight on, three quarters round 15 m of radius, straight on: 5 m/s in it, 12 outside; a fix a second."""
    life, time_s, north, east, heading = Life("ada"), 1_749_650_400.0, 0.0, 0.0, 0.0
    seen: dict[str, list[float]] = {"before": [], "in": [], "after": []}
    for part, mps, seconds, turn in (
        ("before", 12.0, 60, 0.0),
        ("in", 5.0, 14, 1.5 * pi / 14),
        ("after", 12.0, 60, 0.0),
    ):
        for second in range(seconds):
            heading += turn
            time_s, north, east = (
                time_s + 1.0,
                north + mps * cos(heading),
                east + mps * sin(heading),
            )
            lat, lon = offset(*HERE, north, east)
            life.observe(Fix(time_s=time_s, lat=lat, lon=lon, speed_mps=mps, accuracy_m=3.0))
            situation = life.situation(time_s)
            if second >= 15 or part == "in":
                assert isinstance(situation.manoeuvre, Manoeuvre)
                seen[part].append(situation.manoeuvre.lateral_mps2 or 0.0)
    assert max(seen["before"]) < 0.1
    assert max(seen["in"]) > 1.2
    assert max(seen["after"]) < 0.1


def test_who_stays_makes_none(six_weeks: list[Fix]) -> None:
    life = Life("ada")
    for fix in six_weeks[:400]:
        life.observe(fix)
        if life.state.here is not None:
            assert not isinstance(life.situation(fix.time_s).manoeuvre, Manoeuvre)
