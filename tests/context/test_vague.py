"""A fix that tells how unsure it is, and may lie where one was already, moves nobody."""

from __future__ import annotations

import pytest

from hearthway.context.events import StayEnded, TripStarted
from hearthway.context.life import Life
from hearthway.records.geo import offset
from hearthway.records.life import STAY_RADIUS_M
from hearthway.records.signals import Fix

HOME = (60.17, 24.94)
BEGAN_S = 1_790_000_000.0
NIGHT = [Fix(time_s=BEGAN_S + 300.0 * at, lat=HOME[0], lon=HOME[1]) for at in range(24)]
AFTER_S = NIGHT[-1].time_s + 60.0


def at_m(metres: float, time_s: float, accuracy_m: float | None) -> Fix:
    lat, lon = offset(*HOME, metres, 0.0)
    return Fix(time_s=time_s, lat=lat, lon=lon, accuracy_m=accuracy_m)


def at_home() -> Life:
    life = Life("ada")
    for fix in NIGHT:
        life.observe(fix)
    return life


@pytest.mark.parametrize(
    ("metres", "accuracy_m", "leaves"),
    [
        (600.0, 850.0, False),
        (600.0, 450.0, False),  # with the radius of the stay it may still be there
        (600.0, 350.0, True),
        (600.0, None, True),
        (600.0, 10.0, True),
        (150.0, 5.0, False),
        (STAY_RADIUS_M + 50.0, STAY_RADIUS_M, True),  # as sure as a stay is wide
        (5_000.0, 1_000.0, True),
    ],
)
def test_one_leaves_only_where_the_fix_cannot_lie_where_one_stays(
    metres: float, accuracy_m: float | None, leaves: bool
) -> None:
    life = at_home()
    kinds = {type(event) for event in life.observe(at_m(metres, AFTER_S, accuracy_m))}
    assert kinds == ({StayEnded, TripStarted} if leaves else set())


def test_a_night_with_such_fixes_is_the_night_without_them() -> None:
    life, plain = at_home(), at_home()
    for at in range(5):
        time_s = AFTER_S + 900.0 * at
        assert not life.observe(at_m(700.0, time_s, 900.0))
        sure = Fix(time_s=time_s + 30.0, lat=HOME[0], lon=HOME[1])
        assert life.observe(sure) == plain.observe(sure)
    assert life.state.dropped == 5
    life.state.dropped = 0
    assert life.dump() == plain.dump()


def test_on_the_way_it_adds_no_way_unless_it_lies_beyond_its_own_error() -> None:
    drive = [at_m(400.0 * at, AFTER_S + 30.0 * at, 8.0) for at in range(1, 11)]
    life = at_home()
    for fix in drive[:5]:
        life.observe(fix)
    way_m = life.state.track.length_m
    life.observe(at_m(2_600.0, drive[4].time_s + 5.0, 700.0))
    assert life.state.track.length_m == way_m
    for fix in drive[5:]:
        life.observe(fix)
    assert life.state.track.length_m == pytest.approx(3_600.0, abs=5.0)
    life.observe(at_m(9_000.0, drive[-1].time_s + 60.0, 700.0))
    assert life.state.track.length_m == pytest.approx(8_600.0, abs=5.0)
