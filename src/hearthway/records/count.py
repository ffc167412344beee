"""A number with what it counts, as a sentence for people has it."""

from __future__ import annotations


def count_of(number: int, one: str, many: str = "") -> str:
    """ "1 place", "2 places", "1,200 entries"; `many` where it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
