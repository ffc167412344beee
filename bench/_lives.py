"""Synthetic lives from a description of their own: nobody lived them, and `hearthway.synthetic` made no part of them.

The description. Six people who each keep a car, on the roads and at the things of a real map:

- *shift*: a nurse on a roster of eight days (two early, two late, two night shifts, two free), so nothing is weekly;
- *pensioner*: leaves when the morning is right, for one or two of seven places; church on Sunday, lunch out on Thursday;
- *parent*: a child to daycare on the way to work and fetched on the way home; sometimes the shop; dinner out on Friday,
  the pool on Saturday, and on two Sundays a fair;
- *commuter*: weekdays as the parent's, the pool on Sunday, and a car that is plugged in at work and never at home;
- *homeworker*: a child to the nursery in the morning, parcels around noon on three days a week, each a way of its own for
  a stop of minutes, and home again; the shop on two evenings; lunch out on Friday;
- *technician*: a depot, then five to eight customers a day, half of them never seen before; lunch out between two.

And one who came later, drawn apart from these (`WITH_COFFEE`): the *reader*, at a library on two mornings, on Monday and Thursday
around four for coffee at a café with no other table near, on the other days then now and then at the shop or the parcels.

All leave the car at the door of wherever they go, as always. But for the commuter's it is plugged in at home. It is never low.
On *quiet* days nobody eats out: the same errands, without the meal (the technician has a lunch box). So there is nothing
that any word could have told them. Sleep, illness and forgetfulness are one thing: some days nobody leaves.

On a small map homes lie beyond the edge. From there on ways are bent lines, and roads as soon as the map has them.

Phones differ: bursts of one fix a second with pauses, one fix every five seconds, one a minute; at rest one in a
quarter of an hour; errors with heavy tails; speed told for some fixes only; holes of hours. Car and phone have the clock of
the map, change to summer time included.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import islice, pairwise, product
from math import cos, pi, radians, sin
from random import Random

from hearthway.atlas.store import Atlas
from hearthway.records.errors import InputError
from hearthway.records.geo import distance_m
from hearthway.records.localtime import utc_offset_s
from hearthway.records.poi import FOOD, SHOPPING, OpenState, Poi
from hearthway.records.signals import Fix, Signal
from hearthway.sense.catalogue import ODOMETER, SOC

Point = tuple[float, float]
FIRST_DAY = (date(2026, 1, 12) - date(1970, 1, 1)).days  # a Monday
KINDS = ("shift", "pensioner", "parent", "technician", "commuter", "homeworker")
WITH_COFFEE = ("reader",)
HOUR_S, DAY_S = 3600.0, 86_400.0
USES_PCT_PER_KM = 0.42
CAR = "bench-car"
FAIR_DAYS = (20, 41)  # two Sundays on which the parent goes to a fair
CHOICE = 8  # tables within reach of a home on a wide map
REACHED = 3  # of them by its roads, there and back: a map's edge cuts some off
NEXT_DOOR_M = 60.0
TRIES = 4_000
REACH_M = 6_000.0  # from home, on a wide map
ALONE_M = 850.0  # who goes to one of two places nearer than this knows the other's streets
APART_M = 550.0  # nearer to one another no trip is driven between them


def shifted(point: Point, north_m: float, east_m: float) -> Point:
    """`point` so many metres further."""
    lat = point[0] + north_m / 111_195.0
    return lat, point[1] + east_m / (111_195.0 * cos(radians(point[0])))


@dataclass(slots=True)
class Stop:
    """One visit of a plan: leave for it at a local second (None: at once), stay so long."""

    spot: Point
    leave: float | None
    stay_s: float
    eats: bool = False


@dataclass(slots=True)
class Leg:
    """A drive as it truly was."""

    start_s: float
    end_s: float
    to: Point
    eats: bool
    low: bool = False  # the charge would not have brought the car home from there, or on the next day's first trip
    new: bool = False  # where one does not know where to park
    left: bool = False  # without what goes along each time
    cold: bool = False  # to a house that nobody heats, with nobody in
    planned: bool = False  # to something that begins five minutes after its end, in the calendar


class Town:
    """Where one person of this map goes, and the ways between."""

    def __init__(self, atlas: Atlas, rng: Random) -> None:
        self.atlas, self._rng = atlas, rng
        south, west, north, east = atlas.bounds
        self.middle = (south + north) / 2.0, (west + east) / 2.0
        self.wide = distance_m(south, west, north, east) > 6_000.0
        self._shops = atlas.near(*self.middle, 1e6, SHOPPING)
        self._meals = atlas.near(*self.middle, 1e6, ("restaurant", "fast_food"))
        self._taken: list[Point] = []
        self._alone: list[Point] = []
        self._ways: dict[tuple[Point, Point], list[Point]] = {}
        self.home = self._house()

    def _house(self) -> Point:
        """Home: on a wide map where there is a choice of tables within reach, on a small one beyond its edge."""
        if not self.wide:
            return self.outside(4_000.0, 11_000.0)
        for _ in range(TRIES):
            self._taken.clear()
            self.home = home = self.somewhere()
            named = (p for p in self._meals if p.name.strip())
            near = [p for p in named if distance_m(*home, p.lat, p.lon) < REACH_M]
            reached = (p for p in near if self._fits((p.lat, p.lon), 0.0))
            if len(near) >= CHOICE and len(list(islice(reached, REACHED))) == REACHED:
                return home
        raise InputError(f"Nowhere on this map are {CHOICE} tables together.", "Take another.")

    def _fits(self, point: Point, apart_m: float) -> bool:
        if not (self.atlas.covers(*point) and self.atlas.roads.covers(*point)):
            return False  # beside a thing on the map's edge one may stand off the map
        if any(distance_m(*point, *other) < apart_m for other in self._taken):
            return False
        if any(distance_m(*point, *other) < ALONE_M for other in self._alone):
            return False
        if not self._taken:
            return True
        if self.wide and distance_m(*point, *self.home) > REACH_M:
            return False
        anchor = self._taken[0] if self.wide else self._taken[-1]
        if not self.atlas.roads.covers(*anchor):
            return True
        there, back = self.atlas.route(anchor, point), self.atlas.route(point, anchor)
        return all(r is not None and r.on_road and len(r.points) > 3 for r in (there, back))

    def apart(self, kind: str, other: str) -> tuple[Point, Point]:
        """Points by a road beside something of each kind (shops where the map has none of it), `ALONE_M` apart; nothing
        else will lie near the second. InputError where the map has no such two.
        """
        ones, others = (self.has(k) or self._shops for k in (kind, other))
        for _ in range(TRIES):
            a, b = self._near(self._rng.choice(ones)), self._near(self._rng.choice(others))
            if distance_m(*a, *b) > ALONE_M and self._fits(a, APART_M) and self._fits(b, ALONE_M):
                self._taken += [a, b]
                self._alone.append(b)
                return a, b
        raise InputError(
            f"This map has no road beside a {kind} and another, {ALONE_M:.0f} m away, beside a {other}.",
            "Take a larger one.",
        )

    def has(self, kind: str) -> list[Poi]:
        """All of that kind on this map."""
        return self.atlas.near(*self.middle, 1e6, (kind,))

    def _near(self, poi: Poi) -> Point:
        rng = self._rng
        return shifted((poi.lat, poi.lon), rng.uniform(-140, 140), rng.uniform(-140, 140))

    def somewhere(self, *, keep: bool = True) -> Point:
        """A point by a road, near some shop or other; `keep`: nothing else will lie close to it."""
        for _ in range(TRIES):
            point = self._near(self._rng.choice(self._shops))
            if self._fits(point, APART_M if keep else 0.0):
                if keep:
                    self._taken.append(point)
                return point
        if self._taken:  # a small map is full: the rest of a life lies outside
            return self.outside(2_500.0, 9_000.0)
        raise InputError(
            "This map has no room for a person's life.", "Take one with more things on its roads."
        )

    def outside(self, least_m: float, most_m: float) -> Point:
        """A point beyond a small map, in a direction of its own."""
        for _ in range(TRIES):
            turn, far = self._rng.uniform(0.0, 2 * pi), self._rng.uniform(least_m, most_m)
            point = shifted(self.middle, far * cos(turn), far * sin(turn))
            if all(distance_m(*point, *other) > 3 * APART_M for other in self._taken):
                break
        self._taken.append(point)
        return point

    def table(self, hour: float) -> Poi:
        """A place to eat on a road of the map that is open at that hour on weekdays, as far as its hours tell."""
        at_s = unix(FIRST_DAY + 3, hour * HOUR_S, self.middle)
        for tried in range(2 * TRIES):
            poi = self._rng.choice(self._meals)
            apart_m = (
                APART_M / 2 if tried < TRIES else NEXT_DOOR_M
            )  # in a village all are in one street
            if (
                poi.name.strip()
                and self.atlas.opening(poi, at_s).state is not OpenState.CLOSED
                and self._fits((poi.lat, poi.lon), apart_m)
            ):
                self._taken.append((poi.lat, poi.lon))
                return poi
        raise InputError("This map has no place to eat that can be driven to.", "Take another.")

    def cafe(self, hour: float) -> Poi:
        """A café as `table` has it, with nothing else to eat or drink at within 75 m; InputError where the map has none."""
        at_s = unix(FIRST_DAY + 3, hour * HOUR_S, self.middle)
        cafes = self.atlas.near(*self.middle, 1e6, ("cafe",))
        self._rng.shuffle(cafes)
        for apart_m, poi in product((APART_M / 2, NEXT_DOOR_M), cafes):
            around = self.atlas.near(poi.lat, poi.lon, 75.0, FOOD)
            if (
                poi.name.strip()
                and self.atlas.opening(poi, at_s).state is not OpenState.CLOSED
                and all(one.kind == "cafe" for one in around)
                and self._fits((poi.lat, poi.lon), apart_m)
            ):
                self._taken.append((poi.lat, poi.lon))
                return poi
        raise InputError("This map has no café by itself that can be driven to.", "Take another.")

    def way(self, a: Point, b: Point) -> list[Point]:
        """Points from a to b: roads where the map has them, else a bent line."""
        if (a, b) not in self._ways:
            self._ways[a, b] = [a, *(self._by_road(a, b) or self._over_the_edge(a, b)), b]
        return self._ways[a, b]

    def _by_road(self, a: Point, b: Point) -> list[Point]:
        """By the map's roads; no points where none lead there."""
        roads = self.atlas.roads
        route = self.atlas.route(a, b) if roads.covers(*a) and roads.covers(*b) else None
        return list(route.points) if route is not None and len(route.points) > 3 else []

    def _over_the_edge(self, a: Point, b: Point) -> list[Point]:
        """A bent line as far as the map has no roads, and roads from there on: nobody drives across houses."""
        line, on_map = self._bent(a, b), self.atlas.roads.covers
        inside = [on_map(*point) for point in line]
        if on_map(*b) and not on_map(*a):
            begin = len(line) - next((n for n, on in enumerate(inside[::-1]) if not on), len(line))
            road = self._by_road(line[begin], b) if begin < len(line) else []
            return [*line[: begin + 1], *road] if road else line
        if on_map(*a) and not on_map(*b):
            end = next((n for n, on in enumerate(inside) if not on), len(line)) - 1
            road = self._by_road(a, line[end]) if end >= 0 else []
            return [*road, *line[end:]] if road else line
        return line

    def _bent(self, a: Point, b: Point) -> list[Point]:
        """The same two curves there and back."""
        low, high = min(a, b), max(a, b)
        bends = Random(repr((low, high)))
        one, two = bends.uniform(-0.12, 0.12), bends.uniform(-0.08, 0.08)
        parts = max(8, int(distance_m(*low, *high) / 60.0))
        line = []
        for i in range(1, parts):
            t = i / parts
            side = one * sin(pi * t) + two * sin(2 * pi * t)
            lat, lon = low[0] + t * (high[0] - low[0]), low[1] + t * (high[1] - low[1])
            north, east = (
                (high[0] - low[0]) * 111_195.0,
                (high[1] - low[1]) * 111_195.0 * cos(radians(low[0])),
            )
            line.append(shifted((lat, lon), -side * east, side * north))
        return line if a == low else line[::-1]


