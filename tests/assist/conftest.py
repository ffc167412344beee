"""A small town, a person who dines at it, and a drive there: doubles behind the records protocols."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from tests.sitting import SCATTER

from hearthway.assist.engine import Assistant
from hearthway.assist.memory import Memory
from hearthway.learn.outcome import learn_visit
from hearthway.records.geo import distance_m, offset
from hearthway.records.life import Place, Routine
from hearthway.records.poi import Detour, Opening, OpenState, Poi, Route
from hearthway.records.situation import Battery, Destination, Evidence, MealVisit, Situation

HELSINKI = (60.1690, 24.9380)  # the mall
UTC_OFFSET_S = 3 * 3600  # summer time in Helsinki
DAY0_S = 1_749_600_000.0  # 2025-06-11 00:00 UTC, a Wednesday


class Town:
    """PoiIndex over a handful of POIs; `hours` gives the state at any time, absent means unknown."""

    def __init__(self, pois: Sequence[Poi], hours: dict[str, OpenState], *, on_map: bool = True):
        self.pois, self.hours, self.on_map = list(pois), hours, on_map

    def near(self, lat: float, lon: float, radius_m: float, kinds: Sequence[str]) -> list[Poi]:
        found = [
            (distance_m(lat, lon, p.lat, p.lon), p.osm_id, p) for p in self.pois if p.kind in kinds
        ]
        return [p for d, _, p in sorted(found, key=lambda f: f[:2]) if d <= radius_m]

    def along(
        self, points: Sequence[tuple[float, float]], corridor_m: float, kinds: Sequence[str]
    ) -> list[Poi]:
        return [
            p
            for p in self.pois
            if p.kind in kinds
            and min(distance_m(*point, p.lat, p.lon) for point in points) <= corridor_m
        ]

    def get(self, osm_id: str) -> Poi | None:
        return next((p for p in self.pois if p.osm_id == osm_id), None)

    def opening(self, poi: Poi, at_s: float) -> Opening:
        return Opening(state=self.hours.get(poi.osm_id, OpenState.UNKNOWN))

    def covers(self, lat: float, lon: float) -> bool:
        return self.on_map


class Streets:
    """RoadGraph of straight streets driven at 10 m/s."""

    def route(self, a: tuple[float, float], b: tuple[float, float]) -> Route | None:
        metres = distance_m(*a, *b)
        points = tuple(
            (a[0] + (b[0] - a[0]) * i / 20, a[1] + (b[1] - a[1]) * i / 20) for i in range(21)
        )
        return Route(distance_m=metres, duration_s=metres / 10.0, points=points)

    def detours(
        self, a: tuple[float, float], b: tuple[float, float], vias: Sequence[tuple[float, float]]
    ) -> list[Detour | None]:
        straight = distance_m(*a, *b)
        return [
            Detour(
                extra_s=max(0.0, distance_m(*a, *v) + distance_m(*v, *b) - straight) / 10.0,
                extra_m=max(0.0, distance_m(*a, *v) + distance_m(*v, *b) - straight),
                reach_s=distance_m(*a, *v) / 10.0,
            )
            for v in vias
        ]

    def covers(self, lat: float, lon: float) -> bool:
        return True


def poi(number: int, name: str, north_m: float, east_m: float, cuisine: str, kind: str) -> Poi:
    lat, lon = offset(*HELSINKI, north_m, east_m)
    return Poi(osm_id=f"node/{number}", kind=kind, name=name, lat=lat, lon=lon, cuisines=(cuisine,))


POIS = (
    poi(1, "Ravintola A", 300, 200, "finnish", "restaurant"),
    poi(2, "Ravintola B", -250, 100, "italian", "restaurant"),
    poi(3, "Ravintola C", 100, -350, "thai", "restaurant"),
    poi(4, "Grilli D", 50, 60, "burger", "fast_food"),
    poi(5, "", 20, 20, "burger", "fast_food"),  # without a name nobody can find it
    poi(6, "Ravintola Suljettu", 10, 10, "finnish", "restaurant"),
)
HOURS = {
    "node/1": OpenState.OPEN,
    "node/2": OpenState.OPEN,
    "node/3": OpenState.OPEN,
    "node/5": OpenState.OPEN,
    "node/6": OpenState.CLOSED,
}  # node/4 is unknown


def routine(name: str, hour: float, days: int = 61, share: float = 0.6) -> Routine:
    """Meals begin evenly within 45 min around `hour`."""
    first = int(hour * 4) - 3
    density = [0.0] * 96
    for i in range(6):
        density[first + i] = 1 / 6
    return Routine(
        name=name,
        days=days,
        density=tuple(density),
        start_s=first * 900.0,
        end_s=(first + 6) * 900.0,
        mean_s=hour * 3600,
        share_of_days=share,
    )


MALL = Place(place_id="mall", lat=HELSINKI[0], lon=HELSINKI[1], visits=45)
HOME = Place(
    place_id="home",
    lat=offset(*HELSINKI, 9000, 0)[0],
    lon=HELSINKI[1],
    visits=170,
    label="home",
)
WORK = Place(
    place_id="work",
    lat=offset(*HELSINKI, 0, 6000)[0],
    lon=offset(*HELSINKI, 0, 6000)[1],
    visits=80,
    label="work",
)


def at(hour: float, day: int = 100) -> float:
    """Unix time of a local hour."""
    return DAY0_S + day * 86_400.0 + hour * 3600.0 - UTC_OFFSET_S


def dining(meals: dict[str, int], hour: float = 18.5, person: str = "anna") -> Memory:
    """A memory of that many dinners at each POI, a day apart, the last on day 99."""
    memory, day = Memory(person=person), 100 - sum(meals.values())
    town = Town(POIS, HOURS)
    for osm_id, count in sorted(meals.items()):
        house = town.get(osm_id)
        assert house is not None
        for i in range(count):
            late_min, longer = SCATTER[i % len(SCATTER)]
            start_s = at(hour, day) + 60.0 * late_min
            visit = MealVisit(
                start_s=start_s,
                end_s=start_s + 3000 * longer,
                osm_id=osm_id,
                cuisines=house.cuisines,
                lat=house.lat,
                lon=house.lon,
            )
            memory = learn_visit(memory, visit, town)
            day += 1
    return memory


def drive(**changes: Any) -> Situation:
    """A drive to the mall at dinnertime, 1.4 km before it; `changes` replace fields."""
    lat, lon = offset(*HELSINKI, 1400, 0)
    facts: dict[str, Any] = {
        "time_s": at(18.2),
        "utc_offset_s": UTC_OFFSET_S,
        "person": "anna",
        "mode": "driving",
        "lat": lat,
        "lon": lon,
        "speed_mps": 8.0,
        "trip_start_s": at(17.8),
        "trip_distance_m": 12_000.0,
        "destinations": (
            Destination(place=MALL, p=0.81),
            Destination(place=HOME, p=0.08),
            Destination(place=WORK, p=0.04),
        ),
        "p_new": 0.07,
        "places_known": 214,
        "stays_known": 400,
        "days_known": 84,
        "routines": (routine("dinner", 18.5), routine("lunch", 12.0)),
        "home": HOME,
        "battery": Battery(soc_pct=31.0, age_s=2.0, at_home_pct=12.0),
        "evidence": (Evidence(key="Vehicle.Speed", source="car-1", age_s=1.0),),
    }
    return Situation(**{**facts, **changes})


class World:
    """The doubles and builders above, for tests: `conftest` cannot be imported."""

    mall, home, work, pois, hours = MALL, HOME, WORK, POIS, HOURS
    town, streets = Town, Streets
    at, drive, dining, routine = (
        staticmethod(at),
        staticmethod(drive),
        staticmethod(dining),
        staticmethod(routine),
    )

    @staticmethod
    def assistant(person: str = "anna", **changes: Any) -> Assistant:
        """An assistant of that town; `changes` replace its arguments."""
        facts: dict[str, Any] = {
            "pois": Town(POIS, dict(HOURS)),
            "roads": Streets(),
            "name_of": lambda lat, lon: "Forum",
        }
        return Assistant(person, **{**facts, **changes})


@pytest.fixture(scope="session")
def world() -> type[World]:
    return World
