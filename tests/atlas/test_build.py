"""From an extract to an atlas: what is kept, what is dropped, and what happens to bad files."""

from __future__ import annotations

import builtins
import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from hearthway.atlas import extract
from hearthway.atlas.build import build
from hearthway.atlas.store import BUNDLED, Atlas
from hearthway.records.errors import MapError
from hearthway.records.poi import Poi

Writer = Callable[..., Path]
ROAD = {"highway": "residential"}
A, B, C, D = (1, 47.0, 9.0), (2, 47.0, 9.01), (3, 47.01, 9.01), (4, 47.01, 9.0)
SQUARE: list[tuple[int, float, float, dict[str, str]]] = [(*at, {}) for at in (A, B, C, D)]
RING = (10, [1, 2, 3, 4, 1], ROAD)


def open_built(pbf: Path, tmp_path: Path) -> Atlas:
    build(pbf, tmp_path / "town.atlas")
    return Atlas.open(tmp_path / "town.atlas")


def test_every_kind_of_poi_is_kept(write_map: Writer, tmp_path: Path) -> None:
    nodes = [
        (
            11,
            47.001,
            9.001,
            {"amenity": "restaurant", "name": "寿司 さくら", "cuisine": "Sushi;ramen"},
        ),
        (12, 47.002, 9.001, {"amenity": "cafe"}),
        (13, 47.003, 9.001, {"shop": "mall", "name": "مرکز خرید"}),
        (14, 47.004, 9.001, {"shop": "bakery", "name": "Bäcker\x07\n\u202eevil"}),
        (15, 47.005, 9.001, {"amenity": "charging_station"}),
        (16, 47.006, 9.001, {"amenity": "parking", "access": "private"}),
        (17, 47.006, 9.002, {"amenity": "parking"}),
        (18, 47.006, 9.003, {"shop": "vacant"}),
        (19, 47.006, 9.004, {"amenity": "bar;restaurant", "brand": "Chain"}),
        (20, 47.006, 9.005, {"amenity": "restaurant", "disused": "yes"}),
        (21, 47.006, 9.006, {"amenity": "bench"}),
    ]
    atlas = open_built(write_map([*SQUARE, *nodes], [RING]), tmp_path)
    sushi = atlas.get("node/11")
    assert sushi is not None
    assert (sushi.name, sushi.cuisines) == ("寿司 さくら", ("sushi", "ramen"))
    unnamed, bakery, chain = (atlas.get(f"node/{n}") for n in (12, 14, 19))
    assert unnamed is not None
    assert unnamed.name == ""
    assert bakery is not None
    assert bakery.name == "Bäcker evil"
    assert chain is not None
    assert (chain.kind, chain.name, chain.brand) == ("bar", "Chain", "Chain")
    assert [atlas.get(f"node/{n}") for n in (16, 18, 20, 21)] == [None] * 4
    summary = atlas.summary()
    assert summary["food"] == 3
    assert (summary["charger"], summary["parking"], summary["mall"]) == (1, 1, 1)


def test_what_a_charger_gives_is_kept_where_it_is_told_and_old_atlases_read_on(
    write_map: Writer, tmp_path: Path
) -> None:
    charging = {"amenity": "charging_station"}
    nodes = [
        (11, 47.001, 9.001, {**charging, "socket:type2:output": "22 kW"}),
        (12, 47.002, 9.001, {**charging, "socket:chademo:output": "50 kW;50,5kW"}),
        (13, 47.003, 9.001, charging),
        (14, 47.004, 9.001, {"amenity": "parking", "socket:type2:output": "22 kW"}),
    ]
    atlas = open_built(write_map([*SQUARE, *nodes], [RING]), tmp_path)
    powers = [getattr(atlas.get(f"node/{n}"), "power_kw", None) for n in (11, 12, 13, 14)]
    assert powers == [22.0, 50.5, UNSET, UNSET]
    atlas.close()
    (tmp_path / "mute").mkdir()
    mute = open_built(write_map([*SQUARE, nodes[2]], [RING]), tmp_path / "mute")
    assert mute.get("node/13") == Poi(
        osm_id="node/13", kind="charger", name="", lat=47.003, lon=9.001
    )
    mute.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "mute" / "town.atlas")) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    assert "power" not in tables  # byte for byte what it was before powers were kept


