"""Boosted trees for a choice: they find what no sum can say, repeat themselves, and leave the unlikely alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.context.next_blend import LEAD_MOST, LIKELY, Stacked, Trees, of_scores
from hearthway.context.next_place import Floats, Question, Rows
from hearthway.context.next_score import Scorer, each_softmax
from hearthway.learn import next_trees
from hearthway.learn.next_trees import Numbers, TreeSettings, grow

WIDTH = 4
QUICK = TreeSettings(trees=30, depth=3, rate=0.3, ridge=1.0, columns_share=0.8)


def flat(*linear: float) -> Scorer:
    weights = np.zeros(WIDTH)
    weights[: len(linear)] = linear
    return Scorer(
        centre=np.zeros(WIDTH),
        spread=np.ones(WIDTH),
        linear=weights,
        inner=np.zeros((WIDTH, 0)),
        bias=np.zeros(0),
        outer=np.zeros(0),
    )


def choices(seed: int, questions: int = 600) -> tuple[Rows, Numbers, Numbers]:
    """Four candidates a question; the one comes true of which exactly one of the first two columns is high."""
    rng = np.random.default_rng(seed)
    rows = rng.uniform(-1.0, 1.0, (4 * questions, WIDTH)).astype(np.float32)
    start = np.arange(0, 4 * questions + 1, 4)
    truth = start[:-1] + rng.integers(0, 4, questions)
    one = (rows[:, 0] > 0.0) ^ (rows[:, 1] > 0.0)
    is_true = np.zeros(len(rows), dtype=bool)
    is_true[truth] = True
    rows[one != is_true, 0] *= -1.0
    return rows, start, truth


def loss(scores: Floats, start: Numbers, truth: Numbers) -> float:
    return float(-np.log(each_softmax(scores, start)[truth]).mean())


def stacked(trees: Trees, rows: Rows, start: Numbers, linear: Scorer) -> Floats:
    questions = [
        Question(np.arange(high - low), rows[low:high], 60)
        for low, high in pairwise(start.tolist())
    ]
    return np.concatenate(Stacked(linear, trees).weigh(questions))


def test_trees_find_what_no_weighted_sum_can_say_on_questions_they_have_not_seen() -> None:
    linear = flat()
    trees = grow(*choices(1), linear, seed=1, settings=QUICK)
    rows, start, truth = choices(2)
    before, after = linear.scores(rows), stacked(trees, rows, start, linear)
    assert loss(before, start, truth) == pytest.approx(np.log(4.0))
    assert loss(after, start, truth) < 0.3


def test_from_noise_they_learn_next_to_nothing() -> None:
    rows, start, truth = choices(1)
    noise = np.random.default_rng(5).uniform(-1.0, 1.0, rows.shape).astype(np.float32)
    cautious = TreeSettings(trees=30, depth=3, rate=0.05)
    trees = grow(noise, start, truth, flat(), seed=1, settings=cautious)
    after = stacked(trees, rows, start, flat())
    assert loss(after, start, truth) < np.log(4.0) + 0.02


@given(st.integers(0, 2**32 - 1), st.sampled_from((0.0, 0.1, 0.5, 0.9, 1.0)), st.integers(0, 3))
def test_what_is_left_of_a_level_is_the_half_that_was_not_summed(
    seed: int, share: float, level: int
) -> None:
    rng = np.random.default_rng(seed)
    some, rows, nodes = 3, 50, 1 << level
    binned = rng.integers(0, next_trees.PARTS, (some, rows)).astype(np.uint8)
    node = rng.integers(0, nodes, rows)
    above = rng.random(rows) < share
    slope, bend = rng.normal(size=rows), rng.random(rows)
    before = next_trees._sums(binned, node, slope, bend, nodes)
    part = next_trees._Part(binned, slope, bend)
    half = next_trees._halved(part, binned, node, above, before)
    after = node + (above.astype(np.int64) << level)
    whole = next_trees._sums(binned, after, slope, bend, 2 * nodes)
    assert half.shape == whole.shape == (2, 2 * nodes, some, next_trees.PARTS)
    np.testing.assert_allclose(half, whole, rtol=0.0, atol=1e-12)


def test_the_same_seed_gives_the_same_trees_and_another_does_not() -> None:
    one, two, other = (
        grow(*choices(1, 100), flat(), seed=seed, settings=QUICK) for seed in (1, 1, 2)
    )
    assert np.array_equal(one.leaves, two.leaves)
    assert np.array_equal(one.columns, two.columns)
    assert not np.array_equal(one.leaves, other.leaves)


def test_a_candidate_with_next_to_no_chance_keeps_its_score_and_teaches_nothing() -> None:
    rows, start, truth = choices(1)
    rows[:, 2] = 0.0
    rows[start[:-1], 2] = -1.0  # the first of each is told to be hopeless
    linear = flat(0.0, 0.0, 8.0)
    hopeless = start[:-1]
    assert each_softmax(linear.scores(rows), start)[hopeless].max() < LIKELY
    trees = grow(rows, start, truth, linear, seed=1, settings=QUICK)
    after = stacked(trees, rows, start, linear)
    assert np.array_equal(after[hopeless], linear.scores(rows)[hopeless])
    rest = truth[~np.isin(truth, hopeless)]
    share = each_softmax(after, start)[rest]
    assert share.mean() > 2 * each_softmax(linear.scores(rows), start)[rest].mean()


def test_where_nothing_can_be_learned_there_is_no_tree() -> None:
    rows = np.zeros((8, WIDTH), dtype=np.float32)
    start, truth = np.array([0, 4, 8]), np.array([0, 4])
    same = grow(rows, start, truth, flat(), seed=1, settings=QUICK)
    assert not same.score(np.zeros((3, WIDTH + 4), dtype=np.float32)).any()
    rows[truth, 2] = -1.0  # and what came was hopeless
    none = grow(rows, start, truth, flat(0.0, 0.0, 8.0), seed=1, settings=QUICK)
    assert none.columns.shape == (0, QUICK.depth)
    assert none.score(np.zeros((3, WIDTH + 4), dtype=np.float32)).tolist() == [0.0] * 3


def test_how_a_candidate_stands_among_the_others_is_told() -> None:
    scores = np.log(np.array([0.2, 0.5, 0.3, 1.0]))
    told = of_scores(scores, np.array([0, 3, 4]))
    behind, rank, lead, spread = told.T
    assert behind.tolist() == pytest.approx(np.log([0.4, 1.0, 0.6, 1.0]).tolist(), abs=1e-6)
    assert rank.tolist() == [2.0, 0.0, 1.0, 0.0]
    assert lead.tolist() == pytest.approx([np.log(5 / 3)] * 3 + [LEAD_MOST])
    entropy = -sum(p * np.log(p) for p in (0.2, 0.5, 0.3))
    assert spread.tolist() == pytest.approx([entropy] * 3 + [0.0], abs=1e-6)
