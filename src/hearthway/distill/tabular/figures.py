"""How good a student is beside its teacher: before and after the integers, class by class, on rows nobody chose by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from .arrays import Floats, Ints, softmax

BINS = 10


class Scored(Struct, frozen=True, kw_only=True):
    """One model on one part. `by_class`: share of the class's rows that are told so; `auc` of two classes only."""

    model: str
    part: str
    rows: int
    accuracy: float
    by_class: dict[str, float]
    log_loss: float | None = None
    calibration_error: float | None = None
    agreement: float | None = None  # with the teacher
    auc: float | None = None


def scored(
    model: str,
    part: str,
    scores: Floats,
    y: Ints,
    labels: Sequence[str],
    teacher: Floats | None = None,
) -> Scored:
    """Figures of log-odds by class; ValueError without rows.

    A row of -1 is of a class that nobody was taught: told wrong by every model, and in no log loss.
    """
    taught = np.flatnonzero(y >= 0)
    if not len(taught):
        raise ValueError(f"no labelled rows in the part {part}")
    told, p = scores.argmax(axis=1), softmax(scores)
    right = told == y
    return Scored(
        model=model,
        part=part,
        rows=len(y),
        accuracy=_share(right),
        by_class=by_class(told, y, labels),
        log_loss=round(float(-np.log(np.maximum(p[taught, y[taught]], 1e-9)).mean()), 4),
        calibration_error=round(calibration_error(p.max(axis=1), right), 4),
        agreement=None if teacher is None else _share(told == teacher.argmax(axis=1)),
        auc=round(auc(y == 1, scores[:, 1] - scores[:, 0]), 4) if len(labels) == 2 else None,
    )


def told_only(model: str, part: str, told: Ints, y: Ints, labels: Sequence[str]) -> Scored:
    """Figures of a peer that names a class (-1: none) and no probability."""
    return Scored(
        model=model,
        part=part,
        rows=len(y),
        accuracy=_share(told == y),
        by_class=by_class(told, y, labels),
    )


def by_class(told: Ints, y: Ints, labels: Sequence[str]) -> dict[str, float]:
    """Of each class's rows, how many are told so; a class without rows is left out."""
    return {
        label: _share(told[y == number] == number)
        for number, label in enumerate(labels)
        if (y == number).any()
    }


def auc(yes: Ints | np.ndarray, score: Floats) -> float:
    """Area under the ROC curve, ties counted half; .5 where one class is missing."""
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2.0)[place]
    positive = int(np.sum(yes))
    if not positive or positive == len(yes):
        return 0.5
    below = ranks[yes].sum() - positive * (positive + 1) / 2.0
    return float(below / (positive * (len(yes) - positive)))


def _share(right: Ints | np.ndarray) -> float:
    return round(float(np.mean(right)), 4)


def calibration_error(sure: Floats, right: np.ndarray) -> float:
    """Mean distance of what was said and what came true, over ten bins of equal width."""
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    return float(
        sum(
            abs(sure[bins == one].sum() - right[bins == one].sum())
            for one in range(BINS)
            if (bins == one).any()
        )
        / len(sure)
    )