def unix(day: int, second: float, at: Point) -> float:
    """Unix time of a local second of a local day."""
    noon_s = day * DAY_S + 43_200.0
    return day * DAY_S + second - utc_offset_s(*at, noon_s)


class Phone:
    """What it writes down."""

    def __init__(self, rng: Random, style: str) -> None:
        self._rng, self._style = rng, style
        self._told_speed = rng.choice((0.0, 0.6, 0.95))
        self.fixes: list[Fix] = []

    def write(self, time_s: float, point: Point, mps: float) -> None:
        """One fix, off by a heavy-tailed error."""
        rng = self._rng
        if self.fixes and time_s <= self.fixes[-1].time_s:
            return
        spread = rng.choices((4.0, 14.0, 45.0), (0.82, 0.165, 0.015))[0]
        lat, lon = shifted(point, rng.gauss(0.0, spread), rng.gauss(0.0, spread))
        told = rng.random() < self._told_speed
        self.fixes.append(
            Fix(
                time_s=round(time_s, 3),
                lat=round(lat, 7),
                lon=round(lon, 7),
                accuracy_m=round(2 * spread, 1),
                speed_mps=round(max(0.0, mps + rng.gauss(0.0, 0.4)), 2) if told else None,
            )
        )

    def rest(self, from_s: float, until_s: float, at: Point) -> None:
        """One in about a quarter of an hour."""
        at_s = from_s + self._rng.uniform(1.0, 90.0)
        while at_s < until_s:
            self.write(at_s, at, 0.0)
            at_s += self._rng.uniform(780.0, 930.0)

    def drive(self, samples: list[tuple[float, Point, float]]) -> None:
        """Of a second-by-second drive what this phone keeps."""
        rng, due_s, burst_s = self._rng, samples[0][0], samples[0][0] + 15.0
        for time_s, point, mps in samples:
            if time_s < due_s:
                continue
            self.write(time_s, point, mps)
            if self._style == "bursts":
                if time_s >= burst_s:
                    due_s = time_s + rng.uniform(20.0, 70.0)
                    burst_s = due_s + rng.uniform(8.0, 25.0)
            else:
                due_s = time_s + (5.0 if self._style == "steady" else rng.uniform(45.0, 75.0))


