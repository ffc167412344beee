"""A student as one file: read it mapped into memory, write it with the same bytes for the same content.

`magic, u32 version, u32 length of the header, u64 length of the file` (little endian), the header as canonical JSON,
then the tensors in the order of their names, each at the next multiple of 64, zeros between. Its identity is its SHA-256.
"""

from __future__ import annotations

import errno
import hashlib
import math
import mmap
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hearthway.records.codec import to_json
from hearthway.records.errors import StudentError

from .header import Header, TensorEntry
from .layout import AGAIN, MAGIC, PREAMBLE, VERSION, laid_out, outline
from .legal import Plan, check

_DTYPES = {"int8": "i1", "uint8": "u1", "int32": "<i4"}


@dataclass(frozen=True, eq=False)
class Student:
    """A legal student. Its tensors are read-only, and mapped where it was read from a path."""

    identity: str  # hex SHA-256 of the whole file
    header: Header
    tensors: Mapping[str, NDArray[Any]]
    plan: Plan
    size: int  # bytes of the file
    data: bytes | mmap.mmap = field(repr=False)  # the file as it is


def read(source: Path | str | bytes) -> Student:
    """The student in a file or in bytes; StudentError for anything that is not wholly legal.

    A mapped file must not change while it is in use: replace a student by renaming another file over it.
    """
    if isinstance(source, bytes):
        return _read(source, "the bytes")
    path = Path(source)
    try:
        data = _mapped(path)
    except OSError as why:
        raise StudentError(f"{path} cannot be read: {why.strerror}.", AGAIN) from None
    except ValueError:  # an empty file cannot be mapped
        raise StudentError(f"{path} is empty.", AGAIN) from None
    return _read(data, str(path))


def write(header: Header, tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """The file of a student, which `read` takes back; StudentError where it is not legal. Fills `header.tensors`."""
    ready = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}
    for name, tensor in ready.items():
        if tensor.dtype.name not in _DTYPES:
            raise StudentError(
                f"The tensor {name} is {tensor.dtype.name}.", "Export int8, uint8 or int32."
            )
    entries = tuple(
        TensorEntry(name=name, dtype=tensor.dtype.name, shape=tensor.shape)  # type: ignore[arg-type]  # `read` checks it
        for name, tensor in ready.items()
    )
    text = to_json(msgspec.structs.replace(header, tensors=entries))
    starts, size = laid_out(len(text), entries)
    data = bytearray(size)
    PREAMBLE.pack_into(data, 0, MAGIC, VERSION, len(text), size)
    data[PREAMBLE.size : PREAMBLE.size + len(text)] = text
    for start, entry, tensor in zip(starts, entries, ready.values(), strict=True):
        data[start : start + entry.size] = tensor.astype(_DTYPES[entry.dtype]).tobytes()
    return _checked(bytes(data))


def _checked(data: bytes) -> bytes:
    read(data)
    return data


def _mapped(path: Path) -> mmap.mmap:
    """Never waits for a pipe, and never takes a device for a file."""
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        return mmap.mmap(number, 0, access=mmap.ACCESS_READ)
    finally:
        os.close(number)


def _read(data: bytes | mmap.mmap, where: str) -> Student:
    header, starts = outline(data, where)
    tensors = {
        entry.name: np.frombuffer(
            data, _DTYPES[entry.dtype], math.prod(entry.shape), start
        ).reshape(entry.shape)
        for entry, start in zip(header.tensors, starts, strict=True)
    }
    plan = check(header, tensors)
    return Student(hashlib.sha256(data).hexdigest(), header, tensors, plan, len(data), data)
