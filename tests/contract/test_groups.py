"""Tests that are named beside those of this project are run with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_a_test_from_elsewhere_is_no_end(tmp_path: Path) -> None:
    """It belongs to no group, and was an internal error of pytest."""
    other = tmp_path / "test_other.py"
    other.write_text("def test_it() -> None:\n    pass\n")
    ours = Path(__file__).with_name("test_imports_contracts.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-n", "0", str(ours), str(other)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "::test_it" in done.stdout