@dataclass
class Lived:
    """One life: what the phone and the car told, and what was true."""

    kind: str
    town: Town
    rng: Random
    phone: Phone
    electric: bool
    day: int = FIRST_DAY
    now_s: float = 0.0
    at: Point = (0.0, 0.0)
    soc_pct: float = 80.0
    driven_m: float = 21_000_000.0
    signals: list[Signal] = field(default_factory=list)
    legs: list[Leg] = field(default_factory=list)
    charges_at: Point | None = None  # None: at home
    plan: Callable[[Lived, bool], list[Stop]] = lambda _life, _quiet: []
    spots: dict[str, Point] = field(default_factory=dict)

    def unix(self, second: float) -> float:
        """Of the day that is being lived."""
        return unix(self.day, second, self.town.middle)

    def live(self, days: int, *, quiet: bool) -> None:
        """So many days more."""
        for _ in range(days):
            self.one_day(self.plan(self, quiet))

    def one_day(self, stops: list[Stop]) -> None:
        """This plan, home again, and the night until three o'clock."""
        for stop in stops:
            if stop.leave is not None:
                self.rest(self.unix(stop.leave))
            self.go(stop.spot, eats=stop.eats)
            self.rest(self.now_s + stop.stay_s)
        if self.at != self.town.home:
            self.go(self.town.home)
        self.rest(self.unix(DAY_S + 3 * HOUR_S))
        self.day += 1

    def rest(self, until_s: float) -> None:
        """Where one is; where it is plugged in the car charges."""
        if until_s <= self.now_s:
            return
        self.phone.rest(self.now_s, until_s, self.at)
        if self.at == (self.charges_at or self.town.home) and self.soc_pct < 60.0:
            self.soc_pct = min(85.0, self.soc_pct + (until_s - self.now_s) / HOUR_S * 14.0)
        self.now_s = until_s

    def go(self, to: Point, *, eats: bool = False, new: bool = False) -> Leg:
        """Drive there now."""
        begin_s, begin_pct, rng = self.now_s, self.soc_pct, self.rng
        samples = list(self._moving(self.town.way(self.at, to), begin_s))
        length_m = sum(mps for _, _, mps in samples)
        rate = USES_PCT_PER_KM * rng.uniform(0.85, 1.15)
        told_s, done_m = begin_s - 1.0, 0.0
        for time_s, _, mps in samples:
            done_m += mps
            if time_s - told_s >= 60.0 or time_s == begin_s:
                told_s = time_s
                self._tell(time_s, begin_pct - rate * done_m / 1000.0, self.driven_m + done_m)
        self.soc_pct = begin_pct - rate * length_m / 1000.0
        self.driven_m += length_m
        self.now_s = samples[-1][0]
        self._tell(self.now_s, self.soc_pct, self.driven_m)
        self.phone.drive(samples)
        self.at = to
        back_km = distance_m(*to, *self.town.home) / 1000.0
        low = self.electric and self.soc_pct < 5.0 + USES_PCT_PER_KM * 1.2 * back_km
        self.legs.append(Leg(begin_s, self.now_s, to, eats, low, new))
        return self.legs[-1]

    def monday_s(self) -> float:
        """The midnight before the first day."""
        return unix(FIRST_DAY, 0.0, self.town.middle)

    def away(self) -> list[tuple[float, float]]:
        """When this person was out, from each departure at home until back there."""
        found, left_s = list[tuple[float, float]](), None
        for leg in self.legs:
            left_s = leg.start_s if left_s is None else left_s
            if leg.to == self.town.home:
                found.append((left_s, leg.end_s))
                left_s = None
        return found

    def hears(self, signals: list[Signal]) -> None:
        """What the house tells the phone, beside what the car does."""
        self.signals = sorted([*self.signals, *signals], key=lambda one: one.time_s)

    def _tell(self, time_s: float, soc_pct: float, driven_m: float) -> None:
        if self.electric:
            for key, value, unit in (
                (SOC, round(soc_pct, 1), "percent"),
                (ODOMETER, float(round(driven_m)), "m"),
            ):
                self.signals.append(
                    Signal(key=key, value=value, time_s=round(time_s, 3), unit=unit, source=CAR)
                )

    def _moving(self, points: list[Point], begin_s: float) -> Iterator[tuple[float, Point, float]]:
        """Second by second: a pace of the day, slower and faster, and halts."""
        rng = self.rng
        pace = rng.uniform(8.0, 13.0) if self.town.wide else rng.uniform(7.0, 11.0)
        time_s, mps, halt_s, next_halt_m = begin_s, 0.0, 0.0, rng.expovariate(1 / 450.0)
        done_m = carry_m = 0.0
        yield time_s, points[0], 0.0
        for a, b in pairwise(points):
            length = distance_m(*a, *b)
            while carry_m < length:
                if halt_s > 0.0:
                    halt_s, mps = halt_s - 1.0, 0.0
                else:
                    mps = min(mps + 2.0, max(2.5, rng.gauss(pace, 1.2)))
                    if done_m >= next_halt_m:
                        halt_s = rng.uniform(4.0, 40.0)
                        next_halt_m = done_m + rng.expovariate(1 / 600.0)
                time_s += 1.0
                share = carry_m / length
                yield (
                    time_s,
                    (a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])),
                    mps,
                )
                carry_m += mps
                done_m += mps
            carry_m -= length
        yield time_s + 1.0, points[-1], 0.0

    def items(self, from_s: float, until_s: float) -> Iterator[Fix | Signal]:
        """What was told in that time, in order, without what the phone slept through."""
        holes = Random(f"holes/{self.kind}/{from_s}")
        kept: list[Fix] = []
        hole_s = from_s + holes.expovariate(1 / (4 * DAY_S))
        length_s = holes.uniform(0.5, 5.0) * HOUR_S
        for fix in self.phone.fixes:
            if not from_s <= fix.time_s < until_s:
                continue
            while fix.time_s > hole_s + length_s:
                hole_s += length_s + holes.expovariate(1 / (4 * DAY_S))
                length_s = holes.uniform(0.5, 5.0) * HOUR_S
            if fix.time_s < hole_s:
                kept.append(fix)
        told = [s for s in self.signals if from_s <= s.time_s < until_s]
        return heapq.merge(told, kept, key=lambda item: item.time_s)


