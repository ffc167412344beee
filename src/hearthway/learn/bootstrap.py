"""Percentile bootstrap over trips or people: 95 % intervals, seeded, the same bits every run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

DRAWS = 2_000


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
