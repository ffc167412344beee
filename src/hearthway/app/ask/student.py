"""The second reader: a student that was trained to understand text, the same bits on every device.

It reads what no sentence has. What its file's threshold does not accept is not read; slots are its own where it tags them,
and the household's names where these stand in the text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hearthway.assist.ask.labels import meaning_of
from hearthway.assist.ask.slots import slots_of
from hearthway.records.ask import Meaning, Names
from hearthway.records.understanding import Understanding
from hearthway.student.answer import Answerer
from hearthway.student.cpu import Runtime
from hearthway.student.format import read

Understand = Callable[[str], Understanding]
Place = Callable[[Understand], Understand]


class StudentReader:
    """An Understander by a student's file (records.ask)."""

    def __init__(self, data: bytes, names: Names, place: Place | None = None) -> None:
        """StudentError where the bytes are no student that understands text. `place`: another node may compute it."""
        student = read(data)
        understand = Answerer(student, Runtime(student)).understand
        self._understand = understand if place is None else place(understand)
        self._names = names

    def readings(self, text: str, language: str) -> Sequence[Meaning]:
        """The likeliest meaning, and the next one, where the student accepts its own; it was trained on English."""
        if language != "en":
            return ()
        found = self._understand(text)
        if not found.accepted:
            return ()
        tagged = {slot.name: slot.text for slot in found.slots}
        slots = slots_of(text, self._names)
        second = [] if found.second is None else [found.second]
        readings: list[Meaning] = []
        for label, score in ((found.intent, found.score), *second):
            meaning = meaning_of(
                label, tagged, slots, student=found.student, score=score, text=text
            )
            if meaning is None and not readings:
                return ()  # sure of something that nothing here answers
            if meaning is not None:
                readings.append(meaning)
        return readings
