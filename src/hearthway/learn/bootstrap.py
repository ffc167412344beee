"""95 % intervals, the same bits every run: percentile bootstrap over trips or people, seeded, and of a share of few words."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from msgspec import Struct

DRAWS = 2_000
NORMAL_95 = 1.959964  # standard deviations to either side


class Interval(Struct, frozen=True, kw_only=True):
    """A mean with its 95 % interval; `n` observations."""

    mean: float
    low: float
    high: float
    n: int


def mean_interval(values: Sequence[float], *, seed: int) -> Interval | None:
    """Mean and interval of `values`; None where there are none. Pass differences for a paired comparison."""
    if not values:
        return None
    data = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(data), size=(DRAWS, len(data)))
    means = np.sort(data[picks].mean(axis=1))
    return Interval(
        mean=round(float(data.mean()), 6),
        low=round(float(means[int(0.025 * DRAWS)]), 6),
        high=round(float(means[int(0.975 * DRAWS) - 1]), 6),
        n=len(data),
    )


def share_interval(yes: int, of: int) -> Interval | None:
    """A share with Wilson's score interval (1927): of few it stays wide, where a bootstrap of five in five has no width."""
    if of < 1:
        return None
    share, square = yes / of, NORMAL_95 * NORMAL_95
    middle = (share + square / (2.0 * of)) / (1.0 + square / of)
    half = sqrt(share * (1.0 - share) / of + square / (4.0 * of * of))
    half *= NORMAL_95 / (1.0 + square / of)
    return Interval(
        mean=round(share, 6),
        low=round(max(0.0, middle - half), 6),
        high=round(min(1.0, middle + half), 6),
        n=of,
    )


def pooled_interval(
    sums: Sequence[float], counts: Sequence[float], *, seed: int
) -> Interval | None:
    """Pooled mean sum(sums) / sum(counts) with whole people drawn, one entry each; None without observations.

    A draw without observations is left out.
    """
    top, bottom = np.asarray(sums, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    if not bottom.sum() > 0.0:
        return None
    picks = np.random.default_rng(seed).integers(0, len(top), size=(DRAWS, len(top)))
    drawn = bottom[picks].sum(axis=1)
    means = np.sort(top[picks].sum(axis=1)[drawn > 0.0] / drawn[drawn > 0.0])
    return Interval(
        mean=round(float(top.sum() / bottom.sum()), 6),
        low=round(float(means[int(0.025 * len(means))]), 6),
        high=round(float(means[max(0, int(0.975 * len(means)) - 1)]), 6),
        n=int(bottom.sum()),
    )
