"""Utterances, and how one text is known to equal another: nothing that is evaluated may be learned from."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

from msgspec import Struct

_WORDS = re.compile(r"[^\W_]+")


class Span(Struct, frozen=True):
    """Characters `start` to `end` (exclusive) of a text name something of `kind`."""

    start: int
    end: int
    kind: str


class Utterance(Struct, frozen=True):
    """What somebody said. `label` is "" where nobody labelled it: such a text has a teacher's word alone."""

    text: str
    label: str = ""
    spans: tuple[Span, ...] = ()


class Corpus(Struct, frozen=True):
    """`labelled` is what a teacher learns, `unlabelled` only a teacher labels; `validation` chooses thresholds."""

    labels: tuple[str, ...]
    labelled: tuple[Utterance, ...]
    unlabelled: tuple[Utterance, ...]
    validation: tuple[Utterance, ...]
    slots: tuple[str, ...] = ()

    @property
    def pool(self) -> tuple[Utterance, ...]:
        """Everything that is learned from."""
        return self.labelled + self.unlabelled


def normalised(text: str) -> str:
    """Letters and digits of a text in lower case without marks, one space between: the key of equality."""
    plain = unicodedata.normalize("NFKD", text.lower())
    return " ".join(_WORDS.findall("".join(c for c in plain if not unicodedata.combining(c))))


def keys(texts: Iterable[str]) -> frozenset[str]:
    """The normalised texts, without the empty one."""
    return frozenset(key for text in texts if (key := normalised(text)))


def overlap(pool: Iterable[str], evaluated: Iterable[str]) -> int:
    """How many of the evaluated texts (as different keys) also stand in the pool."""
    return len(keys(pool) & keys(evaluated))


def without(pool: Iterable[Utterance], evaluated: frozenset[str]) -> list[Utterance]:
    """The pool in its order, less what is empty, was there before, or equals an evaluated text."""
    seen = set(evaluated) | {""}
    kept: list[Utterance] = []
    for one in pool:
        key = normalised(one.text)
        if key not in seen:
            seen.add(key)
            kept.append(one)
    return kept


def digest(pool: Iterable[Utterance]) -> str:
    """SHA-256 of texts and labels in their order: two trainings with the same digest saw the same."""
    whole = hashlib.sha256()
    for one in pool:
        spans = ",".join(f"{s.start}-{s.end}:{s.kind}" for s in one.spans)
        whole.update(f"{one.label}\t{one.text}\t{spans}\n".encode())
    return whole.hexdigest()
