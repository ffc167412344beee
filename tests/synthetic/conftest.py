"""A small town as a double of the atlas: a grid of streets, a few shops, places to eat."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

import pytest

from hearthway.records.geo import distance_m, offset
from hearthway.records.poi import Detour, Opening, OpenState, Poi, Route

CENTRE = (60.17, 24.94)


class Town:
    """POIs and roads at once: a square of streets every 100 m, `half_m` to each side."""

    def __init__(self, pois: Sequence[Poi], *, half_m: float = 700.0, roads: bool = True) -> None:
        self.pois = list(pois)
        self.half_m = half_m
        self.roads = roads

    def near(self, lat: float, lon: float, radius_m: float, kinds: Sequence[str]) -> list[Poi]:
        found = [(distance_m(lat, lon, p.lat, p.lon), p.osm_id, p) for p in self.pois]
        return [
            p for d, _, p in sorted(found, key=lambda f: f[:2]) if d <= radius_m and p.kind in kinds
        ]

    def along(
        self, points: Sequence[tuple[float, float]], corridor_m: float, kinds: Sequence[str]
    ) -> list[Poi]:
        raise NotImplementedError

    def get(self, osm_id: str) -> Poi | None:
        return next((p for p in self.pois if p.osm_id == osm_id), None)

    def opening(self, poi: Poi, at_s: float) -> Opening:
        state = {"24/7": OpenState.OPEN, "off": OpenState.CLOSED}
        return Opening(state=state.get(poi.opening_hours, OpenState.UNKNOWN))

    def covers(self, lat: float, lon: float) -> bool:
        north, east = self._metres(lat, lon)
        return abs(north) <= self.half_m and abs(east) <= self.half_m

    def _metres(self, lat: float, lon: float) -> tuple[float, float]:
        north = distance_m(CENTRE[0], CENTRE[1], lat, CENTRE[1])
        east = distance_m(lat, CENTRE[1], lat, lon)
        return (north if lat > CENTRE[0] else -north, east if lon > CENTRE[1] else -east)

    def route(self, a: tuple[float, float], b: tuple[float, float]) -> Route | None:
        if not self.roads or not self.covers(*a) or not self.covers(*b):
            return None
        ends = []
        for point in (a, b):
            north, east = self._metres(*point)
            ends.append((100.0 * floor(north / 100.0 + 0.5), 100.0 * floor(east / 100.0 + 0.5)))
        (north_a, east_a), (north_b, east_b) = ends
        corners = [(north_a, east_a)]
        while corners[-1][0] != north_b:
            step = 100.0 if north_b > corners[-1][0] else -100.0
            corners.append((corners[-1][0] + step, east_a))
        while corners[-1][1] != east_b:
            step = 100.0 if east_b > corners[-1][1] else -100.0
            corners.append((north_b, corners[-1][1] + step))
        metres = abs(north_a - north_b) + abs(east_a - east_b)
        return Route(
            distance_m=metres,
            duration_s=metres / 9.0,
            points=tuple(offset(*CENTRE, n, e) for n, e in corners),
        )

    def detours(
        self,
        a: tuple[float, float],
        b: tuple[float, float],
        vias: Sequence[tuple[float, float]],
    ) -> list[Detour | None]:
        raise NotImplementedError


def food(number: int, north_m: float, east_m: float, cuisine: str, hours: str = "") -> Poi:
    """A restaurant that many metres from the centre."""
    lat, lon = offset(*CENTRE, north_m, east_m)
    return Poi(
        osm_id=f"node/{number}",
        kind="restaurant",
        name=f"Table {number}",
        lat=lat,
        lon=lon,
        cuisines=(cuisine,) if cuisine else (),
        opening_hours=hours,
    )


def shop(number: int, north_m: float, east_m: float, kind: str, name: str = "") -> Poi:
    """A shop that many metres from the centre."""
    lat, lon = offset(*CENTRE, north_m, east_m)
    return Poi(osm_id=f"way/{number}", kind=kind, name=name, lat=lat, lon=lon)


CUISINES = ("pizza", "sushi", "thai", "burger", "finnish", "indian", "")


def town_pois() -> list[Poi]:
    """Twenty places to eat and three destinations."""
    pois = [
        food(
            100 + i,
            -600.0 + 97.0 * (i * 7 % 13),
            -580.0 + 89.0 * (i * 5 % 13),
            CUISINES[i % len(CUISINES)],
            ("24/7", "", "off")[i % 3],
        )
        for i in range(20)
    ]
    return [
        *pois,
        shop(1, 130.0, -40.0, "mall", "Arcade"),
        shop(2, -420.0, 350.0, "department_store", "Store"),
        shop(3, 480.0, 430.0, "supermarket", "Market"),
        shop(4, -500.0, -480.0, "parking"),
    ]


@pytest.fixture
def town() -> Town:
    """The town."""
    return Town(town_pois())


@pytest.fixture
def town_type() -> type[Town]:
    """To build towns that lack something."""
    return Town


@pytest.fixture
def without_food() -> list[Poi]:
    """Shops, and a place to eat without a name."""
    nameless = food(900, 50.0, 50.0, "pizza")
    return [
        *(p for p in town_pois() if p.kind != "restaurant"),
        Poi(osm_id="node/901", kind="restaurant", name="", lat=nameless.lat, lon=nameless.lon),
    ]


@pytest.fixture
def one_table() -> list[Poi]:
    """Shops and a single place to eat."""
    return [*(p for p in town_pois() if p.kind != "restaurant"), food(900, 50.0, 50.0, "pizza")]
