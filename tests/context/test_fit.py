"""Where a map has roads, the route is held against them: across a river one is near, and a bridge away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest

from hearthway.context.destination import DestinationModel, Posterior
from hearthway.context.fit import KEPT, ByRoad, RouteFit
from hearthway.context.life import Life
from hearthway.context.places import KnownPlace
from hearthway.context.prior import Departure, PastTrip
from hearthway.context.routes import Track
from hearthway.records.geo import distance_m, offset
from hearthway.records.signals import Fix

Point = tuple[float, float]
AT = (60.20, 24.90)
HOME, ACROSS, ALONG = 0, 1, 2
LEAVING = Departure(HOME, 1e9, 30_000.0, 2)
BRIDGE_M = 9_000.0  # east of home; the river flows east, 300 m north of the road


def _at(north_m: float, east_m: float) -> Point:
    return offset(*AT, north_m, east_m)


class River:
    """Roads everywhere on both banks, and one bridge."""

    def __init__(self) -> None:
        self.asked: list[Point] = []
        self.edge_m = 20_000.0

    def road_m(self, lat: float, lon: float) -> float | None:
        return 0.0

    def ways_m(self, start: Point, ends: Sequence[Point]) -> list[float | None]:
        self.asked.append(start)
        return [self._way_m(start, end) for end in ends]

    def _way_m(self, start: Point, end: Point) -> float | None:
        if distance_m(*AT, *end) > self.edge_m:
            return None
        bank = AT[0] + 300.0 / 111_195.0
        if (start[0] < bank) == (end[0] < bank):
            return distance_m(*start, *end)
        bridge = _at(300.0, BRIDGE_M)
        return distance_m(*start, *bridge) + distance_m(*bridge, *end)


def _places() -> list[KnownPlace]:
    spots = (AT, _at(600.0, 4_000.0), _at(0.0, 6_500.0))
    return [
        KnownPlace(index=i, lat=lat, lon=lon, visits=10, last_s=1e9 - 86_400.0)
        for i, (lat, lon) in enumerate(spots)
    ]


def _trips() -> list[PastTrip]:
    """As often to each, on ways that were not kept."""
    return [
        PastTrip(
            origin=HOME,
            destination=ACROSS if day % 2 else ALONG,
            depart_s=1e9 - day * 86_400.0,
            local_s=30_000.0,
            weekday=day % 5,
            new=False,
            length_m=4_000.0,
            duration_s=400.0,
        )
        for day in range(20, 0, -1)
    ]


def _track(*points: Point) -> Track:
    track, time_s = Track(), 1e9
    for a, b in pairwise(points):
        for i in range(51):
            time_s += 5.0
            track.extend(time_s, a[0] + (b[0] - a[0]) * i / 50, a[1] + (b[1] - a[1]) * i / 50)
    return track


def _told(roads: River | None, *driven: Point) -> Posterior:
    model = DestinationModel(_trips(), roads=roads)
    return model.posterior(LEAVING, _places(), _track(*driven))


def _p(told: Posterior, place: int) -> float:
    return dict(told.places)[place]


def test_a_place_across_the_river_is_not_near() -> None:
    driven = AT, _at(0.0, 3_600.0)
    assert _p(_told(None, *driven), ACROSS) > 0.6  # by the bee-line one is nearly there
    assert _p(_told(River(), *driven), ACROSS) < 0.5


def test_towards_the_bridge_it_is_nearing_again() -> None:
    over = AT, _at(0.0, BRIDGE_M), _at(310.0, BRIDGE_M), _at(600.0, 7_000.0)
    assert _p(_told(River(), *over), ACROSS) > 0.9


def test_off_the_map_the_bee_line_is_as_good_as_before() -> None:
    driven = AT, _at(0.0, 3_600.0)
    roads = River()
    roads.edge_m = -1.0
    assert _told(roads, *driven) == _told(None, *driven)


def test_a_point_of_the_way_is_looked_up_once() -> None:
    roads = River()
    model = DestinationModel(_trips(), roads=roads)
    track, places = _track(AT, _at(0.0, 3_600.0)), _places()
    first = model.posterior(LEAVING, places, track)
    count = len(roads.asked)
    assert len(set(roads.asked)) == count
    assert model.posterior(LEAVING, places, track) == first
    assert len(roads.asked) == count


def test_what_is_kept_of_ways_is_bounded() -> None:
    roads = River()
    by_road, end = ByRoad(roads), _at(0.0, 6_500.0)
    for metres in range(2 * KEPT):
        by_road.metres(_at(0.0, float(metres)), [end])
    assert len(by_road._known) == KEPT
    assert by_road.metres(_at(0.0, 2.0 * KEPT - 1.0), [end])[end] == pytest.approx(
        6_500.0 - 2.0 * KEPT + 1.0, abs=1.0
    )
    assert len(roads.asked) == 2 * KEPT


def test_at_the_start_there_is_no_way_yet() -> None:
    track = Track()
    track.extend(1e9, *AT)
    places = dict(enumerate(_places()))
    assert RouteFit(track).by_road(ByRoad(River()), places) == {}
    assert RouteFit(_track(AT, _at(0.0, 500.0))).by_road(ByRoad(River()), {}) == {}


def _days() -> Iterator[Fix]:
    """Home and the place along the road, for a week."""
    time_s = 1_760_000_000.0
    ends = (AT, _at(0.0, 6_500.0))
    for leg in range(14):
        a, b = ends[leg % 2], ends[(leg + 1) % 2]
        for i in range(101):
            time_s += 6.0
            lat, lon = a[0] + (b[0] - a[0]) * i / 100, a[1] + (b[1] - a[1]) * i / 100
            yield Fix(time_s=time_s, lat=lat, lon=lon, accuracy_m=8.0)
        for _ in range(40):
            time_s += 1_000.0
            yield Fix(time_s=time_s, lat=b[0], lon=b[1], accuracy_m=8.0)


def test_what_is_learned_does_not_depend_on_the_ways_of_a_map() -> None:
    with_map, without = Life("p", roads=River()), Life("p", roads=_Pathless())
    for fix in _days():
        for life in (with_map, without):
            life.observe(fix)
            life.posterior()
    assert with_map.trips
    assert with_map.dump() == without.dump()


class _Pathless(River):
    """The same roads, none of which leads anywhere."""

    def ways_m(self, start: Point, ends: Sequence[Point]) -> list[float | None]:
        return [None for _ in ends]
