"""How well trips were foreseen: hits, errors, calibration and baselines, with whole days drawn for the intervals."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from msgspec import Struct

from hearthway.records.life import HIT_RADIUS_M

from .baselines import NAMES
from .bootstrap import Interval, pooled_interval
from .trips import FRACTIONS, Guess, Told

BINS = 10


class CalibrationBin(Struct, frozen=True, kw_only=True):
    """Predictions of about the same confidence."""

    low: float
    high: float
    n: int
    confidence: float
    hit_rate: float


class Error(Struct, frozen=True, kw_only=True):
    """Metres from the point named to the truth."""

    median_m: float
    mean_m: float


class AtFraction(Struct, frozen=True, kw_only=True):
    """Destination prediction at one part of the trip's time; hits are within 300 m of the truth."""

    percent: int
    hit_rate: Interval | None
    hit_rate_known: Interval | None  # of the trips to where somebody had been known to be before
    halves: tuple[Interval | None, Interval | None]  # of the first and the second half of the trips
    already_there: float  # how often one is within the hit radius of the end by now
    error: Error
    baselines: dict[str, Interval | None]
    baseline_errors: dict[str, Error]
    best_baseline: str
    gain: Interval | None  # ours minus the best baseline, paired by trip
    gain_from_start: Interval | None  # over what was said at 0 %, paired by trip
    mean_log_loss: float
    ece: float
    mean_confidence: float
    calibration: tuple[CalibrationBin, ...]


class Foreseen(Struct, frozen=True, kw_only=True):
    """All trips of one kind."""

    trips: int
    visited_before: Interval | None  # ceiling of any prediction that names centres of known places
    fractions: tuple[AtFraction, ...]


def summary(told: list[Told], seed: int) -> Foreseen:
    """What came of these trips; no fractions where there are none."""
    return Foreseen(
        trips=len(told),
        visited_before=_interval(told, lambda one: float(one.known), seed),
        fractions=tuple(_at(told, i, seed) for i in range(len(FRACTIONS))) if told else (),
    )


def _at(told: list[Told], which: int, seed: int) -> AtFraction:
    def hit(one: Told) -> float:
        return float(one.guesses[which].hit)

    def peer(name: str) -> Callable[[Told], float]:
        return lambda one: float(one.peers[name] <= HIT_RADIUS_M)

    best = max(NAMES, key=lambda name: sum(map(peer(name), told)))
    said = [one.guesses[which] for one in told]
    bins = calibration(said)
    return AtFraction(
        percent=FRACTIONS[which],
        hit_rate=_interval(told, hit, seed),
        hit_rate_known=_interval([one for one in told if one.known], hit, seed),
        halves=(
            _interval(told[: len(told) // 2], hit, seed),
            _interval(told[len(told) // 2 :], hit, seed),
        ),
        already_there=round(sum(g.here_m <= HIT_RADIUS_M for g in said) / len(said), 6),
        error=_error([guess.error_m for guess in said]),
        baselines={name: _interval(told, peer(name), seed) for name in NAMES},
        baseline_errors={name: _error([one.peers[name] for one in told]) for name in NAMES},
        best_baseline=best,
        gain=_interval(told, lambda one: hit(one) - peer(best)(one), seed),
        gain_from_start=_interval(told, lambda one: hit(one) - one.guesses[0].hit, seed),
        mean_log_loss=round(sum(guess.log_loss for guess in said) / len(said), 6),
        ece=ece(bins),
        mean_confidence=round(sum(guess.confidence for guess in said) / len(said), 6),
        calibration=bins,
    )


def _interval(told: list[Told], value: Callable[[Told], float], seed: int) -> Interval | None:
    """Mean over trips; days are drawn, for what happens on one day hangs together."""
    sums: dict[int, float] = {}
    counts: dict[int, float] = {}
    for one in told:
        sums[one.day] = sums.get(one.day, 0.0) + value(one)
        counts[one.day] = counts.get(one.day, 0.0) + 1.0
    return pooled_interval(list(sums.values()), list(counts.values()), seed=seed)


def _error(metres: list[float]) -> Error:
    return Error(
        median_m=round(median(metres), 1),
        mean_m=round(sum(metres) / len(metres), 1),
    )


def calibration(guesses: list[Guess]) -> tuple[CalibrationBin, ...]:
    """Tenths of confidence that hold a prediction."""
    out = []
    for i in range(BINS):
        inside = [g for g in guesses if min(BINS - 1, int(g.confidence * BINS)) == i]
        if inside:
            out.append(
                CalibrationBin(
                    low=i / BINS,
                    high=(i + 1) / BINS,
                    n=len(inside),
                    confidence=round(sum(g.confidence for g in inside) / len(inside), 6),
                    hit_rate=round(sum(g.hit for g in inside) / len(inside), 6),
                )
            )
    return tuple(out)


def ece(bins: tuple[CalibrationBin, ...]) -> float:
    """Expected calibration error: how far confidence is from the share that was right, by predictions."""
    total = sum(b.n for b in bins)
    return round(sum(b.n * abs(b.confidence - b.hit_rate) for b in bins) / max(1, total), 6)
