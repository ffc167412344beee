"""Likeness of situations as columns: a sum of product kernels, reduced to what a few landmarks tell.

Two situations are the more alike, the fewer answers differ and the nearer the ordered ones lie. Columns are the
kernel's values to landmarks (rows drawn from those fitted on), whitened so that a ridge on their weights is a Gaussian
process's prior (the Nystrom method, Williams & Seeger 2001).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

UNKNOWN = (
    -9.0
)  # the code of an answer that is missing or was never seen: far from every other, alike to itself
REACH, HALF = (
    3.0,
    2.0,
)  # ordered answers are no less alike beyond this many steps; two steps are one difference
_JITTER = 1e-4


class Alike(Struct, frozen=True):
    """One product kernel: `amplitude * exp(-sum of weight * difference)` over the columns that `weights` names."""

    amplitude: float
    weights: Mapping[int, float]


class Kernel(Struct, frozen=True):
    """A sum of product kernels over coded rows; `ordered` says of each column whether its codes are steps."""

    parts: tuple[Alike, ...]
    ordered: tuple[bool, ...]

    def between(self, a: Floats, b: Floats) -> Floats:
        """(rows of `a`, rows of `b`): how alike they are; ValueError where the columns are not those it was made for."""
        for codes in (a, b):
            if codes.ndim != 2 or codes.shape[1] != len(self.ordered):
                raise ValueError(
                    f"{len(self.ordered)} columns are compared, the rows have {codes.shape[1:]}"
                )
        exponents = [np.zeros((len(a), len(b)), dtype=np.float32) for _ in self.parts]
        for column, steps in enumerate(self.ordered):
            gap = np.abs(a[:, None, column] - b[None, :, column]).astype(np.float32)
            differs = np.minimum(gap, REACH) / HALF if steps else (gap > 0).astype(np.float32)
            for exponent, part in zip(exponents, self.parts, strict=True):
                if column in part.weights:
                    exponent -= np.float32(part.weights[column]) * differs
        total = np.zeros((len(a), len(b)))
        for exponent, part in zip(exponents, self.parts, strict=True):
            total += part.amplitude * np.exp(exponent)
        return total


class Landmarks:
    """Rows drawn from `codes`, and the columns they make of any others. The same for the same seed."""

    def __init__(self, kernel: Kernel, codes: Floats, count: int, *, seed: int) -> None:
        """At most `count` landmarks; ValueError where there is no row to draw from."""
        if not len(codes):
            raise ValueError("landmarks are drawn from rows, and there are none")
        rng = np.random.default_rng(seed)
        drawn = np.sort(rng.choice(len(codes), min(count, len(codes)), replace=False))
        self._kernel, self._codes = kernel, codes[drawn]
        own = kernel.between(self._codes, self._codes)
        root = np.linalg.cholesky(own + _JITTER * np.eye(len(own)))
        self._whiten = np.linalg.inv(root).T

    def columns(self, codes: Floats) -> Floats:
        """One column a landmark: their inner products are the kernel as the landmarks know it."""
        return np.asarray(self._kernel.between(codes, self._codes) @ self._whiten)


def coded(values: Sequence[str], steps: Sequence[str]) -> Floats:
    """The place of each value among `steps`, `UNKNOWN` where it is none of them."""
    place = {value: float(k) for k, value in enumerate(steps)}
    return np.array([place.get(value, UNKNOWN) for value in values])
