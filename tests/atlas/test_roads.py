"""Routes and detours against a brute force on small random road networks, and by hand."""

from __future__ import annotations

from itertools import pairwise
from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.atlas import graph
from hearthway.atlas.columns import DTYPES, checked, columns
from hearthway.atlas.extract import Extract, RawRoads
from hearthway.atlas.roads import RoadNetwork
from hearthway.atlas.streets import bee_line_s
from hearthway.records.errors import InputError
from hearthway.records.geo import distance_m
from hearthway.records.poi import Route

STEP = 20_000  # 1e-7 degrees: 0.002 degrees, about 220 m
Way = tuple[list[int], int, bool, bool]  # node ids, tenths of km/h, forward, backward
Point = tuple[float, float]


def node_point(node: int, side: int) -> Point:
    return (47.0 + (node // side) * STEP * 1e-7, 9.0 + (node % side) * STEP * 1e-7)


def extract_of(ways: list[Way], side: int, blocked: tuple[int, ...] = ()) -> Extract:
    ids = np.arange(side * side, dtype=np.int64)
    lat = np.round(470_000_000 + (ids // side) * STEP).astype(np.int64)
    lon = np.round(90_000_000 + (ids % side) * STEP).astype(np.int64)
    roads = RawRoads(
        np.array([ref for way in ways for ref in way[0]], dtype=np.int64),
        np.cumsum([0, *(len(way[0]) for way in ways)]).astype(np.int64),
        np.array([way[1] for way in ways], dtype=np.int64),
        np.array([way[2] for way in ways], dtype=np.bool_),
        np.array([way[3] for way in ways], dtype=np.bool_),
    )
    stops = np.array(blocked, dtype=np.int64)
    return Extract([], roads, stops, ids, lat, lon, None, len(ids), 0)


def network(ways: list[Way], side: int, blocked: tuple[int, ...] = ()) -> RoadNetwork:
    roads = graph.build(extract_of(ways, side, blocked))
    blobs = {name: getattr(roads, name).astype(dtype).tobytes() for name, dtype in DTYPES.items()}
    return RoadNetwork(columns(checked(blobs)))


def all_pairs_s(ways: list[Way], side: int) -> list[list[float]]:
    """Floyd and Warshall over the nodes themselves, no chains, no heaps."""
    count = side * side
    table = [[0.0 if i == j else inf for j in range(count)] for i in range(count)]
    for refs, speed, forward, backward in ways:
        for u, v in pairwise(refs):
            if u == v:
                continue
            cost = distance_m(*node_point(u, side), *node_point(v, side)) * 36 / speed
            if forward:
                table[u][v] = min(table[u][v], cost)
            if backward:
                table[v][u] = min(table[v][u], cost)
    for k in range(count):
        for i in range(count):
            for j in range(count):
                table[i][j] = min(table[i][j], table[i][k] + table[k][j])
    return table


SIDE = 4


@st.composite
def way_lists(draw: Any) -> list[Way]:
    """Walks between neighbours on a 4 x 4 grid, some one-way, at several speeds."""
    ways: list[Way] = []
    for _ in range(draw(st.integers(1, 9))):
        node = draw(st.integers(0, SIDE * SIDE - 1))
        refs = [node]
        for _ in range(draw(st.integers(1, 6))):
            y, x = divmod(refs[-1], SIDE)
            around = [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
            inside = [v * SIDE + u for v, u in around if 0 <= v < SIDE and 0 <= u < SIDE]
            refs.append(draw(st.sampled_from(inside)))
        speed = draw(st.sampled_from([150, 300, 500, 900]))
        forward, backward = draw(
            st.sampled_from([(True, True), (True, True), (True, False), (False, True)])
        )
        ways.append((refs, speed, forward, backward))
    return ways


def seconds(found: Route | None) -> float:
    return inf if found is None else found.duration_s


def on_main(roads: RoadNetwork, side: int) -> list[int]:
    """Nodes that lie on the biggest component's roads."""
    found = []
    for node in range(side * side):
        snaps = roads._streets.snaps(node_point(node, side)).get(0, ())
        if snaps and snaps[0].apart_m < 0.5:
            found.append(node)
    return found


@settings(max_examples=60, deadline=None)
@given(way_lists())
def test_routes_equal_the_brute_force(ways: list[Way]) -> None:
    roads = network(ways, SIDE)
    truth = all_pairs_s(ways, SIDE)
    nodes = on_main(roads, SIDE)
    for a in nodes[::2]:
        for b in nodes:
            found = roads.route(node_point(a, SIDE), node_point(b, SIDE))
            assert found is not None
            assert found.on_road
            assert found.duration_s == pytest.approx(truth[a][b], rel=2e-3, abs=0.5)
            length_m = sum(distance_m(*p, *q) for p, q in pairwise(found.points))
            assert length_m == pytest.approx(found.distance_m, rel=2e-3, abs=1.0)


@settings(max_examples=60, deadline=None)
@given(way_lists(), st.data())
def test_detours_equal_two_routes(ways: list[Way], data: st.DataObject) -> None:
    roads = network(ways, SIDE)
    nodes = on_main(roads, SIDE)
    if not nodes:
        return
    pick = st.sampled_from(nodes)
    a, b = (node_point(data.draw(pick), SIDE) for _ in range(2))
    vias = [node_point(data.draw(pick), SIDE) for _ in range(4)]
    base = seconds(roads.route(a, b))
    for via, detour in zip(vias, roads.detours(a, b, vias), strict=True):
        reach, onward = seconds(roads.route(a, via)), seconds(roads.route(via, b))
        assert detour is not None
        assert detour.reach_s == pytest.approx(reach, abs=1e-6)
        assert detour.extra_s == pytest.approx(max(0.0, reach + onward - base), abs=1e-6)
        assert detour.extra_m >= 0
        assert base <= reach + onward + 1e-6  # the triangle inequality


@settings(max_examples=40, deadline=None)
@given(
    way_lists(),
    st.lists(st.tuples(st.floats(46.9, 47.1), st.floats(8.9, 9.1)), min_size=3, max_size=6),
)
def test_any_point_on_or_off_the_map_has_an_answer(ways: list[Way], points: list[Point]) -> None:
    roads = network(ways, SIDE)
    a, b, *vias = points
    found = roads.route(a, b)
    if found is not None:
        assert found.points[0] == a
        assert found.points[-1] == b
        assert found.duration_s >= 0
        assert found.on_road == (roads.covers(*a) and roads.covers(*b))
    for detour in roads.detours(a, b, vias):
        assert detour is None or (detour.extra_s >= 0 and detour.reach_s >= 0)


def test_a_one_way_street_is_not_driven_against() -> None:
    loop: list[Way] = [([0, 1, 2, 6, 10, 9, 8, 4, 0], 300, True, False)]
    roads = network(loop, SIDE)
    there = roads.route(node_point(0, SIDE), node_point(1, SIDE))
    back = roads.route(node_point(1, SIDE), node_point(0, SIDE))
    assert there is not None
    assert back is not None
    assert back.distance_m > 4 * there.distance_m


def test_within_one_stretch() -> None:
    roads = network([([0, 1, 2, 3], 360, True, True)], SIDE)
    assert roads.chains == 1
    (lat, low), (_, high) = node_point(0, SIDE), node_point(1, SIDE)
    a, b = (lat, low + (high - low) / 4), (lat, low + (high - low) * 2.5)
    for start, goal in ((a, b), (b, a)):
        found = roads.route(start, goal)
        assert found is not None
        assert found.distance_m == pytest.approx(distance_m(*a, *b), rel=1e-3)
        assert found.duration_s == pytest.approx(found.distance_m / 10, rel=1e-3)


def test_a_barrier_stops_cars() -> None:
    ways: list[Way] = [
        ([0, 1, 2], 500, True, True),
        ([2, 6, 10, 9, 8, 4, 0], 500, True, True),
    ]
    free, barred = network(ways, SIDE), network(ways, SIDE, blocked=(1,))
    a, b = node_point(0, SIDE), node_point(2, SIDE)
    assert seconds(barred.route(a, b)) > 2 * seconds(free.route(a, b))


def test_islands_are_kept_and_not_joined() -> None:
    side = 20
    west: Way = ([0, 1, 2, 22, 21, 20, 0], 500, True, True)
    east: Way = ([17, 18, 19, 39, 38, 37, 17], 500, True, True)
    roads = network([west, east], side)
    assert roads.covers(*node_point(0, side))
    assert roads.covers(*node_point(18, side))
    assert roads.route(node_point(0, side), node_point(18, side)) is None
    vias = [node_point(1, side), node_point(18, side)]
    here, there = roads.detours(node_point(0, side), node_point(2, side), vias)
    assert here is not None
    assert there is None


def test_a_one_way_stub_at_the_cut_edge_is_no_trap() -> None:
    side = 6
    ring: Way = ([7, 8, 9, 15, 14, 13, 7], 500, True, True)
    stub: Way = ([9, 10, 11], 500, True, False)  # leads off the extract, nothing leads back
    roads = network([ring, stub], side)
    found = roads.route(node_point(10, side), node_point(13, side))
    assert found is not None
    assert found.duration_s < 600


def test_from_off_the_map() -> None:
    roads = network([([0, 1, 2, 6, 10, 9, 8, 4, 0], 500, True, True)], SIDE)
    home, goal = (47.0, 8.8), node_point(2, SIDE)
    found = roads.route(home, goal)
    assert found is not None
    assert not found.on_road
    assert found.distance_m == pytest.approx(
        1.3 * distance_m(*home, *node_point(0, SIDE)) + 304, rel=0.02
    )
    on_way, off_way = roads.detours(home, goal, [node_point(1, SIDE), node_point(10, SIDE)])
    assert on_way is not None
    assert off_way is not None
    assert on_way.extra_s < 1.0 < off_way.extra_s
    assert not on_way.on_road


def test_a_stop_away_from_every_road_costs_the_way_there() -> None:
    roads = network([([0, 1, 2, 3], 500, True, True)], SIDE)
    hut = (node_point(1, SIDE)[0] + 0.01, node_point(1, SIDE)[1])  # 1.1 km up the slope
    (stop,) = roads.detours(node_point(0, SIDE), node_point(3, SIDE), [hut])
    assert stop is not None
    assert not stop.on_road
    assert stop.extra_m > 2_000


def test_both_off_the_map_and_the_map_between() -> None:
    roads = network([([0, 1, 2, 6, 10, 9, 8, 4, 0], 500, True, True)], SIDE)
    west, east = (47.0, 8.8), (47.0, 9.2)
    found = roads.route(west, east)
    assert found is not None
    assert not found.on_road
    assert found.points == (west, east)
    (stop,) = roads.detours(west, east, [node_point(1, SIDE)])
    assert stop is not None
    assert stop.extra_s < 600


def test_a_point_that_is_nowhere() -> None:
    roads = network([([0, 1], 500, True, True)], SIDE)
    for bad in ((91.0, 0.0), (float("nan"), 9.0), (0.0, 0.0)):
        assert not roads.covers(*bad)
        with pytest.raises(InputError):
            roads.route(bad, (47.0, 9.0))
        with pytest.raises(InputError):
            roads.detours((47.0, 9.0), (47.0, 9.001), [bad])


@settings(deadline=None)
@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_the_bee_line_estimate_grows_and_slows(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert bee_line_s(low) <= bee_line_s(high)
    assert bee_line_s(a) + bee_line_s(b) >= bee_line_s(a + b) - 1e-6


def test_no_vias() -> None:
    roads = network([([0, 1], 500, True, True)], SIDE)
    assert roads.detours(node_point(0, SIDE), node_point(1, SIDE), []) == []


def test_how_far_the_nearest_road_is() -> None:
    roads = network([([0, 1, 2], 500, True, True)], 3)
    lat, lon = node_point(1, 3)
    assert roads.road_m(lat, lon) == pytest.approx(0.0, abs=0.1)
    near = roads.road_m(lat + 0.001, lon + 0.0003)
    assert near == pytest.approx(111.2, abs=0.5)
    assert roads.road_m(lat + 0.004, lon) is None
    assert roads.road_m(91.0, lon) is None


@settings(max_examples=60, deadline=None)
@given(way_lists(), st.data())
def test_ways_to_many_ends_are_as_long_as_each_route(ways: list[Way], data: st.DataObject) -> None:
    roads = network(ways, SIDE)
    nodes = on_main(roads, SIDE)
    if not nodes:
        return
    pick = st.sampled_from(nodes)
    start = node_point(data.draw(pick), SIDE)
    ends = [node_point(data.draw(pick), SIDE) for _ in range(4)]
    for end, metres in zip(ends, roads.ways_m(start, ends), strict=True):
        found = roads.route(start, end)
        assert found is not None
        assert metres == pytest.approx(found.distance_m, abs=1e-6)


def test_off_the_map_and_nowhere_there_is_no_way(monkeypatch: pytest.MonkeyPatch) -> None:
    ways: list[Way] = [(list(range(SIDE)), 500, True, True), ([2, 2 + SIDE], 500, True, True)]
    roads = network(ways, SIDE)
    here, there = node_point(0, SIDE), node_point(2 + SIDE, SIDE)
    far = (48.0, 9.5)
    told = roads.ways_m(here, [far, there, (91.0, 0.0)])
    assert told[0] is None
    assert told[2] is None
    corner = node_point(2, SIDE)
    by_road_m = distance_m(*here, *corner) + distance_m(*corner, *there)
    assert told[1] == pytest.approx(by_road_m, rel=1e-2)
    assert roads.ways_m(far, [here]) == [None]
    assert roads.ways_m((91.0, 0.0), [here]) == [None]
    assert roads.ways_m(here, []) == []
    monkeypatch.setattr("hearthway.atlas.roads.MOST_SETTLED", 0)
    assert roads.ways_m(here, [there]) == [None]  # farther than it is searched
