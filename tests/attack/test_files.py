"""Damaged, foreign, hostile and half-written files under a stopped node: a sentence, a next step, nothing lost."""

from __future__ import annotations

import io
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hearthway.atlas.store import BUNDLED
from hearthway.records.errors import HearthwayError

ROWS = 3_000


def history(path: Path, rows: int = ROWS, start: int = 0) -> Path:
    """Fixes every 10 s, one person."""
    lines = ["lat,lng,datetime"]
    lines += [
        f"{60 + i % 700 * 1e-4:.6f},24.9,{1_600_000_000 + start + i * 10}" for i in range(rows)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def first_phone(tmp_path_factory: pytest.TempPathFactory, cli: Any, make_node: Any) -> Path:
    """Made once, copied for each test."""
    root = tmp_path_factory.mktemp("phone")
    phone = Path(make_node(root, "phone").paths.root)
    file = history(root / "a.csv")
    assert cli("import", file, "--person", "Ann", "--data", phone).code == 0
    return phone


@pytest.fixture
def phone(first_phone: Path, tmp_path: Path) -> Path:
    """A phone's directory that holds Ann's history; its node does not run."""
    shutil.copytree(first_phone, tmp_path / "phone")
    shutil.copyfile(first_phone.parent / "a.csv", tmp_path / "a.csv")
    return tmp_path / "phone"


def held(phone: Path) -> int:
    """Fixes in the store."""
    with sqlite3.connect(phone / "node.db") as db:
        found = int(db.execute("SELECT count(*) FROM fixes").fetchone()[0])
    db.close()
    return found


# node.db ----------------------------------------------------------------------------------------------------------


def _flip(data: bytes) -> bytes:
    changed = bytearray(data)
    for at in range(120, len(changed), 97):
        changed[at] ^= 0x55
    return bytes(changed)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "flipped bits": _flip,
    "cut": lambda data: data[:5_000],
    "text": lambda _: b"hello, this is no database\n" * 50,
    "zeros": lambda data: bytes(len(data)),
}
VERBS = [("receipts", "verify"), ("forget", "Ann"), ("export", "Ann")]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_database_is_left_as_it_is(
    phone: Path, cli: Any, damage: str, tmp_path: Path
) -> None:
    file = phone / "node.db"
    file.write_bytes(DAMAGE[damage](file.read_bytes()))
    before = file.read_bytes()
    for verb in (*VERBS, ("up",), ("import", str(tmp_path / "a.csv"), "--person", "Ann")):
        more = ("--to", str(tmp_path / "out")) if verb[0] == "export" else ()
        done = cli(*verb, *more, "--data", phone)
        assert done.code == 1, (verb, done.said)
        assert "Traceback" not in done.said, verb
        assert "  -> Keep a copy of it" in done.said, verb
        assert "damaged" in done.said or "not a database" in done.said, (verb, done.said)
    assert file.read_bytes() == before


def test_a_database_of_another_program_or_of_a_newer_version(phone: Path, cli: Any) -> None:
    file = phone / "node.db"
    good = file.read_bytes()
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    cli("why", "--data", phone).refuses("newer Hearthway", "Update")
    file.unlink()
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE recipes (name TEXT)")
    db.close()
    cli("why", "--data", phone).refuses("another program")
    file.write_bytes(good)
    assert held(phone) == ROWS


# settings and rules -----------------------------------------------------------------------------------------------

SETTINGS = [
    "[node]\nid='phone'\nrole='phone'\n".encode("utf-16"),
    "[node]\nid='phöne'\nrole='phone'\n".encode("latin-1"),
    b"",
    b"a=" + b"[" * 100_000,
    b"\x00" * 1_000,
    b"[node]\nid='phone'\nrole='fone'\n",
    b"[node]\nid='phone'\nrole='phone'\n[mesh]\nlissten='x'\n",
    b"[node]\nid='phone'\nrole='phone'\n[mesh]\nlisten='1.2.3.4:99999'\n",
    b"[node]\nid='phone'\nrole='phone'\n[assist]\ndaily_budget=9999999999999999999999\n",
    b"[node]\nid='../../x'\nrole='phone'\n",
]


