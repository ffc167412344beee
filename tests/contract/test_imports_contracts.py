"""A planted violation of each contract makes the check fail and names file and line; an unplanted tree passes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FORBIDDEN = ("socket", "sqlite3", "asyncio", "zenoh", "osmium", "hearthway.mesh", "hearthway.atlas")
# Import every module of a stage, then say which forbidden ones got loaded by whatever way.
LOAD = """
import importlib, pkgutil, sys
stage = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(stage.__path__, sys.argv[1] + "."):
    importlib.import_module(module.name)
print([name for name in sys.argv[2:] if name in sys.modules])
"""
PROJECT = Path(__file__).resolve().parents[2]
DOWN, PURE = "imports point down", "sense, context, assist and learn are pure"


@pytest.fixture(scope="module")
def clean_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources without what is not code."""
    tree = tmp_path_factory.mktemp("tree") / "src"
    ignored = shutil.ignore_patterns("__pycache__", "data", "static")
    shutil.copytree(PROJECT / "src", tree, ignore=ignored)
    return tree


@pytest.fixture
def tree(clean_tree: Path, tmp_path: Path) -> Path:
    """A fresh copy to spoil."""
    return Path(shutil.copytree(clean_tree, tmp_path / "src"))


def _plant(tree: Path, file: str, line: str) -> int:
    """Append a line to a module (made where absent); its number."""
    target = tree / "hearthway" / file
    text = target.read_text() if target.exists() else '"""Planted."""\n'
    target.write_text(f"{text}{line}\n")
    return text.count("\n") + 1


def _contracts(tree: Path) -> tuple[int, str]:
    argv = [sys.executable, str(PROJECT / "scripts/contracts.py"), "--src", str(tree)]
    done = subprocess.run(argv, cwd=tree, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def _ruff(tree: Path) -> tuple[int, str]:
    argv = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=concise"]
    config = ["--config", str(tree.parent / "pyproject.toml")]
    # the banned APIs are excepted by path, so the copy needs the project's own layout
    shutil.copy(PROJECT / "pyproject.toml", tree.parent)
    done = subprocess.run(
        [*argv, *config, "src"],
        cwd=tree.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_tree_as_it_stands_keeps_every_contract(clean_tree: Path) -> None:
    assert _contracts(clean_tree) == (0, "")


@pytest.mark.parametrize(
    ("file", "line", "contract", "edge"),
    [
        ("context/planted.py", "import socket", PURE, "hearthway.context.planted -> socket"),
        ("sense/planted.py", "import sqlite3", PURE, "hearthway.sense.planted -> sqlite3"),
        ("learn/planted.py", "import asyncio", PURE, "hearthway.learn.planted -> asyncio"),
        ("assist/planted.py", "import zenoh", PURE, "hearthway.assist.planted -> zenoh"),
        ("assist/planted.py", "import osmium", PURE, "hearthway.assist.planted -> osmium"),
        (
            "assist/planted.py",
            "def late():\n    from hearthway.atlas import store",
            PURE,
            "hearthway.assist.planted -> hearthway.atlas.store",
        ),
        (
            "context/planted.py",
            "from hearthway.app import namespaces",
            DOWN,
            "hearthway.context.planted -> hearthway.app.namespaces",
        ),
        (
            "mesh/planted.py",
            "from hearthway.atlas import store",
            DOWN,
            "hearthway.mesh.planted -> hearthway.atlas.store",
        ),
        (
            "records/planted.py",
            "from hearthway.sense import catalogue",
            DOWN,
            "hearthway.records.planted -> hearthway.sense.catalogue",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " -> " in value else "",
)
def test_a_direct_violation_is_named(
    tree: Path, file: str, line: str, contract: str, edge: str
) -> None:
    number = _plant(tree, file, line) + line.count("\n")
    status, said = _contracts(tree)
    assert status == 1
    assert f"hearthway/{file}:{number}: contract '{contract}': {edge}" in said.splitlines()


def test_an_indirect_violation_is_named_with_its_chain(tree: Path) -> None:
    _plant(tree, "records/hidden.py", "import json")
    inner = _plant(tree, "records/hidden.py", "import socket")
    outer = _plant(tree, "context/planted.py", "from hearthway.records import hidden")
    status, said = _contracts(tree)
    assert status == 1
    assert (
        f"hearthway/context/planted.py:{outer}: contract '{PURE}': "
        "hearthway.context.planted -> socket (chain "
        "hearthway.context.planted -> hearthway.records.hidden at "
        f"hearthway/context/planted.py:{outer}, "
        f"hearthway.records.hidden -> socket at hearthway/records/hidden.py:{inner})"
    ) in said.splitlines()


def test_an_indirect_violation_through_a_package_of_the_stage_is_named(tree: Path) -> None:
    (tree / "hearthway/context/part").mkdir()
    inner = _plant(tree, "context/part/__init__.py", "import sqlite3")
    outer = _plant(tree, "learn/planted.py", "from hearthway.context import part")
    status, said = _contracts(tree)
    assert status == 1
    assert f"hearthway/context/part/__init__.py:{inner}: contract '{PURE}'" in said
    assert f"hearthway/learn/planted.py:{outer}: contract '{PURE}'" in said


def _loaded(tree: Path, stage: str) -> str:
    argv = [sys.executable, "-P", "-c", LOAD, f"hearthway.{stage}", *FORBIDDEN]
    env = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(
        argv, env=env, cwd=tree, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("stage", ["records", "sense", "context", "assist", "learn"])
def test_a_pure_stage_loads_nothing_forbidden_however_hidden(clean_tree: Path, stage: str) -> None:
    assert _loaded(clean_tree, stage) == "[]"


def test_what_the_import_graph_cannot_see_is_found_by_loading(tree: Path) -> None:
    _plant(tree, "sense/planted.py", "import urllib.request")
    assert "socket" in _loaded(tree, "sense")


@pytest.mark.parametrize(
    ("file", "code", "banned"),
    [
        ("context/planted.py", "import time\n\nNOW = time.time()", "time.time"),
        ("context/planted.py", "from time import time\n\nNOW = time()", "time.time"),
        (
            "learn/planted.py",
            "import datetime\n\nNOW = datetime.datetime.now(datetime.UTC)",
            "datetime.datetime.now",
        ),
        ("assist/planted.py", "import random\n\nDIE = random.random()", "random.random"),
        (
            "synthetic/planted.py",
            "import numpy as np\n\nDIE = np.random.rand(1)",
            "numpy.random.rand",
        ),
    ],
)
def test_a_wall_clock_or_global_random_is_named(
    tree: Path, file: str, code: str, banned: str
) -> None:
    _plant(tree, file, code)
    status, said = _ruff(tree)
    assert status == 1
    hits = [line for line in said.splitlines() if line.startswith(f"src/hearthway/{file}:")]
    assert any("TID251" in line and f"`{banned}`" in line for line in hits), said


def test_a_missing_package_is_said(tmp_path: Path) -> None:
    status, said = _contracts(tmp_path)
    assert status == 2
    assert "no package hearthway" in said


def test_a_missing_layer_is_no_pass(tree: Path) -> None:
    shutil.rmtree(tree / "hearthway/sense")
    status, said = _contracts(tree)
    assert status != 0
    assert "hearthway.sense" in said
