"""What a backup file asks for before anybody can know whether it is genuine is bounded."""

from __future__ import annotations

import hashlib
import io

import pytest

from hearthway.mesh.state import sealed_file
from hearthway.records.errors import InputError


def _head(log2_n: int, r: int, p: int) -> bytes:
    fields = sealed_file._HEAD.pack(
        sealed_file.MAGIC, sealed_file.VERSION, log2_n, r, p, b"s" * 16, b"c" * 16
    )
    return fields + hashlib.sha256(fields).digest()[:8]


@pytest.mark.parametrize(("log2_n", "r"), [(20, 16), (20, 8), (19, 8), (18, 16), (255, 1)])
def test_a_head_that_asks_for_all_memory_is_refused(log2_n: int, r: int) -> None:
    with pytest.raises(InputError, match="damaged"):
        sealed_file.read_head(io.BytesIO(_head(log2_n, r, 1)), "x")


def test_what_we_write_is_taken() -> None:
    head = _head(15, 8, 1)
    assert sealed_file.read_head(io.BytesIO(head), "x") == head
