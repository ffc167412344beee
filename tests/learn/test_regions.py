"""Which part of the earth is drawn: all of a city, not the holiday; a second city where one lived in it; anywhere on the globe."""

from __future__ import annotations

from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.learn.regions import (
    FLATTEST,
    LEAST_M,
    MOST,
    WORTH_A_MAP,
    Region,
    Weighed,
    regions_of,
)
from hearthway.records.geo import distance_m, offset

HOME = (60.2, 24.9)


def at(north_km: float, east_km: float, stays: float) -> Weighed:
    return (*offset(*HOME, 1_000 * north_km, 1_000 * east_km), stays)


def test_one_place_lies_in_the_middle_of_a_box_of_a_useful_size() -> None:
    (region,) = regions_of([(*HOME, 1.0)])
    assert region.wide_m == pytest.approx(LEAST_M, rel=1e-3)
    assert region.high_m == pytest.approx(LEAST_M * FLATTEST, rel=1e-3)
    assert ((region.south + region.north) / 2, (region.west + region.east) / 2) == pytest.approx(
        HOME, abs=1e-6
    )
    assert regions_of([]) == ()


@pytest.mark.parametrize("apart_km", [3.0, 12.0, 30.0, 80.0])
def test_home_and_work_are_on_one_map(apart_km: float) -> None:
    (region,) = regions_of([at(0, 0, 90), at(0, apart_km, 80), at(1, 2, 6)])
    assert all(region.holds(*point[:2]) for point in (at(0, 0, 1), at(0, apart_km, 1)))
    assert region.wide_m < 1_400 * apart_km


def test_a_holiday_far_off_does_not_make_the_town_a_dot() -> None:
    town = [at(0, 0, 100), at(4, 3, 80), at(-2, 5, 10), at(9, -7, 5)]
    (region,) = regions_of([*town, at(900, 300, 9), at(0, 400, 3)])
    assert all(region.holds(*point[:2]) for point in town)
    assert region.wide_m < 25_000


def test_a_city_one_lived_in_as_well_has_a_map_of_its_own() -> None:
    first, second = [at(0, 0, 100), at(5, 5, 90)], [at(400, 0, 40), at(403, 6, 30)]
    regions = regions_of([*second, *first, at(-700, 0, 2)])
    assert len(regions) == 2, "the one with most stays first"
    for region, places in zip(regions, (first, second), strict=True):
        assert all(region.holds(*point[:2]) for point in places)
        assert region.wide_m < 20_000


def test_many_cities_are_not_many_maps() -> None:
    regions = regions_of([at(300 * n, 0, 20) for n in range(6)])
    assert len(regions) == MOST


@pytest.mark.parametrize("lat", [0.0, -17.7, 70.0])
def test_across_the_date_line_neighbours_stay_neighbours(lat: float) -> None:
    (region,) = regions_of([(lat, 179.98, 5.0), (lat + 0.02, -179.97, 4.0)])
    assert region.east > 180.0
    assert region.wide_m < 12_000
    assert region.holds(lat, 179.98)
    assert region.holds(lat + 0.02, -179.97)
    assert 0.0 < region.east_of_west(179.98) < region.east_of_west(-179.97)
    assert not region.holds(lat, 0.0)


def test_the_middle_of_a_degree_of_longitude_is_narrowed_by_latitude() -> None:
    region = Region(south=60.0, west=24.0, north=60.2, east=24.4)
    across = distance_m(60.1, 24.0, 60.1, 24.4)
    assert region.wide_m == pytest.approx(across, rel=1e-4)
    assert region.high_m == pytest.approx(distance_m(60.0, 24.0, 60.2, 24.0), rel=1e-6)


POINTS = st.tuples(st.floats(-90, 90), st.floats(-180, 180), st.integers(1, 500).map(float))


@given(st.lists(POINTS, min_size=1, max_size=40))
def test_anywhere_there_is_a_box_that_can_be_drawn(points: list[Weighed]) -> None:
    regions = regions_of(points)
    assert 1 <= len(regions) <= MOST
    for region in regions:
        assert -90.0 <= region.south < region.north <= 90.0
        assert -180.0 <= region.west < region.east <= region.west + 360.0
        assert 0.2 < region.high_m / region.wide_m < 2.0
        assert isfinite(region.wide_m)
    total = sum(point[2] for point in points)
    held = [sum(p[2] for p in points if region.holds(*p[:2])) for region in regions]
    assert all(stays >= WORTH_A_MAP * total * 0.99 for stays in held[1:])
    assert held[0] > 0.0


def test_thousands_of_places_are_one_look_each() -> None:
    regions = regions_of([at(n % 70, n // 70, 1.0 + n % 9) for n in range(5_000)])
    assert regions[0].wide_m > 50_000
