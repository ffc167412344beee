"""Which label follows which is counted in texts."""

from __future__ import annotations

import numpy as np
import pytest

from hearthway.distill.language.following import MOST, WEIGHT, followed


def test_a_label_gains_after_what_it_often_follows() -> None:
    gained = followed([[0, 1, 1, 1, 0, 0], [0, 0, 1, 1]] * 50, 3)
    assert gained[1, 1] > 0.1 > gained[0, 1]
    assert gained[1, 0] < 0
    # of 250 words after a 1, 150 are a 1, as are 250 of all 503 counted (each label once more)
    pairs = 150 + 251 / 503
    assert gained[1, 1] == pytest.approx(WEIGHT * np.log(pairs / 201 / (251 / 503)))
    assert np.abs(gained[2]).max() < 0.01  # nothing is known of what was never there
    assert not followed([], 3).any()


def test_what_never_follows_loses_no_more_than_a_bound() -> None:
    apart = followed([[0, 1] * 5000, [1, 2] * 5000], 3)
    assert apart[0, 0] == apart.min() == -MOST
