"""Where the processor's runtime stops trusting floats: sums and products just below, at and just above what they hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.student.small import Content
from tests.student.test_legal import vector

from hearthway.student import cpu, reference
from hearthway.student import header as h
from hearthway.student.format import Student, read, write

EVERY_INT8 = np.arange(-128, 128).astype(np.int8)[:, None]
Tensors = dict[str, NDArray[Any]]


def narrow(wide: int, m: int, s: int, *, relu: bool = False) -> int:
    """The rule, in Python's own integers."""
    return max(0 if relu else -128, min(127, (wide * m + (1 << (s - 1))) >> s))


def pair(m: int, s: int) -> NDArray[np.int32]:
    return np.array([[m], [s]], np.int32)


def made(nodes: tuple[h.Node, ...], tensors: Tensors, channels: int, steps_max: int) -> Student:
    content: Content = vector(nodes, channels, steps_max), tensors
    return read(write(*content))


def layer(kind: str, bias: int, m: int, s: int, *, relu: bool = False) -> Student:
    """y = rescaled(bias + x), one channel: a dense layer, a convolution, or logits that are narrowed after."""
    tensors: Tensors = {
        "w": np.ones((1, 1), np.int8),
        "b": np.array([bias], np.int32),
        "r": pair(m, s),
    }
    nodes: tuple[h.Node, ...]
    if kind == "conv1d":
        tensors["w"] = tensors["w"][:, None]
        nodes = (h.Conv1d(name="y", of="input", weight="w", bias="b", rescale="r", relu=relu),)
    elif kind == "dense":
        nodes = (h.Dense(name="y", of="input", weight="w", bias="b", rescale="r", relu=relu),)
    else:
        nodes = (
            h.Dense(name="sum", of="input", weight="w", bias="b"),
            h.Requantise(name="y", of="sum", rescale="r", relu=relu),
        )
    return made(nodes, tensors, 1, len(EVERY_INT8))


def both(student: Student, given: NDArray[np.int8]) -> list[int]:
    """What the runtime gives, which is what the reference gives."""
    wanted, got = reference.run(student, given)["y"], cpu.Runtime(student).run(given)["y"]
    assert (got.dtype, got.tolist()) == (wanted.dtype, wanted.tolist())
    return [int(one) for one in got.ravel()]


