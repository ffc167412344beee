"""A calibrated posterior from the features of `next_place`: one small network scores each candidate, softmax joins them.

score = rows . linear + tanh(rows . inner + bias) . outer: the same for everybody. What is the person's own is learned
online: a bias of each place, and how sharply the scores tell his places apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from .next_place import NEW, Floats, Question, Rows

BIAS_STEP = 0.06
BIAS_KEEP = 0.997  # of a bias, after each visit
SHARPNESS_STEP = 0.005
SHARPNESS_KEEP = 0.999
SHARPNESS_LIMITS = (0.5, 2.0)


class Model(Protocol):
    """What is the same for everybody: it scores the candidates, and says by what to divide the scores as a person is told."""

    def weigh(self, questions: Sequence[Question]) -> list[Floats]:
        """One unnormalised log-probability a candidate, an array a question."""

    def temperature_at(self, visits: int) -> float:
        """After so many visits."""


class Scorer(Struct, frozen=True, kw_only=True):
    """The weights of the first columns of a row, taken as (row - centre) / spread; `temperature` divides what the person is told by."""

    centre: Floats
    spread: Floats
    linear: Floats
    inner: Floats
    bias: Floats
    outer: Floats
    temperature: float = 1.0

    def scores(self, rows: Rows) -> Floats:
        """One unnormalised log-probability a row."""
        seen = rows[:, : len(self.centre)]
        each = np.column_stack((self.inner, self.linear)) / self.spread[:, None]
        told = seen @ each.astype(np.float32) - (self.centre @ each).astype(np.float32)
        hidden = np.tanh(told[:, :-1] + self.bias.astype(np.float32))
        return np.asarray(told[:, -1] + hidden @ self.outer.astype(np.float32), dtype=np.float64)

    def weigh(self, questions: Sequence[Question]) -> list[Floats]:
        """As `Model` says."""
        return apart(self.scores(together(questions)), questions)

    def temperature_at(self, visits: int) -> float:
        """The same at any time."""
        return self.temperature


class Answer(Struct, frozen=True):
    """Known places, the likeliest first, with their probabilities; they and `new` sum to 1."""

    places: NDArray[np.int64]
    p: Floats
    new: float


class Predictor:
    """The posterior of one person: `answer` at a departure, then `saw` when it is known where he went.

    `scores` are the model's for that question.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._bias: dict[int, float] = {}
        self._sharpness = 1.0

    def answer(self, question: Question, scores: Floats) -> Answer:
        """The posterior at a departure."""
        temperature = self._model.temperature_at(question.visits)
        p = softmax(self.logits(question, scores) / temperature)
        order = np.argsort(-p[:-1], kind="stable")
        return Answer(question.places[:-1][order], p[:-1][order], float(p[-1]))

    def logits(self, question: Question, scores: Floats) -> Floats:
        """Log-probabilities up to a constant, before the temperature."""
        return self._logits(scores - scores.max(), self._biases(question.places.tolist()))

    def saw(self, question: Question, scores: Floats, place: int) -> None:
        """He went to `place` (`NEW`: one never visited): a gradient step on log-loss. A place not asked about teaches
        nothing."""
        candidates = question.places.tolist()
        if place not in candidates:
            return
        behind, biases = scores - scores.max(), self._biases(candidates)
        miss = -softmax(self._logits(behind, biases))
        miss[candidates.index(place)] += 1.0
        low, high = SHARPNESS_LIMITS
        moved = self._sharpness + SHARPNESS_STEP * float(miss @ behind)
        self._sharpness = 1.0 + SHARPNESS_KEEP * (min(high, max(low, moved)) - 1.0)
        moved_biases = biases * BIAS_KEEP + BIAS_STEP * miss
        self._bias.update(zip(candidates, moved_biases.tolist(), strict=True))

    def _logits(self, behind: Floats, biases: Floats) -> Floats:
        return np.asarray(self._sharpness * behind + biases, dtype=np.float64)

    def _biases(self, places: list[int]) -> Floats:
        return np.fromiter(map(self._bias.get, places, repeat(0.0)), np.float64, len(places))


def together(questions: Sequence[Question]) -> Rows:
    """The rows of all, under one another."""
    return np.concatenate([question.rows for question in questions])


def starts(questions: Sequence[Question]) -> NDArray[np.int64]:
    """Where the rows of each begin in `together`, and where the last ends."""
    return np.cumsum([0] + [len(question.rows) for question in questions])


def apart(scores: Floats, questions: Sequence[Question]) -> list[Floats]:
    """What is one array for all, as one a question."""
    return [np.asarray(one) for one in np.split(scores, starts(questions)[1:-1])]


def softmax(scores: Floats) -> Floats:
    """Probabilities in proportion to exp(score)."""
    p = np.exp(scores - scores.max())
    return np.asarray(p / p.sum(), dtype=np.float64)


def each_softmax(scores: Floats, start: NDArray[np.int64]) -> Floats:
    """`softmax` of each question, whose scores are scores[start[i] : start[i + 1]]."""
    sizes = np.diff(start)
    p = np.exp(scores - np.repeat(np.maximum.reduceat(scores, start[:-1]), sizes))
    return np.asarray(p / np.repeat(np.add.reduceat(p, start[:-1]), sizes), dtype=np.float64)


__all__ = ["NEW", "Answer", "Model", "Predictor", "Scorer", "softmax"]
