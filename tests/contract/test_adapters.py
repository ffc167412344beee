"""Every adapter has the same files, says what it is, and stays at the edge."""

from __future__ import annotations

import ast
import importlib
import inspect
import tomllib
from pathlib import Path
from typing import Any

import pytest

import hearthway
from hearthway.records.errors import HearthwayError
from hearthway.sense.catalogue import CATALOGUE

SOURCE = Path(hearthway.__file__).parent / "adapters"
TESTS = Path(__file__).parents[1] / "adapters"
ADAPTERS = sorted(path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists())
ALLOWED = ("hearthway.records", "hearthway.sense", "hearthway.adapters")


def manifest(name: str) -> dict[str, Any]:
    return tomllib.loads((SOURCE / name / "manifest.toml").read_text())


def imports(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module or "")
    return found


def test_there_are_adapters() -> None:
    assert "owntracks" in ADAPTERS


@pytest.mark.parametrize("name", ADAPTERS)
class TestAdapter:
    def test_has_the_files_every_adapter_has(self, name: str) -> None:
        for file in ("__init__.py", "manifest.toml", "adapter.py", "mapping.py", "errors.py"):
            assert (SOURCE / name / file).is_file(), file

    def test_says_what_it_is(self, name: str) -> None:
        about = manifest(name)
        assert about["name"] == name
        assert about["kind"] in ("person", "car", "home")
        assert about["role"] in ("phone", "car", "home")
        assert about["direction"] in ("in", "out", "both")
        assert about["summary"].endswith(".")
        assert isinstance(about["local_only"], bool)
        for key in ("name", "versions", "protocol", "authentication"):
            assert about["counterpart"][key]

    def test_gives_only_keys_of_the_catalogue(self, name: str) -> None:
        for key in manifest(name)["gives"]:
            assert key == "fix" or key in CATALOGUE, key

    def test_its_limits_are_those_of_its_code(self, name: str) -> None:
        limits = manifest(name)["limits"]
        mapping = importlib.import_module(f"hearthway.adapters.{name}.mapping")
        assert limits["body_bytes"] == mapping.MAX_BYTES
        assert limits["messages"] == mapping.MAX_MESSAGES
        assert limits["future_s"] == mapping.FUTURE_S

    def test_its_errors_belong_to_the_tree(self, name: str) -> None:
        module = importlib.import_module(f"hearthway.adapters.{name}.errors")
        own = [
            kind
            for _, kind in inspect.getmembers(module, inspect.isclass)
            if kind.__module__ == module.__name__
        ]
        assert own
        assert all(issubclass(kind, HearthwayError) for kind in own)

    def test_imports_nothing_above_it_and_no_other_adapter(self, name: str) -> None:
        for file in sorted((SOURCE / name).glob("*.py")):
            for module in sorted(imports(file)):
                if not module.startswith("hearthway"):
                    continue
                assert module.startswith(ALLOWED), f"{file.name} imports {module}"
                if module.startswith("hearthway.adapters."):
                    assert module.split(".")[2] == name, f"{file.name} imports {module}"

    def test_opens_no_socket_where_it_says_so(self, name: str) -> None:
        if not manifest(name)["local_only"]:
            pytest.skip("it has a link of its own")
        for file in sorted((SOURCE / name).glob("*.py")):
            roots = {module.split(".")[0] for module in imports(file)}
            assert not roots & {"socket", "asyncio", "http", "urllib", "ssl", "httpx"}, file.name

    def test_mapping_is_documented_and_tested_with_recorded_payloads(self, name: str) -> None:
        mapping = importlib.import_module(f"hearthway.adapters.{name}.mapping")
        assert mapping.read.__doc__
        assert (TESTS / f"test_{name}.py").is_file()
        assert list((TESTS / name).glob("*.json"))
