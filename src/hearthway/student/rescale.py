"""A real factor as the integers of the file: m / 2**s with m in [2**30, 2**31) and s in 1..62. For whoever exports."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from hearthway.records.errors import StudentError

MULTIPLIER = range(2**30, 2**31)
SHIFT = range(1, 63)


def multiplier(real: float) -> tuple[int, int]:
    """(m, s) nearest to `real`, half up; StudentError where it is not within 2**-32 <= real < 2**30."""
    if not (math.isfinite(real) and 2.0**-32 <= real < 2.0**30):
        raise _out_of_range(real)
    mantissa, exponent = math.frexp(real)
    m, s = math.floor(mantissa * 2**31 + 0.5), 31 - exponent
    if m == 2**31:
        m, s = 2**30, s - 1
    if s not in SHIFT:
        raise _out_of_range(real)
    return m, s


def pair(a: float, b: float) -> tuple[tuple[int, int], int]:
    """((m_a, m_b), s) of an addition: one shift, by which the larger factor has its full precision."""
    if min(a, b) < 0:
        raise _out_of_range(min(a, b))
    m, s = multiplier(max(a, b))
    small = math.floor(math.ldexp(min(a, b), s) + 0.5)
    return ((m, small) if a >= b else (small, m)), s


def table(reals: Iterable[float]) -> NDArray[np.int32]:
    """int32 [2, n]: row 0 the multipliers, row 1 the shifts."""
    return np.array([multiplier(float(real)) for real in reals], np.int32).T.copy()


def mean_table(real: float, steps_max: int) -> NDArray[np.int32]:
    """The rows by which a pool's sum becomes the mean times `real`, for 1..steps_max steps."""
    return table(real / steps for steps in range(1, steps_max + 1))


def sum_table(real: float, steps_max: int) -> NDArray[np.int32]:
    """The rows by which a pool's sum is multiplied by `real` whatever the length."""
    return table([real] * steps_max)


def _out_of_range(real: float) -> StudentError:
    return StudentError(
        f"A factor of {real!r} between two scales cannot be written.",
        "It has to be at least 2**-32 and less than 2**30: choose the scales anew.",
    )
