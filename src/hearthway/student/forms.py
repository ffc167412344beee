"""The table of legal forms: what each operator takes, which tensors it has and what it gives; and how a node is matched.

Lengths are letters: one letter has one value in a form. `T` is the number of steps, `T?` stands for "with or without
steps"; `V` (tokens of the vocabulary) and `S` (steps_max) are the file's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from hearthway.records.errors import StudentError

from . import header as h

Tensors = Mapping[str, NDArray[Any]]
Letters = dict[str, int]


@dataclass(frozen=True, slots=True)
class Form:
    """One legal form of an operator."""

    op: str
    takes: tuple[str, ...]  # one pattern an input; a single one with "..." for concat
    tensors: Mapping[str, str]
    gives: str
    macs: str = ""  # letters whose product is the multiply-adds of one step (or of all, where there are none)
    how: str = ""


_OUT8 = {"weight": "int8 [O, K, C]", "bias": "int32 [O]", "rescale": "int32 [2, O]"}
_OUT32 = {"weight": "int8 [O, K, C]", "bias": "int32 [O]"}
_DENSE8 = {"weight": "int8 [O, C]", "bias": "int32 [O]", "rescale": "int32 [2, O]"}
_DENSE32 = {"weight": "int8 [O, C]", "bias": "int32 [O]"}
FORMS = (
    Form("embedding", ("ids [T]",), {"table": "int8 [V, C]"}, "int8 [T, C]"),
    Form(
        "embedding",
        ("ids [T]",),
        {"table": "uint8 [V, H]", "gain": "uint8 [V]"},
        "int8 [T, 2H]",
    ),
    Form("conv1d", ("int8 [T, C]",), _OUT8, "int8 [T, O]", macs="OKC"),
    Form("conv1d", ("int8 [T, C]",), _OUT32, "int32 [T, O]", macs="OKC"),
    Form("dense", ("int8 [T?, C]",), _DENSE8, "int8 [T?, O]", macs="OC"),
    Form("dense", ("int8 [T?, C]",), _DENSE32, "int32 [T?, O]", macs="OC"),
    Form("add", ("int8 [T?, C]", "int8 [T?, C]"), {}, "int8 [T?, C]"),
    Form("relu", ("int8 [T?, C]",), {}, "int8 [T?, C]"),
    Form("pool", ("int8 [T, C]",), {}, "int8 [C]", how="max"),
    Form("pool", ("int8 [T, C]",), {"rescale": "int32 [2, S]"}, "int8 [C]", how="sum"),
    Form("concat", ("int8 [T?, C]...",), {}, "int8 [T?, C+...]"),
    Form(
        "requantise",
        ("int8|int32 [T?, C]",),
        {"rescale": "int32 [2, C]"},
        "int8 [T?, C]",
    ),
    Form("argmax", ("int8|int32 [T?, C]",), {}, "int32 [T?]"),
)


@dataclass(frozen=True, slots=True)
class Value:
    """What stands between operators: its type, whether it has steps, its channels, and how large |it| can be."""

    dtype: str
    steps: bool
    channels: int | None  # None: one number, or one a step
    bound: int

    def __str__(self) -> str:
        lengths = ["T"] * self.steps + [str(self.channels)] * (self.channels is not None)
        return f"{self.dtype} [{', '.join(lengths)}]"


def illegal(what: str) -> StudentError:
    """The error of a file whose content breaks the table."""
    return StudentError(
        f"The student is not legal: {what}.", "Get the file again, or export it anew."
    )


def match(
    node: h.Node, taken: Sequence[Value], tensors: Tensors, own: Mapping[str, int]
) -> tuple[Form, Letters]:
    """The form that a node has, and its letters; StudentError where there is none."""
    form = _form(node)
    letters = dict(own)
    if isinstance(node, h.Concat):
        each = [_take(form.takes[0], value, dict(own), node) for value in taken]
        letters |= {"C": sum(one["C"] for one in each), "T?": max(one["T?"] for one in each)}
    else:
        for pattern, value in zip(form.takes, taken, strict=True):
            _take(pattern, value, letters, node)
    for field, pattern in form.tensors.items():
        _hold(pattern, field, tensors, letters, node)
    return form, letters


def given_by(form: Form, letters: Letters, bound: int, node: h.Node) -> Value:
    """What a matched node gives; StudentError where it has too many channels."""
    types, lengths = _parts(form.gives)
    steps = lengths[0] == "T" or (lengths[0] == "T?" and bool(letters["T?"]))
    rest = [length for length in lengths if not length.startswith("T")]
    if not rest:
        return Value(types[0], steps, None, bound)
    channels = letters["H"] * 2 if rest[0] == "2H" else letters[rest[0][0]]
    if channels > h.CHANNELS_MAX:
        raise illegal(f"{node.name} gives {channels} channels; {h.CHANNELS_MAX} are the most")
    return Value(types[0], steps, channels, bound)


def _form(node: h.Node) -> Form:
    op = type(node).__struct_config__.tag
    fields = {field for field, _ in h.tensors_of(node)}
    how = getattr(node, "how", "")
    for form in FORMS:
        if (form.op, set(form.tensors), form.how) == (op, fields, how):
            return form
    named = ", ".join(sorted(fields)) or "none"
    raise illegal(f"{node.name}: no form of {op} {how} has just these tensors: {named}")


def _take(pattern: str, value: Value, letters: Letters, node: h.Node) -> Letters:
    """The letters with those of one input."""
    types, lengths = _parts(pattern)
    steps, *rest = lengths
    fits = value.dtype in types and (value.channels is not None) == bool(rest)
    fits = fits and (
        value.steps if steps == "T" else letters.setdefault(steps, value.steps) == value.steps
    )
    if fits and rest:
        fits = letters.setdefault(rest[0], value.channels or 0) == value.channels
    if not fits:
        raise illegal(f"{node.name} takes {pattern} and is given {value}")
    return letters


def _hold(pattern: str, field: str, tensors: Tensors, letters: Letters, node: h.Node) -> None:
    name = getattr(node, field)
    if name not in tensors:
        raise illegal(f"{node.name} names the tensor {name}, which is not in the file")
    tensor = tensors[name]
    types, lengths = _parts(pattern)
    fits = tensor.dtype.name in types and tensor.ndim == len(lengths)
    for letter, length in zip(lengths, tensor.shape, strict=fits):
        wanted = int(letter) if letter.isdigit() else letters.setdefault(letter, length)
        fits = fits and wanted == length
    if not fits:
        has = f"{tensor.dtype.name} {list(tensor.shape)}"
        raise illegal(f"{node.name}: its {field} is {has} and has to be {pattern}")


def _parts(pattern: str) -> tuple[list[str], list[str]]:
    types, _, lengths = pattern.removesuffix("...").partition(" [")
    return types.split("|"), lengths.rstrip("]").split(", ")
