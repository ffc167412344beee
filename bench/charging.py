"""Charging by departure: the plan on forecasts, solved anew every slot, beside perfect foresight and beside no plan.

    python bench/charging.py --data ../shared/data [--split NAME] [--zone NAME] [--part all|choose|judge]

Reads every house's year (see `_energy.py`) whose name holds NAME, walk-forward: load and PV are forecast from what came before, and each
half-hour the rest is planned anew. Cars are synthetic and seeded: when they come and go, and how empty they are. Tariffs: the
two prices of EMHASS's example (0.1907 and 0.1419 EUR by the local clock, 0.065 for what is sold), the same price all
day, and a synthetic hourly one whose prices are known a day ahead. Sessions that touch a hole in the data are left out.

Where the window of "22 to 6 o'clock" is too short for a session, that way charges at once. What the plan on forecasts gave less
by departure than charging at once stands as `short`. Intervals: 95 %, sessions drawn
with replacement. --part cuts the year at 60 %: constants were chosen on the first part. The last line is JSON for scripts/bench.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
from msgspec import Struct, structs

from hearthway.assist.charging.bill import extra_cost
from hearthway.assist.charging.fixed import at_once, in_window
from hearthway.assist.charging.plan import plan_charging
from hearthway.context.power_ahead import PowerAhead
from hearthway.learn.bootstrap import mean_interval, pooled_interval
from hearthway.records.charging import Car, Plan, Slot
from hearthway.records.errors import HearthwayError, InputError

if TYPE_CHECKING:
    from bench._ends import finish, refused, started
    from bench._energy import SLOT_S, House, found, house_of
else:  # run as a script, its own folder is on the path
    from _ends import finish, refused, started
    from _energy import SLOT_S, House, found, house_of

SEED = 34
WARM_DAYS = 28
CHOSEN_SHARE = 0.6
CAR = Car(battery_kwh=58.0, charge_pct=0.0, target_pct=80.0, charger_kw=11.0, efficiency=0.9)
NIGHT = (22, 6)  # o'clock, the fixed window of the third way
Surplus = tuple[float, ...]
Prices = Callable[[datetime], tuple[float, float]]


class Session(Struct, frozen=True):
    """A synthetic car at home: first slot, slot after the last, and the car."""

    begin: int
    end: int
    car: Car


class Outcome(Struct, frozen=True):
    """What one session cost each way, and what was missing at departure (kWh at the plug)."""

    day: int
    need_kwh: float
    ours: float
    perfect: float
    once: float
    night: float
    middle: float  # planned anew each slot, on the middle surplus alone
    unsolved: float  # planned on arrival, and kept to
    blind: float  # planned by the prices alone
    short_kwh: float  # more than charging at once lacked
    solves: int
    cpu_s: float


def two_prices(local: datetime) -> tuple[float, float]:
    """EMHASS's example."""
    minute = local.hour * 60 + local.minute
    peak = 180 <= minute < 930 or 1_050 <= minute < 1_230
    return (0.1907 if peak else 0.1419), 0.065


def one_price(_: datetime) -> tuple[float, float]:
    """The sun alone is worth waiting for."""
    return 0.19, 0.065


def hourly(seed: int) -> Prices:
    """Synthetic: a level a day, a morning and an evening peak, a trough at noon that is at times negative."""

    def price(local: datetime) -> tuple[float, float]:
        rng = random.Random(f"{seed} {local.date()}")
        level, noon = rng.gauss(0.09, 0.03), max(0.0, rng.gauss(0.05, 0.05))
        hour = local.hour
        shape = (
            0.05 * np.exp(-(((hour - 8) / 2) ** 2))
            + 0.09 * np.exp(-(((hour - 19) / 2.5) ** 2))
            - noon * np.exp(-(((hour - 13) / 2.5) ** 2))
            - 0.02 * (hour < 5)
        )
        market = level + float(shape)
        return market + 0.08, min(market, market + 0.08)

    return price


TARIFFS: dict[str, Prices] = {
    "two prices": two_prices,
    "one price": one_price,
    "hourly (synthetic)": hourly(SEED),
}


def local_of(house: House, slot: int) -> datetime:
    """The local time at which a slot begins."""
    return datetime.fromtimestamp(house.begin_s + slot * SLOT_S, ZoneInfo(house.zone))


