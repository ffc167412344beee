"""Weights of `context.next_score`, fitted on the visits of other people: log-loss, Adam, seeded, the same bits every run.

Kingma and Ba 2015 for the steps; the last weights are averaged over the second half of the passes (Polyak).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hearthway.context.next_place import Question
from hearthway.context.next_score import Predictor, Scorer, softmax
from hearthway.records.errors import InputError

Array = NDArray[np.float32]

HIDDEN = 48
PASSES = 12
BATCH = 128
RATE = 0.004
DECAY = 5e-4
TEMPERATURES = tuple(round(0.8 + 0.02 * step, 2) for step in range(31))
B1, B2, TINY = 0.9, 0.999, 1e-8


class Asked(Struct, frozen=True):
    """A question and which of its rows came true; -1 where none did (a known place that was no candidate)."""

    question: Question
    truth: int


class _Packed(Struct, frozen=True):
    """The rows of many questions under one another; question i is rows[start[i] : start[i + 1]]."""

    rows: Array
    start: NDArray[np.int64]
    truth: NDArray[np.int64]  # absolute row


def fit(asked: Sequence[Asked], *, seed: int, hidden: int = HIDDEN, passes: int = PASSES) -> Scorer:
    """The scorer of least log-loss on `asked`."""
    asked = [one for one in asked if one.truth >= 0]
    if len(asked) < 2:
        raise InputError("Too few visits to fit on.", "Give the visits of more people.")
    order = np.random.default_rng(seed).permutation(len(asked))
    rows = np.concatenate([asked[i].question.rows for i in order]).astype(np.float32)
    start = np.concatenate(([0], np.cumsum([len(asked[i].question.rows) for i in order])))
    truth = start[:-1] + np.array([asked[i].truth for i in order])
    centre = rows.mean(axis=0)
    spread = rows.std(axis=0)
    spread[spread < 1e-6] = 1.0
    rows -= centre
    rows /= spread
    packed = _Packed(rows, start, truth)
    weights = _descend(packed, seed=seed, hidden=hidden, passes=passes)
    linear, inner, bias, outer = (w.astype(np.float64) for w in weights)
    return Scorer(
        centre=centre.astype(np.float64),
        spread=spread.astype(np.float64),
        linear=linear,
        inner=inner,
        bias=bias,
        outer=outer,
    )


def calibrate(scorer: Scorer, walks: Sequence[tuple[Sequence[Asked], int]]) -> Scorer:
    """The scorer with the temperature of least log-loss of "the likeliest place is right".

    A walk is one person's questions in order, and from which of them on they count.
    """
    told = []
    for asked, begin in walks:
        person = Predictor(scorer)
        for at, one in enumerate(asked):
            if at >= begin:
                told.append((person.logits(one.question), one.truth))
            if one.truth >= 0:
                person.saw(one.question, int(one.question.places[one.truth]))
    if not told:
        raise InputError("No visit to calibrate on.", "Give the visits of more people.")
    right = np.array([int(np.argmax(scores[:-1])) == truth for scores, truth in told])

    def loss(temperature: float) -> float:
        p = np.array([softmax(scores / temperature)[:-1].max() for scores, _ in told])
        p = np.clip(p, 1e-6, 1.0 - 1e-6)
        return float(-np.where(right, np.log(p), np.log(1.0 - p)).mean())

    return msgspec.structs.replace(scorer, temperature=min(TEMPERATURES, key=loss))


def _descend(packed: _Packed, *, seed: int, hidden: int, passes: int) -> list[Array]:
    rng = np.random.default_rng(seed + 1)
    width = packed.rows.shape[1]
    weights = [
        np.zeros(width, dtype=np.float32),
        (rng.standard_normal((width, hidden)) / width**0.5).astype(np.float32),
        np.zeros(hidden, dtype=np.float32),
        np.zeros(hidden, dtype=np.float32),
    ]
    first = [np.zeros_like(w) for w in weights]
    second = [np.zeros_like(w) for w in weights]
    mean = [np.zeros_like(w) for w in weights]
    questions = len(packed.truth)
    batches = np.arange(0, questions, BATCH)
    step, averaged = 0, 0
    total = passes * len(batches)
    for _ in range(passes):
        for at in rng.permutation(batches):
            slopes = _slopes(packed, weights, int(at), min(int(at) + BATCH, questions))
            step += 1
            rate = RATE * (1.0 - 0.9 * step / total)
            for w, g, m, v in zip(weights, slopes, first, second, strict=True):
                g += DECAY * w
                m += (1.0 - B1) * (g - m)
                v += (1.0 - B2) * (g * g - v)
                w -= rate * (m / (1.0 - B1**step)) / (np.sqrt(v / (1.0 - B2**step)) + TINY)
            if 2 * step > total:
                averaged += 1
                for w, kept in zip(weights, mean, strict=True):
                    kept += (w - kept) / averaged
    return mean


def _slopes(packed: _Packed, weights: list[Array], low: int, high: int) -> list[Array]:
    """Gradient of the mean log-loss of questions low..high."""
    linear, inner, bias, outer = weights
    begin, end = packed.start[low], packed.start[high]
    rows = packed.rows[begin:end]
    start = packed.start[low:high] - begin
    sizes = np.diff(packed.start[low : high + 1])
    hidden = np.tanh(rows @ inner + bias)
    scores = rows @ linear + hidden @ outer
    scores -= np.repeat(np.maximum.reduceat(scores, start), sizes)
    p = np.exp(scores)
    p /= np.repeat(np.add.reduceat(p, start), sizes)
    p[packed.truth[low:high] - begin] -= 1.0
    p /= high - low
    back = p[:, None] * (1.0 - hidden * hidden) * outer
    return [p @ rows, rows.T @ back, back.sum(axis=0), p @ hidden]
