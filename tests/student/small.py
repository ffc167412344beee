"""A small student made by hand, for whoever tests with one: three intents, one slot, no training.

"turn on" / "turn off" with a light is an intent, anything else is outside; "kitchen" and "bed room" are areas.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hearthway.student import header as h
from hearthway.student.alphabet import text_input
from hearthway.student.format import write
from hearthway.student.rescale import sum_table, table

VOCABULARY = (
    *("[UNK]", "turn", "on", "off", "the", "kitchen", "light", "bed", "room", "##s", "?"),
    *("a", "##b", "'", "cafe"),
)
INTENTS = ("light_on", "light_off", "outside")
TAGS = ("O", "B-area", "I-area")
Content = tuple[h.Header, dict[str, NDArray[Any]]]


def _matrix(rows: dict[int, dict[str, int]], count: int) -> NDArray[np.int8]:
    weight = np.zeros((count, len(VOCABULARY)), np.int8)
    for row, words in rows.items():
        for word, value in words.items():
            weight[row, VOCABULARY.index(word)] = value
    return weight


def text_content() -> Content:
    """Header and tensors: what `format.write` takes."""
    given, vocabulary = text_input(VOCABULARY, unknown=0, steps_max=16)
    size = len(VOCABULARY)
    taps = np.zeros((size, 3, size), np.int8)
    taps[:, 1] = 64 * np.eye(size)
    tensors: dict[str, NDArray[Any]] = {
        "vocabulary": vocabulary,
        "table": (100 * np.eye(size)).astype(np.int8),
        "conv.weight": taps,
        "conv.bias": np.zeros(size, np.int32),
        "conv.rescale": table([1 / 64] * size),
        "sum.rescale": sum_table(0.01, 16),
        "intent.weight": np.concatenate(
            (
                _matrix({0: {"on": 50, "light": 40}, 1: {"off": 50, "light": 40}}, 3),
                np.zeros((3, size), np.int8),
            ),
            axis=1,
        ),
        "intent.bias": np.array([0, 0, 6000], np.int32),
        "slots.weight": _matrix({1: {"kitchen": 100, "bed": 100}, 2: {"room": 100}}, 3),
        "slots.bias": np.array([500, 0, 0], np.int32),
    }
    header = h.Header(
        task="ask",
        about=h.About(title="A hand-made student", licence="Apache-2.0", recipe={"seed": "none"}),
        input=given,
        nodes=(
            h.Embedding(name="e", of="input", table="table"),
            h.Conv1d(
                name="c",
                of="e",
                weight="conv.weight",
                bias="conv.bias",
                rescale="conv.rescale",
                relu=True,
            ),
            h.Add(name="r", of=("e", "c"), multipliers=(2**30, 2**30), shift=31),
            h.Pool(name="max", of="r", how="max"),
            h.Pool(name="sum", of="r", how="sum", rescale="sum.rescale"),
            h.Concat(name="both", of=("max", "sum")),
            h.Dense(name="logits", of="both", weight="intent.weight", bias="intent.bias"),
            h.Dense(name="tags", of="r", weight="slots.weight", bias="slots.bias"),
        ),
        outputs=("logits", "tags"),
        heads=(
            h.ClassHead(
                name="intent",
                of="logits",
                labels=INTENTS,
                scale=0.001,
                score="margin",
                outside=2,
                threshold=1000,
            ),
            h.TagsHead(name="slots", of="tags", labels=TAGS, scale=0.001),
        ),
    )
    return header, tensors


def text_student_file() -> bytes:
    """The file."""
    return write(*text_content())


def changed(content: Content, path: str, value: Any) -> Content:
    """The content with another value in its header: "nodes.1.relu", or in its tensors: "tensor.NAME"."""
    header, tensors = content
    if path.startswith("tensor."):
        return header, {**tensors, path.removeprefix("tensor."): value}
    document = msgspec.to_builtins(header)
    *way, last = path.split(".")
    at = document
    for part in way:
        at = at[int(part)] if part.isdigit() else at[part]
    if isinstance(at, tuple | list):
        raise TypeError("name a field")
    at[last] = value
    return msgspec.convert(document, h.Header, strict=False), tensors
