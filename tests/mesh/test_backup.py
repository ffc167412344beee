"""Backup and restore: everything comes back, and nothing else than the right phrase and the whole file opens it."""

from __future__ import annotations

import errno
import os
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.mesh.state import backup, sealed_file
from hearthway.mesh.state.backup import WORK, back_up, check_node, restore, sweep
from hearthway.mesh.state.phrase import entropy_of, new_entropy, phrase_of
from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.identity import DeviceIdentity, HouseholdRoot
from hearthway.records.errors import HearthwayError, InputError, StoreError
from hearthway.records.signals import Fix

ENTROPY = bytes(range(16))
GOLDEN = Path(__file__).parents[1] / "golden"


def _files(node: Path) -> dict[str, bytes]:
    """Everything of a node but its database."""
    return {
        str(path.relative_to(node)): path.read_bytes()
        for path in sorted(node.rglob("*"))
        if path.is_file() and not path.name.startswith("node.db")
    }


@pytest.fixture(name="node")
def _node(make_household: Any, tmp_path: Path) -> Path:
    """The directory of a home with settings, rules, keys of root and device, and a database."""
    household = make_household(home="home", phone="phone")
    node: Path = tmp_path / "home"
    (node / "keys").mkdir(mode=0o700, parents=True)
    for name in ("root.key", "root.pem", "roster.bin"):
        shutil.copy2(household.path / "root" / name, node / "keys" / name)
    for name in ("device.key", "device.pem", "ca.pem"):
        shutil.copy2(household.path / "home" / name, node / "keys" / name)
    (node / "node.toml").write_text('[node]\nid = "home"\nrole = "home"\n')
    (node / "rules.toml").write_text("# none\n")
    with Store.open(node / "node.db", node_id="home") as store:
        anna = store.add_person("Anna")
        store.add_fixes(
            anna.person_id,
            [Fix(time_s=1000.0 + n, lat=60.17, lon=24.94) for n in range(5000)],
            source="test",
        )
    return node


