"""One is one: a number with what it counts."""

from __future__ import annotations

import pytest

from hearthway.records.count import count_of


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 entries"), (1, "1 entry"), (2, "2 entries"), (1200, "1,200 entries")],
)
def test_what_is_counted_agrees_with_the_number(number: int, words: str) -> None:
    assert count_of(number, "entry", "entries") == words
    assert count_of(number, "place").endswith("place" if number == 1 else "places")
