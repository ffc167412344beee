"""What a student's file says of itself: its input, operators, outputs and how they are read.

The header is canonical JSON. Everything countable is bounded here or in `legal`, so that a file cannot claim what it is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

STEPS_MAX = 4096
CHANNELS_MAX = 4096
KERNEL_MAX = 31
VOCABULARY_MAX = 65_536
NODES_MAX = 256
INPUT = "input"  # the name of the one value that is given

Name = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_.]{0,63}\Z")]
Task = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_]{0,63}\Z")]  # a file's name, too
Label = Annotated[str, Meta(min_length=1, max_length=100)]
Line = Annotated[str, Meta(max_length=400)]
Steps = Annotated[int, Meta(ge=0, le=STEPS_MAX)]
Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Characters = Annotated[str, Meta(max_length=20_000)]
Labels = Annotated[tuple[Label, ...], Meta(min_length=1, max_length=CHANNELS_MAX)]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class About(_Strict, frozen=True):
    """Where a student comes from and under which terms: for people, nothing is computed from it."""

    title: Line
    licence: Line
    attribution: Annotated[tuple[Line, ...], Meta(max_length=32)] = ()
    recipe: Annotated[dict[Label, Line], Meta(max_length=64)] = {}


class TextInput(_Strict, frozen=True, tag="text", tag_field="kind"):
    """Text as token ids, int32 [T], T in 1..steps_max; the four alphabets are the whole rule of what a character is."""

    steps_max: Steps
    vocabulary: Name  # uint8 tensor: the tokens in the order of their ids, joined by newlines
    unknown: Annotated[int, Meta(ge=0, lt=VOCABULARY_MAX)]
    letters: Characters
    signs: Characters
    fold: Annotated[
        dict[Annotated[str, Meta(min_length=1, max_length=3)], Characters], Meta(max_length=5000)
    ]
    drop: Characters


class Feature(_Strict, frozen=True):
    """One number of the input: q = clamp(floor((x - offset) * gain + 0.5), -128, 127) in IEEE doubles; NaN gives 0."""

    name: Label
    unit: Annotated[str, Meta(max_length=30)]
    offset: float
    gain: float


class FeatureInput(_Strict, frozen=True, tag="features", tag_field="kind"):
    """Numbers, int8 [T, C] with T in 1..steps_max, or int8 [C] where steps_max is 0."""

    steps_max: Steps
    features: Annotated[tuple[Feature, ...], Meta(min_length=1, max_length=CHANNELS_MAX)]


class _Node(_Strict, frozen=True, tag_field="op"):
    name: Name


class Embedding(_Node, frozen=True, tag="embedding"):
    """Rows of a table; with `gain` the table has 4 bits a number and y = nibble * gain[row]."""

    of: Name
    table: Name
    gain: Name | None = None


class Conv1d(_Node, frozen=True, tag="conv1d"):
    """Over time with stride 1 and zeros at both ends: as many steps come out as go in."""

    of: Name
    weight: Name
    bias: Name
    rescale: Name | None = None
    relu: bool = False


class Dense(_Node, frozen=True, tag="dense"):
    """A matrix; of a sequence, at every step."""

    of: Name
    weight: Name
    bias: Name
    rescale: Name | None = None
    relu: bool = False


class Add(_Node, frozen=True, tag="add"):
    """Two values of one shape, each times its multiplier, rounded once."""

    of: tuple[Name, Name]
    multipliers: tuple[Int32, Int32]
    shift: Annotated[int, Meta(ge=1, le=62)]
    relu: bool = False


class Relu(_Node, frozen=True, tag="relu"):
    """Nothing below zero."""

    of: Name


class Pool(_Node, frozen=True, tag="pool"):
    """Over all true steps: the largest, or the sum rescaled by the row of the true length (a mean, where the rows say so)."""

    of: Name
    how: Literal["max", "sum"]
    rescale: Name | None = None


class Concat(_Node, frozen=True, tag="concat"):
    """Channels side by side; a vector beside a sequence stands at every step."""

    of: Annotated[tuple[Name, ...], Meta(min_length=2, max_length=16)]


class Requantise(_Node, frozen=True, tag="requantise"):
    """To int8 with another scale a channel."""

    of: Name
    rescale: Name
    relu: bool = False


class Argmax(_Node, frozen=True, tag="argmax"):
    """The channel of the largest value, the lowest of equal ones."""

    of: Name


Node = Embedding | Conv1d | Dense | Add | Relu | Pool | Concat | Requantise | Argmax


class ClassHead(_Strict, frozen=True, tag="class", tag_field="kind"):
    """One of `labels`: the best beside `outside`, accepted where the integer score reaches `threshold`.

    The score is the best logit, or with "margin" the best minus that of `outside`. A logit times `scale` is natural.
    """

    name: Name
    of: Name
    labels: Labels
    scale: float
    threshold: Annotated[int, Meta(ge=-(2**32), le=2**32)]
    score: Literal["margin", "best"] = "best"
    outside: Annotated[int, Meta(ge=0, lt=CHANNELS_MAX)] | None = None


class TagsHead(_Strict, frozen=True, tag="tags", tag_field="kind"):
    """One label a step: "O", "B-name" where a slot begins, "I-name" where it goes on.

    With `follows`, the labels of the words are those whose logits and `follows[before, label] * gain` sum to the most.
    """

    name: Name
    of: Name
    labels: Labels
    scale: float
    follows: Name | UnsetType = UNSET  # int8 tensor [labels, labels]
    gain: Annotated[int, Meta(ge=1, le=2**24)] | UnsetType = UNSET


class ValueHead(_Strict, frozen=True, tag="value", tag_field="kind"):
    """Numbers: each is its logit times `scale` plus `offset`, in `unit`."""

    name: Name
    of: Name
    unit: Annotated[str, Meta(max_length=30)]
    scale: float
    offset: float = 0.0


Head = ClassHead | TagsHead | ValueHead


class TensorEntry(_Strict, frozen=True):
    """A tensor of the file: row-major, little endian; where it stands follows from the order."""

    name: Name
    dtype: Literal["int8", "uint8", "int32"]
    shape: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=2**26)], ...], Meta(min_length=1, max_length=3)
    ]

    @property
    def size(self) -> int:
        """Bytes."""
        size = 4 if self.dtype == "int32" else 1
        for length in self.shape:
            size *= length
        return size


class Header(_Strict, frozen=True):
    """All of a student but its tensors' numbers."""

    task: Task
    about: About
    input: TextInput | FeatureInput
    nodes: Annotated[tuple[Node, ...], Meta(min_length=1, max_length=NODES_MAX)]
    outputs: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=32)]
    heads: Annotated[tuple[Head, ...], Meta(max_length=32)] = ()
    tensors: Annotated[tuple[TensorEntry, ...], Meta(max_length=1024)] = ()


TENSOR_FIELDS = ("table", "gain", "weight", "bias", "rescale")


def inputs_of(node: Node) -> tuple[str, ...]:
    """The values that a node reads."""
    return (node.of,) if isinstance(node.of, str) else node.of


def tensors_of(node: Node) -> Iterator[tuple[str, str]]:
    """(field, name of the tensor) of a node."""
    for field in TENSOR_FIELDS:
        name = getattr(node, field, None)
        if name is not None:
            yield field, name
