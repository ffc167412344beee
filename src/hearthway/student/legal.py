"""The table of legal forms, executable: what may stand in a student's file, and the proof that its sums stay in int32.

A form says what an operator takes, which tensors it has and what it gives. Lengths are letters: one letter has one
value in a form. `T` is the number of steps, `T?` stands for "with or without steps"; `V` (tokens of the vocabulary)
and `S` (steps_max) are the file's own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hearthway.records.errors import StudentError

from . import header as h
from .legal_text import check_text
from .rescale import MULTIPLIER, SHIFT

MACS_MAX = 2**27  # multiply-adds of one run at steps_max: fuel
NUMBERS_MAX = 2**22  # numbers that all values of one run hold, a convolution's windows included
INT32_MAX = 2**31 - 1
INT8_REACH = 128  # the largest |int8|

Tensors = Mapping[str, NDArray[Any]]


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


@dataclass(frozen=True, slots=True)
class Plan:
    """What the check has proved: each value's form and bound, and the multiply-adds of one run at steps_max."""

    values: Mapping[str, Value]
    macs: int


def illegal(what: str) -> StudentError:
    """The error of a file whose content breaks the table."""
    return StudentError(
        f"The student is not legal: {what}.", "Get the file again, or export it anew."
    )


def check(header: h.Header, tensors: Tensors) -> Plan:
    """The plan of a legal student; StudentError names the first thing that breaks the table."""
    letters = {"S": header.input.steps_max}
    values = {h.INPUT: _given(header.input, tensors, letters)}
    macs = numbers = 0
    for node in header.nodes:
        if node.name in values:
            raise illegal(f"two values have the name {node.name}")
        taken = [_known(values, name, node.name) for name in h.inputs_of(node)]
        value, bound_letters, form = _result(node, taken, tensors, letters)
        values[node.name] = value
        steps = max(1, header.input.steps_max) if any(one.steps for one in taken) else 1
        held = (value.channels or 1) + math.prod(bound_letters.get(x, 1) for x in "KC")
        macs += steps * math.prod(bound_letters[x] for x in form.macs or "C")
        numbers += steps * held
        if macs > MACS_MAX or numbers > NUMBERS_MAX:
            raise illegal(f"up to {node.name} one run costs more than a student may")
    _check_use(header, values, tensors)
    for head in header.heads:
        _check_head(head, header, values)
    return Plan(values, macs)


def admit(header: h.Header, given: Any) -> NDArray[Any]:
    """The input as the runtimes take it (int32 ids or int8 features, contiguous); StudentError where it does not fit."""
    try:
        array = np.asarray(given)
    except (ValueError, TypeError, OverflowError):  # rows of different lengths
        raise _unfit("it is no array of numbers") from None
    form = header.input
    wanted = 1 if isinstance(form, h.TextInput) or not form.steps_max else 2
    if array.ndim != wanted:
        raise _unfit(f"it has {array.ndim} axes and not {wanted}")
    if form.steps_max and not 1 <= array.shape[0] <= form.steps_max:
        raise _unfit(f"it has {array.shape[0]} steps and not 1 to {form.steps_max}")
    if isinstance(form, h.FeatureInput):
        if array.dtype != np.int8 or array.shape[-1] != len(form.features):
            raise _unfit(f"it is not int8 with {len(form.features)} features")
        return np.ascontiguousarray(array)
    if array.dtype.kind not in "iu":
        raise _unfit("token ids are integers")
    return _admit_ids(header, array)


def _admit_ids(header: h.Header, array: NDArray[Any]) -> NDArray[np.int32]:
    rows = {t.name: t.shape[0] for t in header.tensors}
    tokens = next(rows[n.table] for n in header.nodes if isinstance(n, h.Embedding))
    if not (int(array.min()) >= 0 and int(array.max()) < tokens):
        raise _unfit(f"an id is not one of the {tokens} tokens")
    return np.ascontiguousarray(array, np.int32)


def _unfit(what: str) -> StudentError:
    return StudentError(f"The input does not fit the student: {what}.", "Prepare it by the header.")


def _given(given: h.TextInput | h.FeatureInput, tensors: Tensors, letters: dict[str, int]) -> Value:
    if isinstance(given, h.FeatureInput):
        for feature in given.features:
            if not (math.isfinite(feature.offset) and math.isfinite(feature.gain)):
                raise illegal(f"feature {feature.name} has no finite offset and gain")
        return Value("int8", bool(given.steps_max), len(given.features), INT8_REACH)
    if not given.steps_max:
        raise illegal("a text has at least one step")
    letters["V"], problem = check_text(given, tensors.get(given.vocabulary))
    if problem:
        raise illegal(problem)
    return Value("ids", steps=True, channels=None, bound=letters["V"])