def test_areas_get_their_centre_and_relations_their_outline(
    write_map: Writer, tmp_path: Path
) -> None:
    relation = (
        5,
        [("w", 31, "outer"), ("w", 32, "outer"), ("w", 99, "outer")],
        {"type": "multipolygon", "shop": "mall", "name": "Forum"},
    )
    ways = [RING, (30, [1, 2, 3, 4, 1], {"shop": "supermarket", "name": "Big"})]
    ways += [(31, [1, 2, 3], {}), (32, [1, 4, 3], {})]
    atlas = open_built(write_map(SQUARE, ways, [relation]), tmp_path)
    for osm_id in ("way/30", "relation/5"):
        poi = atlas.get(osm_id)
        assert poi is not None
        assert (poi.lat, poi.lon) == pytest.approx((47.005, 9.005), abs=1e-6)
    assert atlas.place_name(47.009, 9.009) == "Forum"  # inside, 600 m from its centre
    assert atlas.place_name(47.0108, 9.005) == "Forum"  # 90 m outside its edge
    assert atlas.place_name(47.0125, 9.005) is None


def test_a_node_and_an_area_of_one_restaurant_are_one(write_map: Writer, tmp_path: Path) -> None:
    def corners(first: int, lat: float) -> list[tuple[int, float, float, dict[str, str]]]:
        shape = ((0, 0), (0, 2e-4), (1e-4, 2e-4), (1e-4, 0))
        return [(first + i, lat + y, 9.002 + x, {}) for i, (y, x) in enumerate(shape)]

    food = {"amenity": "restaurant", "name": "Da Mario"}
    hours = {**food, "opening_hours": "24/7"}
    nodes = [*SQUARE, *corners(40, 47.002), *corners(50, 47.004), *corners(60, 47.006)]
    nodes += [(70, 47.00205, 9.0021, food), (71, 47.00405, 9.0021, hours)]
    nodes += [(72, 47.00605, 9.0021, {**food, "name": "Other"}), (73, 47.00207, 9.00211, food)]
    ways = [RING, (80, [40, 41, 42, 43, 40], hours), (81, [50, 51, 52, 53, 50], food)]
    ways += [(82, [60, 61, 62, 63, 60], food)]
    pbf = write_map(sorted(nodes), ways)
    report = build(pbf, tmp_path / "town.atlas")
    atlas = Atlas.open(tmp_path / "town.atlas")
    # 70 is the area 80's; 73, a second node, is left alone: two doors may be two businesses.
    kept = [p.osm_id for p in atlas.near(47.004, 9.0021, 2000, ("restaurant",))]
    assert sorted(kept) == ["node/71", "node/72", "node/73", "way/80", "way/82"]
    assert report.doubles == 2


def test_the_same_extract_gives_the_same_bytes(write_map: Writer, tmp_path: Path) -> None:
    pbf = write_map([*SQUARE, (11, 47.001, 9.001, {"amenity": "pub", "name": "P"})], [RING])
    build(pbf, tmp_path / "a.atlas")
    build(pbf, tmp_path / "b.atlas")
    assert (tmp_path / "a.atlas").read_bytes() == (tmp_path / "b.atlas").read_bytes()


def test_other_forms_of_extract(write_map: Writer, tmp_path: Path) -> None:
    pbf = write_map([*SQUARE, (-7, 47.001, 9.001, {"shop": "mall", "name": "M"})], [RING])
    xml = write_map(
        [*SQUARE, (-7, 47.001, 9.001, {"shop": "mall", "name": "M"})], [RING], name="town.osm"
    )
    assert build(pbf, tmp_path / "a.atlas").pois == build(xml, tmp_path / "b.atlas").pois


def test_extracts_out_of_order_and_of_unsaved_nodes(write_map: Writer, tmp_path: Path) -> None:
    straight = build(write_map(SQUARE, [RING]), tmp_path / "a.atlas")
    reversed_ = build(write_map(SQUARE[::-1], [RING]), tmp_path / "b.atlas")
    unsaved = [(-number, lat, lon, tags) for number, lat, lon, tags in SQUARE]
    negative = build(write_map(unsaved, [(-10, [-1, -2, -3, -4, -1], ROAD)]), tmp_path / "c.atlas")
    assert straight.road_km == reversed_.road_km == negative.road_km > 3
    assert straight.nodes_read == reversed_.nodes_read == negative.nodes_read == 4


