"""A need is one folder and no change elsewhere: what is dropped in is found, and nothing outside names a need."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
NEEDS = PROJECT / "src/hearthway/assist/needs"
FOLDERS = sorted(path.parent.name for path in NEEDS.glob("*/need.py"))
FOUND = "from hearthway.assist import needs; print(*(need.name for need in needs.found()))"


def example() -> str:
    """The need of the how-to."""
    page = (PROJECT / "docs/how-to/need.md").read_text(encoding="utf-8")
    block = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert block is not None
    return block[1]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the pure stages and what they stand on."""
    tree = tmp_path_factory.mktemp("needs") / "src"
    ignored = shutil.ignore_patterns("__pycache__", "data", "static", "web", "app", "cli", "mesh")
    shutil.copytree(PROJECT / "src", tree, ignore=ignored)
    return tree


def _found(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", FOUND],
        env={**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _drop(tree: Path, name: str, code: str) -> Path:
    folder = tree / "hearthway/assist/needs" / name
    folder.mkdir()
    (folder / "__init__.py").write_text('"""Dropped in."""\n')
    (folder / "need.py").write_text(code)
    return folder


def test_a_folder_dropped_in_is_found_and_gone_without_it(tree: Path) -> None:
    folder = _drop(tree, "closed_shop", example())
    assert _found(tree).stdout.split() == sorted([*FOLDERS, "closed_shop"])
    shutil.rmtree(folder)
    assert _found(tree).stdout.split() == FOLDERS


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("hollow", "", 'needs/hollow/need.py has no NEED named "hollow"'),
        ("other", example(), 'needs/other/need.py has no NEED named "other"'),
        (
            "rival",
            example()
            .replace('"closed_shop"', '"rival"')
            .replace('("closed-shop",)', '("dinner",)'),
            'both have the topic "dinner"',
        ),
    ],
)
def test_a_folder_that_is_no_need_says_what_to_do(
    tree: Path, name: str, code: str, says: str
) -> None:
    folder = _drop(tree, name, code)
    try:
        done = _found(tree)
    finally:
        shutil.rmtree(folder)
    assert done.returncode != 0
    assert says in done.stderr


def _named(path: Path) -> Iterator[str]:
    """Modules imported, and every text in the code that is one word."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.ImportFrom():
                yield f"{node.module}."
            case ast.Import():
                yield from (f"{alias.name}." for alias in node.names)


@pytest.mark.parametrize("name", FOLDERS)
def test_nothing_else_names_a_need(name: str) -> None:
    inside = NEEDS / name
    for path in sorted((PROJECT / "src").rglob("*.py")):
        if inside in path.parents:
            continue
        text = path.read_text(encoding="utf-8")
        assert not re.search(rf"needs[./]{name}\b", text), path
        assert not any(f"assist.needs.{name}." in module for module in _named(path)), path


def test_a_need_knows_no_other_need() -> None:
    """Whatever two of them share belongs to the assist stage."""
    for path in sorted(NEEDS.glob("*/*.py")):
        for module in _named(path):
            if module.startswith("hearthway.assist.needs."):
                assert module.startswith(f"hearthway.assist.needs.{path.parent.name}."), path
            assert not module.startswith("hearthway.learn."), path
