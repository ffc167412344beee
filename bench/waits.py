"""The wait of a party that arrives in 0 to 60 minutes: the place's forecast beside what an operator can say.

    python bench/waits.py --data DIR --split NAME

Needs no data: restaurants are simulated, and the split's name is the seed, so another name gives other restaurants,
evenings and people. DIR is taken because every bench takes it. The simulation is written apart from the estimator and
knows things that the estimator is not told: how busy this evening is, how slow its kitchen, who looks at the queue and
walks on, how long one is willing to queue, how long a table takes to be cleared, and that some houses keep large
tables for large parties. The truth is the wait of a party of two put into the very same evening at that minute, seated
when the house would have seated it.

Peers, both told the truth about the past:
  last told         the wait of whoever was seated last: what an operator types
  mean at that hour the mean wait of all who came in that hour on earlier evenings of this house

Errors are in minutes, over moments at which the true wait may also be none. "Busy hours" are arrivals in hours whose mean
wait so far was 5 minutes or more; "had to wait" are those whose true wait was, a choice by the outcome that favours whoever
says too much; "in doubt" are those where the forecast was not sure that there is none, which is where its interval is put
to the test. Coverage is the share of truths within the forecast's 10-90 % interval. The last line is JSON for scripts/bench.
"""

from __future__ import annotations

import argparse
import heapq
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from hearthway.learn.queue_ahead import AHEAD_MIN, forecast
from hearthway.records.venue import Ahead, Party

if TYPE_CHECKING:
    from bench._ends import finish, started
else:  # run as a script, its own folder is on the path
    from _ends import finish, started

DAY = 86_400.0
HOUSES, DAYS, ASKED_DAYS = 8, 21, 5
ASKED_EVERY_S = 1_800.0
BUSY_MIN = 5.0
PEER_LAST, PEER_MEAN = "last told", "mean at that hour"


@dataclass(frozen=True)
class Guest:
    """Everything about a party that the evening decides before it comes."""

    came: float
    size: int
    meal: float
    patience: float
    longest_queue: int
    probe: bool = False


@dataclass
class Fate:
    """What became of a party; `queued` is False where it saw the queue and walked on."""

    guest: Guest
    seated: float | None = None
    left: float | None = None
    queued: bool = True


@dataclass(frozen=True)
class House:
    """One restaurant."""

    tables: tuple[int, ...]
    keeps_large: bool
    meal_min: tuple[float, ...]  # median by size 1..8
    spread: float
    clear_s: float
    covers: float  # parties of an ordinary day
    dinner_h: float
    weekend: float
    patience_min: float

    @classmethod
    def drawn(cls, random: Random) -> House:
        """A house from a canteen of 10 tables to a hall of 30."""
        count = random.randint(10, 30)
        tables = tuple(sorted(random.choices((2, 4, 6, 8), (45, 38, 12, 5), k=count)))
        base = random.uniform(38, 65)
        meals = tuple(base * (1 + 0.11 * (size - 1)) for size in range(1, 9))
        turns = random.uniform(5.0, 7.5)
        return cls(
            tables if tables[-1] >= 6 else (*tables[:-1], 6),
            random.random() < 0.4,
            meals,
            random.uniform(0.22, 0.42),
            random.uniform(60, 420),
            count * turns * 55 / base,
            random.uniform(18.2, 20.2),
            random.uniform(1.1, 1.5),
            random.uniform(15, 50),
        )

    def rate(self, hour: float) -> float:
        """Relative rate of arrivals: a small lunch, a high dinner; closed before 11 and after 22."""
        if not 11 <= hour < 22:
            return 0.0
        lunch = 0.55 * math.exp(-0.5 * ((hour - 12.6) / 0.8) ** 2)
        dinner = math.exp(-0.5 * ((hour - self.dinner_h) / 1.15) ** 2)
        return 0.08 + lunch + dinner

    def evening(self, random: Random, day: int) -> list[Guest]:
        """Who comes on that day (a whole day), by thinning."""
        busy = math.exp(random.gauss(0, 0.18)) * (self.weekend if day % 7 in (4, 5) else 1.0)
        kitchen = math.exp(random.gauss(0, 0.07))
        hours = sum(self.rate(h / 20) for h in range(480)) / 20
        top, at = 1.7, 0.0
        guests: list[Guest] = []
        while True:
            at += random.expovariate(self.covers * busy * top / hours / 3600)
            if at >= DAY:
                return guests
            if random.random() * top < self.rate(at / 3600):
                guests.append(self.guest(random, day * DAY + at, kitchen))

    def guest(self, random: Random, came: float, kitchen: float) -> Guest:
        """A party with its meal and its patience."""
        size = random.choices(range(1, 9), (9, 44, 14, 19, 6, 5, 2, 1))[0]
        meal = 60 * self.meal_min[size - 1] * kitchen * math.exp(random.gauss(0, self.spread))
        patience = 60 * self.patience_min * random.weibullvariate(1.1, 1.6)
        return Guest(came, size, meal, patience, random.randint(4, 14))

    def fits(self, size: int, seats: int) -> bool:
        """Whether a party is given this table."""
        return size <= seats and not (self.keeps_large and seats >= 6 and size <= 2)


