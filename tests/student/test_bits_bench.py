"""bench/bits.py compares every runtime with the reference, notices a planted fault, and names a part that is absent."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.student.small import text_student_file

BENCH = Path(__file__).parents[2] / "bench"


def bits(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCH / "bits.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    (folder / "clinc150").mkdir()
    parts = {"val": [["turn on the light", "on"]] * 3, "oos_val": [["", "oos"]]}
    (folder / "clinc150" / "data_full.json").write_text(json.dumps(parts))
    (folder / "small.student").write_bytes(text_student_file())
    return folder


def test_no_byte_differs_and_a_planted_fault_is_noticed(data: Path) -> None:
    student = str(data / "small.student")
    done = bits(
        "--runtimes",
        "cpu,wasm",
        "--models",
        "150",
        "--data",
        str(data),
        "--split",
        "val",
        "--student",
        student,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert [row["differing"] for row in told["rows"]] == [0] * 4
    assert [row["inputs"] for row in told["rows"]] == [300, 300, 4, 4]
    assert min(told["noticed"].values()) > 0
    assert told["missed"] == []


def test_too_few_students_do_not_count_as_proof() -> None:
    done = bits("--runtimes", "cpu", "--models", "1")
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1])["missed"]


def test_a_part_that_is_not_there_is_named(data: Path, tmp_path: Path) -> None:
    done = bits("--models", "1", "--data", str(data), "--split", "test")
    assert (done.returncode, done.stdout) == (2, "")
    assert "has no part 'test'" in done.stderr
    assert "Parts there: oos_val, val." in done.stderr
    assert "no clinc150/data_full.json" in bits("--data", str(tmp_path)).stderr
    assert "runtimes: cpu, wasm" in bits("--runtimes", "npu").stderr
