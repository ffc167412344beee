"""What marks a place beyond the votes of `next_place`: where past departures like this one led, and its standing among the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

ALIKE_S = 3_600.0  # departures so near in the day, or in the week, are alike
LAST = 5
ORIGIN, BEFORE, PLACE = range(3)  # columns of a transition


def last_times(
    keep: Numbers, moves: Floats, here: tuple[int, int], day_gap_s: Floats, week_gap_s: Floats
) -> Floats:
    """A column for each of: the last departure but one from here, and at this hour; the last that came from the same place before,
    that was at this hour of the week, and from here at this hour. 1 for the place it led to.
    """
    origin, before = here
    from_here = np.flatnonzero(moves[:, ORIGIN] == origin)
    alike = np.flatnonzero(day_gap_s < ALIKE_S)
    out = np.zeros((len(keep), LAST))
    for column, (found, back) in enumerate(
        (
            (from_here, 2),
            (alike, 2),
            (from_here[moves[from_here, BEFORE] == before], 1),
            (alike[week_gap_s[alike] < ALIKE_S], 1),
            (from_here[day_gap_s[from_here] < ALIKE_S], 1),
        )
    ):
        if len(found) >= back:
            out[:, column] = keep == moves[found[-back], PLACE]
    return out


def standing(smooth: Floats) -> Floats:
    """The log of the rank of each place at each level, a column each."""
    out = np.zeros_like(smooth)
    ranks = np.log1p(np.arange(len(smooth)))
    for level in range(smooth.shape[1]):
        out[np.argsort(-smooth[:, level], kind="stable"), level] = ranks
    return out
