"""Integers of the outputs -> what they mean: an intent accepted or not, slots with their place in the text, numbers.

Whether an intent is accepted is decided by comparing integers; `score` is a probability to show, and decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hearthway.records.errors import StudentError
from hearthway.records.understanding import Slot, Understanding

from .format import Student
from .header import ClassHead, Head, TagsHead, TextInput, ValueHead
from .paths import Paths
from .tokens import Token, Tokenizer

INTENT, SLOTS = "intent", "slots"  # the heads of a student that understands text
_BELOW_ALL = -(2**31) - 1  # no int32


class Runs(Protocol):
    """A runtime: the same bits as the reference."""

    def run(self, given: Any) -> dict[str, NDArray[Any]]:
        """The outputs of one input."""
        ...


class Answerer:
    """Understands texts by one student."""

    def __init__(self, student: Student, runtime: Runs) -> None:
        given = student.header.input
        heads = {head.name: head for head in student.header.heads}
        intent, slots = heads.get(INTENT), heads.get(SLOTS)
        if not isinstance(given, TextInput) or not isinstance(intent, ClassHead):
            raise StudentError(
                f"The student for {student.header.task} does not understand text.",
                f'A student that does takes text and has a class head named "{INTENT}".',
            )
        self._identity = student.identity
        self._tokenizer = Tokenizer(given, student.tensors[given.vocabulary])
        self._runtime = runtime
        self._intent = intent
        self._slots = slots if isinstance(slots, TagsHead) else None
        self._paths: Paths | None = None
        if self._slots is not None and self._slots.follows and self._slots.gain:
            self._paths = Paths(student.tensors[self._slots.follows], self._slots.gain)

    def understand(self, text: str) -> Understanding:
        """The likeliest intent of one text, accepted or not, and the slots in it."""
        tokens = self._tokenizer.tokens(text)
        outputs = self._runtime.run(np.array([token.id for token in tokens], np.int32))
        logits: list[int] = outputs[self._intent.of].tolist()
        best, score, runner_up = judge(self._intent, logits)
        shown = probabilities(self._intent, logits)
        second = None
        if runner_up is not None:
            second = self._intent.labels[runner_up], shown(runner_up)
        slots: tuple[Slot, ...] = ()
        if self._slots is not None:
            slots = slots_of(text, tokens, self._labels(self._slots, tokens, outputs))
        return Understanding(
            intent=self._intent.labels[best],
            score=shown(best),
            accepted=score >= self._intent.threshold,
            slots=slots,
            student=self._identity,
            second=second,
        )

    def _labels(
        self, head: TagsHead, tokens: Sequence[Token], outputs: Mapping[str, NDArray[Any]]
    ) -> list[str]:
        """A label a token; only those of first pieces count."""
        logits = outputs[head.of]
        if self._paths is None:
            return [head.labels[tag] for tag in logits.argmax(axis=-1)]
        words = [at for at, token in enumerate(tokens) if token.first]
        labels = [""] * len(tokens)
        for at, tag in zip(words, self._paths.best(logits.take(words, axis=0)), strict=True):
            labels[at] = head.labels[tag]
        return labels


def judge(head: ClassHead, logits: Sequence[int]) -> tuple[int, int, int | None]:
    """(the best label beside the one outside; its integer score, which `threshold` is compared to; the next best of those, if there is one).

    Of equals the lowest index.
    """
    left, outside = [*logits], head.outside
    if outside is not None:
        left[outside] = _BELOW_ALL
    highest = max(left)
    best = left.index(highest)
    left[best] = _BELOW_ALL
    next_ = max(left)
    score = highest
    if head.score == "margin" and outside is not None:
        score -= logits[outside]
    return best, score, left.index(next_) if next_ > _BELOW_ALL else None


def probabilities(head: ClassHead, logits: Sequence[int]) -> Callable[[int], float]:
    """The softmax of the natural logits, by label, to four digits: to show, never to decide."""
    top, scale = max(logits), head.scale
    natural = [math.exp((x - top) * scale) for x in logits]
    total = math.fsum(natural)
    return lambda label: round(natural[label] / total, 4)


def slots_of(text: str, tokens: Sequence[Token], labels: Sequence[str]) -> tuple[Slot, ...]:
    """Slots from one label a token: the first piece of a word decides for the word; an I without its B begins a slot."""
    found: list[Slot] = []
    open_as = ""
    for token, label in zip(tokens, labels, strict=True):
        if not token.first:
            if open_as:
                found[-1] = _longer(found[-1], text, token.end)
            continue
        kind, _, name = label.partition("-")
        if kind == "I" and name == open_as:
            found[-1] = _longer(found[-1], text, token.end)
        elif name:
            found.append(Slot(name, text[token.start : token.end], token.start, token.end))
        open_as = name
    return tuple(found)


def numbers(head: Head, outputs: Mapping[str, NDArray[Any]]) -> list[float]:
    """What a value head says, in its unit."""
    if not isinstance(head, ValueHead):
        raise StudentError(f"The head {head.name} gives no numbers.", "Ask for one of kind value.")
    return [float(x) * head.scale + head.offset for x in outputs[head.of].tolist()]


def _longer(slot: Slot, text: str, end: int) -> Slot:
    return Slot(slot.name, text[slot.start : end], slot.start, end)
