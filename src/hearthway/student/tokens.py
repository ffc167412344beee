"""Text -> token ids by the alphabets and the vocabulary of a student's file: WordPiece, greedy, longest match.

No Unicode database is asked: the file says what every character is, so that Python and JavaScript of any age agree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .header import TextInput

READ_MAX = 4096  # code points of a text; what stands beyond is not read
WORD_MAX = 64  # letters of a word; a longer one is unknown as a whole
SPACES = frozenset(
    [
        *(*range(0x21), *range(0x7F, 0xA1), 0x1680, *range(0x2000, 0x200B)),
        *(0x2028, 0x2029, 0x202F, 0x205F, 0x3000),
    ]
)
_FOREIGN = 2  # the group of a word whose characters the file does not know


class Token(NamedTuple):
    """A piece of a text: its id, its span in code points of the text as given, and whether it begins a word."""

    id: int
    start: int
    end: int
    first: bool


def vocabulary_of(blob: NDArray[Any]) -> list[str]:
    """The tokens in the order of their ids."""
    return blob.tobytes().decode().split("\n")


class Tokenizer:
    """Cuts texts into the tokens of one vocabulary."""

    def __init__(self, given: TextInput, vocabulary: NDArray[Any]) -> None:
        self._steps_max = given.steps_max
        self._unknown = given.unknown
        self._begin: dict[str, int] = {}
        self._go_on: dict[str, int] = {}
        for number, token in enumerate(vocabulary_of(vocabulary)):
            if token.startswith("##"):
                self._go_on[token[2:]] = number
            else:
                self._begin[token] = number
        self._longest = max(map(len, (*self._begin, *self._go_on)))
        self._reads = dict.fromkeys(map(ord, given.drop), "")
        for target, sources in given.fold.items():
            self._reads |= dict.fromkeys(map(ord, sources), target)
        self._uneven = {chr(one) for one, target in self._reads.items() if len(target) != 1}
        signs = {*given.signs}
        letters = {*given.letters} - signs
        self._spaces = {*map(chr, SPACES)} - letters - signs
        known = letters | signs | self._spaces
        self._words = re.compile(
            f"({_any(letters)}+)|{_any(signs)}|({_any(known, other=True)}+)", re.DOTALL
        )

    def ids(self, text: str) -> NDArray[np.int32]:
        """The ids alone, as a runtime takes them: 1 to steps_max of them."""
        return np.array([token.id for token in self.tokens(text)], np.int32)

    def tokens(self, text: str) -> list[Token]:
        """The tokens with their spans; a text without any is one unknown token of no length."""
        plain, starts, ends = self._plain(text[:READ_MAX])
        found: list[Token] = []
        for word in self._words.finditer(plain):
            at, end = word.span()
            known = word.lastindex != _FOREIGN and end - at <= WORD_MAX
            number = self._begin.get(word[0]) if known else None
            if number is not None:  # most words are one token
                found.append(Token(number, starts[at], ends[end - 1], first=True))
            else:
                pieces = self._pieces(word[0]) if known else None
                for number, piece, past in pieces or [(self._unknown, 0, end - at)]:
                    span = starts[at + piece], ends[at + past - 1]
                    found.append(Token(number, *span, first=piece == 0))
            if len(found) >= self._steps_max:
                break
        return found[: self._steps_max] or [Token(self._unknown, 0, 0, first=True)]

    def _plain(self, text: str) -> tuple[str, Sequence[int], Sequence[int]]:
        """(what is read, and of each of its characters where it starts and ends in the text)."""
        if self._uneven.isdisjoint(text):
            return text.translate(self._reads), range(len(text)), range(1, len(text) + 1)
        read: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        for at, character in enumerate(text):
            target = self._reads.get(ord(character), character)
            if not target and read and read[-1] not in self._spaces:
                ends[-1] = at + 1
            read += target
            starts += [at] * len(target)
            ends += [at + 1] * len(target)
        return "".join(read), starts, ends

    def _pieces(self, word: str) -> list[tuple[int, int, int]] | None:
        """Of a word of at most WORD_MAX letters the longest token that fits, and so on to the end, each with its span; None where none fits."""
        found: list[tuple[int, int, int]] = []
        at = 0
        while at < len(word):
            table = self._go_on if at else self._begin
            end = min(len(word), at + self._longest)
            while (number := table.get(word[at:end])) is None:
                end -= 1
                if end == at:
                    return None
            found.append((number, at, end))
            at = end
        return found


def _any(characters: Set[str], *, other: bool = False) -> str:
    """The regular expression of one of them, or of any other."""
    if not characters:
        return "." if other else "(?!)"
    return f"[{'^' if other else ''}{re.escape(''.join(sorted(characters)))}]"
