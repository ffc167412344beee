"""The runtime for any processor with numpy: the reference's bits through floating-point products that are exact.

A sum of int8 products is exact in float32 while no partial sum reaches 2**24, in float64 while none reaches 2**53,
whatever the order; `legal.peaks` bounds each from the actual weights. Rounding is exact in float64 where
`peak * m + 2**(s-1) <= 2**53`; a layer without this proof rounds as the reference does. What add and pool multiply
reaches 2**50 at most (4096 steps of an int8, 31 bits of a multiplier): exact in float64 to a shift of 53, and 0 by a
larger one, which leaves it within 1/16 of 0: half more than that is never rounded to 0 or 1.

What a text costs is its weights' way from memory and numpy's calls, not arithmetic: a convolution is one product of
the steps as they stand, and what a layer reads in every step alike is multiplied once. Between layers an int8 is held
as the float64 that it was rounded in: an add takes it as it is, a product makes it its weights' type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import fused
from . import header as h
from .format import Student
from .forms import Value
from .legal import admission, peaks
from .reference import requantise

HALF = 0.5
# as arrays, which numpy takes sooner than Python's numbers
_LOW, _ZERO, _HIGH = np.array(-128.0), np.array(0.0), np.array(127.0)
_FLOAT32_EXACT = 2**24
_FLOAT64_EXACT = 2**53
_KEPT = 2**18  # products of pieces that a first convolution keeps, numbers

Array = NDArray[Any]
Step = Callable[..., Array]
Narrow = Callable[[Array], Array]  # sums without bias -> int8 as float64


class Runtime:
    """Runs one student, one input at a time; not for two threads at once."""

    def __init__(self, student: Student) -> None:
        self._admit = admission(student.header)
        place = {h.INPUT: 0}
        apart, read = fused.apart(student), fused.read_by_one(student)
        self._steps: list[tuple[Step, tuple[int, ...]]] = []
        for node in student.header.nodes:
            if node.name in apart or node.name in read:
                continue
            tensors, taken = _tensors(student, node), h.inputs_of(node)
            if isinstance(node, h.Dense) and node.of in apart:
                taken = apart[node.of]
                step = _dense_apart(node, tensors, [student.plan.values[name] for name in taken])
            elif isinstance(node, h.Conv1d) and node.of in read:
                before = read[node.of]
                taken = h.inputs_of(before)
                step = _conv1d_of_pieces(before, node, _tensors(student, before), tensors)
            else:
                bound = max(student.plan.values[name].bound for name in taken)
                step = _OPERATORS[type(node)](node, tensors, bound)
            self._steps.append((step, tuple(place[name] for name in taken)))
            place[node.name] = len(place)
        self._outputs = [
            (name, place[name], np.dtype(student.plan.values[name].dtype))
            for name in student.header.outputs
        ]

    def run(self, given: Any) -> dict[str, Array]:
        """The outputs of one input, bit for bit those of `reference.run`; StudentError where it does not fit."""
        first = self._admit(given)
        values = [first.astype(np.float32) if first.dtype == np.int8 else first]
        for step, taken in self._steps:
            values.append(step(*[values[i] for i in taken]))
        return {name: values[at].astype(dtype) for name, at, dtype in self._outputs}


def _tensors(student: Student, node: h.Node) -> dict[str, Array]:
    return {field: student.tensors[name] for field, name in h.tensors_of(node)}


def _narrow(peak: Array, rescale: Array, bias: Array | None, *, relu: bool) -> Narrow:
    """Bias, factor, rounding and clamp, in float64 where that is exact."""
    m, s = rescale.astype(np.int64)
    low = _ZERO if relu else _LOW
    if (peak * m + (np.int64(1) << (s - 1)) <= _FLOAT64_EXACT).all():
        factor = np.ldexp(m.astype(np.float64), -s)
        offset = HALF if bias is None else bias * factor + HALF
        return lambda sums: _clamped(sums * factor, offset, low)  # float64, as `factor` is
    return lambda sums: _by_reference(sums, bias, m, s, relu=relu)


def _clamped(real: Array, offset: Any, low: Array) -> Array:
    real += offset
    np.floor(real, out=real)
    return real.clip(low, _HIGH, out=real)


def _by_reference(sums: Array, bias: Array | None, m: Array, s: Array, *, relu: bool) -> Array:
    wide = sums.astype(np.int64) if bias is None else sums.astype(np.int64) + bias
    return requantise(wide, m, s, relu=relu).astype(np.float64)


def _embedding(node: h.Embedding, tensors: Mapping[str, Array], bound: int) -> Step:
    table = tensors["table"]
    if node.gain is None:
        return lambda ids: table[ids].astype(np.float32)
    byte = np.arange(256)
    halves = np.stack([byte & 15, byte >> 4], axis=-1).astype(np.float32)
    halves[halves > 7] -= 16
    pairs = halves.view(np.complex64)[:, 0]  # both numbers of a byte are taken as one
    gain = tensors["gain"]

    def unpack(ids: Array) -> Array:
        rows = pairs.take(table.take(ids, axis=0)).view(np.float32)
        rows *= gain.take(ids)[:, None]
        return rows

    return unpack


def _sums(node: h.Conv1d | h.Dense, tensors: Mapping[str, Array]) -> tuple[Array, Narrow]:
    """(the weights in the smallest exact type, [inputs, outputs], of a convolution one tap's outputs after another's; what is done with the sums)."""
    weight, bias = tensors["weight"], tensors["bias"]
    peak = peaks(weight, bias)
    exact = np.float32 if int(peak.max()) < _FLOAT32_EXACT else np.float64
    matrix = weight.T.reshape(weight.shape[-1], -1).astype(exact, order="C")
    if node.rescale is None:
        logits = bias.astype(exact)
        return matrix, lambda sums: sums + logits
    return matrix, _narrow(peak, tensors["rescale"], bias, relu=node.relu)


def _conv1d(node: h.Conv1d, tensors: Mapping[str, Array], bound: int) -> Step:
    matrix, finish = _sums(node, tensors)
    total = _taps(tensors["weight"])
    return lambda x: finish(total(x.astype(matrix.dtype, copy=False) @ matrix))


def _taps(weight: Array) -> Callable[[Array], Array]:
    """Adds up what the taps of a convolution multiplied, [steps, taps * outputs], in the place of the middle one's."""
    outputs, taps, _ = weight.shape
    parts = {tap - taps // 2: slice(tap * outputs, (tap + 1) * outputs) for tap in range(taps)}
    middle = parts.pop(0)

    def total(products: Array) -> Array:
        sums = products[:, middle]
        for ahead, its in parts.items():  # step t has this tap's product of step t + ahead
            if ahead < 0:
                sums[-ahead:] += products[:ahead, its]
            else:
                sums[:-ahead] += products[ahead:, its]
        return sums

    return total


def _conv1d_of_pieces(
    embedding: h.Embedding, node: h.Conv1d, table: Mapping[str, Array], tensors: Mapping[str, Array]
) -> Step:
    """Both in one: a piece has the same products in every text, and those of pieces that came before are kept."""
    rows = _embedding(embedding, table, 0)
    matrix, finish = _sums(node, tensors)
    total = _taps(tensors["weight"])
    most = _KEPT // matrix.shape[1]
    kept = np.empty((most, matrix.shape[1]), matrix.dtype)
    at: dict[int, int] = {}

    def products(ids: Array) -> Array:
        return rows(ids).astype(matrix.dtype, copy=False) @ matrix

    def convolve(ids: Array) -> Array:
        pieces = ids.tolist()
        new = [piece for piece in dict.fromkeys(pieces) if piece not in at]
        if len(at) + len(new) > most:
            at.clear()
            new = [*dict.fromkeys(pieces)]
            if len(new) > most:
                return finish(total(products(ids)))
        if new:
            begin, end = len(at), len(at) + len(new)
            kept[begin:end] = products(np.array(new))
            at.update(zip(new, range(begin, end), strict=True))
        return finish(total(kept.take([at[piece] for piece in pieces], axis=0)))

    return convolve


def _dense(node: h.Dense, tensors: Mapping[str, Array], bound: int) -> Step:
    matrix, finish = _sums(node, tensors)
    return lambda x: finish(x.astype(matrix.dtype, copy=False) @ matrix)


def _dense_apart(node: h.Dense, tensors: Mapping[str, Array], taken: Sequence[Value]) -> Step:
    """Of several values side by side, some of them one for all steps."""
    matrix, finish = _sums(node, tensors)
    ends = np.cumsum([value.channels for value in taken])
    rows = np.split(matrix, ends[:-1])
    places = sorted(range(len(taken)), key=lambda at: not taken[at].steps)

    def multiply(*given: Array) -> Array:
        sums, *others = (given[at].astype(matrix.dtype, copy=False) @ rows[at] for at in places)
        for other in others:
            sums += other
        return finish(sums)

    return multiply


def _add(node: h.Add, tensors: Mapping[str, Array], bound: int) -> Step:
    (m_a, m_b), s = node.multipliers, node.shift
    low = _ZERO if node.relu else _LOW
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
        return lambda x: np.maximum.reduce(x, axis=0)
    m, s = tensors["rescale"].astype(np.int64)
    factors = np.ldexp(m.astype(np.float64), -s)[:, None]

    def total(x: Array) -> Array:
        real = np.add.reduce(x, axis=0) * factors[len(x) - 1]  # float64, as `factors` is
        return _clamped(real, HALF, _LOW)

    return total


def _concat(node: h.Concat, tensors: Mapping[str, Array], bound: int) -> Step:
    def join(*taken: Array) -> Array:
        if len({one.ndim for one in taken}) > 1:
            steps = max((one.shape[:-1] for one in taken), key=len)
            taken = tuple(np.broadcast_to(one, (*steps, one.shape[-1])) for one in taken)
        return np.concatenate(taken, axis=-1)

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
