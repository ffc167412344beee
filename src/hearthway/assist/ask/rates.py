"""How fast a battery charges, by the car's own readings."""

from __future__ import annotations

from collections.abc import Sequence

from .facts import Charging

LEAST_S, LEAST_PCT = 600.0, 1.0  # shorter or less, and one step of the reading decides


def charging_rate(readings: Sequence[tuple[float, float]]) -> Charging:
    """From (time, percent) by time: of the last piece on which it only rose."""
    rising = list(readings[-1:])
    for time_s, pct in reversed(readings[:-1]):
        if pct > rising[0][1]:
            break
        rising.insert(0, (time_s, pct))
    while len(rising) > 1 and rising[1][1] <= rising[0][1]:
        rising.pop(0)  # before it began to rise it only stood
    if len(rising) < 2:
        return Charging(readings=len(rising))
    took_s, rose_pct = rising[-1][0] - rising[0][0], rising[-1][1] - rising[0][1]
    if took_s < LEAST_S or rose_pct < LEAST_PCT:
        return Charging(readings=len(rising))
    return Charging(pct_an_hour=rose_pct / took_s * 3600.0, readings=len(rising))
