"""Boosted trees on yes/no columns: second-order gradient boosting of the logistic loss.

Method: Friedman 2001 with the Newton leaves of Chen & Guestrin 2016. Every column is 0 or 1 (a category is one column
a value, an ordered answer one column a step), so that a split needs no search for a threshold and a level of
a tree is two matrix products. Where it is known who answered, each group of answers (a person, a person's answers about one
kind) has an intercept of its own while the trees are grown (mixed effects, Hajjem 2014), so that the trees tell what
holds for somebody new.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class BoostSettings(Struct, frozen=True, kw_only=True):
    """How trees are grown. `ridge` and `min_weight` are in units of the loss's second derivative (a quarter a row)."""

    trees: int = 300
    depth: int = 4
    rate: float = 0.05
    ridge: float = 5.0
    min_weight: float = 5.0
    rows_share: float = 0.7  # of the rows, drawn anew for each tree
    columns_share: float = 0.4


class Tree(Struct, frozen=True):
    """A full binary tree: the column asked at each inner node, breadth first, and a value for each leaf."""

    columns: tuple[int, ...]
    leaves: tuple[float, ...]


class Boosted(Struct, frozen=True):
    """A fitted sum of trees over `width` columns; `base` is the log-odds they start from."""

    base: float
    width: int
    trees: tuple[Tree, ...]

    def score(self, x: NDArray[np.float32]) -> Floats:
        """Log-odds of each row of `x`; ValueError where it has other columns than were fitted."""
        if x.ndim != 2 or x.shape[1] != self.width:
            raise ValueError(f"{self.width} columns were fitted, the rows have {x.shape[1:]}")
        total = np.full(len(x), self.base)
        for tree in self.trees:
            total += np.asarray(tree.leaves)[_leaf_of(x, tree.columns)]
        return total


def _leaf_of(x: NDArray[np.float32], columns: tuple[int, ...]) -> NDArray[np.int64]:
    node = np.zeros(len(x), dtype=np.int64)
    asked, rows = np.asarray(columns), np.arange(len(x))
    while node.size and node[0] < len(columns):
        node = 2 * node + 1 + (x[rows, asked[node]] > 0)
    return node - len(columns)


def _sums(
    x: NDArray[np.float32], node: NDArray[np.int64], nodes: int, g: Floats, h: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Per node: the sums of `g` and `h`, and (node, column) those of the rows that say yes."""
    both = np.zeros((2 * nodes, len(x)), dtype=np.float32)
    rows = np.arange(len(x))
    both[node, rows] = g
    both[nodes + node, rows] = h
    yes = (both @ x).astype(np.float64)
    whole = both.sum(axis=1, dtype=np.float64)
    return whole[:nodes], whole[nodes:], yes[:nodes], yes[nodes:]


def _grow(x: NDArray[np.float32], g: Floats, h: Floats, settings: BoostSettings) -> Tree:
    node = np.zeros(len(x), dtype=np.int64)
    rows = np.arange(len(x))
    asked: list[int] = []
    for level in range(settings.depth):
        nodes = 1 << level
        all_g, all_h, yes_g, yes_h = _sums(x, node, nodes, g, h)
        no_g, no_h = all_g[:, None] - yes_g, all_h[:, None] - yes_h
        gain = yes_g**2 / (yes_h + settings.ridge) + no_g**2 / (no_h + settings.ridge)
        gain[(yes_h < settings.min_weight) | (no_h < settings.min_weight)] = -1.0
        best = gain.argmax(axis=1)
        asked += [int(column) for column in best]
        node = 2 * node + (x[rows, best[node]] > 0)
    leaves = 1 << settings.depth
    leaf_g = np.bincount(node, weights=g, minlength=leaves)
    leaf_h = np.bincount(node, weights=h, minlength=leaves)
    values = -settings.rate * leaf_g / (leaf_h + settings.ridge)
    return Tree(tuple(asked), tuple(float(value) for value in values))


class Own:
    """Intercepts of the groups into which the answers fall, in log-odds: Gaussian around 0, `ridge` their precision."""

    def __init__(self, group: NDArray[np.int64], ridge: float) -> None:
        """`group` numbers each answer's group 0, 1, ..."""
        self._group, self._ridge = group, ridge
        self._values = np.zeros(int(group.max()) + 1)

    def of_rows(self) -> Floats:
        """Each answer's intercept."""
        return np.asarray(self._values[self._group])

    def learn(self, p: Floats, y: Floats) -> None:
        """Half a Newton step: the groups overlap, and each step sees the others as they were."""
        count = len(self._values)
        slope = np.bincount(self._group, p - y, count) + self._ridge * self._values
        curve = np.bincount(self._group, p * (1.0 - p), count) + self._ridge
        self._values -= 0.5 * slope / curve


def fit_boosted(
    x: NDArray[np.float32],
    y: Floats,
    *,
    seed: int,
    settings: BoostSettings | None = None,
    own: Sequence[tuple[NDArray[np.int64], float]] = (),
) -> Boosted:
    """Trees for answers `y` (0 or 1); the same bits for the same seed. ValueError where there is only one answer.

    `own`: groupings of the answers and the inverse variance of their intercepts, which are not part of what is returned.
    """
    settings = settings or BoostSettings()
    mean = float(np.mean(y)) if len(y) else 0.0
    if not 0.0 < mean < 1.0:
        raise ValueError("trees need answers of both kinds")
    rng = np.random.default_rng(seed)
    base = float(np.log(mean / (1.0 - mean)))
    score = np.full(len(x), base)
    rows_n = max(1, round(settings.rows_share * len(x)))
    columns_n = max(1, round(settings.columns_share * x.shape[1]))
    trees: list[Tree] = []
    groups = [Own(group, ridge) for group, ridge in own]
    for _ in range(settings.trees):
        rows = np.sort(rng.choice(len(x), rows_n, replace=False))
        columns = np.sort(rng.choice(x.shape[1], columns_n, replace=False))
        p = _chance(score, groups)[rows]
        drawn = np.ascontiguousarray(x[np.ix_(rows, columns)])
        tree = _grow(drawn, p - y[rows], p * (1.0 - p), settings)
        tree = Tree(tuple(int(columns[column]) for column in tree.columns), tree.leaves)
        trees.append(tree)
        score += np.asarray(tree.leaves)[_leaf_of(x, tree.columns)]
        for group in groups:
            group.learn(_chance(score, groups), y)
    return Boosted(base, int(x.shape[1]), tuple(trees))


def _chance(score: Floats, groups: Sequence[Own]) -> Floats:
    whole = score + sum((group.of_rows() for group in groups), np.zeros(len(score)))
    return np.asarray(1.0 / (1.0 + np.exp(-whole)))
