"""Every error a person can cause: a sentence, a next step, exit code 1 or 2."""

from __future__ import annotations

import gzip
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Hearthway = Callable[..., Any]
NODE = '[node]\nid = "phone"\nrole = "phone"\n'
ROWS = "lat,lng,datetime,uid\n60.17,24.94,2025-01-01 08:00:00,1\n"


@pytest.fixture
def phone(tmp_path: Path) -> Path:
    """A phone that has never run."""
    root = tmp_path / "phone"
    root.mkdir(mode=0o700)
    (root / "node.toml").write_text(NODE)
    return root


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Files that are no history and no map."""
    made = {
        "binary.csv": bytes(range(256)) * 20,
        "empty.csv": b"",
        "empty.gpx": b"",
        "header.csv": b"lat,lng,datetime,uid\n",
        "columns.csv": b"a,b,c\n1,2,3\n",
        "letter.txt": b"Dear Aaro,\nhow are you?\n",
        "cut.gpx": b'<?xml version="1.0"?><gpx><trk><trkseg><trkpt lat="60.1" lon="24',
        "cut.csv.gz": gzip.compress(ROWS.encode() * 5000)[:200],
        "broken.csv.gz": gzip.compress(ROWS.encode() * 50)[:10] + b"\xff" * 50,
        "plain.csv.gz": ROWS.encode(),
        "empty.osm.pbf": b"",
        "cut.osm.pbf": b"\x00\x00\x00\x0d\x0a\x09OSMHeader\x18",
        "binary.osm.pbf": os.urandom(5000),
        "text.osm.pbf": b"this is no map\n" * 50,
        "sqlite.atlas": b"SQLite format 3\0" + b"\0" * 500,
        "recording.jsonl": b'{"key": 1}\n',
    }
    for name, content in made.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")  # nobody writes into it: whoever opens it waits without end
    return {path.name: path for path in tmp_path.iterdir()} | {
        "missing.csv": tmp_path / "missing.csv",
        "missing.pbf": tmp_path / "missing.pbf",
    }


HISTORIES = [
    "binary.csv",
    "empty.csv",
    "empty.gpx",
    "header.csv",
    "columns.csv",
    "letter.txt",
    "cut.csv.gz",
    "broken.csv.gz",
    "plain.csv.gz",
    "directory",
    "missing.csv",
    "recording.jsonl",
    "text.osm.pbf",
    "pipe.csv",
]


@pytest.mark.parametrize("name", HISTORIES)
@pytest.mark.parametrize("verb", ["drive", "backtest", "import"])
def test_a_history_that_is_none(
    hearthway: Hearthway, files: dict[str, Path], phone: Path, verb: str, name: str
) -> None:
    more = ["--person", "Aaro", "--data", phone] if verb == "import" else []
    done = hearthway(verb, files[name], *more)
    if name == "plain.csv.gz" and done.code == 0:
        return  # named .gz and not compressed: it may be read as what it is
    done.refuses(name)


def test_a_cut_track_gives_what_it_holds_or_says_why(
    hearthway: Hearthway, files: dict[str, Path]
) -> None:
    done = hearthway("drive", files["cut.gpx"])
    done.refuses("cut.gpx")


MAPS = ["empty.osm.pbf", "cut.osm.pbf", "binary.osm.pbf", "text.osm.pbf", "sqlite.atlas"]


@pytest.mark.parametrize("name", [*MAPS, "directory", "missing.pbf"])
def test_a_map_that_is_none(
    hearthway: Hearthway, files: dict[str, Path], tmp_path: Path, name: str
) -> None:
    hearthway("drive", "--map", files[name], "--data", tmp_path / "new").refuses(name)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", [*MAPS[:4], "directory", "missing.pbf"])
def test_building_from_a_map_that_is_none(
    hearthway: Hearthway, files: dict[str, Path], tmp_path: Path, name: str
) -> None:
    target = tmp_path / "out.atlas"
    hearthway("map", "build", files[name], target).refuses()
    assert not target.exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--seed", "-1"],
        ["--seed", "one"],
        ["--seed", "99999999999999999999999"],
        ["--seed", "1", "--synthetic", "2"],
        ["--dinner", "25:00"],
        ["--dinner", "03:00"],
        ["--dinner", "late"],
        ["--at", "24:61"],
        ["--at", "02:00"],
        ["--hours", "node/1"],
        ["--hours", "node/5906657573=whenever it suits"],
        ["--hours", "node/1=24/7"],
        ["--hours", "=24/7"],
        ["--driver", "c"],
        ["--to", "moon"],
        ["--dial", "loud"],
        ["--drill", "venue"],
        ["--seed", str(2**63)],
        ["--speed", "0"],
        ["--speed", "0.5"],
        ["--speed", "-1"],
        ["--speed", "fast"],
        ["--speed", "nan"],
        ["--rules", "/nonexistent/rules.toml"],
        ["--nonsense"],
    ],
    ids=" ".join,
)
def test_a_drive_that_cannot_be(hearthway: Hearthway, tmp_path: Path, words: list[str]) -> None:
    """Refused before anything starts."""
    hearthway("drive", "--data", tmp_path / "new", *words).refuses(codes=(2,))
    assert not (tmp_path / "new").exists()


def test_a_rules_file_that_is_none(hearthway: Hearthway, tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('[[rule]]\nid = "all"\n')
    hearthway("rules", file).refuses("rules.toml", codes=(2,))
    hearthway("rules", tmp_path / "none.toml").refuses("none.toml")
    hearthway("drive", "--rules", file, "--data", tmp_path / "new").refuses("rules.toml")
    assert not (tmp_path / "new").exists()


def test_where_json_cannot_go(hearthway: Hearthway, tmp_path: Path, phone: Path) -> None:
    """Before the work, not after it."""
    for target in (tmp_path, tmp_path / "no" / "such" / "file.json", phone / "node.toml" / "x"):
        hearthway("drive", "--data", tmp_path / "new", "--json", target).refuses()
        hearthway("status", "--data", phone, "--json", target).refuses()
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["check"],
        ["why"],
        ["why", "abc"],
        ["receipts", "list"],
        ["receipts", "verify"],
        ["forget", "Aaro", "--yes"],
        ["export", "Aaro"],
        ["backtest"],
        ["pair"],
        ["answer", "abc", "accept"],
        ["import", "x.csv", "--person", "Aaro"],
        ["venue", "wait", "10"],
        ["venue", "arrive", "2"],
        ["venue", "seat", "1"],
        ["venue", "leave", "1"],
        ["venue", "queue"],
        ["venue", "code"],
        ["rules"],
        ["up"],
    ],
    ids=" ".join,
)
def test_where_no_node_is(hearthway: Hearthway, tmp_path: Path, words: list[str]) -> None:
    hearthway(*words, "--data", tmp_path / "nowhere").refuses(codes=(2,))


@pytest.mark.parametrize(
    "verb", [["calendar"], ["backtest"], ["why", "--silent", "2025-11-14 18:00"]]
)
def test_what_is_no_phone_holds_no_life(hearthway: Hearthway, phone: Path, verb: list[str]) -> None:
    config = (phone / "node.toml").read_text()
    (phone / "node.toml").write_text(config.replace('role = "phone"', 'role = "home"'))
    hearthway(*verb, "--data", phone).refuses("is a home: a life is kept on a phone")


@pytest.mark.parametrize(
    "words",
    [
        ["why"],
        ["why", "abc"],
        ["why", ""],
        ["forget", "Aaro", "--yes"],
        ["forget", "home", "--yes"],
        ["export", "Aaro"],
        ["backtest"],
        ["pair"],
        ["pair", "127.0.0.1:1", "123456"],
        ["answer", "abc", "accept"],
        ["answer", "abc", "ignored"],
        ["answer", "", "accept"],
        ["venue", "wait", "10"],
        ["venue", "wait", "soon"],
        ["venue", "arrive", "0"],
        ["venue", "arrive", "two"],
        ["venue", "seat", "0"],
        ["venue", "leave", "99999999999999999999"],
        ["venue", "queue"],
        ["venue", "code"],
        ["venue", "follow", "nonsense"],
    ],
    ids=" ".join,
)
def test_a_phone_that_has_nothing_yet(hearthway: Hearthway, phone: Path, words: list[str]) -> None:
    hearthway(*words, "--data", phone).refuses()


@pytest.mark.parametrize(
    "text",
    ["", "[node", NODE + "[assist]\ndail = 1\n", NODE + '[map]\natlas = "/none.atlas"\n'],
)
def test_check_names_what_to_mend(hearthway: Hearthway, phone: Path, text: str) -> None:
    (phone / "node.toml").write_text(text)
    done = hearthway("check", "--data", phone)
    done.refuses("to mend", codes=(2,))
    assert "  -> " in done.out
    assert hearthway("check", phone / "node.toml").code == 2
    (phone / "node.toml").write_text(NODE)
    assert hearthway("check", "--data", phone).code == 0
    hearthway("check", phone / "nod.toml").refuses("There is no file", codes=(2,))


@pytest.mark.parametrize("damage", [b"not a database, " * 500, b"SQLite format 3\0" + b"\1" * 9000])
@pytest.mark.parametrize(
    "words",
    [["receipts", "verify"], ["receipts", "list"], ["why"], ["export", "Aaro"], ["backtest"]],
    ids=" ".join,
)
def test_a_damaged_database(
    hearthway: Hearthway, phone: Path, damage: bytes, words: list[str]
) -> None:
    """It is named, and left as it was."""
    database = phone / "node.db"
    database.write_bytes(damage)
    hearthway(*words, "--data", phone).refuses()
    assert database.read_bytes() == damage


def test_a_database_of_a_later_version(hearthway: Hearthway, phone: Path) -> None:
    assert hearthway("receipts", "verify", "--data", phone).code == 0
    with sqlite3.connect(phone / "node.db") as db:
        db.execute("PRAGMA user_version = 9999")
    db.close()
    hearthway("receipts", "verify", "--data", phone).refuses()


@pytest.fixture(name="unprivileged")
def _unprivileged() -> list[str]:
    """What to put before a command so that file modes hold for it; root does without its capabilities."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv is missing (Debian: apt install util-linux)")
    return [setpriv, "--inh-caps=-all", "--bounding-set=-all", "--"]


@pytest.mark.parametrize(
    "words", [["up", "--role", "phone"], ["drive"], ["status"], ["check"]], ids=" ".join
)
def test_no_permission(tmp_path: Path, unprivileged: list[str], words: list[str]) -> None:
    """A directory that may not be written, or a node that may not be read."""
    locked = tmp_path / "locked"
    locked.mkdir()
    (locked / "node.toml").write_text(NODE)
    (locked / "node.toml").chmod(0o000)
    locked.chmod(0o500)
    data = locked if words[0] in ("status", "check") else locked / "deep"
    done = subprocess.run(
        [*unprivileged, sys.executable, "-m", "hearthway", *words, "--data", str(data)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    locked.chmod(0o700)
    said = done.stdout + done.stderr
    assert done.returncode in (1, 2), said
    assert "Traceback" not in said
    assert "fault in Hearthway" not in said
    assert "  -> " in said
    assert [path.name for path in locked.iterdir()] == ["node.toml"]
