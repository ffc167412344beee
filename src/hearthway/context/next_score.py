"""A calibrated posterior from the features of `next_place`: one small network scores each candidate, softmax joins them.

score = rows . linear + tanh(rows . inner + bias) . outer: the same for everybody. What is the person's own is learned
online: a bias of each place, and how sharply the scores tell his places apart.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from .next_place import NEW, Floats, Question, Rows

BIAS_STEP = 0.06
BIAS_KEEP = 0.997  # of a bias, after each visit
SHARPNESS_STEP = 0.005
SHARPNESS_KEEP = 0.999
SHARPNESS_LIMITS = (0.5, 2.0)


class Scorer(Struct, frozen=True, kw_only=True):
    """The weights. Rows are taken as (row - centre) / spread; `temperature` divides what the person is told by."""

    centre: Floats
    spread: Floats
    linear: Floats
    inner: Floats
    bias: Floats
    outer: Floats
    temperature: float = 1.0

    def scores(self, rows: Rows) -> Floats:
        """One unnormalised log-probability a row."""
        scaled = (rows - self.centre) / self.spread
        hidden = np.tanh(scaled @ self.inner + self.bias)
        return np.asarray(scaled @ self.linear + hidden @ self.outer, dtype=np.float64)


class Answer(Struct, frozen=True):
    """Known places, the likeliest first, with their probabilities; they and `new` sum to 1."""

    places: NDArray[np.int64]
    p: Floats
    new: float


class Predictor:
    """The posterior of one person: `answer` at a departure, then `saw` when it is known where he went."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._bias: dict[int, float] = {}
        self._sharpness = 1.0

    def answer(self, question: Question) -> Answer:
        """The posterior at a departure."""
        p = softmax(self.logits(question) / self._scorer.temperature)
        order = np.argsort(-p[:-1], kind="stable")
        return Answer(question.places[:-1][order], p[:-1][order], float(p[-1]))

    def logits(self, question: Question) -> Floats:
        """Log-probabilities up to a constant, before the temperature."""
        return self._sharpness * self._plain(question) + self._biases(question)

    def saw(self, question: Question, place: int) -> None:
        """He went to `place` (`NEW`: one never visited): a gradient step on log-loss. A place not asked about teaches
        nothing."""
        candidates = question.places.tolist()
        if place not in candidates:
            return
        plain = self._plain(question)
        p = softmax(self._sharpness * plain + self._biases(question))
        miss = -p
        miss[candidates.index(place)] += 1.0
        low, high = SHARPNESS_LIMITS
        moved = self._sharpness + SHARPNESS_STEP * float(miss @ plain)
        self._sharpness = 1.0 + SHARPNESS_KEEP * (min(high, max(low, moved)) - 1.0)
        for candidate, step in zip(candidates, miss.tolist(), strict=True):
            self._bias[candidate] = self._bias.get(candidate, 0.0) * BIAS_KEEP + BIAS_STEP * step

    def _plain(self, question: Question) -> Floats:
        scores = self._scorer.scores(question.rows)
        return np.asarray(scores - scores.max(), dtype=np.float64)

    def _biases(self, question: Question) -> Floats:
        return np.array([self._bias.get(place, 0.0) for place in question.places.tolist()])


def softmax(scores: Floats) -> Floats:
    """Probabilities in proportion to exp(score)."""
    p = np.exp(scores - scores.max())
    return np.asarray(p / p.sum(), dtype=np.float64)


__all__ = ["NEW", "Answer", "Predictor", "Scorer", "softmax"]
