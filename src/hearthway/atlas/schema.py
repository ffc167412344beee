"""The atlas file: one SQLite database. Coordinates are integers of 1e-7 degrees, as in OpenStreetMap."""

from __future__ import annotations

from hearthway.records.errors import MapError

APPLICATION_ID = 0x48574154  # "HWAT"
VERSION = 1
ATTRIBUTION = "© OpenStreetMap contributors, ODbL"
UNIT = 1e-7  # degrees
CELL = 50_000  # 0.005 degrees, about 550 m north-south
OSM_TYPES = ("node", "way", "relation")

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE poi (
    id INTEGER PRIMARY KEY,
    osm_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    lat INTEGER NOT NULL,
    lon INTEGER NOT NULL,
    cell_y INTEGER NOT NULL,
    cell_x INTEGER NOT NULL,
    cuisines TEXT NOT NULL,
    opening_hours TEXT NOT NULL,
    brand TEXT NOT NULL,
    reach_m REAL NOT NULL,  -- from its point to the farthest corner of its outline; 0 for a node
    area_m2 REAL NOT NULL
) STRICT;
CREATE INDEX poi_cell ON poi (cell_y, cell_x);
-- One row a ring: int32 little-endian pairs lat, lon.
CREATE TABLE outline (
    poi INTEGER NOT NULL REFERENCES poi (id),
    ring INTEGER NOT NULL,
    points BLOB NOT NULL,
    PRIMARY KEY (poi, ring)
) STRICT, WITHOUT ROWID;
-- Cells in which the extract has any road or POI: what the map covers.
CREATE TABLE cell (y INTEGER NOT NULL, x INTEGER NOT NULL, PRIMARY KEY (y, x)) STRICT, WITHOUT ROWID;
-- The road graph as little-endian arrays; see graph.Roads.
CREATE TABLE road (name TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""

# Only in an atlas of which any charger tells its power: those made before read on, and the same extract gives the same bytes.
POWER = "CREATE TABLE power (poi INTEGER PRIMARY KEY REFERENCES poi (id), kw REAL NOT NULL) STRICT"


def cell_of(coordinate: int) -> int:
    """The cell of a coordinate in 1e-7 degrees."""
    return coordinate // CELL


REBUILD = "Build the atlas again: hearthway map build EXTRACT.osm.pbf"


def damaged(why: object) -> MapError:
    """The error of an atlas whose file does not read as it should."""
    return MapError(f"The atlas is damaged: {why}.", REBUILD)
