"""The entries of a JSON document's lists: found whatever the pieces are, bounded whatever the text is."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.history.jsonstream import MAX_DEPTH, MAX_ENTRY, Broken, Document, Oversized

WANTED = frozenset({"a", "b"})
TEXTS = st.text('"\\{}[],: \n\u00e9a', max_size=5)
VALUES = st.recursive(
    st.none() | st.integers() | st.floats(-1e300, 1e300) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def _pieces(text: bytes, size: int) -> Iterator[bytes]:
    return (text[at : at + size] for at in range(0, len(text), size))


def _read(text: bytes, size: int = 1 << 16) -> list[tuple[str, Any]]:
    return [(name, json.loads(one)) for name, one in Document(_pieces(text, size)).entries(WANTED)]


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["a", "b", "c", 'd"{[']), VALUES),
    st.integers(1, 40),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_the_same_as_json_whatever_the_pieces(
    document: dict[str, Any], size: int, indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
    expected = [
        (name, entry)
        for name, value in document.items()
        if name in WANTED and isinstance(value, list)
        for entry in value
    ]
    assert _read(text, size) == expected


@settings(deadline=None)
@given(st.lists(VALUES, max_size=4), st.integers(1, 40))
def test_an_outermost_list(entries: list[Any], size: int) -> None:
    text = b"\xef\xbb\xbf" + json.dumps(entries).encode()
    assert _read(text, size) == [("", entry) for entry in entries]


@settings(deadline=None)
@given(
    st.lists(st.dictionaries(TEXTS, st.integers(), max_size=3), min_size=1, max_size=4), st.data()
)
def test_a_cut_is_noticed_and_what_came_before_is_given(
    entries: list[dict[str, int]], data: st.DataObject
) -> None:
    text = json.dumps({"a": entries}).encode()
    cut = data.draw(st.integers(0, len(text) - 1))
    found: list[Any] = []
    with pytest.raises(Broken):
        found.extend(json.loads(one) for _, one in Document(_pieces(text[:cut], 7)).entries(WANTED))
    assert found == entries[: len(found)]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"x",
        b'{"a"',
        b'{"a":}',
        b'{"a":1]',
        b'{"a" 1}',
        b"{a:1}",
        b'{"a":[1,]}',
        b'{"a":[,1]}',
        b'{"a":[1}',
        b"[1] [2]",
        b"[1",
        b'["x',
    ],
)
def test_what_is_no_json(text: bytes) -> None:
    with pytest.raises(Broken):
        _read(text)


def test_depth_and_size_of_an_entry_are_bounded() -> None:
    deepest = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert len(_read(b"[%s]" % deepest)) == 1
    deeper = b"[[" + deepest + b"]" + b"," + b"1," * MAX_ENTRY + b"1]"
    with pytest.raises(Oversized):
        _read(deeper)
    with pytest.raises(Oversized):
        _read(b'["' + b"x" * (2 * MAX_ENTRY) + b'"]')
    assert len(_read(b'["' + b"x" * (MAX_ENTRY // 2) + b'"]')) == 1


def test_what_is_not_wanted_may_be_of_any_size_and_depth() -> None:
    text = b'{"c":' + b"[" * 400_000 + b"]" * 400_000 + b',"a":[1]}'
    assert _read(text) == [("a", 1)]


@pytest.mark.parametrize(
    "hostile",
    [
        b"[" * 900_000,
        b'["' + b'\\"' * 450_000,
        b"[" + b'{"a":[{"a":' * 80_000,
        b"[" + b'"",' * 50_000,
        b'[{"' * 300_000,
    ],
    ids=range(5),
)
def test_the_time_stays_linear(hostile: bytes) -> None:
    begun = time.process_time()
    with pytest.raises(Broken):
        _read(hostile)
    assert time.process_time() - begun < 5.0  # 1 MB: quadratic would be hours
