"""Where the people of the fourth description (`_fourth.py`) go, how they get from the car to a door, and how their phones tell it.

Half of what they go to stands in one shopping street, door by door, where one car park serves several errands; the rest stands alone;
friends and customers live in quiet streets, with nothing to eat at around. Nobody parks at the door: each place has up to three spots
where its visitors leave the car, and the last metres go on foot.

The phone tells by distance moved and not by the clock: after so many metres, and not before it woke, a hundred metres or two after
leaving. Its error drifts along the way. In tunnels and garages, each time in the same stretches, it tells nothing. Indoors it is off
by the same for a whole stay, tells now and then, and once in a while jumps some hundred metres, as if it were sure or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sin
from random import Random
from typing import TYPE_CHECKING

from hearthway.atlas.store import Atlas
from hearthway.records.errors import InputError
from hearthway.records.geo import distance_m
from hearthway.records.poi import FOOD, Poi
from hearthway.records.signals import Fix

if TYPE_CHECKING:
    from bench import _lives as lives
    from bench._lives import Phone, Point, Town
else:
    import _lives as lives
    from _lives import Phone, Point, Town

STREET_M = 400.0  # from its middle to the ends of the shopping street
DOORS_APART_M, ALONE_M, HOUSES_APART_M = 20.0, 150.0, 40.0
QUIET_M = 70.0  # from a dwelling to the next thing to eat at
PARKS, PARK_TRIES = 3, 12
WALK_MPS, IN_CAR_S = 1.3, 480.0  # who stops for less stays in the car or at its door
TUNNELS = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody goes: a door, and where one leaves the car for it, the best spot first."""

    door: Point
    parks: tuple[Point, ...]

    def park(self, rng: Random) -> Point:
        """Where there is room today."""
        return rng.choices(self.parks, (0.7, 0.2, 0.1)[: len(self.parks)])[0]


class Streets(Town):
    """A shopping street, things that stand alone, and quiet streets."""

    def __init__(self, atlas: Atlas, rng: Random) -> None:
        self.doors: dict[Point, Point] = {}  # of each spot where a car is left
        super().__init__(atlas, rng)
        self._street: list[Poi] = []

    def _around(self, point: Point, least_m: float, most_m: float) -> Point:
        turn, far = self._rng.uniform(0.0, 2 * pi), self._rng.uniform(least_m, most_m)
        return lives.shifted(point, far * cos(turn), far * sin(turn))

    def _near(self, poi: Poi) -> Point:
        return self._around((poi.lat, poi.lon), 30.0, 200.0)

    def _place(self, door: Point, most_m: float = 170.0) -> Place:
        """With spots for the car around; at the door itself where no road leads to any."""
        parks: list[Point] = []
        for _ in range(PARK_TRIES):
            park = self._around(door, min(15.0, most_m / 4), most_m)
            if len(parks) < PARKS and self._fits(park, 0.0):
                parks.append(park)
        found = Place(door, tuple(parks) or (door,))
        self.doors.update(dict.fromkeys(found.parks, door))
        return found

    def _a_door(self, shops: list[Poi], apart_m: float) -> Place | None:
        for _ in range(lives.TRIES if shops else 0):
            poi = self._rng.choice(shops)
            door = self._around((poi.lat, poi.lon), 0.0, 9.0)
            if self._fits(door, apart_m):
                self._taken.append(door)
                return self._place(door)
        return None

    def in_the_street(self) -> Place:
        """A door in the shopping street, close to others; one that stands alone where the street is full."""
        if not self._street:
            for _ in range(lives.TRIES):
                poi = self._rng.choice(self._shops)
                middle = poi.lat, poi.lon
                if self._fits(middle, 0.0):
                    around = (
                        p for p in self._shops if distance_m(*middle, p.lat, p.lon) < STREET_M
                    )
                    self._street = list(around)
                    break
        return self._a_door(self._street, DOORS_APART_M) or self.alone()

    def alone(self) -> Place:
        """A shop's door with nothing else that one goes to around, as far as the town allows. A small map that is full is left."""
        for apart_m in (ALONE_M, ALONE_M / 2) if self.wide else (ALONE_M,):
            found = self._a_door(self._shops, apart_m)
            if found is not None:
                return found
        if self.wide:
            raise InputError("No shop of this map has room around it.", "Take another map.")
        return self._place(self.outside(2_000.0, 8_000.0))

    def dwelling(self, *, keep: bool = True) -> Place:
        """A house in a quiet street; `keep`: nothing else will stand close to it. Outside of a map without any."""
        south, west, north, east = self.atlas.bounds
        for _ in range(lives.TRIES):
            door = self._rng.uniform(south, north), self._rng.uniform(west, east)
            if not self.atlas.near(*door, QUIET_M, FOOD) and self._fits(door, HOUSES_APART_M):
                if keep:
                    self._taken.append(door)
                return self._place(door, 45.0)
        return self._place(self.outside(2_000.0, 8_000.0), 45.0)

    def dines(self, hour: float) -> Place:
        """A table that is open at that hour, as far as its hours tell."""
        poi = self.table(hour)
        return self._place((poi.lat, poi.lon))

    def next_door(self, hour: float) -> Place:
        """What shares a wall with a table that is open at that hour."""
        poi = self.table(hour)
        for _ in range(lives.TRIES):
            door = self._around((poi.lat, poi.lon), 10.0, 26.0)
            if self._fits(door, 0.0):
                return self._place(door)
        raise InputError(
            "No road leads to the house beside a table of this map.", "Take another map."
        )

    def tunnels(self) -> list[tuple[Point, float]]:
        """Stretches of their ways in which a phone hears nothing: a middle and metres around it."""
        rng, found = self._rng, list[tuple[Point, float]]()
        for to in rng.sample(self._taken[1:], min(TUNNELS, len(self._taken) - 1)):
            way = self.way(self.home, to)
            found.append((way[int(rng.uniform(0.3, 0.8) * len(way))], rng.uniform(60.0, 190.0)))
        return found


