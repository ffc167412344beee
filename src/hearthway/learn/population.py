"""What people in general say yes to: ridge logistic regression with an own intercept for each person fitted on.

The intercepts (Gaussian, mean 0) take up what is peculiar to a person, so that the shared weights do not; for
somebody new the intercept is 0. They are eliminated from every Newton step (their block is diagonal).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from .acceptance import sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ROUNDS, CLOSE = 25, 1e-5
_FREE = 1e-3  # ridge of the common intercept


class Population(Struct, frozen=True):
    """Shared weights and intercept, in log-odds."""

    weights: Floats
    intercept: float

    def score(self, x: Floats) -> Floats:
        """Log-odds of each row for somebody new; ValueError where it has other columns than were fitted."""
        if x.ndim != 2 or x.shape[1] != len(self.weights):
            raise ValueError(
                f"{len(self.weights)} columns were fitted, the rows have {x.shape[1:]}"
            )
        return np.asarray(x @ self.weights + self.intercept)


def fit_population(
    x: Floats, y: Floats, person: NDArray[np.int64], *, ridge: float, person_ridge: float
) -> Population:
    """Weights for answers `y` (0 or 1) of people numbered 0, 1, ...; ridges are inverse variances of the priors.

    ValueError where there is only one kind of answer, or Newton's steps do not settle.
    """
    if not len(y) or not 0.0 < float(np.mean(y)) < 1.0:
        raise ValueError("a population model needs answers of both kinds")
    order = np.argsort(person, kind="stable")
    named, starts = np.unique(person[order], return_index=True)
    whose = np.repeat(np.arange(len(named)), np.diff([*starts, len(y)]))
    design = np.concatenate([x[order], np.ones((len(y), 1))], axis=1)
    answers = y[order]
    shared, own = np.zeros(design.shape[1]), np.zeros(len(named))
    prior = np.full(len(shared), ridge)
    prior[-1] = _FREE
    for _ in range(ROUNDS):
        p = sigmoid(design @ shared + own[whose])
        heavy = design * (p * (1.0 - p))[:, None]
        gradient = design.T @ (p - answers) + prior * shared
        own_gradient = np.add.reduceat(p - answers, starts) + person_ridge * own
        mixed = np.add.reduceat(heavy, starts, axis=0)
        own_curve = np.add.reduceat(p * (1.0 - p), starts) + person_ridge
        curve = heavy.T @ design + np.diag(prior) - mixed.T @ (mixed / own_curve[:, None])
        step = np.linalg.solve(curve, gradient - mixed.T @ (own_gradient / own_curve))
        own_step = (own_gradient - mixed @ step) / own_curve
        shared, own = shared - step, own - own_step
        if max(np.abs(step).max(), np.abs(own_step).max()) < CLOSE:
            return Population(shared[:-1].copy(), float(shared[-1]))
    raise ValueError("the population model did not settle: use a larger ridge")
