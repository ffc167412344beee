"""Ways that lead back to where they began, for a stop too short for a stay: what they teach, and what is said meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from hearthway.context.destination import Posterior, either
from hearthway.context.halts import errand_of, was_for
from hearthway.context.life import Life
from hearthway.context.places import KnownPlace
from hearthway.context.prior import Departure, PastTrip
from hearthway.records.geo import distance_m, offset
from hearthway.records.life import Stay
from hearthway.records.localtime import DAY_S
from hearthway.records.signals import Fix

HOME = (60.17, 24.94)
MIDNIGHT = 1_768_168_800.0  # a Monday, in Helsinki
SCHOOL, TABLE, WORK = (2_500.0, 2_000.0), (2_200.0, -2_400.0), (9_000.0, 1_000.0)
Way = tuple[float, float]


class Days:
    """A life with a fix in 20 s on the way and one in four minutes at rest."""

    def __init__(self) -> None:
        self.life = Life("anna")
        self.now_s = MIDNIGHT
        self._at: Way = (0.0, 0.0)

    def stand(self, until_s: float) -> None:
        """Where one is."""
        while self.now_s < until_s:
            self._write(self._at)
            self.now_s += 240.0
        self.now_s = until_s

    def go(self, to: Way, part: float = 1.0) -> None:
        """Drive there, or a part of the way."""
        a, steps = self._at, 25
        for step in range(1, int(steps * part) + 1):
            self._at = a[0] + (to[0] - a[0]) * step / steps, a[1] + (to[1] - a[1]) * step / steps
            self._write(self._at)
            self.now_s += 20.0

    def errand(self, to: Way, day: int, hour: float, stop_s: float = 600.0) -> None:
        """There from home, a stop, and home again."""
        self.stand(MIDNIGHT + day * DAY_S + hour * 3600.0)
        self.go(to)
        self.stand(self.now_s + stop_s)
        self.go((0.0, 0.0))

    def weeks(self, count: int) -> None:
        """At noon to school and back on Mondays to Thursdays, out to a table on Fridays."""
        for day in range(7 * count):
            if day % 7 < 4:
                self.errand(SCHOOL, day, 12.0)
            if day % 7 == 4:
                self.errand(TABLE, day, 12.0, 3_600.0)
        self.stand(MIDNIGHT + 7 * count * DAY_S + 12.0 * 3600.0)

    def first(self) -> tuple[tuple[float, float], float]:
        """The likeliest end of this way, metres north and east of home, and its probability."""
        found = self.life.posterior()
        assert found is not None
        index, p = found.places[0]
        place = self.life.state.places[index]
        return (place.lat, place.lon), p

    def _write(self, at: Way) -> None:
        lat, lon = offset(*HOME, *at)
        self.life.observe(Fix(time_s=self.now_s, lat=lat, lon=lon))


@pytest.fixture(scope="module")
def month() -> bytes:
    """Four weeks of it, at noon of a Monday."""
    days = Days()
    days.weeks(4)
    return days.life.dump()


def begun(month: bytes) -> Days:
    days = Days()
    days.life = Life.load(month)
    days.now_s = MIDNIGHT + 28 * DAY_S + 12.0 * 3600.0
    return days


def near(point: tuple[float, float], at: Way) -> bool:
    return distance_m(*point, *offset(*HOME, *at)) < 150.0


def test_a_way_to_a_stop_and_back_is_two_legs_and_no_stay() -> None:
    days = Days()
    days.errand(SCHOOL, 0, 12.0)
    days.stand(days.now_s + 1_500.0)
    there, back = days.life.trips
    home, school = (days.life.state.places[i] for i in (there.origin, there.destination))
    assert near((school.lat, school.lon), SCHOOL)
    assert near((home.lat, home.lon), (0.0, 0.0))
    assert (back.origin, back.destination) == (school.index, home.index)
    assert (there.new, back.new) == (True, False)
    assert there.stops == back.stops == []
    assert there.depart_s + there.duration_s <= back.depart_s - 450.0
    assert back.depart_s - there.depart_s == pytest.approx(1_000.0, abs=60.0)
    assert there.length_m == pytest.approx(3_200.0, rel=0.1)
    assert back.length_m == pytest.approx(3_200.0, rel=0.1)
    assert [place.place_id for place in days.life.places()] == [f"p{home.index}"]
    assert (home.visits, school.visits) == (2, 0)  # nobody was seen to stay there
    assert len(school.began_q) == 1


@pytest.mark.parametrize("stop_s", [120.0, 600.0])
def test_a_way_without_such_a_stop_teaches_nothing(stop_s: float) -> None:
    days = Days()
    days.errand(SCHOOL, 0, 12.0, stop_s)
    days.stand(days.now_s + 3_600.0)
    assert len(days.life.trips) == (2 if stop_s > 240.0 else 0)


def test_a_stop_on_the_way_to_a_stay_is_no_errand() -> None:
    days = Days()
    days.stand(MIDNIGHT + 8.0 * 3600.0)
    days.go(SCHOOL)
    days.stand(days.now_s + 600.0)
    days.go(WORK)
    days.stand(days.now_s + 3_600.0)
    (trip,) = days.life.trips
    assert len(trip.stops) == 1
    assert len(days.life.state.places) == 2


def test_where_one_goes_for_a_stop_is_expected_and_not_the_table_of_that_hour(month: bytes) -> None:
    days = begun(month)
    days.go(SCHOOL, 0.1)
    point, p = days.first()
    assert near(point, SCHOOL)
    assert p > 0.7
    days = begun(month)
    days.now_s += 4 * DAY_S  # a Friday
    days.go(TABLE, 0.3)
    point, _ = days.first()
    assert near(point, TABLE)


def test_on_the_way_back_from_a_stop_home_is_expected(month: bytes) -> None:
    days = begun(month)
    days.go(SCHOOL)
    days.stand(days.now_s + 600.0)
    days.go((0.0, 0.0), 0.3)
    point, p = days.first()
    assert near(point, (0.0, 0.0))
    assert p > 0.7
    kept = days.life.dump()
    again = Life.load(kept)
    assert again.posterior() == days.life.posterior()
    assert again.dump() == kept
    days.go((0.0, 0.0))
    days.stand(days.now_s + 3_600.0)
    assert days.life.state.set_out is None


def leg(**changes: Any) -> PastTrip:
    facts: dict[str, Any] = {
        "origin": 0,
        "destination": 1,
        "depart_s": MIDNIGHT - DAY_S,
        "local_s": 43_200.0,
        "weekday": 6,
        "new": False,
        "length_m": 3_200.0,
        "duration_s": 400.0,
    }
    return PastTrip(**{**facts, **changes})


def halt(north_m: float, minutes: float, at_s: float = 0.0) -> Stay:
    lat, lon = offset(*HOME, north_m, 0.0)
    return Stay(start_s=at_s, end_s=at_s + 60.0 * minutes, lat=lat, lon=lon)


def test_it_was_for_the_longest_stop_that_is_a_trip_away() -> None:
    halts = [halt(400.0, 15.0), halt(2_000.0, 6.0), halt(3_000.0, 9.0)]
    assert errand_of(halts, HOME, HOME) is halts[2]
    assert errand_of(halts[:1], HOME, HOME) is None
    assert errand_of([], HOME) is None


def test_as_often_as_past_legs_ended_there_a_leg_was_for_a_stop() -> None:
    leaving = Departure(0, MIDNIGHT, 43_200.0, 0)
    at, spot = halt(3_000.0, 9.0), KnownPlace(index=1, lat=60.2, lon=24.94)
    went = [leg() for _ in range(8)]
    on = [leg(destination=2, stops=[(at.lat, at.lon, 540.0)]) for _ in range(8)]
    assert was_for([], leaving, at, None) == pytest.approx(0.1)
    assert was_for(went, leaving, at, spot) > 0.8
    assert was_for(on, leaving, at, spot) < 0.05
    assert was_for(went + on, leaving, at, spot) == pytest.approx(0.45, abs=0.05)
    others = [leg(origin=5) for _ in range(8)]
    assert was_for(others, leaving, at, spot) == pytest.approx(0.1)  # of other ways it says nothing


def test_either_adds_up() -> None:
    whole = Posterior(((3, 0.6), (4, 0.3)), 0.1)
    other = Posterior(((0, 0.9), (4, 0.05)), 0.05, 0.05)
    found = either(whole, other, 0.5)
    assert [index for index, _ in found.places] == [0, 3, 4]
    assert sum(p for _, p in found.places) + found.new == pytest.approx(1.0)
    assert found.planned == pytest.approx(0.025)
    assert either(whole, other, 0.0) == Posterior(((3, 0.6), (4, 0.3), (0, 0.0)), 0.1)
