"""Percentile bootstrap over trips: 95 % intervals, seeded, the same bits every run."""

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
