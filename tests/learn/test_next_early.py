"""Confidence on a person's first days: what was too sure with few stays becomes right, and nothing else is asked of it."""

from __future__ import annotations

import random

import pytest

from hearthway.learn.next_early import EARLY, fit_early
from hearthway.records.errors import InputError


def told(count: int) -> list[tuple[int, float, bool]]:
    """Right half as often as said with fewer than ten stays, and just as often after."""
    pick = random.Random(3)
    out = []
    for _ in range(count):
        visit, p = pick.randint(2, EARLY), pick.uniform(0.1, 0.95)
        out.append((visit, p, pick.random() < (p / 2 if visit < 10 else p)))
    return out


def test_the_count_of_stays_tells_how_far_a_confidence_holds() -> None:
    early = fit_early(told(8_000))
    assert early(3, 0.8) < 0.5
    assert early(24, 0.8) > 0.7
    assert early(24, 0.9) > early(24, 0.5) > early(24, 0.1)
    for visit in (2, EARLY):
        assert 0.0 < early(visit, 0.0) < early(visit, 1.0) < 1.0
    few = [(early(visit, p), p, right) for visit, p, right in told(8_000) if visit < 10]
    assert sum(p - right for _, p, right in few) / len(few) > 0.2
    assert abs(sum(said - right for said, _, right in few) / len(few)) < 0.1


def test_the_same_first_days_give_the_same_weights_and_none_give_an_error() -> None:
    assert fit_early(told(200)) == fit_early(told(200))
    with pytest.raises(InputError, match="No first days"):
        fit_early([])


def test_always_right_or_always_wrong_does_not_run_away() -> None:
    for right in (True, False):
        p = fit_early([(visit, 0.6, right) for visit in range(2, EARLY)])(10, 0.6)
        assert (p > 0.9) if right else (p < 0.1)