def _shift(life: Lived) -> Callable[[Lived, bool], list[Stop]]:
    town, rng = life.town, life.rng
    poi = town.table(19.0)
    ward, shop, gym, parents = (town.somewhere() for _ in range(4))

    def plan(life: Lived, quiet: bool) -> list[Stop]:
        turn = (life.day - FIRST_DAY) % 8
        late = rng.gauss(0.0, 420.0)
        shop_after = Stop(shop, None, rng.uniform(22, 45) * 60)
        if turn < 2:
            stops = [Stop(ward, 5.8 * HOUR_S + late, 8.2 * HOUR_S)]
            return stops + ([shop_after] if rng.random() < 0.4 else [])
        if turn < 4:
            return [Stop(ward, 13.0 * HOUR_S + late, 8.3 * HOUR_S)]
        if turn < 6:
            return [Stop(ward, 20.6 * HOUR_S + late, 9.6 * HOUR_S)]
        stops = []
        if rng.random() < 0.5:
            stops.append(Stop(gym, rng.uniform(10, 15) * HOUR_S, rng.uniform(50, 90) * 60))
        if rng.random() < 0.35:
            stops.append(Stop(parents, rng.uniform(15.5, 17.5) * HOUR_S, rng.uniform(60, 110) * 60))
        if turn == 6 and not quiet and rng.random() < 0.9:
            stops.append(
                Stop(
                    (poi.lat, poi.lon),
                    18.7 * HOUR_S + rng.gauss(0, 1200),
                    rng.uniform(50, 90) * 60,
                    eats=True,
                )
            )
        elif rng.random() < 0.3:
            stops.append(Stop(shop, rng.uniform(17.5, 19.5) * HOUR_S, rng.uniform(22, 40) * 60))
        return stops

    return plan


