"""The charge on arrival, foretold at departure and at 25, 50 and 75 % of the trip, on drives that others simulate.

    python bench/range.py --data DIR [--split NAME] [--map NAME]

DIR holds OpenStreetMap extracts (`*.osm.pbf`, or in DIR/maps). On each (or the one named) SUMO drives 12 people among other
traffic, 24 trips each, and FASTSim empties the battery of a Leaf, Bolt, Model 3 or Zoe: a season of 10, -10, 10 and 30 C. The
split's name is the seed of people, trips and traffic. Nothing is fitted on DIR: the model's constants stand in its code (they
were chosen on Andorra with the split `tune1`), and each car is learned walk-forward, every trip forecast before it is driven.
"Simulated by FASTSim" is what may be said of the truth, never "measured".

The model sees the speed once a second, the charge in steps of 0.1 % every ten seconds, the air's temperature, the usable size
of the battery, and the way as the map has it: lengths and allowed speeds. It is told nothing of the driver, load, or traffic.
Streets are flat, as OSM has no heights. "Hills" are the first four people's drives again over an invented ground: with its heights
in the signals and on the map; told by the car in whole metres and known of the end of the way, as of a place where it stood before; told by the
car alone, as on a way to where it never was; and not at all.

Peers: constant consumption (this car's own mean per km so far; before three trips the rated range), and the rated range.

Errors are in points of charge, summed over forecasts and divided by the kilometres still ahead, per 50 km. At 75 % that is
harder than dividing by the whole trip. "Mean of trips" divides trip by trip, where short ways weigh as much as long ones.
The last line is JSON for scripts/bench.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from random import Random

from msgspec import structs

from hearthway.context.energy import Stretch
from hearthway.context.heights import Heights
from hearthway.context.range_model import DriveState, Forecast, RangeModel, RangeState
from hearthway.records.errors import HearthwayError, InputError

try:
    from bench._electric import CARS, SEASONS_C, Drive, Driver, Emptied, driven, emptied, needed
    from bench._ends import finish, refused, started
except ModuleNotFoundError:  # started as a script: bench/ itself is on the path
    from _electric import (  # type: ignore[no-redef, import-not-found, unused-ignore]
        CARS,
        SEASONS_C,
        Drive,
        Driver,
        Emptied,
        driven,
        emptied,
        needed,
    )
    from _ends import (  # type: ignore[no-redef, import-not-found, unused-ignore]
        finish,
        refused,
        started,
    )

PEOPLE, TRIPS = 12, 24
AT = (0.0, 0.25, 0.5, 0.75)
CHARGE_EVERY_S, STEP_PCT = 10, 0.1
START = (
    0.5,
    0.9,
)  # of the usable charge: fuller, FASTSim has no room for what a descent gives back
CONSTANT_AFTER = 3
# Kilometres, EPA; Zoe: WLTP, as no EPA figure exists.
RATED_KM = {"Leaf": 172.0, "Bolt": 417.0, "Model 3": 438.0, "Zoe": 386.0}
PEER_CONSTANT, PEER_RATED = "constant consumption", "rated range"
METRIC = "mean absolute error per 50 km ahead"


class Known(StrEnum):
    """What is known of the heights of a hilly way."""

    ALL = "heights known"
    ENDS = "heights told by the car and known of the end"
    CAR = "heights told by the car"
    NONE = "heights unknown"


@dataclass(frozen=True)
class Told:
    """One forecast beside what became of it; percentages and kilometres."""

    car: str
    trip: int
    at: float
    air_c: float
    km: float
    truth: float
    ours: Forecast
    constant: float
    rated: float

    @property
    def inside(self) -> bool:
        return self.ours.low_pct <= self.truth <= self.ours.high_pct


def cut(drive: Drive, metres: float) -> tuple[list[Stretch], list[Stretch]]:
    """The map's way so far, and ahead, after `metres`."""
    done: list[Stretch] = []
    ahead: list[Stretch] = []
    along = 0.0
    for (length, speed), climb in zip(drive.route, drive.climb_m, strict=True):
        split = min(length, max(0.0, metres - along))
        for way, part in ((done, split), (ahead, length - split)):
            if part > 0.0:
                rise = climb * part / length
                way.append(Stretch(length_m=part, speed_mps=speed, rise_m=rise))
        along += length
    return done, ahead


def raised(way: Sequence[Stretch], rise_m: float) -> list[Stretch]:
    """The way with a climb spread evenly over it."""
    length_m = sum(each.length_m for each in way)
    return [
        structs.replace(each, rise_m=each.rise_m + rise_m * each.length_m / length_m)
        for each in way
    ]


def coarse(pct: float) -> float:
    """A charge as a car tells it."""
    return round(pct / STEP_PCT) * STEP_PCT


