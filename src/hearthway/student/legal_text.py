"""What a student's vocabulary and alphabets have to be, so that every runtime cuts a text into the same tokens."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .header import VOCABULARY_MAX, TextInput
from .tokens import SPACES, vocabulary_of

_TOKEN_BYTES_MAX = 64
_VOCABULARY_BYTES_MAX = 2**20


def check_text(given: TextInput, blob: NDArray[Any] | None) -> tuple[int, str]:
    """(tokens of the vocabulary, what is wrong with it or "")."""
    if blob is None or blob.dtype != np.uint8 or blob.ndim != 1:
        return 0, f"there is no vocabulary {given.vocabulary} of uint8 in one row"
    if len(blob) > _VOCABULARY_BYTES_MAX:
        return 0, f"the vocabulary is longer than {_VOCABULARY_BYTES_MAX} bytes"
    if int(np.count_nonzero(blob == ord("\n"))) >= VOCABULARY_MAX:
        return 0, f"the vocabulary has more than {VOCABULARY_MAX} tokens"
    try:
        tokens = vocabulary_of(blob)
    except UnicodeDecodeError:
        return 0, "the vocabulary is not UTF-8"
    return len(tokens), _vocabulary(tokens, given.unknown) or _alphabets(given)


def _vocabulary(tokens: list[str], unknown: int) -> str:
    if len(set(tokens)) != len(tokens) or "" in tokens or "##" in tokens:
        return "a token of the vocabulary is empty or stands twice"
    if any(len(token.encode()) > _TOKEN_BYTES_MAX for token in tokens):
        return f"a token of the vocabulary is longer than {_TOKEN_BYTES_MAX} bytes"
    return "" if unknown < len(tokens) else "the unknown token is none of the vocabulary"


def _alphabets(given: TextInput) -> str:
    """Every character has one role, and what others are read as is a letter or a sign."""
    roles = Counter(given.letters)
    for more in (given.signs, given.drop, *given.fold.values()):
        roles.update(more)
    twice = next((c for c, times in roles.items() if times > 1 or ord(c) in SPACES), None)
    if twice is not None:
        return f"the character U+{ord(twice):04X} has two roles"
    written = {*given.letters, *given.signs}
    for target in given.fold:
        if not set(target) <= written:
            return f"{target!r}, as which other characters are read, is no letter or sign"
    return ""
