"""The processor's runtime gives the reference's bits, by whichever of its ways; a fault of one unit is noticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench._students import random_input, random_student
from bench._text_student import text_student
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.student.small import text_content

from hearthway.records.errors import StudentError
from hearthway.student import cpu, reference
from hearthway.student.answer import Answerer
from hearthway.student.format import Student, read, write


def same(student: Student, runtime: cpu.Runtime, given: Any) -> bool:
    wanted, got = reference.run(student, given), runtime.run(given)
    return list(wanted) == list(got) and all(
        (wanted[name].dtype, wanted[name].shape, wanted[name].tobytes())
        == (got[name].dtype, got[name].shape, got[name].tobytes())
        for name in wanted
    )


@given(st.integers(0, 2**32))
@settings(max_examples=150)
def test_random_students_give_the_same_bits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    student = random_student(rng)
    runtime = cpu.Runtime(student)
    for _ in range(3):
        assert same(student, runtime, random_input(rng, student))


@pytest.mark.parametrize("four_bits", [False, True])
def test_a_student_of_a_trained_ones_shape_gives_the_same_bits(four_bits: bool) -> None:
    rng = np.random.default_rng(5)
    student = read(text_student(rng, tokens=500, width=64, four_bits=four_bits))
    runtime = cpu.Runtime(student)
    for steps in (1, 2, 3, 10, 64):
        assert same(student, runtime, rng.integers(0, 500, steps))


def test_every_way_of_computing_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {"float64 sums": 0, "in integers": 0, "float32 sums": 0, "in floats": 0}
    by_reference, clamped, sums = cpu._by_reference, cpu._clamped, cpu._sums

    def counted(name: str, work: Any) -> Any:
        def counting(*taken: Any, **more: Any) -> Any:
            seen[name] += 1
            return work(*taken, **more)

        return counting

    def typed(node: Any, tensors: Any) -> Any:
        matrix, finish = sums(node, tensors)
        seen["float32 sums" if matrix.dtype == np.float32 else "float64 sums"] += 1
        return matrix, finish

    monkeypatch.setattr(cpu, "_by_reference", counted("in integers", by_reference))
    monkeypatch.setattr(cpu, "_clamped", counted("in floats", clamped))
    monkeypatch.setattr(cpu, "_sums", typed)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        student = random_student(rng)
        assert same(student, cpu.Runtime(student), random_input(rng, student))
    assert min(seen.values()) >= 20


def test_a_fault_of_one_unit_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "HALF", 0.5 - 2.0**-30)  # a tie goes down
    differing = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        student = random_student(rng)
        differing += not same(student, cpu.Runtime(student), random_input(rng, student))
    assert differing >= 3


def test_a_mapped_file_runs_and_answers(tmp_path: Path) -> None:
    path = tmp_path / "student"
    path.write_bytes(write(*text_content()))
    student = read(path)
    understood = Answerer(student, cpu.Runtime(student)).understand("turn off the kitchen lights")
    assert (understood.intent, understood.accepted) == ("light_off", True)
    assert [slot.text for slot in understood.slots] == ["kitchen"]


def test_an_input_that_does_not_fit_is_refused() -> None:
    with pytest.raises(StudentError, match="not one of the 15 tokens"):
        cpu.Runtime(read(write(*text_content()))).run([99])
