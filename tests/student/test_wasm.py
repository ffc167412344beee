"""The module in wasmtime: the reference's bits, and nothing that a file or an input says makes it read, run or trap beyond."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench._students import random_input, random_student

from hearthway.records.errors import ConfigError, StudentError
from hearthway.student import header as h
from hearthway.student import reference, wasm
from hearthway.student.format import Student, read, write
from hearthway.student.rescale import table

from .small import text_student_file

FAULTY = Path(__file__).with_name("faulty.wasm")


def differing(student: Student, inputs: list[Any], module: wasm.Module | None = None) -> int:
    """Bytes in which the module differs from the reference; another dtype or shape counts as all."""
    found = 0
    for given, got in zip(inputs, wasm.Runtime(student, module).run_all(inputs), strict=True):
        for name, wanted in reference.run(student, given).items():
            one = got[name]
            if (one.dtype, one.shape) != (wanted.dtype, wanted.shape):
                found += wanted.nbytes
            else:
                pairs = zip(wanted.tobytes(), one.tobytes(), strict=True)
                found += sum(a != b for a, b in pairs)
    return found


def drawn(seed: int) -> tuple[Student, list[Any]]:
    rng = np.random.default_rng(seed)
    student = random_student(rng)
    return student, [random_input(rng, student) for _ in range(3)]


def test_random_students_give_the_references_bits() -> None:
    assert sum(differing(*drawn(seed)) for seed in range(300)) == 0


def test_a_module_that_rounds_ties_down_is_noticed() -> None:
    """The same sources, half less one: the comparison above must not let it pass."""
    faulty = wasm.compiled(FAULTY.read_bytes())
    assert sum(differing(*drawn(seed), faulty) for seed in range(60)) > 0


def test_one_call_or_many_give_the_same() -> None:
    student, inputs = drawn(5)
    runtime = wasm.Runtime(student)
    many = runtime.run_all(inputs * 40)
    for given, of_many in zip(inputs * 40, many, strict=True):
        alone = runtime.run(given)
        assert {name: x.tobytes() for name, x in alone.items()} == {
            name: x.tobytes() for name, x in of_many.items()
        }
    assert runtime.run_all([]) == []


def test_what_crosses_is_cut_into_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    student, inputs = drawn(7)
    whole = wasm.Runtime(student).run_all(inputs * 5)
    monkeypatch.setattr(wasm, "BATCH_BYTES", 64)
    cut = wasm.Runtime(student).run_all(inputs * 5)
    for a, b in zip(whole, cut, strict=True):
        assert all(np.array_equal(a[name], b[name]) for name in a)


def test_an_input_that_does_not_fit_is_refused_before_anything_runs() -> None:
    runtime = wasm.Runtime(read(text_student_file()))
    for given in ([99], [-1], [], [1] * 17, [[1]]):
        with pytest.raises(StudentError, match="does not fit"):
            runtime.run_all([[1], given])


# ---- files ---------------------------------------------------------------------------------------------------------


def refusal(data: bytes) -> str:
    """What the module says of a file, "" where it takes it; a trap is no refusal."""
    try:
        wasm.load(data)
    except StudentError as why:
        said = why.message
    else:
        said = ""
    assert "sandbox" not in said, said
    return said


def with_header(data: bytes, header: dict[str, Any]) -> bytes:
    """The file with another header, its lengths put right."""
    length = int.from_bytes(data[12:16], "little")
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    before, start = (-(-(24 + one) // 64) * 64 for one in (length, len(text)))
    size = start + len(data) - before
    front = data[:12] + len(text).to_bytes(4, "little") + size.to_bytes(8, "little") + text
    return front.ljust(start, b"\0") + data[before:]


def header_of(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(data[24 : 24 + int.from_bytes(data[12:16], "little")])
    return found


def test_the_file_itself_is_taken_in_any_form_of_its_header() -> None:
    data = text_student_file()
    assert refusal(data) == ""
    assert refusal(with_header(data, header_of(data))) == ""  # the control of what follows


@pytest.mark.parametrize(
    ("way", "value", "said"),
    [
        ("nodes.1.op", "conv2d", "none that is known"),
        ("nodes.1.weight", "nowhere", "names what is not there"),
        ("nodes.1.of", "logits", "names what is not there"),
        ("nodes.1.name", "input", "names what is not there"),
        ("nodes.1.weight", "intent.weight", "no legal form"),
        ("nodes.1.gain", "conv.bias", "no legal form"),
        ("nodes.1.more", 1, "does not decode"),
        ("nodes.1.of", ["e"] * 17, "does not decode"),
        ("nodes.2.shift", 63, "does not decode"),
        ("nodes.2.multipliers", [2**30 - 1, 5], "out of range"),
        ("nodes.2.multipliers", [2**31, 5], "does not decode"),
        ("nodes.3.how", "mean", "no legal form"),
        ("nodes.6.relu", True, "no legal form"),
        ("outputs", ["input"], "names what is not there"),
        ("outputs", ["tags", "tags"], "names what is not there"),
        ("outputs", [], "no legal form"),
        ("input.steps_max", 4097, "does not decode"),
        ("input.steps_max", 0, "no legal form"),
        ("input.kind", "sound", "no legal form"),
        ("tensors.0.shape", [2**26, 2**26, 2**26], "cut short"),
        ("tensors.0.shape", [1, 1, 1, 1], "illegal form"),
        ("tensors.0.dtype", "float32", "illegal form"),
        ("tensors", [], "cut short"),
        ("nodes", 5, "does not decode"),
    ],
)
def test_what_breaks_the_table_is_refused_by_the_module_itself(
    way: str, value: Any, said: str
) -> None:
    data = text_student_file()
    header = header_of(data)
    *path, last = way.split(".")
    at: Any = header
    for part in path:
        at = at[int(part)] if part.isdigit() else at[part]
    at[last] = value
    assert said in refusal(with_header(data, header))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data[:-1], "cut short"),
        (lambda data: data + b"\0", "holds more"),
        (lambda data: b"\x89PNG" + data[4:], "not a student"),
        (lambda data: data[:8] + b"\2" + data[9:], "newer format"),
        (lambda data: data[:12] + b"\xff\xff\xff\xff" + data[16:], "cut short"),
        (lambda data: data[:5], "not a student"),
    ],
)
def test_a_broken_file_is_refused(change: Any, said: str) -> None:
    assert said in refusal(change(text_student_file()))


def test_a_sum_that_could_leave_int32_and_a_multiplier_out_of_range_are_refused() -> None:
    student = read(text_student_file())
    for name, value, said in (
        ("intent.bias", 2**31 - 1, "leave 32 bits"),
        ("conv.rescale", 2**30 - 1, "out of range"),
    ):
        data = bytearray(student.data)
        at = bytes(data).index(student.tensors[name].tobytes())
        data[at : at + 4] = value.to_bytes(4, "little")
        assert said in refusal(bytes(data))


def test_damage_anywhere_never_traps_and_what_is_taken_has_the_references_bits() -> None:
    taken = refused = 0
    for seed in range(150):
        chance = random.Random(seed)
        student, inputs = drawn(seed)
        data = bytearray(student.data)
        for _ in range(chance.choice((1, 1, 3))):
            header_end = 24 + int.from_bytes(student.data[12:16], "little")
            until = header_end if chance.random() < 0.5 else len(data)
            data[chance.randrange(until)] = chance.choice(
                (*b'{}[]",:0-9nt\\', chance.randrange(256))
            )
        said = refusal(bytes(data))
        refused += said != ""
        try:
            damaged = read(bytes(data))
        except StudentError:
            continue  # the module need not judge what it does not compute with: labels, alphabets, thresholds
        assert said == ""
        taken += 1
        assert differing(damaged, inputs) == 0
    assert taken > 10
    assert refused > 50


# ---- limits --------------------------------------------------------------------------------------------------------


def test_the_costliest_students_run_within_their_fuel() -> None:
    """Many outputs of one channel each, which vectors do not help, at the bound of numbers."""
    steps, outputs = 1000, 4000
    given = h.FeatureInput(steps_max=steps, features=(h.Feature("x", "m", 0.0, 1.0),))
    weight = np.ones((outputs, 1), np.int8)
    tensors: dict[str, Any] = {
        "w": weight,
        "b": np.zeros(outputs, np.int32),
        "r": table([0.5] * outputs),
    }
    dense = h.Dense(name="d", of="input", weight="w", bias="b", rescale="r")
    about = h.About(title="wide", licence="none")
    header = h.Header(task="wide", about=about, input=given, nodes=(dense,), outputs=("d",))
    student = read(write(header, tensors))
    assert differing(student, [np.full((steps, 1), 7, np.int8)]) == 0


def test_fuel_ends_a_call() -> None:
    sandbox = wasm.load(text_student_file())
    with pytest.raises(StudentError, match="fuel"):
        sandbox.call("load", len(text_student_file()), fuel=1000)
    assert sandbox.call("message", 0) > 0  # the sandbox itself goes on


def test_memory_has_a_limit_of_its_own() -> None:
    sandbox = wasm.load(text_student_file())
    assert sandbox.call("prepare", 2**25 + 1, 0) == 0
    assert sandbox.call("room", 2**25 + 1) == 0
    assert sandbox.call("room", 2**25) > 0  # the control


def test_the_module_itself_checks_what_it_is_given() -> None:
    """As a host that checks nothing would call it."""
    sandbox = wasm.load(text_student_file())
    assert sandbox.call("run", 1) != 0  # nothing prepared
    at = sandbox.call("prepare", 12, 1000)
    for words, said in (
        ((0, 1, 1), "input does not fit"),
        ((3, 1, 1), "input does not fit"),  # three steps, and two are there
        ((17, 1, 1), "input does not fit"),
        ((2, 1, 15), "input does not fit"),  # no such token
        ((2, 1, 2**32 - 1), "input does not fit"),
    ):
        sandbox.view(at, 12)[:] = np.array(words, np.uint32).view(np.uint8)
        assert said in sandbox.refuse(sandbox.call("run", 1)).message
    sandbox.view(at, 12)[:] = np.array((2, 1, 14), np.uint32).view(np.uint8)
    assert sandbox.call("run", 1) == 0  # the control
    assert "input does not fit" in sandbox.refuse(sandbox.call("run", 2)).message
    sandbox.view(sandbox.call("prepare", 12, 8), 12)[:] = np.array((2, 1, 14), np.uint32).view(
        np.uint8
    )
    assert "outputs do not fit" in sandbox.refuse(sandbox.call("run", 1)).message


def test_a_process_that_ends_with_runtimes_open_says_nothing() -> None:
    script = (
        "from hearthway.student import wasm; from tests.student.small import text_student_file as file;"
        "from hearthway.student.format import read; kept = wasm.Runtime(read(file())); print(kept.run([1]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "logits" in ended.stdout


def test_without_wasmtime_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wasmtime", None)
    with pytest.raises(ConfigError, match="wasmtime") as refused:
        wasm.compiled(wasm.module_bytes())
    assert "hearthway[wasm]" in refused.value.next_step
