"""A text student of a trained one's shape and cost, with random numbers: for figures of speed and size. Seeded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hearthway.student import header as h
from hearthway.student.alphabet import text_input
from hearthway.student.format import write
from hearthway.student.rescale import mean_table, table

HALVES = (2**30, 2**30)


@dataclass
class _Layers:
    rng: Generator
    nodes: list[h.Node] = field(default_factory=list)
    tensors: dict[str, NDArray[Any]] = field(default_factory=dict)

    def weights(self, name: str, shape: tuple[int, ...]) -> str:
        weight = np.clip(self.rng.normal(0, 40, shape), -127, 127)
        self.tensors[name] = weight.astype(np.int8)
        return name

    def bias(self, name: str, rows: int) -> str:
        self.tensors[name] = self.rng.integers(-2000, 2000, rows).astype(np.int32)
        return name

    def rescale(self, name: str, rows: int, inputs: int) -> str:
        self.tensors[name] = table(self.rng.uniform(0.5, 1.5, rows) / (40 * inputs**0.5))
        return name

    def embedding(self, tokens: int, channels: int, *, four_bits: bool) -> None:
        gain = None
        if four_bits:
            packed = self.rng.integers(0, 256, (tokens, channels // 2))
            self.tensors["table"] = packed.astype(np.uint8)
            self.tensors["gain"] = self.rng.integers(1, 17, tokens).astype(np.uint8)
            gain = "gain"
        else:
            self.weights("table", (tokens, channels))
        self.nodes.append(h.Embedding(name="e", of=h.INPUT, table="table", gain=gain))

    def conv1d(self, name: str, of: str, inputs: int, width: int) -> None:
        self.nodes.append(
            h.Conv1d(
                name=name,
                of=of,
                weight=self.weights(f"{name}.weight", (width, 3, inputs)),
                bias=self.bias(f"{name}.bias", width),
                rescale=self.rescale(f"{name}.rescale", width, 3 * inputs),
                relu=True,
            )
        )

    def logits(self, name: str, of: str, inputs: int, outputs: int) -> None:
        self.nodes.append(
            h.Dense(
                name=name,
                of=of,
                weight=self.weights(f"{name}.weight", (outputs, inputs)),
                bias=self.bias(f"{name}.bias", outputs),
            )
        )


def text_student(
    rng: Generator,
    *,
    tokens: int = 8000,
    channels: int = 64,
    width: int = 128,
    blocks: int = 3,
    intents: int = 151,
    tags: int = 41,
    four_bits: bool = False,
) -> bytes:
    """The file: embedding, residual convolutions of 3, max and mean, logits for intents and for tags."""
    given, vocabulary = text_input(_vocabulary(tokens), unknown=0, steps_max=64)
    layers = _Layers(rng, tensors={"vocabulary": vocabulary})
    layers.embedding(tokens, channels, four_bits=four_bits)
    layers.conv1d("c0", "e", channels, width)
    of = "c0"
    for n in range(1, blocks):
        layers.conv1d(f"c{n}", of, width, width)
        layers.nodes.append(h.Add(name=f"r{n}", of=(of, f"c{n}"), multipliers=HALVES, shift=30))
        of = f"r{n}"
    layers.tensors["mean.rescale"] = mean_table(2.0, 64)
    layers.nodes += [
        h.Pool(name="max", of=of, how="max"),
        h.Pool(name="mean", of=of, how="sum", rescale="mean.rescale"),
        h.Concat(name="both", of=("max", "mean")),
    ]
    layers.logits("intent", "both", 2 * width, intents)
    layers.logits("slots", of, width, tags)
    header = h.Header(
        task="ask",
        about=h.About(title="Random numbers in a trained student's shape", licence="Apache-2.0"),
        input=given,
        nodes=tuple(layers.nodes),
        outputs=("intent", "slots"),
        heads=_heads(intents, tags),
    )
    return write(header, layers.tensors)


def _vocabulary(tokens: int) -> list[str]:
    """ "[UNK]", then short words and pieces, all different."""
    letters = "etaoinshrdlu"
    words = (
        mark + a + b + c + d
        for mark in ("", "##")
        for a in letters
        for b in letters
        for c in letters
        for d in ("", *letters)
    )
    return ["[UNK]", *(word for word, _ in zip(words, range(tokens - 1), strict=False))]


def _heads(intents: int, tags: int) -> tuple[h.Head, ...]:
    names = (f"{kind}-{n}" for n in range(tags // 2) for kind in "BI")
    return (
        h.ClassHead(
            name="intent",
            of="intent",
            labels=tuple(f"intent_{n}" for n in range(intents)),
            scale=0.001,
            threshold=0,
            outside=0,
        ),
        h.TagsHead(name="slots", of="slots", labels=("O", *names), scale=0.001),
    )
