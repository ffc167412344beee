"""The runtime without numpy says what the reference says, bit for bit, and refuses what it does not run."""

from __future__ import annotations

import math
import subprocess
import sys
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.student.small import text_content

from hearthway.records.errors import StudentError
from hearthway.student import header as h
from hearthway.student.features import quantise
from hearthway.student.format import read, write
from hearthway.student.plain import PlainStudent
from hearthway.student.reference import run
from hearthway.student.rescale import table

ABOUT = h.About(title="a test", licence="Apache-2.0")


def dense(seed: int, sizes: tuple[int, ...], *, relu: bool = True) -> bytes:
    """A student of dense layers whose weights, biases and factors are drawn from their whole range."""
    rng = np.random.default_rng(seed)
    tensors: dict[str, NDArray[Any]] = {}
    nodes: list[h.Node] = []
    before = h.INPUT
    for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
        last = layer == len(sizes) - 2
        name = "logits" if last else f"hidden{layer}"
        tensors[f"{name}.weight"] = rng.integers(-128, 128, (outputs, inputs)).astype(np.int8)
        tensors[f"{name}.bias"] = rng.integers(-(2**20), 2**20, outputs).astype(np.int32)
        if not last:
            tensors[f"{name}.rescale"] = table(2.0 ** rng.uniform(-14.0, -4.0, outputs))
        nodes.append(
            h.Dense(
                name=name,
                of=before,
                weight=f"{name}.weight",
                bias=f"{name}.bias",
                rescale=None if last else f"{name}.rescale",
                relu=relu and not last,
            )
        )
        before = name
    features = tuple(
        h.Feature(f"f{k}", "1", float(rng.normal()), float(rng.uniform(0.0, 90.0)))
        for k in range(sizes[0])
    )
    labels = tuple(f"class {k}" for k in range(sizes[-1]))
    head = h.ClassHead(name="class", of="logits", labels=labels, scale=0.01, threshold=-(2**31))
    told = h.Header(
        task="test",
        about=ABOUT,
        input=h.FeatureInput(steps_max=0, features=features),
        nodes=(*nodes, h.Argmax(name="best", of="logits")),
        outputs=("logits", "best"),
        heads=(head,),
    )
    return write(told, tensors)


NUMBERS = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.floats(-3.0, 3.0))


@given(
    st.integers(0, 2**31),
    st.lists(st.integers(1, 9), min_size=2, max_size=4),
    st.booleans(),
    st.data(),
)
def test_it_equals_the_reference(
    seed: int, sizes: list[int], relu: bool, data: st.DataObject
) -> None:
    file = dense(seed, tuple(sizes), relu=relu)
    student, plain = read(file), PlainStudent(file)
    assert plain.identity == student.identity
    row = data.draw(st.lists(NUMBERS, min_size=sizes[0], max_size=sizes[0]))
    assert isinstance(student.header.input, h.FeatureInput)
    wanted = run(student, quantise(student.header.input, row))["logits"].tolist()
    assert plain.logits(row) == wanted


def test_a_fault_of_one_would_be_seen() -> None:
    """The control: the least change of one weight changes a logit of some row."""
    plain, other = (PlainStudent(dense(1, (6, 5, 3), relu=False)) for _ in range(2))
    layer = other._layers[1]
    moved = tuple((row[0] + 1, *row[1:]) for row in layer.weights)
    other._layers[1] = type(layer)(moved, layer.bias, layer.rescale, layer.least)
    rows = [[math.sin(k * n) for k in range(6)] for n in range(20)]
    assert any(plain.logits(row) != other.logits(row) for row in rows)


def test_probabilities_sum_to_one_and_follow_the_logits() -> None:
    plain = PlainStudent(dense(3, (4, 5, 3)))
    row = [0.1, -0.2, 0.3, 2.0]
    p, logits = plain.probabilities(row), plain.logits(row)
    assert sum(p) == pytest.approx(1.0)
    assert max(range(3), key=p.__getitem__) == max(range(3), key=logits.__getitem__)


def test_what_is_not_run_here_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudentError, match="not a student over one row"):
        PlainStudent(write(*text_content()))
    with pytest.raises(StudentError, match="lead to its head"):
        PlainStudent(dense(1, (400, 200, 2)))
    with pytest.raises(StudentError, match="takes 3 features"):
        PlainStudent(dense(1, (3, 2))).logits([0.0])
    with pytest.raises(StudentError, match="cannot be read"):
        PlainStudent.at(tmp_path / "none.student")
    PlainStudent(dense(1, (3, 2)))


@given(st.integers(0, 100_000), st.integers(0, 255))
def test_a_damaged_file_is_an_error_or_a_student(place: int, byte: int) -> None:
    data = bytearray(dense(5, (3, 4, 2)))
    data[place % len(data)] = byte
    with suppress(StudentError):
        PlainStudent(bytes(data)).logits([0.0, 1.0, 2.0])


@pytest.mark.parametrize("factor", [(2**30 - 1, 31), (2**30, 0), (2**30, 63), (-1, 1)])
def test_a_factor_that_no_file_may_have_is_refused(factor: tuple[int, int]) -> None:
    """The reference refuses such a file as well."""
    good = dense(5, (3, 4, 2))
    m, s = (n.to_bytes(4, "little", signed=True) for n in factor)
    rescale = read(good).tensors["hidden0.rescale"].astype("<i4").tobytes()
    at = good.index(rescale)
    bad = good[:at] + m + good[at + 4 : at + 16] + s + good[at + 20 :]
    for reader in (PlainStudent, read):
        with pytest.raises(StudentError, match="legal"):
            reader(bad)
        reader(good)


def test_neither_reading_nor_running_loads_the_numbers_library(tmp_path: Path) -> None:
    file = tmp_path / "one.student"
    file.write_bytes(dense(1, (3, 4, 2)))
    program = (
        "import sys; from pathlib import Path; from hearthway.student.plain import PlainStudent; "
        "PlainStudent.at(Path(sys.argv[1])).logits([0.0, 1.0, 2.0]); print('numpy' in sys.modules); "
        "import hearthway.student.reference; print('numpy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["False", "True"]