def lived(house: House, guests: Sequence[Guest]) -> list[Fate]:
    """The evening as it goes: tables are given to the first in the queue that gets them."""
    free = list(house.tables)
    events: list[tuple[float, int, int, int]] = []  # time, kind, order, what
    fates = [Fate(guest) for guest in guests]
    for number, guest in enumerate(guests):
        heapq.heappush(events, (guest.came, 1, number, 0))
    queue: list[int] = []
    while events:
        now, kind, number, seats = heapq.heappop(events)
        fate = fates[number]
        if kind == 1:
            if not fate.guest.probe and len(queue) > fate.guest.longest_queue:
                fate.queued = False
                continue
            queue.append(number)
            if not fate.guest.probe:
                heapq.heappush(events, (now + fate.guest.patience, 2, number, 0))
        elif kind == 2:
            if number in queue:
                queue.remove(number)
                fate.left = now
            continue
        else:
            free.append(seats)
        for waiting in list(queue):
            size = fates[waiting].guest.size
            fitting = [table for table in free if house.fits(size, table)]
            if fitting:
                table = min(fitting)
                free.remove(table)
                queue.remove(waiting)
                fates[waiting].seated = now
                fates[waiting].left = now + fates[waiting].guest.meal
                ready = now + fates[waiting].guest.meal + house.clear_s
                heapq.heappush(events, (ready, 0, waiting, table))
    return fates


def entered(fates: Sequence[Fate], until: float) -> list[Party]:
    """What the house's tablet knows at `until`."""

    def known(moment: float | None) -> float | None:
        return moment if moment is not None and moment <= until else None

    return [
        Party(
            number=number,
            size=fate.guest.size,
            came_s=fate.guest.came,
            seated_s=known(fate.seated),
            left_s=known(fate.left),
        )
        for number, fate in enumerate(fates)
        if fate.queued and fate.guest.came <= until
    ]


def true_wait(house: House, guests: Sequence[Guest], at: float) -> float:
    """Minutes that a party of two which comes at `at` waits, however long it takes."""
    probe = Guest(at, 2, 3_000.0, math.inf, 10**6, probe=True)
    whole = sorted([*guests, probe], key=lambda guest: guest.came)
    fate = next(fate for fate in lived(house, whole) if fate.guest is probe)
    assert fate.seated is not None
    return (fate.seated - at) / 60


@dataclass(frozen=True)
class Told:
    """One moment and one horizon: the truth and what each would have said."""

    horizon: int
    truth: float
    ours: Ahead
    last: float
    mean: float


