"""The atlas as something to draw: roads and food POIs inside a box, thinned to what a screen can show."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hearthway.atlas.schema import APPLICATION_ID, UNIT
from hearthway.records.errors import MapError
from hearthway.records.page import MapShapes, RoadShape
from hearthway.records.poi import FOOD, Poi

MAX_POINTS = 30_000
MAX_POIS = 600
SCREEN_PX = 900.0
# The atlas keeps how fast a road is driven, not its class: 26 km/h is about a main street in a town, 20 a collecting one.
LEVELS_DKMH = (260, 200)

_POIS = (
    "SELECT osm_id, kind, name, lat, lon FROM poi WHERE lat BETWEEN ? AND ? AND lon BETWEEN ? AND ? "  # noqa: S608  # what is put in are question marks
    f"AND kind IN ({', '.join('?' * len(FOOD))}) ORDER BY id LIMIT {MAX_POIS}"
)
_COLUMNS = {"speed_dkmh": "<i2", "shape": "<i4", "lat": "<i4", "lon": "<i4"}


class MapDrawer:
    """Draws an atlas file. `inside` blocks for milliseconds: call it off the event loop."""

    def __init__(self, path: Path) -> None:
        """Opens the atlas; MapError where it is none. Blocks while it reads the roads."""
        self._lock = threading.Lock()
        if not path.is_file():
            raise MapError(f"There is no atlas at {path}.", "Make one with `hearthway map build`.")
        try:
            uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
            self._db = sqlite3.connect(uri, uri=True, check_same_thread=False)
            if self._db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                raise MapError(f"{path} is no atlas.", "Make one with `hearthway map build`.")
            meta = dict(self._db.execute("SELECT key, value FROM meta"))
            blobs = dict(self._db.execute("SELECT name, data FROM road"))
            arrays = {name: np.frombuffer(blobs[name], dtype) for name, dtype in _COLUMNS.items()}
        except (sqlite3.Error, KeyError, ValueError) as why:
            raise MapError(
                f"The atlas {path} cannot be drawn: {why}.",
                "Make it again with `hearthway map build`.",
            ) from None
        self.attribution = str(meta.get("attribution", ""))
        self._shape = arrays["shape"].astype(np.int64)
        self._lat, self._lon = arrays["lat"].astype(np.int64), arrays["lon"].astype(np.int64)
        speed = arrays["speed_dkmh"]
        self._level = np.where(speed >= LEVELS_DKMH[0], 0, np.where(speed >= LEVELS_DKMH[1], 1, 2))
        starts = self._shape[:-1]
        if len(starts):
            self._south, self._north = (
                f.reduceat(self._lat, starts) for f in (np.minimum, np.maximum)
            )
            self._west, self._east = (
                f.reduceat(self._lon, starts) for f in (np.minimum, np.maximum)
            )

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def inside(self, south: float, west: float, north: float, east: float) -> MapShapes:
        """What is drawn inside a box of degrees: the large roads first, small ones while they fit."""
        box = [round(edge / UNIT) for edge in (south, west, north, east)]
        return MapShapes(
            roads=self._roads(*box), pois=self._pois(*box), attribution=self.attribution
        )

    def whole(
        self, south: float, west: float, north: float, east: float, most_points: int
    ) -> MapShapes:
        """The roads inside a box, for a picture that stays as it is: a level is drawn everywhere or nowhere; no POIs.

        `east` goes beyond 180 where the box crosses the date line.
        """
        boxes = [(west, east)] if east <= 180.0 else [(west, 180.0), (-180.0, east - 360.0)]
        roads: list[RoadShape] = []
        for level in range(3):
            for from_lon, to_lon in boxes:
                box = [round(edge / UNIT) for edge in (south, from_lon, north, to_lon)]
                seen, apart = self._seen(*box)
                room = most_points - sum(len(road.points) for road in roads)
                for road in self._of(level, seen, apart):
                    room -= len(road.points)
                    if room < 0:
                        kept = tuple(one for one in roads if one.level < level)
                        return MapShapes(roads=kept, attribution=self.attribution)
                    roads.append(road)
        return MapShapes(roads=tuple(roads), attribution=self.attribution)

    def _roads(self, south: int, west: int, north: int, east: int) -> tuple[RoadShape, ...]:
        seen, apart = self._seen(south, west, north, east)
        roads: list[RoadShape] = []
        room = MAX_POINTS
        for level in range(3):
            for road in self._of(level, seen, apart):
                room -= len(road.points)
                if room < 0:
                    return tuple(roads)
                roads.append(road)
        return tuple(roads)

    def _seen(
        self, south: int, west: int, north: int, east: int
    ) -> tuple[npt.NDArray[np.int64], float]:
        """Roads that may be seen in the box, and how near points are one: within a pixel."""
        if len(self._shape) < 2:
            return np.empty(0, np.int64), 0.0
        inside = (self._north >= south) & (self._south <= north)
        seen = np.flatnonzero(inside & (self._east >= west) & (self._west <= east))
        return seen, (north - south) / SCREEN_PX

    def _of(self, level: int, seen: npt.NDArray[np.int64], apart: float) -> Iterator[RoadShape]:
        for chain in seen[self._level[seen] == level].tolist():
            start, end = int(self._shape[chain]), int(self._shape[chain + 1])
            yield RoadShape(level=level, points=self._points(start, end, apart))

    def _points(self, start: int, end: int, apart: float) -> tuple[tuple[float, float], ...]:
        lat, lon = self._lat[start:end], self._lon[start:end]
        if end - start > 2:
            keep = _thinned(lat, lon, apart)
            lat, lon = lat[keep], lon[keep]
        return tuple(zip((lat * UNIT).tolist(), (lon * UNIT).tolist(), strict=True))

    def _pois(self, south: int, west: int, north: int, east: int) -> tuple[Poi, ...]:
        try:
            with self._lock:
                rows = self._db.execute(_POIS, (south, north, west, east, *FOOD)).fetchall()
        except sqlite3.Error as why:
            raise MapError(
                f"The atlas cannot be drawn: {why}.", "Make it again with `hearthway map build`."
            ) from None
        return tuple(
            Poi(osm_id=osm_id, kind=kind, name=name, lat=lat * UNIT, lon=lon * UNIT)
            for osm_id, kind, name, lat, lon in rows
        )


def _thinned(
    lat: npt.NDArray[np.int64], lon: npt.NDArray[np.int64], apart: float
) -> npt.NDArray[np.int64]:
    """Positions of points at least `apart` from the one kept before; both ends stay."""
    way = np.cumsum(np.hypot(np.diff(lat), np.diff(lon) * 0.5))
    step = np.floor(way / max(apart, 1.0))
    inner = 1 + np.flatnonzero(np.diff(step) > 0)
    return np.concatenate(([0], inner, [len(lat) - 1]))
