"""A running phone takes a history in by a process of its own: what it keeps is the same, and a phone at rest is as light as before."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import until

from hearthway.app import importing
from hearthway.app.config import Config, NodeTable, save_config
from hearthway.app.equipment import brain_for
from hearthway.app.importing import AGAIN, import_apart
from hearthway.app.launch import NodeProcess
from hearthway.app.paths import NodePaths, private_dir
from hearthway.app.personal import import_file
from hearthway.atlas.store import Atlas
from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.mesh.state.store import Store
from hearthway.records.errors import HearthwayError, InputError, StoreError
from hearthway.records.household import Role
from hearthway.records.life import PlaceWord
from hearthway.records.signals import Fix

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


def test_what_is_no_file_is_said_at_once(paths: NodePaths, tmp_path: Path) -> None:
    """A pipe would be waited for without end."""
    os.mkfifo(tmp_path / "pipe.csv")
    for name, words in (("pipe.csv", "is not a file"), ("a\0b", "cannot be the name")):
        with pytest.raises(HearthwayError, match=words):
            asyncio.run(import_apart(paths, CONFIG, RULES, tmp_path / name, "Anna", None))


def test_nothing_that_lies_in_the_working_directory_is_run(
    paths: NodePaths, history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "csv.py").write_text("raise SystemExit('ran')")
    (tmp_path / "json.py").write_text("raise SystemExit('ran')")
    monkeypatch.chdir(tmp_path)
    found = asyncio.run(import_apart(paths, CONFIG, RULES, history, "Anna", None))
    assert found["fixes"] == DAYS * 144


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_ends_with_a_node_that_was_killed(
    paths: NodePaths, history: Path, tmp_path: Path
) -> None:
    """Else it would go on storing beside the node's next start, or after a forget."""
    lines = history.read_text().splitlines()
    history.write_text(
        "\n".join([lines[0], *(f"60.2,24.9,{1_700_000_000 + at}" for at in range(200_000))])
    )
    program = """
import asyncio, sys
from pathlib import Path
from hearthway.app.config import load_config
from hearthway.app.importing import import_apart
from hearthway.app.paths import NodePaths
from hearthway.mesh.policy.rules import Rules, default_rules
paths = NodePaths(Path(sys.argv[1]))
rules = Rules.parse(default_rules(), "the defaults")
asyncio.run(import_apart(paths, load_config(paths.config), rules, Path(sys.argv[2]), "Anna", None))
"""
    node = subprocess.Popen([sys.executable, "-c", program, str(paths.root), str(history)])
    try:

        async def killed() -> None:
            await until(lambda: _children(node.pid) != [])
            (child,) = _children(node.pid)
            await until(lambda: _fixes(paths) > 0)  # it has begun to store
            node.kill()
            node.wait(5.0)
            await until(lambda: not _runs(child), 5.0)

        asyncio.run(killed())
    finally:
        node.kill()
        node.wait(5.0)
    stored = _fixes(paths)
    assert 0 < stored < 200_000
    again = asyncio.run(import_apart(paths, CONFIG, RULES, history, "Anna", None))
    assert (again["fixes"], again["duplicates"]) == (200_000 - stored, stored)


def _children(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def _fixes(paths: NodePaths) -> int:
    if not paths.database.exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"{paths.database.as_uri()}?mode=ro", uri=True)) as db:
        try:
            return int(db.execute("SELECT count(*) FROM fixes").fetchone()[0])
        except sqlite3.OperationalError:  # it is being made
            return 0


def _days(first: int, until: int, work: tuple[float, float] = WORK) -> list[Fix]:
    begin_s = datetime(2025, 9, 1, tzinfo=UTC).timestamp()
    return [
        Fix(time_s=begin_s + step * 600.0, lat=lat, lon=lon)
        for step in range(first * 144, until * 144)
        for lat, lon in [work if 8 <= step / 6 % 24 < 17 else HOME]
    ]


def test_a_phone_that_stops_while_another_process_learns_keeps_nothing_old(
    paths: NodePaths,
) -> None:
    """What it had learned would count as all that there is, and the file as taken in already."""
    elsewhere = (60.30, 24.80)
    with contextlib.closing(Atlas.bundled()) as atlas, _store(paths) as store:
        person = store.add_person("Anna")
        store.add_fixes(person.person_id, _days(10, 15), "phone")
        running = brain_for(store, person, CONFIG, atlas, RULES)
        running.snapshot()
        with _store(paths) as other:
            other.add_fixes(person.person_id, _days(0, 10, elsewhere), "csv")
        running.snapshot()  # it stops before that process has learned
        assert len(running.life.places()) == 2
        assert len(brain_for(store, person, CONFIG, atlas, RULES).life.places()) == 3