def _pensioner(life: Lived) -> Callable[[Lived, bool], list[Stop]]:
    town, rng = life.town, life.rng
    poi = town.table(12.5)
    church = town.somewhere()
    spots = [town.somewhere() for _ in range(6)]
    often = [rng.uniform(0.5, 4.0) for _ in spots]

    def plan(life: Lived, quiet: bool) -> list[Stop]:
        weekday = (life.day + 3) % 7
        if weekday == 6:
            return [Stop(church, 9.6 * HOUR_S + rng.gauss(0, 240), 80 * 60.0)]
        if weekday == 3 and not quiet and rng.random() < 0.9:
            out = 12.0 * HOUR_S + rng.gauss(0, 900)
            return [Stop((poi.lat, poi.lon), out, rng.uniform(50, 100) * 60, eats=True)]
        if rng.random() < 0.2:
            return []
        count = 2 if rng.random() < 0.4 else 1
        chosen = rng.choices(spots, often, k=count)
        leave = max(7.5 * HOUR_S, rng.gauss(10.4, 1.4) * HOUR_S)
        stops = [Stop(chosen[0], leave, rng.uniform(22, 130) * 60)]
        if count == 2 and chosen[1] != chosen[0]:
            stops.append(Stop(chosen[1], None, rng.uniform(8, 60) * 60))
        return stops

    return plan


