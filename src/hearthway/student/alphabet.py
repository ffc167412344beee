"""The alphabets of a vocabulary, made once by whoever exports: the only place that asks Python's Unicode database.

Every character that lower case, canonical decomposition and the removal of marks turn into the vocabulary's letters
and signs is listed with what it is read as; then typographic quotes and dashes, and compatibility forms. Plain Latin
letters, digits and signs are known whether or not the vocabulary has them: a word with one it lacks is one unknown token.
"""

from __future__ import annotations

import string
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from .header import TextInput
from .tokens import SPACES

_SEARCHED = (range(0x21, 0x3400), range(0xA000, 0xAC00), range(0xF900, 0x10000))
_DROPPED = (  # marks, soft hyphens, joiners, directions, variation selectors
    *(range(0xAD, 0xAE), range(0x300, 0x370), range(0x1AB0, 0x1B00), range(0x1DC0, 0x1E00)),
    *(range(0x200B, 0x2010), range(0x202A, 0x202F), range(0x2060, 0x2070)),
    *(range(0x20D0, 0x2100), range(0xFE00, 0xFE10), range(0xFE20, 0xFE30), range(0xFEFF, 0xFF00)),
)
_ALWAYS = {*string.ascii_lowercase, *string.digits, *string.punctuation, *"ßæœøðþłđıħŋ"}
_TYPOGRAPHIC = {"'": "‘’‚‛ʼ`´′", '"': "“”„‟«»″", "-": "‐‑‒–—−", ".": "…·"}


def text_input(
    vocabulary: Sequence[str], *, unknown: int, steps_max: int, name: str = "vocabulary"
) -> tuple[TextInput, NDArray[np.uint8]]:
    """The header's input and the vocabulary's tensor; tokens such as "[UNK]" give no letters."""
    written = {
        c
        for token in vocabulary
        if not (token.startswith("[") and token.endswith("]") and len(token) > 2)
        for c in token.removeprefix("##")
    }
    written = {c for c in written | _ALWAYS if _plain(c) == c and ord(c) not in SPACES}
    letters = {c for c in written if unicodedata.category(c)[0] in "LN"}
    dropped = {chr(c) for part in _DROPPED for c in part} - written
    fold = _fold(written, dropped)
    given = TextInput(
        steps_max=steps_max,
        vocabulary=name,
        unknown=unknown,
        letters=_sorted(letters),
        signs=_sorted(written - letters),
        fold=fold,
        drop=_sorted(dropped),
    )
    return given, np.frombuffer("\n".join(vocabulary).encode(), np.uint8)


def _fold(written: set[str], dropped: set[str]) -> dict[str, str]:
    fold: dict[str, set[str]] = defaultdict(set)
    typographic = {source: sign for sign, group in _TYPOGRAPHIC.items() for source in group}
    for character in (chr(c) for part in _SEARCHED for c in part):
        if character in written or character in dropped or ord(character) in SPACES:
            continue
        for target in (
            _plain(character),
            typographic.get(character, ""),
            _plain(unicodedata.normalize("NFKD", character)),
        ):
            if 1 <= len(target) <= 3 and set(target) <= written:
                fold[target].add(character)
                break
    return {target: _sorted(sources) for target, sources in sorted(fold.items())}


def _plain(text: str) -> str:
    """Lower case, decomposed, without marks."""
    decomposed = unicodedata.normalize("NFD", text.lower())
    return "".join(c for c in decomposed if unicodedata.category(c) != "Mn")


def _sorted(characters: Iterable[str]) -> str:
    return "".join(sorted(characters))
