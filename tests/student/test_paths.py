"""The path through the labels is the best of all, whatever is left out on the way to it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.student.small import Content, changed, text_content
from tests.student.test_answer import answerer
from tests.student.test_legal import refused

from hearthway.student.format import read, write
from hearthway.student.paths import Paths

NUMBERS = st.integers(-40, 40)
WORDS = st.integers(2, 4).flatmap(
    lambda labels: st.tuples(
        st.lists(st.lists(NUMBERS, min_size=labels, max_size=labels), max_size=5),
        st.lists(
            st.lists(st.integers(-9, 9), min_size=labels, max_size=labels),
            min_size=labels,
            max_size=labels,
        ),
        st.integers(1, 3),
    )
)


def by_trying(words: list[list[int]], follows: list[list[int]], gain: int) -> list[int]:
    def rank(path: Sequence[int]) -> tuple[int, ...]:
        own = sum(numbers[label] for numbers, label in zip(words, path, strict=True))
        joined = sum(follows[a][b] for a, b in itertools.pairwise(path))
        return own + gain * joined, *(-label for label in reversed(path))

    every = itertools.product(range(len(follows)), repeat=len(words))
    return max((list(path) for path in every), key=rank)


@given(WORDS)
def test_no_path_is_better(drawn: tuple[list[list[int]], list[list[int]], int]) -> None:
    words, follows, gain = drawn
    paths = Paths(np.array(follows, np.int8), gain)
    assert paths.best(words) == by_trying(words, follows, gain)


def test_what_follows_decides_where_a_word_alone_would_not() -> None:
    words = [[0, 50, 0], [30, 25, 0]]
    none, some = np.zeros((3, 3), np.int8), np.diag([0, 3, 3]).astype(np.int8)
    assert Paths(none, 1).best(words) == [1, 0]
    assert Paths(some, 1).best(words) == [1, 0]
    assert Paths(some, 2).best(words) == [1, 1]
    assert Paths(some, 2).best([]) == []


def following(table: Any, gain: Any = 100) -> Content:
    content = changed(changed(text_content(), "heads.1.follows", "follows"), "heads.1.gain", gain)
    return changed(content, "tensor.follows", table)


def test_a_student_reads_its_slots_by_what_follows() -> None:
    text = "the kitchen light"
    plain = answerer(text_content()).understand(text)
    assert [slot.text for slot in plain.slots] == ["kitchen"]
    table = np.zeros((3, 3), np.int8)
    table[1, 2] = 127  # what follows a B is in it
    assert [slot.text for slot in answerer(following(table)).understand(text).slots] == [
        "kitchen light"
    ]
    unchanged = answerer(following(np.zeros((3, 3), np.int8))).understand(text)
    assert unchanged.slots == plain.slots
    assert answerer(following(table)).understand("").slots == ()


def test_the_later_pieces_of_a_word_are_no_step_of_the_path() -> None:
    text = "the kitchens light"
    table = np.zeros((3, 3), np.int8)
    table[1, 2] = 127  # of the word before, and not of its piece
    assert [slot.text for slot in answerer(following(table)).understand(text).slots] == [
        "kitchens light"
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(text_content(), "heads.1.gain", 1), "follows and gain go together"),
        (changed(text_content(), "heads.1.follows", "table"), "follows and gain go together"),
        (following(np.zeros((3, 2), np.int8)), "its follows has to be int8 [3, 3]"),
        (following(np.zeros((3, 3), np.int32)), "its follows has to be int8 [3, 3]"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(content: Content, message: str) -> None:
    assert message in refused(content)


def test_a_table_that_is_not_in_the_file_is_refused() -> None:
    header, tensors = following(np.zeros((3, 3), np.int8))
    del tensors["follows"]
    assert "its follows has to be int8 [3, 3]" in refused((header, tensors))
    with pytest.raises(ValueError, match="gain"):  # 1 at least
        following(np.zeros((3, 3), np.int8), 0)


@pytest.mark.parametrize(("labels", "legal"), [(512, True), (513, False)])
def test_a_table_that_would_cost_more_than_a_student_may_is_refused(
    labels: int, legal: bool
) -> None:
    """16 steps of 512 labels are the 2**22 sums that one text may cost."""
    content = following(np.ones((labels, labels), np.int8))
    content = changed(content, "heads.1.labels", ["O", *(f"B-{n}" for n in range(1, labels))])
    size = content[1]["slots.weight"].shape[1]
    content = changed(content, "tensor.slots.weight", np.ones((labels, size), np.int8))
    content = changed(content, "tensor.slots.bias", np.zeros(labels, np.int32))
    if legal:
        assert answerer(content).understand("the kitchen light").slots == ()
    else:
        assert "the labels of one text cost more than a student may" in refused(content)


def test_a_file_without_a_table_has_the_bytes_it_had() -> None:
    assert b"follows" not in write(*text_content())
    assert read(write(*text_content())).header.heads[1] == text_content()[0].heads[1]
