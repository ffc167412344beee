"""What a trip will take out of this car's battery with this driver: a mean and a 90 % interval, learned as it happens.

The car: charge used (percent) = w . x of `energy`; w is learned from how the charge falls between two readings, by Bayesian
linear regression (recursive least squares, closed form) that begins at a middling car's physics. The driver: three ratios to
the map (time, air, loss), Normal-Normal means that fade; what was driven today speaks with them. The interval: the spread
that both leave open, times the quantile of this car's own past misses (split conformal prediction, which begins with
a Normal's sample).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, exp, isfinite, log, sqrt

from msgspec import Struct, field

from .energy import AIR, COOL, HEAT, HOURS, LOST, SIZE, Effort, Stretch
from .least_squares import Weights

# kWh per unit of effort of a middling battery car, and how far cars differ, as a share of it.
PRIOR_KWH = (0.050, 1.2e-4, 5.6e-4, 1.5e-4, 0.30, 0.075, 0.008, 2.5, 0.06)
PRIOR_SHARE = (0.2, 0.25, 0.15, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0)
MIDDLING_KWH = 55.0
UNKNOWN_SIZE_SHARE = 0.35  # how far a battery of unknown size may be from the middling one
DRIFT = 5e-4  # of the prior's variance a leg: tyres, loads and seasons change
LEG_MIN_S, LEG_MIN_PCT = 240.0, 0.5
LEG_SHARE = 0.05  # of a leg's use that the form leaves unexplained
READING_PCT = 0.03  # of one reading, told to 0.1 %
CHARGED_PCT = 2.0  # no descent gives back so much within a leg
# Log ratios to the map of time, air and loss: middle, and spread between drivers, between days, within 10 km.
HABITS = ((0.20, 0.15, 0.05, 0.06), (-0.22, 0.25, 0.07, 0.085), (0.0, 0.4, 0.10, 0.21))
HABIT_FADES = 1.02
WITHIN_M = 10_000.0
LEARN_MIN_M = 500.0
TRIP_SHARE = 0.03  # of a trip's use that form and habits leave unexplained
CLIMATE_SHARE = 0.15  # of heating and cooling: heaters have steps and limits that the form has not
MISSES, PRIOR_LEAST = 60, 5
COVER = 0.9
GAP_S = 90.0  # a speed older than this says nothing of the time since
STILL_MPS, PARKED_S = 2.0, 300.0  # slower for longer is no halt of a drive: the car is parked
LONGEST_S = 6 * 3600.0  # a clock that jumps further is wrong
MAX_MPS = 100.0
MAX_SLOPE = 0.3
# |z| of a Normal at (i + 0.5) / 20: the misses before there are any
_NORMAL = (
    *(0.03, 0.09, 0.16, 0.22, 0.28, 0.35, 0.42, 0.49, 0.56, 0.64),
    *(0.72, 0.8, 0.89, 0.99, 1.09, 1.21, 1.36, 1.53, 1.78, 2.24),
)


class Forecast(Struct, frozen=True, kw_only=True):
    """The charge at the end of a way, percent; below 0 it is not reached. `spread_pct` is before calibration."""

    arrival_pct: float
    low_pct: float
    high_pct: float
    spread_pct: float
    seconds: float  # that this driver takes for it


class RangeState(Struct, kw_only=True):
    """What is learned of one car and its driver: at most 9 + 45 + 6 + 60 numbers."""

    capacity_kwh: float | None = None
    use: Weights = field(default_factory=Weights)  # percent per unit of effort
    habits: list[tuple[float, float]] = field(
        default_factory=lambda: [(middle, between**2) for middle, between, _, _ in HABITS]
    )
    misses: list[float] = field(default_factory=list)  # of past forecasts, in spreads
    legs: int = 0
    trips: int = 0
    refused: int = 0  # readings that were no number, out of range, or out of time


class DriveState(Struct, kw_only=True):
    """A trip that goes on. A leg runs from one reading of the charge to another."""

    start_s: float
    last_s: float
    mps: float = 0.0
    halt_s: float = 0.0  # standing since so long: part of the drive only if it goes on soon
    halt_m: float = 0.0
    height_m: float | None = None
    air_c: float | None = None
    effort: Effort = field(default_factory=Effort)
    leg: Effort = field(default_factory=Effort)
    leg_pct: float | None = None
    leg_s: float = 0.0
    broken: bool = False  # this leg has a hole: it teaches nothing


class RangeModel:
    """Reads and writes a `RangeState`. Times are event times in seconds."""

    def __init__(self, state: RangeState) -> None:
        self.state = state
        if not state.use.w:
            self._begin()

    def _begin(self) -> None:
        self.state.use = Weights.prior(
            [100.0 * kwh / self._size_kwh() for kwh in PRIOR_KWH],
            self._prior_vars(),
            UNKNOWN_SIZE_SHARE if self.state.capacity_kwh is None else 0.0,
        )

    def _size_kwh(self) -> float:
        known = self.state.capacity_kwh
        return MIDDLING_KWH if known is None else known

    def _prior_vars(self) -> list[float]:
        size = self._size_kwh()
        pairs = zip(PRIOR_SHARE, PRIOR_KWH, strict=True)
        return [(share * 100.0 * kwh / size) ** 2 for share, kwh in pairs]

    def _sane(self, value: float, low: float, high: float) -> bool:
        if isfinite(value) and low <= value <= high:
            return True
        self.state.refused += 1
        return False

    # --- what comes in

    def capacity(self, kwh: float) -> None:
        """The car's usable size. Told after something was learned it changes nothing: percent were learned."""
        if not self._sane(kwh, 1.0, 500.0):
            return
        if self.state.capacity_kwh is None and self.state.legs == 0:
            self.state.capacity_kwh = kwh
            self._begin()

    def depart(self, time_s: float, soc_pct: float | None, air_c: float | None) -> DriveState:
        """A trip begins, standing, with a car as cold as the air."""
        drive = DriveState(start_s=time_s, last_s=time_s, leg_s=time_s)
        if air_c is not None:
            self.air(drive, air_c)
        if soc_pct is not None and self._sane(soc_pct, 0.0, 100.0):
            drive.leg_pct = soc_pct
        return drive

    def air(self, drive: DriveState, celsius: float) -> None:
        """The outside temperature."""
        if self._sane(celsius, -60.0, 70.0):
            drive.air_c = celsius

    def speed(
        self,
        drive: DriveState,
        time_s: float,
        mps: float,
        *,
        height_m: float | None = None,
        metres: float | None = None,
    ) -> None:
        """The speed now; `height_m` where it is known, `metres` since the last where positions tell.

        What cannot be is counted and left out.
        """
        step_s = time_s - drive.last_s
        if not (self._sane(mps, -MAX_MPS, MAX_MPS) and self._sane(step_s, 1e-3, LONGEST_S)):
            return
        way_m = (drive.mps + abs(mps)) / 2.0 * step_s if metres is None else metres
        if not self._sane(way_m, 0.0, MAX_MPS * step_s):
            return
        rise_m = self._rise(drive, way_m, height_m)
        if step_s > GAP_S:
            drive.broken = True
            drive.halt_s = drive.halt_m = 0.0
        elif way_m < STILL_MPS * step_s:
            drive.halt_s += step_s
            drive.halt_m += way_m
        else:
            self._go_on(drive)
            _add(drive, drive.last_s, step_s, (drive.mps, abs(mps)), way_m, rise_m)
        drive.last_s, drive.mps = time_s, abs(mps)

    def _go_on(self, drive: DriveState) -> None:
        """A halt is over: a short one was part of the drive."""
        if 0.0 < drive.halt_s <= PARKED_S:
            begin_s = drive.last_s - drive.halt_s
            _add(drive, begin_s, drive.halt_s, (drive.mps, drive.mps), drive.halt_m, 0.0)
        drive.halt_s = drive.halt_m = 0.0

    def _rise(self, drive: DriveState, metres: float, height_m: float | None) -> float:
        if height_m is None or not self._sane(height_m, -500.0, 9_000.0):
            return 0.0
        before, drive.height_m = drive.height_m, height_m
        if before is None or abs(height_m - before) > MAX_SLOPE * max(10.0, metres):
            return 0.0  # the first, or a jump of the receiver's
        return height_m - before

    def charge(
        self, drive: DriveState, time_s: float, soc_pct: float, *, last: bool = False
    ) -> None:
        """A state of charge; one far enough from that before closes a leg, which is learned. `last`: of this trip."""
        since_s = time_s - drive.leg_s
        if not (self._sane(soc_pct, 0.0, 100.0) and self._sane(since_s, 0.0, LONGEST_S)):
            return
        if drive.leg_pct is None:
            self._open(drive, time_s, soc_pct)
            return
        used = drive.leg_pct - soc_pct
        if used < -CHARGED_PCT:
            drive.broken = True
        if not (last or drive.broken) and (since_s < LEG_MIN_S or abs(used) < LEG_MIN_PCT):
            return
        if not drive.broken and drive.leg.seconds > 0.0:
            self._learn(drive.leg.x, used)
        self._open(drive, time_s, soc_pct)

    def arrive(
        self,
        drive: DriveState,
        soc_pct: float,
        done: Sequence[Stretch],
        told: Sequence[Forecast] = (),
    ) -> None:
        """The trip is over: its way as the map has it, and what was forecast of it, which calibrates the interval."""
        if not self._sane(soc_pct, 0.0, 100.0):
            return
        state = self.state
        for forecast in told:
            miss = abs(soc_pct - forecast.arrival_pct)
            state.misses.append(round(miss / max(1e-6, forecast.spread_pct), 4))
        del state.misses[:-MISSES]
        for number, seen in enumerate(_ratios(drive, done)):
            mean, var = state.habits[number]
            _, between, days, within = HABITS[number]
            noise = days**2 + within**2 * WITHIN_M / drive.effort.length_m
            gain = var / (var + noise)
            left = min(between**2, var * (1.0 - gain) * HABIT_FADES)
            state.habits[number] = (mean + gain * (seen - mean), left)
        state.trips += 1

    # --- the car

    def _open(self, drive: DriveState, time_s: float, soc_pct: float) -> None:
        drive.leg, drive.leg_pct, drive.leg_s, drive.broken = Effort(), soc_pct, time_s, False

    def _learn(self, x: Sequence[float], used_pct: float) -> None:
        use = self.state.use
        most = max(abs(use.mean(x)), abs(used_pct))
        noise = 2.0 * READING_PCT**2 + (LEG_SHARE * most) ** 2
        use.learn(x, used_pct, noise, [DRIFT * var for var in self._prior_vars()])
        self.state.legs += 1

    # --- ahead

    def forecast(
        self,
        drive: DriveState,
        soc_pct: float,
        ahead: Sequence[Stretch],
        done: Sequence[Stretch] = (),
    ) -> Forecast:
        """The charge at the end of `ahead`; `done` is the way driven so far as the map has it."""
        habits = self._today(drive, done)
        (slower, _), (airier, _), (rougher, _) = habits
        effort = Effort()
        effort.plan(
            drive.last_s - drive.start_s,
            ahead,
            drive.mps,
            air_c=drive.air_c,
            ratios=(exp(slower), exp(airier), exp(rougher)),
        )
        used, spread = self._use(effort, [var for _, var in habits])
        left, reach = soc_pct - used, spread * self._quantile()
        return Forecast(
            arrival_pct=left,
            low_pct=left - reach,
            high_pct=left + reach,
            spread_pct=spread,
            seconds=effort.seconds,
        )

    def _use(self, effort: Effort, open_habits: Sequence[float]) -> tuple[float, float]:
        """Percent that a planned effort takes, and the spread of that."""
        w, x = self.state.use.w, effort.x
        used = self.state.use.mean(x)
        climate = sum(w[i] * x[i] for i in range(HEAT, SIZE))
        variance = self.state.use.variance(x) + READING_PCT**2
        variance += (TRIP_SHARE * used) ** 2 + (CLIMATE_SHARE * climate) ** 2
        parts = (sum(w[i] * x[i] for i in (HOURS, HEAT, COOL)), w[AIR] * x[AIR], w[LOST] * x[LOST])
        share = WITHIN_M / max(1_000.0, effort.length_m)
        for part, var, (_, _, _, within) in zip(parts, open_habits, HABITS, strict=True):
            variance += part**2 * (var + within**2 * share)
        return used, sqrt(variance)

    def _quantile(self) -> float:
        own = self.state.misses
        kept = max(PRIOR_LEAST, len(_NORMAL) - len(own) // 2)
        prior = (_NORMAL[(2 * i + 1) * len(_NORMAL) // (2 * kept)] for i in range(kept))
        scores = sorted([*prior, *own])
        return scores[min(len(scores), ceil(COVER * (len(scores) + 1))) - 1]

    def _today(self, drive: DriveState, done: Sequence[Stretch]) -> list[tuple[float, float]]:
        """The habits with what was driven today: (log ratio, variance) for the way ahead."""
        out = [
            (mean, var + days**2)
            for (mean, var), (_, _, days, _) in zip(self.state.habits, HABITS, strict=True)
        ]
        for number, seen in enumerate(_ratios(drive, done)):
            mean, var = out[number]
            noise = HABITS[number][3] ** 2 * WITHIN_M / drive.effort.length_m
            gain = var / (var + noise)
            out[number] = (mean + gain * (seen - mean), var * (1.0 - gain))
        return out


def _add(
    drive: DriveState,
    from_s: float,
    step_s: float,
    mps: tuple[float, float],
    metres: float,
    rise_m: float,
) -> None:
    for effort in (drive.effort, drive.leg):
        effort.drive(
            from_s - drive.start_s, step_s, *mps, metres=metres, rise_m=rise_m, air_c=drive.air_c
        )


def _ratios(drive: DriveState, done: Sequence[Stretch]) -> list[float]:
    """Log ratios of what was driven to the map's way; empty where that is too little."""
    if drive.effort.length_m < LEARN_MIN_M or not done:
        return []
    planned = Effort()
    planned.plan(0.0, done, 0.0, air_c=drive.air_c)
    pairs = (
        (drive.effort.seconds, planned.seconds),
        (drive.effort.x[AIR], planned.x[AIR]),
        (drive.effort.x[LOST], planned.x[LOST]),
    )
    return [min(1.5, max(-1.5, log(max(a, 1e-9) / max(b, 1e-9)))) for a, b in pairs]
