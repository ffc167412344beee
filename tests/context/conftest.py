"""A commuter, made up and seeded: home, work, gym and a restaurant on a plane of roads along the axes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

import pytest

from hearthway.records.geo import distance_m, offset
from hearthway.records.poi import Opening, OpenState, Poi
from hearthway.records.signals import Fix

HOME = (60.20, 24.90)
WORK = offset(*HOME, 1_000.0, 6_000.0)
GYM = offset(*HOME, 5_000.0, 6_000.0)
DINER = offset(*HOME, -3_000.0, 2_000.0)
MONDAY_S = 1_709_510_400.0  # Monday 4 March 2024, 00:00 UTC; Helsinki is two hours ahead
SPOTS = {"home": HOME, "work": WORK, "gym": GYM, "diner": DINER}


def drive(
    start_s: float, a: tuple[float, float], b: tuple[float, float], *, mps: float = 12.0
) -> list[Fix]:
    """East-west first, then north-south, a fix every 5 s."""
    corner = (a[0], b[1])
    out: list[Fix] = []
    time_s = start_s
    for p, q in ((a, corner), (corner, b)):
        length = distance_m(*p, *q)
        steps = max(1, int(length / (mps * 5.0)))
        for i in range(steps):
            part = i / steps
            time_s += 5.0
            out.append(
                Fix(
                    time_s=time_s,
                    lat=p[0] + (q[0] - p[0]) * part,
                    lon=p[1] + (q[1] - p[1]) * part,
                    speed_mps=mps,
                )
            )
    return out


def stay(start_s: float, end_s: float, at: tuple[float, float], seed: int = 1) -> list[Fix]:
    """A fix every 2 min, jittered by some metres."""
    pick = random.Random(seed)
    out = []
    time_s = start_s
    while time_s < end_s:
        lat, lon = offset(*at, pick.gauss(0, 8), pick.gauss(0, 8))
        out.append(Fix(time_s=time_s, lat=lat, lon=lon, speed_mps=0.0))
        time_s += 120.0
    return out


def weeks(days: int, seed: int = 1) -> Iterator[Fix]:
    """Weekdays home-work-home with the gym on Tuesdays and dinner out on Fridays; weekends at home."""
    pick = random.Random(seed)
    for day in range(days):
        midnight = MONDAY_S + day * 86_400.0 - 7_200.0
        plan: list[tuple[str, float]] = []
        if day % 7 < 5:
            plan = [("work", 8.0 + pick.gauss(0, 0.15)), ("home", 17.0 + pick.gauss(0, 0.2))]
            if day % 7 == 1:
                plan = [plan[0], ("gym", 17.0), ("home", 19.0)]
            if day % 7 == 4:
                plan = [plan[0], ("diner", 17.6 + pick.gauss(0, 0.2)), ("home", 19.5)]
        at, since = "home", midnight + 1.0
        for goal, hour in plan:
            leave = midnight + hour * 3600.0
            yield from stay(since, leave, SPOTS[at], pick.randrange(10**6))
            way = drive(leave, SPOTS[at], SPOTS[goal])
            yield from way
            at, since = goal, way[-1].time_s + 60.0
        yield from stay(since, midnight + 86_400.0, SPOTS[at], pick.randrange(10**6))


class Diner:
    """PoiIndex with one restaurant, at DINER."""

    poi = Poi(
        osm_id="node/7",
        kind="restaurant",
        name="Diner",
        lat=DINER[0],
        lon=DINER[1],
        cuisines=("thai",),
    )

    def near(self, lat: float, lon: float, radius_m: float, kinds: Sequence[str]) -> list[Poi]:
        away = distance_m(lat, lon, self.poi.lat, self.poi.lon)
        return [self.poi] if away <= radius_m and self.poi.kind in kinds else []

    def along(
        self, points: Sequence[tuple[float, float]], corridor_m: float, kinds: Sequence[str]
    ) -> list[Poi]:
        return []

    def get(self, osm_id: str) -> Poi | None:
        return self.poi if osm_id == self.poi.osm_id else None

    def opening(self, poi: Poi, at_s: float) -> Opening:
        return Opening(state=OpenState.UNKNOWN)

    def covers(self, lat: float, lon: float) -> bool:
        return True


@pytest.fixture(scope="session")
def six_weeks() -> list[Fix]:
    return list(weeks(42))


@pytest.fixture(scope="session")
def diner() -> Diner:
    return Diner()


@pytest.fixture(scope="session")
def spots() -> dict[str, tuple[float, float]]:
    return SPOTS


@pytest.fixture(scope="session")
def make_stay() -> Callable[..., list[Fix]]:
    return stay


@pytest.fixture(scope="session")
def make_drive() -> Callable[..., list[Fix]]:
    return drive


@pytest.fixture(scope="session")
def make_weeks() -> Callable[..., Iterator[Fix]]:
    return weeks
