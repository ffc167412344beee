"""Search over the POIs of an atlas: a grid in SQLite, cells cached as they are first seen."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from math import ceil, cos, floor, radians
from struct import iter_unpack

import msgspec
from msgspec import UNSET

from hearthway.records.geo import METRES_PER_DEGREE, distance_m, valid_point
from hearthway.records.poi import Opening, Poi

from .outlines import outline_m, segment_m
from .schema import cell_of, damaged

NAME_RADIUS_M = 120.0
BIG_SHOP_M2 = 1_500.0
# How many metres farther than a mall another kind may be and still lose to it.
NAME_HANDICAP_M = {"mall": 0.0, "department_store": 20.0, "supermarket": 60.0, "shop": 60.0}
IN_CELL = "SELECT * FROM poi WHERE cell_y = ? AND cell_x = ? ORDER BY osm_id"
IN_BOX = "SELECT * FROM poi WHERE cell_y BETWEEN ? AND ? AND cell_x BETWEEN ? AND ? ORDER BY osm_id"
POWERS = "SELECT poi, kw FROM power"
HAS_POWERS = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'power'"
BY_ID = "SELECT * FROM poi WHERE osm_id = ?"


class Stored(msgspec.Struct, frozen=True):
    """A POI and what its record does not carry."""

    poi: Poi
    number: int
    reach_m: float
    area_m2: float


class Pois:
    """The PoiIndex of an atlas (a protocol of records.poi), with the owner's corrections laid over it."""

    def __init__(
        self,
        db: sqlite3.Connection,
        lock: threading.Lock,
        bounds: tuple[float, float, float, float],
        corrected: Mapping[str, str],
    ) -> None:
        self._db = db
        self._lock = lock
        self._bounds = bounds
        self._corrected = dict(corrected)
        self._cell = lru_cache(maxsize=4096)(self._load_cell)
        self._covered = lru_cache(maxsize=65_536)(self._load_covered)
        self._outline = lru_cache(maxsize=1024)(self._load_outline)

    def _rows(self, sql: str, values: tuple[object, ...]) -> list[tuple[object, ...]]:
        try:
            with self._lock:
                return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as why:
            raise damaged(why) from None

    @cached_property
    def _powers(self) -> dict[int, float]:
        if not self._rows(HAS_POWERS, ()):
            return {}
        return {int(str(poi)): float(str(kw)) for poi, kw in self._rows(POWERS, ())}

    def _stored(self, row: tuple[object, ...]) -> Stored:
        number, osm_id, kind, name, lat, lon, _, _, cuisines, opening_hours, brand = row[:11]
        reach_m, area_m2 = row[11:]
        known_kw = self._powers.get(int(str(number))) if kind == "charger" else None
        poi = Poi(
            osm_id=str(osm_id),
            kind=str(kind),
            name=str(name),
            lat=int(str(lat)) / 1e7,
            lon=int(str(lon)) / 1e7,
            cuisines=tuple(part for part in str(cuisines).split(";") if part),
            opening_hours=self._corrected.get(str(osm_id), str(opening_hours)),
            brand=str(brand),
            power_kw=UNSET if known_kw is None else known_kw,
        )
        return Stored(poi, int(str(number)), float(str(reach_m)), float(str(area_m2)))

    def _select(self, sql: str, values: tuple[object, ...]) -> tuple[Stored, ...]:
        return tuple(self._stored(row) for row in self._rows(sql, values))

    def _load_cell(self, y: int, x: int) -> tuple[Stored, ...]:
        return self._select(IN_CELL, (y, x))

    def _load_covered(self, y: int, x: int) -> bool:
        return bool(
            self._rows(
                "SELECT 1 FROM cell WHERE y BETWEEN ? AND ? AND x BETWEEN ? AND ? LIMIT 1",
                (y - 1, y + 1, x - 1, x + 1),
            )
        )

    def _load_outline(self, number: int) -> list[list[tuple[float, float]]]:
        rings = self._rows("SELECT points FROM outline WHERE poi = ? ORDER BY ring", (number,))
        found = []
        for (blob,) in rings:
            if not isinstance(blob, bytes) or len(blob) % 8:
                raise damaged("an outline is cut short")
            found.append([(y / 1e7, x / 1e7) for y, x in iter_unpack("<ii", blob)])
        return found

    def _box(self, south: float, west: float, north: float, east: float) -> Iterator[Stored]:
        low_y, high_y = cell_of(floor(south * 1e7)), cell_of(ceil(north * 1e7))
        low_x, high_x = cell_of(floor(west * 1e7)), cell_of(ceil(east * 1e7))
        if (high_y - low_y + 1) * (high_x - low_x + 1) > 400:  # one query beats many small ones
            yield from self._select(IN_BOX, (low_y, high_y, low_x, high_x))
            return
        for y in range(low_y, high_y + 1):
            for x in range(low_x, high_x + 1):
                yield from self._cell(y, x)

    def _around(self, lat: float, lon: float, radius_m: float) -> Iterator[Stored]:
        north, east = _degrees(lat, radius_m)
        return self._box(lat - north, lon - east, lat + north, lon + east)

    def named(self, name: str, lat: float, lon: float, within_m: float) -> list[Poi]:
        """POIs with exactly this name (any case) within `within_m`, by distance then osm_id."""
        wanted = name.casefold()
        found = []
        for stored in self._around(lat, lon, within_m):
            poi = stored.poi
            apart_m = distance_m(lat, lon, poi.lat, poi.lon)
            if poi.name.casefold() == wanted and apart_m <= within_m:
                found.append((apart_m, poi.osm_id, poi))
        return [poi for _, _, poi in sorted(found, key=lambda item: item[:2])]

    def near(self, lat: float, lon: float, radius_m: float, kinds: Sequence[str]) -> list[Poi]:
        """POIs of `kinds` within `radius_m`, by distance then osm_id; empty off the map."""
        if not valid_point(lat, lon) or not radius_m >= 0:
            return []
        wanted = frozenset(kinds)
        radius_m = min(radius_m, 1e6)
        north, east = _degrees(lat, radius_m)
        found = []
        for stored in self._around(lat, lon, radius_m):
            poi = stored.poi
            # Most of what lies in the same cells is out of the box, which costs less to see than a distance.
            if abs(poi.lat - lat) > north or abs(poi.lon - lon) > east or poi.kind not in wanted:
                continue
            apart_m = distance_m(lat, lon, poi.lat, poi.lon)
            if apart_m <= radius_m:
                found.append((apart_m, poi.osm_id, poi))
        found.sort(key=lambda item: item[:2])
        return [poi for _, _, poi in found]

    def along(
        self, points: Sequence[tuple[float, float]], corridor_m: float, kinds: Sequence[str]
    ) -> list[Poi]:
        """POIs of `kinds` within `corridor_m` of a polyline, by distance to it then osm_id."""
        line = [point for point in points if valid_point(*point)]
        if not line or not corridor_m >= 0:
            return []
        wanted = frozenset(kinds)
        best: dict[str, tuple[float, Poi]] = {}
        for a, b in zip(line, line[1:] or line, strict=False):
            reach = corridor_m / METRES_PER_DEGREE
            wide = reach / max(0.01, cos(radians(min(89.0, max(abs(a[0]), abs(b[0])) + reach))))
            south, north = min(a[0], b[0]) - reach, max(a[0], b[0]) + reach
            west, east = min(a[1], b[1]) - wide, max(a[1], b[1]) + wide
            for stored in self._box(south, west, north, east):
                poi = stored.poi
                # As in `near`: of a street's many short pieces each sees its cells whole, and they are far larger.
                if not (south <= poi.lat <= north and west <= poi.lon <= east):
                    continue
                if poi.kind not in wanted:
                    continue
                apart_m = segment_m(poi.lat, poi.lon, a, b)
                known = best.get(poi.osm_id)
                if apart_m <= corridor_m and (known is None or apart_m < known[0]):
                    best[poi.osm_id] = (apart_m, poi)
        order = sorted((apart_m, osm_id) for osm_id, (apart_m, _) in best.items())
        return [best[osm_id][1] for _, osm_id in order]

    def get(self, osm_id: str) -> Poi | None:
        """The POI with this id, or None."""
        found = self._select(BY_ID, (osm_id,))
        return found[0].poi if found else None

    def opening(self, poi: Poi, at_s: float) -> Opening:
        """Opening at Unix time `at_s` in the POI's own zone; the owner's correction goes first."""
        from .hours import opening_at  # its library is loaded by who asks, not by who lies idle

        expression = self._corrected.get(poi.osm_id, poi.opening_hours)
        return opening_at(expression, poi.lat, poi.lon, at_s)

    def covers(self, lat: float, lon: float) -> bool:
        """Is this point on the map (inside its bounds, and within about 1 km of anything on it)?"""
        if not valid_point(lat, lon):
            return False
        south, west, north, east = self._bounds
        if not (south <= lat <= north and west <= lon <= east):
            return False
        return self._covered(cell_of(round(lat * 1e7)), cell_of(round(lon * 1e7)))

    def place_name(self, lat: float, lon: float) -> str | None:
        """What people call this spot: the mall, department store or big shop within 120 m, or None."""
        if not valid_point(lat, lon):
            return None
        best: tuple[float, str, str] | None = None
        for stored in self._around(lat, lon, 1_000.0):
            poi = stored.poi
            handicap_m = NAME_HANDICAP_M.get(poi.kind)
            if handicap_m is None or not poi.name:
                continue
            if poi.kind == "shop" and stored.area_m2 < BIG_SHOP_M2:
                continue
            apart_m = distance_m(lat, lon, poi.lat, poi.lon)
            if apart_m > stored.reach_m + NAME_RADIUS_M:
                continue
            rings = self._outline(stored.number)
            if rings:
                apart_m = outline_m(lat, lon, rings)
            if apart_m > NAME_RADIUS_M:
                continue
            candidate = (apart_m + handicap_m, poi.osm_id, poi.name)
            if best is None or candidate < best:
                best = candidate
        return None if best is None else best[2]


def _degrees(lat: float, radius_m: float) -> tuple[float, float]:
    """How far north and how far east a circle about a point at `lat` reaches, at least."""
    north = radius_m / METRES_PER_DEGREE
    return north, north / max(0.01, cos(radians(min(89.0, abs(lat) + north))))