def _mean_at(past: Sequence[Fate], at: float) -> float:
    hour = int(at % DAY // 3600)
    waits = [
        (fate.seated - fate.guest.came) / 60
        for fate in past
        if fate.seated is not None and int(fate.guest.came % DAY // 3600) == hour
    ]
    return sum(waits) / len(waits) if waits else 0.0


def asked(house: House, random: Random) -> tuple[list[Told], int, float]:
    """Every question to one house: what was told, how often it was unknown, and the CPU seconds of the forecasts."""
    days = [house.evening(random, day) for day in range(DAYS)]
    lives = [lived(house, guests) for guests in days]
    told: list[Told] = []
    silent, spent = 0, 0.0
    for day in range(DAYS - ASKED_DAYS, DAYS):
        past = [fate for life in lives[:day] for fate in life]
        at = day * DAY + 11.75 * 3600 + random.random() * ASKED_EVERY_S
        while at < day * DAY + 21 * 3600:
            began = time.process_time()
            curve = forecast(entered([*past, *lives[day]], at), house.tables, at)
            spent += time.process_time() - began
            if isinstance(curve, str):
                silent += 1
            else:
                told += _compared(house, days[day], lives[day], past, at, curve)
            at += ASKED_EVERY_S
    return told, silent, spent


def _compared(
    house: House,
    guests: Sequence[Guest],
    life: Sequence[Fate],
    past: Sequence[Fate],
    at: float,
    curve: Sequence[Ahead],
) -> list[Told]:
    seated = [fate for fate in life if fate.seated is not None and fate.seated <= at]
    newest = max(seated, key=lambda fate: fate.seated or 0.0, default=None)
    last = (newest.seated - newest.guest.came) / 60 if newest and newest.seated else 0.0
    return [
        Told(
            ahead.in_min,
            true_wait(house, guests, at + 60 * ahead.in_min),
            ahead,
            last,
            _mean_at(past, at + 60 * ahead.in_min),
        )
        for ahead in curve
    ]


def _row(case: str, told: Sequence[Told]) -> dict[str, object]:
    ours, last, mean = (
        sum(errors) / len(told)
        for errors in (
            [abs(t.ours.wait_min - t.truth) for t in told],
            [abs(t.last - t.truth) for t in told],
            [abs(t.mean - t.truth) for t in told],
        )
    )
    peer, theirs = min(((PEER_LAST, last), (PEER_MEAN, mean)), key=lambda pair: pair[1])
    inside = sum(t.ours.low_min - 0.5 <= t.truth <= t.ours.high_min + 0.5 for t in told)
    print(
        f"{case:<16} {len(told):>5} {sum(t.truth for t in told) / len(told):>9.1f} {ours:>7.2f} {last:>10.2f} "
        f"{mean:>10.2f} {inside / len(told):>9.3f}"
    )
    return {
        "case": case,
        "metric": "mean absolute error of the wait at arrival",
        "unit": "min",
        "ours": round(ours, 3),
        "peer": peer,
        "theirs": round(theirs, 3),
        "ratio": round(ours / theirs, 3) if theirs else None,
        "others": {PEER_LAST: round(last, 3), PEER_MEAN: round(mean, 3)},
        "coverage_80": round(inside / len(told), 3),
        "questions": len(told),
    }


def main() -> int:
    """Simulate, ask, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", required=True)
    options = parser.parse_args()
    told: list[Told] = []
    silent, spent = 0, 0.0
    for number in range(HOUSES):
        random = Random(f"waits/{options.split}/{number}")
        found, unknown, cost = asked(House.drawn(random), random)
        told += found
        silent, spent = silent + unknown, spent + cost
    if not told:
        print(f"The split {options.split!r} gave no forecast: take another.", file=sys.stderr)
        return 1
    print(f"{HOUSES} houses, {ASKED_DAYS} evenings each after {DAYS - ASKED_DAYS} days of learning")
    print("case             asked  mean wait    ours  last told  that hour  coverage")
    rows = [_row(f"in {h} min", [t for t in told if t.horizon == h]) for h in AHEAD_MIN]
    rows.append(_row("all", told))
    for case, some in (
        ("busy hours", [t for t in told if t.mean >= BUSY_MIN]),
        ("in doubt", [t for t in told if t.ours.high_min > 0]),
        ("had to wait", [t for t in told if t.truth >= BUSY_MIN]),
    ):
        rows += [_row(case, some)] if some else []
    questions = silent + len(told) // len(AHEAD_MIN)
    print(f"unknown {silent} of {questions}; {1000 * spent / questions:.0f} ms CPU a forecast")
    for metric, unit, ours in (
        ("answered unknown", "share of moments", silent / questions),
        ("cost of a forecast", "CPU ms", 1000 * spent / questions),
    ):
        rows.append(
            {"case": "all", "metric": metric, "unit": unit, "ours": round(ours, 3)}
            | {"peer": None, "theirs": None, "ratio": None}
        )
    finish("waits", rows)
    return 0


if __name__ == "__main__":
    started(main)
