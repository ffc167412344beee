"""`bench/year.py` without the raw life it is about: said at once, before a year is generated."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_raw_life_is_said_at_once(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "bench" / "year.py", "--data", tmp_path, "--split", "none"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert f"No *raw*.csv.gz with 'none' in its name is under {tmp_path}." in done.stderr
    assert "--data" in done.stderr
    assert done.stdout == ""
