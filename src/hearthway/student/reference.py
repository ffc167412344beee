"""The norm: what a student computes, in integers alone. Every runtime gives these bits.

There is one rounding rule, `requantise`: half up, once. Sums are int32, as `legal` has proved; only the product with
a multiplier needs 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import header as h
from .format import Student
from .legal import admit

Array = NDArray[Any]
Values = Mapping[str, Array]


def run(student: Student, given: Any) -> dict[str, Array]:
    """The outputs of one input: int32 for sums and argmax, int8 for the rest; StudentError where it does not fit."""
    values = trace(student, given)
    return {name: values[name] for name in student.header.outputs}


def trace(student: Student, given: Any) -> dict[str, Array]:
    """Every value of a run by its name, the input's too."""
    values: dict[str, Array] = {h.INPUT: admit(student.header, given)}
    for node in student.header.nodes:
        taken = [values[name] for name in h.inputs_of(node)]
        tensors = {field: student.tensors[name] for field, name in h.tensors_of(node)}
        values[node.name] = apply(node, taken, tensors)
    return values


def apply(node: h.Node, taken: list[Array], tensors: Values) -> Array:
    """What one operator gives; its tensors are named by their fields."""
    return _OPERATORS[type(node)](node, taken, tensors)


def requantise(wide: Any, m: Any, s: Any, *, relu: bool = False) -> NDArray[np.int8]:
    """clamp((wide * m + 2**(s-1)) >> s, lo, 127) in int64, lo being 0 with relu and -128 without."""
    product = np.asarray(wide, np.int64) * np.asarray(m, np.int64)
    return rounded(product, np.asarray(s, np.int64), relu=relu)


def rounded(product: Array, s: Array, *, relu: bool) -> NDArray[np.int8]:
    """The rule of `requantise` after the product, int64."""
    half = np.left_shift(np.int64(1), s - 1)
    clamped = np.clip((product + half) >> s, 0 if relu else -128, 127)
    narrow: NDArray[np.int8] = clamped.astype(np.int8)
    return narrow


def _embedding(node: h.Embedding, taken: list[Array], tensors: Values) -> Array:
    rows = tensors["table"][taken[0]]
    if node.gain is None:
        return rows
    nibbles = np.stack([rows & 15, rows >> 4], axis=-1).reshape(len(rows), -1).astype(np.int16)
    signed = np.where(nibbles > 7, nibbles - 16, nibbles)
    return (signed * tensors["gain"][taken[0]][:, None]).astype(np.int8)


def _conv1d(node: h.Conv1d, taken: list[Array], tensors: Values) -> Array:
    steps = len(taken[0])
    weight = tensors["weight"].astype(np.int64)
    reach = weight.shape[1] // 2
    padded = np.pad(taken[0].astype(np.int64), ((reach, reach), (0, 0)))
    sums = np.broadcast_to(tensors["bias"].astype(np.int64), (steps, len(weight))).copy()
    for tap in range(weight.shape[1]):
        sums += padded[tap : tap + steps] @ weight[:, tap].T
    return _sums(node, sums, tensors)


def _dense(node: h.Dense, taken: list[Array], tensors: Values) -> Array:
    weight = tensors["weight"].astype(np.int64)
    return _sums(node, taken[0].astype(np.int64) @ weight.T + tensors["bias"], tensors)


def _sums(node: h.Conv1d | h.Dense, sums: Array, tensors: Values) -> Array:
    if node.rescale is None:
        return sums.astype(np.int32)
    return requantise(sums, *tensors["rescale"], relu=node.relu)


def _add(node: h.Add, taken: list[Array], tensors: Values) -> Array:
    a, b = (one.astype(np.int64) * m for one, m in zip(taken, node.multipliers, strict=True))
    return rounded(a + b, np.asarray(node.shift, np.int64), relu=node.relu)


def _relu(node: h.Relu, taken: list[Array], tensors: Values) -> Array:
    return np.maximum(taken[0], 0)


def _pool(node: h.Pool, taken: list[Array], tensors: Values) -> Array:
    if node.how == "max":
        largest: Array = taken[0].max(axis=0)
        return largest
    m, s = tensors["rescale"][:, len(taken[0]) - 1]
    return requantise(taken[0].sum(axis=0, dtype=np.int64), m, s)


def _concat(node: h.Concat, taken: list[Array], tensors: Values) -> Array:
    steps = max((one.shape[:-1] for one in taken), key=len)
    return np.concatenate([np.broadcast_to(one, (*steps, one.shape[-1])) for one in taken], axis=-1)


def _requantise(node: h.Requantise, taken: list[Array], tensors: Values) -> Array:
    return requantise(taken[0], *tensors["rescale"], relu=node.relu)


def _argmax(node: h.Argmax, taken: list[Array], tensors: Values) -> Array:
    return np.asarray(taken[0].argmax(axis=-1), np.int32)


_OPERATORS: Mapping[type, Callable[[Any, list[Array], Values], Array]] = {
    h.Embedding: _embedding,
    h.Conv1d: _conv1d,
    h.Dense: _dense,
    h.Add: _add,
    h.Relu: _relu,
    h.Pool: _pool,
    h.Concat: _concat,
    h.Requantise: _requantise,
    h.Argmax: _argmax,
}
