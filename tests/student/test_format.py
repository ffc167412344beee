"""The file: the same bytes for the same content, and nothing but StudentError for what is no student."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench._students import random_content, random_input
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.student.small import text_content, text_student_file

from hearthway.records.errors import StudentError
from hearthway.student import reference
from hearthway.student.format import read, write
from hearthway.student.layout import ALIGN, FILE_MAX, HEADER_MAX, MAGIC, VERSION
from hearthway.student.legal import INT32_MAX

FILE = text_student_file()
LENGTH = struct.unpack_from("<I", FILE, 12)[0]


def with_header(text: bytes, tail: bytes = b"") -> bytes:
    """A file whose lengths fit a header of these bytes."""
    size = 24 + len(text) + len(tail)
    return struct.pack("<8sIIQ", MAGIC, VERSION, len(text), size) + text + tail


@given(st.integers(0, 2**32))
@settings(max_examples=40)
def test_what_is_written_is_read_and_written_again_the_same(seed: int) -> None:
    header, tensors = random_content(np.random.default_rng(seed))
    data = write(header, tensors)
    student = read(data)
    assert student.identity == hashlib.sha256(data).hexdigest()
    assert student.header.nodes == header.nodes
    assert write(student.header, dict(reversed(list(student.tensors.items())))) == data
    for name, tensor in tensors.items():
        assert (student.tensors[name] == tensor).all()


def test_a_file_is_mapped_aligned_and_read_only(tmp_path: Path) -> None:
    path = tmp_path / "student"
    path.write_bytes(FILE)
    student = read(path)
    assert student.identity == read(FILE).identity
    for tensor in student.tensors.values():
        assert tensor.ctypes.data % ALIGN == 0
        assert not tensor.flags.owndata
        with pytest.raises(ValueError, match="read-only"):
            tensor[...] = 0


def test_a_path_that_is_no_student_says_so(tmp_path: Path) -> None:
    empty, pipe = tmp_path / "empty", tmp_path / "pipe"
    empty.touch()
    os.mkfifo(pipe)
    for path, word in (
        (tmp_path / "none", "No such file"),
        (tmp_path, "it is no file"),
        (empty, "empty"),
        (pipe, "it is no file"),
        (Path("/dev/zero"), "it is no file"),
    ):
        with pytest.raises(StudentError, match=word) as caught:
            read(path)
        assert caught.value.next_step


def test_a_file_of_the_future_asks_for_an_update() -> None:
    with pytest.raises(StudentError, match=r"of format 2, .* Update Hearthway"):
        read(FILE[:8] + struct.pack("<I", 2) + FILE[12:])
    with pytest.raises(StudentError, match=r"of format 0, .* Export it anew"):
        read(FILE[:8] + struct.pack("<I", 0) + FILE[12:])


def test_every_truncation_and_any_addition_is_refused() -> None:
    for length in (*range(0, len(FILE), 7), len(FILE) - 1):
        with pytest.raises(StudentError):
            read(FILE[:length])
    with pytest.raises(StudentError):
        read(FILE + b"\0")
    assert read(FILE).size == len(FILE)


def test_what_a_header_claims_is_not_allocated() -> None:
    head = json.loads(FILE[24 : 24 + LENGTH])
    head["tensors"][0]["shape"] = [2**26, 2**26, 2**26]
    text = json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode()
    huge = struct.pack("<8sIIQ", MAGIC, VERSION, 10, FILE_MAX + 1)
    long = struct.pack("<8sIIQ", MAGIC, VERSION, HEADER_MAX + 1, 100)
    deep = with_header(b'{"task":' + b"[" * 100_000)
    many = with_header(b'{"outputs":[' + b'"a",' * 60_000)
    for data, message in ((huge, "a student may have"), (long, "a header may have")):
        with pytest.raises(StudentError, match=message):
            read(data)
    tracemalloc.start()
    try:
        for data in (with_header(text), huge, long, deep, many):
            with pytest.raises(StudentError):
                read(data)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "change",
    [
        lambda head: json.dumps(head).encode(),  # spaces
        lambda head: compact({**head, "more": 1}),
        lambda head: compact({k: head[k] for k in reversed(head)}),
        lambda head: compact({**head, "tensors": head["tensors"][::-1]}),
        lambda head: compact({**head, "tensors": head["tensors"] + head["tensors"][-1:]}),
        lambda head: b"\xef\xbb\xbf" + compact(head),
        lambda head: compact(head)[:-1] + b',"task":"ask"}',
        lambda head: b'"\xff"',
        lambda head: b"[]",
        lambda head: b"",
    ],
)
def test_a_header_has_one_form(change: Any) -> None:
    head, tail = json.loads(FILE[24 : 24 + LENGTH]), FILE[24 + LENGTH :]
    assert compact(head) == FILE[24 : 24 + LENGTH]
    text = change(head)
    padding = b"\0" * (-(24 + len(text)) % ALIGN)
    with pytest.raises(StudentError):
        read(with_header(text, padding + tail[-(24 + LENGTH) % ALIGN :]))
    with pytest.raises(StudentError):
        read(with_header(text, tail))


def compact(head: Any) -> bytes:
    return json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode()


def test_nothing_hides_between_the_tensors() -> None:
    gap = 24 + LENGTH
    assert FILE[gap] == 0
    with pytest.raises(StudentError, match="between its tensors"):
        read(FILE[:gap] + b"x" + FILE[gap + 1 :])


def test_a_tensor_of_another_type_is_not_written() -> None:
    header, tensors = text_content()
    with pytest.raises(StudentError, match=r"conv.bias is float64"):
        write(header, {**tensors, "conv.bias": np.zeros(3)})


@given(
    st.integers(0, 2**32),
    st.lists(
        st.tuples(
            st.sampled_from(["flip", "cut", "insert", "set"]),
            st.floats(0, 1, exclude_max=True),
            st.integers(0, 255),
        ),
        min_size=1,
        max_size=4,
    ),
)
@settings(max_examples=150)
@example(0, [("flip", 0.999, 128)])
def test_damaged_bytes_give_an_error_or_a_legal_student(
    seed: int, damage: list[tuple[str, float, int]]
) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(write(*random_content(rng, nodes_max=4)))
    for kind, where, value in damage:
        at = int(where * len(data))
        if kind == "flip" and data:
            data[at] ^= 1 << value % 8
        elif kind == "set" and data:
            data[at] = value
        elif kind == "cut":
            del data[at : at + value]
        else:
            data[at:at] = bytes([value])
    stays_legal(bytes(data), rng)


NASTY: tuple[Any, ...] = (
    None,
    -1,
    0,
    1,
    2,
    63,
    2**31,
    2**63,
    -(2**63),
    1e308,
    "",
    "input",
    "e",
    "\0",
    [],
    {},
    True,
)


@given(st.data())
@settings(max_examples=150)
def test_damaged_headers_give_an_error_or_a_legal_student(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    whole = write(*random_content(rng, nodes_max=4))
    length = struct.unpack_from("<I", whole, 12)[0]
    head = json.loads(whole[24 : 24 + length])
    at = head
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if isinstance(at[key], dict | list) and data.draw(st.integers(0, 9)):
            at = at[key]
            continue
        at[key] = data.draw(st.sampled_from(NASTY) | st.integers(-5, 70))
        break
    text = compact(head)
    start = 24 + length
    tail = b"\0" * (-(24 + len(text)) % ALIGN) + whole[start + (-start % ALIGN) :]
    stays_legal(with_header(text, tail), rng)


def stays_legal(data: bytes, rng: np.random.Generator) -> None:
    """Whatever can be read runs within its bounds."""
    try:
        student = read(data)
    except StudentError:
        return
    for name, value in reference.trace(student, random_input(rng, student)).items():
        plan = student.plan.values[name]
        assert int(np.abs(value.astype(np.int64)).max()) <= plan.bound <= INT32_MAX
        assert value.ndim == plan.steps + (plan.channels is not None)