@pytest.mark.parametrize("text", SETTINGS, ids=range(len(SETTINGS)))
def test_settings_that_are_none(phone: Path, cli: Any, text: bytes) -> None:
    (phone / "node.toml").write_bytes(text)
    for verb in ("status", "up"):
        cli(verb, "--data", phone).refuses("node.toml")
    assert held(phone) == ROWS


RULES = [
    b"\xff\xfe\x00",
    b"nonsense",
    b"x=" + b"[" * 100_000,
    b"version = 99\n",
    b"[[allow]]\nkeys = 5\n",
    b"[[rule]]\nallow = ['*']\n",
    b"version = 1\n[[rule]]\nid='x'\nkeys=['" + b"*" * 10_000 + b"']\n",
]


@pytest.mark.parametrize("text", RULES, ids=range(len(RULES)))
def test_rules_that_are_none_start_no_node(phone: Path, cli: Any, text: bytes) -> None:
    (phone / "rules.toml").write_bytes(text)
    cli("check", "--data", phone).refuses("rules.toml")
    cli("rules", phone / "rules.toml").refuses("rules.toml")


# histories --------------------------------------------------------------------------------------------------------

POINT = '{"latitudeE7": 601700000, "longitudeE7": 249400000, "timestamp": "2024-03-01T09:00:00Z"}'
RECORDS = f'{{"locations": [{POINT}]}}'.encode()


