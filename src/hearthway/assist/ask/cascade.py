"""Who understands a question: exact sentences first, the student after them, then the household's own language model.

Each says what it read, or nothing. The first that read something decides; where it has two readings that are near each
other, the person is asked and not the next in line: a weaker reader is no referee.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from hearthway.records.ask import LANGUAGES, TEXT_MAX, Expected, Meaning, Understander
from hearthway.records.errors import InputError

from .intents import TABLE
from .slots import folded

NEAR_SCORE = 0.15  # of the better reading's score: nearer, and one word decides nothing
_YES, _NO = "yes", "no"


class Understood(Struct, frozen=True, kw_only=True):
    """The readings that are left, the likeliest first, and the language. Several: it is not sure which."""

    readings: tuple[Meaning, ...]
    language: str


def clean(text: object) -> str:
    """A question as text; InputError for what cannot be one."""
    if not isinstance(text, str):
        raise InputError("A question is text.", 'Ask like: hearthway ask "will I get home?"')
    if len(text) > TEXT_MAX:
        raise InputError(
            f"That is {len(text):,} characters long; a question has at most {TEXT_MAX}.",
            "Ask one thing at a time.",
        )
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise InputError("That text is not in UTF-8.", "Set the terminal's encoding to UTF-8.")
    plain = "".join(" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in text)
    plain = " ".join(unicodedata.normalize("NFC", plain).split()).replace("\u2019", "'")
    if not any(sign.isalnum() for sign in plain):
        raise InputError("Nothing was asked.", 'Ask like: hearthway ask "will I get home?"')
    return plain


def understand(
    text: str, stages: Iterable[Understander], languages: Sequence[str] = LANGUAGES
) -> Understood | None:
    """What a cleaned question means by the first of `stages` that reads it, in the first language in which it does."""
    for stage in stages:
        for language in languages:
            readings = stage.readings(text, language)
            if readings:
                return Understood(readings=_near(readings), language=language)
    return None


def _near(readings: Sequence[Meaning]) -> tuple[Meaning, ...]:
    """The first, and the second where its score is as good but for a little."""
    first = readings[0]
    others = [one for one in readings[1:] if one.intent != first.intent]
    if not others or first.score is None or others[0].score is None:
        return (first,)
    if first.score - others[0].score > NEAR_SCORE * abs(first.score):
        return (first,)
    return first, others[0]


def missing_slot(meaning: Meaning) -> str:
    """The first slot that was not said along and is needed; empty where none is."""
    intent = TABLE.get(meaning.intent)
    wanted = () if intent is None else intent.needs
    return next((slot for slot in wanted if not meaning.slots.get(slot)), "")


def taken(expected: Expected, said: str, answer: str) -> Meaning | None:
    """The next thing said as the answer to a question back; None where it is none.

    `answer` is what short answers mean in that language: yes, no, first, second, third, or empty.
    """
    if expected.kind == "which":
        return _which(expected, said, answer)
    meaning = Meaning(intent=expected.intents[0], slots=expected.slots, by="your answer")
    if expected.kind == "slot":
        words = said.strip(" .!?")
        if not words or answer == _NO or len(words.split()) > 5:
            return None
        return replace(meaning, slots={**expected.slots, expected.slot: words})
    return meaning if answer == _YES else None


def _which(expected: Expected, said: str, answer: str) -> Meaning | None:
    places = {"first": 0, "second": 1, "third": 2, _YES: 0 if len(expected.intents) == 1 else -1}
    at = places.get(answer, -1)
    if at < 0:  # by a word that only one of them is called by
        words = set(folded(said).split())
        named = [set(folded(TABLE[i].words(expected.language)).split()) for i in expected.intents]
        own = [words & (mine - set().union(*(o for o in named if o is not mine))) for mine in named]
        fits = [place for place, found in enumerate(own) if found]
        at = fits[0] if len(fits) == 1 else -1
    if not 0 <= at < len(expected.intents):
        return None
    return Meaning(intent=expected.intents[at], slots=expected.slots, by="your answer")