def _parent(life: Lived) -> Callable[[Lived, bool], list[Stop]]:
    town, rng = life.town, life.rng
    pool, fair = town.apart("charger", "parking")
    poi = town.table(18.0)
    work, daycare, shop = (town.somewhere() for _ in range(3))
    life.spots = {"work": work, "daycare": daycare, "pool": pool, "fair": fair}
    life.spots["table"] = poi.lat, poi.lon

    def plan(life: Lived, quiet: bool) -> list[Stop]:
        weekday = (life.day + 3) % 7
        if weekday > 4:
            if life.day - FIRST_DAY in FAIR_DAYS:
                return [Stop(fair, 14 * HOUR_S + rng.gauss(0, 600), rng.uniform(50, 90) * 60)]
            if weekday == 5 and rng.random() < 0.7:
                leave = 10 * HOUR_S + rng.gauss(0, 1800)
                return [Stop(pool, leave, rng.uniform(60, 120) * 60)]
            return []
        if rng.random() < 0.06:
            return []
        stops = [
            Stop(daycare, 7.6 * HOUR_S + rng.gauss(0, 420), rng.uniform(5, 13) * 60),
            Stop(work, None, (9.2 if weekday == 4 else 7.9) * HOUR_S + rng.gauss(0, 1200)),
            Stop(daycare, None, rng.uniform(5, 22) * 60),
        ]
        if weekday == 4 and not quiet and rng.random() < 0.9:
            stops.append(Stop((poi.lat, poi.lon), None, rng.uniform(45, 80) * 60, eats=True))
        elif rng.random() < 0.35:
            stops.append(Stop(shop, None, rng.uniform(21, 35) * 60))
        return stops

    return plan


