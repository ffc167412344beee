"""A small student over numbers in Python's own integers: the reference's bits without numpy, which a phone at rest does not hold.

Dense layers, one after the other, and a head of classes: all that a few thousand multiply-adds need. Everything
larger, and every other operator, is for `cpu` and `wasm`.
"""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections.abc import Mapping, Sequence
from math import exp, floor, isnan
from operator import mul
from pathlib import Path

from msgspec import Struct

from hearthway.records.errors import StudentError

from .header import INPUT, Argmax, ClassHead, Dense, FeatureInput, Header, TensorEntry
from .layout import AGAIN, outline

MACS_MAX = 50_000  # some milliseconds in Python
_ELSEWHERE = "Run it with student.cpu."


class _Layer(Struct, frozen=True):
    weights: tuple[tuple[int, ...], ...]
    bias: tuple[int, ...]
    rescale: tuple[tuple[int, int], ...]  # (m, s) by output; empty for logits
    least: int


class PlainStudent:
    """Reads the file once; `logits` and `probabilities` of one row at a time."""

    def __init__(self, data: bytes, where: str = "the bytes") -> None:
        """StudentError where the file is none, or has a form that is not run here."""
        header, starts = outline(data, where)
        if not isinstance(header.input, FeatureInput) or header.input.steps_max:
            raise StudentError(f"{where}: not a student over one row of numbers.", _ELSEWHERE)
        heads = [head for head in header.heads if isinstance(head, ClassHead)]
        if len(heads) != 1:
            raise StudentError(f"{where}: it has {len(heads)} heads of classes.", _ELSEWHERE)
        self.identity = hashlib.sha256(data).hexdigest()
        self.labels = heads[0].labels
        self.scale = heads[0].scale
        self.features = tuple(feature.name for feature in header.input.features)
        self._table = tuple((one.offset, one.gain) for one in header.input.features)
        self._layers = _layers(header, heads[0], _numbers(data, header, starts), where)

    @classmethod
    def at(cls, path: Path) -> PlainStudent:
        """The student in a file; StudentError where it cannot be read."""
        try:
            data = path.read_bytes()
        except OSError as why:
            raise StudentError(
                f"{path} cannot be read: {why.strerror}.", "Reinstall Hearthway, or fetch it again."
            ) from None
        return cls(data, str(path))

    def logits(self, numbers: Sequence[float]) -> list[int]:
        """Integer logits by label; StudentError where the count of numbers differs from that of its features."""
        if len(numbers) != len(self._table):
            raise StudentError(
                f"The student takes {len(self._table)} features, and was given {len(numbers)}.",
                "Give the features that its header names, in its order.",
            )
        values = [
            _quantised(number, *how) for number, how in zip(numbers, self._table, strict=True)
        ]
        for layer in self._layers:
            sums = [
                bias + sum(map(mul, row, values))
                for row, bias in zip(layer.weights, layer.bias, strict=True)
            ]
            values = sums
            if layer.rescale:
                values = [
                    min(127, max(layer.least, (total * m + (1 << (s - 1))) >> s))
                    for total, (m, s) in zip(sums, layer.rescale, strict=True)
                ]
        return values

    def probabilities(self, numbers: Sequence[float]) -> list[float]:
        """By label; they sum to 1."""
        logits = self.logits(numbers)
        top = max(logits)
        parts = [exp(self.scale * (logit - top)) for logit in logits]
        total = sum(parts)
        return [part / total for part in parts]


def _quantised(number: float, offset: float, gain: float) -> int:
    """As `features.quantise`."""
    step = (number - offset) * gain + 0.5
    if isnan(step):
        return 0
    return floor(min(127.0, max(-128.0, step)))


def _numbers(data: bytes, header: Header, starts: Sequence[int]) -> dict[str, list[int]]:
    found = {}
    for entry, start in zip(header.tensors, starts, strict=True):
        numbers = array({"int8": "b", "uint8": "B", "int32": "i"}[entry.dtype])
        numbers.frombytes(data[start : start + entry.size])
        if sys.byteorder == "big":
            numbers.byteswap()
        found[entry.name] = numbers.tolist()
    return found


def _layers(
    header: Header, head: ClassHead, tensors: dict[str, list[int]], where: str
) -> list[_Layer]:
    """The chain from the input to the head; StudentError where it is no chain of dense layers that fit one another."""
    entries = {entry.name: entry for entry in header.tensors}
    layers: list[_Layer] = []
    before, width, macs = INPUT, len(header.input.features), 0  # type: ignore[union-attr]  # the caller saw that
    for node in header.nodes:
        if isinstance(node, Argmax) and node.of == head.of:
            continue
        fits = (
            isinstance(node, Dense)
            and node.of == before
            and _has(node, entries, width)
            and bool(node.rescale) == (node.name != head.of)
        )
        if not isinstance(node, Dense) or not fits:
            raise StudentError(
                f"{where}: {node.name} is no dense layer after {before}.", _ELSEWHERE
            )
        outputs = entries[node.weight].shape[0]
        flat, m_s = tensors[node.weight], tensors[node.rescale] if node.rescale else []
        layer = _Layer(
            tuple(tuple(flat[o * width : (o + 1) * width]) for o in range(outputs)),
            tuple(tensors[node.bias]),
            tuple(zip(m_s[: len(m_s) // 2], m_s[len(m_s) // 2 :], strict=True)),
            0 if node.relu else -128,
        )
        if not _legal(layer):
            raise StudentError(f"{where}: {node.name} is not legal.", AGAIN)
        layers.append(layer)
        before, width, macs = node.name, outputs, macs + outputs * width
    if before != head.of or width != len(head.labels) or macs > MACS_MAX:
        raise StudentError(f"{where}: its layers do not lead to its head.", _ELSEWHERE)
    return layers


def _has(node: Dense, entries: Mapping[str, TensorEntry], width: int) -> bool:
    """Are its tensors there, of the kinds and shapes that they must have?"""
    named = {"weight": "int8", "bias": "int32"} | ({"rescale": "int32"} if node.rescale else {})
    found = {field: entries.get(getattr(node, field)) for field in named}
    kinds = {field: entry.dtype for field, entry in found.items() if entry is not None}
    if kinds != named or entries[node.weight].shape[1:] != (width,):
        return False
    outputs = entries[node.weight].shape[0]
    rescale = not node.rescale or entries[node.rescale].shape == (2, outputs)
    return rescale and entries[node.bias].shape == (outputs,)


def _legal(layer: _Layer) -> bool:
    """Factors as `rescale` writes them, and sums that cannot leave int32."""
    factors = all(2**30 <= m < 2**31 and 1 <= s <= 62 for m, s in layer.rescale)
    reach = (
        128 * sum(map(abs, row)) + abs(bias)
        for row, bias in zip(layer.weights, layer.bias, strict=True)
    )
    return factors and all(most < 2**31 for most in reach)
