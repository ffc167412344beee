"""A recovery phrase: 128 random bits as twelve English words, with four bits that find a mistyped one (BIP-39's list).

Any four first letters name one word of the list, so four letters of a word are enough.
"""

from __future__ import annotations

import difflib
import hashlib
import secrets
from functools import lru_cache
from pathlib import Path

from hearthway.records.errors import InputError

ENTROPY_BYTES = 16
WORDS = 12
_BITS = 11  # a word
_CHECK_BITS = 4
_LETTERS = 4
_STEP = "Type the twelve words in their order, as they were shown when the backup was made."


@lru_cache(maxsize=1)
def _words() -> tuple[str, ...]:
    return tuple(Path(__file__).with_name("words.txt").read_text("ascii").split())


def new_entropy() -> bytes:
    """128 random bits."""
    return secrets.token_bytes(ENTROPY_BYTES)


def phrase_of(entropy: bytes) -> str:
    """The twelve words of 16 bytes."""
    check = hashlib.sha256(entropy).digest()[0] >> (8 - _CHECK_BITS)
    number = int.from_bytes(entropy, "big") << _CHECK_BITS | check
    words = _words()
    places = range(_BITS * (WORDS - 1), -1, -_BITS)
    return " ".join(words[number >> place & (1 << _BITS) - 1] for place in places)


def entropy_of(phrase: str) -> bytes:
    """The 16 bytes of twelve words; InputError says which word is none, or that they do not belong together."""
    typed = phrase.lower().replace(",", " ").split()
    if len(typed) != WORDS:
        raise InputError(f"A recovery phrase has {WORDS} words; these are {len(typed)}.", _STEP)
    number = 0
    for place, word in enumerate(typed, 1):
        number = number << _BITS | _index(word, place)
    entropy = (number >> _CHECK_BITS).to_bytes(ENTROPY_BYTES, "big")
    if phrase_of(entropy).split() != [_words()[_index(w, 0)] for w in typed]:
        raise InputError(
            "These words are no recovery phrase: one of them is another, or two changed places.",
            _STEP,
        )
    return entropy


def _index(word: str, place: int) -> int:
    words = _words()
    if word in words:
        return words.index(word)
    if len(word) >= _LETTERS:
        found = [w for w in words if w[:_LETTERS] == word[:_LETTERS]]
        if len(found) == 1 and found[0].startswith(word):
            return words.index(found[0])
    # The word itself is not repeated: it is a secret, and errors end up in logs.
    near = difflib.get_close_matches(word, words, n=1)
    raise InputError(
        f"Word {place} is not in the list of recovery words.",
        f"Did you mean a word like {near[0]!r}? {_STEP}" if near else _STEP,
    )
