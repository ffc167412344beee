"""How high the car is and what a way climbs: from what its receiver tells, and from places where it told that before."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite

from msgspec import Struct

from .range_model import GAP_S, MAX_SLOPE

# A receiver's height wavers by metres within seconds. Smoothed over less, wavering passes for descents that are braked.
SMOOTH_M = 100.0
FRESH_S = GAP_S
LOWEST_M, HIGHEST_M = -500.0, 9_000.0
MOST_MEANT = (
    10  # a place's height is the mean of so many; later ones move it by as much as the tenth
)


class Heights(Struct, kw_only=True):
    """What the receiver told last, and the smoothed height along this trip; metres above its zero."""

    told_m: float | None = None
    told_s: float = 0.0
    start_m: float | None = None
    here_m: float | None = None

    def tell(self, height_m: float, time_s: float) -> None:
        """Take a height; what cannot be, or is older than the last, is left out."""
        if isfinite(height_m) and LOWEST_M <= height_m <= HIGHEST_M and time_s >= self.told_s:
            self.told_m, self.told_s = height_m, time_s

    def begin(self) -> None:
        """A trip begins."""
        self.start_m = self.here_m = None

    def step(self, time_s: float, metres: float) -> float | None:
        """The height after so many metres more; None where none was told lately."""
        told = self.since(time_s - FRESH_S)
        if told is None:
            return None
        here, start = self.here_m, self.start_m
        if here is None or start is None:
            self.start_m = self.here_m = told
        elif abs(told - here) > MAX_SLOPE * max(SMOOTH_M, metres):
            self.start_m, self.here_m = start + told - here, told  # a jump is no climb
        else:
            self.here_m = here + (told - here) * min(1.0, metres / SMOOTH_M)
        return self.here_m

    def since(self, time_s: float) -> float | None:
        """The last height, where it was told since then."""
        return self.told_m if self.told_s >= time_s else None

    @property
    def risen_m(self) -> float:
        """What this trip climbed so far, ends against each other; 0 where unknown."""
        if self.here_m is None or self.start_m is None:
            return 0.0
        return self.here_m - self.start_m


def meant(mean_m: float | None, count: int, height_m: float) -> float:
    """The mean of a place's heights with one more, of which it is the `count`-th."""
    if mean_m is None:
        return height_m
    return mean_m + (height_m - mean_m) / min(MOST_MEANT, max(1, count))


def rises(heights_m: Sequence[float | None]) -> list[float]:
    """What each way climbs between points one behind the other; past unknown ones, the first way to a known one has it all."""
    known = next((height for height in heights_m if height is not None), 0.0)
    out = []
    for _, height in pairwise(heights_m):
        out.append(0.0 if height is None else height - known)
        known = known if height is None else height
    return out
