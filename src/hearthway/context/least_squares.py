"""Bayesian linear regression, one observation after another: recursive least squares with a prior, closed form.

Weights are held at zero or above. A covariance is its lower triangle by rows. O(n^2) an observation.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from msgspec import Struct, field

FAR_OFF = 4.0  # an observation further off than so many spreads counts as that much noisier


class Weights(Struct, kw_only=True):
    """What is known of y = w . x."""

    w: list[float] = field(default_factory=list)
    cov: list[float] = field(default_factory=list)

    @classmethod
    def prior(cls, w: Sequence[float], var: Sequence[float], common_share: float) -> Weights:
        """Independent weights, but for one unknown factor on all of them with a spread of `common_share`."""
        cov = [
            common_share**2 * w[i] * w[j] + (var[i] if i == j else 0.0)
            for i in range(len(w))
            for j in range(i + 1)
        ]
        return cls(w=list(w), cov=cov)

    def mean(self, x: Sequence[float]) -> float:
        """w . x."""
        return dot(self.w, x)

    def variance(self, x: Sequence[float]) -> float:
        """Of w . x, from what is open about w."""
        return max(0.0, dot(x, self._towards(x)))

    def learn(self, x: Sequence[float], y: float, noise: float, drift: Sequence[float]) -> None:
        """One observation with variance `noise`; `drift` is what each weight's variance grows by."""
        towards = self._towards(x)
        open_var = max(0.0, dot(x, towards))
        miss = y - self.mean(x)
        far = abs(miss) / sqrt(open_var + noise)
        if far > FAR_OFF:
            noise = (open_var + noise) * far / FAR_OFF - open_var  # Huber's weight
        gain = [t / (open_var + noise) for t in towards]
        self.w = [max(0.0, w + g * miss) for w, g in zip(self.w, gain, strict=True)]
        at = 0
        for i, (g, more) in enumerate(zip(gain, drift, strict=True)):
            for j in range(i + 1):
                self.cov[at] -= g * towards[j]
                at += 1
            self.cov[at - 1] = max(0.0, self.cov[at - 1]) + more

    def _towards(self, x: Sequence[float]) -> list[float]:
        out, at = [0.0] * len(x), 0
        for i in range(len(x)):
            for j in range(i + 1):
                out[i] += self.cov[at] * x[j]
                if i != j:
                    out[j] += self.cov[at] * x[i]
                at += 1
        return out


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    """The sum of the products."""
    return sum(x * y for x, y in zip(a, b, strict=True))
