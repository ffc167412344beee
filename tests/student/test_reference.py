"""The one rule of rounding and each operator, against plain Python integers."""

from __future__ import annotations

from fractions import Fraction
from itertools import chain
from math import floor
from typing import Any

import numpy as np
import pytest
from bench._students import random_input, random_student
from hypothesis import given
from hypothesis import strategies as st

from hearthway.records.errors import StudentError
from hearthway.student import header as h
from hearthway.student import reference, rescale
from hearthway.student.format import Student

INT32 = st.integers(-(2**31), 2**31 - 1)


@given(INT32, st.integers(2**30, 2**31 - 1), st.integers(1, 62), st.booleans())
def test_requantise_rounds_half_up_once(wide: int, m: int, s: int, relu: bool) -> None:
    exact = floor(Fraction(wide * m, 2**s) + Fraction(1, 2))
    wanted = min(127, max(0 if relu else -128, exact))
    assert int(reference.requantise(np.int32(wide), m, s, relu=relu)) == wanted


@pytest.mark.parametrize(("wide", "wanted"), [(1, 1), (-1, 0), (3, 2), (-3, -1), (2, 1), (-2, -1)])
def test_a_tie_goes_up(wide: int, wanted: int) -> None:
    assert int(reference.requantise(wide, 2**30, 31)) == wanted


@given(st.floats(2.0**-31, 2.0**29))
def test_a_factor_is_written_to_31_bits(real: float) -> None:
    m, s = rescale.multiplier(real)
    assert m in rescale.MULTIPLIER
    assert s in rescale.SHIFT
    assert abs(Fraction(m, 2**s) - Fraction(real)) <= Fraction(1, 2 ** (s + 1))


@given(st.floats(2.0**-20, 2.0**20), st.floats(0, 2.0**20))
def test_a_pair_shares_its_shift(a: float, b: float) -> None:
    (m_a, m_b), s = rescale.pair(a, b)
    assert max(m_a, m_b) in rescale.MULTIPLIER
    assert m_b >= 0
    assert abs(Fraction(m_b, 2**s) - Fraction(b)) <= Fraction(1, 2 ** (s + 1))


@pytest.mark.parametrize("real", [0.0, -1.0, 2.0**-33, 2.0**30, float("nan"), float("inf")])
def test_a_factor_out_of_range_is_refused(real: float) -> None:
    with pytest.raises(StudentError, match="cannot be written"):
        rescale.multiplier(real)
    with pytest.raises(StudentError, match="cannot be written"):
        rescale.pair(1.0, -1.0)


@pytest.mark.parametrize("first", range(0, 150, 30))
def test_every_operator_is_what_plain_integers_say(first: int) -> None:
    for seed in range(first, first + 30):
        holds(np.random.default_rng(seed))


def holds(rng: np.random.Generator) -> None:
    student = random_student(rng, nodes_max=6)
    values = reference.trace(student, random_input(rng, student))
    plain: dict[str, Any] = {h.INPUT: values[h.INPUT].tolist()}
    for node in student.header.nodes:
        plain[node.name] = compute(student, node, [plain[name] for name in h.inputs_of(node)])
        assert values[node.name].tolist() == plain[node.name], node
        wanted = np.int32 if student.plan.values[node.name].dtype == "int32" else np.int8
        assert values[node.name].dtype == wanted


def flat(rows: Any) -> list[int]:
    return list(chain.from_iterable(rows))


def narrow(product: int, s: int, *, relu: bool = False) -> int:
    return max(0 if relu else -128, min(127, (product + (1 << (s - 1))) >> s))


def compute(student: Student, node: h.Node, taken: list[Any]) -> Any:
    """One operator with lists and Python's own integers."""
    tensors = {field: student.tensors[name].tolist() for field, name in h.tensors_of(node)}
    x = taken[0]
    stepped = bool(np.ndim(x) == 2)
    match node:
        case h.Embedding(gain=None):
            return [tensors["table"][i] for i in x]
        case h.Embedding():
            return [unpacked(tensors["table"][i], tensors["gain"][i]) for i in x]
        case h.Conv1d():
            taps = len(tensors["weight"][0])
            zeros = [[0] * len(x[0])] * (taps // 2)
            rows = [*zeros, *x, *zeros]
            windows = [flat(rows[t : t + taps]) for t in range(len(x))]
            weight = [flat(one) for one in tensors["weight"]]
            return [sums(node, window, weight, tensors) for window in windows]
        case h.Dense():
            weight = tensors["weight"]
            if stepped:
                return [sums(node, row, weight, tensors) for row in x]
            return sums(node, x, weight, tensors)
        case h.Add():
            return nested(
                lambda a, b: narrow(
                    a * node.multipliers[0] + b * node.multipliers[1], node.shift, relu=node.relu
                ),
                *taken,
            )
        case h.Relu():
            return nested(lambda a: max(0, a), x)
        case h.Pool(how="max"):
            return [max(column) for column in zip(*x, strict=True)]
        case h.Pool():
            m, s = (row[len(x) - 1] for row in tensors["rescale"])
            return [narrow(sum(column) * m, s) for column in zip(*x, strict=True)]
        case h.Concat():
            if all(np.ndim(one) == 1 for one in taken):
                return flat(taken)
            steps = next(len(one) for one in taken if np.ndim(one) == 2)
            rows = [one if np.ndim(one) == 2 else [one] * steps for one in taken]
            return [flat(parts) for parts in zip(*rows, strict=True)]
        case h.Requantise():
            rows = x if stepped else [x]
            m, s = tensors["rescale"]
            done = [
                [narrow(a * b, c, relu=node.relu) for a, b, c in zip(r, m, s, strict=True)]
                for r in rows
            ]
            return done if stepped else done[0]
        case h.Argmax():
            return [row.index(max(row)) for row in x] if stepped else x.index(max(x))


def unpacked(row: list[int], gain: int) -> list[int]:
    halves = [half for byte in row for half in (byte % 16, byte // 16)]
    return [(half - 16 if half > 7 else half) * gain for half in halves]


def sums(node: Any, window: list[int], weight: list[list[int]], tensors: Any) -> list[int]:
    wide = [
        bias + sum(a * b for a, b in zip(window, row, strict=True))
        for row, bias in zip(weight, tensors["bias"], strict=True)
    ]
    assert all(-(2**31) <= one < 2**31 for one in wide)
    if node.rescale is None:
        return wide
    m, s = tensors["rescale"]
    return [narrow(a * b, c, relu=node.relu) for a, b, c in zip(wide, m, s, strict=True)]


def nested(rule: Any, *values: Any) -> Any:
    if isinstance(values[0], list):
        return [nested(rule, *parts) for parts in zip(*values, strict=True)]
    return rule(*values)