class Learner:
    """One person's model and peers, walk-forward."""

    def __init__(self, driver: Driver, usable_kwh: float) -> None:
        self.driver = driver
        self.model = RangeModel(RangeState(capacity_kwh=usable_kwh))
        self.used_pct = self.driven_km = 0.0
        self.trips = self.steps = 0
        self.spent_s = 0.0

    def trip(
        self, drive: Drive, battery: Emptied, air_c: float, heights: Known = Known.NONE
    ) -> list[Told]:
        """Forecast, drive, compare, learn."""
        told: list[Told] = []
        known = drive
        if heights is not Known.ALL:
            known = replace(drive, climb_m=(0.0,) * len(drive.climb_m))
        height_of = None if heights is Known.NONE else _heights(drive)
        receiver, top_m = Heights(), sum(drive.climb_m)
        soc = battery.soc_pct
        total = sum(battery.speeds_mps)
        along, begun = 0.0, time.process_time()
        state = self.model.depart(0.0, coarse(soc[0]), air_c)
        for second, speed in enumerate(battery.speeds_mps):
            along += speed
            if second:
                height = height_of(along) if height_of is not None else None
                if height is not None and heights is not Known.ALL:
                    receiver.tell(float(round(height)), float(second))
                    height = receiver.step(float(second), speed)
                self.model.speed(state, float(second), speed, height_m=height)
                if second % CHARGE_EVERY_S == 0:
                    self.model.charge(state, float(second), coarse(soc[second]))
            while len(told) < len(AT) and along >= AT[len(told)] * total:
                climb = (receiver.risen_m, top_m - (receiver.here_m or 0.0))
                at_ends = climb if heights is Known.ENDS else (climb[0], 0.0)
                forecast = self._forecast(state, known, along, soc[second], at_ends)
                told.append(self._told(forecast, total - along, soc[second], soc[-1], air_c, told))
        self.model.charge(state, float(len(soc)), coarse(soc[-1]), last=True)
        done, _ = cut(known, float("inf"))
        done = raised(done, receiver.risen_m)
        self.model.arrive(state, coarse(soc[-1]), done, [one.ours for one in told])
        self.spent_s += time.process_time() - begun
        self.steps += len(soc)
        self.used_pct += soc[0] - soc[-1]
        self.driven_km += total / 1000.0
        self.trips += 1
        return told

    def _forecast(
        self,
        state: DriveState,
        drive: Drive,
        along: float,
        soc: float,
        climb: tuple[float, float],
    ) -> Forecast:
        done, ahead = cut(drive, along)
        return self.model.forecast(
            state, coarse(soc), raised(ahead, climb[1]), raised(done, climb[0])
        )

    def _told(
        self,
        ours: Forecast,
        left_m: float,
        soc: float,
        truth: float,
        air_c: float,
        before: Sequence[Told],
    ) -> Told:
        km, rated = left_m / 1000.0, 100.0 / RATED_KM[self.driver.car]
        constant = rated
        if self.trips >= CONSTANT_AFTER:
            constant = self.used_pct / self.driven_km
        return Told(
            car=self.driver.car,
            trip=self.trips,
            at=AT[len(before)],
            air_c=air_c,
            km=km,
            truth=truth,
            ours=ours,
            constant=coarse(soc) - constant * km,
            rated=coarse(soc) - rated * km,
        )


def _heights(drive: Drive) -> Callable[[float], float]:
    """Height above the start, by metres along the way."""
    ends, tops = [0.0], [0.0]
    for (length, _), climb in zip(drive.route, drive.climb_m, strict=True):
        ends.append(ends[-1] + length)
        tops.append(tops[-1] + climb)
    at = 0

    def height(along: float) -> float:
        nonlocal at
        while at < len(ends) - 2 and along > ends[at + 1]:
            at += 1
        share = min(1.0, max(0.0, (along - ends[at]) / (ends[at + 1] - ends[at])))
        return tops[at] + (tops[at + 1] - tops[at]) * share

    return height


