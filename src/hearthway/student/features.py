"""Numbers with units -> the int8 input of a student, by the table in its header."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hearthway.records.errors import StudentError

from .header import FeatureInput


def quantise(given: FeatureInput, numbers: ArrayLike) -> NDArray[np.int8]:
    """clamp(floor((x - offset) * gain + 0.5), -128, 127) in IEEE doubles, the last axis being the features; NaN gives 0."""
    rows = np.asarray(numbers, np.float64)
    if not rows.ndim or rows.shape[-1] != len(given.features):
        raise StudentError(
            f"The student takes {len(given.features)} features, and an input has the shape {rows.shape}.",
            "Give the features that its header names, in its order.",
        )
    offset = np.array([feature.offset for feature in given.features])
    gain = np.array([feature.gain for feature in given.features])
    with np.errstate(invalid="ignore", over="ignore"):
        steps = np.floor((rows - offset) * gain + 0.5)
    return np.where(np.isnan(steps), 0.0, np.clip(steps, -128, 127)).astype(np.int8)
