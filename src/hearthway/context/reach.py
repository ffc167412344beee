"""How far a battery reaches: the length of way after which the range model expects it empty."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from .battery import BatteryState
from .range_model import Forecast

MOST_M = 2_000_000.0
CLOSE_M = 100.0


class Reach(Struct, frozen=True, kw_only=True):
    """Metres until the battery is empty: expected, and the ends of the 90 % interval."""

    metres: float
    low_m: float
    high_m: float
    trips: int  # learned from so many


def reach_of(battery: BatteryState, now_s: float) -> Reach | None:
    """From here on by ways as usual; None before enough trips, or where no charge was ever told."""
    if not battery.ahead(now_s, [CLOSE_M]):
        return None

    def until(left: Callable[[Forecast], float]) -> float:
        low_m, high_m = 0.0, MOST_M
        while high_m - low_m > CLOSE_M:
            middle_m = (low_m + high_m) / 2.0
            if left(battery.ahead(now_s, [middle_m])[0]) > 0.0:
                low_m = middle_m
            else:
                high_m = middle_m
        return low_m

    return Reach(
        metres=until(lambda told: told.arrival_pct),
        low_m=until(lambda told: told.low_pct),
        high_m=until(lambda told: told.high_pct),
        trips=battery.trips,
    )
