"""A life that changes: how soon it is noticed and re-learned, and whether a holiday is taken for a move. All synthetic.

    python bench/drift.py --data ../shared/data

Lives of `bench/_moves.py`, which nobody lived, on the bundled map and on every `*.osm.pbf` under DIR (with --split NAME only
those whose name holds NAME): 100 days as a phone writes them down, the change on day 60. They are lived through
`hearthway.context.life` fix by fix. At each local midnight it is asked where home and work are; as each leg begins, where it
leads; after each lunch, when lunch is.

Peers, from the same stays: labels by all nights and office hours alike ("all alike", as it was before), and by nights
and hours that fade with the same half-life ("fading alone"); the destination's prior and the lunch without the change being
noticed ("unnoticed"). Days until right count from the change to the first day from which it stays right; 40 is never.
The last line is JSON for scripts/bench.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import log
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from hearthway.atlas.store import Atlas
from hearthway.context.destination import Posterior
from hearthway.context.events import LegEnded, LifeEvent, MealVisited, StayEnded
from hearthway.context.life import Life
from hearthway.context.routines import BIN_S, meal_of
from hearthway.records.errors import HearthwayError, InputError
from hearthway.records.geo import distance_m
from hearthway.records.life import Stay
from hearthway.records.localtime import DAY_S, utc_offset_s, weekday
from hearthway.records.signals import Fix

if TYPE_CHECKING:
    from bench._ends import finish, refused, started
    from bench._given import maps_under, no_room_row
    from bench._lives import FIRST_DAY, HOUR_S, Point
    from bench._moves import CHANGE_DAY, DAYS, KINDS, Truth, lived, span_s
else:  # run as a script, its own folder is on the path
    from _ends import finish, refused, started
    from _given import maps_under, no_room_row
    from _lives import FIRST_DAY, HOUR_S, Point
    from _moves import CHANGE_DAY, DAYS, KINDS, Truth, lived, span_s

RIGHT_M = 200.0
HALF_LIFE_DAYS = 60.0
MIN_HOME_S, MIN_WORK_DAYS = 6 * HOUR_S, 3
P_FLOOR = 1e-6
WEEKS = ((-21, 0), (0, 7), (7, 14), (14, 21), (21, DAYS - CHANGE_DAY))
ALIKE, FADING, UNNOTICED = "all alike", "fading alone", "unnoticed"
OURS = "ours"


class Counted:
    """Home and work as whoever counts hours would have them; without a half-life all count alike."""

    def __init__(self, half_life_days: float | None) -> None:
        self._half_life = half_life_days
        self._night: dict[str, float] = {}
        self._office: dict[str, float] = {}
        self._days: dict[str, set[int]] = {}
        self._where: dict[str, Point] = {}
        self._day = 0

    def take(self, stay: Stay, place_id: str, at: Point) -> None:
        """A stay is over."""
        offset = utc_offset_s(stay.lat, stay.lon, stay.start_s)
        begin, end = stay.start_s + offset, stay.end_s + offset
        today = int(end // DAY_S)
        if self._half_life is not None:
            share = 0.5 ** ((today - self._day) / self._half_life)
            for found in (self._night, self._office):
                found |= {key: share * seconds for key, seconds in found.items()}
        self._day, self._where[place_id] = today, at
        for day in range(int(begin // DAY_S) - 1, today + 1):
            night = _overlap(begin, end, day * DAY_S + 22 * HOUR_S, day * DAY_S + 30 * HOUR_S)
            office = _overlap(begin, end, day * DAY_S + 9 * HOUR_S, day * DAY_S + 17 * HOUR_S)
            self._night[place_id] = self._night.get(place_id, 0.0) + night
            if weekday(day) < 5:
                self._office[place_id] = self._office.get(place_id, 0.0) + office
                if office > HOUR_S:
                    self._days.setdefault(place_id, set()).add(day)

    def labels(self) -> dict[str, Point]:
        """Where home and work are."""
        nights = {key: s for key, s in self._night.items() if s >= MIN_HOME_S}
        home = max(nights, key=lambda key: nights[key], default="")
        offices = {
            key: s
            for key, s in self._office.items()
            if len(self._days.get(key, ())) >= MIN_WORK_DAYS and key != home
        }
        work = max(offices, key=lambda key: offices[key], default="")
        return {
            what: self._where[key] for what, key in (("home", home), ("work", work)) if key != ""
        }


def _overlap(a: float, b: float, c: float, d: float) -> float:
    return max(0.0, min(b, d) - max(a, c))


@dataclass
class Seen:
    """Of one life: by day whether each teller had home and work right; by leg what each prior gave; lunch by day."""

    right: dict[tuple[str, str], list[bool]] = field(default_factory=dict)
    legs: dict[str, list[tuple[int, bool, float]]] = field(default_factory=dict)
    lunch: dict[str, list[tuple[int, float]]] = field(default_factory=dict)


class Watch:
    """Lives one life and asks."""

    def __init__(self, kind: str, atlas: Atlas, seed: int) -> None:
        self._life, self._truth = lived(kind, atlas, seed)
        self._me = Life(kind, pois=atlas)
        self._lunch_s = [self._arrived_s(after=False), self._arrived_s(after=True)]
        self._peers = {ALIKE: Counted(None), FADING: Counted(HALF_LIFE_DAYS)}
        self._asked: tuple[float, dict[str, Posterior]] | None = None
        self._day = 0
        self.seen = Seen()

    def _arrived_s(self, *, after: bool) -> float | None:
        """Local second at which lunches truly began, before the change or after it; None where there were none."""
        ends = [leg.end_s + utc_offset_s(*leg.to, leg.end_s) for leg in self._life.legs if leg.eats]
        mine = [
            end_s % DAY_S for end_s in ends if (end_s // DAY_S - FIRST_DAY >= CHANGE_DAY) is after
        ]
        return fmean(mine) if mine else None

    def through(self) -> Seen:
        """All days."""
        for fix in self._life.items(*span_s(self._life)):
            assert isinstance(fix, Fix)  # no car tells anything here
            day = _day_of(fix.time_s, fix.lat, fix.lon)
            while self._day < day:
                self._midnight(self._truth, self._day)
                self._day += 1
            for event in self._me.observe(fix):
                self._hear(event, day)
            departure = self._me.state.departure
            if departure is not None and departure.time_s == fix.time_s:
                state, model = self._me.state, self._me.model
                told = {
                    name: model.posterior(departure, state.places, changes=changes)
                    for name, changes in ((OURS, state.settling.changes), (UNNOTICED, []))
                }
                self._asked = departure.time_s, told
        return self.seen

    def _midnight(self, truth: Truth, day: int) -> None:
        mine = {p.label: (p.lat, p.lon) for p in self._me.places() if p.label}
        found = {OURS: mine} | {name: peer.labels() for name, peer in self._peers.items()}
        for name, labels in found.items():
            for what, true in (("home", truth.home(day)), ("work", truth.works(day))):
                right = what in labels and distance_m(*labels[what], *true) < RIGHT_M
                self.seen.right.setdefault((what, name), []).append(right)

    def _hear(self, event: LifeEvent, day: int) -> None:
        if isinstance(event, StayEnded):
            place = event.place
            for peer in self._peers.values():
                peer.take(event.stay, place.place_id, (place.lat, place.lon))
        elif isinstance(event, MealVisited):
            self._lunched(day)
        elif isinstance(event, LegEnded) and self._asked is not None:
            began_s, told = self._asked
            if began_s == event.start_s:
                for name, posterior in told.items():
                    known = dict(posterior.places)
                    p = known.get(event.destination, posterior.new)
                    best = max([(q, index) for index, q in known.items()], default=(0.0, -1))
                    top = best[1] == event.destination and best[0] > posterior.new
                    self.seen.legs.setdefault(name, []).append((day, top, -log(max(P_FLOOR, p))))

    def _lunched(self, day: int) -> None:
        """How much of the lunches is within an hour of the true one; the peer's is of the same visits."""
        state = self._me.state
        assert state.last is not None  # a meal was just seen
        true_s = self._lunch_s[day >= CHANGE_DAY]
        if true_s is None:
            return
        routines = self._me.situation(state.last.time_s).routines
        density = next((r.density for r in routines if r.name == "lunch"), ())
        first = round((true_s - HOUR_S) / BIN_S)
        near = sum(density[first : first + round(2 * HOUR_S / BIN_S)])
        lived_at = {p.place_id for p in self._me.places() if p.label in ("home", "work")}
        starts = [
            meal.local_s
            for meal in state.meals
            if meal_of(meal.local_s, coffee=meal.coffee) == "lunch"
            and f"p{meal.place}" not in lived_at
        ]
        if density and starts:
            alike = fmean(abs(start - true_s) <= HOUR_S for start in starts)
            for name, share in ((OURS, near), (UNNOTICED, alike)):
                self.seen.lunch.setdefault(name, []).append((day, share))


