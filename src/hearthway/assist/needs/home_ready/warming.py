"""How long a degree takes: what most of this house's own past warmings did not exceed."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from .settings import MIN_WARMINGS, OFTEN_ENOUGH


def seconds_per_degree(warmings: Sequence[tuple[float, float]]) -> float | None:
    """From past (degrees, seconds); None where there are too few to tell."""
    if len(warmings) < MIN_WARMINGS:
        return None
    slow = sorted(seconds / rise_c for rise_c, seconds in warmings)
    return slow[ceil(OFTEN_ENOUGH * len(slow)) - 1]
