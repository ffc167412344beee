"""The blend: the first scorer alone at first, then all alike, and trees that ask one question a level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.context.next_blend import ALIKE, ALONE, Blend, Stacked, Trees, share
from hearthway.context.next_place import Question
from hearthway.context.next_score import Predictor, Scorer

ROWS = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0], [0.5, 0.5, 0.0]], dtype=np.float32)


def scorer(*linear: float, temperature: float = 1.0) -> Scorer:
    width = len(linear)
    return Scorer(
        centre=np.zeros(width),
        spread=np.ones(width),
        linear=np.array(linear),
        inner=np.zeros((width, 0)),
        bias=np.zeros(0),
        outer=np.zeros(0),
        temperature=temperature,
    )


def trees(*trees: tuple[list[int], list[float], list[float]]) -> Trees:
    columns, above, leaves = (list(part) for part in zip(*trees, strict=True))
    return Trees(
        np.array(columns, dtype=np.int64),
        np.array(above, dtype=np.float32),
        np.array(leaves, dtype=np.float64),
    )


NOTHING = trees(([0], [9.0], [0.0, 0.0]))


def blend(stump: Trees = NOTHING) -> Blend:
    return Blend(
        first=scorer(1.0, 0.0, temperature=1.2),
        further=scorer(0.0, 4.0, 0.0),
        stacked=Stacked(scorer(0.0, 0.0, 0.5), stump),
        temperature=0.8,
    )


def question(visits: int) -> Question:
    return Question(np.array([7, 8, -1]), ROWS, visits)


def test_the_first_days_are_the_first_scorers_alone_to_the_bit() -> None:
    model = blend(trees(([2], [0.0], [3.0, -3.0])))
    early, late = model.weigh([question(ALONE - 1), question(ALIKE)])
    assert np.array_equal(early, model.first.weigh([question(1)])[0])
    assert not np.allclose(late, early)
    assert model.weigh([question(3)])[0].tolist() == early.tolist()
    assert model.temperature_at(ALONE - 1) == 1.2
    assert model.temperature_at(ALIKE) == pytest.approx(0.8)
    assert 0.8 < model.temperature_at(35) < 1.2


def test_later_it_is_the_mean_of_the_three() -> None:
    said = blend().weigh([question(ALIKE)])[0]
    assert said.tolist() == pytest.approx(((ROWS @ [1.0, 4.0, 0.5]) / 3.0).tolist())


def test_each_question_is_weighed_alone_whatever_it_is_asked_with() -> None:
    model = blend(trees(([3], [-0.5], [0.0, 1.0])))
    together = model.weigh([question(visits) for visits in (2, 30, 80)])
    for visits, said in zip((2, 30, 80), together, strict=True):
        assert model.weigh([question(visits)])[0].tolist() == said.tolist()


@given(st.integers(1, 5_000))
def test_the_others_count_for_more_as_a_person_becomes_known(visits: int) -> None:
    assert 0.0 <= share(visits) <= share(visits + 1) <= 1.0
    assert (share(visits) == 0.0) == (visits < ALONE)
    assert (share(visits) == 1.0) == (visits >= ALIKE - 1)


def test_a_tree_asks_one_column_a_level() -> None:
    two = trees(
        ([0, 1], [0.4, 0.4], [1.0, 2.0, 3.0, 4.0]), ([2, 0], [0.0, np.inf], [0.0, 10.0, 20.0, 30.0])
    )
    assert two.score(ROWS).tolist() == [2.0 + 10.0, 3.0, 4.0]


def test_a_person_is_told_with_the_temperature_of_his_time() -> None:
    model = blend()
    early, late = (Predictor(model).answer(question(n), np.array([2.0, 1.0, 0.0])) for n in (5, 90))
    assert early.p[0] == pytest.approx(1 / (1 + np.exp(-1 / 1.2) + np.exp(-2 / 1.2)))
    assert late.p[0] == pytest.approx(1 / (1 + np.exp(-1 / 0.8) + np.exp(-2 / 0.8)))
