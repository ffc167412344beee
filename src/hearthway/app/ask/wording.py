"""Words as sentences have them: what people write together or without its apostrophe, and what an intent is usually asked with."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from hearthway.assist.ask.slots import folded
from hearthway.records.ask import LANGUAGES, Names

# Rooms by both of their names: many houses tell of a "kitchen" and are asked about the Küche.
ROOMS: dict[str, str] = {
    "küche": "kitchen",
    "flur": "hall",
    "diele": "hall",
    "wohnzimmer": "living room",
    "schlafzimmer": "bedroom",
    "kinderzimmer": "kids room",
    "esszimmer": "dining room",
    "arbeitszimmer": "study",
    "büro": "office",
    "bad": "bathroom",
    "badezimmer": "bathroom",
    "keller": "basement",
    "dachboden": "attic",
    "garten": "garden",
    "terrasse": "terrace",
    "balkon": "balcony",
    "treppe": "stairs",
    "garage": "garage",
}
_IS = "what|where|who|how|when|there|that"
_SHORT = (
    (re.compile(rf"\b({_IS})(?:'s|s)\b", re.IGNORECASE), r"\1 is"),
    (re.compile(r"\bit's\b", re.IGNORECASE), "it is"),
    (re.compile(r"\bi'?m\b", re.IGNORECASE), "i am"),
    (re.compile(r"\bwe're\b", re.IGNORECASE), "we are"),
)
_COMPOUND = re.compile(r"\b(\w{3,}?)[- ]?(licht|lampe|leuchte)\b", re.IGNORECASE)
_LINKS = ("", "n", "en", "s")
_RULE = re.compile(r"<(\w+)>")
_SLOT = re.compile(r"\{[^}]*\}")


@cache
def language_file(language: str) -> dict[str, Any]:
    """The sentences, rules, words and short answers of a language."""
    text = files(__package__).joinpath("sentences", f"{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def as_sentences_say(text: str, language: str, names: Names) -> str:
    """The text with its short forms in full ("whats", "where's") and its lights apart from their rooms ("Küchenlicht")."""
    if language == "en":
        for short, full in _SHORT:
            text = short.sub(full, text)
        return text
    known = {folded(one) for one in (*names.rooms, *(said for said, _ in names.lights), *ROOMS)}

    def apart(found: re.Match[str]) -> str:
        first = folded(found[1])
        room = next((first.removesuffix(end) for end in _LINKS if _cut(first, end) in known), "")
        return f"{room} {found[2]}" if room else found[0]

    return _COMPOUND.sub(apart, text)


def _cut(word: str, end: str) -> str:
    return word.removesuffix(end) if word.endswith(end) else ""


def german_names(names: Names) -> Iterator[tuple[str, str]]:
    """(German room, what it is called here) of lights and rooms that have an English name."""
    known = {folded(said): as_known for said, as_known in names.lights}
    known |= {folded(room): room for room in names.rooms}
    for german, english in ROOMS.items():
        if german not in known and english in known:
            yield german, known[english]


def has_usual(intent: str) -> bool:
    """Is there a list of words that people ask with for that, beside its sentences?"""
    return any(intent in language_file(language)["usual"] for language in LANGUAGES)


@cache
def usual_words(intent: str) -> frozenset[str]:
    """What people say when they ask for that, in any language: its sentences' words, and more that change no answer."""
    found: set[str] = set()
    for language in LANGUAGES:
        read = language_file(language)
        rules, usual = read["rules"], read["usual"]
        for sentence in (*read["intents"][intent]["sentences"], *read["skip"]):
            found |= set(folded(_SLOT.sub(" ", _expanded(sentence, rules))).split())
        found |= {*usual["any"], *usual.get(intent, ())}
    return frozenset(found)


def _expanded(sentence: str, rules: dict[str, str]) -> str:
    return _RULE.sub(lambda found: f" {_expanded(rules[found[1]], rules)} ", sentence)
