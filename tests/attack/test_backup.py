"""Backup, wipe, restore elsewhere: the household of real processes goes on. Commands that end in the middle leave nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.ports import free_port

from hearthway.app.launch import NodeProcess
from hearthway.app.offline import opened
from hearthway.app.paths import NodePaths
from hearthway.app.witness import Witness
from hearthway.mesh.state.store import Store
from hearthway.records.messages import HeadShown

WEEKS = Path(__file__).parents[2] / "docs" / "tutorial" / "synthetic-weeks.csv"
HEALS_S = 30.0
FILL = """
import sqlite3
db = sqlite3.connect({!r})
db.execute("CREATE TABLE t (b BLOB)")
for _ in range(150):
    db.execute("INSERT INTO t VALUES (randomblob(1000000))")
db.commit()
"""


def _pair(home: Any, node: Any, **fields: Any) -> None:
    offer = home.ask("pair-open", port=free_port(), **fields)
    node.ask("pair", address=offer["address"], code=offer["code"])


def _until(what: Callable[[], Any], limit_s: float = HEALS_S) -> Any:
    deadline = time.monotonic() + limit_s
    while not (found := what()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {limit_s} s")
        time.sleep(0.2)
    return found


def _verified(cli: Any, root: Path) -> dict[str, Any]:
    """Every node's report, by its id, once all verify."""
    done = cli("receipts", "verify", "--data", root, "--json")
    assert done.code == 0, done.said
    return {one["report"]["node"]: one["report"] for one in json.loads(done.out)}


@pytest.mark.slow
def test_a_household_goes_on_after_its_home_was_wiped_and_restored_elsewhere(
    new_node: Callable[..., Any], cli: Any, tmp_path: Path
) -> None:
    home, phone, car = (new_node(role) for role in ("home", "phone", "car"))
    for node in (home, phone, car):
        node.up()
    assert cli("import", WEEKS, "--person", "Anna", "--data", phone.paths.root).code == 0
    _pair(home, phone)
    phone.ask("await-peers", roles=["home"])
    file, phrase = tmp_path / "home.backup", tmp_path / "phrase"
    done = cli("backup", file, "--data", home.paths.root, "--phrase-file", phrase)  # it runs
    assert done.code == 0, done.said
    words = phrase.read_text().strip()
    assert words not in done.said + home.said()
    _pair(home, car)  # newer than the backup
    home.ask("await-peers", roles=["phone", "car"])

    home.process.kill()
    home.process.stop()
    shutil.rmtree(home.paths.root)
    listen = f"127.0.0.1:{free_port()}"
    place = tmp_path / "elsewhere" / "home"
    done = cli("restore", file, "--data", place, "--phrase-file", phrase, "--listen", listen)
    assert done.code == 0, done.said
    home.paths = NodePaths(place)
    home.process = NodeProcess("home", home.paths, lambda _, command: list(command))
    try:
        start = time.monotonic()
        home.up()
        home.ask("await-peers", roles=["phone"])
        phone.ask("await-peers", roles=["home"])
        _until(lambda: all(n.ask("status")["healthy"] for n in (home, phone)))
        print(f"the phone is back {time.monotonic() - start:.1f} s after the restored home's start")
        home.ask("await-peers", roles=["car"])  # it was paired after the backup
        _until(lambda: car.ask("status")["healthy"])
        second = new_node("car", "car-2")
        second.up()
        _pair(home, second)
        second.ask("await-peers", roles=["home", "phone"])
    finally:
        home.process.stop()


