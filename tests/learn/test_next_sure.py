"""Confidence as it is: what was too sure with few stays becomes right, and so does what is too sure of what it is surest of."""

from __future__ import annotations

import random

import pytest

from hearthway.learn.next_sure import EARLY, fit_sure
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
    early = fit_sure(told(8_000), by_count=True)
    assert early(3, 0.8) < 0.5
    assert early(24, 0.8) > 0.7
    assert early(24, 0.9) > early(24, 0.5) > early(24, 0.1)
    for visit in (2, EARLY):
        assert 0.0 < early(visit, 0.0) < early(visit, 1.0) < 1.0
    few = [(early(visit, p), p, right) for visit, p, right in told(8_000) if visit < 10]
    assert sum(p - right for _, p, right in few) / len(few) > 0.2
    assert abs(sum(said - right for said, _, right in few) / len(few)) < 0.1


def test_the_same_first_days_give_the_same_weights_and_none_give_an_error() -> None:
    assert fit_sure(told(200), by_count=True) == fit_sure(told(200), by_count=True)
    with pytest.raises(InputError, match="No visits to calibrate"):
        fit_sure([], by_count=False)


def test_always_right_or_always_wrong_does_not_run_away() -> None:
    for right in (True, False):
        p = fit_sure([(visit, 0.6, right) for visit in range(2, EARLY)], by_count=True)(10, 0.6)
        assert (p > 0.9) if right else (p < 0.1)


def test_without_the_count_it_bends_the_confidence_alone() -> None:
    """What is said with 0.9 comes in 0.8, what with 0.2 in 0.3, at any visit."""
    pick = random.Random(5)
    said = [(pick.randint(30, 900), pick.choice((0.2, 0.9))) for _ in range(8_000)]
    sure = fit_sure(
        [(visit, p, pick.random() < {0.2: 0.3, 0.9: 0.8}[p]) for visit, p in said], by_count=False
    )
    assert len(sure.weights) == 2
    assert sure(60, 0.9) == pytest.approx(0.8, abs=0.03)
    assert sure(60, 0.2) == pytest.approx(0.3, abs=0.03)
    assert sure(60, 0.5) == sure(800, 0.5)
