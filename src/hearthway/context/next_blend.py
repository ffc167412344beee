"""Three scorers together for who is known longer: the network of `next_score`, one that sees more columns, and boosted trees.

Over a person's first stays the first alone answers, since the others, fitted mostly on longer histories, are worse there; then
they gain on it until all count the same. The mean is of log-probabilities.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import log

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from .next_place import Floats, Question, Rows
from .next_score import Scorer, apart, each_softmax, starts, together

ALONE, ALIKE = 25, 50  # before which visit the first answers alone, and all count the same
LIKELY = 0.01  # trees and wide network learn those candidates alone to which the linear part gives this, and trees judge them alone
LEAD_MOST = 99.0  # of a candidate without another


class Trees(Struct, frozen=True):
    """Trees that ask one question a level: a column and what is high in it, by tree and level, and a value by tree and leaf."""

    columns: NDArray[np.int64]
    above: NDArray[np.float32]
    leaves: Floats

    def score(self, rows: Rows) -> Floats:
        """The sum of their values for each row."""
        by_column = np.ascontiguousarray(rows.T)
        total = np.zeros(len(rows))
        for columns, above, leaves in zip(self.columns, self.above, self.leaves, strict=True):
            high = (by_column[column] > least for column, least in zip(columns, above, strict=True))
            total += leaves[leaf_of(high, len(rows))]
        return total


def leaf_of(high: Iterable[NDArray[np.bool_]], rows: int) -> NDArray[np.uint8]:
    """The leaf of each row, from which rows are high at each level, the first level first; at most 8 levels."""
    leaf = np.zeros(rows, dtype=np.uint8)
    for level, above in enumerate(high):
        leaf |= above.view(np.uint8) << np.uint8(level)
    return leaf


class Stacked(Struct, frozen=True):
    """A linear scorer, and trees that add to it; they also see how a candidate stands among the others by that scorer."""

    linear: Scorer
    trees: Trees

    def weigh(self, questions: Sequence[Question]) -> list[Floats]:
        """One unnormalised log-probability a candidate, an array a question."""
        rows, start = together(questions), starts(questions)
        scores = self.linear.scores(rows)
        likely = each_softmax(scores, start) >= LIKELY
        seen = np.concatenate((rows, of_scores(scores, start)), axis=1)[likely]
        scores[likely] += self.trees.score(seen)
        return apart(scores, questions)


class Blend(Struct, frozen=True):
    """The first scorer, and the others as a person becomes known; `temperature` is that of all together."""

    first: Scorer
    further: Scorer
    stacked: Stacked
    temperature: float = 1.0

    def weigh(self, questions: Sequence[Question]) -> list[Floats]:
        """One unnormalised log-probability a candidate, an array a question."""
        return self.joined(questions, self.first.weigh(questions))

    def joined(self, questions: Sequence[Question], first: Sequence[Floats]) -> list[Floats]:
        """The same, where it is known what the first says."""
        told = [*first]
        later = [at for at, one in enumerate(questions) if share(one.visits) > 0.0]
        if not later:
            return told
        asked = [questions[at] for at in later]
        others = zip(self.further.weigh(asked), self.stacked.weigh(asked), strict=True)
        for at, (further, stacked) in zip(later, others, strict=True):
            part = share(questions[at].visits)
            told[at] = (told[at] + part * (further + stacked)) / (1.0 + 2.0 * part)
        return told

    def temperature_at(self, visits: int) -> float:
        """From that of the first to that of all."""
        part = share(visits)
        return (1.0 - part) * self.first.temperature + part * self.temperature


def share(visits: int) -> float:
    """The weight of each of the others after so many visits, that of the first being 1."""
    return min(1.0, max(0.0, log((visits + 1) / ALONE) / log(ALIKE / ALONE)))


def of_scores(scores: Floats, start: NDArray[np.int64]) -> Rows:
    """For each candidate: how far it is behind the best, its rank, by how much the best leads, and the spread of them all."""
    sizes = np.diff(start)
    behind = scores - np.repeat(np.maximum.reduceat(scores, start[:-1]), sizes)
    p = each_softmax(scores, start)
    of = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((-behind, of))
    rank = np.empty(len(scores))
    rank[order] = np.arange(len(scores)) - start[of[order]]
    but_best = behind.copy()
    but_best[order[start[:-1]]] = -np.inf
    lead = np.minimum(-np.maximum.reduceat(but_best, start[:-1]), LEAD_MOST)
    spread = -np.add.reduceat(p * np.log(p + 1e-12), start[:-1])
    columns = (behind, rank, np.repeat(lead, sizes), np.repeat(spread, sizes))
    return np.stack(columns, axis=1).astype(np.float32)
