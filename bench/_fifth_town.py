"""Where the people of the fifth description go, how they move and what their phones keep.

The description. A place has a door and, up to 130 m from it, the one space in which the car always stands; one walks between the
two. Some places lie by themselves, at a random point of the roads with little to eat at around: an allotment, a football ground. At a *dense* one the space
is another each time, and is found by driving around. A car keeps to the limit of its stretch, brakes for bends and red
lights and is slower in the rush; a bus stops every few hundred metres and is walked to and waited for; a bicycle takes the roads at its own
pace; who walks goes straight, over courts and greens.

A phone has an interval while it moves and one while it rests, both with jitter, and notices late that it moves. Its error drifts,
is some 6 m in the open and 25 m in streets full of shops; now and then it knows only the cell it is in, and says so.
It tells nothing in tunnels, nor while it is flat (some evenings) or off (some hours).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import accumulate, pairwise
from math import atan2 as angle
from math import cos, degrees, exp, pi, radians, sin, sqrt
from random import Random
from typing import TYPE_CHECKING

from hearthway.atlas.store import Atlas
from hearthway.records.errors import InputError
from hearthway.records.geo import distance_m
from hearthway.records.poi import FOOD, SHOPPING, OpenState, Poi
from hearthway.records.signals import Fix

if TYPE_CHECKING:
    from bench._lives import ALONE_M, DAY_S, HOUR_S, Phone, Point, Town, shifted, unix
else:
    from _lives import ALONE_M, DAY_S, HOUR_S, Phone, Point, Town, shifted, unix

FIRST_DAY = (date(2026, 8, 24) - date(1970, 1, 1)).days  # a Monday
TRIES = 3_000
REACH_M = 11_000.0  # from home, on a wide map
LEAST_M = 320.0  # between two places to which one drives
MEAL_WAY_M = 5_600.0  # to a table: some eight minutes, or more
FROM_DOOR_M = 260.0  # twice what lies at most between a door and its space
OPEN_M = 180.0  # to the next thing to eat at, from a place by itself
BRAKES, GAINS = 1.8, 1.4  # m/s2
BUSY, BUSY_M = 8, 150.0  # so many shops and tables about: positions bounce off the houses
Sample = tuple[float, Point, float]


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere one goes: the door, and the space of the car."""

    door: Point
    park: Point
    dense: bool = False


