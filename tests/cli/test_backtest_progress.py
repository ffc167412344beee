"""`hearthway backtest` shows how far it is on a terminal, of a file and of what a phone holds, and clears that away."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from hearthway.app.config import Config, MapTable, NodeTable, save_config
from hearthway.app.paths import NodePaths, private_dir
from hearthway.cli.backtest import command
from hearthway.mesh.state.store import Store
from hearthway.records.household import Role
from hearthway.records.signals import Fix

FIXES = [Fix(time_s=1.7e9 + n, lat=60.17, lon=24.94) for n in range(20_001)]


@pytest.fixture
def phone(tmp_path: Path) -> Path:
    paths = NodePaths(private_dir(tmp_path / "phone"))
    config = Config(node=NodeTable(id="phone", role=Role.PHONE), map=MapTable(atlas="none"))
    save_config(paths, config)
    with Store.open(paths.database, node_id="phone") as store:
        store.add_person("Anna", "anna")
        store.add_fixes("anna", FIXES, "test")
    return paths.root


@pytest.fixture
def history(tmp_path: Path) -> Path:
    rows = [f"{fix.lat},{fix.lon},{fix.time_s:.0f}" for fix in FIXES]
    (tmp_path / "h.csv").write_text("\n".join(["lat,lng,datetime", *rows]))
    return tmp_path / "h.csv"


@pytest.mark.parametrize("terminal", [True, False])
def test_it_is_counted_on_a_terminal_alone(
    phone: Path, history: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    monkeypatch.setattr("hearthway.cli.common.on_a_terminal", lambda: terminal)
    for words in (["--data", str(phone)], [str(history)]):
        done = CliRunner().invoke(command, words)
        assert done.exit_code == 0, done.output
        assert ("20,000 fixes" in done.stderr) is terminal
        assert done.stderr.endswith("fixes\r") is terminal
        assert "fixes" not in done.stdout
