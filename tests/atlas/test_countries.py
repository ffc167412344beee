"""Two small countries, as OpenStreetMap has them (not shipped)."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from hearthway.atlas.build import build
from hearthway.atlas.store import Atlas
from hearthway.records.poi import FOOD

MAPS = Path(__file__).resolve().parents[3] / "shared" / "data" / "maps"


@pytest.mark.data
@pytest.mark.parametrize(
    ("country", "food", "malls"), [("liechtenstein", 65, 0), ("andorra", 64, 3)]
)
def test_a_country(country: str, food: int, malls: int, tmp_path: Path) -> None:
    pbf = MAPS / f"{country}.osm.pbf"
    if not pbf.is_file():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{pbf} is missing")
        pytest.skip(f"needs {pbf.name} in ../shared/data/maps")
    before = time.process_time()
    report = build(pbf, tmp_path / "country.atlas")
    assert time.process_time() - before < 20
    assert report.food == food
    assert report.pois.get("mall", 0) == malls
    atlas = Atlas.open(tmp_path / "country.atlas")
    south, west, north, east = atlas.bounds
    everything = atlas.near((south + north) / 2, (west + east) / 2, 60_000, FOOD)
    assert len(everything) == food
    pick = random.Random(1)
    drivable = [(p.lat, p.lon) for p in everything if atlas.roads.covers(p.lat, p.lon)]
    assert len(drivable) > 0.75 * food  # the others stand on ski slopes
    for _ in range(5):
        a, b = pick.choice(drivable), pick.choice(drivable)
        vias = [pick.choice(drivable) for _ in range(20)]
        before = time.process_time()
        route = atlas.route(a, b)
        detours = atlas.detours(a, b, vias)
        assert time.process_time() - before < 0.3
        assert route is not None
        assert route.on_road
        assert all(d is not None and d.extra_s >= 0 for d in detours)
