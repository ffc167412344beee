"""Builds an atlas from an extract: read, shape, write beside the target, rename."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from msgspec import Struct

from hearthway.records.errors import MapError
from hearthway.records.poi import FOOD

from . import extract as extracting
from . import graph, places, schema
from .arrays import Roads


class BuildReport(Struct, frozen=True, kw_only=True):
    """What a build found. `notes` are sentences for the person."""

    name: str
    pois: dict[str, int]
    food: int
    food_with_hours: int
    roads: int  # chains between junctions
    road_km: float
    nodes_read: int
    missing_nodes: int
    doubles: int
    size_bytes: int
    notes: tuple[str, ...] = ()


def _quiet(_: str) -> None:
    return None


def build(
    pbf: Path, out: Path, progress: Callable[[str], None] | None = None, *, name: str = ""
) -> BuildReport:
    """Writes the atlas of the extract `pbf` to `out`, atomically; an earlier atlas survives a failure.

    MapError for an unreadable extract, a missing osmium or an unwritable target. The same extract
    gives the same bytes. `progress` gets a phrase per stage.
    """
    tell = progress or _quiet
    if out.exists() and pbf.exists() and out.samefile(pbf):
        raise MapError(
            f"The atlas would overwrite its own extract {pbf}.", "Give the atlas another name."
        )
    if out.exists() and not (out.is_file() or out.is_dir()):  # it would be one no more
        raise MapError(f"{out} is no file that an atlas could be.", "Name another, to be made.")
    extract = extracting.read(pbf, tell)
    tell("joining roads")
    roads = graph.build(extract)
    rows, doubles = places.rows(extract)
    title = name or pbf.name.removesuffix(".pbf").removesuffix(".osm")
    tell("writing")
    size = _write_atomically(out, title, extract, roads, rows)
    report = _report(title, extract, roads, rows, doubles, size)
    tell("done")
    return report


def _report(
    title: str,
    extract: extracting.Extract,
    roads: Roads,
    rows: list[places.PoiRow],
    doubles: int,
    size: int,
) -> BuildReport:
    kinds = Counter(row.kind for row in rows)
    food = [row for row in rows if row.kind in FOOD]
    with_hours = sum(1 for row in food if row.opening_hours)
    notes = []
    if not food:
        notes.append("The extract holds no place to eat: nothing can be suggested on this map.")
    elif not with_hours:
        notes.append('No place to eat has opening hours on this map: all read "hours unknown".')
    if len(roads.tail) == 0:
        notes.append(
            "The extract holds no connected drivable roads: routes are bee-line estimates."
        )
    return BuildReport(
        name=title,
        pois=dict(sorted(kinds.items())),
        food=len(food),
        food_with_hours=with_hours,
        roads=len(roads.tail),
        road_km=round(float(roads.length_m.sum(dtype=np.float64)) / 1000, 1),
        nodes_read=extract.nodes_read,
        missing_nodes=extract.missing,
        doubles=doubles,
        size_bytes=size,
        notes=tuple(notes),
    )


def _write_atomically(
    out: Path,
    title: str,
    extract: extracting.Extract,
    roads: Roads,
    rows: list[places.PoiRow],
) -> int:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
        os.close(handle)
    except OSError as why:
        raise MapError(
            f"The atlas cannot be written to {out.parent}: {why.strerror}.",
            "Choose a folder you may write to.",
        ) from None
    part = Path(temporary)
    try:
        _write(part, title, extract, roads, rows)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.chmod(0o644)
        size = part.stat().st_size
        part.replace(out)
    except (OSError, sqlite3.Error) as why:
        raise MapError(
            f"The atlas could not be written to {out}: {why}.",
            "Is the disk full? Free some space and retry; an earlier atlas there is untouched.",
        ) from None
    finally:
        part.unlink(missing_ok=True)
    return size


def _write(
    path: Path,
    title: str,
    extract: extracting.Extract,
    roads: Roads,
    rows: list[places.PoiRow],
) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {schema.VERSION}")
        db.execute("BEGIN")
        for statement in schema.TABLES.split(";\n"):
            db.execute(statement)
        _write_pois(db, rows)
        for array_name, array in roads._asdict().items():
            little = array.astype(array.dtype.newbyteorder("<"))
            db.execute("INSERT INTO road VALUES (?, ?)", (array_name, little.tobytes()))
        db.executemany("INSERT INTO cell VALUES (?, ?)", _cells(roads, rows))
        south, west, north, east = _bounds(extract, roads, rows)
        meta = {
            "attribution": schema.ATTRIBUTION,
            "bounds": f"{south} {west} {north} {east}",
            "name": title,
        }
        db.executemany("INSERT INTO meta VALUES (?, ?)", sorted(meta.items()))
        db.execute("COMMIT")
        db.execute("VACUUM")
    finally:
        db.close()


def _write_pois(db: sqlite3.Connection, rows: list[places.PoiRow]) -> None:
    for number, row in enumerate(rows, 1):
        db.execute(
            "INSERT INTO poi VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                number,
                row.osm_id,
                row.kind,
                row.name,
                row.lat,
                row.lon,
                schema.cell_of(row.lat),
                schema.cell_of(row.lon),
                ";".join(row.cuisines),
                row.opening_hours,
                row.brand,
                row.reach_m,
                row.area_m2,
            ),
        )
        for ring_number, ring in enumerate(row.rings):
            points = np.array(ring, dtype="<i4").tobytes()
            db.execute("INSERT INTO outline VALUES (?, ?, ?)", (number, ring_number, points))
    powers = [(n, row.power_kw) for n, row in enumerate(rows, 1) if row.power_kw is not None]
    if powers:
        db.execute(schema.POWER)
        db.executemany("INSERT INTO power VALUES (?, ?)", powers)


def _cells(roads: Roads, rows: list[places.PoiRow]) -> list[tuple[int, int]]:
    lat = np.concatenate([roads.lat, np.array([row.lat for row in rows], dtype=np.int32)])
    lon = np.concatenate([roads.lon, np.array([row.lon for row in rows], dtype=np.int32)])
    cells = np.unique(np.stack([lat // schema.CELL, lon // schema.CELL], axis=1), axis=0)
    return [(int(y), int(x)) for y, x in cells]


def _bounds(
    extract: extracting.Extract, roads: Roads, rows: list[places.PoiRow]
) -> tuple[int, int, int, int]:
    """What the extract says of itself, else what it holds."""
    if extract.bounds is not None:
        return extract.bounds
    lats = np.concatenate([roads.lat, np.array([row.lat for row in rows], dtype=np.int32)])
    lons = np.concatenate([roads.lon, np.array([row.lon for row in rows], dtype=np.int32)])
    if len(lats) == 0:
        return 0, 0, 0, 0
    return int(lats.min()), int(lons.min()), int(lats.max()), int(lons.max())
