"""Builds the student's WebAssembly module from the C beside it: src/hearthway/student/module/student.wasm.

    .venv/bin/python -m pip install --require-hashes -r requirements/module.txt   # the compiler, once
    .venv/bin/python scripts/make_wasm.py            # build it and say what was built in built.json
    .venv/bin/python scripts/make_wasm.py --check    # build it elsewhere; 1 where a byte differs from what ships

Also tests/student/faulty.wasm, which rounds ties down instead of up: what compares bits has to notice it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULE = ROOT / "src/hearthway/student/module"
SHIPPED = MODULE / "student.wasm"
BUILT = MODULE / "built.json"
FAULTY = ROOT / "tests/student/faulty.wasm"
SOURCES = tuple(sorted(path.name for path in MODULE.glob("*.[ch]")))
COMPILER = ("-m", "ziglang", "cc")
MEMORY_MAX = 128 * 2**20  # bytes, stated in the module itself
FLAGS = (
    *("-target", "wasm32-freestanding", "-mcpu=generic+simd128+bulk_memory", "-std=c17", "-Os"),
    *("-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-builtin", "-nostdlib"),
    *("-Wl,--no-entry", "-Wl,--strip-all", f"-Wl,--max-memory={MEMORY_MAX}"),
    "-Wl,-z,stack-size=65536",
)
HALF_UP = "+ ((i64)1 << (s - 1))"


def compiler() -> str:
    """The compiler's version; "" where it is not installed."""
    asked = subprocess.run(
        [sys.executable, *COMPILER, "--version"], capture_output=True, text=True, check=False
    )
    return asked.stdout.splitlines()[0].partition(" (")[0] if asked.returncode == 0 else ""


def build() -> tuple[bytes, bytes]:
    """The module and the faulty one, the same bytes wherever they are built by the same compiler."""
    with tempfile.TemporaryDirectory() as folder:
        texts = {name: (MODULE / name).read_text() for name in SOURCES}
        module = _compiled(Path(folder), texts)
        texts["kernels.h"] = texts["kernels.h"].replace(HALF_UP, f"{HALF_UP} - 1")
        return module, _compiled(Path(folder), texts)


def _compiled(folder: Path, texts: dict[str, str]) -> bytes:
    for name, text in texts.items():
        (folder / name).write_text(text)
    cache = dict.fromkeys(("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"), f"{folder}/cache")
    subprocess.run(
        [sys.executable, *COMPILER, *FLAGS, "student.c", "-o", "student.wasm"],
        cwd=folder,
        env={**os.environ, **cache},
        check=True,
    )
    return (folder / "student.wasm").read_bytes()


def said(module: bytes, faulty: bytes) -> str:
    """What stands in built.json."""
    facts = {
        "compiler": f"ziglang, {compiler()}",
        "flags": " ".join(FLAGS),
        "sha256": hashlib.sha256(module).hexdigest(),
        "sources": {
            name: hashlib.sha256((MODULE / name).read_bytes()).hexdigest() for name in SOURCES
        },
        "faulty_sha256": hashlib.sha256(faulty).hexdigest(),
    }
    return json.dumps(facts, indent=2) + "\n"


def main() -> int:
    """Builds or checks."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--check", action="store_true")
    check = options.parse_args().check
    if not compiler():
        print("No compiler here: pip install --require-hashes -r requirements/module.txt")
        return 2
    module, faulty = build()
    made = {SHIPPED: module, FAULTY: faulty, BUILT: said(module, faulty).encode()}
    if check:
        other = [path.name for path, data in made.items() if path.read_bytes() != data]
        print(f"differs: {', '.join(other)}" if other else f"{len(module)} bytes, all the same")
        return 1 if other else 0
    for path, data in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    print(f"{SHIPPED.name}: {len(module)} bytes, {hashlib.sha256(module).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
