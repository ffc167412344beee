"""Lives from a third description, again synthetic, written before anything was chosen by it. Its couple's choir next door to a table,
told of as dinner, is why the scatter of hours is weighed: since then it is one to choose by, and `_fourth` came after.

The description. Four people who stand about a town differently from those of `_lives`: at doors of shops (not somewhere
near one), and at houses anywhere on the map.

- *courier*: waits at one of two tables for an order, noon and evening, and carries it to doors never seen before; eats at home;
- *student*: lectures at other hours each weekday, the library, a gym; on Wednesday evening with friends to one of five tables;
- *couple*: two pensioners with one car: the market on Tuesday and Friday, a grandchild fetched from school at noon, a choir
  next door to a table, a garden; lunch out on Sunday at one of two tables;
- *nights*: a nurse on three nights, then four days off, who sleeps by day; before the first night an early dinner at one table.

On *quiet* days nobody eats out. Autumn 2025, with the change to winter time. A phone indoors is off by the same some ten metres
for the whole of a stay, at rest it tells where it is every five to twenty minutes, on the way every 3, 10 or 25 seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from random import Random
from typing import TYPE_CHECKING

from hearthway.atlas.store import Atlas
from hearthway.records.errors import InputError
from hearthway.records.poi import Poi

if TYPE_CHECKING:
    from bench import _lives as lives
    from bench._lives import HOUR_S, Lived, Phone, Point, Stop, Town
else:
    import _lives as lives
    from _lives import HOUR_S, Lived, Phone, Point, Stop, Town

FIRST_DAY = (date(2025, 9, 1) - date(1970, 1, 1)).days  # a Monday
KINDS = ("courier", "student", "couple", "nights")
DOOR_M = 12.0  # one sigma, each way, from where a shop stands on the map
INDOORS_M = 9.0  # likewise, of a whole stay's fixes
HOUSE_APART_M = 60.0
STRANGE_DAYS = (17, 38)  # two Thursdays on which the student goes to a hall


class Doors(Town):
    """Shops at their door, and houses anywhere."""

    def _near(self, poi: Poi) -> Point:
        rng = self._rng
        return lives.shifted((poi.lat, poi.lon), rng.gauss(0, DOOR_M), rng.gauss(0, DOOR_M))

    def house(self) -> Point:
        """A point on the map that the roads lead to, wherever that is; outside of a map without room."""
        south, west, north, east = self.atlas.bounds
        for _ in range(lives.TRIES):
            point = self._rng.uniform(south, north), self._rng.uniform(west, east)
            if self._fits(point, HOUSE_APART_M):
                return point
        return self.outside(1_500.0, 7_000.0)

    def beside(self, poi: Poi) -> Point:
        """Next door to a table, on the same side of the street."""
        rng = self._rng
        for _ in range(lives.TRIES):
            east = rng.choice((-1.0, 1.0)) * rng.uniform(18.0, 32.0)
            point = lives.shifted((poi.lat, poi.lon), rng.uniform(-8.0, 8.0), east)
            if self._fits(point, 0.0):
                return point
        raise InputError("No road leads next door to that table.", "Take another map.")


class Indoors(Phone):
    """Off by the same for a whole stay."""

    def rest(self, from_s: float, until_s: float, at: Point) -> None:
        """One fix every five to twenty minutes."""
        rng = self._rng
        off = lives.shifted(at, rng.gauss(0.0, INDOORS_M), rng.gauss(0.0, INDOORS_M))
        at_s = from_s + rng.uniform(1.0, 240.0)
        while at_s < until_s:
            self.write(at_s, off, 0.0)
            at_s += rng.uniform(300.0, 1_200.0)

    def drive(self, samples: list[tuple[float, Point, float]]) -> None:
        """One fix every so many seconds, as this phone is set."""
        every_s, due_s = float(self._style), samples[0][0]
        for time_s, point, mps in samples:
            if time_s >= due_s:
                self.write(time_s, point, mps)
                due_s = time_s + every_s


def _week(life: Lived) -> int:
    return (life.day + 3) % 7


def _courier(life: Lived) -> Callable[[Lived, bool], list[Stop]]:
    town, rng = life.town, life.rng
    assert isinstance(town, Doors)
    kitchens = [town.table(12.5), town.table(19.0)]
    spots = [(k.lat, k.lon) for k in kitchens]
    depot = town.somewhere()

    def round_of(first: float, orders: int) -> list[Stop]:
        stops: list[Stop] = []
        for i in range(orders):
            kitchen = rng.choices(spots, (0.7, 0.3))[0]
            leave = first if i == 0 else None
            stops.append(Stop(kitchen, leave, rng.uniform(6, 34) * 60))
            stops.append(Stop(town.house(), None, rng.uniform(2, 7) * 60))
        return stops

    def plan(life: Lived, _quiet: bool) -> list[Stop]:
        if _week(life) in (0, 1) or rng.random() < 0.08:
            return [Stop(depot, 15.0 * HOUR_S, 30 * 60.0)] if rng.random() < 0.5 else []
        stops = round_of(11.2 * HOUR_S + rng.gauss(0, 900), rng.randint(2, 4))
        stops.append(Stop(town.home, None, 2.0 * HOUR_S))
        return stops + round_of(17.3 * HOUR_S + rng.gauss(0, 1200), rng.randint(3, 5))

    return plan


def _student(life: Lived) -> Callable[[Lived, bool], list[Stop]]:
    town, rng = life.town, life.rng
    _, hall = town.apart("mall", "parking")
    tables = [town.table(19.0) for _ in range(5)]
    campus, library, gym = (town.somewhere() for _ in range(3))
    life.spots = {"hall": hall}
    begins = [rng.choice((8.2, 10.2, 12.2)) for _ in range(5)]

    def plan(life: Lived, quiet: bool) -> list[Stop]:
        weekday = _week(life)
        if weekday > 4:
            if rng.random() < 0.5:
                leave = rng.uniform(10.5, 15.0) * HOUR_S
                return [Stop(library, leave, rng.uniform(2, 5) * HOUR_S)]
            return []
        if rng.random() < 0.1:
            return []
        leave = (begins[weekday] - 0.4) * HOUR_S + rng.gauss(0, 360)
        stops = [Stop(campus, leave, rng.choice((2.0, 3.7, 5.4)) * HOUR_S)]
        if rng.random() < 0.4:
            stops.append(Stop(library, None, rng.uniform(0.7, 3.0) * HOUR_S))
        if weekday in (0, 3) and rng.random() < 0.8:
            stops.append(Stop(gym, None, rng.uniform(50, 95) * 60))
        if weekday == 2 and not quiet and rng.random() < 0.85:
            poi = rng.choice(tables)
            stay = rng.uniform(60, 130) * 60
            stops.append(Stop(town.home, None, 20 * 60.0))
            evening = max(18.4, 1 + stops[0].stay_s / HOUR_S) * HOUR_S + rng.gauss(0, 900)
            stops.append(Stop((poi.lat, poi.lon), evening, stay, eats=True))
        if weekday == 3 and life.day - FIRST_DAY in STRANGE_DAYS:
            stops += [Stop(town.home, None, 1800.0), Stop(hall, 20.0 * HOUR_S, 2 * HOUR_S)]
        return stops

    return plan


def _couple(life: Lived) -> Callable[[Lived, bool], list[Stop]]:
    town, rng = life.town, life.rng
    assert isinstance(town, Doors)
    doctor, _ = town.apart("charger", "supermarket")
    tables = [town.table(12.5) for _ in range(2)]
    choir = town.beside(town.table(18.0))
    market, school = town.somewhere(), town.somewhere()
    garden = town.house()
    life.spots = {"doctor": doctor, "market": market}

    def plan(life: Lived, quiet: bool) -> list[Stop]:
        weekday, stops = _week(life), list[Stop]()
        if weekday in (1, 4) and rng.random() < 0.9:
            leave = 9.3 * HOUR_S + rng.gauss(0, 1200)
            stops.append(Stop(market, leave, rng.uniform(25, 60) * 60))
        if weekday in (0, 2) and rng.random() < 0.92:
            stops.append(Stop(school, 11.9 * HOUR_S + rng.gauss(0, 200), rng.uniform(8, 24) * 60))
        if weekday == 6 and not quiet and rng.random() < 0.85:
            poi = rng.choices(tables, (0.65, 0.35))[0]
            leave, stay = 12.1 * HOUR_S + rng.gauss(0, 700), rng.uniform(55, 110) * 60
            stops.append(Stop((poi.lat, poi.lon), leave, stay, eats=True))
        if weekday != 6 and rng.random() < 0.45:
            leave = 14.5 * HOUR_S + rng.gauss(0, 1500)
            stops.append(Stop(garden, leave, rng.uniform(1.0, 3.0) * HOUR_S))
        if weekday == 3 and rng.random() < 0.9:
            stops += [Stop(town.home, None, 600.0)] if stops else []
            stops.append(Stop(choir, 18.2 * HOUR_S + rng.gauss(0, 240), 95 * 60.0))
        return stops

    return plan


def _nights(life: Lived) -> Callable[[Lived, bool], list[Stop]]:
    town, rng = life.town, life.rng
    pool, _ = town.apart("charger", "supermarket")
    poi = town.table(17.0)
    ward, shop, riding = (town.somewhere() for _ in range(3))
    life.spots = {"pool": pool}

    def plan(life: Lived, quiet: bool) -> list[Stop]:
        turn, stops = (life.day - FIRST_DAY) % 7, list[Stop]()
        if turn == 0 and not quiet and rng.random() < 0.9:
            leave, stay = 16.6 * HOUR_S + rng.gauss(0, 700), rng.uniform(45, 75) * 60
            stops.append(Stop((poi.lat, poi.lon), leave, stay, eats=True))
        if turn < 3:
            stops += [Stop(town.home, None, 1800.0)] if stops else []
            stops.append(Stop(ward, 20.3 * HOUR_S + rng.gauss(0, 300), 10.4 * HOUR_S))
            return stops
        if turn in (4, 6) and rng.random() < 0.8:
            leave = 16.9 * HOUR_S + rng.gauss(0, 1500)
            stops.append(Stop(riding, leave, rng.uniform(70, 120) * 60))
        elif turn == 5 and rng.random() < 0.7:
            stops.append(Stop(pool, 11.0 * HOUR_S + rng.gauss(0, 2400), rng.uniform(60, 100) * 60))
        if rng.random() < 0.5:
            stops.append(Stop(shop, None if stops else 18.0 * HOUR_S, rng.uniform(20, 40) * 60))
        return stops

    return plan


MAKERS = {
    "courier": (_courier, "3", False),
    "student": (_student, "10", False),
    "couple": (_couple, "25", False),
    "nights": (_nights, "10", True),
}


def begun(kind: str, atlas: Atlas, seed: int) -> Lived:
    """A person of that kind on that map, at the first night; nothing is lived yet. InputError where the map has no room."""
    rng = Random(f"a-third-description/{kind}/{seed}")
    town = Doors(atlas, rng)
    maker, style, electric = MAKERS[kind]
    life = Lived(kind, town, rng, Indoors(rng, style), electric, day=FIRST_DAY)
    life.at, life.now_s = town.home, life.unix(3 * HOUR_S)
    life.plan = maker(life)
    return life