def _commuter(life: Lived) -> Callable[[Lived, bool], list[Stop]]:
    weekdays, rng = _parent(life), life.rng
    life.charges_at = life.spots["work"]

    def plan(life: Lived, quiet: bool) -> list[Stop]:
        weekday = (life.day + 3) % 7
        if weekday < 5:
            return weekdays(life, quiet)
        if weekday == 6 and rng.random() < 0.7:
            leave = 10 * HOUR_S + rng.gauss(0, 1800)
            return [Stop(life.spots["pool"], leave, rng.uniform(60, 120) * 60)]
        return []

    return plan


def _technician(life: Lived) -> Callable[[Lived, bool], list[Stop]]:
    town, rng = life.town, life.rng
    tables = [town.table(12.0) for _ in range(2)]
    depot = town.somewhere()
    regular = [town.somewhere(keep=False) for _ in range(14)]

    def plan(life: Lived, quiet: bool) -> list[Stop]:
        if (life.day + 3) % 7 > 4 or rng.random() < 0.05:
            return []
        leave = 6.9 * HOUR_S + rng.gauss(0, 500)
        stops = [Stop(depot, leave, rng.uniform(12, 26) * 60)]
        clock, eaten, last = leave + 2000.0, False, depot
        for _ in range(rng.randint(5, 8)):
            if clock > 11.6 * HOUR_S and not eaten:
                eaten = True
                if not quiet and rng.random() < 0.85:
                    poi = rng.choice(tables)
                    stay = rng.uniform(25, 45) * 60
                    stops.append(Stop((poi.lat, poi.lon), None, stay, eats=True))
                    clock += stay + 500.0
            known = rng.random() < 0.5
            spot = rng.choice(regular) if known else town.somewhere(keep=False)
            if spot == last:
                continue
            stay, last = rng.uniform(14, 75) * 60, spot
            stops.append(Stop(spot, None, stay))
            clock += stay + 500.0
            if clock > 16.2 * HOUR_S:
                break
        return stops

    return plan