def _day_of(time_s: float, lat: float, lon: float) -> int:
    return int((time_s + utc_offset_s(lat, lon, time_s)) // DAY_S) - FIRST_DAY


def days_until(right: Sequence[tuple[int, bool]]) -> int:
    """Days from the change to the first one from which it is right to the end; all that are left where it never is."""
    wrong = [day for day, so in right if day >= CHANGE_DAY and not so]
    return max(wrong) + 1 - CHANGE_DAY if wrong else 0


def row(case: str, metric: str, unit: str, ours: float, peer: str, theirs: float) -> dict[str, Any]:
    """One row of the last line, also told as a line; 3 decimals."""
    ratio = round(ours / theirs, 3) if theirs else None
    print(f"{case:44} {metric:44} {ours:8.3f} {unit:6} {peer} {theirs:.3f}")
    return {
        "case": case,
        "metric": metric,
        "unit": unit,
        "ours": round(ours, 3),
        "peer": peer,
        "theirs": round(theirs, 3),
        "ratio": ratio,
    }


def label_rows(case: str, kind: str, seen: Sequence[Seen]) -> Iterator[dict[str, Any]]:
    """Days until home and work are right where they change, days on which they are wrong where not."""
    moved = {
        "home": kind in ("same town", "another town"),
        "work": kind in ("another town", "new job"),
    }
    for what, changes in moved.items():
        for peer in (ALIKE, FADING):
            found = []
            for name in (OURS, peer):
                days = [list(enumerate(one.right[what, name])) for one in seen]
                if changes:
                    found.append(fmean(days_until(each) for each in days))
                else:
                    wrong = (sum(d >= CHANGE_DAY and not so for d, so in each) for each in days)
                    found.append(fmean(wrong))
            metric = f"{what}: days until right" if changes else f"{what}: days wrong of 40"
            yield row(case, metric, "days", found[0], peer, found[1])


def leg_rows(case: str, seen: Sequence[Seen]) -> Iterator[dict[str, Any]]:
    """Where legs lead, told at departure: before the change and in the weeks after it."""
    for first, end in WEEKS:
        legs = {
            name: [
                leg for one in seen for leg in one.legs[name] if first <= leg[0] - CHANGE_DAY < end
            ]
            for name in (OURS, UNNOTICED)
        }
        when = "before" if first < 0 else f"days {first}-{end - 1}"
        for at, metric, unit in ((1, "top-1", "share"), (2, "log-loss", "nats")):
            ours, theirs = (fmean(leg[at] for leg in legs[name]) for name in (OURS, UNNOTICED))
            yield row(case, f"destination {metric}, {when}", unit, ours, UNNOTICED, theirs)


def rows_of(name: str, kind: str, atlas: Atlas, seeds: range) -> Iterator[dict[str, Any]]:
    """One sort of life on one map, the mean over seeds; a row that says so where the map has no room for one of them."""
    case = f"synthetic, {name}, {kind}"
    try:
        watches = [Watch(kind, atlas, seed) for seed in seeds]
    except InputError as why:
        yield no_room_row(case, why.message)
        return
    seen = [watch.through() for watch in watches]
    yield from label_rows(case, kind, seen)
    yield from leg_rows(case, seen)
    if kind == "new job":
        ours, theirs = (
            fmean(
                days_until([(day, share >= 0.5) for day, share in one.lunch[who]]) for one in seen
            )
            for who in (OURS, UNNOTICED)
        )
        yield row(case, "lunch: days until half is at its hour", "days", ours, UNNOTICED, theirs)


def measured(data: Path, split: str, seeds: range) -> list[dict[str, Any]]:
    """All rows."""
    rows: list[dict[str, Any]] = []
    for name, atlas in maps_under(data, split, "bundled map"):
        for kind in KINDS:
            rows += rows_of(name, kind, atlas, seeds)
    return rows


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="")
    parser.add_argument("--seeds", type=int, default=3, help="lives of each sort, on each map")
    parser.add_argument("--first", type=int, default=3, help="the first seed")
    given = parser.parse_args()
    try:
        if given.seeds < 1:
            raise InputError("No life was asked for.", "Give --seeds 1 or more.")
        rows = measured(given.data, given.split, range(given.first, given.first + given.seeds))
    except HearthwayError as why:
        return refused(why)
    finish("drift", rows)
    return 0


if __name__ == "__main__":
    started(main)
