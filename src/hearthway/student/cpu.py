"""The runtime for any processor with numpy: the reference's bits through floating-point products that are exact.

A sum of int8 products is exact in float32 while no partial sum reaches 2**24, in float64 while none reaches 2**53,
whatever the order; `legal.peaks` bounds each from the actual weights. Rounding is exact in float64 where
`peak * m + 2**(s-1) <= 2**53`; a layer without this proof rounds as the reference does. What add and pool multiply
reaches 2**50 at most (4096 steps of an int8, 31 bits of a multiplier): exact in float64 to a shift of 53, and 0 by a
larger one, which leaves it within 1/16 of 0: half more than that is never rounded to 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import header as h
from .format import Student
from .legal import admit, peaks
from .reference import requantise

HALF = 0.5
_FLOAT32_EXACT = 2**24
_FLOAT64_EXACT = 2**53
_ROWS = (
    4  # a BLAS kernel takes so many at once; what is left over costs it more than rows of zeros do
)

Array = NDArray[Any]
Step = Callable[..., Array]
Narrow = Callable[[Array], Array]  # sums without bias -> int8 as float32


class Runtime:
    """Runs one student, one input at a time; not for two threads at once."""

    def __init__(self, student: Student) -> None:
        self._header = student.header
        place = {h.INPUT: 0}
        self._steps: list[tuple[Step, tuple[int, ...]]] = []
        for node in student.header.nodes:
            tensors = {field: student.tensors[name] for field, name in h.tensors_of(node)}
            bound = max(student.plan.values[name].bound for name in h.inputs_of(node))
            step = _OPERATORS[type(node)](node, tensors, bound)
            self._steps.append((step, tuple(place[name] for name in h.inputs_of(node))))
            place[node.name] = len(place)
        self._outputs = [
            (name, place[name], np.dtype(student.plan.values[name].dtype))
            for name in student.header.outputs
        ]

    def run(self, given: Any) -> dict[str, Array]:
        """The outputs of one input, bit for bit those of `reference.run`; StudentError where it does not fit."""
        first = admit(self._header, given)
        values = [first.astype(np.float32) if first.dtype == np.int8 else first]
        for step, taken in self._steps:
            values.append(step(*[values[i] for i in taken]))
        return {name: values[at].astype(dtype) for name, at, dtype in self._outputs}


def _narrow(peak: Array, rescale: Array, bias: Array | None, *, relu: bool) -> Narrow:
    """Bias, factor, rounding and clamp, in float64 where that is exact."""
    m, s = rescale.astype(np.int64)
    low = 0.0 if relu else -128.0
    if (peak * m + (np.int64(1) << (s - 1)) <= _FLOAT64_EXACT).all():
        factor = np.ldexp(m.astype(np.float64), -s)
        offset = HALF if bias is None else bias * factor + HALF
        return lambda sums: _clamped(sums * factor, offset, low)  # float64, as `factor` is
    return lambda sums: _by_reference(sums, bias, m, s, relu=relu)


def _clamped(real: Array, offset: Any, low: float) -> Array:
    real += offset
    np.floor(real, out=real)
    np.maximum(real, low, out=real)
    return np.minimum(real, 127.0, out=real).astype(np.float32)


def _by_reference(sums: Array, bias: Array | None, m: Array, s: Array, *, relu: bool) -> Array:
    wide = sums.astype(np.int64) if bias is None else sums.astype(np.int64) + bias
    return requantise(wide, m, s, relu=relu).astype(np.float32)


def _embedding(node: h.Embedding, tensors: Mapping[str, Array], bound: int) -> Step:
    table = tensors["table"]
    if node.gain is None:
        return lambda ids: table[ids].astype(np.float32)
    byte = np.arange(256)
    halves = np.stack([byte & 15, byte >> 4], axis=-1).astype(np.float32)
    halves[halves > 7] -= 16
    gain = tensors["gain"]

    def unpack(ids: Array) -> Array:
        rows: Array = halves[table[ids]].reshape(len(ids), -1)
        rows *= gain[ids][:, None]
        return rows

    return unpack


def _sums(node: h.Conv1d | h.Dense, tensors: Mapping[str, Array]) -> tuple[Array, Narrow]:
    """(the weights, [inputs, outputs] in the smallest exact type; what is done with the sums)."""
    weight, bias = tensors["weight"], tensors["bias"]
    peak = peaks(weight, bias)
    exact = np.float32 if int(peak.max()) < _FLOAT32_EXACT else np.float64
    matrix = weight.reshape(len(weight), -1).T.astype(exact, order="C")
    if node.rescale is None:
        logits = bias.astype(exact)
        return matrix, lambda sums: sums + logits
    return matrix, _narrow(peak, tensors["rescale"], bias, relu=node.relu)


def _conv1d(node: h.Conv1d, tensors: Mapping[str, Array], bound: int) -> Step:
    matrix, finish = _sums(node, tensors)
    _, taps, channels = tensors["weight"].shape
    reach = taps // 2

    def convolve(x: Array) -> Array:
        steps = len(x)
        rows = steps + -steps % _ROWS
        windows = np.zeros((rows, taps, channels), matrix.dtype)
        for tap in range(max(0, reach - steps + 1), min(taps, reach + steps)):
            ahead = tap - reach  # row t of this tap is row t + ahead of x
            if ahead < 0:
                windows[-ahead:steps, tap] = x[:ahead]
            else:
                windows[: steps - ahead, tap] = x[ahead:]
        return finish((windows.reshape(rows, -1) @ matrix)[:steps])

    return convolve


def _dense(node: h.Dense, tensors: Mapping[str, Array], bound: int) -> Step:
    matrix, finish = _sums(node, tensors)
    return lambda x: finish(x.astype(matrix.dtype, copy=False) @ matrix)


def _add(node: h.Add, tensors: Mapping[str, Array], bound: int) -> Step:
    (m_a, m_b), s = node.multipliers, node.shift
    low = 0.0 if node.relu else -128.0
    a_by, b_by = m_a * 2.0**-s, m_b * 2.0**-s

    def add(a: Array, b: Array) -> Array:
        real = np.multiply(a, a_by, dtype=np.float64)
        real += np.multiply(b, b_by, dtype=np.float64)
        return _clamped(real, HALF, low)

    return add


def _relu(node: h.Relu, tensors: Mapping[str, Array], bound: int) -> Step:
    return lambda x: np.maximum(x, 0.0)


def _pool(node: h.Pool, tensors: Mapping[str, Array], bound: int) -> Step:
    if node.how == "max":
        return lambda x: np.max(x, axis=0)
    m, s = tensors["rescale"].astype(np.int64)
    factors = np.ldexp(m.astype(np.float64), -s)[:, None]

    def total(x: Array) -> Array:
        real = np.add.reduce(x, axis=0) * factors[len(x) - 1]  # float64, as `factors` is
        return _clamped(real, HALF, -128.0)

    return total


def _concat(node: h.Concat, tensors: Mapping[str, Array], bound: int) -> Step:
    def join(*taken: Array) -> Array:
        steps = max((one.shape[:-1] for one in taken), key=len)
        alike = [
            one if one.shape[:-1] == steps else np.broadcast_to(one, (*steps, one.shape[-1]))
            for one in taken
        ]
        return np.concatenate(alike, axis=-1)

    return join


def _requantise(node: h.Requantise, tensors: Mapping[str, Array], bound: int) -> Step:
    return _narrow(np.asarray(bound), tensors["rescale"], None, relu=node.relu)


def _argmax(node: h.Argmax, tensors: Mapping[str, Array], bound: int) -> Step:
    return lambda x: np.asarray(x.argmax(axis=-1))


_OPERATORS: Mapping[type, Callable[[Any, Mapping[str, Array], int], Step]] = {
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
