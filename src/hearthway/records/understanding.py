"""What a text was understood as: a noun for the stages, whoever understood it."""

from __future__ import annotations

import msgspec


class Slot(msgspec.Struct, frozen=True):
    """A part of the text that names something; `start` and `end` count code points of the text."""

    name: str
    text: str
    start: int
    end: int


class Understanding(msgspec.Struct, frozen=True):
    """The likeliest intent, how likely the student holds it (0 to 1), and whether its integer score reached the threshold.

    `second` is the next intent and its probability, for a question back.
    """

    intent: str
    score: float
    accepted: bool
    slots: tuple[Slot, ...]
    student: str  # identity of the student's file
    second: tuple[str, float] | None = None
