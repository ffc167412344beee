"""What a task will take, learned as tasks are done: a line through their sizes, and how far the truth lay above it.

The line is least squares of relative errors, exponentially weighted. The tail is the quantile of past ratios of truth to
forecast, exponentially weighted too, the method of Boudoukh, Richardson and Whitelaw, "The best of both worlds"
(Risk, May 1998): it follows a change in a few tasks and assumes no distribution. Each ratio is taken before its truth
is learned. While few are known a made-up one stands among them, so that a forecast made of little is a wide one.

Two misses in a row on the same side are no chance but another network or another load (a run rule, as in Western
Electric's Statistical Quality Control Handbook, 1956): what was learned before counts a twentieth from each of them on,
and they, which are of the change and of no spread, are not kept in the tail. A single one is, and so is what goes on
after a line had its time to follow: that no line learns, such as a wait that a helper does not foretell.
"""

from __future__ import annotations

import math
from collections import deque

FORGET = 0.9  # of a line's weights, a task: ten tasks count
FORGET_RATIO = 0.95  # of a tail's: twenty
RATIOS_MAX = 64
COLD_RATIO, COLD_WEIGHT = 2.0, 0.25  # counts in a tail of 95 % until some five ratios are known
CHANGED = 1.35  # so many times the forecast, or part of it, may be a miss
RUN_MAX = 6  # misses in a row that are a change; more are what the forecasts always lack
FAR = 2.5  # of the median distance from the forecast, and no less, is one: of a wide spread no change is made
STALE = 0.05  # of a line's weights, what is left of them after a change
ALIKE = 0.02  # how strongly a line is drawn through the origin where sizes hardly differ
LEAST = 1e-6


class Line:
    """y of x as a + b x, both at least 0."""

    def __init__(self) -> None:
        self.count = 0
        self._n = self._x = self._y = self._xx = self._xy = 0.0

    def learn(self, x: float, y: float) -> None:
        """One more truth; x is at least 0."""
        y = max(y, LEAST)
        weight = 1.0 / (y * y)
        self.count += 1
        self._n = self._n * FORGET + weight
        self._x = self._x * FORGET + weight * x
        self._y = self._y * FORGET + weight * y
        self._xx = self._xx * FORGET + weight * x * x
        self._xy = self._xy * FORGET + weight * x * y

    def forget(self) -> None:
        """All there is counts a twentieth from now on."""
        self._n *= STALE
        self._x *= STALE
        self._y *= STALE
        self._xx *= STALE
        self._xy *= STALE

    def at(self, x: float) -> float | None:
        """The forecast; None before anything was learned."""
        if not self.count:
            return None
        mean_x, mean_y = self._x / self._n, self._y / self._n
        pull = ALIKE * mean_x * mean_x
        spread = self._xx / self._n - mean_x * mean_x
        if spread + pull <= 0.0:  # all of size 0
            return mean_y
        slope = (self._xy / self._n - mean_x * mean_y + pull * mean_y / mean_x) / (spread + pull)
        slope = min(max(slope, 0.0), mean_y / mean_x)
        return max(mean_y + slope * (x - mean_x), LEAST)


class Tail:
    """How many times the forecast the truth was."""

    def __init__(self) -> None:
        self._ratios: deque[float] = deque(maxlen=RATIOS_MAX)
        self._seen = 0
        self._run = 0  # misses in a row until now: above where positive, below where negative

    def learn(self, ratio: float) -> bool:
        """One more; True where the forecasts are of another time, as it and the one before say."""
        ratio = max(ratio, LEAST)
        side = self._miss(ratio)
        self._run = self._run + side if side * self._run > 0 else side
        changed = 2 <= abs(self._run) <= RUN_MAX
        if abs(self._run) == 2:
            self._ratios.pop()  # the first was of the change too
        if not changed:
            self._ratios.append(ratio)
            self._seen += 1
        return changed

    def _miss(self, ratio: float) -> int:
        """1 above and -1 below all that is usual, else 0."""
        far = math.log(ratio)
        usual = _quantile([(abs(math.log(r)), w) for r, w in self._weighed()], 0.5)
        if abs(far) <= max(math.log(CHANGED), FAR * usual):
            return 0
        return 1 if far > 0 else -1

    def _weighed(self) -> list[tuple[float, float]]:
        return [(ratio, FORGET_RATIO**age) for age, ratio in enumerate(reversed(self._ratios))]

    def quantile(self, share: float) -> float:
        """The ratio that so large a share of the weight does not exceed."""
        cold = COLD_RATIO, COLD_WEIGHT * FORGET_RATIO**self._seen
        return _quantile([*self._weighed(), cold], share)


def _quantile(weighed: list[tuple[float, float]], share: float) -> float:
    """Of (number, weight); 0 of none."""
    wanted, sum_ = share * sum(weight for _, weight in weighed), 0.0
    for number, weight in sorted(weighed):
        sum_ += weight
        if sum_ >= wanted:
            return number
    return max(weighed)[0] if weighed else 0.0