def _homeworker(life: Lived) -> Callable[[Lived, bool], list[Stop]]:
    town, rng = life.town, life.rng
    poi = town.table(12.5)
    nursery, parcels, shop = (town.somewhere() for _ in range(3))

    def plan(life: Lived, quiet: bool) -> list[Stop]:
        weekday, home = (life.day + 3) % 7, town.home
        if weekday > 4:
            leave = rng.uniform(10, 17) * HOUR_S
            return [Stop(shop, leave, rng.uniform(22, 45) * 60)] if rng.random() < 0.5 else []
        stops = list[Stop]()
        if rng.random() < 0.92:
            leave = 8.4 * HOUR_S + rng.gauss(0, 420)
            stops += [Stop(nursery, leave, rng.uniform(4, 14) * 60), Stop(home, None, 1800.0)]
        if weekday in (0, 1, 3) and rng.random() < 0.85:
            leave = 12.0 * HOUR_S + rng.gauss(0, 1500)
            stops += [Stop(parcels, leave, rng.uniform(5, 16) * 60), Stop(home, None, 1800.0)]
        if weekday == 4 and not quiet and rng.random() < 0.9:
            leave, stay = 12.2 * HOUR_S + rng.gauss(0, 900), rng.uniform(45, 80) * 60
            stops += [Stop((poi.lat, poi.lon), leave, stay, eats=True), Stop(home, None, 1800.0)]
        if weekday in (1, 3) and rng.random() < 0.6:
            stops.append(Stop(shop, 17.5 * HOUR_S + rng.gauss(0, 1800), rng.uniform(22, 40) * 60))
        return stops

    return plan


def _reader(life: Lived) -> Callable[[Lived, bool], list[Stop]]:
    town, rng = life.town, life.rng
    cafe = town.cafe(16.5)
    library, shop, parcels = (town.somewhere() for _ in range(3))
    life.spots = {"cafe": (cafe.lat, cafe.lon)}

    def plan(life: Lived, quiet: bool) -> list[Stop]:
        weekday, stops = (life.day + 3) % 7, list[Stop]()
        if weekday > 4:
            leave = rng.uniform(10, 14) * HOUR_S
            return [Stop(shop, leave, rng.uniform(22, 50) * 60)] if rng.random() < 0.6 else []
        if weekday in (1, 4) and rng.random() < 0.85:
            leave = 9.8 * HOUR_S + rng.gauss(0, 900)
            stops += [Stop(library, leave, rng.uniform(1.5, 3) * HOUR_S)]
            stops += [Stop(town.home, None, 1800.0)]
        if weekday in (0, 3) and not quiet and rng.random() < 0.9:
            leave, stay = 15.8 * HOUR_S + rng.gauss(0, 600), rng.uniform(28, 60) * 60
            stops += [Stop((cafe.lat, cafe.lon), leave, stay, eats=True)]
        elif rng.random() < 0.35:
            leave = rng.uniform(15.5, 18.0) * HOUR_S
            stops.append(Stop(rng.choice((shop, parcels)), leave, rng.uniform(10, 45) * 60))
        return stops

    return plan


MAKERS = {
    "shift": (_shift, "bursts", True),
    "pensioner": (_pensioner, "sparse", False),
    "parent": (_parent, "steady", True),
    "technician": (_technician, "bursts", False),
    "commuter": (_commuter, "steady", True),
    "homeworker": (_homeworker, "bursts", False),
    "reader": (_reader, "steady", False),
}


def begun(kind: str, atlas: Atlas, seed: int) -> Lived:
    """A person of that kind on that map, at the first night; nothing is lived yet. InputError where the map has no room."""
    rng = Random(f"another-description/{kind}/{seed}")
    town = Town(atlas, rng)
    maker, style, electric = MAKERS[kind]
    life = Lived(kind, town, rng, Phone(rng, style), electric)
    life.at, life.now_s = town.home, life.unix(3 * HOUR_S)
    life.plan = maker(life)
    return life
