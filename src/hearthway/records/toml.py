"""TOML within bounds: the standard parser takes memory with the square of a dotted key's parts, and has no limit of its own."""

from __future__ import annotations

import tomllib
from typing import Any

TEXT_MAX = 512 * 1024  # characters
DOTS_MAX = 300  # on one line
_SQUARES_MAX = (
    2_000_000  # of the dots of each line, all lines together: up to 16 MB while it is read
)
_INTEGERS = range(-(2**63), 2**63)  # as TOML 1.0 has them; beyond, Python cannot even print some


def parse(text: str) -> dict[str, Any]:
    """The document; TOMLDecodeError for what is none or out of bounds, RecursionError where it is nested too deeply."""
    if len(text) > TEXT_MAX:
        raise tomllib.TOMLDecodeError(f"it is longer than {TEXT_MAX // 1024} KiB")
    squares = 0
    for number, line in enumerate(text.split("\n"), start=1):
        dots = line.count(".")
        if dots > DOTS_MAX:
            raise tomllib.TOMLDecodeError(f"line {number} has more than {DOTS_MAX} dots")
        squares += dots * dots
        if squares > _SQUARES_MAX:
            raise tomllib.TOMLDecodeError(f"up to line {number} it has too many lines of many dots")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:  # int() refuses thousands of digits
        raise tomllib.TOMLDecodeError("a number in it has too many digits") from None
    _check_integers(document)
    return document


def _check_integers(document: dict[str, Any]) -> None:
    left: list[Any] = [document]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            left += one.values()
        elif isinstance(one, list):
            left += one
        elif isinstance(one, int) and one not in _INTEGERS:
            raise tomllib.TOMLDecodeError("an integer in it has more than 64 bits")
