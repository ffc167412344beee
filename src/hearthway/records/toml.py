"""TOML within bounds: the standard parser takes memory with the square of a dotted key's parts, and has no limit of its own."""

from __future__ import annotations

import tomllib
from typing import Any

TEXT_MAX = 512 * 1024  # characters
DOTS_MAX = 300  # on one line


def parse(text: str) -> dict[str, Any]:
    """The document; TOMLDecodeError for what is none or out of bounds, RecursionError where it is nested too deeply."""
    if len(text) > TEXT_MAX:
        raise tomllib.TOMLDecodeError(f"it is longer than {TEXT_MAX // 1024} KiB")
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > DOTS_MAX:
            raise tomllib.TOMLDecodeError(f"line {number} has more than {DOTS_MAX} dots")
    return tomllib.loads(text)
