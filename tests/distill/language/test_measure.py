"""Figures against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.distill.language import measure

scores = st.lists(st.integers(-5, 5), min_size=1, max_size=30)


@given(scores, scores)
def test_auroc_is_the_chance_of_the_right_order(inside: list[int], outside: list[int]) -> None:
    pairs = [(a > b) + 0.5 * (a == b) for a in inside for b in outside]
    found = measure.auroc(np.array(inside), np.array(outside))
    assert found == pytest.approx(float(np.mean(pairs)))


def test_in_scope_looks_past_the_label_outside_and_takes_the_lowest_of_equals() -> None:
    logits = np.array([[1, 5, 9], [7, 7, 0]])
    assert measure.inside_argmax(logits, 2).tolist() == [1, 0]
    assert measure.margins(logits, 2).tolist() == [-4, 7]


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 1.0))
def test_a_threshold_is_the_highest_that_keeps_enough(seed: int, least: float) -> None:
    draw = np.random.default_rng(seed)
    values = draw.integers(0, 8, 40)
    inside = draw.random(40) < 0.8
    inside[0] = True
    right = draw.random(40) < 0.9

    def kept(at: float) -> float:
        return float((right & (values >= at))[inside].mean())

    limit = measure.threshold(values, right, inside, least)
    higher = [float(v) for v in np.unique(values) if v > limit]
    assert all(kept(v) < least for v in higher)
    assert kept(limit) >= least or kept(float(values.min())) < least


def test_a_threshold_that_rejects_leaves_no_more_in_than_asked() -> None:
    values = np.array([0, 1, 2, 3, 4, 5])
    inside = np.array([False, False, True, False, True, True])
    assert measure.threshold_rejecting(values, inside, 0.66) == 2
    assert measure.threshold_rejecting(values, inside, 1.0) == 4


def test_the_scope_counts_rejection_and_rightness_apart() -> None:
    logits = np.array([[9, 0, 1], [0, 9, 8], [9, 0, 1], [0, 1, 9]])
    truth = np.array([0, 1, 1, 2])
    found = measure.scope(logits, measure.margins(logits, 2), truth, 2, 2)
    assert found.in_scope == pytest.approx(2 / 3)
    assert found.accepted_right == pytest.approx(1 / 3)
    assert found.oos_recall == 1.0
    assert found.texts == 4


def test_entities_count_by_type_and_words_each_once() -> None:
    said = [[("date", "today"), ("date", "today")], [("place", "home")]]
    gold = [[("date", "today")], [("place", "work"), ("time", "now")]]
    found = measure.entity_f1(said, gold)
    assert found.precision == pytest.approx(1 / 3)
    assert found.recall == pytest.approx(1 / 3)
    assert measure.entity_f1(gold, gold).f1 == pytest.approx(1.0)
