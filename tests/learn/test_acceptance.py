"""A person's own weights: what an answer moves, what is left open, and what an answer is worth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.learn.acceptance import Ahead, Belief, choose, mean_probability, utility

KINDS = np.eye(3)


def belief(variance: float = 1.0, size: int = 3) -> Belief:
    return Belief(np.zeros(size), np.eye(size) * variance)


@given(base=st.floats(-8, 8), variance=st.floats(0.01, 50), yes=st.booleans())
@settings(max_examples=60, deadline=None)
def test_an_answer_moves_its_way_and_leaves_less_open(
    base: float, variance: float, yes: bool
) -> None:
    one, z = belief(variance, 1), np.ones(1)
    before, open_before = one.score(base, z)
    one.answered(base, z, yes=yes)
    after, open_after = one.score(base, z)
    assert (after > before) is yes
    assert 0.0 < open_after < open_before


def test_the_step_is_the_mode_of_the_posterior() -> None:
    one, z = belief(2.0, 1), np.ones(1)
    one.answered(0.3, z, yes=False)
    grid = np.linspace(-5, 5, 200_001)
    log_posterior = -np.logaddexp(0.0, 0.3 + grid) - grid**2 / 4.0
    assert one.mean[0] == pytest.approx(grid[log_posterior.argmax()], abs=1e-4)


def test_an_answer_about_one_kind_says_nothing_about_another() -> None:
    mine = belief()
    mine.answered(0.0, KINDS[0], yes=False)
    assert mine.probability(0.0, KINDS[0]) < 0.45
    assert mine.probability(0.0, KINDS[1]) == pytest.approx(0.5)


def test_many_answers_find_a_person_who_differs_from_others() -> None:
    mine, rng = belief(), np.random.default_rng(1)
    for _ in range(400):
        mine.answered(1.0, KINDS[0], yes=bool(rng.random() < 0.2))
    assert mine.probability(1.0, KINDS[0]) == pytest.approx(0.2, abs=0.06)


def test_what_is_open_pulls_a_probability_towards_a_half() -> None:
    sure, open_ = mean_probability(np.array([2.0, 2.0]), np.array([0.0, 9.0]))
    assert 0.5 < open_ < sure


def test_somebody_new_begins_with_the_prior_and_keeps_what_is_shared() -> None:
    mine = belief()
    mine.answered(0.0, np.array([1.0, 1.0, 0.0]), yes=True)
    shared = mine.mean[0]
    mine.forget(slice(1, 3), np.array([1.0, 1.0]))
    assert mine.mean[0] == shared > 0
    assert list(mine.mean[1:]) == [0.0, 0.0]
    assert np.array_equal(mine.covariance[1:, 1:], np.eye(2))
    assert not mine.covariance[0, 1:].any()


def test_an_answer_is_worth_something_only_for_moments_like_it() -> None:
    base = np.zeros(4)
    alike = Ahead(base, np.tile(KINDS[0], (4, 1)), 10.0)
    other = Ahead(base, np.tile(KINDS[1], (4, 1)), 10.0)
    assert belief(4.0).taught(0.0, KINDS[0], 1.5, alike) > 0.1
    assert belief(4.0).taught(0.0, KINDS[0], 1.5, other) == 0.0
    assert belief(0.0).taught(0.0, KINDS[0], 1.5, alike) == 0.0
    none = Ahead(base, alike.z, 0.0)
    assert belief(4.0).taught(0.0, KINDS[0], 1.5, none) == 0.0


def test_a_word_that_does_not_pay_is_said_for_what_it_teaches() -> None:
    ahead = Ahead(np.zeros(4), np.tile(KINDS[0], (4, 1)), 20.0)
    without = choose(belief(4.0), 0.0, KINDS[0], 1.5)
    taught = choose(belief(4.0), 0.0, KINDS[0], 1.5, ahead=ahead)
    assert without.now == taught.now < 0.0
    assert not without.speaks
    assert taught.speaks
    assert taught.propensity(0.1) == pytest.approx(0.95)
    assert without.propensity(0.1) == pytest.approx(0.05)


def test_hope_counts_what_is_open_and_nothing_else() -> None:
    assert choose(belief(4.0), 0.0, KINDS[0], 2.0, deviations=1.0).speaks
    assert not choose(belief(0.0), 0.0, KINDS[0], 2.0, deviations=1.0).speaks


def test_shapes_and_variances_are_checked() -> None:
    with pytest.raises(ValueError, match="square covariance"):
        Belief(np.zeros(2), np.eye(3))
    with pytest.raises(ValueError, match="at least 0"):
        Belief(np.zeros(2), -np.eye(2))
    with pytest.raises(ValueError, match="at least 0"):
        Belief(np.zeros(1), np.array([[np.nan]]))


def test_utility_is_zero_at_the_break_even() -> None:
    assert utility(0.8, 4.0) == pytest.approx(0.0)
    assert utility(1.0, 4.0) == 1.0
    assert utility(0.0, 4.0) == -4.0
