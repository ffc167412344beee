"""How sure the first place really is: logistic regression on the confidence, and on a person's first days on the count of stays too.

Fitted on other people's visits, by Newton's steps with a little ridge (Platt 1999 for the form). One temperature
cannot do it: with few stays it is too sure, for what comes is mostly somewhere new, and later it is not; and then it is too
sure of what it is surest of, and not sure enough of the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hearthway.records.errors import InputError

EARLY = 25  # stays
STEPS = 30
RIDGE = 1e-3
EDGE = 1e-4
PLAIN = 2  # parts without the count
Floats = NDArray[np.float64]
Told = Sequence[tuple[int, float, bool]]


class Sure(Struct, frozen=True):
    """Weights of 1, the log-odds and, where it goes by the count, the log of the count and their product."""

    weights: tuple[float, ...]

    def __call__(self, visit: int, p: float) -> float:
        """The probability that the first place is right before visit number `visit`, told with `p`."""
        parts = _parts(visit, p)[: len(self.weights)]
        return 1.0 / (
            1.0 + exp(-sum(w * part for w, part in zip(self.weights, parts, strict=True)))
        )


def fit_sure(told: Told, *, by_count: bool) -> Sure:
    """Of least log-loss on (which visit, confidence, was it right)."""
    if not told:
        raise InputError("No visits to calibrate on.", "Give the visits of more people.")
    rows = np.array([_parts(visit, p) for visit, p, _ in told])[:, : None if by_count else PLAIN]
    right = np.array([hit for *_, hit in told], dtype=np.float64)
    weights = np.zeros(rows.shape[1])
    for _ in range(STEPS):
        p = 1.0 / (1.0 + np.exp(-rows @ weights))
        bend = (rows.T * (p * (1.0 - p))) @ rows + RIDGE * np.eye(len(weights))
        weights += np.linalg.solve(bend, rows.T @ (right - p) - RIDGE * weights)
    return Sure(tuple(weights.tolist()))


def _parts(visit: int, p: float) -> tuple[float, float, float, float]:
    p = min(1.0 - EDGE, max(EDGE, p))
    odds, count = log(p / (1.0 - p)), log(visit)
    return 1.0, odds, count, odds * count
