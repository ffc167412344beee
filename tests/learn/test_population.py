"""Models of other people: they find what was planted, and do not take a person's ways for everybody's."""

from __future__ import annotations

import numpy as np
import pytest

from hearthway.learn.boost import BoostSettings, fit_boosted
from hearthway.learn.population import fit_population

SMALL = BoostSettings(trees=60, depth=3, rate=0.2)


def planted(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Yes exactly where two of six columns differ, but for a tenth of the answers."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2, size=(1_500, 6)).astype(np.float32)
    truth = (x[:, 0] != x[:, 1]) ^ (rng.random(len(x)) < 0.1)
    return x, truth.astype(np.float64)


def test_trees_find_two_columns_that_count_only_together() -> None:
    x, y = planted()
    fitted = fit_boosted(x, y, seed=3, settings=SMALL)
    fresh, answers = planted(2)
    right = np.mean((fitted.score(fresh) > 0) == (answers > 0))
    assert right > 0.85
    none = fit_population(x.astype(float), y, np.arange(len(y)), ridge=1.0, person_ridge=1e6)
    assert np.mean((none.score(fresh.astype(float)) > 0) == (answers > 0)) < 0.6


def test_trees_are_the_same_for_the_same_seed_only() -> None:
    x, y = planted()
    short = BoostSettings(trees=5)
    assert fit_boosted(x, y, seed=3, settings=short) == fit_boosted(x, y, seed=3, settings=short)
    assert fit_boosted(x, y, seed=3, settings=short) != fit_boosted(x, y, seed=4, settings=short)


def test_the_shared_weights_are_the_optimum_and_a_person_is_not_everybody() -> None:
    rng = np.random.default_rng(5)
    person = rng.integers(0, 60, size=3_000)
    ways = rng.normal(0.0, 1.5, size=60)
    x = np.column_stack([rng.integers(0, 2, 3_000), (ways > 0)[person]]).astype(np.float64)
    score = 1.0 * x[:, 0] + ways[person]
    y = (rng.random(3_000) < 1.0 / (1.0 + np.exp(-score))).astype(np.float64)
    mixed = fit_population(x, y, person, ridge=0.1, person_ridge=0.5)
    blind = fit_population(x, y, person, ridge=0.1, person_ridge=1e6)
    assert mixed.weights[0] == pytest.approx(1.0, abs=0.2)
    assert mixed.weights[0] > blind.weights[0]  # ignoring the person flattens what is shared
    p = 1.0 / (1.0 + np.exp(-blind.score(x)))
    assert np.allclose(x.T @ (p - y) + 0.1 * blind.weights, 0.0, atol=0.1)


def test_the_order_of_rows_does_not_matter() -> None:
    x, y = planted()
    person = np.arange(len(y)) % 40
    order = np.random.default_rng(1).permutation(len(y))
    one = fit_population(x.astype(float), y, person, ridge=1.0, person_ridge=2.0)
    two = fit_population(
        x[order].astype(float), y[order], person[order], ridge=1.0, person_ridge=2.0
    )
    assert np.allclose(one.weights, two.weights, atol=1e-8)


@pytest.mark.parametrize("answers", [np.zeros(20), np.ones(20), np.zeros(0)])
def test_one_kind_of_answer_teaches_nothing(answers: np.ndarray) -> None:
    x = np.zeros((len(answers), 2))
    with pytest.raises(ValueError, match="both kinds"):
        fit_boosted(x.astype(np.float32), answers, seed=1)
    with pytest.raises(ValueError, match="both kinds"):
        fit_population(x, answers, np.arange(len(answers)), ridge=1.0, person_ridge=1.0)


def test_rows_of_another_width_are_refused() -> None:
    x, y = planted()
    trees = fit_boosted(x, y, seed=1, settings=BoostSettings(trees=1))
    with pytest.raises(ValueError, match="6 columns"):
        trees.score(x[:, :5])
    shared = fit_population(x.astype(float), y, np.arange(len(y)), ridge=1.0, person_ridge=1.0)
    with pytest.raises(ValueError, match="6 columns"):
        shared.score(x[:, :5].astype(float))