class Sparing(Phone):
    """Tells by distance moved: every `style` metres."""

    def __init__(self, rng: Random, style: str, doors: dict[Point, Point]) -> None:
        super().__init__(rng, style)
        self._step_m, self._doors = float(style), doors
        self.tunnels: list[tuple[Point, float]] = []
        self._indoors: tuple[Point, Point] | None = (
            None  # where the car stands, and where it says it is
        )
        self._drift = [0.0, 0.0]

    def _tell(
        self, time_s: float, point: Point, told_m: float, mps: float | None, off_m: float = 0.0
    ) -> None:
        rng = self._rng
        if self.fixes and time_s <= self.fixes[-1].time_s:
            return
        lat, lon = lives.shifted(point, rng.gauss(0.0, off_m), rng.gauss(0.0, off_m))
        speed = None if mps is None else round(max(0.0, mps * rng.uniform(0.93, 1.07)), 1)
        self.fixes.append(
            Fix(
                time_s=round(time_s, 1),
                lat=round(lat, 6),
                lon=round(lon, 6),
                accuracy_m=round(told_m * rng.uniform(0.8, 1.5), 1),
                speed_mps=speed,
            )
        )

    def _on_the_way(self, time_s: float, point: Point, mps: float) -> None:
        for i in (0, 1):
            self._drift[i] = 0.8 * self._drift[i] + self._rng.gauss(0.0, 3.5)
        self._tell(time_s, lives.shifted(point, *self._drift), 9.0, mps)

    def drive(self, samples: list[tuple[float, Point, float]]) -> None:
        """From where it woke on, a fix every so many metres, and none in a tunnel."""
        last, wake_m = samples[0][1], self._rng.uniform(90.0, 220.0)
        self._indoors, asleep = None, True
        for time_s, point, mps in samples:
            moved_m = distance_m(*last, *point)
            if moved_m < (wake_m if asleep else self._step_m):
                continue
            if any(distance_m(*point, *middle) < around_m for middle, around_m in self.tunnels):
                continue
            asleep, last = False, point
            self._on_the_way(time_s, point, mps)

    def _enters(self, from_s: float, until_s: float, at: Point) -> float:
        """From the car to the door; the time when it is there."""
        rng, door = self._rng, self._doors.get(at, at)
        far_m = distance_m(*at, *door)
        if until_s - from_s < IN_CAR_S or far_m < 1.0:
            door, far_m = at, 0.0
        step_m = max(25.0, self._step_m / 2)
        for n in range(1, int(far_m / step_m) + 1):
            share = n * step_m / far_m
            on = at[0] + share * (door[0] - at[0]), at[1] + share * (door[1] - at[1])
            self._on_the_way(from_s + n * step_m / WALK_MPS, on, WALK_MPS)
        off = lives.shifted(door, rng.gauss(0.0, 11.0), rng.gauss(0.0, 11.0))
        self._indoors = (at, off)
        return from_s + far_m / WALK_MPS + rng.uniform(50.0, 200.0)

    def rest(self, from_s: float, until_s: float, at: Point) -> None:
        """Once when it notices, then every twelve to forty minutes."""
        rng = self._rng
        at_s = from_s + rng.uniform(240.0, 1_500.0)
        if self._indoors is None or self._indoors[0] != at:
            at_s = self._enters(from_s, until_s, at)
        assert self._indoors is not None
        off = self._indoors[1]
        while at_s < until_s:
            if rng.random() < 0.03:
                turn, far = rng.uniform(0.0, 2 * pi), rng.uniform(90.0, 380.0)
                there = lives.shifted(off, far * cos(turn), far * sin(turn))
                self._tell(at_s, there, rng.choice((18.0, 90.0, 250.0)), None)
            else:
                self._tell(at_s, off, 16.0, rng.choice((0.0, None)), 2.0)
            at_s += rng.uniform(720.0, 2_400.0)