@pytest.mark.slow
def test_a_restored_home_still_witnesses_the_phones_receipts(cli: Any, tmp_path: Path) -> None:
    """A whole drive first: its receipt was countersigned by the home that is wiped then."""
    data, file, phrase = tmp_path / "drive", tmp_path / "b", tmp_path / "phrase"
    done = cli("drive", "--loopback", "--data", data, limit_s=110.0)
    assert done.code == 0, done.said
    before = _verified(cli, data)["phone"]
    assert before["witnessed_to"] == before["entries"] > 0
    ask = ("--phrase-file", phrase)
    assert cli("backup", file, "--data", data / "home", *ask).code == 0
    shutil.rmtree(data / "home")
    assert cli("restore", file, "--data", data / "other-home", *ask).code == 0
    assert _verified(cli, data)["phone"] == before

    home, phone = NodePaths(data / "other-home"), NodePaths(data / "phone")
    with opened(phone) as (_, chain), Store.open(home.database, node_id="home") as kept:
        last = next(receipt for _, receipt in chain.receipts() if receipt is not None)
        chain.append(replace(last, suggestion_id="after the restore"))
        shown = HeadShown(head=chain.head(), key=chain.public_key)
        Witness(kept, home.keys).sign("phone", shown, last.time_s)
    after = _verified(cli, data)["phone"]
    assert after["witnessed_to"] == before["witnessed_to"] + 1


def test_wrong_phrases_and_places_are_sentences(
    new_node: Callable[..., Any], cli: Any, tmp_path: Path
) -> None:
    home = new_node("home")
    home.up()
    file, phrase, new = tmp_path / "b", tmp_path / "phrase", tmp_path / "new"
    ask = ("--data", home.paths.root, "--phrase-file", phrase)
    cli("backup", tmp_path / "no" / "where", *ask).refuses("directory must be there")
    assert cli("backup", file, *ask).code == 0
    cli("backup", file, *ask).refuses("never overwritten")
    cli("backup", tmp_path / "c", "--data", tmp_path / "nobody", "--phrase-file", phrase).refuses()
    assert cli("backup", tmp_path / "second", *ask).code == 0  # the same phrase for the next one

    back = ("restore", file, "--data", new)
    other = tmp_path / "other"
    other.write_text("legal winner thank year wave sausage worth useful legal winner thank yellow")
    other.chmod(0o644)
    cli(*back, "--phrase-file", other).refuses("read by other users", "chmod 600")
    other.chmod(0o600)
    start = time.monotonic()
    cli(*back, "--phrase-file", other).refuses("phrase does not open")
    assert time.monotonic() - start < 10.0
    other.write_text("legal winner thank year wave sausage worth useful legal winner thank thank")
    cli(*back, "--phrase-file", other).refuses("no recovery phrase")
    other.write_bytes(os.urandom(5000))
    cli(*back, "--phrase-file", other).refuses("no recovery phrase")
    cli(*back).refuses("no terminal")
    cli("restore", phrase, "--data", new, "--phrase-file", phrase).refuses("not a backup")
    cli("restore", file, "--data", home.paths.root, "--phrase-file", phrase).refuses("not empty")
    cli(*back, "--phrase-file", phrase, "--listen", "nonsense").refuses("mesh.listen")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "bad").write_bytes(data)
    bad = cli("restore", tmp_path / "bad", "--data", new, "--phrase-file", phrase)
    bad.refuses("damaged", "phrase is right")
    assert not new.exists()
    assert cli(*back, "--phrase-file", phrase).code == 0  # the control
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_command_leaves_nothing(
    new_node: Callable[..., Any], cli: Any, tmp_path: Path, number: int
) -> None:
    home = new_node("home")
    home.up()
    home.process.stop()
    big = home.paths.root / "extra.db"
    subprocess.run(
        [
            sys.executable,
            "-c",
            FILL.format(str(big)),
        ],
        check=True,
    )
    words = [
        sys.executable, "-m", "hearthway", "backup", str(tmp_path / "b"),
        "--data", str(home.paths.root), "--phrase-file", str(tmp_path / "phrase"),
    ]  # fmt: skip
    process = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    _until(lambda: [p for p in tmp_path.glob(".b.*") if p.stat().st_size > 2_000_000])
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert b"Traceback" not in err
    assert process.returncode == 130
    left = sorted(p.name for p in tmp_path.iterdir())
    assert left == ["home", "phrase"]
    assert not (home.paths.root / ".backup").exists()
    done = cli(
        "backup", tmp_path / "b", "--data", home.paths.root, "--phrase-file", tmp_path / "phrase"
    )
    assert done.code == 0, done.said