def _known(values: Mapping[str, Value], name: str, reader: str) -> Value:
    if name not in values:
        raise illegal(f"{reader} reads {name}, which no operator before it gives")
    return values[name]


def _result(
    node: h.Node, taken: list[Value], tensors: Tensors, letters: Mapping[str, int]
) -> tuple[Value, dict[str, int], Form]:
    form = _form(node)
    bound = dict(letters)
    steps = False
    total = 0
    patterns = form.takes * len(taken) if isinstance(node, h.Concat) else form.takes
    for pattern, value in zip(patterns, taken, strict=True):
        if isinstance(node, h.Concat):
            bound.pop("C", None)
        steps = _match_value(pattern, value, bound, node, before=steps if total else None)
        total += bound.get("C", 1)
    if isinstance(node, h.Concat):
        bound["C"], steps = total, any(value.steps for value in taken)
    for field, pattern in form.tensors.items():
        _match_tensor(pattern, field, tensors, bound, node)
    peak = _prove(node, tensors)
    return _gives(form, bound, peak, node, steps=steps), bound, form


def _form(node: h.Node) -> Form:
    op = type(node).__struct_config__.tag
    fields = {field for field, _ in h.tensors_of(node)}
    how = getattr(node, "how", "")
    for form in FORMS:
        if (form.op, set(form.tensors), form.how) == (op, fields, how):
            return form
    named = ", ".join(sorted(fields)) or "none"
    raise illegal(f"{node.name}: no form of {op} {how} has just these tensors: {named}")


def _match_value(
    pattern: str, value: Value, bound: dict[str, int], node: h.Node, *, before: bool | None
) -> bool:
    """Whether it has steps; binds the pattern's letters."""
    types, lengths = _parts(pattern)
    stepped = lengths[0] == "T" or (lengths[0] == "T?" and value.steps)
    fits = value.dtype in types and value.steps == stepped
    if not isinstance(node, h.Concat):
        fits = fits and before in (None, value.steps)
    rest = [x for x in lengths if not x.startswith("T")]
    fits = fits and (value.channels is not None) == bool(rest)
    if not fits or (rest and bound.setdefault(rest[0], value.channels or 0) != value.channels):
        raise illegal(f"{node.name} takes {pattern} and is given {value}")
    return value.steps


def _match_tensor(
    pattern: str, field: str, tensors: Tensors, bound: dict[str, int], node: h.Node
) -> None:
    name = getattr(node, field)
    if name not in tensors:
        raise illegal(f"{node.name} names the tensor {name}, which is not in the file")
    tensor = tensors[name]
    types, lengths = _parts(pattern)
    fits = tensor.dtype.name in types and tensor.ndim == len(lengths)
    for letter, length in zip(lengths, tensor.shape, strict=fits):
        wanted = int(letter) if letter.isdigit() else bound.setdefault(letter, length)
        fits = fits and wanted == length
    if not fits:
        has = f"{tensor.dtype.name} {list(tensor.shape)}"
        raise illegal(f"{node.name}: its {field} is {has} and has to be {pattern}")


def _parts(pattern: str) -> tuple[list[str], list[str]]:
    types, _, lengths = pattern.removesuffix("...").partition(" [")
    return types.split("|"), lengths.rstrip("]").split(", ")


def _gives(form: Form, bound: dict[str, int], peak: int, node: h.Node, *, steps: bool) -> Value:
    types, lengths = _parts(form.gives)
    rest = [x for x in lengths if not x.startswith("T")]
    channels: int | None = None
    if rest:
        channels = bound["H"] * 2 if rest[0] == "2H" else bound[rest[0][0]]
        if channels > h.CHANNELS_MAX:
            raise illegal(f"{node.name} gives {channels} channels; {h.CHANNELS_MAX} are the most")
        bound.setdefault("C", channels)
    return Value(types[0], steps and lengths[0].startswith("T"), channels, peak)


