"""What marks a place: where the last departures like this one led, and how it ranks."""

from __future__ import annotations

import numpy as np
import pytest

from hearthway.context.next_marks import ALIKE_S, last_times, standing

FAR_S = 5.0 * ALIKE_S
KEEP = np.arange(6)


def led(column: int, day_s: list[float], week_s: list[float], before: int = 9) -> list[int]:
    """The places marked in a column: departures from 0 to 1, 2 and 3 (after place 9, 8 and 9), from 5 to 4 (after 9)."""
    moves = np.array([[0, 9, 1], [0, 8, 2], [0, 9, 3], [5, 9, 4]], dtype=np.float64)
    marks = last_times(KEEP, moves, (0, before), np.array(day_s), np.array(week_s))
    return np.flatnonzero(marks[:, column]).tolist()


@pytest.mark.parametrize(
    ("column", "place"),
    [
        (0, 2),  # the last but one from here
        (1, 2),  # the last but one at this hour, from wherever
        (3, 2),  # the last at this hour of the week
        (4, 2),  # from here at this hour
    ],
)
def test_the_last_departure_of_each_kind_marks_where_it_led(column: int, place: int) -> None:
    hours, weeks = [0.0, 0.0, FAR_S, 0.0], [0.0, 0.0, 0.0, FAR_S]
    assert led(column, hours, weeks) == [place]


def test_the_place_before_tells_two_departures_from_here_apart() -> None:
    near = [0.0] * 4
    assert led(2, near, near, before=8) == [2]
    assert led(2, near, near, before=9) == [3]


def test_nothing_is_marked_where_there_was_no_such_departure() -> None:
    far = [FAR_S] * 4
    for column in (1, 3, 4):
        assert led(column, far, far) == []
    assert led(2, far, far, before=7) == []
    none = last_times(KEEP, np.zeros((0, 3)), (0, 9), np.zeros(0), np.zeros(0))
    assert not none.any()


def test_a_place_that_is_no_candidate_is_not_marked() -> None:
    moves = np.array([[0.0, 9.0, 3.0], [0.0, 9.0, 3.0]])
    marks = last_times(np.array([0, 1]), moves, (0, 9), np.zeros(2), np.zeros(2))
    assert not marks.any()
    assert last_times(np.array([3]), moves, (0, 9), np.zeros(2), np.zeros(2)).all()


def test_the_standing_is_the_log_of_the_rank_the_first_known_first_among_equals() -> None:
    ranks = standing(np.array([[0.1, 0.2], [0.7, 0.2], [0.2, 0.6]]))
    assert ranks[:, 0].tolist() == pytest.approx(np.log1p([2, 0, 1]).tolist())
    assert ranks[:, 1].tolist() == pytest.approx(np.log1p([1, 2, 0]).tolist())
