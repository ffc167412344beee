"""Weights of `context.next_score`, fitted on the visits of other people: log-loss, Adam, seeded, the same bits every run.

Kingma and Ba 2015 for the steps; the last weights are averaged over the second half of the passes (Polyak).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hearthway.context.next_blend import LIKELY, Blend, Stacked
from hearthway.context.next_place import FIRST, Floats, Question
from hearthway.context.next_score import (
    Model,
    Predictor,
    Scorer,
    each_softmax,
    starts,
    together,
)
from hearthway.records.errors import InputError

from .next_trees import grow, likely_alone

Array = NDArray[np.float32]
Fitted = TypeVar("Fitted", Scorer, Blend)
Told = list[tuple[int, float, bool]]  # which visit, confidence in the first place, was it right

HIDDEN = 48
PASSES = 12
BATCH = 128
RATE = 0.004
DECAY = 5e-4
FURTHER_HIDDEN, FURTHER_PASSES, FURTHER_DECAY = 96, 8, 2e-3  # of the network that sees all columns
LINEAR_PASSES = 3
SQUARED = 8  # columns at once; numpy adds those of a single one in another order
TEMPERATURES = tuple(round(0.8 + 0.02 * step, 2) for step in range(31))
B1, B2, TINY = 0.9, 0.999, 1e-8


class Asked(Struct, frozen=True):
    """A question and which of its rows came true; -1 where none did (a known place that was no candidate)."""

    question: Question
    truth: int


Validation = tuple[Sequence[Asked], int]


class Packed(Struct, frozen=True):
    """The rows of many questions under one another; question i is rows[start[i] : start[i + 1]]."""

    rows: Array
    start: NDArray[np.int64]
    truth: NDArray[np.int64]  # absolute row


def pack(asked: Sequence[Asked], *, seed: int) -> Packed:
    """Those of which a row came true, in an order drawn anew."""
    asked = [one for one in asked if one.truth >= 0]
    if len(asked) < 2:
        raise InputError("Too few visits to fit on.", "Give the visits of more people.")
    drawn = [asked[at] for at in np.random.default_rng(seed).permutation(len(asked))]
    start = starts([one.question for one in drawn])
    rows = together([one.question for one in drawn])
    return Packed(rows, start, start[:-1] + np.array([one.truth for one in drawn]))


class _Scaled(Struct, frozen=True):
    """Packed rows with mean 0 and spread 1 in each column, and what they had."""

    packed: Packed
    centre: Array
    spread: Array

    def first(self, columns: int) -> _Scaled:
        """The same of the first columns: views, for a copy would cost more than a pass of the network."""
        rows = Packed(self.packed.rows[:, :columns], self.packed.start, self.packed.truth)
        return _Scaled(rows, self.centre[:columns], self.spread[:columns])


def fit(
    packed: Packed,
    *,
    seed: int,
    hidden: int = HIDDEN,
    passes: int = PASSES,
    decay: float = DECAY,
    columns: int | None = None,
) -> Scorer:
    """The scorer of least log-loss, by the first `columns` (None: by all); `decay` pulls the weights towards 0."""
    seen = Packed(packed.rows[:, :columns], packed.start, packed.truth)
    return _fit(_scaled(seen), seed=seed, hidden=hidden, passes=passes, decay=decay)


def fit_blend(asked: Sequence[Asked], *, seed: int) -> Blend:
    """The network that anybody is scored with, and beside it, for who is known longer, one that sees all columns, and trees."""
    packed = pack(asked, seed=seed)
    scaled = _scaled(packed)
    linear = _fit(scaled, seed=seed, hidden=0, passes=LINEAR_PASSES)
    first = _fit(scaled.first(FIRST), seed=seed)
    del scaled  # as large as what it was made of
    return Blend(
        first=first,
        further=fit(
            _contested(packed, linear),
            seed=seed,
            hidden=FURTHER_HIDDEN,
            passes=FURTHER_PASSES,
            decay=FURTHER_DECAY,
        ),
        stacked=Stacked(linear, grow(packed.rows, packed.start, packed.truth, linear, seed=seed)),
    )


def _scaled(packed: Packed) -> _Scaled:
    """Squares are taken a few columns at a time: all at once are another copy, and to take such memory costs more than the squares."""
    centre = packed.rows.mean(axis=0)
    rows = packed.rows - centre
    spread = np.concatenate(
        [
            np.square(rows[:, at : at + SQUARED]).mean(axis=0)
            for at in range(0, len(centre), SQUARED)
        ]
    )
    np.sqrt(spread, out=spread)
    spread[spread < 1e-6] = 1.0
    rows /= spread
    return _Scaled(Packed(rows, packed.start, packed.truth), centre, spread)


def _fit(
    scaled: _Scaled,
    *,
    seed: int,
    hidden: int = HIDDEN,
    passes: int = PASSES,
    decay: float = DECAY,
) -> Scorer:
    weights = _descend(scaled.packed, seed=seed, hidden=hidden, passes=passes, decay=decay)
    linear, inner, bias, outer = (w.astype(np.float64) for w in weights)
    return Scorer(
        centre=scaled.centre.astype(np.float64),
        spread=scaled.spread.astype(np.float64),
        linear=linear,
        inner=inner,
        bias=bias,
        outer=outer,
    )


def _contested(packed: Packed, linear: Scorer) -> Packed:
    """The candidates that the linear scorer does not all but exclude, as the trees see them: a third, and what is to be learned."""
    likely = each_softmax(linear.scores(packed.rows), packed.start) >= LIKELY
    start, truth, kept = likely_alone(likely, packed.start, packed.truth)
    return Packed(packed.rows[likely][kept], start, truth)


def calibrate_blend(blend: Blend, walks: Sequence[Validation]) -> tuple[Blend, Told]:
    """Both temperatures, the first network's alone and then that of all together; and what is then told."""
    first = [weighed(blend.first, asked) for asked, _ in walks]
    cooled, _ = _calibrated(blend.first, walks, first)
    joined = [
        blend.joined([one.question for one in asked], told)
        for (asked, _), told in zip(walks, first, strict=True)
    ]
    return _calibrated(msgspec.structs.replace(blend, first=cooled), walks, joined)


