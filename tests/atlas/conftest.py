"""Small maps, written with osmium as real extracts are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

Tags = Mapping[str, str]
NodeSpec = tuple[int, float, float, Tags]  # id, lat, lon, tags
WaySpec = tuple[int, Sequence[int], Tags]
RelationSpec = tuple[int, Sequence[tuple[str, int, str]], Tags]
MapWriter = Callable[..., Path]


@pytest.fixture
def write_map(tmp_path: Path) -> MapWriter:
    """write_map(nodes, ways, relations, name="town.osm.pbf") -> the extract's path."""
    osmium: Any = pytest.importorskip("osmium", reason="pip install 'hearthway[map]'")

    def write(
        nodes: Sequence[NodeSpec],
        ways: Sequence[WaySpec] = (),
        relations: Sequence[RelationSpec] = (),
        name: str = "town.osm.pbf",
    ) -> Path:
        path = tmp_path / name
        mutable = osmium.osm.mutable
        with osmium.SimpleWriter(str(path), overwrite=True) as writer:
            for number, lat, lon, tags in nodes:
                writer.add_node(mutable.Node(id=number, location=(lon, lat), tags=dict(tags)))
            for number, refs, tags in ways:
                writer.add_way(mutable.Way(id=number, nodes=list(refs), tags=dict(tags)))
            for number, members, tags in relations:
                writer.add_relation(
                    mutable.Relation(id=number, members=list(members), tags=dict(tags))
                )
        return path

    return write
