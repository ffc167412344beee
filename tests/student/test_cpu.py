"""The processor's runtime gives the reference's bits, by whichever of its ways; a fault of one unit is noticed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench._students import random_input, random_student
from bench._text_student import text_student
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.student.small import text_content

from hearthway.records.errors import StudentError
from hearthway.student import cpu, fused, reference
from hearthway.student.answer import Answerer
from hearthway.student.format import Student, read, write

DATA = Path(__file__).parents[2] / "src" / "hearthway" / "student" / "data"


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


@pytest.mark.parametrize("room", [0, 3, 12, cpu._KEPT])
def test_pieces_that_came_before_give_the_same_bits(
    room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`room`: for the products of none, of a few, and of all pieces; texts are longer and shorter than that."""
    rng = np.random.default_rng(7)
    student = read(text_student(rng, tokens=40, width=16, four_bits=True))
    outputs, taps, _ = student.tensors["c0.weight"].shape
    monkeypatch.setattr(cpu, "_KEPT", room * outputs * taps)
    runtime = cpu.Runtime(student)
    for _ in range(60):
        assert same(student, runtime, rng.integers(0, 40, rng.integers(1, 20)))


def test_a_piece_is_multiplied_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[int] = []
    embedding = cpu._embedding

    def counting(*made_of: Any) -> Any:
        rows = embedding(*made_of)

        def counted(ids: Any) -> Any:
            looked_up.extend(ids.tolist())
            return rows(ids)

        return counted

    monkeypatch.setattr(cpu, "_embedding", counting)
    rng = np.random.default_rng(7)
    runtime = cpu.Runtime(read(text_student(rng, tokens=40, width=16, four_bits=True)))
    for ids in ([3, 1, 3], [1, 2], [2, 3, 1]):
        runtime.run(ids)
    assert looked_up == [3, 1, 2]


def test_what_is_one_for_all_steps_is_multiplied_apart_where_nobody_else_reads_it() -> None:
    student = read(DATA / "home.student")
    assert fused.apart(student) == {"step": ("add4", "seen")}
    assert list(fused.read_by_one(student)) == ["pieces"]
    outputs = (*student.header.outputs, "step", "pieces")
    asked = dataclasses.replace(student, header=replace(student.header, outputs=outputs))
    assert not fused.apart(asked)
    assert not fused.read_by_one(asked)
    rng = np.random.default_rng(7)
    for runtime in (cpu.Runtime(student), cpu.Runtime(asked)):
        for steps in (1, 2, 9, 64):
            ids = rng.integers(0, len(student.tensors["table"]), steps)
            wanted, got = reference.run(student, ids), runtime.run(ids)
            assert all(wanted[name].tobytes() == got[name].tobytes() for name in wanted)


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
