"""One point for a trip's end: where the probability is, beside the centre, and ahead where nothing is known."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.context.aim import Aim, _Atom, _mass, _Near, best_point
from hearthway.context.destination import Posterior
from hearthway.context.life import Life
from hearthway.context.past import PastLegs
from hearthway.context.places import KnownPlace
from hearthway.context.prior import Departure, PastTrip
from hearthway.context.routes import Track
from hearthway.records.geo import distance_m, offset
from hearthway.records.signals import Fix

START = (60.20, 24.90)
LEAVING = Departure(0, 1e9, 30_000.0, 2)
Spots = dict[str, tuple[float, float]]
Make = Callable[..., list[Fix]]


def _place(index: int, north_m: float, east_m: float) -> KnownPlace:
    lat, lon = offset(*START, north_m, east_m)
    return KnownPlace(index=index, lat=lat, lon=lon, visits=3)


def _way(north_m: float, east_m: float, steps: int = 20) -> Track:
    track = Track()
    for i in range(steps + 1):
        track.extend(1e9 + i, *offset(*START, north_m * i / steps, east_m * i / steps))
    return track


def _aim(
    posterior: Posterior,
    places: list[KnownPlace],
    track: Track,
    trips: list[PastTrip] | None = None,
) -> Aim:
    aim = best_point(posterior, places, PastLegs(trips or []), track, LEAVING)
    assert aim is not None
    return aim


def test_without_a_position_there_is_no_point() -> None:
    posterior = Posterior(((0, 0.5),), 0.5)
    assert best_point(posterior, [_place(0, 0, 0)], PastLegs([]), Track(), LEAVING) is None


def test_a_life_that_stays_aims_nowhere(six_weeks: list[Fix]) -> None:
    life = Life("ada")
    assert life.aim() is None
    for fix in six_weeks[:500]:
        life.observe(fix)
    assert life.state.here is None or life.aim() is None


def test_two_halves_of_a_place_outweigh_one_other() -> None:
    places = [_place(0, 0, 0), _place(1, 5_000, 0), _place(2, 5_000, 160), _place(3, -5_000, 0)]
    posterior = Posterior(((3, 0.4), (1, 0.3), (2, 0.3)), 0.0)
    aim = _aim(posterior, places, _way(100, 0))
    assert aim.place in (1, 2)
    assert aim.p > 0.45
    for index in (1, 2):
        assert distance_m(aim.lat, aim.lon, places[index].lat, places[index].lon) < 250.0


def test_where_the_logger_writes_seldom_trips_end_before_the_place() -> None:
    places = [_place(0, 0, 0), _place(1, 6_000, 0)]
    end = offset(*START, 5_200, 0)
    trips = [
        PastTrip(
            origin=0,
            destination=1,
            depart_s=1e9 - day * 86_400.0,
            local_s=30_000.0,
            weekday=2,
            new=False,
            length_m=5_200.0,
            duration_s=500.0,
            end=end,
        )
        for day in range(9, 0, -1)
    ]
    aim = _aim(Posterior(((1, 0.95),), 0.05), places, _way(2_000, 0), trips)
    assert aim.place == 1
    assert distance_m(aim.lat, aim.lon, *end) < 250.0


def test_somewhere_new_lies_ahead() -> None:
    places = [_place(0, 0, 0), _place(1, -9_000, 0)]
    aim = _aim(Posterior(((1, 0.02),), 0.98), places, _way(0, 700))
    assert aim.place is None
    here = offset(*START, 0, 700)
    assert 0.05 < aim.p < 0.9
    assert distance_m(aim.lat, aim.lon, *here) < 800.0
    assert aim.lon > here[1] - 1e-4


def test_across_the_date_line() -> None:
    track = Track()
    for i in range(12):
        track.extend(1e9 + i, 0.0, 179.99 + i * 0.0005)
    goal = KnownPlace(index=0, lat=0.0, lon=-179.97, visits=3)
    aim = best_point(
        Posterior(((0, 0.9),), 0.1), [goal], PastLegs([]), track, Departure(None, 1e9, 0.0, 2)
    )
    assert aim is not None
    assert distance_m(aim.lat, aim.lon, goal.lat, goal.lon) < 300.0


def test_halfway_to_work_the_point_is_at_work(
    six_weeks: list[Fix], make_drive: Make, spots: Spots
) -> None:
    life = Life("ada")
    for fix in six_weeks:
        life.observe(fix)
    last = six_weeks[-1].time_s
    monday_8 = last - last % 86_400.0 + 86_400.0 + 6 * 3600.0
    way = make_drive(monday_8, spots["home"], spots["work"])
    for fix in way[: len(way) // 2]:
        life.observe(fix)
    aim = life.aim()
    assert aim is not None
    assert distance_m(aim.lat, aim.lon, *spots["work"]) < 300.0
    assert aim.p > 0.6
    assert Life.load(life.dump()).aim() == aim


_METRES = st.floats(-30_000, 30_000)


@settings(max_examples=60, deadline=None)
@given(
    spots=st.lists(st.tuples(_METRES, _METRES), min_size=1, max_size=6),
    weights=st.lists(st.floats(0.01, 1.0), min_size=7, max_size=7),
    gone=st.tuples(_METRES, _METRES),
)
def test_a_point_is_a_probability(
    spots: list[tuple[float, float]], weights: list[float], gone: tuple[float, float]
) -> None:
    places = [_place(i, *spot) for i, spot in enumerate(spots)]
    total = sum(weights[: len(spots) + 1])
    shares = [(i, weights[i] / total) for i in range(len(spots))]
    ranked = tuple(sorted(shares, key=lambda pair: (-pair[1], pair[0])))
    aim = _aim(Posterior(ranked, weights[len(spots)] / total), places, _way(*gone))
    assert 0.0 < aim.p <= 1.0
    assert -90.0 <= aim.lat <= 90.0
    assert -180.0 <= aim.lon < 180.0


@given(
    st.lists(st.tuples(*[st.floats(-3_000.0, 3_000.0)] * 2, st.floats(0.0, 1.0)), max_size=40),
    *[st.floats(-3_000.0, 3_000.0)] * 2,
)
def test_only_what_is_near_counts_and_all_of_it(
    atoms: list[tuple[float, float, float]], x: float, y: float
) -> None:
    cloud = [_Atom(east, north, weight, None) for east, north, weight in atoms]
    assert _mass(_Near(cloud).about(x, y), x, y) == _mass(cloud, x, y)