def test_what_was_backed_up_comes_back(node: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    file = tmp_path / "home.backup"
    made = back_up(node, file, ENTROPY, 1.7e9, lambda *at: told.append(at))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert told[-1] == (made.content_bytes, made.content_bytes)
    found = restore(file, tmp_path / "new" / "home", ENTROPY)
    assert found == made
    new = tmp_path / "new" / "home"
    assert _files(new) == _files(node)
    assert all(p.stat().st_mode & 0o077 == 0 for p in (new, *new.rglob("*")))
    with Store.open(new / "node.db", node_id="home") as store:
        anna = store.person("Anna")
        assert sum(1 for _ in store.fixes(anna.person_id)) == 5000
        assert store.lost_after("phone") is not None  # it asks others for what it wrote since
        with Store.open(node / "node.db", node_id="home") as old:
            assert store.database_id() != old.database_id()
            assert old.lost_after("phone") is None
    now_s = time.time()
    assert HouseholdRoot.load(new / "keys", now_s).roster.member("phone") is not None
    assert DeviceIdentity.load(new / "keys", now_s).device_id == "home"
    assert _left(tmp_path) == []


def _left(folder: Path) -> list[str]:
    """Temporary files and directories that something forgot."""
    return sorted(str(p) for p in folder.rglob(".*"))


def test_nothing_of_the_node_can_be_read_in_the_file(node: Path, tmp_path: Path) -> None:
    file = tmp_path / "b"
    back_up(node, file, ENTROPY, 1.7e9)
    data = file.read_bytes()
    planted = (b"SQLite format", b"PRIVATE KEY", b"Anna", b"node.toml", b"home", b"keys/")
    assert not [word for word in planted if word in data]
    database = (node / "node.db").read_bytes()
    assert [word for word in planted if word in database]  # the control: these words would be found
    other = tmp_path / "c"
    back_up(node, other, ENTROPY, 1.7e9)
    assert (
        other.read_bytes()[60:1000] != data[60:1000]
    )  # its own key, though the phrase is the same


def test_a_wrong_phrase_says_so_quickly_and_writes_nothing(node: Path, tmp_path: Path) -> None:
    file = tmp_path / "b"
    back_up(node, file, ENTROPY, 1.7e9)
    start = time.monotonic()
    with pytest.raises(InputError, match="phrase does not open"):
        restore(file, tmp_path / "new", new_entropy())
    assert time.monotonic() - start < 5.0
    assert not (tmp_path / "new").exists()
    restore(file, tmp_path / "new", ENTROPY)  # the control


def test_every_changed_byte_is_found(
    node: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed_file, "CHUNK_BYTES", 4096)
    monkeypatch.setattr(sealed_file, "_LOG2_N", 4)
    file, bad = tmp_path / "b", tmp_path / "bad"
    back_up(node, file, ENTROPY, 1.7e9)
    data = file.read_bytes()
    rng = random.Random(7)
    places = [*range(53), *(rng.randrange(len(data)) for _ in range(60)), len(data) - 1]
    for place in places:
        bad.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(InputError) as caught:
            restore(bad, tmp_path / "new", ENTROPY)
        assert "phrase does not open" not in caught.value.message, place
    assert not (tmp_path / "new").exists()
    restore(file, tmp_path / "new", ENTROPY)


def test_chunks_cut_off_left_out_doubled_or_moved_are_found(
    node: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed_file, "CHUNK_BYTES", 4096)
    file, bad = tmp_path / "b", tmp_path / "bad"
    back_up(node, file, ENTROPY, 1.7e9)
    data = file.read_bytes()
    head, size = 52, 4096 + 16
    chunks = [data[at : at + size] for at in range(head, len(data), size)]
    assert len(chunks) > 5
    others = tmp_path / "others"
    back_up(node, others, ENTROPY, 1.7e9)
    foreign = others.read_bytes()[head : head + size]
    wrong = {
        "cut at a chunk": chunks[:-1],
        "cut in a chunk": [*chunks[:-1], chunks[-1][:-1]],
        "only the head": [],
        "one left out": chunks[:1] + chunks[2:],
        "one twice": [chunks[0], *chunks],
        "two swapped": [chunks[1], chunks[0], *chunks[2:]],
        "more behind": [*chunks, chunks[-1]],
        "of another backup": [foreign, *chunks[1:]],
    }
    for what, parts in wrong.items():
        bad.write_bytes(data[:head] + b"".join(parts))
        with pytest.raises(InputError, match="damaged or cut off"):
            restore(bad, tmp_path / "new", ENTROPY)
        assert not (tmp_path / "new").exists(), what
    assert not _left(tmp_path / "new")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a backup"),
        (b"SQLite format 3\x00" + bytes(100), "not a backup"),
        (b"HEARTHBK", "beginning .* is damaged"),
        (b"HEARTHBK\x02" + bytes(100), "newer Hearthway"),
        (b"HEARTHBK\x01" + bytes(100), "beginning .* is damaged"),
    ],
)
def test_what_is_no_backup_is_a_sentence(data: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(InputError, match=words):
        restore(tmp_path / "x", tmp_path / "new", ENTROPY)


def test_a_file_cannot_ask_for_all_memory(tmp_path: Path) -> None:
    import hashlib

    head = sealed_file._HEAD.pack(b"HEARTHBK", 1, 60, 255, 255, bytes(16), bytes(16))
    (tmp_path / "x").write_bytes(head + hashlib.sha256(head).digest()[:8] + bytes(100))
    with pytest.raises(InputError, match="damaged"):
        restore(tmp_path / "x", tmp_path / "new", ENTROPY)


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "keys/../../evil", "keys/.hidden", ""])
def test_a_backup_writes_nowhere_else(name: str, tmp_path: Path) -> None:
    """Made by somebody who has the phrase: an authenticated file may still mean harm."""
    with (tmp_path / "x").open("wb") as file:
        sealed = sealed_file.SealedWriter(file, ENTROPY)
        backup._write_record(sealed, backup._About(time_s=0.0, files=1, content_bytes=4))
        backup._write_record(sealed, backup._Entry(name=name, size=4))
        sealed.write(b"evil")
        sealed.finish()
    with pytest.raises(InputError, match="no node has"):
        restore(tmp_path / "x", tmp_path / "new", ENTROPY)
    assert not list(tmp_path.rglob("evil"))
    assert not (tmp_path / "new").exists()


