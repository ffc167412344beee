"""Reads an OpenStreetMap extract in a few streaming passes. The only module that needs osmium.

Memory grows with the drivable roads and the POIs, and for small extracts with their nodes.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hearthway.records.errors import MapError

from . import tags as meaning

Ints = npt.NDArray[np.int64]
Progress = Callable[[str], None]
CHUNK = 1 << 18  # nodes matched at a time
TABLE_UP_TO_BYTES = 150 << 20  # of extract: then the table of its nodes takes about twice that
DOWNLOAD = "Download the extract again (for example from download.geofabrik.de) and retry."


class Thing(NamedTuple):
    """A POI as the extract has it: a point (node) or rings of node ids (way, relation)."""

    osm_id: str
    kind: str
    tags: dict[str, str]
    point: tuple[int, int] | None
    rings: tuple[tuple[int, ...], ...]


class RawRoads(NamedTuple):
    """Drivable ways: node references in one array, way i being refs[starts[i]:starts[i + 1]]."""

    refs: Ints
    starts: Ints
    speed_dkmh: Ints
    forward: npt.NDArray[np.bool_]
    backward: npt.NDArray[np.bool_]


class Extract(NamedTuple):
    """Everything an atlas needs. `ids` is sorted; lat/lon (1e-7 degrees) are aligned with it."""

    things: list[Thing]
    roads: RawRoads
    blocked: Ints  # nodes a car cannot pass
    ids: Ints
    lat: Ints
    lon: Ints
    bounds: tuple[int, int, int, int] | None  # south, west, north, east, as the header says
    nodes_read: int
    missing: int  # node references that the extract does not hold (its cut edge)


def _osmium() -> Any:
    try:
        import osmium  # the extra "map": a node that carries a finished atlas does not need it
    except ImportError:
        raise MapError(
            "Building an atlas needs the osmium package, which is not installed.",
            "Run: pip install 'hearthway[map]'",
        ) from None
    return osmium


@contextmanager
def _readable(pbf: Path) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError, OSError, UnicodeDecodeError) as why:
        what = str(why).rstrip(".")  # osmium's own words end in one
        raise MapError(
            f"{pbf} is not a readable OpenStreetMap extract: {what}.", DOWNLOAD
        ) from None


def _check(pbf: Path) -> None:
    if not pbf.is_file():
        raise MapError(f"There is no map extract at {pbf}.", "Check the path.")
    try:
        with pbf.open("rb") as file:
            empty = not file.read(1)
    except OSError as why:
        raise MapError(f"{pbf} cannot be read: {why.strerror}.", "Check its permissions.") from None
    if empty:
        raise MapError(f"{pbf} is empty.", DOWNLOAD)


def _tags(element: Any) -> dict[str, str]:
    return {tag.k: tag.v for tag in element.tags}


def _kept(tags: dict[str, str]) -> dict[str, str]:
    return {key: tags[key] for key in tags if key in meaning.USED or meaning.tells_power(key)}


def _areas(
    osmium: Any, source: str
) -> tuple[list[tuple[str, str, dict[str, str], list[int]]], set[int]]:
    """POI relations with the ways of their outer rings, and the set of those ways."""
    found = []
    wanted: set[int] = set()
    processor = osmium.FileProcessor(source, osmium.osm.RELATION)
    for relation in processor.with_filter(osmium.filter.KeyFilter("amenity", "shop")):
        tags = _tags(relation)
        kind = meaning.poi_kind(tags)
        if kind is None or tags.get("type") not in ("multipolygon", "building", "site"):
            continue
        outer = [
            m.ref for m in relation.members if m.type == "w" and m.role in ("outer", "outline", "")
        ]
        found.append((f"relation/{relation.id}", kind, _kept(tags), outer))
        wanted.update(outer)
    return found, wanted


def _join_rings(ways: list[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    """Ways of a relation joined end to end; what does not close stays open."""
    rings: list[tuple[int, ...]] = []
    left = [list(way) for way in ways if len(way) > 1]
    while left:
        ring = left.pop(0)
        grown = True
        while grown and ring[0] != ring[-1]:
            grown = False
            for index, way in enumerate(left):
                if way[0] == ring[-1]:
                    ring += way[1:]
                elif way[-1] == ring[-1]:
                    ring += way[-2::-1]
                else:
                    continue
                left.pop(index)
                grown = True
                break
        rings.append(tuple(ring))
    return tuple(rings)


def _member_ways(osmium: Any, source: str, wanted: set[int]) -> dict[int, tuple[int, ...]]:
    if not wanted:
        return {}
    processor = osmium.FileProcessor(source, osmium.osm.WAY)
    processor = processor.with_filter(osmium.filter.IdFilter(sorted(wanted)))
    return {way.id: tuple(node.ref for node in way.nodes) for way in processor}


def _ways(osmium: Any, source: str) -> tuple[RawRoads, list[Thing]]:
    refs, starts, speeds = array("q"), array("q", [0]), array("q")
    forward, backward = array("b"), array("b")
    things: list[Thing] = []
    processor = osmium.FileProcessor(source, osmium.osm.WAY)
    keys = osmium.filter.KeyFilter("highway", "route", "amenity", "shop")
    for way in processor.with_filter(keys):
        tags = _tags(way)
        drivable = meaning.road(tags)
        if drivable is not None:
            refs.extend([node.ref for node in way.nodes])
            starts.append(len(refs))
            speeds.append(drivable.speed_dkmh)
            forward.append(drivable.direction.forward)
            backward.append(drivable.direction.backward)
        kind = meaning.poi_kind(tags)
        if kind is not None:
            ring = tuple(node.ref for node in way.nodes)
            things.append(Thing(f"way/{way.id}", kind, _kept(tags), None, (ring,)))
    roads = RawRoads(
        np.array(refs, dtype=np.int64),
        np.array(starts, dtype=np.int64),
        np.array(speeds, dtype=np.int64),
        np.array(forward, dtype=np.bool_),
        np.array(backward, dtype=np.bool_),
    )
    return roads, things


def _tagged_nodes(osmium: Any, source: str) -> tuple[list[Thing], Ints]:
    things: list[Thing] = []
    blocked: list[int] = []
    processor = osmium.FileProcessor(source, osmium.osm.NODE)
    for node in processor.with_filter(osmium.filter.KeyFilter("amenity", "shop", "barrier")):
        tags = _tags(node)
        if meaning.barrier_blocks(tags):
            blocked.append(node.id)
        kind = meaning.poi_kind(tags)
        if kind is not None and node.location.valid():
            point = (_unit(node.lat), _unit(node.lon))
            things.append(Thing(f"node/{node.id}", kind, _kept(tags), point, ()))
    return things, np.array(sorted(blocked), dtype=np.int64)


def _unit(degrees: float) -> int:
    return round(degrees * 1e7)


Coordinates = tuple[Ints, Ints, Ints, int]  # sorted ids, lat, lon, nodes read


def _coordinates(osmium: Any, source: Path, wanted: Ints) -> Coordinates:
    """Coordinates of the wanted nodes, by sorted id."""
    small = source.stat().st_size <= TABLE_UP_TO_BYTES
    if small and (len(wanted) == 0 or wanted[0] > 0):
        found = _from_table(osmium, str(source), wanted)
        if 2 * len(found[0]) >= len(wanted):
            return found
    return _one_by_one(osmium, str(source), wanted)


def _from_table(osmium: Any, source: str, wanted: Ints) -> Coordinates:
    """By osmium's own table of all nodes: 20 times as fast, 16 bytes a node, positive ids only."""
    table = osmium.index.create_map("sparse_mem_array")
    keeper = osmium.NodeLocationsForWays(table)
    keeper.ignore_errors()
    with osmium.io.Reader(source, osmium.osm.NODE | osmium.osm.WAY) as reader:
        osmium.apply(reader, keeper)  # ways as well: the first one sorts a table out of order
    ids, lats, lons = array("q"), array("q"), array("q")
    for node in wanted.tolist():
        try:
            location = table.get(node)
        except KeyError:
            continue
        if location.valid():
            ids.append(node)
            lats.append(location.y)
            lons.append(location.x)
    return (
        *(np.array(column, dtype=np.int64) for column in (ids, lats, lons)),
        table.used_memory() // 16,
    )


