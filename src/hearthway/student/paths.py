"""The best path through the labels of a text's words: what each word says, and which label follows which. Integers alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Paths:
    """`follows[before][label] * gain` is what a label gains right after another."""

    def __init__(self, follows: NDArray[Any], gain: int) -> None:
        gains = follows.astype(np.int64) * gain
        self._follows: list[list[int]] = gains.tolist()
        # [other, label]: the most that a label's two gains, before and after it, are above the other's in its place
        after = np.stack([(gains - row).max(axis=1) for row in gains])
        before = np.stack([(gains.T - column).max(axis=1) for column in gains.T])
        self._above = np.maximum(after, 0) + np.maximum(before, 0)

    def best(self, words: ArrayLike) -> list[int]:
        """A label a word, so that its own numbers and what follows gain sum to the most (Viterbi 1967).

        Of equal sums: the lowest label of the last word, then the lowest of the one before it.
        """
        numbers = np.asarray(words)
        if not len(numbers):
            return []
        first = numbers.argmax(axis=1)
        top = np.maximum.reduce(numbers, axis=1, keepdims=True)
        # with a label that is further behind than what it can gain, the path is worse than with the first
        places, labels = np.nonzero(numbers + self._above.take(first, axis=0) >= top)
        if len(places) == len(numbers):
            return [*labels.tolist()]
        near: list[list[tuple[int, int]]] = [[] for _ in numbers]
        its = zip(places.tolist(), labels.tolist(), numbers[places, labels].tolist(), strict=True)
        for place, label, number in its:
            near[place].append((label, number))
        return self._path(near)

    def _path(self, near: list[list[tuple[int, int]]]) -> list[int]:
        """The best through what each word's (label, number) leave."""
        sums = dict(near[0])
        came: list[dict[int, int]] = []
        for its in near[1:]:
            after: dict[int, int] = {}
            back: dict[int, int] = {}
            for label, number in its:
                if len(sums) == 1:
                    ((before, sum_),) = sums.items()
                    sum_ += self._follows[before][label]
                else:
                    sum_, less = max((s + self._follows[b][label], -b) for b, s in sums.items())
                    before = -less
                after[label], back[label] = sum_ + number, before
            sums = after
            came.append(back)
        path = [max(sums, key=lambda label: (sums[label], -label))]
        for back in reversed(came):
            path.append(back[path[-1]])
        return path[::-1]
