"""By what a whole way went: the student `modes` reads the way's numbers once it is over, with the filter's metres beside it.

It was taught on synthetic people, without a map, so it is asked only where the filter doubts, and not about what it hardly
saw: a way seen more rarely than almost all it was taught on, and who by the filter's own count almost only drives. There the
filter is the better of the two. `bench/modes_gate.py` has the bounds. The file is read, without numpy, at the first such way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from hearthway import student
from hearthway.records.errors import StudentError
from hearthway.records.life import MODES, TravelMode

from .mode_marks import FEATURES
from .modes import TRIP_SURE, ModeFilter

if TYPE_CHECKING:
    from hearthway.student.plain import PlainStudent

SHIPPED = Path(student.__file__).parent / "data" / "modes.student"
IDENTITY = "ff7246a15e8d730981c3fda5b35341896e28b89c4a2e4ca3b3c93f9205f6780e"
SURE_P = 0.85  # a filter as sure as this has the last word
RARE_S = 450.0  # between two steps, on the average; of the ways it was taught on 95 of 100 have less than 400
DRIVES = 0.75  # of this person's ways, as the filter has them
DOUBT = 0.03  # a mode on which the filter saw no metre is still possible


def judged(way: ModeFilter) -> tuple[TravelMode, float]:
    """The mode of a way that is over, and its probability; StudentError where the shipped student cannot be read."""
    return said_by(shipped(), way) if is_for(way) else way.trip()


def is_for(
    way: ModeFilter, sure_p: float = SURE_P, rare_s: float = RARE_S, drives: float = DRIVES
) -> bool:
    """Is this a way that a student is asked about?"""
    state = way.state
    seen = state.marks.steps > 0 and state.marks.step_s() < rare_s and sum(state.metres) > 0.0
    return seen and way.trip()[1] < sure_p and way.before()[MODES.index("car")] <= drives


def said_by(one: PlainStudent, way: ModeFilter) -> tuple[TravelMode, float]:
    """What a student says of a way, and the filter's metres beside it."""
    p = joined(one.probabilities(way.row()), way.metres())
    best = max(range(len(p)), key=lambda i: (p[i], -i))
    return (MODES[best] if p[best] >= TRIP_SURE else "unknown", p[best])


def joined(
    student_p: Sequence[float], metres: Sequence[float], doubt: float = DOUBT
) -> list[float]:
    """The student's probabilities and the filter's share of the way's metres, by mode, as two pieces of evidence."""
    total = sum(metres)
    weights = [
        p * (max(0.0, by_mode) / total + doubt)
        for p, by_mode in zip(student_p, metres, strict=True)
    ]
    whole = sum(weights)
    return [weight / whole for weight in weights]


def fitting(data: bytes, where: str) -> PlainStudent:
    """The student in these bytes; StudentError where it was made for other numbers or modes."""
    from hearthway.student.plain import PlainStudent

    one = PlainStudent(data, where)
    if one.features != tuple(name for name, _ in FEATURES) or one.labels != MODES:
        raise StudentError(
            f"{where}: made for another version of Hearthway.",
            "Distil it again: `hearthway distill modes`.",
        )
    return one


@lru_cache(maxsize=1)
def shipped() -> PlainStudent:
    """The student that comes with Hearthway; StudentError where its file is not the one that was shipped."""
    return fitting(check(), str(SHIPPED))


def check() -> bytes:
    """The shipped file's bytes; StudentError where it is not the one whose hash stands here."""
    try:
        data = SHIPPED.read_bytes()
    except OSError as why:
        raise StudentError(f"{SHIPPED} cannot be read: {why.strerror}.", _AGAIN) from None
    if hashlib.sha256(data).hexdigest() != IDENTITY:
        raise StudentError(f"{SHIPPED} is not the file that was shipped.", _AGAIN)
    return data


_AGAIN = "Reinstall Hearthway."