def test_nothing_is_overwritten(node: Path, tmp_path: Path) -> None:
    file = tmp_path / "b"
    file.write_bytes(b"mine")
    with pytest.raises(StoreError, match="never overwritten"):
        back_up(node, file, ENTROPY, 1.7e9)
    assert file.read_bytes() == b"mine"
    file.unlink()
    back_up(node, file, ENTROPY, 1.7e9)
    before = _files(node)
    with pytest.raises(StoreError, match="not empty"):
        restore(file, node, ENTROPY)
    assert _files(node) == before
    with pytest.raises(StoreError, match="is a file"):
        restore(file, file, ENTROPY)
    (tmp_path / "empty").mkdir()
    restore(file, tmp_path / "empty", ENTROPY)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_disk_that_takes_no_more_leaves_nothing_half(
    node: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    file = tmp_path / "b"
    whole = sealed_file.SealedWriter._chunk

    def full(self: Any, content: bytes, *, last: bool) -> None:
        if last:
            raise OSError(number, os.strerror(number))
        whole(self, content, last=last)

    with monkeypatch.context() as patch:
        patch.setattr(sealed_file.SealedWriter, "_chunk", full)
        with pytest.raises(StoreError, match="No backup was made") as caught:
            back_up(node, file, ENTROPY, 1.7e9)
        assert caught.value.next_step
    assert not file.exists()
    assert _left(tmp_path) == []
    back_up(node, file, ENTROPY, 1.7e9)

    def no_sync(_: Path) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(backup, "_sync", no_sync)
        with pytest.raises(StoreError, match="Nothing was restored"):
            restore(file, tmp_path / "new", ENTROPY)
    assert not (tmp_path / "new").exists()
    assert _left(tmp_path) == []


def test_an_interruption_leaves_nothing_half(node: Path, tmp_path: Path) -> None:
    def stop(done: int, _: int) -> None:
        if done > 10_000:
            raise KeyboardInterrupt

    file = tmp_path / "b"
    with pytest.raises(KeyboardInterrupt):
        back_up(node, file, ENTROPY, 1.7e9, stop)
    assert not file.exists()
    back_up(node, file, ENTROPY, 1.7e9)
    with pytest.raises(KeyboardInterrupt):
        restore(file, tmp_path / "new", ENTROPY, progress=stop)
    assert not (tmp_path / "new").exists()
    assert _left(tmp_path) == []


def test_a_killed_backups_leftovers_are_swept_and_two_at_once_refused(
    node: Path, tmp_path: Path
) -> None:
    (node / WORK).mkdir()
    (node / WORK / "node.db").write_bytes(b"what should have been forgotten")
    sweep(node)
    assert not (node / WORK).exists()

    def second(done: int, total: int) -> None:
        if done == total:
            with pytest.raises(StoreError, match="Another backup"):
                back_up(node, tmp_path / "c", ENTROPY, 1.7e9)
            sweep(node)  # takes nothing from under the one that runs
            assert (node / WORK / "node.db").exists()

    back_up(node, tmp_path / "b", ENTROPY, 1.7e9, second)
    assert not (node / WORK).exists()


def test_a_database_that_is_written_meanwhile_is_of_one_moment(node: Path, tmp_path: Path) -> None:
    """Every write is a pair; no backup holds half of one."""
    done = threading.Event()

    def write() -> None:
        with Store.open(node / "node.db", node_id="home") as store:
            number = 0
            while not done.is_set():
                number += 1
                with store.database.transaction() as db:
                    for key in ("a", "b"):
                        db.execute(
                            "INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, b"%d" % number)
                        )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for attempt in range(4):
            back_up(node, tmp_path / f"b{attempt}", ENTROPY, 1.7e9)
            restore(tmp_path / f"b{attempt}", tmp_path / f"n{attempt}", ENTROPY)
    finally:
        done.set()
        writer.join()
    seen = []
    for attempt in range(4):
        db = sqlite3.connect(tmp_path / f"n{attempt}" / "node.db")
        pair = [v for (v,) in db.execute("SELECT value FROM meta WHERE key IN ('a', 'b')")]
        db.close()
        assert len(set(pair)) <= 1
        seen.append(pair)
    assert any(seen)


@pytest.mark.parametrize("dump", sorted(GOLDEN.glob("store_v*.sql")), ids=lambda p: p.stem)
def test_an_old_backups_database_opens(node: Path, tmp_path: Path, dump: Path) -> None:
    old = tmp_path / "old.db"
    db = sqlite3.connect(old)
    db.executescript(dump.read_text())
    db.close()
    with (tmp_path / "b").open("wb") as file:  # as an older Hearthway wrote it
        sealed = sealed_file.SealedWriter(file, ENTROPY)
        files = {**_files(node), "node.db": old.read_bytes()}
        about = backup._About(
            time_s=0.0, files=len(files), content_bytes=sum(map(len, files.values()))
        )
        backup._write_record(sealed, about)
        for name, data in files.items():
            backup._write_record(sealed, backup._Entry(name=name, size=len(data)))
            sealed.write(data)
        sealed.finish()
    restore(tmp_path / "b", tmp_path / "new", ENTROPY)
    db = sqlite3.connect(tmp_path / "new" / "node.db")
    assert db.execute("SELECT count(*) FROM persons").fetchone()[0] > 1
    db.close()


def test_damage_in_the_backups_own_files_is_found_before_anything_is_there(
    node: Path, tmp_path: Path, make_household: Any
) -> None:
    other = make_household(home="home")
    good = (node / "keys" / "device.key").read_bytes()
    (node / "keys" / "device.key").write_bytes((other.path / "home" / "device.key").read_bytes())
    back_up(node, tmp_path / "b", ENTROPY, 1.7e9)
    with pytest.raises(StoreError, match="do not fit together"):
        restore(tmp_path / "b", tmp_path / "new", ENTROPY)
    (node / "keys" / "device.key").write_bytes(good)
    check_node(node)
    (node / "keys" / "root.pem").write_bytes((other.path / "root" / "root.pem").read_bytes())
    with pytest.raises(StoreError, match="do not fit together"):
        check_node(node)
    assert not (tmp_path / "new").exists()


def test_a_large_database_needs_little_memory(node: Path, tmp_path: Path) -> None:
    with Store.open(node / "node.db", node_id="home") as store, store.database.transaction() as db:
        for n in range(120):
            db.execute(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)",
                (f"k{n}", random.Random(n).randbytes(1 << 20)),
            )
    work = f"""
import resource
from pathlib import Path
from hearthway.mesh.state.backup import back_up, restore
resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
def peak() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before = peak()
back_up(Path({str(node)!r}), Path({str(tmp_path / "b")!r}), bytes(16), 1.7e9)
restore(Path({str(tmp_path / "b")!r}), Path({str(tmp_path / "new")!r}), bytes(16))
print(peak() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", work], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr
    grown_mb = int(done.stdout) / 1024
    assert (tmp_path / "b").stat().st_size > 120 << 20
    print(f"125 MB database: {grown_mb:.0f} MB more")
    assert grown_mb < 70  # 32 of it is the phrase's key derivation


# -- the phrase ------------------------------------------------------------------------------------


def test_known_phrases() -> None:
    """Vectors of BIP-39."""
    assert phrase_of(bytes(16)) == "abandon " * 11 + "about"
    assert phrase_of(b"\x7f" * 16) == (
        "legal winner thank year wave sausage worth useful legal winner thank yellow"
    )
    assert phrase_of(b"\xff" * 16) == "zoo " * 11 + "wrong"


@given(st.binary(min_size=16, max_size=16))
def test_a_phrase_names_its_bytes_however_it_is_typed(entropy: bytes) -> None:
    phrase = phrase_of(entropy)
    assert len(phrase.split()) == 12
    assert entropy_of(phrase) == entropy
    assert entropy_of("  " + phrase.upper().replace(" ", ",\n ")) == entropy
    assert entropy_of(" ".join(word[:4] for word in phrase.split())) == entropy


@given(st.text(max_size=120) | st.lists(st.text(min_size=1, max_size=8)).map(" ".join))
def test_any_text_is_a_phrase_or_a_sentence(text: str) -> None:
    with suppress(InputError):
        assert len(entropy_of(text)) == 16


def test_mistyped_phrases_are_told_apart_and_not_repeated() -> None:
    phrase = phrase_of(ENTROPY)
    words = phrase.split()
    with pytest.raises(InputError, match="12 words; these are 11"):
        entropy_of(" ".join(words[:-1]))
    with pytest.raises(InputError, match="Word 3 is not in the list") as caught:
        entropy_of(" ".join([*words[:2], "xyzzyx", *words[3:]]))
    assert "xyzzyx" not in str(caught.value)
    found = 0
    for place in range(12):  # four bits find 15 of 16 wrong words
        try:
            entropy_of(" ".join([*words[:place], "zoo", *words[place + 1 :]]))
        except HearthwayError:
            found += 1
    assert found >= 9
