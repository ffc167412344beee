"""Stops that are made again and again on a way, and those that are none."""

from __future__ import annotations

from typing import Any

import pytest

from hearthway.context.halts import HALT_MIN_S, Stop, is_stop, stop_of, to_come, usual_stop
from hearthway.context.life import Life
from hearthway.context.prior import Departure, PastTrip
from hearthway.context.routes import Track
from hearthway.records.geo import offset
from hearthway.records.life import STAY_MIN_S, Stay
from hearthway.records.signals import Fix

WORK = (60.17, 24.94)
NOW = 1_768_230_000.0
LEAVING = Departure(0, NOW, 61_200.0, 0)


def stop(north_m: float = 4_000.0, east_m: float = 3_000.0, seconds: float = 480.0) -> Stop:
    return (*offset(*WORK, north_m, east_m), seconds)


def leg(*stops: Stop, **changes: Any) -> PastTrip:
    facts: dict[str, Any] = {
        "origin": 0,
        "destination": 1,
        "depart_s": NOW - 86_400.0,
        "local_s": 61_000.0,
        "weekday": 4,
        "new": False,
        "length_m": 9_000.0,
        "duration_s": 1500.0,
        "stops": list(stops),
    }
    return PastTrip(**{**facts, **changes})


def way(*points: tuple[float, float]) -> Track:
    """Where one has been, metres north and east of work."""
    track = Track()
    for at, point in enumerate(points):
        track.extend(NOW + 60.0 * at, *offset(*WORK, *point))
    return track


def test_most_of_the_latest_like_legs_made_it() -> None:
    legs = [leg(stop(seconds=420.0)), leg(), leg(stop(4_050.0)), leg(stop(seconds=600.0))]
    found = usual_stop(legs, LEAVING, 1)
    assert found is not None
    assert (found.times, found.of, found.seconds) == (3, 4, 480.0)
    assert usual_stop(legs[:3], LEAVING, 1) is None  # twice is no habit
    assert usual_stop([*legs, leg(), leg()], LEAVING, 1) is None  # nor every other day
    assert usual_stop(legs, LEAVING, 2) is None  # on the way elsewhere


@pytest.mark.parametrize(
    "unlike", [{"weekday": 6}, {"local_s": 30_000.0}, {"origin": 5}, {"destination": 7}]
)
def test_other_ways_days_and_hours_tell_nothing(unlike: dict[str, Any]) -> None:
    assert usual_stop([leg(stop(), **unlike)] * 4, LEAVING, 1) is None
    assert usual_stop([leg(stop())] * 4, LEAVING, 1) is not None


def test_it_lies_behind_once_made_and_when_the_way_leads_elsewhere() -> None:
    usual = usual_stop([leg(stop())] * 4, LEAVING, 1)
    assert to_come(usual, [stop(4_080.0)], Track()) is None
    assert to_come(usual, [stop(400.0)], Track()) is not None  # another stop
    assert to_come(usual, [], way((0, 0), (1_500, 900))) is not None
    assert to_come(usual, [], way((0, 0), (2_500, -2_500))) is None


@pytest.mark.parametrize(
    ("start_s", "seconds", "is_one"),
    [
        (60.0, HALT_MIN_S, True),
        (60.0, 120.0, False),  # of two minutes
        (60.0, STAY_MIN_S, False),  # a stay is a place
        (-60.0, 480.0, False),  # the end of where one comes from
    ],
)
def test_what_is_a_stop(start_s: float, seconds: float, is_one: bool) -> None:
    halt = Stay(start_s=NOW + start_s, end_s=NOW + start_s + seconds, lat=60.0, lon=25.0)
    assert is_stop(halt, NOW) is is_one
    assert not is_stop(halt, None)
    assert stop_of(halt) == (60.0, 25.0, seconds)


def driven(days: int) -> Life:
    """An hour at work, nine minutes at a stop, an hour at home, and back: a fix in 20 s."""
    life, time_s = Life("anna"), NOW
    home = (9_000.0, 0.0)

    def stand(at: tuple[float, float], seconds: float) -> None:
        nonlocal time_s
        for _ in range(int(seconds / 20.0)):
            life.observe(Fix(time_s=time_s, lat=offset(*WORK, *at)[0], lon=offset(*WORK, *at)[1]))
            time_s += 20.0

    def move(a: tuple[float, float], b: tuple[float, float]) -> None:
        for step in range(1, 25):
            stand((a[0] + (b[0] - a[0]) * step / 25, a[1] + (b[1] - a[1]) * step / 25), 20.0)

    for _ in range(days):
        for here, there in (((0.0, 0.0), home), (home, (0.0, 0.0))):
            stand(here, 3600.0)
            move(here, (4_000.0, 3_000.0))
            stand((4_000.0, 3_000.0), 540.0)
            move((4_000.0, 3_000.0), there)
    stand((0.0, 0.0), 3600.0)
    return life


def test_a_life_learns_them_of_each_leg_and_a_kept_state_goes_on() -> None:
    life = driven(3)
    assert len(life.places()) == 2
    assert [len(trip.stops) for trip in life.trips] == [1] * 6
    assert all(abs(trip.stops[0][2] - 540.0) < 60.0 for trip in life.trips)
    assert life.state.halts == []
    again = Life.load(life.dump())
    assert again.dump() == life.dump()
