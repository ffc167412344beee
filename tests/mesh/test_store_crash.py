"""kill -9 in the middle of writing: what was acknowledged is there, the file opens, the schema is the kept one."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from hearthway.mesh.state.schema import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION
from hearthway.mesh.state.store import Store

GOLDEN = Path(__file__).parents[1] / "golden"
WRITER = textwrap.dedent(
    """
    import sys
    from hearthway.mesh.state.store import Store
    from hearthway.records.signals import Fix
    store = Store.open(sys.argv[1], node_id="phone")
    number = int(sys.argv[2])
    while True:
        store.add_fixes("a", [Fix(time_s=float(number), lat=60.0, lon=24.0)], "live")
        store.add_event("said", "a", float(number), b"x")
        print(number, flush=True)
        number += 1
    """
)


def test_kill_loses_no_acknowledged_write(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    acknowledged: list[int] = []
    for round_no in range(4):
        start = acknowledged[-1] + 1 if acknowledged else 0
        enough = len(acknowledged) + 20 + 7 * round_no
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(start)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for line in writer.stdout:
                acknowledged.append(int(line))
                if len(acknowledged) >= enough:
                    break
            writer.kill()
            acknowledged += [int(line) for line in writer.stdout.read().split()]
        with Store.open(path, node_id="phone") as store:
            assert {int(one.time_s) for one in store.fixes("a")} >= set(acknowledged)
            assert {int(one.time_s) for one in store.events("said")} >= set(acknowledged)
            assert store.database.problems() == []
        # the next writer starts one above: an unacknowledged last write may or may not be there
    assert len(acknowledged) > 60


def test_two_processes_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; from hearthway.mesh.state.store import Store;"
        "Store.open(sys.argv[1], node_id='phone').add_person(sys.argv[2])"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "node.db"), name])
        for name in ("Anna", "Bo")
    ]
    assert [one.wait() for one in both] == [0, 0]
    with Store.open(tmp_path / "node.db", node_id="phone") as store:
        assert [one.name for one in store.persons()] == ["Anna", "Bo"]


def schema(path: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(path) as db:
        found = db.execute(
            "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name"
        ).fetchall()
    db.close()
    return found


@pytest.mark.parametrize("dump", sorted(GOLDEN.glob("store_v*.sql")), ids=lambda path: path.stem)
def test_every_old_schema_opens_with_its_data(tmp_path: Path, dump: Path) -> None:
    old = tmp_path / "node.db"
    db = sqlite3.connect(old)
    db.executescript(dump.read_text())
    db.close()
    Store.open(tmp_path / "new.db", node_id="phone").close()
    with Store.open(old, node_id="phone") as store:
        assert [one.name for one in store.persons()] == ["Anna"]
        assert [one.time_s for one in store.fixes("a1")] == [100.0, 160.0]
        assert [one.value for one in store.signals("a1")] == [13.5, True]
        assert store.database.problems() == []
        assert store.database.row("PRAGMA application_id") == (APPLICATION_ID,)
    assert schema(old) == schema(tmp_path / "new.db")


def test_a_released_migration_is_never_edited(tmp_path: Path) -> None:
    dumps = sorted(GOLDEN.glob("store_v*.sql"))
    assert len(dumps) == SCHEMA_VERSION == len(MIGRATIONS)
    for number, dump in enumerate(dumps, 1):
        old, made = sqlite3.connect(":memory:"), sqlite3.connect(":memory:")
        old.executescript(dump.read_text())
        for statements in MIGRATIONS[:number]:
            for statement in statements:
                made.execute(statement)
        query = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name"
        assert old.execute(query).fetchall() == made.execute(query).fetchall()
        old.close()
        made.close()
