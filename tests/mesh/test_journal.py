"""The journal: a command is begun once, over restarts, and answered afterwards; structs of two versions fit each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import Struct

from hearthway.mesh.state.journal import KEPT_S, REPLY_MAX_BYTES, StoredJournal
from hearthway.mesh.state.replica_wire import Change, Changes, Pull
from hearthway.mesh.state.store import Store
from hearthway.records.codec import pack, unpack
from hearthway.records.errors import InputError


def test_a_command_is_begun_once_over_restarts(tmp_path: Path) -> None:
    now = [1000.0]
    for begun, ended in ((None, b""), (b"", b""), (b"done", b"done")):
        with Store.open(tmp_path / "node.db", node_id="car") as store:
            journal = StoredJournal(store, lambda: now[0])
            assert journal.begin("phone", b"1") == begun
            assert journal.begin("phone", b"1") == ended
            if begun == b"":
                journal.done("phone", b"1", b"done")
    with Store.open(tmp_path / "node.db", node_id="car") as store:
        journal = StoredJournal(store, lambda: now[0])
        assert journal.begin("phone-2", b"1") is None  # another sender's is another command
        now[0] += KEPT_S - 1
        assert journal.begin("phone", b"2") is None
        assert journal.begin("phone", b"1") == b"done"
        now[0] += 2
        assert journal.begin("phone", b"3") is None  # prunes
        assert journal.begin("phone", b"1") is None
        now[0] -= 10 * KEPT_S  # a clock set back neither loses nor keeps them for ever
        assert journal.begin("phone", b"4") is None
        assert journal.begin("phone", b"3") == b""
        now[0] += KEPT_S + 1
        assert journal.begin("phone", b"5") is None
        assert journal.begin("phone", b"3") is None


def test_what_is_no_command_is_refused(tmp_path: Path) -> None:
    with Store.open(tmp_path / "node.db", node_id="car") as store:
        journal = StoredJournal(store, lambda: 0.0)
        for bad in (b"", bytes(65)):
            with pytest.raises(InputError):
                journal.begin("phone", bad)
        with pytest.raises(InputError):
            journal.done("phone", b"1", bytes(REPLY_MAX_BYTES + 1))


class _NextChange(Struct, kw_only=True):
    key: str
    value: bytes
    wall_ms: int
    count: int
    node: str
    colour: str = "new"


class _NextChanges(Struct, kw_only=True):
    database: bytes
    since: int
    next: int
    last: int
    changes: tuple[_NextChange, ...] = ()
    mood: int = 7


def test_the_next_and_the_last_version_are_understood() -> None:
    one = _NextChange(key="Setting.X", value=b"1", wall_ms=1, count=0, node="car")
    page = _NextChanges(database=b"d", since=0, next=1, last=1, changes=(one,))
    read = unpack(pack(page), Changes)
    assert read.changes == (Change(key="Setting.X", value=b"1", wall_ms=1, count=0, node="car"),)
    back = unpack(pack(read), _NextChanges)
    assert (back.mood, back.changes[0].colour) == (7, "new")
    assert unpack(pack({}), Pull) == Pull()
