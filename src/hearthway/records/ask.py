"""A question in plain words: what was understood of it, the facts it is answered from, and the reply with the source of every figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from .signals import Value

ASKED = "ask-"  # how the id of a question's receipt begins
LANGUAGES = ("en", "de")
TEXT_MAX = 500  # characters of a question: longer ones are no questions


class Meaning(Struct, frozen=True, kw_only=True):
    """One reading of a question: an intent of `assist.ask.intents`, its slots as they were said, and who read it so."""

    intent: str
    slots: dict[str, str] = {}
    by: str = ""  # "sentences", "student", "model", "your answer"
    of: str = ""  # the sentence that matched, the student's hash, the model's name
    score: float | None = None  # of those that have one; comparable within one `by` only


class Understander(Protocol):
    """Reads questions: hassil's sentences, the int8 student, or a language model of the household's own."""

    def readings(self, text: str, language: str) -> Sequence[Meaning]:
        """What it may mean, the likeliest first; empty where this one does not understand it."""
        ...


class Source(Struct, frozen=True, kw_only=True):
    """A datum that an answer's figures come from: `shown` is how it stands in the words. None reads "unknown"."""

    key: str
    shown: str
    ago: str = ""  # its age as it stands there
    value: Value = None
    source: str = ""  # who says it
    age_s: float | None = None
    rule: str = ""  # that let it be used
    person: str = ""  # whom it is about; empty for a thing's own reading


class Outcome(StrEnum):
    """How a question ended."""

    ANSWERED = "answered"
    UNKNOWN = "unknown"  # understood, and nobody told
    DENIED = "denied"  # understood, and no rule lets this person have it
    ASKS = "asks"  # a question back
    DONE = "done"  # something was done, and acknowledged
    REFUSED = "refused"  # understood, and not done
    NOT_UNDERSTOOD = "not-understood"


class Reply(Struct, frozen=True, kw_only=True):
    """What is said to a question. `line` is all that a moving car shows or a speaker says."""

    outcome: Outcome
    line: str
    more: tuple[str, ...] = ()
    language: str = "en"
    intent: str = ""
    slots: dict[str, str] = {}
    by: str = ""
    of: str = ""
    sources: tuple[Source, ...] = ()
    rule: str = ""  # of a denial: the rule that says no; empty where none lets it
    synthetic: bool = False
    reply_id: str = ""  # of its receipt; empty where nothing of anybody was used


class CarQuestion(Struct, frozen=True, kw_only=True):
    """What was said in a car, as its driver's phone is asked: with what the car itself read in it."""

    text: str
    language: str
    readings: tuple[Meaning, ...] = ()  # empty: the phone has to read it
    moving: bool = True  # then one line comes back


class CarReply(Struct, frozen=True, kw_only=True):
    """What a car shows and says to a question: words, and nothing that they were made from."""

    outcome: Outcome
    line: str
    more: tuple[str, ...] = ()
    language: str = "en"
    intent: str = ""
    by: str = ""
    reply_id: str = ""  # of the phone's receipt
    as_owner: bool = False  # a rule lets this car's questions count as its driver's own


class Expected(Struct, frozen=True, kw_only=True):
    """What the next thing said may answer: which of several meanings, a slot that was missing, or yes and no."""

    kind: str  # "which", "slot", "confirm"
    intents: tuple[str, ...]
    slots: dict[str, str] = {}
    slot: str = ""
    language: str = "en"


class Names(Struct, frozen=True, kw_only=True):
    """What the household calls its things, for whoever may ask: nothing of anybody's life is in it."""

    lights: tuple[
        tuple[str, str], ...
    ] = ()  # as said, as known: "kitchen ceiling" -> "kitchen_ceiling"
    rooms: tuple[str, ...] = ()


Permits = Mapping[str, str]  # key -> the rule that lets the asker have it; "" where none does
