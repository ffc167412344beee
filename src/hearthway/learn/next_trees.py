"""Boosted trees for the choice of one candidate among several: second-order boosting of the softmax's log-loss.

Method: Friedman 2001 with the Newton leaves of Chen and Guestrin 2016, on columns cut into as many even parts. Each level of a tree
asks the same of all its nodes (as in Prokhorenkova et al. 2018), which little data bears better. The trees add to a
linear scorer and never see the candidates to which it gives next to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hearthway.context.next_blend import LIKELY, Trees, leaf_of, of_scores
from hearthway.context.next_place import Floats, Rows
from hearthway.context.next_score import Scorer, each_softmax

PARTS = 32
CUT_ON = 40_000  # rows, at most, by which a column is cut
Numbers = NDArray[np.int64]


class TreeSettings(Struct, frozen=True, kw_only=True):
    """How trees are grown. `ridge` and `least` are in units of the loss's second derivative (at most a quarter a row)."""

    trees: int = 100
    depth: int = 5  # 8 at most: a leaf's number is a byte
    rate: float = 0.14
    ridge: float = 20.0
    least: float = 5.0  # on either side, in one node at least
    questions_share: float = 0.25  # of the questions, drawn anew for each tree
    columns_share: float = 0.3


class _Part(Struct, frozen=True):
    """The questions of one tree: the part of each column by row, and the slope and the bend of the loss."""

    binned: NDArray[np.uint8]
    slope: Floats
    bend: Floats


