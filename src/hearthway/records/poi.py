"""Things on the map, and what a route costs. The protocols are what pure stages see of an atlas."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from msgspec import UNSET, Struct, UnsetType

FOOD = ("restaurant", "fast_food", "cafe", "food_court", "pub", "bar", "biergarten")
MEAL = ("restaurant", "fast_food", "food_court", "biergarten", "pub")
SHOPPING = ("mall", "department_store", "supermarket", "shop")


class OpenState(Enum):
    """Opening at an instant, in the POI's own time zone."""

    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"


class Poi(Struct, frozen=True, kw_only=True):
    """One thing on the map. `osm_id` is "node/123", "way/4" or "relation/5"."""

    osm_id: str
    kind: str  # one of FOOD, SHOPPING, "charger", "parking"
    name: str
    lat: float
    lon: float
    cuisines: tuple[str, ...] = ()
    opening_hours: str = ""  # as tagged; empty is unknown
    brand: str = ""
    power_kw: float | UnsetType = UNSET  # of a charger: the most that any of its plugs gives


class Opening(Struct, frozen=True, kw_only=True):
    """Open, closed or unknown at an instant; and until when, where known (Unix seconds)."""

    state: OpenState
    until_s: float | None = None


class Route(Struct, frozen=True, kw_only=True):
    """A way from a to b. `on_road` is False where the map has no roads: then it is a bee-line estimate."""

    distance_m: float
    duration_s: float
    points: tuple[tuple[float, float], ...] = ()
    on_road: bool = True


class Detour(Struct, frozen=True, kw_only=True):
    """What stopping at a via point costs on the way from a to b, clamped at zero."""

    extra_s: float
    extra_m: float
    reach_s: float  # seconds from a to the via point
    on_road: bool = True


class PoiIndex(Protocol):
    """Search over things on the map. Results are ordered by distance, then by osm_id."""

    def near(self, lat: float, lon: float, radius_m: float, kinds: Sequence[str]) -> list[Poi]: ...
    def along(
        self, points: Sequence[tuple[float, float]], corridor_m: float, kinds: Sequence[str]
    ) -> list[Poi]: ...
    def get(self, osm_id: str) -> Poi | None: ...
    def opening(self, poi: Poi, at_s: float) -> Opening: ...
    def covers(self, lat: float, lon: float) -> bool: ...


class RoadNear(Protocol):
    """Metres to the nearest road for cars; None where none is within 300 m, or off the map.

    And along the roads: metres of the fastest way from `start` to each of `ends`; None where either has no road within 300 m,
    where no way leads there, or where it is too far to be searched.
    """

    def road_m(self, lat: float, lon: float) -> float | None: ...
    def ways_m(
        self, start: tuple[float, float], ends: Sequence[tuple[float, float]]
    ) -> list[float | None]: ...


class RoadGraph(Protocol):
    """Shortest paths by driving time. None where there is no way."""

    def route(self, a: tuple[float, float], b: tuple[float, float]) -> Route | None: ...
    def detours(
        self,
        a: tuple[float, float],
        b: tuple[float, float],
        vias: Sequence[tuple[float, float]],
    ) -> list[Detour | None]: ...
    def covers(self, lat: float, lon: float) -> bool: ...


class Roads(RoadGraph, RoadNear, Protocol):
    """The roads of a map, for ways and for where one is."""
