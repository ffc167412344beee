"""Will the battery last? The expected charge and how far one trip is off it, as the car's own trips have shown or assumed."""

from __future__ import annotations

from math import erf, sqrt

from hearthway.records.situation import Battery

from .settings import RESERVE_PCT, USE_ERROR

_SIGMAS_90 = 1.645  # of a normal distribution, from its mean to the end of its middle 90 %


def use_error(battery: Battery) -> float:
    """How far the use of one trip is off what is expected, one sigma, as a share of it.

    From the 90 % interval of what is left at home (its upper half: the lower one ends at an empty battery), else `USE_ERROR`.
    """
    home_pct, high_pct = battery.at_home_pct, battery.at_home_high_pct
    if home_pct is None or high_pct is None or battery.soc_pct <= home_pct:
        return USE_ERROR
    return max(0.0, high_pct - home_pct) / _SIGMAS_90 / (battery.soc_pct - home_pct)


def short_p(soc_pct: float, left_pct: float | None, error: float = USE_ERROR) -> float:
    """Probability that less than `RESERVE_PCT` is left where `left_pct` is expected; 0 where nothing is.

    `left_pct` is never below 0, so far beyond the reach this is a lower bound. `error`: of `use_error`.
    """
    if left_pct is None:
        return 0.0
    if soc_pct < RESERVE_PCT:  # driving gives nothing back
        return 1.0
    sigma = error * (soc_pct - left_pct)
    if sigma <= 0.0:
        return 1.0 if left_pct < RESERVE_PCT else 0.0
    return 0.5 * (1.0 + erf((RESERVE_PCT - left_pct) / (sigma * sqrt(2.0))))


def stranded_p(battery: Battery) -> float:
    """Probability of getting to the destination and not home from there: the same doubt holds for both legs."""
    error = use_error(battery)
    there = short_p(battery.soc_pct, battery.at_arrival_pct, error)
    return max(0.0, short_p(battery.soc_pct, battery.at_home_pct, error) - there)
