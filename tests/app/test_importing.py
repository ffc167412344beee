"""A running phone takes a history in by a process of its own: what it keeps is the same, and a phone at rest is as light as before."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.waiting import until

from hearthway.app import importing
from hearthway.app.config import Config, NodeTable, save_config
from hearthway.app.importing import AGAIN, import_apart
from hearthway.app.launch import NodeProcess
from hearthway.app.paths import NodePaths, private_dir
from hearthway.app.personal import import_file
from hearthway.app.phone import brain_for
from hearthway.atlas.store import Atlas
from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.mesh.state.store import Store
from hearthway.records.errors import HearthwayError, InputError, StoreError
from hearthway.records.household import Role

CONFIG = Config(node=NodeTable(id="phone", role=Role.PHONE))
RULES = Rules.parse(default_rules(), "the defaults")
HOME, WORK = (60.20, 24.90), (60.21, 25.01)
DAYS = 10


@pytest.fixture
def paths(tmp_path: Path) -> NodePaths:
    made = NodePaths(private_dir(tmp_path / "phone"))
    save_config(made, CONFIG)
    return made


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Ten days of home and work, a fix in ten minutes. CSV is sorted with numpy."""
    lines = ["lat,lng,datetime"]
    for step in range(DAYS * 144):
        at = datetime(2025, 9, 1, tzinfo=UTC) + timedelta(minutes=10 * step)
        lat, lon = WORK if 8 <= at.hour < 17 else HOME
        lines.append(f"{lat},{lon},{at:%Y-%m-%dT%H:%M:%SZ}")
    path = tmp_path / "lived.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@asynccontextmanager
async def _running(paths: NodePaths) -> AsyncIterator[NodeProcess]:
    phone = NodeProcess("phone", paths, lambda _, command: list(command))
    phone.start()
    try:
        await phone.ready()
        yield phone
    finally:
        await asyncio.to_thread(phone.stop)


def _mapped(node: NodeProcess) -> str:
    return Path(f"/proc/{node.pid}/maps").read_text()


def _learned(paths: NodePaths) -> str:
    with (
        Store.open(paths.database, node_id="phone") as store,
        contextlib.closing(Atlas.bundled()) as atlas,
    ):
        return brain_for(store, store.person("Anna"), CONFIG, atlas, RULES).model_digest()


def test_it_stores_and_learns_what_the_node_itself_would(
    paths: NodePaths, history: Path, tmp_path: Path
) -> None:
    found = asyncio.run(import_apart(paths, CONFIG, RULES, history, "Anna", "anna"))
    with Store.open(paths.database, node_id="phone") as store:
        assert store.model("anna", "life") is not None, "what it learned is kept"
    here = NodePaths(private_dir(tmp_path / "here"))
    with Store.open(here.database, node_id="phone") as store:
        assert import_file(store, history, "Anna", "anna", RULES) == found
    assert _learned(paths) == _learned(here)
    again = asyncio.run(import_apart(paths, CONFIG, RULES, history, "Anna", "anna"))
    assert (again["fixes"], again["duplicates"]) == (0, DAYS * 144)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_phone_that_took_a_history_in_has_no_numbers_library(
    paths: NodePaths, history: Path
) -> None:
    async def scenario() -> None:
        async with _running(paths) as phone:
            found = await phone.ask("import", file=str(history), name="Anna", person_id="anna")
            assert (found["fixes"], found["places"] > 1) == (DAYS * 144, True)
            assert "numpy" not in _mapped(phone)
            with pytest.raises(HearthwayError, match=r"missing\.csv"):
                await phone.ask("import", file=str(history.parent / "missing.csv"), name="Anna")
            assert (await phone.ask("status"))["healthy"]

    asyncio.run(scenario())


def test_what_is_wrong_with_a_file_is_said_in_its_own_words(
    paths: NodePaths, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.gpx"
    bad.write_bytes(b"\xff\xfe nothing")
    with Store.open(paths.database, node_id="phone") as store, pytest.raises(InputError) as here:
        import_file(store, bad, "Anna", None, RULES)
    with pytest.raises(HearthwayError) as apart:
        asyncio.run(import_apart(paths, CONFIG, RULES, bad, "Anna", None))
    assert (apart.value.message, apart.value.next_step) == (
        here.value.message,
        here.value.next_step,
    )
    with pytest.raises(HearthwayError, match="Whose history"):
        asyncio.run(import_apart(paths, CONFIG, RULES, bad, " ", None))
    with pytest.raises(HearthwayError, match="does not decode"):
        asyncio.run(import_apart(paths, CONFIG, RULES, bad, "Anna", 7))  # type: ignore[arg-type]  # from a control request


@pytest.mark.parametrize(
    "program", ["import os; os.kill(os.getpid(), 9)", "raise MemoryError", "print('half a')"]
)
def test_a_process_that_was_ended_says_what_to_do(
    paths: NodePaths, history: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(importing, "_COMMAND", (sys.executable, "-c", program))
    with pytest.raises(StoreError) as told:
        asyncio.run(import_apart(paths, CONFIG, RULES, history, "Anna", None))
    assert told.value.next_step == AGAIN
    monkeypatch.setattr(importing, "_COMMAND", ("/nowhere/python",))
    with pytest.raises(StoreError, match="could not be taken in"):
        asyncio.run(import_apart(paths, CONFIG, RULES, history, "Anna", None))


def test_who_no_longer_waits_ends_it(
    paths: NodePaths, history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "pid"
    program = f"import os, time; open({str(told)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    monkeypatch.setattr(importing, "_COMMAND", (sys.executable, "-c", program))

    async def scenario() -> None:
        work = asyncio.ensure_future(import_apart(paths, CONFIG, RULES, history, "Anna", None))
        await until(lambda: told.exists() and told.read_text() != "")
        os.kill(int(told.read_text()), 0)  # it runs
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        with pytest.raises(ProcessLookupError):
            os.kill(int(told.read_text()), 0)

    asyncio.run(scenario())