def _one_by_one(osmium: Any, source: str, wanted: Ints) -> Coordinates:
    """In chunks, keeping only what is wanted: slow, but small for an extract of any size or order."""
    ids, lats, lons = array("q"), array("q"), array("q")
    kept: list[tuple[Ints, Ints, Ints]] = []
    read = 0

    def flush() -> None:
        nonlocal ids, lats, lons
        chunk = np.array(ids, dtype=np.int64)
        at = np.searchsorted(wanted, chunk)
        at[at == len(wanted)] = 0
        hit = wanted[at] == chunk if len(wanted) else np.zeros(len(chunk), dtype=np.bool_)
        lat, lon = np.array(lats, dtype=np.int64), np.array(lons, dtype=np.int64)
        kept.append((chunk[hit], lat[hit], lon[hit]))
        ids, lats, lons = array("q"), array("q"), array("q")

    for node in osmium.FileProcessor(source, osmium.osm.NODE):
        read += 1
        location = node.location
        if not location.valid():
            continue
        ids.append(node.id)
        lats.append(location.y)
        lons.append(location.x)
        if len(ids) >= CHUNK:
            flush()
    flush()
    found, lat, lon = (np.concatenate([part[i] for part in kept]) for i in range(3))
    unique, first = np.unique(found, return_index=True)  # a history file repeats its nodes
    return unique, lat[first], lon[first], read


def _bounds(osmium: Any, source: str) -> tuple[int, int, int, int] | None:
    box = osmium.io.Reader(source, osmium.osm.NOTHING).header().box()
    if not box.valid():
        return None
    low, high = box.bottom_left, box.top_right
    return low.y, low.x, high.y, high.x


def read(pbf: Path, progress: Progress) -> Extract:
    """Everything an atlas needs from `pbf`; MapError when it is not a readable extract."""
    osmium = _osmium()
    _check(pbf)
    source = str(pbf)
    with _readable(pbf):
        bounds = _bounds(osmium, source)
        progress("reading areas")
        relations, member_ids = _areas(osmium, source)
        members = _member_ways(osmium, source, member_ids)
        progress("reading roads")
        roads, things = _ways(osmium, source)
        progress("reading places")
        points, blocked = _tagged_nodes(osmium, source)
        things += points
        for osm_id, kind, tags, outer in relations:
            rings = _join_rings([members[ref] for ref in outer if ref in members])
            if rings:
                things.append(Thing(osm_id, kind, tags, None, rings))
        corners = [ref for thing in things for ring in thing.rings for ref in ring]
        wanted = np.unique(np.concatenate([roads.refs, np.array(corners, dtype=np.int64)]))
        progress("reading coordinates")
        ids, lat, lon, read_count = _coordinates(osmium, pbf, wanted)
    if read_count == 0:
        raise MapError(f"{pbf} holds no nodes, so it maps nothing.", DOWNLOAD)
    things.sort(key=lambda thing: thing.osm_id)
    return Extract(
        things, roads, blocked, ids, lat, lon, bounds, read_count, len(wanted) - len(ids)
    )
