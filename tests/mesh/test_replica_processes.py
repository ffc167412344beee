"""Partitions of real processes with real SIGKILL, as `bench/partition.py` measures them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "partition.py"


def _run(runs: int, writes: int, limit_s: float) -> None:
    done = subprocess.run(
        [sys.executable, str(BENCH), "--runs", str(runs), "--writes", str(writes)],
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = {row["metric"]: row["ours"] for row in json.loads(done.stdout)["rows"]}
    assert rows["identical hashes"] == runs
    assert rows["acknowledged writes lost"] == 0


def test_three_processes_apart_killed_and_healed() -> None:
    _run(1, 300, 100.0)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_twenty_partitions_of_10000_writes() -> None:
    _run(20, 10_000, 3500.0)
