"""What a task will take, learned as tasks are done: a line through their sizes, and how far the truth lay above it.

The line is least squares of relative errors, exponentially weighted. The tail is the quantile of past ratios of truth to
forecast, exponentially weighted too, the method of Boudoukh, Richardson and Whitelaw, "The best of both worlds"
(Risk, May 1998): it follows a change in a few tasks and assumes no distribution. Each ratio is taken before its truth
is learned. While few are known a made-up one stands among them, so that a forecast made of little is a wide one.
"""

from __future__ import annotations

from collections import deque

FORGET = 0.9  # of a line's weights, a task: ten tasks count
FORGET_RATIO = 0.95  # of a tail's: twenty
RATIOS_MAX = 64
COLD_RATIO, COLD_WEIGHT = 2.0, 0.25  # counts in a tail of 95 % until some five ratios are known
ALIKE = 0.02  # how strongly a line is drawn through the origin where sizes hardly differ
LEAST_S = 1e-6


class Line:
    """y of x as a + b x, both at least 0."""

    def __init__(self) -> None:
        self.count = 0
        self._n = self._x = self._y = self._xx = self._xy = 0.0

    def learn(self, x: float, y: float) -> None:
        """One more truth; x is at least 0."""
        y = max(y, LEAST_S)
        weight = 1.0 / (y * y)
        self.count += 1
        self._n = self._n * FORGET + weight
        self._x = self._x * FORGET + weight * x
        self._y = self._y * FORGET + weight * y
        self._xx = self._xx * FORGET + weight * x * x
        self._xy = self._xy * FORGET + weight * x * y

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
        return max(mean_y + slope * (x - mean_x), LEAST_S)


class Tail:
    """How many times the forecast the truth was."""

    def __init__(self) -> None:
        self._ratios: deque[float] = deque(maxlen=RATIOS_MAX)
        self._seen = 0

    def learn(self, ratio: float) -> None:
        """One more."""
        self._ratios.append(ratio)
        self._seen += 1

    def quantile(self, share: float) -> float:
        """The ratio that so large a share of the weight does not exceed."""
        weighed = [(ratio, FORGET_RATIO**age) for age, ratio in enumerate(reversed(self._ratios))]
        weighed.append((COLD_RATIO, COLD_WEIGHT * FORGET_RATIO**self._seen))
        weighed.sort()
        wanted, sum_ = share * sum(weight for _, weight in weighed), 0.0
        for ratio, weight in weighed:
            sum_ += weight
            if sum_ >= wanted:
                return ratio
        return weighed[-1][0]
