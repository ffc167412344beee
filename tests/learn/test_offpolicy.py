"""A changed gate from the log: right where the propensities are, also where the belief is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from hearthway.learn.offpolicy import Logged, estimate

COST, ODDS = 2.0, 0.7


def logged(belief: float, propensity: float, seed: int = 1) -> list[Logged]:
    """A log of moments with a yes in seven of ten, whatever is believed."""
    rng = np.random.default_rng(seed)
    return [
        Logged(
            belief,
            propensity,
            bool(rng.random() < ODDS) if rng.random() < propensity else None,
        )
        for _ in range(20_000)
    ]


@pytest.mark.parametrize("belief", [0.1, 0.7, 0.99])
def test_a_wrong_belief_is_corrected_by_the_answers(belief: float) -> None:
    truth = ODDS - COST * (1.0 - ODDS)
    told = estimate(logged(belief, 0.3), COST, lambda _: True)
    assert told.robust == pytest.approx(truth, abs=0.06)
    assert told.inverse == pytest.approx(truth, abs=0.06)
    assert 5_000 < told.effective < 7_000
    assert told.unseen == 0


def test_a_wrong_propensity_shows_in_the_estimate() -> None:
    lying = [Logged(n.p, 0.6, n.yes) for n in logged(0.1, 0.3)]
    truth = ODDS - COST * (1.0 - ODDS)
    assert abs(estimate(lying, COST, lambda _: True).robust - truth) > 0.2


def test_a_good_belief_needs_fewer_answers() -> None:
    def spread(kind: str) -> float:
        told = [estimate(logged(0.7, 0.05, s)[:1_000], COST, lambda _: True) for s in range(12)]
        return float(np.std([getattr(n, kind) for n in told]))

    assert spread("robust") <= spread("inverse") * 1.1


def test_where_the_log_never_spoke_is_counted() -> None:
    silent = [Logged(0.9, 0.0, None)] * 3
    assert estimate(silent, COST, lambda _: True).unseen == 3
    assert estimate(silent, COST, lambda _: False) == estimate(silent, COST, lambda n: n.p > 1)
    assert estimate(silent, COST, lambda _: False).robust == 0.0


@pytest.mark.parametrize(
    ("p", "propensity", "yes"),
    [(1.1, 0.5, True), (0.5, -0.1, None), (0.5, 1.0, None), (0.5, 0.0, False)],
)
def test_a_log_that_contradicts_itself_is_refused(
    p: float, propensity: float, yes: bool | None
) -> None:
    with pytest.raises(ValueError):
        Logged(p, propensity, yes)


def test_an_empty_log_is_refused() -> None:
    with pytest.raises(ValueError, match="empty log"):
        estimate([], COST, lambda _: True)


def test_where_nothing_was_left_to_chance_it_is_the_mean_of_what_was_brought() -> None:
    """As the gate logs it: each word with propensity 1. The belief, however wrong, then changes nothing."""
    for belief in (0.1, 0.9):
        log = [Logged(belief, 1.0, yes, str(n), 7.0) for n, yes in enumerate((True, False, True))]
        found = estimate(log, 2.0, lambda entry: entry.name != "2")
        assert found.robust == pytest.approx((7.0 - 2.0) / 3)
        assert found.inverse == pytest.approx(found.robust)