def grow(
    rows: Rows,
    start: Numbers,
    truth: Numbers,
    linear: Scorer,
    *,
    seed: int,
    settings: TreeSettings | None = None,
) -> Trees:
    """Trees that lower the log-loss of `linear` on questions rows[start[i] : start[i + 1]], of which row truth[i] came true."""
    settings = settings or TreeSettings()
    scores = linear.scores(rows)
    likely = each_softmax(scores, start) >= LIKELY
    seen = np.concatenate((rows[likely], of_scores(scores, start)[likely]), axis=1)
    start, truth, kept = likely_alone(likely, start, truth)
    cuts = [_cuts(column) for column in seen[:: 1 + len(seen) // CUT_ON].T]
    binned = np.stack(
        [np.searchsorted(cut, column) for cut, column in zip(cuts, seen.T, strict=True)]
    ).astype(np.uint8)
    return _boost(binned[:, kept], start, truth, scores[likely][kept], cuts, seed, settings)


def likely_alone(
    likely: NDArray[np.bool_], start: Numbers, truth: Numbers
) -> tuple[Numbers, Numbers, NDArray[np.bool_]]:
    """(start, truth, which of the likely rows) of the questions whose truth was likely, counted in those rows."""
    counts = np.add.reduceat(likely.astype(np.int64), start[:-1])
    held = likely[truth]
    at = np.cumsum(likely) - 1  # of a likely row among the likely ones
    kept = np.repeat(held, counts)
    place = np.cumsum(kept) - 1
    return np.concatenate(([0], np.cumsum(counts[held]))), place[at[truth[held]]], kept


def _cuts(column: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where a column is cut; none above which nothing lies."""
    cuts = np.unique(np.quantile(column, np.arange(1, PARTS) / PARTS, method="lower"))
    return np.asarray(cuts[cuts < column.max()], dtype=np.float32)


def _boost(
    binned: NDArray[np.uint8],
    start: Numbers,
    truth: Numbers,
    scores: Floats,
    cuts: Sequence[NDArray[np.float32]],
    seed: int,
    settings: TreeSettings,
) -> Trees:
    rng = np.random.default_rng(seed)
    width, questions = len(binned), len(truth)
    trees = settings.trees if questions else 0
    take = max(1, round(settings.questions_share * questions))
    some = max(1, round(settings.columns_share * width))
    asked = np.zeros((trees, settings.depth), dtype=np.int64)
    above = np.full((trees, settings.depth), np.inf, dtype=np.float32)
    leaves = np.zeros((trees, 1 << settings.depth))
    scores = scores.copy()
    highest = np.array([len(cut) for cut in cuts])
    for tree in range(trees):
        # The questions are in an order that was drawn: a run of them is a sample, and needs no copy.
        low = int(rng.integers(0, questions - take + 1))
        rows = slice(int(start[low]), int(start[low + take]))
        p = each_softmax(scores[rows], start[low : low + take + 1] - start[low])
        bend = p * (1.0 - p)
        p[truth[low : low + take] - start[low]] -= 1.0
        part = _Part(binned[:, rows], p, bend)
        columns = rng.choice(width, some, replace=False)
        splits, values = _tree(part, columns, highest, settings)
        for level, (column, at) in enumerate(splits):
            asked[tree, level] = column
            above[tree, level] = cuts[column][at]
        leaves[tree, : len(values)] = values
        scores += values[leaf_of((binned[column] > at for column, at in splits), len(scores))]
    return Trees(asked, above, leaves)


def _tree(
    part: _Part, columns: Numbers, cuts: Numbers, settings: TreeSettings
) -> tuple[list[tuple[int, int]], Floats]:
    """(column and cut of each level, value of each leaf)."""
    binned = part.binned[columns]
    node = np.zeros(len(part.slope), dtype=np.int64)
    beyond = np.arange(PARTS) >= cuts[columns][:, None]
    splits: list[tuple[int, int]] = []
    sums = _sums(binned, node, part.slope, part.bend, 1)
    for level in range(settings.depth):
        gain = _gain(sums[0].cumsum(axis=2), sums[1].cumsum(axis=2), settings)
        gain[beyond] = -1.0
        at, cut = divmod(int(gain.argmax()), PARTS)
        if gain[at, cut] < 0.0:
            break
        splits.append((int(columns[at]), cut))
        above = binned[at] > cut
        if level + 1 < settings.depth:
            sums = _halved(part, binned, node, above, sums)
        node += above.astype(np.int64) << level
    slope = np.bincount(node, part.slope, 1 << len(splits))
    bend = np.bincount(node, part.bend, 1 << len(splits))
    return splits, -settings.rate * slope / (bend + settings.ridge)


def _sums(
    binned: NDArray[np.uint8], node: Numbers, slope: Floats, bend: Floats, nodes: int
) -> Floats:
    """[slope and bend, node, column, part]: what the rows in each have together."""
    some = len(binned)
    cell = (binned + (np.arange(some) * PARTS)[:, None] + node * (some * PARTS)).ravel()
    each = [
        np.bincount(cell, np.tile(one, some), nodes * some * PARTS).reshape(nodes, some, PARTS)
        for one in (slope, bend)
    ]
    return np.stack(each)


def _halved(
    part: _Part,
    binned: NDArray[np.uint8],
    node: Numbers,
    above: NDArray[np.bool_],
    sums: Floats,
) -> Floats:
    """The sums of the next level's nodes, those with `above` last: the smaller half is summed, the other is what is left of `sums`."""
    more = 2 * int(above.sum()) > len(above)
    rows = np.flatnonzero(above != more)
    few = _sums(binned[:, rows], node[rows], part.slope[rows], part.bend[rows], sums.shape[1])
    rest = sums - few
    return np.concatenate((few, rest) if more else (rest, few), axis=1)


def _gain(slope: Floats, bend: Floats, settings: TreeSettings) -> Floats:
    """How much is gained by asking a column of all nodes, by column and cut, from the sums up to each by (node, column, cut)."""
    over_slope, over_bend = slope[:, :, -1:] - slope, bend[:, :, -1:] - bend
    each = slope**2 / (bend + settings.ridge) + over_slope**2 / (over_bend + settings.ridge)
    gain = each.sum(axis=0)
    gain[np.minimum(bend, over_bend).max(axis=0) < settings.least] = -1.0
    return np.asarray(gain, dtype=np.float64)
