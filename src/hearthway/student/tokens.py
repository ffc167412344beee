"""Text -> token ids by the alphabets and the vocabulary of a student's file: WordPiece, greedy, longest match.

No Unicode database is asked: the file says what every character is, so that Python and JavaScript of any age agree.
"""

from __future__ import annotations

from collections.abc import Iterator
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
_SPACE, _LETTER, _SIGN, _FOREIGN = range(4)


class Token(NamedTuple):
    """A piece of a text: its id, its span in code points of the text as given, and whether it begins a word."""

    id: int
    start: int
    end: int
    first: bool


class _Word(NamedTuple):
    kind: int
    letters: list[str]
    starts: list[int]
    ends: list[int]


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
        self._kinds = dict.fromkeys(given.letters, _LETTER) | dict.fromkeys(given.signs, _SIGN)
        self._reads = dict.fromkeys(given.drop, "")
        for target, sources in given.fold.items():
            self._reads |= dict.fromkeys(sources, target)

    def ids(self, text: str) -> NDArray[np.int32]:
        """The ids alone, as a runtime takes them: 1 to steps_max of them."""
        return np.array([token.id for token in self.tokens(text)], np.int32)

    def tokens(self, text: str) -> list[Token]:
        """The tokens with their spans; a text without any is one unknown token of no length."""
        found: list[Token] = []
        for word in self._words(text[:READ_MAX]):
            found += self._pieces(word)
            if len(found) >= self._steps_max:
                break
        return found[: self._steps_max] or [Token(self._unknown, 0, 0, first=True)]

    def _words(self, text: str) -> Iterator[_Word]:
        """Runs of letters, single signs, and runs of what the file does not know."""
        word = _Word(_SPACE, [], [], [])
        for at, character in enumerate(text):
            target = self._reads.get(character, character)
            if not target and word.ends:
                word.ends[-1] = at + 1
            for letter in target:
                kind = self._kinds.get(letter) or (_SPACE if ord(letter) in SPACES else _FOREIGN)
                if kind != word.kind or kind == _SIGN:
                    if word.letters:
                        yield word
                    word = _Word(kind, [], [], [])
                if kind != _SPACE:
                    word.letters.append(letter)
                    word.starts.append(at)
                    word.ends.append(at + 1)
        if word.letters:
            yield word

    def _pieces(self, word: _Word) -> list[Token]:
        """The longest token that fits, and so on to the end; the whole word is unknown where none fits."""
        letters = "".join(word.letters)
        unknown = [Token(self._unknown, word.starts[0], word.ends[-1], first=True)]
        if word.kind == _FOREIGN or len(letters) > WORD_MAX:
            return unknown
        found: list[Token] = []
        at = 0
        while at < len(letters):
            table = self._go_on if at else self._begin
            end = min(len(letters), at + self._longest)
            while letters[at:end] not in table:
                end -= 1
                if end == at:
                    return unknown
            number = table[letters[at:end]]
            found.append(Token(number, word.starts[at], word.ends[end - 1], not at))
            at = end
        return found
