"""An atlas as opened: the POIs, the roads, and what it says of itself."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hearthway.records.errors import InputError, MapError
from hearthway.records.poi import FOOD, Detour, Opening, Poi, Route

from . import schema
from .columns import checked, columns, count
from .pois import Pois
from .schema import REBUILD, damaged

if TYPE_CHECKING:
    from .roads import RoadNetwork

BUNDLED = Path(__file__).parent / "data" / "helsinki.atlas"
CHECKED_UP_TO_BYTES = 64 << 20  # a whole check of a bigger file would delay the start of a node


class Database(sqlite3.Connection):
    """A connection that closes itself: an atlas is shared, and nobody in particular puts it away."""

    def __del__(self) -> None:
        with suppress(sqlite3.Error):
            self.close()


class Ways:
    """An atlas's roads: checked when it is opened, made ready for routing by who asks for the first way."""

    def __init__(self, data: dict[str, bytes]) -> None:
        self.chains = count(data)
        self._data: dict[str, bytes] | None = data
        self._network: RoadNetwork | None = None
        self._lock = threading.Lock()

    def network(self) -> RoadNetwork:
        """Ready for routing."""
        with self._lock:
            if self._network is None:
                from .roads import RoadNetwork

                self._network = RoadNetwork(columns(self._data or {}))
                self._data = None
            return self._network