def sessions(house: House, seed: int) -> list[Session]:
    """Seeded cars, one after another: nights after work, days at home at the weekend and on one working day in five."""
    rng = random.Random(f"{seed} {house.begin_s}")
    slots = len(house.load_kw)
    begun = -(-house.begin_s // 86_400) * 86_400
    cars: list[Session] = []
    for midnight in range((begun - house.begin_s) // SLOT_S, slots - 3 * 48, 48):
        day = local_of(house, midnight + 24).weekday()
        home = rng.random() < (0.6 if day >= 5 else 0.2)
        came_h, stays_h = (9.0, 7.5) if home else (17.8, 13.5)
        came_h, stays_h = rng.gauss(came_h, 1.2), rng.gauss(stays_h, 1.2)
        empty = rng.uniform(8.0, 50.0)
        noon = local_of(house, midnight + 24).replace(hour=12, minute=0)
        first = round((noon.timestamp() - house.begin_s) / SLOT_S + (came_h - 12.0) * 2)
        last = first + max(4, round(stays_h * 2))
        if cars and first < cars[-1].end:
            continue
        cars.append(Session(first, last, structs.replace(CAR, charge_pct=80.0 - empty)))
    return cars


def actual(house: House, prices: Prices, session: Session) -> tuple[Slot, ...]:
    """The session's slots as they were."""
    return tuple(
        slot_of(house, prices, at, (float(house.pv_kw[at] - house.load_kw[at]),))
        for at in range(session.begin, session.end)
    )


def slot_of(house: House, prices: Prices, at: int, surplus_kw: tuple[float, ...]) -> Slot:
    """One half-hour."""
    buy, sell = prices(local_of(house, at))
    begin = float(house.begin_s + at * SLOT_S)
    return Slot(begin_s=begin, end_s=begin + SLOT_S, buy=buy, sell=sell, surplus_kw=surplus_kw)


class Watch:
    """One house, learned half-hour after half-hour, and never beyond the moment at which it is asked."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.ahead = PowerAhead(self._offset_s)
        self.learned = 0

    def _offset_s(self, time_s: float) -> int:
        offset = datetime.fromtimestamp(time_s, ZoneInfo(self.house.zone)).utcoffset()
        return 0 if offset is None else int(offset.total_seconds())

    def until(self, session: Session, now: int) -> list[Surplus]:
        """What is foreseen at the begin of slot `now`, of it and of the rest of the session."""
        house = self.house
        for at in range(self.learned, now):
            begin_s = house.begin_s + at * SLOT_S
            self.ahead.learn(begin_s, float(house.load_kw[at]), float(house.pv_kw[at]))
        self.learned = now
        slots = range(now, session.end)
        return [self.ahead.surpluses(house.begin_s + at * SLOT_S) for at in slots]


def walked(house: House, cars: list[Session]) -> tuple[dict[str, list[Outcome]], int]:
    """Each session's outcome under each tariff, and how many were left out for a hole or too little before them."""
    watch = Watch(house)
    outcomes: dict[str, list[Outcome]] = {name: [] for name in TARIFFS}
    left_out = 0
    for session in cars:
        held = slice(session.begin, session.end)
        hole = bool(np.isnan(house.pv_kw[held] - house.load_kw[held]).any())
        if hole or session.begin < WARM_DAYS * 48:
            left_out += 1
            continue
        begun_s = time.process_time()
        seen = [watch.until(session, now) for now in range(session.begin, session.end)]
        cpu_s = time.process_time() - begun_s
        if not all(all(each) for each in seen):
            left_out += 1
            continue
        for name, prices in TARIFFS.items():
            outcomes[name].append(settled(house, prices, session, seen, cpu_s))
    return outcomes, left_out


def settled(
    house: House,
    prices: Prices,
    session: Session,
    seen: list[list[Surplus]],
    cpu_s: float,
) -> Outcome:
    """One session under one tariff."""
    truth = actual(house, prices, session)
    inside = [
        not NIGHT[1] <= local_of(house, at).hour < NIGHT[0]
        for at in range(session.begin, session.end)
    ]
    begun_s = time.process_time()
    ours, short = stepped(session.car, truth, seen)
    cpu_s += time.process_time() - begun_s
    first = tuple(
        structs.replace(slot, surplus_kw=kw) for slot, kw in zip(truth, seen[0], strict=True)
    )
    middle: list[list[Surplus]] = [[(each[len(each) // 2],) for each in now] for now in seen]
    blind = tuple(structs.replace(slot, surplus_kw=(0.0,)) for slot in truth)
    night = in_window(session.car, truth, inside)
    once = at_once(session.car, truth)
    return Outcome(
        day=session.begin // 48,
        need_kwh=session.car.need_kwh,
        ours=ours,
        perfect=plan_charging(session.car, truth).cost,
        once=once.cost,
        night=(once if night.short_kwh > once.short_kwh else night).cost,
        middle=stepped(session.car, truth, middle)[0],
        unsolved=carried_out(plan_charging(session.car, first), truth),
        blind=carried_out(plan_charging(session.car, blind), truth),
        short_kwh=max(0.0, short - once.short_kwh),
        solves=len(truth),
        cpu_s=cpu_s,
    )


def carried_out(plan: Plan, truth: tuple[Slot, ...]) -> float:
    """What a plan that is kept to the end costs in truth."""
    return sum(extra_cost(slot, kwh) for slot, kwh in zip(truth, plan.kwh, strict=True))


def stepped(car: Car, truth: tuple[Slot, ...], seen: list[list[Surplus]]) -> tuple[float, float]:
    """Planned anew each slot, of which the first is carried out: cost in truth, and what is missing at the end."""
    cost = 0.0
    for now, slot in enumerate(truth):
        ahead = zip(truth[now:], seen[now], strict=True)
        plan = plan_charging(car, tuple(structs.replace(each, surplus_kw=kw) for each, kw in ahead))
        cost += extra_cost(slot, plan.kwh[0])
        car = structs.replace(car, charge_pct=min(car.full_pct, car.pct_after(plan.kwh[0])))
    return cost, car.need_kwh


PEERS = {
    "perfect": "perfect foresight",
    "middle": "on the middle surplus alone",
    "unsolved": "planned once, on arrival",
    "blind": "planned by prices alone",
    "once": "at once",
    "night": "22 to 6 o'clock",
}


def row(
    case: str, metric: str, unit: str, ours: float, peer: str | None, theirs: float | None
) -> dict[str, Any]:
    """One row for scripts/bench."""
    return {
        "case": case,
        "metric": metric,
        "unit": unit,
        "ours": round(ours, 5),
        "peer": peer,
        "theirs": None if theirs is None else round(theirs, 5),
        "ratio": round(ours / theirs, 4) if theirs else None,
    }


def report(case: str, all_of: list[Outcome]) -> list[dict[str, Any]]:
    """Prints one tariff's table and gives its rows."""
    energy = sum(each.need_kwh for each in all_of)
    mine = [each.ours for each in all_of]
    print(f"{case}: {len(all_of)} sessions, {energy:.0f} kWh at the plug")
    print(f"  {'plan on forecasts, anew each slot':36}{sum(mine):9.2f} EUR")
    rows = []
    for name, label in PEERS.items():
        theirs = [float(getattr(each, name)) for each in all_of]
        sign, word = (1.0, "regret") if name == "perfect" else (-1.0, "saving")
        gains = [sign * (a - b) for a, b in zip(mine, theirs, strict=True)]
        each = mean_interval(gains, seed=SEED)
        share = pooled_interval(gains, theirs, seed=SEED)
        if each is None or share is None:
            raise InputError(
                f"{case}: no share of a cost of nothing.", "Give a house with more days."
            )
        print(
            f"  {label:36}{sum(theirs):9.2f} EUR  {word} {each.mean:+.3f} [{each.low:+.3f}, {each.high:+.3f}] EUR a session,"
            f" {100 * share.mean:+.1f} % [{100 * share.low:+.1f}, {100 * share.high:+.1f}]"
        )
        rows.append(row(case, "cost", "EUR", sum(mine), label, sum(theirs)))
        for end, value in (("", each.mean), (", low", each.low), (", high", each.high)):
            rows.append(row(case, f"{word}{end}", "EUR a session", value, label, 0.0))
        for end, value in (("", share.mean), (", low", share.low), (", high", share.high)):
            rows.append(row(case, f"{word} as a share{end}", "%", 100 * value, label, 0.0))
    short = sum(each.short_kwh for each in all_of)
    cpu_ms = 1e3 * sum(each.cpu_s for each in all_of) / sum(each.solves for each in all_of)
    print(f"  short {short:.2f} kWh; {cpu_ms:.2f} ms of CPU a forecast and plan")
    rows.append(row(case, "missing at departure", "kWh", short, "at once", 0.0))
    rows.append(row(case, "CPU", "ms a forecast and plan", cpu_ms, None, None))
    return rows


def measured(house: House, part: str) -> list[dict[str, Any]]:
    """One house, in the part of its year that is wanted; InputError where no session is left."""
    cut = int(len(house.load_kw) * CHOSEN_SHARE)
    cars = [
        session
        for session in sessions(house, SEED)
        if part == "all" or (session.end <= cut) == (part == "choose")
    ]
    outcomes, left_out = walked(house, cars)
    print(
        f"{house.name}: {len(cars)} synthetic sessions, {left_out} left out for a hole or too little before them"
    )
    if not all(outcomes.values()):
        raise InputError(
            f"{house.name} leaves no session to judge.",
            "Give a house with more days, or fewer holes.",
        )
    return [
        each
        for name, all_of in outcomes.items()
        for each in report(f"{house.name}, {name}", all_of)
    ]


def main() -> int:
    """Every house; 2 where there is no usable one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="")
    parser.add_argument("--zone", default="UTC", help="the local clock of a file that names none")
    parser.add_argument("--part", choices=("all", "choose", "judge"), default="all")
    options = parser.parse_args()
    try:
        houses = [house_of(path, options.zone) for path in found(options.data, options.split)]
        rows = [each for house in houses for each in measured(house, options.part)]
    except HearthwayError as error:
        return refused(error)
    finish("charging", rows)
    return 0


if __name__ == "__main__":
    started(main)
