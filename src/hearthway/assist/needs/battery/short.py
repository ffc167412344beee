"""Will the battery last? The expected charge and how far one trip is off it, as the car's own trips have shown or assumed."""

from __future__ import annotations

from math import erf, sqrt
from statistics import fmean

from hearthway.records.situation import Battery, Stand, Tomorrow

from .settings import RESERVE_PCT, USE_ERROR

_UPPER_END = 0.95  # what lies below the upper end of a middle 90 %
_SIGMAS_90 = 1.645  # of a normal distribution, from its mean to the end of its middle 90 %


def use_error(battery: Battery) -> float:
    """How far the use of one trip is off what is expected, one sigma, as a share of it.

    From the 90 % interval of what is left at home (its upper half: the lower one ends at an empty battery), else `USE_ERROR`:
    also where its middle is an empty battery, for how much further off that is cannot be seen.
    """
    home_pct, high_pct = battery.at_home_pct, battery.at_home_high_pct
    if home_pct is None or high_pct is None or not 0.0 < home_pct < battery.soc_pct:
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
    return _below_p(left_pct, error * (soc_pct - left_pct))


def home_short_p(battery: Battery) -> float:
    """`short_p` at home, of which the interval may be surer than its middle: it ends above the reserve once in twenty."""
    high_pct = battery.at_home_high_pct
    sure = _UPPER_END if high_pct is not None and high_pct <= RESERVE_PCT else 0.0
    return max(sure, short_p(battery.soc_pct, battery.at_home_pct, use_error(battery)))


def stranded_p(battery: Battery) -> float:
    """Probability of getting to the destination and not home from there: the same doubt holds for both legs."""
    there = short_p(battery.soc_pct, battery.at_arrival_pct, use_error(battery))
    return max(0.0, home_short_p(battery) - there)


def tomorrow_short_p(battery: Battery) -> float:
    """Probability that less than `RESERVE_PCT` is left after tomorrow's first trip, were nothing charged; 0 if unknown."""
    tomorrow = battery.tomorrow
    if not isinstance(tomorrow, Tomorrow):
        return 0.0
    ways = zip(tomorrow.left_pct, tomorrow.high_pct, strict=True)
    below = [_below_p(left, (high - left) / _SIGMAS_90) for left, high in ways]
    return tomorrow.p_drives * fmean(below)


def _below_p(left_pct: float, sigma_pct: float) -> float:
    if sigma_pct <= 0.0:
        return 1.0 if left_pct < RESERVE_PCT else 0.0
    return 0.5 * (1.0 + erf((RESERVE_PCT - left_pct) / (sigma_pct * sqrt(2.0))))


def tomorrow_p(battery: Battery) -> float:
    """Probability of getting to the destination, and not on tomorrow's first trip: the same doubt holds for all legs."""
    there = short_p(battery.soc_pct, battery.at_arrival_pct, use_error(battery))
    return max(0.0, tomorrow_short_p(battery) - there)


def news_p(battery: Battery) -> float:
    """Probability that the car would not be charged at the destination anyway; 1 where nothing is known of it."""
    there = battery.there
    if not isinstance(there, Stand):
        return 1.0
    return 1.0 - there.charged / (there.stood + 2.0)


def charged_kwh(battery: Battery, power_kw: float) -> float | None:
    """The most that fits into the usual stay and into the battery; None where either is unknown."""
    there, left_pct = battery.there, battery.at_arrival_pct
    if not isinstance(there, Stand) or there.usual_s is None or left_pct is None:
        return None
    if not isinstance(battery.capacity_kwh, float):
        return None
    missing_kwh = battery.capacity_kwh * (100.0 - left_pct) / 100.0
    return min(power_kw * there.usual_s / 3600.0, missing_kwh)


def short_kwh(battery: Battery, tomorrow: bool) -> float | None:
    """What at least is missing at home, or after tomorrow's first trip; None where the battery's size is unknown."""
    left_pct, ahead = battery.at_home_pct, battery.tomorrow
    if tomorrow and isinstance(ahead, Tomorrow):
        left_pct = fmean(ahead.left_pct)
    if left_pct is None or not isinstance(battery.capacity_kwh, float):
        return None
    return battery.capacity_kwh * max(0.0, RESERVE_PCT - left_pct) / 100.0
