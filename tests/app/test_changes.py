"""A moved house is told where people look: by `hearthway status` of the phone, and by `why --silent`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hearthway.app.config import Config, NodeTable, save_config
from hearthway.app.paths import NodePaths, private_dir
from hearthway.app.personal import import_file
from hearthway.cli.status import lines_of
from hearthway.cli.why import command as why
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.store import Store
from hearthway.records.household import Role

HOME, HOUSE, WORK = (60.20, 24.90), (60.24, 24.84), (60.21, 25.01)
FIRST = datetime(2025, 9, 1, tzinfo=UTC)  # a Monday; Helsinki is three hours ahead
MOVED_DAY, DAYS = 20, 31
TOLD = "home seems to be at p2 since 21 September 2025, before that at p0"


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fix in ten minutes: home and work, from the 21st day on from another house."""
    lines = ["lat,lng,datetime"]
    for step in range(DAYS * 144):
        at = FIRST + timedelta(minutes=10 * step, hours=-3)
        day, hour = divmod(step / 6, 24)
        home = HOUSE if (day, hour) >= (MOVED_DAY, 17) else HOME
        lat, lon = WORK if day % 7 < 5 and 8 <= hour < 17 else home
        lines.append(f"{lat},{lon},{at:%Y-%m-%dT%H:%M:%SZ}")
    path = tmp_path_factory.mktemp("moved") / "moved.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_status_tells_it(household: Any, history: Path) -> None:
    async def run() -> None:
        async with household(people={"phone": ("anna", "adult")}, phone="phone") as nodes:
            before = await nodes.ask("phone", "status")
            assert before["changes"] == []
            await nodes.ask("phone", "import", file=str(history), name="anna", person_id=None)
            state = await nodes.ask("phone", "status")
            assert state["changes"] == [TOLD]
            assert f"  {TOLD}" in lines_of(state | {"up": True})
            assert "changes" not in await nodes.ask("home", "status")

    asyncio.run(run())


def test_why_silent_tells_what_was_known_then(history: Path, tmp_path: Path) -> None:
    paths = NodePaths(private_dir(tmp_path / "phone"))
    save_config(paths, Config(node=NodeTable(id="phone", role=Role.PHONE)))
    with Store.open(paths.database, node_id="phone") as store:
        import_file(store, history, "Anna", None, Rules(()))
    for day, told in (("2025-09-22 20:00", False), ("2025-10-01 20:00", True)):
        seen = CliRunner().invoke(why, ["--silent", day, "--data", str(paths.root)])
        assert seen.exit_code == 0, seen.output
        assert (f"  {TOLD}\n" in seen.output) is told
