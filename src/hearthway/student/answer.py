"""Integers of the outputs -> what they mean: an intent accepted or not, slots with their place in the text, numbers.

Whether an intent is accepted is decided by comparing integers; `score` is a probability to show, and decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from hearthway.records.errors import StudentError
from hearthway.records.understanding import Slot, Understanding

from .format import Student
from .header import ClassHead, Head, TagsHead, TextInput, ValueHead
from .tokens import Token, Tokenizer

INTENT, SLOTS = "intent", "slots"  # the heads of a student that understands text


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

    def understand(self, text: str) -> Understanding:
        """The likeliest intent of one text, accepted or not, and the slots in it."""
        tokens = self._tokenizer.tokens(text)
        outputs = self._runtime.run([token.id for token in tokens])
        logits = [int(x) for x in outputs[self._intent.of]]
        best, score = judge(self._intent, logits)
        slots: tuple[Slot, ...] = ()
        if self._slots is not None:
            tags = outputs[self._slots.of].argmax(axis=-1)
            labels = [self._slots.labels[tag] for tag in tags]
            slots = slots_of(text, tokens, labels)
        return Understanding(
            intent=self._intent.labels[best],
            score=probability(self._intent, logits, best),
            accepted=score >= self._intent.threshold,
            slots=slots,
            student=self._identity,
            second=self._second(logits, best),
        )

    def _second(self, logits: Sequence[int], best: int) -> tuple[str, float] | None:
        head = self._intent
        rest = (i for i in range(len(logits)) if i not in (head.outside, best))
        second = max(rest, key=lambda i: (logits[i], -i), default=None)
        if second is None:
            return None
        return head.labels[second], probability(head, logits, second)


def judge(head: ClassHead, logits: Sequence[int]) -> tuple[int, int]:
    """(the best label beside the one outside, lowest index first; its integer score, which `threshold` is compared to)."""
    inside = (i for i in range(len(logits)) if i != head.outside)
    best = max(inside, key=lambda i: (logits[i], -i))
    if head.score == "margin" and head.outside is not None:
        return best, logits[best] - logits[head.outside]
    return best, logits[best]


def probability(head: ClassHead, logits: Sequence[int], label: int) -> float:
    """The softmax of the natural logits at one label, to four digits: to show, never to decide."""
    top = max(logits)
    natural = [math.exp((x - top) * head.scale) for x in logits]
    return round(natural[label] / math.fsum(natural), 4)


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