def test_a_word_said_while_another_process_learns_is_not_lost(paths: NodePaths) -> None:
    with contextlib.closing(Atlas.bundled()) as atlas, _store(paths) as store:
        person = store.add_person("Anna")
        store.add_fixes(person.person_id, _days(0, 5), "phone")
        running = brain_for(store, person, CONFIG, atlas, RULES)
        with _store(paths) as other:
            other.add_fixes(person.person_id, _days(10, 20), "csv")
            learns = brain_for(other, person, CONFIG, atlas, RULES)
            place = running.life.places()[0]
            word = PlaceWord(kind="name", time_s=0.0, lat=place.lat, lon=place.lon, name="Cottage")
            running.say(word)
            learns.snapshot()  # it read the history before the word
        for brain in (running, brain_for(store, person, CONFIG, atlas, RULES)):
            assert "Cottage" in [place.name for place in brain.life.places()]


def test_what_is_learned_under_rules_that_were_closed_meanwhile_is_not_kept(
    paths: NodePaths,
) -> None:
    closed = Rules((), train=())
    with contextlib.closing(Atlas.bundled()) as atlas, _store(paths) as store:
        person = store.add_person("Anna")
        store.add_fixes(person.person_id, _days(0, 5), "csv")
        with _store(paths) as other:
            learns = brain_for(other, person, CONFIG, atlas, RULES)
            assert len(learns.life.places()) == 2
            assert brain_for(store, person, CONFIG, atlas, closed).life.places() == []
            learns.snapshot()
        assert brain_for(store, person, CONFIG, atlas, closed).life.places() == []


def test_every_late_fix_undoes_what_is_being_learned(paths: NodePaths) -> None:
    """A buffered upload comes in many messages: the one that learns may have read on before any of them."""
    with contextlib.closing(Atlas.bundled()) as atlas, _store(paths) as store:
        person = store.add_person("Anna")
        store.add_fixes(person.person_id, _days(10, 15), "phone")
        running = brain_for(store, person, CONFIG, atlas, RULES)
        late = _days(8, 10, (60.30, 24.80))
        running.observe(late[:1], [], "phone")
        with _store(paths) as other:
            learns = brain_for(other, person, CONFIG, atlas, RULES)
            running.observe(late[1:], [], "phone")
            learns.snapshot()
        assert store.model(person.person_id, "life") is None
        running.snapshot()  # which learns them in order
        assert len(running.life.places()) == 3


def test_other_rules_end_an_import(household: Any, tmp_path: Path) -> None:
    """It goes by the rules of before. The phone knows what was stored until then, and says what to do."""
    file = tmp_path / "long.csv"
    at = range(1_700_000_000, 1_700_000_000 + 100_000 * 60, 60)
    file.write_text("\n".join(["lat,lng,datetime", *(f"60.2,24.9,{time_s}" for time_s in at)]))

    async def main() -> None:
        async with household(people={"phone": ("anna", "adult")}, phone="phone") as nodes:
            phone = nodes["phone"]
            asks = asyncio.create_task(nodes.ask("phone", "import", file=str(file), name="anna"))
            await nodes.until(lambda: phone.store.database.row("SELECT 1 FROM fixes") is not None)
            paths = phone.paths
            closed = paths.rules.read_text().replace('"Person.Location.*"', '"Person.Nothing.*"', 1)
            paths.rules.write_text(closed)
            assert (await nodes.ask("phone", "use-rules"))["changed"]
            with pytest.raises(HearthwayError, match="Other rules"):
                await asks
            (stored,) = phone.store.database.row("SELECT count(*) FROM fixes")
            assert 0 < stored < len(at)
            await nodes.until(lambda: phone.brain is not None)

    asyncio.run(main())


def test_a_word_of_its_own_is_kept_with_what_was_learned(paths: NodePaths) -> None:
    with contextlib.closing(Atlas.bundled()) as atlas, _store(paths) as store:
        person = store.add_person("Anna")
        store.add_fixes(person.person_id, _days(0, 5), "phone")
        brain = brain_for(store, person, CONFIG, atlas, RULES)
        place = brain.life.places()[0]
        brain.say(PlaceWord(kind="name", time_s=0.0, lat=place.lat, lon=place.lon, name="Cottage"))
        brain.snapshot()
        kept = store.model(person.person_id, "life")
        assert kept is not None
        assert b"Cottage" in kept.data


def _store(paths: NodePaths) -> Store:
    return Store.open(paths.database, node_id="phone")


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
