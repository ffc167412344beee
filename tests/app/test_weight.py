"""A node holds what its role needs: phones' thinking, and the web, are no part of a home or a car."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("numpy", "tzfpy", "opening_hours", "hearthway.atlas.store", "hearthway.app.phone")
PROGRAM = """
import sys
from pathlib import Path
from hearthway.app.config import Config, NodeTable, save_config
from hearthway.app.node import open_node
from hearthway.app.paths import NodePaths, private_dir
from hearthway.records.household import Role
paths = NodePaths(private_dir(Path(sys.argv[1])))
save_config(paths, Config(node=NodeTable(id="one", role=Role(sys.argv[2]))))
print(type(open_node(paths)).__name__, *sorted(set(sys.modules) & set(sys.argv[3:])))
"""


def _loaded(tmp_path: Path, role: str) -> str:
    argv = [sys.executable, "-c", PROGRAM, str(tmp_path / role), role, *HEAVY]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("role", ["home", "car", "venue"])
def test_others_do_not_carry_what_only_a_phone_thinks_with(tmp_path: Path, role: str) -> None:
    assert _loaded(tmp_path, role) == f"{role.capitalize()}Node"


def test_a_phone_does(tmp_path: Path) -> None:
    """The control: the names are those that would be seen."""
    said = _loaded(tmp_path, "phone").split()
    assert said[0] == "PhoneNode"
    assert {"numpy", "hearthway.atlas.store", "hearthway.app.phone"} <= set(said)
