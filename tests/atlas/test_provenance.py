"""bench/provenance.py on a made-up town: everything is traced, and each planted fault is found."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hearthway.atlas.build import build
from hearthway.atlas.store import Atlas

pytest.importorskip("osmium", reason="pip install 'hearthway[map]'")
SCRIPT = Path(__file__).parents[2] / "bench" / "provenance.py"
EATS = {"amenity": "restaurant", "name": "Kuu"}
PUB = {"amenity": "pub", "name": "Anker", "opening_hours": "Mo-Su 11:00-23:00"}
STREET = {"highway": "residential"}
FAULTS = {
    "another name": "UPDATE poi SET name = 'Aurinko' WHERE osm_id = 'node/21'",
    "hours of nowhere": "UPDATE poi SET opening_hours = '24/7' WHERE osm_id = 'node/21'",
    "no such object": "UPDATE poi SET osm_id = 'node/99' WHERE osm_id = 'node/21'",
    "somewhere else": "UPDATE poi SET lat = lat + 900 WHERE osm_id = 'node/21'",
}


@pytest.fixture(scope="module")
def provenance() -> Iterator[ModuleType]:
    """The script as a module."""
    spec = spec_from_file_location("provenance", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["provenance"] = module  # dataclasses look their module up
    sys.path.insert(0, str(SCRIPT.parent))  # as when it is run as a script
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(SCRIPT.parent))
    yield module
    del sys.modules["provenance"]


@pytest.fixture
def town(write_map: Callable[..., Path]) -> Path:
    """A square of streets, one of them one way, a restaurant without hours and a pub with them."""
    corners = [(60.0, 24.0), (60.0, 24.01), (60.01, 24.01), (60.01, 24.0)]
    return write_map(
        nodes=[
            *((number + 1, lat, lon, {}) for number, (lat, lon) in enumerate(corners)),
            (21, 60.0003, 24.003, EATS),
            (22, 60.0097, 24.007, PUB),
        ],
        ways=[
            (11, [1, 2, 3], STREET),
            (12, [3, 4, 1], STREET),
            (13, [1, 3], STREET | {"oneway": "yes"}),
        ],
    )


def untraced(provenance: ModuleType, town: Path, atlas: Path) -> dict[str, int]:
    opened = Atlas.open(atlas)
    try:
        tracer: Any = provenance.Tracer(provenance.read(town), opened)
        tracer.routes(tracer.pois(), 1)
    finally:
        opened.close()
    assert tracer.counts["POIs"] == 2
    assert tracer.counts["route segments"] > 100
    return {what: len(wrong) for what, wrong in tracer.wrong.items()}


def test_everything_is_traced_and_each_fault_is_found(
    provenance: ModuleType, town: Path, tmp_path: Path
) -> None:
    atlas = tmp_path / "town.atlas"
    build(town, atlas)
    assert set(untraced(provenance, town, atlas).values()) == {0}
    whole = atlas.read_bytes()
    for fault, statement in FAULTS.items():
        atlas.write_bytes(whole)
        with sqlite3.connect(atlas) as db:
            assert db.execute(statement).rowcount == 1
        db.close()
        assert untraced(provenance, town, atlas)["POIs"] == 1, fault
        opened = untraced(provenance, town, atlas)["openings"]
        assert opened == (fault == "hours of nowhere"), fault


def test_a_route_against_a_one_way_street_is_found(
    provenance: ModuleType, town: Path, write_map: Callable[..., Path], tmp_path: Path
) -> None:
    atlas = tmp_path / "town.atlas"
    build(town, atlas)
    extract = provenance.read(town)
    with_it = [(a, b) for (a, b), ways in extract.segments.items() if "way/13" in ways]
    assert len(with_it) == 1
    tracer: Any = provenance.Tracer(extract, None)
    a, b = with_it[0]
    tracer.route([a, b], "with it")
    assert tracer.wrong["route segments"] == []
    tracer.route([b, a], "against it")
    assert len(tracer.wrong["route segments"]) == 1


def test_where_nothing_can_be_shown_nothing_was_traced(
    provenance: ModuleType,
    write_map: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    road = write_map(nodes=[(1, 60.0, 24.0, {}), (2, 60.0, 24.01, {})], ways=[(11, [1, 2], STREET)])
    words = ["provenance.py", "--data", str(road.parent), "--seeds", "1"]
    monkeypatch.setattr(sys, "argv", words)
    assert provenance.main() == 2
    told = capsys.readouterr()
    assert "so nothing was traced." in told.err
    assert told.out == ""
