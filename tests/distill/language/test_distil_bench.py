"""bench/distil.py compares students that made the same steps, at thresholds of the validation part."""

from __future__ import annotations

import numpy as np
import pytest
from bench import distil  # type: ignore[attr-defined,unused-ignore]

from hearthway.distill.language import tiny
from hearthway.distill.language.texts import Utterance


def test_without_a_teacher_the_same_number_of_texts_is_learned() -> None:
    corpus = tiny.corpus()
    again = distil.repeated(corpus)
    assert len(again) == len(corpus.pool)
    assert set(again) == set(corpus.labelled)


def test_answers_are_counted_by_utterance_at_the_threshold_of_the_validation_part() -> None:
    corpus = tiny.corpus()
    at = {label: number for number, label in enumerate(corpus.labels)}

    def asked(texts: list[Utterance]) -> np.ndarray:
        """Right and sure of everything, but for one label that it takes for the first."""
        logits = np.zeros((len(texts), len(corpus.labels)))
        for row, one in enumerate(texts):
            logits[row, at[one.label] if one.label != "range" else 0] = 9.0
        return logits

    found = distil.answers(asked, corpus, corpus.validation)
    inside = [one for one in corpus.validation if one.label != "oos"]
    assert found.right.tolist() == [float(one.label != "range") for one in inside]
    assert found.rejected.mean() == 1.0


def test_an_interval_holds_the_mean_and_narrows_with_more_utterances() -> None:
    few, many = np.tile([0.0, 1.0], 20), np.tile([0.0, 1.0], 2000)
    (low, high), (lower, higher) = distil.interval(few), distil.interval(many)
    assert low < 0.5 < high
    assert higher - lower < (high - low) / 5


def test_a_mean_over_seeds_keeps_utterances_apart() -> None:
    one = distil.Answers(np.array([1.0, 0.0]), np.array([1.0]))
    other = distil.Answers(np.array([1.0, 1.0]), np.array([0.0]))
    assert distil.mean([one, other]).right.tolist() == [1.0, 0.5]
    assert distil.summary(one) == "in-scope 50.00%, oos recall 100.00%"
    with pytest.raises(ValueError, match="shape"):
        distil.mean([one, distil.Answers(np.array([1.0]), np.array([1.0]))])
