"""How far each level of `next_place` is to be trusted with this person, from what it said of where he went.

The levels are experts: each gives every known place a probability. Their mixture follows whoever was right of late: weights in
proportion to the probability given to what came, and a small share dealt out evenly (fixed share, Herbster and Warmuth 1998).
Beside it, of some levels, how much more they said than a plain one, as a running mean. Somewhere new is said by none of
them, and teaches nothing here.
"""

from __future__ import annotations

from math import log

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SHARED = 0.01  # of the weights, dealt out evenly at each visit
TRACK_STEP = 0.05
SAID_MOST = 2.0  # in logs: what one visit counts for at most


class Trust:
    """The weights of `levels` experts, and the track of those numbered in `tracked` against number `plain`."""

    def __init__(self, levels: int, tracked: tuple[int, ...], plain: int) -> None:
        self._tracked = list(tracked)
        self._plain = plain
        self._weights = np.full(levels, 1.0 / levels)
        self.track = np.zeros(len(tracked) + 1)

    def mixed(self, said: Floats) -> Floats:
        """The mixture's probability of each place; `said` has a row a place, a column a level."""
        return np.asarray(said @ self._weights, dtype=np.float64)

    def came(self, said: Floats) -> None:
        """He went to a place of which the levels had said this, one probability each."""
        shares = self._weights * said
        whole = float(shares.sum())
        self._weights = (1.0 - SHARED) * shares / whole + SHARED / len(said)
        gain = np.clip(np.log(said[self._tracked] / said[self._plain]), -SAID_MOST, SAID_MOST)
        self.track += TRACK_STEP * (np.append(gain, log(whole)) - self.track)
