"""Drawing the atlas: real roads of the bundled map, thinned, bounded, and refused where damaged."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hearthway.atlas.store import BUNDLED
from hearthway.records.errors import MapError
from hearthway.web.page import create_app
from hearthway.web.shapes import MAX_POINTS, MAX_POIS, MapDrawer

BOX = (60.155, 24.91, 60.185, 24.96)


def test_roads_and_food_inside_the_box_only() -> None:
    drawer = MapDrawer(BUNDLED)
    whole = drawer.inside(*BOX)
    part = drawer.inside(60.168, 24.936, 60.171, 24.942)
    assert 0 < len(part.roads) < len(whole.roads)
    assert 0 < len(part.pois) < len(whole.pois) <= MAX_POIS
    assert all(60.168 <= poi.lat <= 60.171 and 24.936 <= poi.lon <= 24.942 for poi in part.pois)
    assert sum(len(road.points) for road in whole.roads) <= MAX_POINTS
    assert all(len(road.points) >= 2 for road in whole.roads)
    drawer.close()


def test_far_out_it_is_drawn_with_fewer_points_and_the_same_ends() -> None:
    drawer = MapDrawer(BUNDLED)
    near, far = drawer.inside(*BOX), drawer.inside(59.7, 24.0, 60.6, 25.8)
    assert len(far.roads) >= len(near.roads)
    ends = {(road.points[0], road.points[-1]) for road in far.roads}
    assert {(road.points[0], road.points[-1]) for road in near.roads} <= ends
    assert sum(len(r.points) for r in far.roads) < sum(len(r.points) for r in near.roads)
    drawer.close()


def test_off_the_map_there_is_nothing_and_the_licence_line() -> None:
    drawer = MapDrawer(BUNDLED)
    nothing = drawer.inside(10.0, 10.0, 10.1, 10.1)
    assert (nothing.roads, nothing.pois) == ((), ())
    assert nothing.attribution
    drawer.close()


def test_for_a_picture_a_level_is_drawn_everywhere_or_nowhere() -> None:
    drawer = MapDrawer(BUNDLED)
    full = drawer.whole(*BOX, MAX_POINTS)
    assert (full.roads, full.pois) == (drawer.inside(*BOX).roads, ())
    assert full.attribution
    points = [
        sum(len(road.points) for road in full.roads if road.level == level) for level in range(3)
    ]
    assert all(points)
    for most, levels in (
        (sum(points), {0, 1, 2}),
        (sum(points) - 1, {0, 1}),
        (points[0] + points[1] - 1, {0}),
        (points[0] - 1, set()),
        (0, set()),
    ):
        roads = drawer.whole(*BOX, most).roads
        assert {road.level for road in roads} == levels
        assert roads == tuple(road for road in full.roads if road.level in levels)
    drawer.close()


def test_a_box_across_the_date_line_has_what_lies_on_both_sides(tmp_path: Path) -> None:
    moved = tmp_path / "moved.atlas"
    shutil.copyfile(BUNDLED, moved)
    db = sqlite3.connect(moved)
    east = 180.0 - 24.945  # the map's middle comes to lie on the line
    lon = np.frombuffer(db.execute("SELECT data FROM road WHERE name = 'lon'").fetchone()[0], "<i4")
    turned = (lon * 1e-7 + east + 180.0) % 360.0 - 180.0
    data = np.round(turned * 1e7).astype("<i4").tobytes()
    db.execute("UPDATE road SET data = ? WHERE name = 'lon'", (data,))
    db.commit()
    db.close()
    drawer = MapDrawer(moved)
    south, west, north, to = BOX
    roads = drawer.whole(south, west + east, north, to + east, MAX_POINTS).roads
    lons = [point[1] for road in roads for point in road.points]
    assert min(lons) < -179.9
    assert max(lons) > 179.9
    here = MapDrawer(BUNDLED)
    assert len(roads) > 0.9 * len(here.whole(*BOX, MAX_POINTS).roads)
    drawer.close()
    here.close()


@pytest.mark.parametrize(
    "content", [None, b"", b"not a database", b"SQLite format 3\x00" + b"\x00" * 84]
)
def test_what_is_no_atlas_is_refused_and_the_page_does_without(
    tmp_path: Path, content: bytes | None, open_page: Any, token: str
) -> None:
    path = tmp_path / "x.atlas"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MapError) as caught:
        MapDrawer(path)
    assert caught.value.next_step
    with open_page(atlas=path) as page:
        shapes = page.ask("/api/map?south=60.16&west=24.92&north=60.18&east=24.95").json
        assert shapes == {"attribution": "", "pois": [], "roads": []}


def test_a_page_needs_no_atlas(token: str) -> None:
    assert create_app(object(), token=token)  # type: ignore[arg-type]  # not asked before it is served
