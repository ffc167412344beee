"""The entries of the lists in one JSON document, one after the other, in memory bounded by the largest entry.

Only the outermost level is walked here: `{"name": [entry, ...], "other": ...}` or `[entry, ...]`. Where an entry ends is
found by one regular expression that knows strings and brackets; all its repeats are possessive, so it takes time
linear in the text whatever the text is. Whether the entry is valid JSON is for whoever decodes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_ENTRY = 1 << 20  # an hour of Wi-Fi scans is some 50 KB
MAX_DEPTH = 24  # Google's exports are 8 levels deep at most
MAX_NAMES = 12


class Broken(Exception):  # noqa: N818  a state of the text, turned into words by the reader
    """The text stops being JSON here, or ends too early."""


class Oversized(Exception):  # noqa: N818  as above
    """An entry is larger than `MAX_ENTRY` or nested deeper than `MAX_DEPTH`: no history has such."""


_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'


def _nested(depth: int) -> bytes:
    inner = rb"|" + _nested(depth - 1) if depth > 1 else b""
    return rb'[{\[](?:[^"{}\[\]]++|' + _STRING + inner + rb")*+[}\]]"


_SPACE = re.compile(rb"[ \t\r\n]*+")
_NAME = re.compile(_STRING, re.DOTALL)
_BARE = re.compile(rb'[^ \t\r\n,:"{}\[\]]++')
_ENTRY = re.compile(_nested(MAX_DEPTH), re.DOTALL)
_MARK = re.compile(rb'"|[{}\[\]]')


def _plain(first: bytes) -> re.Pattern[bytes]:
    """What a value is that begins with this byte and is no list and no object."""
    if not first or first in b",:]}":
        raise Broken
    return _NAME if first == b'"' else _BARE


class Document:
    """Walks one document once: iterate `entries`, then `names` says what its outermost object held."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.names: list[str] = []  # of the outermost object, at most MAX_NAMES
        self.is_list = False
        self.count = 0  # entries given so far
        self._pieces = pieces
        self._text = b""
        self._at = 0

    def entries(self, wanted: frozenset[str]) -> Iterator[tuple[str, bytes]]:
        """(list's name, an entry's text) of each wanted list, in file order; the name is "" in an outermost list.

        Raises Broken where the text ends early or is no JSON, Oversized where one entry is too large.
        """
        first = self._peek()
        if first == b"\xef":  # a byte order mark
            self._take(b"\xef\xbb\xbf")
            first = self._peek()
        if first == b"[":
            self.is_list = True
            yield from self._list("")
        else:
            yield from self._object(wanted)
        if self._peek():
            raise Broken

    def _object(self, wanted: frozenset[str]) -> Iterator[tuple[str, bytes]]:
        self._take(b"{")
        if self._peek() == b"}":
            self._take(b"}")
            return
        while True:
            if self._peek() != b'"':
                raise Broken
            name = self._match(_NAME)[1:-1].decode("utf-8", "replace")
            if len(self.names) < MAX_NAMES:
                self.names.append(name[:40])
            self._peek()
            self._take(b":")
            if self._peek() == b"[" and name in wanted:
                yield from self._list(name)
            else:
                self._skip()
            if self._ends(b"}"):
                return

    def _list(self, name: str) -> Iterator[tuple[str, bytes]]:
        self._take(b"[")
        if self._peek() == b"]":
            self._take(b"]")
            return
        while True:
            first = self._peek()
            entry = self._match(_ENTRY if first in {b"{", b"["} else _plain(first))
            self.count += 1
            yield name, entry
            if self._ends(b"]"):
                return

    def _ends(self, close: bytes) -> bool:
        """Step over the comma or the closing bracket that comes after a value."""
        found = self._peek()
        if found not in {b",", close}:
            raise Broken
        self._at += 1
        return found == close

    def _peek(self) -> bytes:
        """The next byte that is no space; empty at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at : self._at + 1]
            if not self._more():
                return b""

    def _take(self, expected: bytes) -> None:
        while len(self._text) - self._at < len(expected) and self._more():
            pass
        if not self._text.startswith(expected, self._at):
            raise Broken
        self._at += len(expected)

    def _match(self, pattern: re.Pattern[bytes]) -> bytes:
        """The text that matches here, whole: it may lie in several pieces."""
        while True:
            found = pattern.match(self._text, self._at)
            if found and (pattern is not _BARE or found.end() < len(self._text)):
                self._at = found.end()
                return found.group()
            if len(self._text) - self._at > MAX_ENTRY:
                raise Oversized
            if not self._more():
                raise Broken

    def _skip(self) -> None:
        """Pass over a value of any size and depth: only its brackets are counted."""
        first = self._peek()
        if first not in {b"{", b"["}:
            self._match(_plain(first))
            return
        depth = 0
        while True:
            found = _MARK.search(self._text, self._at)
            if found is None:
                self._at = len(self._text)
                if not self._more():
                    raise Broken
                continue
            self._at = found.start()
            if found.group() == b'"':
                self._match(_NAME)
                continue
            self._at += 1
            depth += 1 if found.group() in {b"{", b"["} else -1
            if depth == 0:
                return

    def _more(self) -> bool:
        piece = next(self._pieces, b"")
        self._text = self._text[self._at :] + piece
        self._at = 0
        return bool(piece)
