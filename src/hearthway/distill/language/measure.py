"""How good an answer is, by name of what is counted; numpy alone, so that a bench needs no torch.

"In-scope accuracy" is the argmax over the labels without "oos", of utterances that have one. A score says how much an
utterance is in scope; below a threshold, which is chosen on validation only, it is rejected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]
Numbers = NDArray[Any]  # whole or not


class Scope(Struct, frozen=True):
    """Figures of a classifier with rejection, shares of 1."""

    in_scope: float  # argmax, nothing rejected
    auroc: float
    accepted_right: float  # of in-scope utterances: accepted, and the right label
    oos_recall: float  # of out-of-scope ones: rejected
    texts: int


def margins(logits: Floats | Ints, outside: int) -> Numbers:
    """Best label less "oos": the score of the files."""
    best = np.delete(logits, outside, axis=1).max(axis=1)
    return np.asarray(best - logits[:, outside])


def heights(logits: Floats, outside: int) -> Numbers:
    """Best label less the mean of all without "oos": the score of a teacher."""
    inside = np.delete(logits, outside, axis=1)
    return np.asarray(inside.max(axis=1) - inside.mean(axis=1))


def inside_argmax(logits: Floats | Ints, outside: int) -> NDArray[np.intp]:
    """The best label that is not "oos", the lowest of equals."""
    masked = logits.astype(np.float64)
    masked[:, outside] = -np.inf
    return masked.argmax(axis=1)


def auroc(inside: Numbers, outside: Numbers) -> float:
    """Chance that an in-scope score is above an out-of-scope one, ties half (Mann-Whitney)."""
    both = np.concatenate([inside, outside])
    _, inverse, counts = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n, m = len(inside), len(outside)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def threshold(
    scores: Numbers, right: NDArray[np.bool_], inside: NDArray[np.bool_], least: float
) -> float:
    """The highest threshold by which at least `least` of the in-scope utterances are accepted and right.

    Accepted is score >= threshold. The lowest score of all where even that is not reached.
    """
    values = np.unique(scores)
    good = np.sort(scores[inside & right])
    total = int(inside.sum())
    kept = (len(good) - np.searchsorted(good, values, side="left")) / total
    enough = values[kept >= least]
    return float(enough[-1] if len(enough) else values[0])


def threshold_rejecting(scores: Numbers, inside: NDArray[np.bool_], share: float) -> float:
    """The lowest threshold by which at least `share` of the out-of-scope utterances are rejected."""
    values = np.unique(scores)
    outside = np.sort(scores[~inside])
    rejected = np.searchsorted(outside, values, side="left") / len(outside)
    enough = values[rejected >= share]
    return float(enough[0] if len(enough) else values[-1] + 1)


def scope(
    logits: Floats | Ints,
    scores: Numbers,
    truth: Ints,
    outside: int,
    at: float,
) -> Scope:
    """The figures at a threshold chosen elsewhere."""
    inside = truth != outside
    right = inside_argmax(logits, outside) == truth
    accepted = scores >= at
    return Scope(
        float(right[inside].mean()),
        auroc(scores[inside], scores[~inside]),
        float((right & accepted)[inside].mean()),
        float((~accepted)[~inside].mean()),
        len(truth),
    )


class Entities(Struct, frozen=True):
    """Exact matches of (type, words): precision, recall, F1."""

    precision: float
    recall: float
    f1: float


def entity_f1(
    said: Sequence[Sequence[tuple[str, str]]], gold: Sequence[Sequence[tuple[str, str]]]
) -> Entities:
    """Micro-averaged over all utterances, each entity once (SLURP's entity F1 with exact fillers)."""
    hits = n_said = n_gold = 0
    for mine, theirs in zip(said, gold, strict=True):
        a, b = Counter(mine), Counter(theirs)
        hits += (a & b).total()
        n_said += a.total()
        n_gold += b.total()
    precision, recall = hits / max(1, n_said), hits / max(1, n_gold)
    return Entities(precision, recall, 2 * precision * recall / max(1e-12, precision + recall))
