"""Will the battery last? The mean comes from the car's past trips; one trip is off it by `USE_ERROR`."""

from __future__ import annotations

from math import erf, sqrt

from hearthway.records.situation import Battery

from .settings import RESERVE_PCT, USE_ERROR


def short_p(soc_pct: float, left_pct: float | None) -> float:
    """Probability that less than `RESERVE_PCT` is left where `left_pct` is expected; 0 where nothing is.

    `left_pct` is never below 0, so far beyond the reach this is a lower bound.
    """
    if left_pct is None:
        return 0.0
    sigma = USE_ERROR * (soc_pct - left_pct)
    if sigma <= 0.0:
        return 1.0 if left_pct < RESERVE_PCT else 0.0
    return 0.5 * (1.0 + erf((RESERVE_PCT - left_pct) / (sigma * sqrt(2.0))))


def stranded_p(battery: Battery) -> float:
    """Probability of getting to the destination and not home from there: the same doubt holds for both legs."""
    there = short_p(battery.soc_pct, battery.at_arrival_pct)
    return max(0.0, short_p(battery.soc_pct, battery.at_home_pct) - there)
