"""Coming near a place tells less of whoever has often come as near and gone on."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.context.ways import Points, way

from hearthway.context.destination import DestinationModel, Posterior
from hearthway.context.passing import Passing
from hearthway.context.places import KnownPlace
from hearthway.context.prior import Departure, PastTrip
from hearthway.context.routes import Follower, Track
from hearthway.records.geo import offset

DEPOT, HOME, FAR = 0, 1, 2
AT = (60.20, 24.90)
LEAVING = Departure(DEPOT, 1e9, 30_000.0, 2)


def _at(north_m: float, east_m: float) -> tuple[float, float]:
    return offset(*AT, north_m, east_m)


def _leg(destination: int, day: int, path: Points) -> PastTrip:
    return PastTrip(
        origin=DEPOT,
        destination=destination,
        depart_s=1e9 - day * 86_400.0,
        local_s=30_000.0,
        weekday=day % 5,
        new=False,
        length_m=3_000.0,
        duration_s=400.0,
        path=path,
    )


def _life(past_home: bool) -> tuple[list[KnownPlace], list[PastTrip]]:
    """Half of the legs lead home, the others to doors of which each is another; their way leads past home, or does not."""
    home = _at(0.0, 3_000.0)
    doors = [_at(400.0 * (i % 5 - 2), 5_000.0 + 150.0 * i) for i in range(10)]
    spots = [AT, home, *doors]
    places = [
        KnownPlace(index=i, lat=lat, lon=lon, visits=10 if i < FAR else 1, last_s=1e9 - 86_400.0)
        for i, (lat, lon) in enumerate(spots)
    ]
    aside = _at(150.0, 2_500.0) if past_home else _at(2_500.0, 2_500.0)
    trips = []
    for day in range(20, 0, -1):
        if day % 2:
            trips.append(_leg(HOME, day, way([AT, home])))
        else:
            door = FAR + day // 2 - 1
            trips.append(_leg(door, day, way([AT, aside, spots[door]])))
    return places, trips


def _told(past_home: bool, driven: Points) -> Posterior:
    places, trips = _life(past_home)
    model = DestinationModel(trips)
    track, follower = Track(), Follower(model.index)
    for at, point in enumerate(way(driven)):
        if track.extend(1e9 + 5.0 * at, *point):
            follower.step(*point)
    return model.posterior(LEAVING, places, track, follower)


def test_near_home_on_a_road_never_taken_says_less_to_who_often_drives_past() -> None:
    """From the south: no past leg took this road, so only nearness tells, and what it told before."""
    driven = [_at(-3_000.0, 1_500.0), _at(-300.0, 2_700.0)]
    often = dict(_told(True, driven).places)[HOME]
    never = dict(_told(False, driven).places)[HOME]
    assert never > 0.6
    assert often < never - 0.1


def test_nothing_is_taken_from_a_place_to_which_no_leg_led() -> None:
    """On the road past it the streets speak for the others alone, so what it comes near is all that speaks for it."""
    driven = [AT, _at(0.0, 2_700.0)]
    places, trips = _life(True)
    unseen = [trip for trip in trips if trip.destination != HOME]

    def odds(passing: float) -> float:
        """Of home against somewhere new, of which passing tells nothing."""
        model = DestinationModel(list(unseen))
        model.tuning = replace(model.tuning, passing=passing)
        track, follower = Track(), Follower(model.index)
        for at, point in enumerate(way(driven)):
            if track.extend(1e9 + 5.0 * at, *point):
                follower.step(*point)
        told = model.posterior(LEAVING, places, track, follower)
        return dict(told.places)[HOME] / told.new

    assert odds(2.0) == pytest.approx(
        odds(1e9)
    )  # however firmly one holds to what is so of most lives


def test_the_votes_of_legs_that_came_as_near() -> None:
    places, trips = _life(True)
    votes = [1.0] * len(trips)
    passed = Passing(trips).by(places[HOME], HOME, votes)
    assert passed.all == 10.0  # the ten that led home say nothing of driving past it
    assert passed.within(15.0) == 0.0
    assert passed.within(800.0) == 10.0
    assert Passing([]).by(places[HOME], HOME, []).all == 0.0


def test_a_leg_whose_way_is_kept_no_more_says_nothing() -> None:
    places, trips = _life(True)
    passing, votes = Passing(trips), [1.0] * len(trips)
    assert passing.by(places[HOME], HOME, votes).all == 10.0
    for trip in trips[:10]:
        trip.path = []
    assert passing.by(places[HOME], HOME, [*votes]).all == 5.0


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.floats(0.0, 3_000.0), st.floats(-2_000.0, 2_000.0)), max_size=8))
def test_what_was_kept_is_what_would_be_found_anew(ends: list[tuple[float, float]]) -> None:
    """Legs come one by one, and each is asked about in between: as if all had been there from the start."""
    places, trips = _life(True)
    kept = Passing(trips)
    for day, (north_m, east_m) in enumerate(ends):
        kept.by(places[HOME], HOME, [1.0] * len(trips))
        trips.append(_leg(FAR, -day, way([AT, _at(north_m, east_m)])))
        votes = [0.5 + at for at in range(len(trips))]
        assert kept.by(places[HOME], HOME, votes) == Passing(trips).by(places[HOME], HOME, votes)
        metres = [100.0 * n for n in range(60)]
        told = [kept.by(places[HOME], HOME, votes).within(one) for one in metres]
        assert told == sorted(told)