def walked(
    people: Sequence[Driver], drives: Sequence[Drive], seed: str, heights: Known = Known.NONE
) -> tuple[list[Told], list[Learner]]:
    """Every person's trips in order, each with the battery that FASTSim gives it."""
    told: list[Told] = []
    learners: dict[int, Learner] = {}
    for drive in drives:
        driver = people[drive.driver]
        air_c = SEASONS_C[drive.number * len(SEASONS_C) // TRIPS]
        start = Random(f"charge/{seed}/{drive.driver}/{drive.number}").uniform(*START)
        battery = emptied(drive, driver, air_c, start)
        if battery is None:
            continue
        if drive.driver not in learners:
            learners[drive.driver] = Learner(driver, battery.usable_kwh)
        told += learners[drive.driver].trip(drive, battery, air_c, heights)
    return told, list(learners.values())


def _per_50_km(told: Sequence[Told], of: Callable[[Told], float]) -> float:
    return 50.0 * sum(abs(of(t) - t.truth) for t in told) / sum(t.km for t in told)


def row(case: str, told: Sequence[Told]) -> dict[str, object]:
    """One line of the table and of the JSON."""
    ours = _per_50_km(told, lambda t: t.ours.arrival_pct)
    constant = _per_50_km(told, lambda t: t.constant)
    rated = _per_50_km(told, lambda t: t.rated)
    each = sum(50.0 * abs(t.ours.arrival_pct - t.truth) / t.km for t in told) / len(told)
    inside = sum(t.inside for t in told) / len(told)
    width = sum(t.ours.high_pct - t.ours.low_pct for t in told) / len(told)
    print(
        f"{case:<44} {len(told):>5} {ours:>6.2f} {constant:>9.2f} {rated:>7.2f} {each:>9.2f} {inside:>7.3f} {width:>6.2f}"
    )
    peer, theirs = min(((PEER_CONSTANT, constant), (PEER_RATED, rated)), key=lambda p: p[1])
    return {
        "case": case,
        "metric": METRIC,
        "unit": "points of charge",
        "ours": round(ours, 3),
        "peer": peer,
        "theirs": round(theirs, 3),
        "ratio": round(ours / theirs, 3),
        "others": {PEER_CONSTANT: round(constant, 3), PEER_RATED: round(rated, 3)},
        "mean_of_trips": round(each, 3),
        "coverage_90": round(inside, 3),
        "mean_width": round(width, 3),
        "forecasts": len(told),
    }


def rows_of(name: str, told: Sequence[Told]) -> list[dict[str, object]]:
    """All, and by point of the trip, temperature, car and how much was known."""
    chosen = [("all", list(told))]
    chosen += [(f"at {at:.0%} of the trip", [t for t in told if t.at == at]) for at in AT]
    chosen += [(f"{c:.0f} C", [t for t in told if t.air_c == c]) for c in sorted(set(SEASONS_C))]
    chosen += [(car, [t for t in told if t.car == car]) for car in CARS]
    chosen += [
        ("first trip of a car", [t for t in told if t.trip == 0]),
        ("second to sixth", [t for t in told if 1 <= t.trip <= 5]),
        ("seventh on", [t for t in told if t.trip >= 6]),
    ]
    return [row(f"{name}, {case}", some) for case, some in chosen if some]


def extracts(data: Path, wanted: str | None) -> list[Path]:
    """The extracts of DIR; InputError where there is none of that name."""
    found = sorted([*data.glob("*.osm.pbf"), *(data / "maps").glob("*.osm.pbf")])
    chosen = [path for path in found if wanted in (None, path.name.removesuffix(".osm.pbf"))]
    if not chosen:
        there = ", ".join(path.name for path in found) or "none"
        raise InputError(
            f"No extract {wanted or ''} lies in {data} or its folder maps (there: {there}).",
            "Put an OpenStreetMap extract there, named like andorra.osm.pbf.",
        )
    return chosen


def judged(extract: Path, split: str) -> list[dict[str, object]]:
    """One extract: flat, then the hills."""
    name = extract.name.removesuffix(".osm.pbf")
    random = Random(f"range/{split}/{name}/people")
    people = [Driver.drawn(number, random) for number in range(PEOPLE)]
    hilly = driven(extract, people, TRIPS, split)
    few = [drive for drive in hilly if drive.driver < len(CARS)]
    if not few:
        raise InputError(f"Nobody could drive on {extract.name}.", "Take a larger extract.")
    flat = [replace(drive, climb_m=(0.0,) * len(drive.climb_m)) for drive in hilly]
    told, learners = walked(people, flat, split)
    trips = sum(one.trips for one in learners)
    if not trips:
        raise InputError(
            f"No trip on {extract.name} could be driven on its charge.", "Take another extract."
        )
    kept = [t for t in told if t.at == 0.0]
    print(
        f"{name}: {len(hilly)} of {PEOPLE * TRIPS} trips driven by SUMO to their end, {trips} by FASTSim; "
        f"{sum(t.km for t in kept) / trips:.1f} km each"
    )
    print(
        f"{'':<44} {'told':>5} {'ours':>6} {'constant':>9} {'rated':>7} {'of trips':>9} {'inside':>7} {'width':>6}"
    )
    rows = rows_of(name, told)
    for heights in Known:
        of_hills, drivers = walked(people, few, split, heights)
        print(f"{sum(one.trips for one in drivers)} of {len(few)} trips driven by FASTSim:")
        if of_hills:
            rows.append(row(f"{name}, hills, {heights}", of_hills))
    spent = sum(one.spent_s for one in learners)
    per_s = 1e6 * spent / sum(one.steps for one in learners)
    print(f"{per_s:.0f} us CPU a second of driving, forecasts included")
    rows.append(
        {"case": name, "metric": "CPU a second of driving", "unit": "us", "ours": round(per_s, 1)}
        | {"peer": None, "theirs": None, "ratio": None}
    )
    return rows


def main() -> int:
    """Drive, forecast, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="figures")
    parser.add_argument("--map")
    options = parser.parse_args()
    try:
        needed()
        rows = [
            one
            for extract in extracts(options.data, options.map)
            for one in judged(extract, options.split)
        ]
    except HearthwayError as why:
        return refused(why)
    finish("range", rows)
    return 0


if __name__ == "__main__":
    started(main)
