"""The best path through the labels of a text's words: what each word says, and which label follows which. Integers alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray


class Paths:
    """`follows[before][label] * gain` is what a label gains right after another."""

    def __init__(self, follows: NDArray[Any], gain: int) -> None:
        self._follows: list[list[int]] = [[x * gain for x in row] for row in follows.tolist()]
        self._spread = max(map(max, self._follows)) - min(map(min, self._follows))

    def best(self, words: Sequence[Sequence[int]]) -> list[int]:
        """A label a word, so that its own numbers and what follows gain sum to the most (Viterbi 1967).

        Of equal sums: the lowest label of the last word, then the lowest of the one before it.
        """
        sums: dict[int, int] = {}
        came: list[dict[int, int]] = []
        for numbers in words:
            # another label here changes two gains at most: one that is further behind is on no best path
            least = max(numbers) - 2 * self._spread
            near = [label for label, number in enumerate(numbers) if number >= least]
            if not came:
                came.append({})
                sums = {label: numbers[label] for label in near}
                continue
            after: dict[int, int] = {}
            back: dict[int, int] = {}
            for label in near:
                sum_, before = max((s + self._follows[b][label], -b) for b, s in sums.items())
                after[label], back[label] = sum_ + numbers[label], -before
            sums = after
            came.append(back)
        if not sums:
            return []
        path = [max(sums, key=lambda label: (sums[label], -label))]
        for back in reversed(came[1:]):
            path.append(back[path[-1]])
        return path[::-1]
