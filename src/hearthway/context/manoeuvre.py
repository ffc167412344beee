"""What the car does just now, from the last fixes: turning, braking, and how unevenly it moves.

Positions are off, and speeds that only follow from them as well: of a turn or of braking counts what that cannot explain.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import atan2, hypot, pi, sqrt

from hearthway.records.situation import Manoeuvre

from .flat import east_north_m
from .motion import BASE_S
from .state import Moment

JUST_S = 6.0  # what was done so lately still goes on
LEG_S = 4.0, 12.0  # positions nearer in time tell no direction, those farther apart no turn
LEG_M = 12.0  # less is within the error of a position
BRAKE_S = 2.0, 8.0  # between two speeds
UNEVEN_S = 60.0
UNEVEN_FIXES = 6
ERROR_M = 5.0  # of a position (68 %), where the phone does not say


def manoeuvre_of(recent: Sequence[Moment], now_s: float) -> Manoeuvre | None:
    """The strongest of the last seconds; None where the fixes are too old or too rare to tell anything."""
    late = [moment for moment in recent if now_s - moment.time_s <= JUST_S]
    turns = [found for moment in late if (found := _turning(recent, moment)) is not None]
    brakes = [found for moment in late if (found := _braking(recent, moment)) is not None]
    speeds = [m.speed_mps for m in recent if m.told and now_s - m.time_s <= UNEVEN_S]
    told = [speed for speed in speeds if speed is not None]
    uneven = _deviation(told) if late and len(told) >= UNEVEN_FIXES else None
    if not turns and not brakes and uneven is None:
        return None
    return Manoeuvre(
        lateral_mps2=round(max(turns), 2) if turns else None,
        braking_mps2=round(max(brakes), 2) if brakes else None,
        uneven_mps=None if uneven is None else round(uneven, 2),
    )


def _turning(recent: Sequence[Moment], end: Moment) -> float | None:
    """Lateral acceleration: speed times the rate at which the way turns, over the last two legs."""
    middle = _before(recent, end)
    start = None if middle is None else _before(recent, middle)
    if middle is None or start is None:
        return None
    (x1, y1), (x2, y2) = _step(start, middle), _step(middle, end)
    first_m, second_m = hypot(x1, y1), hypot(x2, y2)
    turn = abs((atan2(x2, y2) - atan2(x1, y1) + pi) % (2.0 * pi) - pi)
    # The angle at a point of three moves by its own error across both legs, by the others' across one.
    spread = hypot(
        _error_m(start) / first_m,
        _error_m(middle) * (1.0 / first_m + 1.0 / second_m),
        _error_m(end) / second_m,
    )
    seconds = end.time_s - start.time_s
    return (first_m + second_m) / seconds * max(0.0, turn - spread) / (seconds / 2.0)


def _error_m(moment: Moment) -> float:
    """One standard deviation of a position across a line: an accuracy is the radius of two thirds."""
    return (ERROR_M if moment.accuracy_m is None else moment.accuracy_m) / 1.5


def _deviation(figures: Sequence[float]) -> float:
    mean = sum(figures) / len(figures)
    return sqrt(sum((one - mean) ** 2 for one in figures) / len(figures))


def _before(recent: Sequence[Moment], end: Moment) -> Moment | None:
    """The latest moment from which there is a leg to `end`."""
    for moment in reversed(recent):
        ago_s = end.time_s - moment.time_s
        if ago_s > LEG_S[1]:
            return None
        if ago_s >= LEG_S[0] and hypot(*_step(moment, end)) >= LEG_M:
            return moment
    return None


def _step(a: Moment, b: Moment) -> tuple[float, float]:
    return east_north_m(a.lat, a.lon, b.lat, b.lon)


def _braking(recent: Sequence[Moment], end: Moment) -> float | None:
    """How fast speed fell up to a moment, at least 0; told speeds are held against told ones, implied against implied."""
    if end.speed_mps is None:
        return None
    for moment in reversed(recent):
        ago_s = end.time_s - moment.time_s
        if ago_s > BRAKE_S[1]:
            return None
        if ago_s >= BRAKE_S[0] and moment.speed_mps is not None and moment.told == end.told:
            error_mps = 0.0 if end.told else hypot(_error_m(moment), _error_m(end)) / BASE_S
            return max(0.0, moment.speed_mps - end.speed_mps - error_mps) / ago_s
    return None