class Land(Town):
    """The places of one person on this map, and the ways between."""

    def __init__(self, atlas: Atlas, rng: Random) -> None:
        self.places: dict[Point, Place] = {}
        super().__init__(atlas, rng)

    def _near(self, poi: Poi) -> Point:
        turn, far = self._rng.uniform(0.0, 2 * pi), self._rng.triangular(10.0, 330.0, 60.0)
        return shifted((poi.lat, poi.lon), far * cos(turn), far * sin(turn))

    def _fits(self, point: Point, apart_m: float) -> bool:
        roads = self.atlas.roads
        if any(distance_m(*point, *other) < apart_m for other in self._taken):
            return False
        if any(distance_m(*point, *other) < ALONE_M + FROM_DOOR_M for other in self._alone):
            return False
        anchors = [p for p in self._taken if roads.covers(*p)][:1]
        if self.wide and anchors and distance_m(*point, *anchors[0]) > REACH_M:
            return False
        road_m = self.atlas.road_m(*point) if roads.covers(*point) else None
        if road_m is None or road_m > 70.0 or not self.atlas.covers(*point):
            return False
        ways = [self.atlas.route(*both) for a in anchors for both in ((a, point), (point, a))]
        return all(way is not None and way.on_road and len(way.points) > 3 for way in ways)

    def _house(self) -> Point:
        """Home: on a wide map with tables farther than a walk and within reach, on a small one beyond its edge."""
        if not self.wide:
            return self._kept(self.outside(5_800.0, 11_000.0)).door
        for _ in range(TRIES):
            self._taken.clear()
            park = self._near(self._rng.choice(self._shops))
            if not self._fits(park, 0.0):
                continue
            self._taken.append(park)
            far = [p for p in self._meals if MEAL_WAY_M < distance_m(*park, p.lat, p.lon) < REACH_M]
            self._rng.shuffle(far)
            if sum(self._fits((p.lat, p.lon), 0.0) for p in far[:8]) >= 4:
                return self._kept(park).door
        raise InputError("Nowhere on this map are tables some way from a home.", "Take another.")

    def _kept(self, park: Point, door: Point | None = None, *, dense: bool = False) -> Place:
        turn, far = self._rng.uniform(0.0, 2 * pi), self._rng.uniform(8.0, 110.0)
        at = shifted(park, far * cos(turn), far * sin(turn)) if door is None else door
        self.places[at] = Place(at, park, dense)
        return self.places[at]

    def place(self) -> Place:
        """A place among the shops, or beyond a small map that is full."""
        return self._kept(self.somewhere())

    def anywhere(self) -> Place:
        """A door among the shops to which nobody drives."""
        return self._kept(self.somewhere(keep=False))

    def walkable(self, of: Place) -> Place:
        """A door to which one walks from there: of a shop between 150 and 900 m away, of anything where none is."""
        shops = [
            (poi.lat, poi.lon)
            for poi in self.atlas.near(*of.door, 900.0, SHOPPING)
            if distance_m(poi.lat, poi.lon, *of.door) > 150.0
        ]
        turn, far = self._rng.uniform(0.0, 2 * pi), self._rng.uniform(150.0, 900.0)
        away = shifted(of.door, far * cos(turn), far * sin(turn))
        door = self._rng.choice(shops) if shops else away
        return self.places.get(door) or self._kept(door, door)

    def by_itself(self) -> Place:
        """A place on a road with nothing to eat at within `OPEN_M`; beyond a small map where it has none."""
        south, west, north, east = self.atlas.bounds
        for _ in range(TRIES):
            point = self._rng.uniform(south, north), self._rng.uniform(west, east)
            if self.wide and distance_m(*point, *self.home) > REACH_M:
                continue
            if not self.atlas.near(*point, OPEN_M, FOOD) and self._fits(point, LEAST_M):
                self._taken.append(point)
                return self._kept(point)
        return self._kept(self.outside(3_500.0, 9_000.0))

    def in_town(self) -> Place:
        """A dense place beside a car park, away from all else that one knows. InputError where there is no room for it."""
        lots = self.has("parking") or self._shops
        for _ in range(TRIES):
            park = self._near(self._rng.choice(lots))
            if self._fits(park, ALONE_M + FROM_DOOR_M):
                self._taken.append(park)
                self._alone.append(park)
                return self._kept(park, dense=True)
        raise InputError("This map has no car park by itself.", "Take another.")

    def at_poi(self, kinds: tuple[str, ...], hour: float, way_m: float = 0.0) -> Place:
        """The door of one of these that is open then on a weekday, `way_m` or more from home. InputError without."""
        at_s = unix(FIRST_DAY + 3, hour * HOUR_S, self.middle)
        pois = [p for p in self.atlas.near(*self.middle, 1e6, kinds) if p.name.strip()]
        self._rng.shuffle(pois)
        for apart_m in (LEAST_M, 90.0, 25.0):
            for poi in pois:
                door = poi.lat, poi.lon
                if door in self.places or distance_m(*door, *self.home) < way_m:
                    continue
                if self.atlas.opening(poi, at_s).state is OpenState.CLOSED:
                    continue
                for _ in range(4):
                    park = self._near(poi)
                    if distance_m(*park, *door) < FROM_DOOR_M / 2 and self._fits(park, apart_m):
                        self._taken.append(park)
                        return self._kept(park, door)
        raise InputError(f"This map has no {kinds[0]} that can be driven to.", "Take another.")

    def dines(self, hour: float) -> Place:
        """Where one eats out, some eight minutes from home or more."""
        return self.at_poi(("restaurant", "fast_food"), hour, MEAL_WAY_M)

    def far_off(self) -> Place:
        """Some 80 km away."""
        return self._kept(self.outside(60_000.0, 95_000.0))

    def on_foot(self, a: Point, b: Point) -> list[Point]:
        """Straight, more or less."""
        return [a, *self._bent(a, b), b] if distance_m(*a, *b) > 150.0 else [a, b]

    def around(self, space: Point) -> list[Point]:
        """Ways past that space and back to one nearby that is free."""
        stops = [space]
        for far in (self._rng.uniform(90.0, 240.0) for _ in range(self._rng.randint(2, 4))):
            turn = self._rng.uniform(0.0, 2 * pi)
            stops.append(shifted(space, far * cos(turn), far * sin(turn)))
        return [point for pair in pairwise(stops) for point in self.way(*pair)]

    def tunnels(self) -> list[tuple[Point, float]]:
        """Middles and lengths to either side of two, on ways from home and nowhere near a place."""
        found: list[tuple[Point, float]] = []
        places = list(self.places.values())
        for place in self._rng.sample(places, min(12, len(places))):
            way, half_m = (
                self.way(self.places[self.home].park, place.park),
                self._rng.uniform(100, 230),
            )
            middle = way[len(way) // 2]
            if all(distance_m(*middle, *one.park) > half_m + 250.0 for one in places):
                found.append((middle, half_m))
        return found[:2]


def moving(
    points: list[Point], begin_s: float, rng: Random, by: str, rush: float
) -> Iterator[Sample]:
    """Second by second along these points by "car", "bus", "bicycle" or "foot"; `rush`: of the free pace."""
    steps = [distance_m(*a, *b) for a, b in pairwise(points)]
    marks = list(accumulate(steps, initial=0.0))
    total_m, fixed = marks[-1], Random(repr((points[0], points[-1])))
    pace = {"foot": 1.35, "bicycle": 4.8}.get(by, 0.0) * rng.uniform(0.88, 1.12)
    stretches, at_m = [(0.0, 11.1)], fixed.uniform(200.0, 900.0)
    while at_m < total_m:
        swift = (22.0, 25.0, 30.0) if total_m > 25_000 else (8.3, 11.1, 13.9, 13.9, 16.7, 22.0)
        stretches.append((at_m, fixed.choice(swift[:4] if by == "bus" else swift)))
        at_m += fixed.uniform(300.0, 1500.0)
    caps = {
        m: _bend(*three)
        for m, *three in zip(marks[1:], points, points[1:], points[2:], strict=False)
    }
    halts: dict[float, float] = {}
    every_m, share = (450.0, 0.9) if by == "bus" else (800.0, 0.4)
    at_m = fixed.expovariate(1 / every_m) + 60.0
    while by != "foot" and at_m < total_m - 60.0:
        if rng.random() < share:
            halts[at_m] = rng.uniform(6.0, 45.0)
        at_m += fixed.expovariate(1 / every_m) + 60.0
    order = sorted({**caps, **dict.fromkeys(halts, 1.0), total_m: 1.0}.items())
    for i in range(len(order) - 2, -1, -1):  # what must be slow later brakes before
        (here_m, cap), (next_m, after) = order[i], order[i + 1]
        order[i] = here_m, min(cap, sqrt(after**2 + 2 * BRAKES * (next_m - here_m)))
    time_s, done_m, mps, free, ahead = begin_s, 0.0, 0.0, rng.gauss(0.95, 0.05) * rush, 0
    yield time_s, points[0], 0.0
    while done_m < total_m:
        limit = pace or free * next(v for m, v in reversed(stretches) if m <= done_m)
        next_m, cap = order[ahead]
        allowed = sqrt(cap**2 + 2 * BRAKES * max(0.0, next_m - done_m))
        mps = max(0.7, min(mps + GAINS, limit * rng.gauss(1.0, 0.04), allowed))
        done_m, time_s = done_m + mps, time_s + 1.0
        yield time_s, _at(points, marks, done_m), mps
        while ahead < len(order) - 1 and order[ahead][0] <= done_m:
            for _ in range(int(halts.get(order[ahead][0], 0.0))):
                time_s, mps = time_s + 1.0, 0.0
                yield time_s, _at(points, marks, done_m), 0.0
            ahead += 1


def _bend(a: Point, b: Point, c: Point) -> float:
    """The pace at which one takes this corner, in m/s."""
    wide = cos(radians(b[0]))
    first = angle((b[1] - a[1]) * wide, b[0] - a[0])
    turn = abs(degrees(angle((c[1] - b[1]) * wide, c[0] - b[0]) - first))
    turn = min(turn, 360.0 - turn)
    return 3.0 if turn > 100 else 5.5 if turn > 55 else 9.0 if turn > 28 else 33.0


def _at(points: list[Point], marks: list[float], done_m: float) -> Point:
    i = min(bisect_right(marks, done_m), len(points) - 1)
    length = marks[i] - marks[i - 1]
    share = min(1.0, (done_m - marks[i - 1]) / length) if length > 0 else 1.0
    (a, b), (c, d) = points[i - 1], points[i]
    return a + share * (c - a), b + share * (d - b)


class Pocket(Phone):
    """A phone: seconds between two fixes while it moves and while it rests, and how late it notices at most."""

    def __init__(self, rng: Random, atlas: Atlas, rhythm: tuple[float, float, float]) -> None:
        super().__init__(rng, "")
        self._atlas, (self._moves_s, self._rests_s, self._late_s) = atlas, rhythm
        self._bias, self._bounces = (0.0, 0.0), dict[tuple[int, int], bool]()
        self.tunnels: list[tuple[Point, float]] = []
        self.silent: list[tuple[float, float]] = []

    def sleeps(self, from_s: float, days: int) -> None:
        """Draws for so many days when it is flat, and when it is off; `from_s`: a local midnight."""
        for day in range(days):
            midnight_s, chance = from_s + day * DAY_S, self._rng.random()
            if chance < 0.03:
                begin_s = midnight_s + self._rng.uniform(16.0, 21.0) * HOUR_S
                self.silent.append((begin_s, begin_s + self._rng.uniform(1.5, 12.0) * HOUR_S))
            elif chance < 0.08:
                begin_s = midnight_s + self._rng.uniform(8.0, 19.0) * HOUR_S
                self.silent.append((begin_s, begin_s + self._rng.uniform(0.3, 2.0) * HOUR_S))

    def _busy(self, point: Point) -> bool:
        key = round(point[0] * 2000), round(point[1] * 1000)
        if key not in self._bounces:
            about = self._atlas.near(*point, BUSY_M, (*FOOD, *SHOPPING))
            self._bounces[key] = len(about) >= BUSY
        return self._bounces[key]

    def write(self, time_s: float, point: Point, mps: float) -> None:
        """One fix, off by what drifts, unless it is silent."""
        rng, last_s = self._rng, self.fixes[-1].time_s if self.fixes else float("-inf")
        if time_s <= last_s or any(a <= time_s < b for a, b in self.silent):
            return
        if any(distance_m(*point, *middle) < half_m for middle, half_m in self.tunnels):
            return
        spread = 25.0 if self._busy(point) else 6.0
        stays = exp((last_s - time_s) / 60.0)
        north, east = (stays * b + sqrt(1 - stays**2) * rng.gauss(0.0, spread) for b in self._bias)
        self._bias, told_m = (north, east), 1.6 * spread + rng.uniform(0.0, 6.0)
        if rng.random() < 0.008:
            told_m = rng.uniform(300.0, 1200.0)
            north, east = (rng.gauss(0.0, told_m / 2.5) for _ in range(2))
        lat, lon = shifted(point, north + rng.gauss(0.0, 2.0), east + rng.gauss(0.0, 2.0))
        told = rng.random() < self._told_speed
        self.fixes.append(
            Fix(
                time_s=round(time_s, 3),
                lat=round(lat, 7),
                lon=round(lon, 7),
                accuracy_m=round(told_m, 1),
                speed_mps=round(max(0.0, mps + rng.gauss(0.0, 0.5)), 2) if told else None,
            )
        )

    def rest(self, from_s: float, until_s: float, at: Point) -> None:
        """At one place for that time."""
        at_s = from_s + self._rng.uniform(2.0, min(self._rests_s, 60.0))
        while at_s < until_s:
            self.write(at_s, at, 0.0)
            at_s += self._rests_s * self._rng.uniform(0.8, 1.3)

    def drive(self, samples: list[Sample]) -> None:
        """Of a second-by-second way, by whatever means, what it keeps."""
        due_s = samples[0][0] + self._rng.uniform(0.0, self._late_s)
        for time_s, point, mps in samples:
            if time_s >= due_s:
                self.write(time_s, point, mps)
                due_s = time_s + self._moves_s * self._rng.uniform(0.85, 1.2)
