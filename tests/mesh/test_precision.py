"""Positions told by their cell: never smaller than promised, never sharpened, never more than asked for."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.mesh.policy.precision import CELL_M, cell, coarse_point, coarsen, coarsen_signals
from hearthway.records.geo import distance_m
from hearthway.records.life import Place
from hearthway.records.messages import AnswerGiven
from hearthway.records.signals import Fix, Signal, Value
from hearthway.records.suggestion import AnswerKind

LAT, LON = 60.16952, 24.93545
_lats = st.floats(-90, 90)
_lons = st.floats(-180, 180)
_precisions = st.sampled_from(sorted(CELL_M))


def signal(
    key: str, value: Value, time_s: float = 10.0, source: str = "car", person: str = ""
) -> Signal:
    return Signal(key=key, value=value, time_s=time_s, source=source, person=person)


def pair(
    lat: float, lon: float, stem: str = "Vehicle.CurrentLocation", **at: float
) -> list[Signal]:
    return [signal(f"{stem}.Latitude", lat, **at), signal(f"{stem}.Longitude", lon, **at)]  # type: ignore[arg-type]  # only time_s


class Stop(msgspec.Struct, frozen=True):
    """A record with a position inside another."""

    time_s: float
    at: Fix


@given(_lats, _lons, _precisions)
def test_a_cell_holds_its_point_and_is_never_smaller_than_promised(
    lat: float, lon: float, precision: str
) -> None:
    size_m = CELL_M[precision]
    south, west, north, east = cell(lat, lon, size_m)
    assert south - 1e-9 <= lat <= north + 1e-9
    assert west - 1e-9 <= lon <= east + 1e-9 or math.isclose(lon, 180.0)
    # the height, and the width along the narrower of both edges, on the shortest degree there is
    assert (north - south) * 110_574 >= size_m * (1 - 1e-9)
    edge = math.cos(math.radians(max(abs(south), abs(north))))
    whole = math.isclose(east - west, 360.0)
    assert whole or (east - west) * edge * 110_574 >= size_m * (1 - 1e-9)
    assert (north - south) * 111_700 <= size_m * 1.2  # and not much larger either
    if abs(lat) < 80:
        assert (east - west) * math.cos(math.radians(abs(lat))) * 111_700 <= size_m * 1.3


@given(_lats, _lons, _precisions, st.floats(0, 1), st.floats(0, 1))
def test_everywhere_in_a_cell_the_same_is_told(
    lat: float, lon: float, precision: str, up: float, right: float
) -> None:
    south, west, north, east = cell(lat, lon, CELL_M[precision])
    inside = (
        (south + (north - south) * (0.001 + 0.998 * up)),
        (west + (east - west) * (0.001 + 0.998 * right)),
    )
    told = coarse_point(*inside, precision)
    assert told == coarse_point((south + north) / 2, (west + east) / 2, precision)
    assert told is not None
    assert coarse_point(*told, precision) == told  # telling it twice sharpens and drifts nothing
    assert told != (0.0, 0.0)  # what a dead receiver says


@given(st.lists(st.tuples(st.floats(-0.02, 0.02), st.floats(-0.04, 0.04)), min_size=2, max_size=60))
def test_many_fixes_tell_no_more_than_their_cells(steps: list[tuple[float, float]]) -> None:
    told = coarsen_signals(
        [s for n, (a, b) in enumerate(steps) for s in pair(LAT + a, LON + b, time_s=float(n))],
        "city",
    )
    assert len(told) == 2 * len(steps)
    cells = {cell(LAT + a, LON + b, CELL_M["city"]) for a, b in steps}
    assert len({(told[n].value, told[n + 1].value) for n in range(0, len(told), 2)}) == len(cells)


def test_exact_is_the_same_and_an_unknown_precision_is_nothing() -> None:
    signals = pair(LAT, LON)
    fix = Fix(time_s=1.0, lat=LAT, lon=LON)
    assert coarsen_signals(signals, "exact") == signals
    assert coarsen("Person.Fix", fix, "exact") is fix
    assert coarsen_signals(signals, "5m") == []
    assert coarsen("Person.Fix", fix, "5m") is None


def test_a_pair_becomes_its_cell_and_what_stands_beside_it_goes() -> None:
    beside = [
        signal(f"Vehicle.CurrentLocation.{name}", 12.3)
        for name in ("Heading", "Altitude", "HorizontalAccuracy")
    ]
    speed, moving = signal("Vehicle.Speed", 50.0), signal("Vehicle.IsMoving", True)
    told = coarsen_signals([*beside, *pair(LAT, LON), speed, moving], "500m")
    assert [s.key for s in told] == [
        "Vehicle.CurrentLocation.Latitude",
        "Vehicle.CurrentLocation.Longitude",
        "Vehicle.Speed",
        "Vehicle.IsMoving",
    ]
    assert told[2:] == [speed, moving]
    lat, lon = told[0].value, told[1].value
    assert isinstance(lat, float)
    assert isinstance(lon, float)
    assert (lat, lon) == coarse_point(LAT, LON, "500m") != (LAT, LON)
    assert distance_m(LAT, LON, lat, lon) < 400


@pytest.mark.parametrize("stem", ["Vehicle.CurrentLocation", "Person.Location", "Phone.Position"])
def test_a_lone_coordinate_is_dropped(stem: str) -> None:
    lat, lon = pair(LAT, LON, stem)
    for lone in (
        [lat],
        [lon],
        [lat, msgspec.structs.replace(lon, time_s=11.0)],
        [lat, msgspec.structs.replace(lon, source="other")],
        [lat, msgspec.structs.replace(lon, person="anna")],
        [lat, msgspec.structs.replace(lon, key="Other.Location.Longitude")],
        [lat, lat, lon],  # which of both belongs to it?
        [lat, msgspec.structs.replace(lon, value=math.nan)],
        [lat, msgspec.structs.replace(lon, value=None)],
        [lat, msgspec.structs.replace(lon, value="24.9")],
        [lat, msgspec.structs.replace(lon, value=True)],
        [lat, msgspec.structs.replace(lon, value=181.0)],
    ):
        assert coarsen_signals(lone, "500m") == [], lone
    assert coarsen(lat.key, lat, "500m") is None
    assert len(coarsen_signals([lon, lat], "500m")) == 2  # the control: in any order


def test_text_is_not_told() -> None:
    assert coarsen_signals([signal("Vehicle.Parking", "Kaivokatu 1")], "city") == []
    assert coarsen("Note", "Kaivokatu 1", "city") is None
    assert coarsen("Note", b"Kaivokatu 1", "city") is None


def test_records_with_a_position_are_replaced_also_inside_others() -> None:
    fix = Fix(time_s=1.0, lat=LAT, lon=LON, accuracy_m=4.0, speed_mps=1.5)
    point = coarse_point(LAT, LON, "500m")
    assert point is not None
    expected = Fix(time_s=1.0, lat=point[0], lon=point[1])
    assert coarsen("Person.Fix", fix, "500m") == expected
    assert coarsen("Trip.Stop", Stop(2.0, fix), "500m") == Stop(2.0, expected)
    assert coarsen("Trip.Stops", [Stop(2.0, fix)], "500m") == [Stop(2.0, expected)]
    assert coarsen("Any", {"lat": LAT, "lon": LON, "n": 3}, "500m") == {
        "lat": point[0],
        "lon": point[1],
        "n": 3,
    }


@pytest.mark.parametrize(
    "record",
    [
        Place(place_id="home-1", lat=LAT, lon=LON, visits=3),  # an id may be made of the place
        AnswerGiven(suggestion_id="x", kind=AnswerKind.ACCEPT, time_s=1.0, osm_id="node/1"),
        {"lat": LAT},
        {"lon": LON, "lat": "60"},
        {"at": (LAT, LON)},
        [LAT, LON],
        {"distance_m": 12.0},
        {1: LAT},
        object(),
    ],
)
def test_what_cannot_be_coarsened_is_refused(record: object) -> None:
    assert coarsen("Any", record, "500m") is None
    assert coarsen("Any", record, "city") is None


def test_a_bare_number_passes_unless_its_key_is_a_position() -> None:
    assert coarsen("Home.Energy.Price", 0.2, "500m") == 0.2
    assert coarsen("Phone.Position.Latitude", LAT, "500m") is None
    assert coarsen("Phone.Position.Altitude", 12.0, "500m") is None


class Loose(msgspec.Struct, frozen=True):
    """Whatever a later record may look like."""

    lat: float
    lon: float
    heading_deg: float | None = None
    n: int = 0


@given(_lats, _lons, st.none() | st.floats(0, 360), _precisions)
def test_no_exact_coordinate_and_no_heading_survives(
    lat: float, lon: float, heading: float | None, precision: str
) -> None:
    told = coarsen("Any", Loose(lat, lon, heading, 7), precision)
    point = coarse_point(lat, lon, precision)
    assert point is not None
    assert told == Loose(point[0], point[1], None, 7)


def test_the_edges_of_the_earth_are_cells_too() -> None:
    size_m = CELL_M["city"]
    bands = int(180.0 * 110_574.0 / size_m) // 2 * 2
    height = 180.0 / bands
    assert cell(-90.0, 0.0, size_m) == pytest.approx((-90.0, -180.0, -90.0 + height, 180.0))
    assert cell(90.0, 0.0, size_m) == pytest.approx((90.0 - height, -180.0, 90.0, 180.0))
    assert cell(-90.0 + 1.5 * height, 0.0, size_m)[0] == pytest.approx(-90.0 + height)
    assert cell(90.0 - 1.5 * height, 0.0, size_m)[2] == pytest.approx(90.0 - height)
    assert cell(10.0, 10.0, 3e7) == (0.0, -180.0, 90.0, 180.0)  # never fewer than both halves
    assert cell(0.1, 180.0, size_m) == cell(0.1, -180.0, size_m)
    for point in ((90.0, 0.0), (-90.0, 0.0), (0.0, 180.0), (0.0, -180.0)):
        assert coarse_point(*point, "500m") is not None
    for lat, lon in ((90.01, 0.0), (-90.01, 0.0), (0.0, 180.01), (0.0, -180.01)):
        assert coarse_point(lat, lon, "500m") is None
        assert coarse_point(math.nan, lon, "500m") is None
    for wild in (math.nan, math.inf, -math.inf):
        assert coarse_point(wild, 0.0, "500m") is None
        assert coarse_point(0.0, wild, "500m") is None


def test_a_centre_is_told_to_the_sixth_digit() -> None:
    for precision in CELL_M:
        south, west, north, east = cell(LAT, LON, CELL_M[precision])
        lat, lon = coarse_point(LAT, LON, precision) or (0.0, 0.0)
        assert (lat, lon) == (round((south + north) / 2, 6), round((west + east) / 2, 6))
        assert 0.0 < abs(lat - (south + north) / 2) + abs(lon - (west + east) / 2) <= 1e-6


def test_rows_of_signals_are_told_as_signals_are() -> None:
    speed = signal("Vehicle.Speed", 50.0)
    signals = [*pair(LAT, LON), speed]
    assert coarsen("Any", signals, "city") == coarsen_signals(signals, "city")
    assert coarsen("Any", signals[:1], "city") is None  # nothing is left of it
    assert coarsen("Any", [], "city") == []
    assert coarsen("Any", speed, "city") == speed
    assert coarsen_signals(signals[:1] * 2, "city") == []  # two halves of the same kind
    stop = Stop(2.0, Fix(time_s=1.0, lat=LAT, lon=LON))
    assert coarsen("Any", [speed, stop], "city") == [speed, coarsen("Any", stop, "city")]
    assert coarsen("Any", [signals[0], stop], "city") is None
    assert coarsen("Any", {"last": speed}, "city") == {"last": speed}
    assert coarsen("Any", {"last": signals[0]}, "city") is None


@pytest.mark.parametrize(
    "record",
    [
        {"said": "", "n": None, "kind": AnswerKind.ACCEPT, "yes": True, "share": 0.5},
        {"device_id": "car", "unit": "km", "person": "anna", "device": 5, "node": 3},
        {"lat": None, "lon": None, "n": 1},
        {"lat": None},
        {"latitude": None, "longitude": None},
        ({"n": 1}, {"n": 2}),
        None,
        True,
        "",
        AnswerKind.ACCEPT,
    ],
)
def test_what_names_no_place_passes_as_it_is(record: object) -> None:
    assert coarsen("Any", record, "500m") == record


def test_a_position_is_found_by_each_of_its_names() -> None:
    point = coarse_point(LAT, LON, "500m")
    assert point is not None
    told = {"lat": point[0], "lon": point[1]}
    assert coarsen("Person.Location", {"lat": LAT, "lon": LON}, "500m") == told
    long = {"latitude": LAT, "longitude": LON}
    assert coarsen("Any", long, "500m") == {"latitude": point[0], "longitude": point[1]}
    assert coarsen("Any", {"lat": 60, "lon": 24}, "500m") == dict(
        zip(("lat", "lon"), coarse_point(60.0, 24.0, "500m") or (), strict=True)
    )
    for half in ({"lat": LAT, "lon": None}, {"lat": True, "lon": LON}, {"longitude": LON}):
        assert coarsen("Any", half, "500m") is None
    for text in ({"unit": b"x"}, {"device_id": ["Kaivokatu"]}, {"name": "anna"}):
        assert coarsen("Any", text, "500m") is None
    assert coarsen("Any.Longitude", LON, "500m") is None
    assert coarsen("Any.Latitude", 60, "500m") is None
    for name in ("accuracy", "heading", "bearing", "altitude", "speed", "distance"):
        assert coarsen("Any", {f"{name}_x": 1.0}, "500m") is None
        assert coarsen("Any", {f"{name}_x": None}, "500m") == {f"{name}_x": None}


class Fast(msgspec.Struct, frozen=True):
    """What sharpens a position, and must be said."""

    speed_mps: float
    n: int = 0


def test_what_must_be_said_and_sharpens_is_refused_with_its_record() -> None:
    assert coarsen("Any", Fast(1.5), "500m") is None
    assert coarsen("Any", [Fast(1.5)], "city") is None
    assert coarsen("Any", Loose(LAT, LON, 90.0), "500m") is not None
