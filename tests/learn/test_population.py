"""Models of other people: they find what was planted, and do not take a person's ways for everybody's."""

from __future__ import annotations

import numpy as np
import pytest

from hearthway.learn.boost import BoostSettings, fit_boosted
from hearthway.learn.kernel import UNKNOWN, Alike, Kernel, Landmarks, coded
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


def of_two_kinds(seed: int, people: int = 60, each: int = 20) -> tuple[np.ndarray, ...]:
    """(columns, answers, person): few people, whose ways hide behind a column of theirs that says nothing."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), each)
    ways = rng.normal(0.0, 2.5, size=people)
    marks = rng.integers(
        0, 2, size=(people, 30)
    )  # attributes of a person: none has to do with the answers
    moment = rng.integers(0, 2, size=(people * each, 2))
    x = np.concatenate([moment, marks[person]], axis=1).astype(np.float32)
    score = 1.5 * (moment[:, 0] - 0.5) + ways[person]
    return x, (rng.random(len(x)) < 1.0 / (1.0 + np.exp(-score))).astype(np.float64), person


def test_trees_leave_to_a_person_what_is_the_persons() -> None:
    x, y, person = of_two_kinds(1)
    fresh, answers, _ = of_two_kinds(2)
    settings = BoostSettings(trees=120, depth=4, rate=0.1)

    def loss(own: tuple[tuple[np.ndarray, float], ...]) -> float:
        score = fit_boosted(x, y, seed=1, settings=settings, own=own).score(fresh)
        return float(np.mean(np.logaddexp(0.0, -(2.0 * answers - 1.0) * score)))

    assert loss(((person, 0.2),)) < loss(()) - 0.02
    one_each = np.arange(len(y))
    assert loss(((one_each, 1e9),)) == pytest.approx(loss(()), abs=1e-3), "held at 0, none has any"


KERNEL = Kernel(
    parts=(Alike(1.0, {0: 1.0, 1: 0.5}), Alike(0.5, {1: 2.0})),
    ordered=(False, True),
)


def test_likeness_is_by_what_differs_and_how_far() -> None:
    here = np.array([[0.0, 1.0]])
    others = np.array([[0.0, 1.0], [1.0, 1.0], [0.0, 2.0], [0.0, 3.0], [0.0, 9.0], [0.0, UNKNOWN]])
    told = KERNEL.between(here, others)[0]
    assert told[0] == pytest.approx(1.5)
    assert told[1] == pytest.approx(np.exp(-1.0) + 0.5)
    assert told[2] == pytest.approx(np.exp(-0.25) + 0.5 * np.exp(-1.0))
    assert told[0] > told[2] > told[3] > told[4]
    assert told[4] == told[5], "far is far, and so is what is not known"
    assert np.allclose(KERNEL.between(others, others), KERNEL.between(others, others).T)


def test_landmarks_that_are_all_the_rows_give_the_kernel_back() -> None:
    rng = np.random.default_rng(4)
    codes = np.unique(rng.integers(0, 6, size=(200, 2)), axis=0).astype(np.float64)
    all_of_them = Landmarks(KERNEL, codes, 1_000, seed=1).columns(codes)
    assert np.allclose(all_of_them @ all_of_them.T, KERNEL.between(codes, codes), atol=1e-3)
    few = Landmarks(KERNEL, codes, 5, seed=1)
    assert few.columns(codes).shape == (len(codes), 5)
    assert np.array_equal(few.columns(codes), Landmarks(KERNEL, codes, 5, seed=1).columns(codes))


def test_likeness_tells_what_no_single_column_does() -> None:
    x, y = planted()
    fresh, answers = planted(2)
    kernel = Kernel(parts=(Alike(1.0, dict.fromkeys(range(6), 1.0)),), ordered=(False,) * 6)
    marks = Landmarks(kernel, x.astype(float), 60, seed=1)
    person = np.arange(len(y))
    fitted = fit_population(marks.columns(x.astype(float)), y, person, ridge=0.1, person_ridge=1e6)
    right = (fitted.score(marks.columns(fresh.astype(float))) > 0) == (answers > 0)
    assert np.mean(right) > 0.85


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="2 columns"):
        KERNEL.between(np.zeros((1, 2)), np.zeros((1, 3)))
    with pytest.raises(ValueError, match="there are none"):
        Landmarks(KERNEL, np.zeros((0, 2)), 3, seed=1)
    assert list(coded(["b", "?", "a"], ("a", "b"))) == [1.0, UNKNOWN, 0.0]