def calibrate(model: Fitted, walks: Sequence[Validation]) -> tuple[Fitted, Told]:
    """(the model with the temperature of least log-loss of "the likeliest place is right", what it then tells in these walks).

    A walk is one person's questions in order, and from which of them on they count.
    """
    return _calibrated(model, walks, [weighed(model, asked) for asked, _ in walks])


def _calibrated(
    model: Fitted, walks: Sequence[Validation], weights: Sequence[Sequence[Floats]]
) -> tuple[Fitted, Told]:
    """As `calibrate`, with what the model says of each question of each walk."""
    counted: list[tuple[Asked, Floats]] = []
    for (asked, begin), told_of in zip(walks, weights, strict=True):
        person = Predictor(model)
        for at, (one, scores) in enumerate(zip(asked, told_of, strict=True)):
            if at >= begin:
                counted.append((one, person.logits(one.question, scores)))
            if one.truth >= 0:
                person.saw(one.question, scores, int(one.question.places[one.truth]))
    if not counted:
        raise InputError("No visit to calibrate on.", "Give the visits of more people.")
    right = np.array([int(np.argmax(logits[:-1])) == one.truth for one, logits in counted])
    start = starts([one.question for one, _ in counted])
    whole = np.concatenate([logits for _, logits in counted])
    known = np.ones(len(whole))
    known[start[1:] - 1] = 0.0  # the last of each is somewhere new

    def likeliest(temperature: float | Floats) -> Floats:
        p = np.maximum.reduceat(each_softmax(whole / temperature, start) * known, start[:-1])
        return np.clip(p, 1e-6, 1.0 - 1e-6)

    def loss(temperature: float) -> float:
        p = likeliest(temperature)
        return float(-np.where(right, np.log(p), np.log(1.0 - p)).mean())

    best = msgspec.structs.replace(model, temperature=min(TEMPERATURES, key=loss))
    visits = [one.question.visits for one, _ in counted]
    told_with = np.repeat([best.temperature_at(count) for count in visits], np.diff(start))
    told = zip(visits, likeliest(told_with).tolist(), right.tolist(), strict=True)
    return best, [(count + 1, p, hit) for count, p, hit in told]


def weighed(model: Model, asked: Sequence[Asked]) -> list[Floats]:
    """What the model says of each, all at once: it learns nothing between them."""
    return model.weigh([one.question for one in asked]) if asked else []


def _descend(packed: Packed, *, seed: int, hidden: int, passes: int, decay: float) -> list[Array]:
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
    ends = np.minimum(batches + BATCH, questions)
    most = int((packed.start[ends] - packed.start[batches]).max())
    # Memory that is taken and given back at each step costs more than what is computed in it.
    room = np.empty((2, most, hidden), dtype=np.float32)
    step, averaged = 0, 0
    total = passes * len(batches)
    for _ in range(passes):
        for at in rng.permutation(batches):
            slopes = _slopes(packed, weights, int(at), min(int(at) + BATCH, questions), room)
            step += 1
            rate = RATE * (1.0 - 0.9 * step / total)
            for w, g, m, v in zip(weights, slopes, first, second, strict=True):
                g += decay * w
                m += (1.0 - B1) * (g - m)
                v += (1.0 - B2) * (g * g - v)
                w -= rate * (m / (1.0 - B1**step)) / (np.sqrt(v / (1.0 - B2**step)) + TINY)
            if 2 * step > total:
                averaged += 1
                for w, kept in zip(weights, mean, strict=True):
                    kept += (w - kept) / averaged
    return mean


def _slopes(packed: Packed, weights: list[Array], low: int, high: int, room: Array) -> list[Array]:
    """Gradient of the mean log-loss of questions low..high; `room` [2, rows, hidden] is overwritten."""
    linear, inner, bias, outer = weights
    begin, end = packed.start[low], packed.start[high]
    rows = packed.rows[begin:end]
    start = packed.start[low:high] - begin
    sizes = np.diff(packed.start[low : high + 1])
    hidden, back = room[:, : len(rows)]
    np.matmul(rows, inner, out=hidden)
    hidden += bias
    np.tanh(hidden, out=hidden)
    scores = rows @ linear + hidden @ outer
    scores -= np.repeat(np.maximum.reduceat(scores, start), sizes)
    p = np.exp(scores)
    p /= np.repeat(np.add.reduceat(p, start), sizes)
    p[packed.truth[low:high] - begin] -= 1.0
    p /= high - low
    np.multiply(hidden, hidden, out=back)
    np.subtract(1.0, back, out=back)
    back *= p[:, None]
    back *= outer
    return [p @ rows, rows.T @ back, back.sum(axis=0), p @ hidden]