@pytest.fixture
def in_integers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Fills with one entry for every time that a layer is rounded as the reference rounds."""
    seen: list[int] = []
    by_reference = cpu._by_reference

    def counting(sums: Any, *rest: Any, **more: Any) -> Any:
        seen.append(len(sums))
        return by_reference(sums, *rest, **more)

    monkeypatch.setattr(cpu, "_by_reference", counting)
    return seen


@pytest.mark.parametrize("kind", ["dense", "conv1d", "requantise"])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(("m", "s"), [(2**30, 31), (2**30, 47), (2**31 - 1, 50), (2**31 - 3, 53)])
@pytest.mark.parametrize("sign", [1, -1])
def test_products_at_the_edge_of_float64(
    kind: str, relu: bool, m: int, s: int, sign: int, in_integers: list[int]
) -> None:
    last = (2**53 - 2 ** (s - 1)) // m - 128  # beside which every peak * m + half fits
    for bias, ways in ((last - 1, 0), (last, 0), (last + 1, 1), (last + 2, 2)):
        got = both(layer(kind, sign * bias, m, s, relu=relu), EVERY_INT8)
        assert got == [narrow(sign * bias + x, m, s, relu=relu) for x in range(-128, 128)]
        assert len(in_integers) == ways


@pytest.mark.parametrize("kind", ["dense", "conv1d"])
@pytest.mark.parametrize(
    ("bias", "m"),
    [
        (3857965, 1167352295),
        (3798619, 1185589913),
        (2171149, 2074297031),
        (2143839, 2100721197),
    ],
)
def test_a_half_that_leaves_float64_is_not_added_in_it(kind: str, bias: int, m: int) -> None:
    """(bias - 4) * m is 2**52 - 1, one below a half; but bias * m + 2**52 is odd and above 2**53: floats round it up."""
    assert (bias - 4) * m == 2**52 - 1
    got = both(layer(kind, bias, m, 53), EVERY_INT8)
    assert got[128 - 4 : 128 - 2] == [0, 1]
    factor = m * 2.0**-53
    assert -4 * factor + (bias * factor + 0.5) == 1.0  # what it would be


@pytest.mark.parametrize("kind", ["dense", "conv1d", "requantise"])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("k", range(1, 12))
def test_a_product_of_61_bits_just_below_a_half(kind: str, relu: bool, k: int) -> None:
    wide, m = 2**30 + k, 2**31 - 2 * k
    assert wide * m == 2**61 - 2 * k * k
    got = both(layer(kind, wide, m, 62, relu=relu), np.array([[0], [1]], np.int8))
    assert got == [0, 1]
    assert float(wide) * float(m) * 2.0**-62 + 0.5 == 1.0  # what it would be
    below = both(layer(kind, -wide, m, 62, relu=relu), np.array([[0], [-1]], np.int8))
    assert below == [0, 0 if relu else -1]


@pytest.mark.parametrize("excess", [-1, 0, 1, 2, 3])
@pytest.mark.parametrize("kind", ["dense", "conv1d"])
def test_sums_at_the_edge_of_float32(kind: str, excess: int) -> None:
    channels = 1024
    weight = np.full((1, channels), -128, np.int8)
    weight[0, 0] = -127
    bias = 128 + excess
    assert 128 * (2**17 - 1) + bias == 2**24 + excess  # the peak, which is reached
    given = np.full((1, channels), -128, np.int8)
    tensors: Tensors = {"w": weight, "b": np.array([bias], np.int32)}
    node: h.Dense | h.Conv1d = h.Dense(name="y", of="input", weight="w", bias="b")
    if kind == "conv1d":
        tensors["w"] = weight[:, None]
        node = h.Conv1d(name="y", of="input", weight="w", bias="b")
    assert both(made((node,), tensors, channels, 1), given) == [2**24 + excess]
    matrix, _ = cpu._sums(node, {"weight": tensors["w"], "bias": tensors["b"]})
    assert matrix.dtype == (np.float32 if excess < 0 else np.float64)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("s", [1, 31, 32, 37, 38, 39, 45, 52, 53, 54, 55, 61, 62])
def test_an_add_at_every_shift(s: int, relu: bool) -> None:
    given = np.array([[-128, -128], [127, 127], [-128, 127], [1, 0], [0, 1], [-1, 0], [3, -2]])
    for pair_of in ((2**31 - 1, 2**31 - 1), (2**31 - 1, 0), (1, 2**31 - 1), (2**30, 2**30 + 1)):
        one, other = (np.array([[k, 1 - k]], np.int8) for k in (1, 0))
        zero = np.zeros(1, np.int32)
        nodes: tuple[h.Node, ...] = (
            h.Dense(name="a", of="input", weight="w.a", bias="b", rescale="r"),
            h.Dense(name="b", of="input", weight="w.b", bias="b", rescale="r"),
            h.Add(name="y", of=("a", "b"), multipliers=pair_of, shift=s, relu=relu),
        )
        tensors: Tensors = {"w.a": one, "w.b": other, "b": zero, "r": pair(2**30, 30)}
        got = both(made(nodes, tensors, 2, len(given)), given.astype(np.int8))
        m_a, m_b = pair_of
        assert got == [narrow(a * m_a + b * m_b, 1, s, relu=relu) for a, b in given.tolist()]


@pytest.mark.parametrize("s", [1, 31, 32, 43, 44, 49, 50, 51, 52, 53, 54, 55, 61, 62])
@pytest.mark.parametrize("m", [2**30, 2**31 - 1])
def test_a_sum_over_the_most_steps_at_every_shift(m: int, s: int) -> None:
    node = h.Pool(name="y", of="input", how="sum", rescale="r")
    for steps in (1, 3, h.STEPS_MAX):
        table = np.repeat(pair(m, s), h.STEPS_MAX, axis=1)
        table[:, steps:] = pair(2**30, 1)  # rows of other lengths
        table[:, : steps - 1] = pair(2**30, 1)
        student = made((node,), {"r": table}, 4, h.STEPS_MAX)
        given = np.tile(np.array([-128, 127, 0, 0], np.int8), (steps, 1))
        given[0, 2:] = 1, -1
        totals = given.astype(int).sum(axis=0).tolist()
        assert both(student, given) == [narrow(one, m, s) for one in totals]
