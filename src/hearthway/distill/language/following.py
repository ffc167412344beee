"""Which slot label follows which: a word in a song's name makes it likely that the next one is in it too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

WEIGHT = 0.4  # of what was counted: a word's own number knows most of it already
MOST = 2.0  # a natural logit gains or loses at most this


def followed(texts: Iterable[Sequence[int]], labels: int) -> NDArray[np.float64]:
    """[before, label]: how much a natural logit gains right after another, from the labels of texts' words.

    It is `WEIGHT` of the log of how much oftener the label stands there than anywhere.
    """
    counts, pairs = np.ones(labels), np.zeros((labels, labels))
    for words in texts:
        np.add.at(counts, [*words], 1)
        np.add.at(pairs, ([*words[:-1]], [*words[1:]]), 1)
    alone = counts / counts.sum()
    after = (pairs + alone) / (pairs.sum(axis=1, keepdims=True) + 1)
    gained: NDArray[np.float64] = np.clip(WEIGHT * np.log(after / alone), -MOST, MOST)
    return gained
