"""What a whole way shows of what carried it, in numbers: how fast and how evenly, halts, acceleration, walks and waits.

Counted step by step beside the filter of `modes`; read once, when the trip is over. A number that the fixes do not
show is not a number (NaN), never 0.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import log1p, nan

from msgspec import Struct, field

BOUNDS_MPS = (0.8, 2.0, 3.2, 5.0, 7.5, 11.0, 15.5, 24.0, 36.0)
ENOUGH_M = 500.0  # seen closely: less shows no rate of halts
ENOUGH_CHANGES = 5

FEATURES: tuple[tuple[str, str], ...] = (
    *((f"share of the time up to {mps:g} m/s", "share") for mps in BOUNDS_MPS),
    (f"share of the time above {BOUNDS_MPS[-1]:g} m/s", "share"),
    ("seconds", "log s"),
    ("metres", "log m"),
    *(
        (f"metres by {mode}, as the filter has it", "share")
        for mode in ("foot", "bicycle", "car", "bus", "train")
    ),
    ("halts", "1/km"),
    ("metres seen closely", "share"),
    ("hard acceleration", "share"),
    ("acceleration", "m/s2"),
    ("fastest step", "m/s"),
    ("seconds of waiting", "log s"),
    ("metres walked to it", "log m"),
    *((f"before it began, {mode}", "p") for mode in ("foot", "bicycle", "car", "transit")),
    ("the car spoke", "0 or 1"),
    ("the car speaks on this person's drives", "trips"),
    ("seconds a step", "log s"),
)


class WayMarks(Struct, kw_only=True):
    """Counts of this way so far; a part of a life's state."""

    seconds: list[float] = field(default_factory=lambda: [0.0] * (len(BOUNDS_MPS) + 1))
    steps: int = 0
    stops: int = 0
    dense_m: float = 0.0
    paced: int = 0
    hard: int = 0
    changes: int = 0
    change_mps2: float = 0.0
    fastest_mps: float = 0.0
    waited_s: float = 0.0
    walked_m: float = 0.0

    def step(self, gap_s: float, mps: float, *, stops: int, dense_m: float) -> None:
        """A step of the filter: over so many seconds, at such a speed."""
        self.seconds[bisect_right(BOUNDS_MPS, mps)] += gap_s
        self.steps += 1
        self.stops += stops
        self.dense_m += dense_m
        self.fastest_mps = max(self.fastest_mps, mps)

    def sped(self, mps2: float, *, hard: bool) -> None:
        """A change between two told speeds."""
        self.paced += 1
        self.hard += hard
        self.changes += 1
        self.change_mps2 += abs(mps2)

    def access(self, walked_m: float, waited_s: float) -> None:
        """The longest walk to a ride, and wait for one."""
        self.walked_m = max(self.walked_m, walked_m)
        self.waited_s = max(self.waited_s, waited_s)

    def step_s(self) -> float:
        """Seconds of a step, on the average: how rarely the phone wrote; 0 where no step was made."""
        return sum(self.seconds) / self.steps if self.steps else 0.0

    def row(
        self,
        metres: Sequence[float],
        before: Sequence[float],
        *,
        told: bool,
        car_told: float,
    ) -> list[float]:
        """The numbers of `FEATURES`. `metres` by mode as the filter has them, `before`: the shares of this person's ways."""
        seconds, all_m = sum(self.seconds), sum(metres)
        close = self.dense_m >= ENOUGH_M
        return [
            *(s / seconds if seconds > 0.0 else nan for s in self.seconds),
            log1p(seconds),
            log1p(all_m),
            *(m / all_m if all_m > 0.0 else nan for m in metres),
            1_000.0 * self.stops / self.dense_m if close else nan,
            min(1.0, self.dense_m / all_m) if all_m > 0.0 else nan,
            self.hard / self.paced if self.paced >= ENOUGH_CHANGES else nan,
            self.change_mps2 / self.changes if self.changes >= ENOUGH_CHANGES else nan,
            self.fastest_mps if self.steps else nan,
            log1p(self.waited_s),
            log1p(self.walked_m),
            *before,
            float(told),
            car_told,
            log1p(self.step_s()) if self.steps else nan,
        ]