def _packed(text: bytes) -> bytes:
    """A zip of one Records.json."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("Takeout/Location History/Records.json", text)
    return held.getvalue()


HISTORIES = {
    "utf-16": RECORDS.decode().encode("utf-16"),
    "deep": b'{"locations": ' + b"[" * 500_000,
    "deep and long": b'{"locations": [' + b'{"a":' * 500_000,
    "one endless string": b'{"locations": ["' + b"x" * 3_000_000,
    "huge numbers": b'{"locations": [{"latitudeE7": 1e999, "longitudeE7": %s}]}' % (b"9" * 9_000),
    "geojson": b'{"type": "FeatureCollection", "features": []}',
    "a month of semantic history": b'{"timelineObjects": [{"placeVisit": {}}]}',
    "cut in the first point": RECORDS[:40],
    "a cut zip": _packed(RECORDS)[:-30],
    "a zip of spaces": _packed(b"[" + b" " * 80_000_000 + RECORDS),
    "a zip in a zip": _packed(_packed(RECORDS)),
    "a zip of nothing": b"PK\x05\x06" + bytes(18),
    "only encrypted messages": b'2024-03-01T09:00:00Z\t*\t{"_type": "encrypted", "data": "x"}\n',
    "deep messages": b'2024-03-01T09:00:00Z\t*\t{"_type":' + b"[" * 60_000 + b"\n",
}


@pytest.mark.parametrize("name", HISTORIES)
def test_a_hostile_history_changes_nothing(
    phone: Path, tmp_path: Path, cli: Any, name: str
) -> None:
    """Each verb that reads one says a sentence; a good one of the same form is taken."""
    file = tmp_path / "hostile"
    file.write_bytes(HISTORIES[name])
    cli("import", file, "--person", "Ann", "--data", phone).refuses("hostile")
    cli("backtest", file).refuses("hostile")
    assert held(phone) == ROWS
    file.write_bytes(_packed(RECORDS) if "zip" in name else RECORDS)
    done = cli("import", file, "--person", "Ann", "--data", phone)
    assert (done.code, held(phone)) == (0, ROWS + 1), done.said


# maps -------------------------------------------------------------------------------------------------------------


def _atlas(target: Path) -> bytes:
    shutil.copyfile(BUNDLED, target)
    return target.read_bytes()


def test_a_damaged_or_foreign_atlas_is_a_sentence(tmp_path: Path, cli: Any) -> None:
    one = history(tmp_path / "h.csv", 50)
    atlas = tmp_path / "city.atlas"
    good = _atlas(atlas)
    assert cli("drive", one, "--map", atlas).code == 0  # the control
    for bad in (good[:40_000], good[:16], _flip(good), good[:100] + os.urandom(50_000)):
        atlas.write_bytes(bad)
        cli("drive", one, "--map", atlas).refuses("city.atlas")
    atlas.unlink()
    with sqlite3.connect(atlas) as db:
        db.execute("CREATE TABLE recipes (name TEXT)")
    db.close()
    cli("drive", one, "--map", atlas).refuses("city.atlas")


@pytest.mark.parametrize(
    "data", [b"\x00" * 5_000, b"\x00\x00\x00\x0d\x0a\x09OSMHeader" + b"\xff" * 4_000, b"<osm/>"]
)
def test_an_extract_that_is_none(tmp_path: Path, cli: Any, data: bytes) -> None:
    bad = tmp_path / "bad.osm.pbf"
    bad.write_bytes(data)
    cli("map", "build", bad, tmp_path / "out.atlas").refuses("bad.osm.pbf")
    assert not (tmp_path / "out.atlas").exists()


# disks and permissions --------------------------------------------------------------------------------------------


def _limited(bytes_: int) -> Callable[[], None]:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, bytes_))

    return limit


def test_a_disk_that_fills_up_during_an_import_keeps_what_was_there(
    phone: Path, tmp_path: Path, cli: Any
) -> None:
    more = history(tmp_path / "more.csv", 60_000, start=10_000_000)
    limit = (phone / "node.db").stat().st_size + 200_000
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "hearthway",
            "import",
            str(more),
            "--person",
            "Ann",
            "--data",
            str(phone),
        ],
        preexec_fn=_limited(limit),
        capture_output=True,
        check=False,
    )
    said = done.stderr.decode()
    assert done.returncode not in (0, 70), said
    assert "Traceback" not in said
    assert "  -> " in said
    assert held(phone) >= ROWS
    assert cli("receipts", "verify", "--data", phone).code == 0
    assert cli("import", more, "--person", "Ann", "--data", phone).code == 0  # with room again
    assert held(phone) == ROWS + 60_000


SETTING = "Setting.Home.Arrival.Temperature"


def _lines(cli: Any, node: Any) -> str:
    return str(cli("status", "--data", node.paths.root).out)


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20.0
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_disk_that_fills_up_under_a_running_node(new_node: Any, cli: Any) -> None:
    car = new_node("car")
    car.up()
    car.ask("set", key=SETTING, value=21)
    assert "disk is full" not in _lines(cli, car)  # the control
    limit = max(p.stat().st_size for p in car.paths.root.glob("node.db*")) + 20_000
    resource.prlimit(car.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    kept: list[int] = []

    def fill() -> None:
        for number in range(1000):
            car.ask("set", key=f"Setting.Long{number}", value="x" * 4000)
            kept.append(number)

    with pytest.raises(HearthwayError, match="disk is full"):
        fill()
    said = _lines(cli, car)
    assert "disk is full" in said
    assert "  -> Free some space" in said
    (found,) = car.ask("get", key=SETTING)["registers"]  # reading goes on
    assert found["value"] == 21
    resource.prlimit(car.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    _until(lambda: "disk is full" not in _lines(cli, car))  # without a restart
    car.ask("set", key=SETTING, value=22)
    car.process.stop()
    with sqlite3.connect(car.paths.database) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        held = {key for (key,) in db.execute("SELECT key FROM registers")}
    db.close()
    assert held >= {f"Setting.Long{number}" for number in kept}  # all that was acknowledged
    assert "Traceback" not in car.said()


def test_a_database_that_is_damaged_under_a_running_node(new_node: Any, cli: Any) -> None:
    car = new_node("car")
    car.up()
    for number in range(300):
        car.ask("set", key=f"Setting.Long{number:03}", value="x" * 4000)
    car.ask("set", key=SETTING, value=21)
    car.process.stop()  # everything is in the one file now
    car.up()
    file = car.paths.database
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as db:
        (size,) = db.execute("PRAGMA page_size").fetchone()
        # the pages that hold the values, not those that lead to them
        rows = db.execute(
            "SELECT pageno FROM dbstat WHERE name = 'registers' AND pagetype = 'leaf'"
        ).fetchall()
    db.close()
    with file.open("r+b") as raw:
        assert len(rows) > 20
        for (page,) in rows[10:]:
            raw.seek((page - 1) * size)
            raw.write(os.urandom(size))
    before = file.read_bytes()
    with sqlite3.connect(file) as db:  # another process writes: what the node had in memory is old
        db.execute("INSERT INTO meta VALUES ('probe', x'01')")
    db.close()
    with pytest.raises(HearthwayError, match="damaged"):
        car.ask("get", key="Setting.")
    said = _lines(cli, car)
    assert f"{file} is damaged" in said
    assert "  -> Keep a copy of it, then `hearthway restore`" in said
    assert car.process.alive()
    assert car.ask("ping")["node"] == "car"
    assert file.read_bytes() == before
    car.process.stop()
    assert "Traceback" not in car.said()


def _plain_user() -> list[str]:
    """What makes file modes count: nothing for an ordinary user; for root, giving up the right to pass them."""
    if os.geteuid() != 0:
        return []
    tool = shutil.which("setpriv")
    if tool is None:
        if os.environ.get("CI") == "true":
            pytest.fail("setpriv is missing: apt-get install util-linux")
        pytest.skip("setpriv (util-linux) is missing: apt-get install util-linux")
    return [tool, "--bounding-set=-dac_override,-dac_read_search", "--"]


def test_somebody_without_rights_gets_sentences(phone: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    secret = history(tmp_path / "secret.csv", 10)
    secret.chmod(0o200)
    readable = history(tmp_path / "readable.csv", 10)
    (phone / "node.db").chmod(0o400)
    (phone / "node.toml").chmod(0o400)
    prefix = _plain_user()
    for words in (
        ("up", "--role", "phone"),
        ("up", "--role", "phone", "--data", locked / "x"),
        ("drive", secret),
        ("drive", "--loopback"),
        ("drive", readable, "--json", locked / "x.json"),
        ("map", "build", readable, locked / "x.atlas"),
        ("export", "Ann", "--data", phone, "--to", locked / "x"),
    ):
        done = subprocess.run(
            [*prefix, sys.executable, "-m", "hearthway", *map(str, words)],
            env={**os.environ, "HOME": str(locked)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode not in (0, 70), (words, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr, words
        assert "  -> " in done.stderr or "is not readable" in done.stderr, (words, done.stderr)
    locked.chmod(0o700)


# kill -9 ----------------------------------------------------------------------------------------------------------


def test_kill_9_during_imports_loses_nothing_acknowledged(
    phone: Path, tmp_path: Path, cli: Any
) -> None:
    acknowledged = ROWS
    for turn in range(6):
        file = history(tmp_path / f"{turn}.csv", 20_000, start=(turn + 1) * 1_000_000)
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "hearthway",
                "import",
                str(file),
                "--person",
                "Ann",
                "--data",
                str(phone),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        time.sleep(0.3 + 0.25 * turn)
        process.kill()
        out, _ = process.communicate()
        if b"fixes are new" in out:
            acknowledged += 20_000
        assert held(phone) >= acknowledged
    assert cli("receipts", "verify", "--data", phone).code == 0
    last = tmp_path / "5.csv"
    assert cli("import", last, "--person", "Ann", "--data", phone).code == 0
    shutil.rmtree(phone)
