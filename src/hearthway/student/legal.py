"""The check that a student is legal by the table of forms, with the proof that no sum leaves int32 and no run its fuel."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hearthway.records.errors import StudentError

from . import header as h
from .forms import Letters, Tensors, Value, given_by, illegal, match
from .legal_heads import check_head
from .legal_text import check_text
from .rescale import MULTIPLIER, SHIFT

MACS_MAX = 2**27  # multiply-adds of one run at steps_max: fuel
NUMBERS_MAX = 2**22  # numbers that all values of one run hold, a convolution's windows included
INT32_MAX = 2**31 - 1
INT8_REACH = 128  # the largest |int8|


@dataclass(frozen=True, slots=True)
class Plan:
    """What the check has proved: each value's form and bound, and the multiply-adds of one run at steps_max."""

    values: Mapping[str, Value]
    macs: int


def check(header: h.Header, tensors: Tensors) -> Plan:
    """The plan of a legal student; StudentError names the first thing that breaks the table."""
    own = {"S": header.input.steps_max}
    values = {h.INPUT: _given(header.input, tensors, own)}
    macs = numbers = 0
    for node in header.nodes:
        if node.name in values:
            raise illegal(f"two values have the name {node.name}")
        taken = [_known(values, name, node.name) for name in h.inputs_of(node)]
        form, letters = match(node, taken, tensors, own)
        value = values[node.name] = given_by(form, letters, _prove(node, tensors), node)
        steps = max(1, header.input.steps_max) if any(one.steps for one in taken) else 1
        window = letters.get("K", 1) * letters.get("C", value.channels or 1)
        work = math.prod(letters[letter] for letter in form.macs)
        macs += steps * (work if form.macs else value.channels or window)
        numbers += steps * ((value.channels or 1) + window)
        if macs > MACS_MAX or numbers > NUMBERS_MAX:
            raise illegal(f"up to {node.name} one run costs more than a student may")
    _check_use(header, values, tensors)
    for head in header.heads:
        check_head(head, header, values, tensors)
    return Plan(values, macs)


def admit(header: h.Header, given: Any) -> NDArray[Any]:
    """The input as the runtimes take it (int32 ids or int8 features, contiguous); StudentError where it does not fit."""
    return admission(header)(given)


def admission(header: h.Header) -> Callable[[Any], NDArray[Any]]:
    """`admit` for one header, which is looked through once."""
    form = header.input
    wanted = 1 if isinstance(form, h.TextInput) or not form.steps_max else 2
    rows = {t.name: t.shape[0] for t in header.tensors}
    tokens = next((rows[n.table] for n in header.nodes if isinstance(n, h.Embedding)), 0)

    def admitted(given: Any) -> NDArray[Any]:
        try:
            array = np.asarray(given)
        except (ValueError, TypeError, OverflowError):  # rows of different lengths
            raise _unfit("it is no array of numbers") from None
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
        ids = array.tolist()
        if not (min(ids) >= 0 and max(ids) < tokens):
            raise _unfit(f"an id is not one of the {tokens} tokens")
        return np.ascontiguousarray(array, np.int32)

    return admitted


def _unfit(what: str) -> StudentError:
    return StudentError(f"The input does not fit the student: {what}.", "Prepare it by the header.")


def _given(given: h.TextInput | h.FeatureInput, tensors: Tensors, own: Letters) -> Value:
    if isinstance(given, h.FeatureInput):
        for feature in given.features:
            if not (math.isfinite(feature.offset) and math.isfinite(feature.gain)):
                raise illegal(f"feature {feature.name} has no finite offset and gain")
        return Value("int8", bool(given.steps_max), len(given.features), INT8_REACH)
    if not given.steps_max:
        raise illegal("a text has at least one step")
    own["V"], problem = check_text(given, tensors.get(given.vocabulary))
    if problem:
        raise illegal(problem)
    return Value("ids", steps=True, channels=None, bound=own["V"])


def _known(values: Mapping[str, Value], name: str, reader: str) -> Value:
    if name not in values:
        raise illegal(f"{reader} reads {name}, which no operator before it gives")
    return values[name]


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
    named |= {
        head.follows for head in header.heads if isinstance(head, h.TagsHead) and head.follows
    }
    for name in tensors:
        if name not in named:
            raise illegal(f"nothing reads the tensor {name}")
