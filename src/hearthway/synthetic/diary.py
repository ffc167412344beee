"""What a phone and a car write down while somebody lives: fixes with jitter, state of charge, odometer."""

from __future__ import annotations

from random import Random

from hearthway.records.geo import distance_m, offset
from hearthway.records.signals import Fix, Signal

from .drives import EnergyTable
from .motion import Motion, Point, walk

SOURCE = "synthetic-car"
OUTSIDE = "Vehicle.Exterior.AirTemperature"
SOC = "Vehicle.Powertrain.TractionBattery.StateOfCharge.Current"
ODOMETER = "Vehicle.TraveledDistance"
CHARGER_W = 7_400.0


class Diary:
    """One phone. Time only moves forward: what would begin in the past begins now."""

    def __init__(self, rng: Random, start_s: float, at: Point) -> None:
        self.rng = rng
        self.time_s = start_s
        self.at = at
        self.fixes: list[Fix] = []
        self._next_s = start_s

    def _write(self, time_s: float, point: Point, spread_m: float, speed: float | None) -> None:
        time_s = round(time_s, 1)
        if self.fixes and time_s <= self.fixes[-1].time_s:
            return
        rng = self.rng
        north, east = rng.gauss(0.0, spread_m), rng.gauss(0.0, spread_m)
        reach = 3.0 * spread_m
        north, east = max(-reach, min(reach, north)), max(-reach, min(reach, east))
        lat, lon = offset(*point, north, east)
        self.fixes.append(
            Fix(
                time_s=time_s,
                lat=round(lat, 6),
                lon=round(lon, 6),
                accuracy_m=round(2.0 * spread_m + rng.uniform(0.0, 4.0), 1),
                speed_mps=None if speed is None else round(speed, 1),
            )
        )

    def stand(self, until_s: float, *, wander_m: float = 0.0, spread_m: float = 5.0) -> None:
        """Stay here until a time: a fix about every five minutes; `wander_m` for errands on foot."""
        rng = self.rng
        last_s = max(until_s, self.time_s)
        # a phone asks for a position when it comes to rest
        self._next_s = max(self._next_s, self.time_s + rng.uniform(15.0, 60.0))
        while self._next_s < last_s:
            point = self.at
            if wander_m > 0.0:
                point = offset(
                    *point, rng.uniform(-wander_m, wander_m), rng.uniform(-wander_m, wander_m)
                )
            self._write(self._next_s, point, spread_m, 0.0)
            self._next_s += rng.uniform(90.0, 200.0) if wander_m else rng.uniform(200.0, 320.0)
        self.time_s = last_s

    def play(self, motion: Motion) -> None:
        """Move along a journey that begins now: a fix every 20 to 60 seconds."""
        rng = self.rng
        begin_s = self.time_s
        due = rng.uniform(2.0, 12.0) if begin_s + 2.0 > self._floor() else 12.0
        for offset_s, lat, lon, mps in motion.samples:
            if offset_s >= due:
                self._write(begin_s + offset_s, (lat, lon), 3.5, mps)
                due = offset_s + rng.uniform(20.0, 60.0)
        self.time_s = begin_s + motion.duration_s
        last = motion.samples[-1]
        self.at = (last[1], last[2])
        self._next_s = self.time_s + 15.0

    def stroll(self, to: Point) -> None:
        """Walk to a point in a straight line."""
        if distance_m(*self.at, *to) > 1.0:
            self.play(walk(self.at, to, self.rng))
            self.at = to

    def _floor(self) -> float:
        return self.fixes[-1].time_s + 10.0 if self.fixes else 0.0


def holes(rng: Random, start_s: float, end_s: float) -> list[tuple[float, float]]:
    """Windows without fixes, 15 to 110 minutes long, one in two or three days (Unix seconds)."""
    windows: list[tuple[float, float]] = []
    at_s = start_s + rng.uniform(0.2, 3.0) * 86_400.0
    while at_s < end_s:
        length_s = rng.uniform(15.0, 110.0) * 60.0
        windows.append((at_s, min(at_s + length_s, end_s)))
        at_s += length_s + rng.expovariate(1.0 / (2.5 * 86_400.0))
    return windows


def without(fixes: list[Fix], windows: list[tuple[float, float]]) -> list[Fix]:
    """The fixes outside all windows."""
    ordered = sorted(windows)
    kept: list[Fix] = []
    first = 0
    for fix in fixes:
        while first < len(ordered) and ordered[first][1] <= fix.time_s:
            first += 1
        if not any(a <= fix.time_s < b for a, b in ordered[first : first + 3]):
            kept.append(fix)
    return kept


class Car:
    """One battery car: charge and odometer as it reports them when a trip starts and ends."""

    def __init__(self, energy: EnergyTable, rng: Random) -> None:
        self.energy = energy
        self.soc_pct = rng.uniform(62.0, 80.0)
        self.km = round(rng.uniform(8_000.0, 42_000.0), 1)
        self.signals: list[Signal] = []
        self._plugged_s: float | None = None
        self._rng = rng

    def note(self, time_s: float, temperature_c: float) -> None:
        """Report outside temperature, charge and odometer now."""
        for key, value, unit in (
            (OUTSIDE, round(temperature_c, 1), "celsius"),
            (SOC, round(self.soc_pct, 1), "percent"),
            (ODOMETER, float(round(self.km * 1000.0)), "m"),
        ):
            self.signals.append(
                Signal(key=key, value=value, time_s=round(time_s, 1), unit=unit, source=SOURCE)
            )

    def trip(self, motion: Motion, begin_s: float, temperature_c: float, *, home: bool) -> None:
        """One trip: what it reports before and after; plugged in at home when it runs low."""
        self.unplug(begin_s)
        self.note(begin_s, temperature_c)
        used_wh = self.energy.trip_wh(motion, temperature_c) * self._rng.uniform(0.97, 1.05)
        # whoever drives far stops at a fast charger; none of ours runs empty
        self.soc_pct -= 100.0 * used_wh / self.energy.usable_wh
        if self.soc_pct < 8.0:
            self.soc_pct += 45.0
        self.km += motion.distance_m / 1000.0
        self.note(begin_s + motion.duration_s, temperature_c)
        if home and self.soc_pct < 30.0:
            self._plugged_s = begin_s + motion.duration_s

    def unplug(self, time_s: float) -> None:
        """Take what the charger gave since it was plugged in, up to 80 percent."""
        if self._plugged_s is not None:
            gained = CHARGER_W * max(0.0, time_s - self._plugged_s) / 36.0 / self.energy.usable_wh
            self.soc_pct = max(self.soc_pct, min(80.0, self.soc_pct + gained))
            self._plugged_s = None
