"""What a node and its worker say to one another over two pipes: MessagePack behind four bytes of length."""

from __future__ import annotations

import os

from msgspec import Struct

from hearthway.records.codec import pack
from hearthway.records.offload import INPUT_MAX_BYTES, OUTPUT_MAX_BYTES, Job

LENGTH_BYTES = 4
CONTENTS_MAX = 8  # the last ones, which a node may count on; a worker keeps twice as many
MESSAGE_MAX_BYTES = max(INPUT_MAX_BYTES, OUTPUT_MAX_BYTES) + 64 * 1024  # that a worker says


class Run(Struct, frozen=True, tag="run"):
    """Compute this next; `cpu_s` ends it. `content` is what the job's identity is the hash of, where the worker lacks it."""

    number: int
    job: Job
    input: bytes
    cpu_s: float
    content: bytes = b""


class Halt(Struct, frozen=True, tag="halt"):
    """That one is not needed any more."""

    number: int


class Ready(Struct, frozen=True, tag="ready"):
    """What it can compute."""

    jobs: tuple[Job, ...]


class Ended(Struct, frozen=True, tag="ended"):
    """What came out, or in `why` what went wrong."""

    number: int
    output: bytes = b""
    why: str = ""
    took_s: float = 0.0
    cpu_s: float = 0.0


ToWorker = Run | Halt
FromWorker = Ready | Ended


def framed(message: ToWorker | FromWorker) -> bytes:
    """Its bytes on the pipe."""
    body = pack(message)
    return len(body).to_bytes(LENGTH_BYTES, "little") + body


def read_exactly(fd: int, count: int) -> bytes:
    """So many bytes of a pipe; fewer at its end."""
    parts: list[bytes] = []
    while count > 0 and (part := os.read(fd, min(count, 1 << 20))):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def write_all(fd: int, data: bytes) -> None:
    """All of it."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
