"""The edges of what is legal: the last value that is, and the first that is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.student.small import Content, text_content
from tests.student.test_legal import refused, vector

from hearthway.records.errors import StudentError
from hearthway.student import header as h
from hearthway.student.cpu import Runtime
from hearthway.student.format import read, write
from hearthway.student.header import TextInput
from hearthway.student.tokens import WORD_MAX, Tokenizer

SIZE = 15
NAN, INF = float("nan"), float("inf")


def legal(content: Content) -> bool:
    try:
        write(*content)
    except StudentError:
        return False
    return True


def rescaled(m: int, s: int) -> Content:
    node = h.Requantise(name="y", of="input", rescale="r")
    return vector((node,), 1, 0), {"r": np.array([[m], [s]], np.int64).astype(np.int32)}


@pytest.mark.parametrize(
    ("m", "s", "fine"),
    [
        (2**30, 1, True),
        (2**31 - 1, 62, True),
        (2**30 - 1, 1, False),
        (-(2**31), 1, False),
        (2**30, 0, False),
        (2**30, 63, False),
        (2**30, -1, False),
    ],
)
def test_multipliers_and_shifts(m: int, s: int, fine: bool) -> None:
    assert legal(rescaled(m, s)) == fine


@pytest.mark.parametrize(("gain", "fine"), [(0, False), (1, True), (16, True), (17, False)])
def test_gains(gain: int, fine: bool) -> None:
    header, tensors = text_content()
    gains = np.ones(SIZE, np.uint8)
    gains[3] = gain
    packed = np.zeros((SIZE, 1), np.uint8)
    content = (
        h.Header(
            task="t",
            about=header.about,
            input=header.input,
            nodes=(h.Embedding(name="e", of="input", table="table", gain="gain"),),
            outputs=("e",),
        ),
        {"vocabulary": tensors["vocabulary"], "table": packed, "gain": gains},
    )
    assert legal(content) == fine


@pytest.mark.parametrize(("taps", "fine"), [(1, True), (31, True), (30, False), (33, False)])
def test_kernels(taps: int, fine: bool) -> None:
    node = h.Conv1d(name="y", of="input", weight="w", bias="b")
    tensors: dict[str, NDArray[Any]] = {
        "w": np.ones((1, taps, 2), np.int8),
        "b": np.zeros(1, np.int32),
    }
    content = vector((node,), 2, 8), tensors
    assert legal(content) == fine
    if fine:  # also where the kernel reaches beyond both ends
        given = np.ones((3, 2), np.int8)
        wanted = [[2 * sum(abs(a - b) <= taps // 2 for b in range(3))] for a in range(3)]
        assert Runtime(read(write(*content))).run(given)["y"].tolist() == wanted


def test_channels() -> None:
    twice = h.Concat(name="y", of=("input", "input"))
    assert legal((vector((twice,), 2048, 0), {}))
    assert "4098 channels; 4096 are the most" in refused((vector((twice,), 2049, 0), {}))


def test_numbers_held() -> None:
    steps = 2**10
    half = 2**22 // steps // 2  # a relu holds what it reads and what it gives
    assert legal((vector((h.Relu(name="y", of="input"),), half, steps), {}))
    assert "one run costs more" in refused(
        (vector((h.Relu(name="y", of="input"),), half + 1, steps), {})
    )


def test_a_windows_numbers_count() -> None:
    tensors: dict[str, NDArray[Any]] = {
        "w": np.zeros((1, 31, 64), np.int8),
        "b": np.zeros(1, np.int32),
    }
    conv = h.Conv1d(name="y", of="input", weight="w", bias="b")
    assert legal((vector((conv,), 64, 2**11), tensors))
    assert "one run costs more" in refused((vector((conv,), 64, 2**12), tensors))


@pytest.mark.parametrize(("offset", "gain"), [(NAN, 1.0), (0.0, NAN), (INF, 1.0), (0.0, -INF)])
def test_a_feature_has_finite_numbers(offset: float, gain: float) -> None:
    header = h.Header(
        task="t",
        about=h.About(title="t", licence="none"),
        input=h.FeatureInput(steps_max=0, features=(h.Feature("f", "m", offset, gain),)),
        nodes=(h.Relu(name="y", of="input"),),
        outputs=("y",),
    )
    assert not legal((header, {}))


@pytest.mark.parametrize(
    ("scale", "offset", "fine"),
    [
        (1.0, -1.0, True),
        (-1.0, 0.0, False),
        (INF, 0.0, False),
        (1.0, INF, False),
        (1.0, NAN, False),
    ],
)
def test_a_value_heads_numbers(scale: float, offset: float, fine: bool) -> None:
    head = h.ValueHead(name="v", of="y", unit="m", scale=scale, offset=offset)
    assert legal((vector((h.Relu(name="y", of="input"),), 2, 0, heads=(head,)), {})) == fine


def test_one_label_leaves_none_inside() -> None:
    head = h.ClassHead(
        name="c", of="y", labels=("a",), scale=1.0, threshold=0, outside=0, score="best"
    )
    content: Content = vector((h.Relu(name="y", of="input"),), 1, 0, heads=(head,)), {}
    assert "the label that is outside is none of its own" in refused(content)


def test_numbers_have_no_vocabulary() -> None:
    node = h.Embedding(name="y", of="input", table="t")
    content = vector((node,), 2, 8), {"t": np.zeros((2, 2), np.int8)}
    assert "takes ids [T] and is given int8 [T, 2]" in refused(content)
    pool = h.Pool(name="y", of="input", how="max")
    assert "takes int8 [T, C] and is given int8 [2]" in refused((vector((pool,), 2, 0), {}))


@pytest.mark.parametrize(
    ("vocabulary", "message"),
    [
        (b"a\n##", "is empty"),
        (b"a\n##\nb", "is empty"),
        (b"a" * 64 + b"\n" + b"b" * 2**20, "longer than 1048576 bytes"),
    ],
)
def test_vocabularies(vocabulary: bytes, message: str) -> None:
    header, tensors = text_content()
    blob = np.frombuffer(vocabulary, np.uint8)
    assert message in refused((header, {**tensors, "vocabulary": blob}))


def test_the_longest_word_that_is_cut() -> None:
    given = TextInput(
        steps_max=100, vocabulary="v", unknown=0, letters="ab", signs="", fold={}, drop=""
    )
    tokenizer = Tokenizer(given, np.frombuffer(b"?\na\n##b", np.uint8))
    assert tokenizer.ids("a" + "b" * (WORD_MAX - 1)).tolist() == [1] + [2] * (WORD_MAX - 1)
    assert tokenizer.ids("a" + "b" * WORD_MAX).tolist() == [0]
