"""Search near a point and along a route, names of spots, and the owner's corrections."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.atlas.build import build
from hearthway.atlas.store import Atlas
from hearthway.records.errors import InputError
from hearthway.records.geo import distance_m, offset
from hearthway.records.poi import FOOD, OpenState, Poi

Writer = Callable[..., Path]
HELSINKI = Atlas.bundled()
SOUTH, WEST, NORTH, EAST = HELSINKI.bounds
EVERY = HELSINKI.near(60.17, 24.944, 5_000, (*FOOD, "mall", "department_store"))
POINTS = st.tuples(st.floats(SOUTH - 0.01, NORTH + 0.01), st.floats(WEST - 0.01, EAST + 0.01))


@settings(max_examples=60, deadline=None)
@given(POINTS, st.floats(0, 3_000), st.lists(st.sampled_from(FOOD), max_size=3))
def test_near_equals_the_brute_force(
    point: tuple[float, float], radius_m: float, kinds: list[str]
) -> None:
    apart = sorted((distance_m(*point, p.lat, p.lon), p.osm_id) for p in EVERY if p.kind in kinds)
    expected = [osm_id for metres, osm_id in apart if metres <= radius_m]
    assert [p.osm_id for p in HELSINKI.near(*point, radius_m, kinds)] == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(POINTS, min_size=1, max_size=4), st.floats(0, 800))
def test_along_finds_what_is_near_the_line(
    line: list[tuple[float, float]], corridor_m: float
) -> None:
    found = HELSINKI.along(line, corridor_m, ("restaurant",))
    assert len({p.osm_id for p in found}) == len(found)
    dense = [
        (a[0] + (b[0] - a[0]) * i / 100, a[1] + (b[1] - a[1]) * i / 100)
        for a, b in zip(line, line[1:] or line, strict=False)
        for i in range(101)
    ]

    def apart_m(poi: Poi) -> float:
        return min(distance_m(*point, poi.lat, poi.lon) for point in dense)

    ids = {p.osm_id for p in found}
    for poi in EVERY[::7]:
        if poi.kind == "restaurant" and apart_m(poi) < corridor_m * 0.99 - 1:
            assert poi.osm_id in ids
    for poi in found[:3]:
        assert apart_m(poi) <= corridor_m * 1.01 + 60  # the samples are up to 50 m apart


@pytest.mark.parametrize(
    ("lat", "lon", "radius_m"),
    [
        (95.0, 0.0, 10.0),
        (float("nan"), 1.0, 10.0),
        (60.17, 24.94, -1.0),
        (60.17, 24.94, float("nan")),
        (0.0, 0.0, 1e9),
    ],
)
def test_nowhere_finds_nothing(lat: float, lon: float, radius_m: float) -> None:
    assert HELSINKI.near(lat, lon, radius_m, FOOD) == []
    assert HELSINKI.along([(lat, lon)], radius_m, FOOD) == []
    assert HELSINKI.near(60.17, 24.94, 500, ()) == []
    assert HELSINKI.along([], 500, FOOD) == []


def test_a_whole_earth_of_radius_finds_all() -> None:
    assert len(HELSINKI.near(60.17, 24.94, 1e9, FOOD)) == HELSINKI.summary()["food"]


def test_get() -> None:
    assert HELSINKI.get("way/289767497") in EVERY
    for osm_id in ("node/1", "", "way/289767497 OR 1=1", "'; DROP TABLE poi"):
        assert HELSINKI.get(osm_id) is None


def test_covers() -> None:
    assert HELSINKI.covers(60.17, 24.94)
    for off in ((60.25, 24.8), (0.0, 0.0), (float("nan"), 0.0), (-60.17, 24.94)):
        assert not HELSINKI.covers(*off)


def test_the_owner_s_hours_go_first() -> None:
    monday = datetime(2024, 3, 18, 11, 0, tzinfo=ZoneInfo("Europe/Helsinki")).timestamp()
    known = next(p for p in EVERY if p.opening_hours == "24/7" or p.opening_hours)
    fixed = HELSINKI.with_hours({known.osm_id: "Mo-Su 10:00-12:00"})
    assert fixed.opening(known, monday).state is OpenState.OPEN
    assert fixed.opening(known, monday + 3600).state is OpenState.CLOSED  # until 12:00, exclusive
    corrected = fixed.get(known.osm_id)
    assert corrected is not None
    assert corrected.opening_hours == "Mo-Su 10:00-12:00"
    (seen,) = [p for p in fixed.near(known.lat, known.lon, 5, FOOD) if p.osm_id == known.osm_id]
    assert seen == corrected
    untouched = HELSINKI.get(known.osm_id)
    assert untouched is not None
    assert untouched.opening_hours == known.opening_hours
    again = fixed.with_hours({known.osm_id: "24/7"})
    assert again.opening(known, monday + 3600).state is OpenState.OPEN


@pytest.mark.parametrize(
    "corrections",
    [{"node/1": "24/7"}, {"way/289767497": "whenever"}, {"way/289767497": ""}, {"": "24/7"}],
)
def test_a_correction_that_cannot_be(corrections: dict[str, str]) -> None:
    with pytest.raises(InputError) as caught:
        HELSINKI.with_hours(corrections)
    assert caught.value.next_step


def test_names_of_spots(write_map: Writer, tmp_path: Path) -> None:
    spot = (47.0, 9.0)

    def node(number: int, north: float, east: float, **tags: str) -> object:
        return (number, *offset(*spot, north, east), tags)

    nodes = [
        node(1, 60, 0, shop="mall", name="Mall"),
        node(2, 30, 0, shop="supermarket", name="Market"),
        node(3, 10, 0, shop="bakery", name="Bakery"),
        node(4, 5, 0, shop="mall"),
        node(5, 5_000, 0, shop="supermarket", name="Far market"),
        node(6, 10_000, 0, shop="bakery", name="Far bakery"),
    ]
    build(write_map(nodes), tmp_path / "town.atlas")
    atlas = Atlas.open(tmp_path / "town.atlas")
    assert atlas.place_name(*spot) == "Mall"  # farther than the market, but a mall
    assert atlas.place_name(*offset(*spot, -65, 0)) == "Market"  # the mall is out of reach
    assert atlas.place_name(*offset(*spot, 5_010, 0)) == "Far market"
    assert atlas.place_name(*offset(*spot, 10_000, 0)) is None  # nobody navigates by a kiosk
    assert atlas.place_name(float("nan"), 0.0) is None


def test_order_does_not_depend_on_the_order_asked() -> None:
    kinds = list(FOOD)
    random.Random(4).shuffle(kinds)
    assert HELSINKI.near(60.17, 24.94, 700, kinds) == HELSINKI.near(60.17, 24.94, 700, FOOD)
