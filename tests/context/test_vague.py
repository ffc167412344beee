"""A fix that tells how unsure it is, and may lie where one was already, moves nobody."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from hearthway.app.brain import feed
from hearthway.context.events import StayEnded, TripStarted
from hearthway.context.life import Life
from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.records.geo import offset
from hearthway.records.life import STAY_RADIUS_M
from hearthway.records.signals import Fix
from hearthway.sense.catalogue import CAR_POSITION, PHONE_POSITION

HOME = (60.17, 24.94)
BEGAN_S = 1_790_000_000.0
NIGHT = [Fix(time_s=BEGAN_S + 300.0 * at, lat=HOME[0], lon=HOME[1]) for at in range(24)]
AFTER_S = NIGHT[-1].time_s + 60.0


DAY_S = 86_400.0


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
        (600.0, 260.0, False),  # with the radius of the stay it may still be there
        (600.0, 240.0, True),
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
    life.state.dropped, life.state.unsure_s = 0, None
    assert life.dump() == plain.dump()


def test_on_the_way_it_adds_no_way_unless_it_lies_beyond_its_own_error() -> None:
    drive = [at_m(400.0 * at, AFTER_S + 30.0 * at, 8.0) for at in range(1, 11)]
    life = at_home()
    for fix in drive[:5]:
        life.observe(fix)
    way_m = life.state.track.length_m
    life.observe(at_m(3_000.0, drive[4].time_s + 5.0, 700.0))
    assert life.state.track.length_m == way_m
    for fix in drive[5:]:
        life.observe(fix)
    assert life.state.track.length_m == pytest.approx(3_600.0, abs=5.0)
    life.observe(at_m(9_000.0, drive[-1].time_s + 60.0, 700.0))
    assert life.state.track.length_m == pytest.approx(8_600.0, abs=5.0)


def test_an_accuracy_reaches_as_far_whoever_told_it() -> None:
    """A kept position does not say whether a phone or a car told it."""
    for prefix in (PHONE_POSITION, CAR_POSITION):
        life = at_home()
        assert not life.observe(at_m(600.0, AFTER_S, 300.0), prefix=prefix)


@pytest.mark.parametrize("accuracy_m", [250.0, 2_000.0])
def test_of_a_phone_that_tells_nothing_surer_the_life_is_what_it_would_be_without_a_word_of_it(
    accuracy_m: float,
) -> None:
    """Three days at home and at work 9 km off, a fix every five minutes."""
    told, plain = Life("ada"), Life("ada")
    for at in range(3 * 288):
        at_work = 96 <= at % 288 < 192
        fix = at_m(9_000.0 if at_work else 0.0, BEGAN_S + 300.0 * at, accuracy_m)
        assert told.observe(fix) == plain.observe(replace(fix, accuracy_m=None))
    assert told.state.dropped == 0
    assert told.state.stays >= 5


def test_who_has_told_nothing_surer_for_half_a_day_is_where_the_unsure_say() -> None:
    life = at_home()
    left_s = None
    for at in range(1, 400):
        if life.observe(at_m(1_500.0, NIGHT[-1].time_s + 300.0 * at, 2_000.0)):
            left_s = 300.0 * at
            break
    assert left_s is not None
    assert DAY_S / 2 < left_s <= DAY_S / 2 + 300.0


def test_a_recording_of_unsure_fixes_is_no_silence() -> None:
    """On a slow way on foot nothing surer came for half an hour: no stay is presumed where it broke off; in silence one is."""
    places = []
    for unsure in (True, False):
        life = at_home()
        life.observe(at_m(1_000.0, AFTER_S, 10.0))
        for at in range(1, 7):
            if unsure:
                life.observe(at_m(1_400.0, AFTER_S + 300.0 * at, 3_000.0))
        life.observe(at_m(3_000.0, AFTER_S + 2_000.0, 10.0))
        places.append(len(life.state.places))
    assert places[0] == places[1] - 2


def test_what_the_life_dropped_tells_of_no_deed() -> None:
    rules = Rules.parse(default_rules(), "the default")
    lives = Life("ada"), Life("ada")
    drive = [at_m(200.0 * at, AFTER_S + 15.0 * at, 8.0) for at in range(1, 30)]
    stands_s = drive[-1].time_s
    stands = [at_m(5_800.0, stands_s + 60.0 * at, 8.0) for at in range(1, 40)]
    unsure = at_m(6_500.0, stands_s + 30.0, 900.0)
    for life, extra in zip(lives, ([unsure], []), strict=True):
        for fix in [*NIGHT, *drive, *extra, *stands]:
            feed(life, fix, rules)
    assert lives[0].state.dropped == 1
    assert lives[0].state.deeds == lives[1].state.deeds
