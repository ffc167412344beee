"""Two known places on one road: the usual way to both tells nothing between them until the ways part."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.context.ways import Points, way

from hearthway.context.destination import DestinationModel, Posterior, _shared
from hearthway.context.places import KnownPlace
from hearthway.context.prior import Departure, PastTrip
from hearthway.context.routes import Follower, Track
from hearthway.records.geo import offset

HOME = (60.20, 24.90)
NEAR, FAR = 1, 2
LEAVING = Departure(0, 1e9, 30_000.0, 2)


def _east(metres: float) -> tuple[float, float]:
    return offset(*HOME, 0.0, metres)


def _trip(destination: int, day: int, path: Points) -> PastTrip:
    return PastTrip(
        origin=0,
        destination=destination,
        depart_s=1e9 - day * 86_400.0,
        local_s=30_000.0,
        weekday=day % 5,
        new=False,
        length_m=3_000.0,
        duration_s=400.0,
        path=path,
    )


def _told(
    near: tuple[float, float], far: tuple[float, float], ways: tuple[Points, Points], driven: Points
) -> Posterior:
    """Home, and two places, each driven to ten times; then `driven`."""
    spots = (HOME, near, far)
    places = [
        KnownPlace(index=i, lat=lat, lon=lon, visits=10, last_s=1e9 - 86_400.0)
        for i, (lat, lon) in enumerate(spots)
    ]
    trips = [_trip(1 + day % 2, 20 - day, ways[day % 2]) for day in range(20)]
    model = DestinationModel(trips)
    track, follower = Track(), Follower(model.index)
    for at, point in enumerate(way(driven)):
        if track.extend(1e9 + 5.0 * at, *point):
            follower.step(*point)
    return model.posterior(LEAVING, places, track, follower)


def _p(told: Posterior, place: int) -> float:
    return dict(told.places)[place]


STRAIGHT = (way([HOME, _east(3_000)]), way([HOME, _east(6_000)]))


def test_on_the_road_to_both_passing_the_nearer_one_does_not_make_it_the_end() -> None:
    told = _told(_east(3_000), _east(6_000), STRAIGHT, [HOME, _east(2_700)])
    assert 0.3 < _p(told, NEAR) < 0.7
    unknown: tuple[Points, Points] = ([], [])
    by_bee_line = _told(_east(3_000), _east(6_000), unknown, [HOME, _east(2_700)])
    assert _p(by_bee_line, NEAR) > 0.8  # the same drive, where no own way is known


def test_behind_the_nearer_one_it_is_the_farther_one() -> None:
    told = _told(_east(3_000), _east(6_000), STRAIGHT, [HOME, _east(4_500)])
    assert _p(told, FAR) > 0.85


def test_where_the_ways_part_they_are_told_apart() -> None:
    north = offset(*_east(1_000), 3_000.0, 0.0)
    ways = (way([HOME, _east(3_000)]), way([HOME, _east(1_000), north]))
    before = _told(_east(3_000), north, ways, [HOME, _east(950)])
    assert 0.3 < _p(before, NEAR) < 0.7
    assert _p(_told(_east(3_000), north, ways, [HOME, _east(2_500)]), NEAR) > 0.9
    turned = [HOME, _east(1_000), offset(*_east(1_000), 1_500.0, 0.0)]
    assert _p(_told(_east(3_000), north, ways, turned), FAR) > 0.9


def test_many_trips_do_not_keep_a_way_that_parted() -> None:
    """Forty past trips straight on, two by the branch; 700 m up the branch, of which the crossing was 1.5 km behind home."""
    corner, straight = _east(1_500), _east(4_000)
    branch = offset(*corner, 2_000.0, 0.0)
    ways = (way([HOME, straight]), way([HOME, corner, branch]))
    spots = (HOME, straight, branch)
    places = [
        KnownPlace(index=i, lat=lat, lon=lon, visits=visits, last_s=1e9 - 86_400.0)
        for i, ((lat, lon), visits) in enumerate(zip(spots, (42, 40, 2), strict=True))
    ]
    trips = [_trip(1 if day % 21 else 2, 43 - day, ways[0 if day % 21 else 1]) for day in range(42)]
    model = DestinationModel(trips)

    def sure(driven: Points) -> dict[int, float]:
        track, follower = Track(), Follower(model.index)
        for at, point in enumerate(way(driven)):
            if track.extend(1e9 + 5.0 * at, *point):
                follower.step(*point)
        told = model._follow(follower, model._prior(LEAVING, places, (), None))
        return {place: one.own_way for place, one in told.items()}

    together = sure([HOME, _east(1_400)])
    assert min(together[1], together[2]) > 0.8
    parted = sure([HOME, corner, offset(*corner, 700.0, 0.0)])
    assert parted[2] > 0.8
    assert parted[1] < 0.6


def test_a_road_that_bends_away_is_still_the_way_there() -> None:
    """The usual way to the farther one leads past the nearer one first, out of its bee-line."""
    corner, far = _east(3_500), offset(*HOME, 3_500.0, 500.0)
    ways = (way([HOME, _east(3_000)]), way([HOME, corner, offset(*corner, 3_500.0, 0.0), far]))
    told = _told(_east(3_000), far, ways, [HOME, _east(2_700)])
    assert 0.3 < _p(told, NEAR) < 0.7


Fits = st.lists(st.tuples(st.floats(-9.0, 9.0), st.floats(0.0, 0.99)), min_size=1, max_size=6).map(
    lambda pairs: ({i: f for i, (f, _) in enumerate(pairs)}, dict(enumerate(p for _, p in pairs)))
)


@settings(deadline=None)
@given(Fits, st.floats(-50.0, 50.0))
def test_sharing_moves_nothing_out_of_the_range_and_knows_no_scale(
    pair: tuple[dict[int, float], dict[int, float]], more: float
) -> None:
    fit, own_way = pair
    shared = _shared(fit, own_way)
    assert all(
        min(fit.values()) - 1e-9 <= one <= max(fit.values()) + 1e-9 for one in shared.values()
    )
    moved = _shared({place: one + more for place, one in fit.items()}, own_way)
    assert moved == pytest.approx({place: one + more for place, one in shared.items()})
    for place, own in own_way.items():
        if own == 0.0:
            assert shared[place] == fit[place]


def test_what_the_streets_say_is_kept_until_more_is_driven_and_is_what_it_would_be_anew() -> None:
    """Asked at each fix, with a fresh model beside it; and the model with other constants hears nothing of what was kept."""
    spots = (HOME, _east(3_000), _east(6_000))
    places = [
        KnownPlace(index=i, lat=lat, lon=lon, visits=10, last_s=1e9 - 86_400.0)
        for i, (lat, lon) in enumerate(spots)
    ]
    trips = [_trip(1 + day % 2, 20 - day, STRAIGHT[day % 2]) for day in range(20)]
    model = DestinationModel(trips)
    track, follower = Track(), Follower(model.index)
    deaf = replace(model.tuning, following=0.0)
    for at, point in enumerate(way([HOME, _east(2_000)], step_m=30.0)):
        if track.extend(1e9 + 5.0 * at, *point):
            follower.step(*point)
        fresh = DestinationModel(trips)
        assert model.posterior(LEAVING, places, track, follower) == fresh.posterior(
            LEAVING, places, track, follower
        )
        other = DestinationModel(trips, tuning=deaf)
        assert model.like(tuning=deaf).posterior(
            LEAVING, places, track, follower
        ) == other.posterior(LEAVING, places, track, follower)
