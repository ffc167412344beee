"""Synthetic lives that change on one day: nobody lived them. Each is told by its phone as in `_lives`.

A person who works, eats lunch out two or three times a week, shops, has a gym and a friend. On day `CHANGE_DAY` of 100:

- *same town*: moves to another house of the town and keeps all else;
- *another town*: moves 60 km away; another work from the third day, another shop, gym and friend;
- *new job*: another place, and lunch and all hours about two hours later, at another table;
- *holiday*: three weeks 60 km away, on the beach every day from morning to afternoon, then as before;
- *at a friend's*: two weeks with a friend in town, to work from there, then as before;
- *two homes*: from then on every other week in another house of the town.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from hearthway.atlas.store import Atlas

if TYPE_CHECKING:
    from bench._lives import DAY_S, FIRST_DAY, HOUR_S, Lived, Phone, Point, Stop, Town, shifted
else:  # run as a script, its own folder is on the path
    from _lives import DAY_S, FIRST_DAY, HOUR_S, Lived, Phone, Point, Stop, Town, shifted

DAYS, CHANGE_DAY = 100, 60
HOLIDAY_DAYS, VISIT_DAYS = 21, 14
NEW_WORK_AFTER_DAYS = 2
FAR_M = 60_000.0
KINDS = ("same town", "another town", "new job", "holiday", "at a friend's", "two homes")
LATER_H = 2.0
LUNCH_H = 12.2
EARLY_LEAVE_H, EARLY_END_H = 7.8, 16.6


class Truth:
    """Where this person lives and works on a day, and when lunch is."""

    def __init__(self, kind: str, town: Town, rng: Random) -> None:
        self.kind = kind
        self.old, self.work, self.shop = town.home, town.somewhere(), town.somewhere()
        self.gym, self.friend = town.somewhere(), town.outside(3_000.0, 8_000.0)
        self.new = town.outside(4_000.0, 11_000.0)
        self.office = town.somewhere()
        self.tables = [(poi.lat, poi.lon) for poi in (town.table(LUNCH_H), town.table(14.2))]
        far = shifted(self.old, FAR_M, rng.uniform(-20_000.0, 20_000.0))
        self.away = {
            what: shifted(far, rng.uniform(-4e3, 4e3), rng.uniform(-4e3, 4e3))
            for what in ("home", "work", "shop", "gym", "friend", "beach")
        }

    def changed(self, day: int) -> bool:
        """Is this after the change?"""
        return day >= CHANGE_DAY

    def sleeps(self, day: int) -> Point:
        """Where the evening of this day ends."""
        since = day - CHANGE_DAY
        if since < 0 or self.kind == "new job":
            return self.old
        if self.kind == "same town":
            return self.new
        if self.kind == "another town":
            return self.away["home"]
        if self.kind == "holiday":
            return self.away["home"] if since < HOLIDAY_DAYS else self.old
        if self.kind == "at a friend's":
            return self.friend if since < VISIT_DAYS else self.old
        return self.new if since // 7 % 2 == 0 else self.old

    def home(self, day: int) -> Point:
        """Where this person lives."""
        moved = self.kind in ("same town", "another town") and self.changed(day)
        return self.sleeps(day) if moved else self.old

    def works(self, day: int) -> Point:
        """Where this person works."""
        if self.kind == "new job" and self.changed(day):
            return self.office
        if self.kind == "another town" and day >= CHANGE_DAY + NEW_WORK_AFTER_DAYS:
            return self.away["work"]
        return self.work

    def later_h(self, day: int) -> float:
        """By how much all hours are later."""
        return LATER_H if self.kind == "new job" and self.changed(day) else 0.0

    def there(self, what: str, day: int) -> Point:
        """The shop, gym or friend of that day."""
        if self.kind == "another town" and self.changed(day):
            return self.away[what]
        found = {"shop": self.shop, "gym": self.gym, "friend": self.friend}
        return found[what]

    def on_holiday(self, day: int) -> bool:
        """Is this day spent at the beach?"""
        return self.kind == "holiday" and 0 <= day - CHANGE_DAY < HOLIDAY_DAYS


def planned(truth: Truth) -> Callable[[Lived, bool], list[Stop]]:
    """What this person does on a day."""

    def plan(life: Lived, _quiet: bool) -> list[Stop]:
        day, rng = life.day - FIRST_DAY, life.rng
        life.town.home = truth.sleeps(day)
        weekday = day % 7  # the first is a Monday
        if truth.on_holiday(day):
            stops = [Stop(truth.away["beach"], (10.4 + rng.gauss(0, 0.2)) * HOUR_S, 5 * HOUR_S)]
            return stops + ([Stop(truth.away["shop"], None, 1800.0)] if rng.random() < 0.5 else [])
        if weekday > 4:
            stops = []
            if rng.random() < 0.8:
                leave = (10.5 + rng.gauss(0, 0.5)) * HOUR_S
                stops.append(Stop(truth.there("shop", day), leave, rng.uniform(25, 50) * 60))
            if rng.random() < 0.5:
                leave = (14.5 + rng.gauss(0, 0.5)) * HOUR_S
                friend = truth.there("friend", day)
                if friend != life.town.home:
                    stops.append(Stop(friend, leave, rng.uniform(1.5, 3.5) * HOUR_S))
            return stops
        if rng.random() < 0.05:
            return []
        if truth.kind == "another town" and 0 <= day - CHANGE_DAY < NEW_WORK_AFTER_DAYS:
            return [Stop(truth.there("shop", day), 11 * HOUR_S, 2400.0)]
        return _working(truth, life, day, weekday)

    return plan


def _working(truth: Truth, life: Lived, day: int, weekday: int) -> list[Stop]:
    rng, later = life.rng, truth.later_h(day)
    leave = (EARLY_LEAVE_H + later + rng.gauss(0, 0.15)) * HOUR_S
    end = (EARLY_END_H + later + rng.gauss(0, 0.25)) * HOUR_S
    work = truth.works(day)
    lunch = truth.kind != "another town" or not truth.changed(day)
    if lunch and rng.random() < 0.6:
        out = (LUNCH_H + later + rng.gauss(0, 0.2)) * HOUR_S
        table = truth.tables[later > 0.0]
        stops = [
            Stop(work, leave, out - leave - 900.0),
            Stop(table, None, rng.uniform(32, 55) * 60, eats=True),
            Stop(work, None, end - out - 3600.0),
        ]
    else:
        stops = [Stop(work, leave, end - leave - 900.0)]
    if weekday in (1, 3):
        stops.append(Stop(truth.there("gym", day), None, rng.uniform(60, 90) * 60))
    elif rng.random() < 0.4:
        stops.append(Stop(truth.there("shop", day), None, rng.uniform(22, 40) * 60))
    return stops


def lived(kind: str, atlas: Atlas, seed: int) -> tuple[Lived, Truth]:
    """A hundred days of one such person, and what was true."""
    rng = Random(f"drift/{kind}/{seed}")
    town = Town(atlas, rng)
    truth = Truth(kind, town, rng)
    phone = Phone(rng, rng.choice(("bursts", "steady", "sparse")))
    life = Lived(kind, town, rng, phone, electric=False)
    life.at, life.now_s = truth.old, life.unix(0.0)
    life.plan = planned(truth)
    life.live(DAYS, quiet=False)
    return life, truth


def span_s(life: Lived) -> tuple[float, float]:
    """From before its first to after its last fix."""
    return life.phone.fixes[0].time_s - 1.0, life.now_s + DAY_S
