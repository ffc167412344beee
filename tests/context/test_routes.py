"""Past routes by the squares they pass: entered, asked, and forgotten one at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.context.ways import way

from hearthway.context.routes import HERE_M, RouteIndex, Track
from hearthway.records.geo import offset

AT = (60.20, 24.90)
points = st.tuples(st.floats(-2_000.0, 2_000.0), st.floats(-2_000.0, 2_000.0))


@given(st.lists(st.tuples(points, points), min_size=2, max_size=5), points)
def test_a_forgotten_route_was_never_there(
    ends: list[tuple[tuple[float, float], tuple[float, float]]], at: tuple[float, float]
) -> None:
    paths = [way([offset(*AT, *a), offset(*AT, *b)], 100.0) for a, b in ends]
    index, without = RouteIndex(), RouteIndex()
    for trip, path in enumerate(paths):
        index.add(trip, path)
        if trip:
            without.add(trip, path)
    index.drop(0, paths[0])
    for heading in (None, 0, 3, 7):
        spot = offset(*AT, *at)
        assert index.passing(*spot, heading) == without.passing(*spot, heading)


def test_one_is_elsewhere_after_so_many_metres_or_at_a_point_of_the_way() -> None:
    track = Track()
    track.extend(0.0, *AT)
    assert track.here == track.points[0]
    track.extend(1.0, *offset(*AT, 0.9 * HERE_M, 0.0))
    assert track.here == track.points[0]
    track.extend(2.0, *offset(*AT, 1.1 * HERE_M, 0.0))
    assert track.here == track.last
    track.extend(3.0, *offset(*AT, 105.0, 0.0))
    assert track.here == track.last == track.points[-1]
