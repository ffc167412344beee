"""Trust in the levels: the mixture follows who was right, comes back from a mistake, and stays a distribution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.context.next_trust import SAID_MOST, SHARED, Trust

GOOD, BAD = np.array([0.8, 0.1]), np.array([0.1, 0.8])


def test_the_mixture_follows_the_level_that_was_right() -> None:
    trust = Trust(2, (0,), 1)
    said = np.array([GOOD, BAD])  # a row a place
    before = trust.mixed(said)
    assert before.tolist() == pytest.approx([0.45, 0.45])
    for _ in range(5):
        trust.came(GOOD)
    after = trust.mixed(said)
    assert after[0] > 0.75
    assert after[1] < 0.15


def test_after_a_change_the_other_level_is_trusted_within_few_visits() -> None:
    trust = Trust(2, (0,), 1)
    for _ in range(500):
        trust.came(GOOD)
    for _ in range(6):
        trust.came(BAD)
    assert trust.mixed(np.array([GOOD, BAD]))[1] > 0.7


def test_the_track_says_how_much_more_a_level_said_and_bounds_one_visit() -> None:
    trust = Trust(3, (0, 2), 1)
    for _ in range(300):
        trust.came(np.array([0.8, 0.4, 0.1]))
    assert trust.track[0] == pytest.approx(np.log(2.0), abs=0.01)
    assert trust.track[1] == pytest.approx(np.log(0.25), abs=0.01)
    assert trust.track[2] == pytest.approx(np.log(0.8), abs=0.05)  # of the mixture itself
    for _ in range(300):
        trust.came(np.array([0.9, 1e-6, 1e-6]))
    assert trust.track[0] == pytest.approx(SAID_MOST, abs=0.01)


@given(
    st.lists(
        st.lists(st.floats(1e-9, 1.0), min_size=3, max_size=3),
        max_size=30,
    )
)
def test_no_level_is_ever_given_up(came: list[list[float]]) -> None:
    trust = Trust(3, (0,), 1)
    for said in came:
        trust.came(np.array(said))
    weights = trust.mixed(np.eye(3))
    assert weights.sum() == pytest.approx(1.0)
    assert weights.min() >= SHARED / 3 - 1e-12
    assert np.isfinite(trust.track).all()