class Atlas:
    """A map a household carries. It is a PoiIndex (also `.pois`); its RoadGraph is `.roads`."""

    def __init__(
        self,
        db: sqlite3.Connection,
        path: Path,
        meta: Mapping[str, str],
        ways: Ways,
        corrected: Mapping[str, str],
        lock: threading.Lock,
    ) -> None:
        self._db, self._lock, self._meta = db, lock, dict(meta)
        self._corrected = dict(corrected)
        self.path = path
        self.name = self._meta["name"]
        self.attribution = self._meta["attribution"]
        self.bounds = _bounds(self._meta["bounds"])
        self._ways = ways
        self.pois = Pois(db, lock, self.bounds, self._corrected)

    @property
    def roads(self) -> RoadNetwork:
        """The RoadGraph; the first who asks waits until it is ready (0.1 s for a city)."""
        return self._ways.network()

    def roads_hash(self) -> str:
        """Hex BLAKE2b of the road graph as stored: maps with equal ones give equal ways."""
        state = hashlib.blake2b(digest_size=16)
        try:
            with self._lock:
                for name, data in self._db.execute("SELECT name, data FROM road ORDER BY name"):
                    state.update(f"{name} {len(data)} ".encode())
                    state.update(data)
        except sqlite3.Error as why:
            raise damaged(why) from None
        return state.hexdigest()

    @staticmethod
    def open(path: Path) -> Atlas:
        """The atlas in a file; MapError where it is none, of another version, or damaged."""
        if not path.is_file():
            raise MapError(f"There is no atlas at {path}.", REBUILD)
        db: sqlite3.Connection | None = None
        try:
            uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
            db = sqlite3.connect(uri, uri=True, check_same_thread=False, factory=Database)
            _check_kind(db, path)
            _check_whole(path)
            if path.stat().st_size <= CHECKED_UP_TO_BYTES:
                verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
                if verdict != "ok":
                    raise damaged(verdict)
            meta = {str(k): str(v) for k, v in db.execute("SELECT key, value FROM meta")}
            if not {"name", "attribution", "bounds"} <= set(meta):
                raise damaged("it does not say what it maps")
            blobs = dict(db.execute("SELECT name, data FROM road"))
            lock = threading.Lock()
            return Atlas(db, path, meta, Ways(checked(blobs)), {}, lock)
        except MapError:
            if db is not None:
                db.close()
            raise
        except (sqlite3.Error, OSError, ValueError) as why:
            if db is not None:
                db.close()
            raise damaged(f"{path} does not read ({why})") from None

    @staticmethod
    def bundled() -> Atlas:
        """Central Helsinki, which ships with Hearthway (© OpenStreetMap contributors, ODbL)."""
        return Atlas.open(BUNDLED)

    def with_hours(self, corrections: Mapping[str, str]) -> Atlas:
        """This atlas with the owner's opening hours for some POIs; InputError for unknown or unreadable."""
        from . import hours

        for osm_id, expression in corrections.items():
            if self.get(osm_id) is None:
                raise InputError(
                    f"The map {self.name} has no {osm_id}, so its hours cannot be corrected.",
                    "Give an id as shown beside a place, such as node/123.",
                )
            if not hours.parses(expression):
                raise InputError(
                    f'The hours "{expression}" for {osm_id} do not read.',
                    'Write them as OpenStreetMap does, such as "Mo-Su 10:00-22:00".',
                )
        merged = {**self._corrected, **corrections}
        return Atlas(self._db, self.path, self._meta, self._ways, merged, self._lock)

    def close(self) -> None:
        """Closes the file (and that of every atlas made from this one by `with_hours`)."""
        self._db.close()

    def summary(self) -> dict[str, int]:
        """How many POIs of each kind; "food", "food_with_hours" and "roads" (stretches) beside them."""
        try:
            with self._lock:
                kinds = self._db.execute(
                    "SELECT kind, count(*), sum(opening_hours <> '') FROM poi GROUP BY kind"
                ).fetchall()
        except sqlite3.Error as why:
            raise damaged(why) from None
        found = {str(kind): int(count) for kind, count, _ in kinds}
        food = sum(found.get(kind, 0) for kind in FOOD)
        with_hours = sum(int(n) for kind, _, n in kinds if kind in FOOD)
        totals = {"food": food, "food_with_hours": with_hours, "roads": self._ways.chains}
        return {**dict(sorted(found.items())), **totals}

    def near(self, lat: float, lon: float, radius_m: float, kinds: Sequence[str]) -> list[Poi]:
        """See Pois.near."""
        return self.pois.near(lat, lon, radius_m, kinds)

    def along(
        self, points: Sequence[tuple[float, float]], corridor_m: float, kinds: Sequence[str]
    ) -> list[Poi]:
        """See Pois.along."""
        return self.pois.along(points, corridor_m, kinds)

    def get(self, osm_id: str) -> Poi | None:
        """See Pois.get."""
        return self.pois.get(osm_id)

    def opening(self, poi: Poi, at_s: float) -> Opening:
        """See Pois.opening."""
        return self.pois.opening(poi, at_s)

    def named(self, name: str, lat: float, lon: float, within_m: float) -> list[Poi]:
        """See Pois.named."""
        return self.pois.named(name, lat, lon, within_m)

    def place_name(self, lat: float, lon: float) -> str | None:
        """See Pois.place_name."""
        return self.pois.place_name(lat, lon)

    def covers(self, lat: float, lon: float) -> bool:
        """Is this point on the map? (Whether a road is near: `roads.covers`.)"""
        return self.pois.covers(lat, lon)

    def road_m(self, lat: float, lon: float) -> float | None:
        """See RoadNetwork.road_m."""
        return self.roads.road_m(lat, lon)

    def ways_m(
        self, start: tuple[float, float], ends: Sequence[tuple[float, float]]
    ) -> list[float | None]:
        """See RoadNetwork.ways_m."""
        return self.roads.ways_m(start, ends)

    def route(self, a: tuple[float, float], b: tuple[float, float]) -> Route | None:
        """See RoadNetwork.route."""
        return self.roads.route(a, b)

    def detours(
        self,
        a: tuple[float, float],
        b: tuple[float, float],
        vias: Sequence[tuple[float, float]],
    ) -> list[Detour | None]:
        """See RoadNetwork.detours."""
        return self.roads.detours(a, b, vias)


def _bounds(text: str) -> tuple[float, float, float, float]:
    parts = text.split()
    if len(parts) != 4:
        raise damaged("its bounds do not read")
    try:
        south, west, north, east = (int(part) / 1e7 for part in parts)
    except ValueError:
        raise damaged("its bounds do not read") from None
    return south, west, north, east


def _check_kind(db: sqlite3.Connection, path: Path) -> None:
    try:
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError:
        application, version = 0, 0
    if application != schema.APPLICATION_ID:
        raise MapError(
            f"{path} is not an atlas.",
            "An atlas is made from an extract: hearthway map build EXTRACT.osm.pbf",
        )
    if version != schema.VERSION:
        raise MapError(
            f"The atlas {path} is of version {version}; this Hearthway reads version {schema.VERSION}.",
            REBUILD,
        )


def _check_whole(path: Path) -> None:
    """SQLite reads a cut file up to where it was cut; its header says how long it should be."""
    with path.open("rb") as file:
        header = file.read(100)
    page = int.from_bytes(header[16:18], "big")
    expected = (65_536 if page == 1 else page) * int.from_bytes(header[28:32], "big")
    if path.stat().st_size != expected:
        raise damaged(f"{path} has {path.stat().st_size} bytes and should have {expected}")
