"""Arrays as bytes that are the same for the same arrays: what stages hand on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
TRAIN, VALID, TEST = 0, 1, 2


class _Packed(Struct, frozen=True, array_like=True):
    dtype: str
    shape: tuple[int, ...]
    data: bytes


def pack(arrays: Mapping[str, Array]) -> bytes:
    """Canonical MessagePack of named arrays, little endian."""
    packed = {}
    for name, array in arrays.items():
        plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        packed[name] = _Packed(plain.dtype.str, plain.shape, plain.tobytes())
    return msgspec.msgpack.encode(packed, order="deterministic")


def unpack(data: bytes) -> dict[str, Array]:
    """The arrays that `pack` was given."""
    packed = msgspec.msgpack.decode(data, type=dict[str, _Packed])
    return {
        name: np.frombuffer(one.data, dtype=np.dtype(one.dtype)).reshape(one.shape)
        for name, one in packed.items()
    }


class Rows(Struct, frozen=True, kw_only=True):
    """Rows of features (NaN: not known), the class of each (-1: nobody labelled it), and its part."""

    x: Floats
    y: Ints
    part: Ints

    def of(self, part: int) -> tuple[Floats, Ints]:
        """Features and classes of the labelled rows of one part."""
        mine = (self.part == part) & (self.y >= 0)
        return self.x[mine], self.y[mine]

    def dump(self) -> bytes:
        """As bytes."""
        return pack({"x": self.x, "y": self.y, "part": self.part})

    @staticmethod
    def load(data: bytes) -> Rows:
        """From `dump`'s bytes."""
        arrays = unpack(data)
        return Rows(x=arrays["x"], y=arrays["y"], part=arrays["part"])


def softmax(scores: Floats) -> Floats:
    """Probabilities in proportion to exp(score), a row each."""
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(p / p.sum(axis=1, keepdims=True))
