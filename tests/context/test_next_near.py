"""What lies near: departures from near by vote, and neighbours speak for one another."""

from __future__ import annotations

import numpy as np
import pytest

from hearthway.context.next_near import NEAR, NEAR_HERE, Around, near_by

# 0 and 1 are across the street from one another, 2 and 3 as well, five kilometres away; 4 is far from all.
AT = np.array([[0.0, 0.0], [0.1, 0.0], [5.0, 0.0], [5.1, 0.0], [0.0, 30.0]])
EVEN = np.full(5, 0.2)
KEEP = np.arange(5)


def around(**levels: list[float]) -> Around:
    told = {name: np.array(levels.get(name, EVEN)) for name in ("by_hour", "by_origin", "by_both")}
    return Around(AT, np.array(levels.get("counts", [4.0, 1, 1, 1, 1])), EVEN, **told)


def move(origin: int, place: int, depart_s: float = 0.0) -> list[float]:
    return [origin, -1, place, depart_s, 0.0, 0.0]


def test_a_departure_from_across_the_street_votes_and_one_from_far_does_not() -> None:
    moves = np.array([move(1, 2)] * 4 + [move(4, 3)] * 4)
    rows, _ = near_by(around(), KEEP, 0, moves, 0.0, np.ones(8))
    quarter, street, hour_quarter, hour_street = rows[:, :4].T
    for said in (street, hour_street, quarter, hour_quarter):
        assert said[2] > 0.3 > 0.0 > said[3]
    assert street[2] > quarter[2]


def test_an_old_departure_says_less_than_a_new_one() -> None:
    moves = np.array([move(1, 2)] * 4 + [move(1, 3, 300 * 86_400.0)] * 4)
    rows, _ = near_by(around(), KEEP, 0, moves, 300 * 86_400.0, np.ones(8))
    assert rows[3, 1] > rows[2, 1]
    assert rows[3, 0] > rows[2, 0]


def test_an_hour_at_which_nobody_left_says_no_more_than_the_place() -> None:
    moves = np.array([move(1, 2)] * 4)
    rows, _ = near_by(around(), KEEP, 0, moves, 0.0, np.zeros(4))
    assert rows[:, 2].tolist() == pytest.approx(rows[:, 0].tolist())
    assert rows[:, 3].tolist() == pytest.approx(rows[:, 1].tolist())


def test_what_speaks_for_a_place_speaks_for_its_neighbour_too() -> None:
    hour = [0.05, 0.05, 0.8, 0.05, 0.05]
    rows, _ = near_by(around(by_hour=hour), KEEP, 0, np.array([move(0, 1)]), 0.0, np.ones(1))
    beside = rows[:, 4]
    assert beside[2] > beside[3] > beside[0]
    assert rows[4, 6] == pytest.approx(np.log(0.2), abs=1e-3)  # nobody near: itself alone


def test_home_is_where_one_was_most_and_its_distance_is_told() -> None:
    moves = np.array([move(0, 1)])
    rows, here = near_by(around(counts=[1.0, 1, 9, 1, 1]), KEEP, 0, moves, 0.0, np.ones(1))
    assert rows.shape == (5, NEAR)
    assert here.shape == (NEAR_HERE,)
    assert rows[:, 9].tolist() == [0.0, 0.0, 1.0, 0.0, 0.0]
    assert rows[:4, 8].tolist() == pytest.approx(np.log1p([5.0, 4.9, 0.0, 0.1]).tolist())
    assert here[0] == pytest.approx(np.log1p(5.0))
    some, _ = near_by(around(counts=[1.0, 1, 9, 1, 1]), np.array([3, 0]), 0, moves, 0.0, np.ones(1))
    assert np.array_equal(some, rows[[3, 0]])