def _prove(node: h.Node, tensors: Tensors) -> int:
    """The largest |value| a node can give, its integers checked; StudentError where a sum could leave int32."""
    if isinstance(node, h.Conv1d | h.Dense):
        peak = int(peaks(tensors[node.weight], tensors[node.bias]).max())
        if peak > INT32_MAX:
            raise illegal(f"{node.name}: a sum could leave int32 (it could reach {peak})")
        if isinstance(node, h.Conv1d):
            kernel = tensors[node.weight].shape[1]
            if kernel % 2 == 0 or kernel > h.KERNEL_MAX:
                raise illegal(f"{node.name}: a kernel of {kernel} steps; it is odd, to 31")
        if node.rescale is None:
            if node.relu:
                raise illegal(f"{node.name}: relu goes with rescale")
            return peak
    if isinstance(node, h.Embedding) and node.gain is not None:
        gain = tensors[node.gain]
        if int(gain.min()) < 1 or int(gain.max()) > 16:
            raise illegal(f"{node.name}: a gain is not within 1 to 16")
    if isinstance(node, h.Add) and not _add_fits(node):
        raise illegal(f"{node.name}: of its multipliers none is within 2**30 to 2**31 - 1")
    rescale = getattr(node, "rescale", None)
    if rescale is not None and not _rescale_fits(tensors[rescale]):
        raise illegal(f"{node.name}: a multiplier or a shift of {rescale} is out of range")
    return h.CHANNELS_MAX if isinstance(node, h.Argmax) else INT8_REACH


def peaks(weight: NDArray[Any], bias: NDArray[Any]) -> NDArray[np.int64]:
    """The largest |sum| of each output, whatever the input and the order of summing: |bias| + 128 * sum |w|."""
    rows = np.abs(weight.reshape(len(weight), -1), dtype=np.int16).sum(axis=1, dtype=np.int64)
    largest: NDArray[np.int64] = np.abs(bias.astype(np.int64)) + INT8_REACH * rows
    return largest


def _add_fits(node: h.Add) -> bool:
    return min(node.multipliers) >= 0 and max(node.multipliers) in MULTIPLIER


def _rescale_fits(table: NDArray[Any]) -> bool:
    m, s = table
    return bool(
        (m >= MULTIPLIER.start).all() and (s >= SHIFT.start).all() and (s < SHIFT.stop).all()
    )


def _check_use(header: h.Header, values: Mapping[str, Value], tensors: Tensors) -> None:
    """Nothing in the file is there for nothing."""
    read = {name for node in header.nodes for name in h.inputs_of(node)} | set(header.outputs)
    if len(set(header.outputs)) != len(header.outputs) or h.INPUT in header.outputs:
        raise illegal("an output stands twice, or is the input itself")
    for name in header.outputs:
        _known(values, name, "the list of outputs")
    for name in values:
        if name not in read:
            raise illegal(f"nothing reads {name}")
    named = {name for node in header.nodes for _, name in h.tensors_of(node)}
    if isinstance(header.input, h.TextInput):
        named.add(header.input.vocabulary)
    for name in tensors:
        if name not in named:
            raise illegal(f"nothing reads the tensor {name}")


def _check_head(head: h.Head, header: h.Header, values: Mapping[str, Value]) -> None:
    if head.of not in header.outputs:
        raise illegal(f"head {head.name} reads {head.of}, which is no output")
    if sum(one.name == head.name for one in header.heads) > 1:
        raise illegal(f"two heads have the name {head.name}")
    if not (math.isfinite(head.scale) and head.scale > 0):
        raise illegal(f"head {head.name} has no positive scale")
    value = values[head.of]
    if value.channels is None or value.steps != isinstance(head, h.TagsHead):
        raise illegal(f"head {head.name} cannot be read from {value}")
    if isinstance(head, h.ValueHead):
        if not math.isfinite(head.offset):
            raise illegal(f"head {head.name} has no finite offset")
        return
    if len(head.labels) != value.channels or len(set(head.labels)) != len(head.labels):
        raise illegal(f"head {head.name} needs {value.channels} different labels")
    if isinstance(head, h.TagsHead):
        if not all(x == "O" or (x[:2] in ("B-", "I-") and len(x) > 2) for x in head.labels):
            raise illegal(f"head {head.name}: a label is O, B-name or I-name")
    elif head.outside is None:
        if head.score == "margin":
            raise illegal(f"head {head.name}: a margin needs a label that is outside")
    elif head.outside >= len(head.labels) or len(head.labels) < 2:
        raise illegal(f"head {head.name}: the label that is outside is none of its own")
