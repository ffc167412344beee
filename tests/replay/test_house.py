"""A cold house on the whole path: sensed at home, let through by a rule, and said once to the person who drives there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hearthway.app.phone import gate_settings
from hearthway.assist import needs
from hearthway.atlas.store import Atlas

BENCH = Path(__file__).parents[2] / "bench"
DAYS = 32  # from a Monday on: the next is a Friday


@pytest.fixture(scope="module")
def quiet() -> Iterator[ModuleType]:
    """The script as a module."""
    sys.path.insert(0, str(BENCH))
    module = import_module("quiet")
    yield module
    sys.path.remove(str(BENCH))
    for name in ("quiet", "_lives", "_house"):
        del sys.modules[name]


def day(quiet: ModuleType, folder: Path) -> Any:
    need = next(need for need in needs.found() if "home-ready" in need.topics)
    atlas = Atlas.bundled()
    try:
        return quiet.own_day(need, "parent", atlas, 1, folder / "a.db")
    finally:
        atlas.close()


def test_a_house_that_everybody_left_is_spoken_of_once_calmly_in_time(
    quiet: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quiet, "LEARN_DAYS", DAYS)
    found = day(quiet, tmp_path)
    assert found.fits(gate_settings(quiet.CONFIG)), found
