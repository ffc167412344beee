"""Days off: how well it is told where a leg leads on them, and after them, with and without a calendar of holidays. All synthetic.

    python bench/days_off.py --data ../shared/data

Lives of `bench/_lives.py`, which nobody lived, on the bundled map and on every `*.osm.pbf` under DIR (with --split NAME only
those whose name holds NAME), 150 days each, with days off of their own: eight public holidays on working days, drawn by seed,
and twenty days without school in three blocks, of a calendar that has the summer's fifty as well. On a public holiday parent, commuter, homeworker and technician live a Saturday or
a Sunday; on a day without school parent and commuter bring no child and leave half an hour later, and the homeworker brings it to its
grandparents. Shift and pensioner know neither.

Each is lived fix by fix through `hearthway.context.life` twice: with both calendars, and without (the peer). As each leg begins
it is asked where it leads, and each morning at five where one goes next. What is told is the log-loss of what came true, in nats,
on public holidays, on days without school, on the three days after either, and on all other days; from day 28 on.
The last line is JSON for scripts/bench.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from math import log
from pathlib import Path
from random import Random
from statistics import fmean
from typing import TYPE_CHECKING, Any

from hearthway.atlas.store import Atlas
from hearthway.context.day_kind import numbered
from hearthway.context.life import Life
from hearthway.context.prior import PastTrip
from hearthway.records.errors import HearthwayError, InputError
from hearthway.records.localtime import DAY_S, utc_offset_s
from hearthway.records.signals import Fix

if TYPE_CHECKING:
    from bench._ends import finish, refused, started
    from bench._given import maps_under, no_room_row
    from bench._lives import FIRST_DAY, HOUR_S, KINDS, Lived, Point, Stop, begun
else:  # run as a script, its own folder is on the path
    from _ends import finish, refused, started
    from _given import maps_under, no_room_row
    from _lives import FIRST_DAY, HOUR_S, KINDS, Lived, Point, Stop, begun

DAYS, ASKED_FROM = 150, 28
PUBLIC, FIRST_PUBLIC = 8, 14
NO_SCHOOL = (range(35, 40), range(77, 89), range(119, 124))  # from the first Monday on
SUMMER = range(154, 224)  # stands in a school's calendar as well, and is not lived
FREE_ON = ("parent", "commuter", "homeworker", "technician")
CHILD = ("parent", "commuter", "homeworker")
AFTER = 3
P_FLOOR = 1e-6
FIVE_S = 5 * HOUR_S
LEG, NEXT = "a leg as it begins", "where next, at five"
WHEN = ("public holidays", "days without school", "up to 3 days after", "other days")


def public_holidays(kind: str, seed: int) -> set[int]:
    """Working days on which nobody works, from the first day of a life on."""
    no_school = {day for block in NO_SCHOOL for day in block}
    days = [d for d in range(FIRST_PUBLIC, DAYS) if d % 7 < 5 and d not in no_school]
    return set(Random(f"public/{kind}/{seed}").sample(days, PUBLIC))


def no_school() -> set[int]:
    """Working days without school."""
    return {day for block in NO_SCHOOL for day in block if day % 7 < 5}


def lived(kind: str, atlas: Atlas, seed: int) -> Lived:
    """All days of one life, with its days off."""
    life = begun(kind, atlas, seed)
    grandparents = life.town.somewhere()
    usual, free = life.plan, public_holidays(kind, seed) if kind in FREE_ON else set[int]()
    rng = Random(f"days off/{kind}/{seed}")

    def plan(life: Lived, quiet: bool) -> list[Stop]:
        day = life.day - FIRST_DAY
        if day in free:
            return _on(life, life.day - day % 7 + rng.choice((5, 6)), usual, quiet)
        stops = usual(life, quiet)
        return _no_school(kind, stops, grandparents) if day in no_school() else stops

    life.plan = plan
    life.live(DAYS, quiet=False)
    return life


def _on(
    life: Lived, other: int, usual: Callable[[Lived, bool], list[Stop]], quiet: bool
) -> list[Stop]:
    """What would have been done on another day."""
    today, life.day = life.day, other
    stops = usual(life, quiet)
    life.day = today
    return stops


def _no_school(kind: str, stops: list[Stop], grandparents: Point) -> list[Stop]:
    """The same day where the child has no school, and no daycare."""
    if kind not in CHILD or not stops:
        return stops
    child = stops[0]
    if kind == "homeworker":  # whose ways are one by one
        at = child.spot if child.leave is not None and child.leave < 10 * HOUR_S else None
        return [replace(one, spot=grandparents) if one.spot == at else one for one in stops]
    rest = [stop for stop in stops if stop.spot != child.spot]
    if rest and rest[0].leave is None and child.leave is not None:
        rest[0] = replace(rest[0], leave=child.leave + HOUR_S / 2)
    return rest


@dataclass
class Told:
    """Of one life: (day, log-loss) of each question."""

    said: dict[str, list[tuple[int, float]]] = field(default_factory=lambda: {LEG: [], NEXT: []})


class Asking:
    """Lives one life and asks."""

    def __init__(self, kind: str, days_off: dict[int, int]) -> None:
        self._me = Life(kind, days_off=days_off)
        self._leg: tuple[float, dict[int, float], float] | None = None
        self._morning: tuple[int, dict[int, float], float] | None = None
        self._asked = -1
        self.told = Told()

    def take(self, fix: Fix) -> None:
        """The next fix."""
        state = self._me.state
        local_s = fix.time_s + utc_offset_s(fix.lat, fix.lon, fix.time_s)
        day = int(local_s // DAY_S) - FIRST_DAY
        if day != self._asked and local_s % DAY_S >= FIVE_S:
            self._asked, self._morning = day, None
            if state.here is not None:
                at_s = fix.time_s - local_s % DAY_S + FIVE_S
                ahead = self._me.next_places(at_s)
                if ahead is not None:
                    self._morning = day, dict(ahead.places), ahead.new
        learned = len(state.trips)
        self._me.observe(fix)
        for leg in state.trips[learned:]:
            self._ended(leg)
        departure = state.departure
        if departure is not None and departure.time_s == fix.time_s:
            found = self._me.posterior()
            assert found is not None  # one has just set out
            self._leg = departure.time_s, dict(found.places), found.new

    def _ended(self, leg: PastTrip) -> None:
        day = round((leg.depart_s - leg.local_s) / DAY_S) - FIRST_DAY
        if self._leg is not None and self._leg[0] == leg.depart_s:
            self._note(LEG, day, *self._leg[1:], leg.destination)
        if self._morning is not None and self._morning[0] == day:
            self._note(NEXT, day, *self._morning[1:], leg.destination)
            self._morning = None

    def _note(self, what: str, day: int, known: dict[int, float], new: float, end: int) -> None:
        self.told.said[what].append((day, -log(max(P_FLOOR, known.get(end, new)))))


def both(life: Lived, seed: int) -> tuple[Told, Told]:
    """One life with both calendars known, and with none."""
    kind = life.kind
    summer = {day for day in SUMMER if day % 7 < 5}
    calendars = {"public": public_holidays(kind, seed), "school": no_school() | summer}
    days = numbered({n: [FIRST_DAY + day for day in days] for n, days in calendars.items()})
    asking = Asking(kind, days), Asking(kind, {})
    for item in life.items(life.phone.fixes[0].time_s, life.now_s):
        if isinstance(item, Fix):
            for one in asking:
                one.take(item)
    return asking[0].told, asking[1].told


def when_of(kind: str, seed: int, day: int) -> str:
    """Which of `WHEN` a day is."""
    public, school = public_holidays(kind, seed), no_school()
    if day in public:
        return WHEN[0]
    if day in school:
        return WHEN[1]
    return (
        WHEN[2] if any(day - back in public | school for back in range(1, AFTER + 1)) else WHEN[3]
    )


def rows_of(name: str, kind: str, atlas: Atlas, seeds: range) -> Iterator[dict[str, Any]]:
    """One sort of life on one map."""
    found: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
    for seed in seeds:
        try:
            life = lived(kind, atlas, seed)
        except InputError as why:
            yield no_room_row(f"synthetic, {name}, {kind}, seed {seed}", why.message)
            continue
        for at, told in enumerate(both(life, seed)):
            for what, said in told.said.items():
                for day, loss in said:
                    if day >= ASKED_FROM:
                        key = what, when_of(kind, seed, day)
                        found.setdefault(key, ([], []))[at].append(loss)
    for (what, when), (ours, theirs) in sorted(found.items()):
        case, metric = f"synthetic, {name}, {kind}", f"{what}, {when}: log-loss"
        told_with, without = fmean(ours), fmean(theirs)
        print(
            f"{case:36} {what:20} {when:20} {told_with:7.3f} nats, without {without:7.3f} ({len(ours)})"
        )
        yield {
            "case": case,
            "metric": metric,
            "unit": "nats",
            "ours": round(told_with, 4),
            "peer": "no calendar of holidays",
            "theirs": round(without, 4),
            "ratio": round(told_with / without, 4) if without else None,
            "n": len(ours),
        }


def measured(data: Path, split: str, kinds: tuple[str, ...], seeds: range) -> list[dict[str, Any]]:
    """All rows."""
    return [
        row
        for name, atlas in maps_under(data, split, "bundled map")
        for kind in kinds
        for row in rows_of(name, kind, atlas, seeds)
    ]


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seeds", type=int, default=4, help="lives of each sort, on each map")
    parser.add_argument("--first", type=int, default=11, help="the first seed")
    given = parser.parse_args()
    try:
        if given.seeds < 1:
            raise InputError("No life was asked for.", "Give --seeds 1 or more.")
        seeds = range(given.first, given.first + given.seeds)
        rows = measured(given.data, given.split, tuple(given.kinds), seeds)
    except HearthwayError as why:
        return refused(why)
    finish("days_off", rows)
    return 0


if __name__ == "__main__":
    started(main)