def test_both_ways_of_reading_coordinates_agree(
    write_map: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pbf = write_map([*SQUARE, (11, 47.001, 9.001, {"amenity": "pub"})], [RING])
    build(pbf, tmp_path / "a.atlas")
    monkeypatch.setattr(extract, "TABLE_UP_TO_BYTES", 0)
    monkeypatch.setattr(extract, "CHUNK", 2)
    build(pbf, tmp_path / "b.atlas")
    assert (tmp_path / "a.atlas").read_bytes() == (tmp_path / "b.atlas").read_bytes()


def test_references_beyond_the_cut_edge(write_map: Writer, tmp_path: Path) -> None:
    ways = [(10, [900, 1, 2, 901, 3, 4, 902], ROAD), (11, [2, 3], ROAD), (12, [903, 904], ROAD)]
    pbf = write_map(SQUARE, [*ways, (13, [905, 906, 905], {"shop": "mall", "name": "Gone"})])
    report = build(pbf, tmp_path / "town.atlas")
    assert report.missing_nodes == 7
    assert report.pois == {}
    route = Atlas.open(tmp_path / "town.atlas").route((47.0, 9.0), (47.01, 9.0))
    assert route is not None
    assert route.on_road
    assert route.distance_m == pytest.approx(2 * 758.5 + 1112, rel=0.01)


def test_a_map_without_food_or_roads_says_so(write_map: Writer, tmp_path: Path) -> None:
    report = build(write_map(SQUARE), tmp_path / "town.atlas")
    assert report.food == report.roads == 0
    assert any("no place to eat" in note for note in report.notes)
    assert any("bee-line" in note for note in report.notes)
    atlas = Atlas.open(tmp_path / "town.atlas")
    assert not atlas.covers(47.0, 9.0)
    route = atlas.route((47.0, 9.0), (47.01, 9.0))
    assert route is not None
    assert not route.on_road
    (detour,) = atlas.detours((47.0, 9.0), (47.01, 9.0), [(47.005, 9.0)])
    assert detour is not None
    assert detour.extra_s == pytest.approx(0, abs=1)


@pytest.mark.parametrize(
    "content", [b"", b"lat,lng\n1,2\n", b"\0" * 5000, b"\0\0\0\x0d\x0a\x09OSMHeader\x18\x7f"]
)
def test_not_an_extract(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("osmium")
    pbf = tmp_path / "x.osm.pbf"
    pbf.write_bytes(content)
    out = tmp_path / "town.atlas"
    out.write_bytes(BUNDLED.read_bytes())
    with pytest.raises(MapError) as caught:
        build(pbf, out)
    assert caught.value.next_step
    assert Atlas.open(out).name == "Helsinki"  # the earlier atlas is intact
    assert sorted(p.name for p in tmp_path.iterdir()) == ["town.atlas", "x.osm.pbf"]


@pytest.mark.parametrize("name", ["missing.osm.pbf", "", "notes.txt"])
def test_no_such_extract(tmp_path: Path, name: str) -> None:
    pytest.importorskip("osmium")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(MapError) as caught:
        build(tmp_path / name, tmp_path / "town.atlas")
    assert not caught.value.message.endswith("..")


def test_truncated_anywhere(write_map: Writer, tmp_path: Path) -> None:
    whole = write_map([*SQUARE, (11, 47.001, 9.001, {"amenity": "pub"})], [RING]).read_bytes()
    pbf = tmp_path / "cut.osm.pbf"
    for size in range(1, len(whole), 7):
        pbf.write_bytes(whole[:size])
        with contextlib.suppress(MapError):
            build(pbf, tmp_path / "cut.atlas")
            Atlas.open(tmp_path / "cut.atlas")  # cut between two blocks: smaller, but sound


def test_flipped_bytes(write_map: Writer, tmp_path: Path) -> None:
    whole = write_map([*SQUARE, (11, 47.001, 9.001, {"amenity": "pub"})], [RING]).read_bytes()
    pbf = tmp_path / "flipped.osm.pbf"
    for at in range(0, len(whole), 3):
        pbf.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        with contextlib.suppress(MapError):
            build(pbf, tmp_path / "flipped.atlas")
            Atlas.open(tmp_path / "flipped.atlas")


def test_no_place_to_write(write_map: Writer, tmp_path: Path) -> None:
    pbf = write_map(SQUARE, [RING])
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MapError, match="cannot be written"):
        build(pbf, tmp_path / "file" / "town.atlas")
    (tmp_path / "folder.atlas").mkdir()
    (tmp_path / "folder.atlas" / "x").write_text("in the way")
    with pytest.raises(MapError, match="could not be written"):
        build(pbf, tmp_path / "folder.atlas")


def test_an_atlas_never_overwrites_its_extract(write_map: Writer) -> None:
    pbf = write_map(SQUARE, [RING])
    before = pbf.read_bytes()
    with pytest.raises(MapError, match="overwrite"):
        build(pbf, pbf)
    assert pbf.read_bytes() == before


def test_without_osmium(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "osmium":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MapError, match="osmium") as caught:
        build(tmp_path / "x.osm.pbf", tmp_path / "town.atlas")
    assert "pip install 'hearthway[map]'" in caught.value.next_step


def test_opening_what_is_no_atlas(tmp_path: Path) -> None:
    text, other = tmp_path / "a.txt", tmp_path / "other.db"
    text.write_text("hello " * 500)
    sqlite3.connect(other).execute("CREATE TABLE t (x)").connection.close()
    (tmp_path / "empty").touch()
    for path in (text, other, tmp_path / "empty", tmp_path / "none", tmp_path):
        with pytest.raises(MapError) as caught:
            Atlas.open(path)
        assert "hearthway map build" in caught.value.next_step


def test_opening_another_version(tmp_path: Path) -> None:
    path = tmp_path / "new.atlas"
    path.write_bytes(BUNDLED.read_bytes())
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(MapError, match="version 99"):
        Atlas.open(path)


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE road SET data = x'0102' WHERE name = 'tail'",
        "UPDATE road SET data = zeroblob(length(data)) WHERE name = 'shape'",
        "UPDATE road SET data = zeroblob(length(data)) WHERE name = 'speed_dkmh'",
        "UPDATE road SET data = CAST(x'ffffff7f' || substr(data, 5) AS BLOB) WHERE name = 'head'",
        "UPDATE road SET data = CAST(x'ffffffff' || substr(data, 5) AS BLOB) WHERE name = 'tail'",
        "UPDATE road SET data = CAST(x'0000c07f' || substr(data, 5) AS BLOB) WHERE name = 'length_m'",
        "DELETE FROM road WHERE name = 'lat'",
        "DELETE FROM meta WHERE key = 'bounds'",
        "UPDATE meta SET value = 'here' WHERE key = 'bounds'",
        "DROP TABLE meta",
        "DROP TABLE poi",
    ],
)
def test_opening_a_hostile_atlas(tmp_path: Path, harm: str) -> None:
    path = tmp_path / "bad.atlas"
    path.write_bytes(BUNDLED.read_bytes())
    with sqlite3.connect(path) as db:
        db.execute(harm)
    db.close()
    with pytest.raises(MapError, match="damaged"):
        Atlas.open(path).near(60.17, 24.94, 500, ("mall",))


def test_opening_a_truncated_or_flipped_atlas(tmp_path: Path) -> None:
    whole = BUNDLED.read_bytes()
    path = tmp_path / "cut.atlas"
    for size in range(100, len(whole), 20_011):
        path.write_bytes(whole[:size])
        with pytest.raises(MapError):
            Atlas.open(path)
    for at in range(0, len(whole), 10_007):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with contextlib.suppress(MapError):
            atlas = Atlas.open(path)
            atlas.near(60.17, 24.94, 5000, ("mall", "restaurant"))
            atlas.route((60.167, 24.94), (60.175, 24.945))


def test_what_is_no_file_is_not_replaced_by_an_atlas(write_map: Writer, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(MapError, match="is no file that an atlas could be"):
        build(write_map(SQUARE, [RING]), pipe)
    assert pipe.is_fifo()
