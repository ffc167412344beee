"""What ships as WebAssembly is what its source gives."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "src/hearthway/student/module"
INSTALL = "pip install --require-hashes -r requirements/module.txt"


def test_what_was_built_is_what_lies_there() -> None:
    """Whoever changes the source and does not build, or the module by hand, is told so without a compiler."""
    said = json.loads((MODULE / "built.json").read_text())
    for name, wanted in said["sources"].items():
        assert hashlib.sha256((MODULE / name).read_bytes()).hexdigest() == wanted, name
    assert set(said["sources"]) == {path.name for path in MODULE.glob("*.[ch]")}
    for path, key in (
        (MODULE / "student.wasm", "sha256"),
        (ROOT / "tests/student/faulty.wasm", "faulty_sha256"),
    ):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == said[key], path.name


@pytest.mark.peer
def test_the_source_gives_the_same_bytes_and_another_byte_is_noticed(tmp_path: Path) -> None:
    if find_spec("ziglang") is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"No compiler here: {INSTALL}")
        pytest.skip(f"No compiler here: {INSTALL}")
    script, faulty = tmp_path / "scripts/make_wasm.py", tmp_path / "tests/student/faulty.wasm"
    for path in (script, faulty):
        path.parent.mkdir(parents=True)
        shutil.copy(ROOT / path.relative_to(tmp_path), path)
    shutil.copytree(MODULE, tmp_path / MODULE.relative_to(ROOT))
    data = faulty.read_bytes()  # the control: of the three files this one alone is another
    faulty.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    check = [sys.executable, str(script), "--check"]
    ran = subprocess.run(check, capture_output=True, text=True, check=False, timeout=110)
    assert (ran.returncode, ran.stdout.strip()) == (1, "differs: faulty.wasm"), ran.stderr
