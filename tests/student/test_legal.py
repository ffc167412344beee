"""The table of legal forms: what breaks it is named, and what it lets through cannot leave int32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.student.small import Content, changed, text_content

from hearthway.records.errors import StudentError
from hearthway.student import header as h
from hearthway.student import legal, reference
from hearthway.student.format import read, write

SIZE = 15


def refused(content: Content) -> str:
    with pytest.raises(StudentError) as caught:
        write(*content)
    return str(caught.value)


def test_the_unchanged_student_is_legal() -> None:
    student = read(write(*text_content()))
    assert str(student.plan.values["tags"]) == "int32 [T, 3]"
    assert str(student.plan.values["both"]) == f"int8 [{2 * SIZE}]"
    assert (
        student.plan.macs
        == 16 * (SIZE + 3 * SIZE * SIZE + SIZE + SIZE + SIZE + 3 * SIZE) + 2 * SIZE + 3 * 2 * SIZE
    )


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("nodes.1.of", "r", "c reads r, which no operator before it gives"),
        ("nodes.1.name", "e", "two values have the name e"),
        ("nodes.1.name", "input", "two values have the name input"),
        ("nodes.1.weight", "none", "names the tensor none"),
        ("nodes.1.weight", "table", r"its weight is int8 [15, 15] and has to be int8 [O, K, C]"),
        ("nodes.1.of", "input", "c takes int8 [T, C] and is given ids [T]"),
        ("nodes.0.of", "c", "e reads c"),
        ("nodes.1.rescale", None, "relu goes with rescale"),
        ("nodes.2.of", ("e", "input"), "r takes int8 [T?, C] and is given ids [T]"),
        ("nodes.2.multipliers", (2**30 - 1, 0), "none is within"),
        ("nodes.2.multipliers", (2**30, -1), "none is within"),
        ("nodes.3.how", "sum", "no form of pool sum has just these tensors: none"),
        ("nodes.4.how", "max", "no form of pool max has just these tensors: rescale"),
        ("nodes.5.of", ("max", "max"), "nothing reads sum"),
        ("nodes.0.gain", "conv.bias", "its table is int8"),
        ("outputs", ("logits", "tags", "tags"), "an output stands twice"),
        ("outputs", ("logits", "tags", "input"), "is the input itself"),
        ("outputs", ("logits", "tags", "x"), "the list of outputs reads x"),
        ("outputs", ("logits",), "nothing reads tags"),
        ("heads.0.of", "tags", "head intent cannot be read from int32 [T, 3]"),
        ("heads.1.of", "logits", "head slots cannot be read from int32 [3]"),
        ("heads.0.of", "max", "reads max, which is no output"),
        ("heads.0.labels", ("a", "b"), "needs 3 different labels"),
        ("heads.0.labels", ("a", "b", "a"), "needs 3 different labels"),
        ("heads.0.outside", 3, "the label that is outside is none of its own"),
        ("heads.0.outside", None, "a margin needs a label that is outside"),
        ("heads.0.scale", 0.0, "has no positive scale"),
        ("heads.1.labels", ("O", "B-", "I-x"), "a label is O, B-name or I-name"),
        ("heads.1.name", "intent", "two heads have the name intent"),
        ("input.steps_max", 0, "a text has at least one step"),
        ("input.steps_max", 15, "its rescale is int32 [2, 16]"),
        ("input.unknown", SIZE, "the unknown token is none"),
        ("input.letters", "abca", "U+0061 has two roles"),
        ("input.drop", " ", "U+0020 has two roles"),
        ("input.fold", {"世": "é"}, "'世', as which other characters are read"),
        ("tensor.more", np.zeros(1, np.int8), "nothing reads the tensor more"),
        ("tensor.conv.bias", np.full(SIZE, 2**31 - 1, np.int32), "a sum could leave int32"),
        ("tensor.conv.bias", np.full(SIZE, -(2**31), np.int32), "a sum could leave int32"),
        ("tensor.conv.bias", np.zeros(SIZE + 1, np.int32), "its bias is int32 [16]"),
        ("tensor.conv.weight", np.zeros((SIZE, 2, SIZE), np.int8), "a kernel of 2 steps"),
        ("tensor.conv.weight", np.zeros((SIZE, 33, SIZE), np.int8), "a kernel of 33 steps"),
        ("tensor.conv.weight", np.zeros((SIZE, 3, 9), np.int8), "has to be int8 [O, K, C]"),
        ("tensor.conv.rescale", np.full((2, SIZE), 2**30, np.int32), "out of range"),
        ("tensor.conv.rescale", np.full((2, SIZE), 62, np.int32), "out of range"),
        ("tensor.table", np.zeros((SIZE + 1, SIZE), np.int8), "has to be int8 [V, C]"),
        ("tensor.vocabulary", np.zeros((3, 3), np.uint8), "no vocabulary"),
        ("tensor.vocabulary", np.frombuffer(b"\xff\xfe", np.uint8), "not UTF-8"),
        ("tensor.vocabulary", np.frombuffer(b"a\na", np.uint8), "stands twice"),
        ("tensor.vocabulary", np.frombuffer(b"a\n", np.uint8), "is empty"),
        ("tensor.vocabulary", np.frombuffer(b"a\n" + b"b" * 65, np.uint8), "longer than 64"),
        ("tensor.vocabulary", np.full(70_000, 10, np.uint8), "more than 65536 tokens"),
    ],
)
def test_what_breaks_the_table_is_named(path: str, value: Any, message: str) -> None:
    assert message in refused(changed(text_content(), path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("nodes.1.name", "Not a name"),
        ("nodes.2.shift", 0),
        ("nodes.2.shift", 63),
        ("heads.0.scale", float("nan")),
        ("heads.0.threshold", 2**40),
        ("input.steps_max", 4097),
        ("nodes.1.op", "softmax"),
        ("about.title", "x" * 401),
        ("task", "../ask"),
        ("task", "ask.now"),
    ],
)
def test_what_the_header_cannot_say_does_not_decode(path: str, value: Any) -> None:
    header, tensors = text_content()
    with pytest.raises((StudentError, msgspec.ValidationError)):
        write(*changed((header, tensors), path, value))


def vector(nodes: tuple[h.Node, ...], channels: int, steps_max: int, **more: Any) -> h.Header:
    features = tuple(h.Feature(f"f{n}", "m", 0.0, 1.0) for n in range(channels))
    return h.Header(
        task="t",
        about=h.About(title="t", licence="none"),
        input=h.FeatureInput(steps_max=steps_max, features=features),
        nodes=nodes,
        outputs=(nodes[-1].name,),
        **more,
    )


def dense(bias: int, weight: int, channels: int = 64) -> Content:
    tensors: dict[str, NDArray[Any]] = {
        "w": np.full((1, channels), weight, np.int8),
        "b": np.array([bias], np.int32),
    }
    return vector((h.Dense(name="y", of="input", weight="w", bias="b"),), channels, 0), tensors


@pytest.mark.parametrize(("weight", "sign"), [(-128, 1), (127, -1)])
def test_the_bound_of_a_sum_is_exact(weight: int, sign: int) -> None:
    room = 2**31 - 1 - 64 * 128 * abs(weight)
    student = read(write(*dense(sign * room, weight)))
    given = np.full(64, -128, np.int8)
    assert reference.run(student, given)["y"].tolist() == [sign * (2**31 - 1)]
    assert student.plan.values["y"].bound == 2**31 - 1
    assert "could reach 2147483648" in refused(dense(sign * (room + 1), weight))


def test_fuel_is_bounded() -> None:
    tensors: dict[str, NDArray[Any]] = {
        "w": np.zeros((4096, 4096), np.int8),
        "b": np.zeros(4096, np.int32),
        "r": np.tile([[2**30], [40]], 4096).astype(np.int32),
    }
    nodes = tuple(
        h.Dense(name=f"d{n}", of=f"d{n - 1}", weight="w", bias="b", rescale="r")
        for n in range(1, 9)
    )
    first = h.Dense(name="d0", of="input", weight="w", bias="b", rescale="r")
    content = vector((first, *nodes), 4096, 0), tensors
    assert "up to d8 one run costs more" in refused(content)
    shorter = msgspec.structs.replace(content[0], nodes=content[0].nodes[:8], outputs=("d7",))
    assert read(write(shorter, content[1])).plan.macs == 2**27


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "has 0 steps"),
        ([0] * 17, "has 17 steps"),
        ([[0]], "has 2 axes"),
        (0, "has 0 axes"),
        ([-1], "not one of the 15 tokens"),
        ([SIZE], "not one of the 15 tokens"),
        ([2**63], "not one of the 15 tokens"),
        ([0.5], "token ids are integers"),
        (["a"], "token ids are integers"),
        (None, "has 0 axes"),
        ([2**70], "token ids are integers"),
        ([[0], [0, 1]], "no array of numbers"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(given: Any, message: str) -> None:
    student = read(write(*text_content()))
    with pytest.raises(StudentError, match=message):
        legal.admit(student.header, given)
    assert legal.admit(student.header, [0, SIZE - 1]).dtype == np.int32


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.zeros((3, 2), np.int16),
        lambda: np.zeros((3, 3), np.int8),
        lambda: np.zeros((0, 2), np.int8),
        lambda: np.zeros((9, 2), np.int8),
        lambda: np.zeros(2, np.int8),
    ],
)
def test_features_that_do_not_fit_are_refused(make: Callable[[], Any]) -> None:
    header = vector((h.Relu(name="y", of="input"),), 2, 8)
    with pytest.raises(StudentError, match="does not fit"):
        legal.admit(header, make())
    assert legal.admit(header, np.zeros((8, 2), np.int8)).shape == (8, 2)
