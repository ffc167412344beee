"""Whether this person will accept, learned from this person's own answers, and what one more answer is worth.

The log-odds of a yes are `base + z · w`: `base` comes from a model of other people (or is 0), `z` says which sort of
suggestion it is, and `w` is this person's own, Gaussian with a known covariance. Each answer moves it by
assumed-density filtering (Laplace along `z`, after Opper 1998). What is not known is thus known, so exploring
needs no chance: a word is worth its own expected utility and what its answer would teach for the moments to come
(the knowledge gradient, Frazier 2009).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from hearthway.assist.willing import step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def sigmoid(score: Floats | np.float64) -> Floats:
    """Probability of log-odds, without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * score)))


def mean_probability(score: Floats | np.float64, variance: Floats | np.float64) -> Floats:
    """Expected probability under Gaussian log-odds (MacKay 1992: the probit approximation)."""
    return sigmoid(score / np.sqrt(1.0 + np.pi * variance / 8.0))


class Ahead(Struct, frozen=True):
    """Moments like those to come: their `base` log-odds and their rows `z`; and how many are expected."""

    base: Floats
    z: Floats
    count: float


class Belief:
    """Gaussian over a person's own weights. Not shared between threads."""

    def __init__(self, mean: Floats, covariance: Floats) -> None:
        """ValueError where the shapes do not fit or a variance is below 0."""
        if covariance.shape != (len(mean), len(mean)):
            raise ValueError(f"{len(mean)} weights need a square covariance of that side")
        if not np.all(np.isfinite(covariance)) or np.any(np.diag(covariance) < 0.0):
            raise ValueError("variances are finite and at least 0")
        self.mean = np.array(mean, dtype=np.float64)
        self.covariance = np.array(covariance, dtype=np.float64)

    def score(self, base: float, z: Floats) -> tuple[float, float]:
        """Mean and variance of the log-odds of a yes."""
        return base + float(z @ self.mean), max(0.0, float(z @ self.covariance @ z))

    def probability(self, base: float, z: Floats) -> float:
        """Expected probability of a yes."""
        score, variance = self.score(base, z)
        return float(mean_probability(np.float64(score), np.float64(variance)))

    def hopeful(self, base: float, z: Floats, deviations: float) -> float:
        """The probability of a yes `deviations` standard deviations above what is expected (an upper bound)."""
        score, variance = self.score(base, z)
        return float(sigmoid(np.float64(score + deviations * variance**0.5)))

    def answered(self, base: float, z: Floats, *, yes: bool) -> None:
        """Learn from one answer."""
        score, variance = self.score(base, z)
        moved, shrunk = step(score, variance, yes=yes)
        if variance <= 0.0:
            return
        along = self.covariance @ z
        self.mean += along * (moved / variance)
        self.covariance -= np.outer(along, along) * (shrunk / variance)

    def forget(self, places: slice, variance: Floats) -> None:
        """The weights at `places` belong to somebody new: mean 0, `variance`, tied to nothing known."""
        self.mean[places] = 0.0
        self.covariance[places, :] = 0.0
        self.covariance[:, places] = 0.0
        self.covariance[places, places] = np.diag(variance)

    def taught(self, base: float, z: Floats, cost: float, ahead: Ahead) -> float:
        """What an answer here is expected to add to the utility of the moments `ahead`: never below 0."""
        score, variance = self.score(base, z)
        if variance <= 0.0 or ahead.count <= 0.0 or not len(ahead.base):
            return 0.0
        along = self.covariance @ z
        reach = ahead.z @ along  # covariance of each moment's log-odds with this one's
        scores = ahead.base + ahead.z @ self.mean
        variances = np.einsum("ij,ij->i", ahead.z @ self.covariance, ahead.z)
        p_yes = self.probability(base, z)
        later = 0.0
        for yes, p in ((True, p_yes), (False, 1.0 - p_yes)):
            moved, shrunk = step(score, variance, yes=yes)
            left = np.maximum(0.0, variances - reach**2 * (shrunk / variance))
            later += p * _speaking(
                mean_probability(scores + reach * (moved / variance), left), cost
            )
        now = _speaking(mean_probability(scores, np.maximum(0.0, variances)), cost)
        return ahead.count * max(0.0, later - now)


class Choice(Struct, frozen=True):
    """What was weighed at a moment: the belief, the worth of a word now, of its answer later, and of hope."""

    p: float
    now: float
    later: float
    hope: float

    @property
    def speaks(self) -> bool:
        """Does a word pay, now or by what its answer teaches?"""
        return max(self.now + self.later, self.hope) > 0.0

    def propensity(self, tossed: float) -> float:
        """How likely a word is where a share `tossed` of the moments is left to a fair coin."""
        return (1.0 - tossed) * self.speaks + 0.5 * tossed


def choose(
    belief: Belief,
    base: float,
    z: Floats,
    cost: float,
    *,
    ahead: Ahead | None = None,
    deviations: float = 0.0,
) -> Choice:
    """Weigh a word. `ahead` prices what its answer teaches; `deviations` above 0 gives it the benefit of the doubt,
    for a beginning at which one answer teaches too little to be worth anything by itself."""
    p = belief.probability(base, z)
    now = utility(p, cost)
    later = belief.taught(base, z, cost, ahead) if ahead is not None and now <= 0.0 else 0.0
    hope = utility(belief.hopeful(base, z, deviations), cost) if deviations > 0.0 else now
    return Choice(p, now, later, hope)


def utility(p: float, cost: float) -> float:
    """Expected worth of speaking: a yes is worth 1, a no costs `cost`, silence is 0."""
    return p - cost * (1.0 - p)


def _speaking(p: Floats, cost: float) -> float:
    """Mean worth of moments where one speaks only if that is expected to pay."""
    return float(np.mean(np.maximum(0.0, p - cost * (1.0 - p))))
