"""The journal: a command is begun once, over kills, power cuts and full disks; structs of two versions fit each other."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from hearthway.mesh.state import notes as notes_module
from hearthway.mesh.state.journal import (
    KEPT_S,
    OF_SENDER_MAX,
    REPLIES_MAX,
    REPLY_MAX_BYTES,
    StoredJournal,
)
from hearthway.mesh.state.notes import FILE_BYTES, NOTE_BYTES, PLACES, Notes
from hearthway.mesh.state.replica_wire import Change, Changes, Pull
from hearthway.mesh.state.store import Store
from hearthway.records.codec import pack, unpack
from hearthway.records.errors import InputError, StoreError

_HEAD_BYTES = FILE_BYTES - 32 * PLACES


@asynccontextmanager
async def _journal(
    folder: Path, now: Callable[[], float] = lambda: 1000.0
) -> AsyncIterator[StoredJournal]:
    with Store.open(folder / "node.db", node_id="car") as store:
        journal = StoredJournal(store, folder / "commands.notes", now)
        try:
            yield journal
        finally:
            await asyncio.to_thread(journal.close)


def _note(n: int) -> bytes:
    return n.to_bytes(NOTE_BYTES, "big")


# -- the journal ---------------------------------------------------------------------------------


def test_a_command_is_begun_once_over_restarts(tmp_path: Path) -> None:
    async def scenario() -> None:
        for begun, ended in ((None, b""), (b"", b""), (b"done", b"done")):
            async with _journal(tmp_path) as journal:
                assert await journal.begin("phone", b"1") == begun
                assert await journal.begin("phone", b"1") == ended
                if begun == b"":
                    journal.done("phone", b"1", b"done")
                    assert await journal.begin("phone", b"1") == b"done"
                    await asyncio.sleep(0.1)  # it is in the store by now
                    assert not journal._ends
                    assert await journal.begin("phone", b"1") == b"done"
        async with _journal(tmp_path) as journal:
            assert (
                await journal.begin("phone-2", b"1") is None
            )  # another sender's is another command
            assert await journal.begin("phone", b"2") is None

    asyncio.run(scenario())


def test_how_it_ended_is_kept_for_a_day_and_that_it_was_begun_by_no_clock(tmp_path: Path) -> None:
    async def scenario() -> None:
        now = [1e9]
        async with _journal(tmp_path, lambda: now[0]) as journal:
            for name in (b"1", b"2"):
                assert await journal.begin("phone", name) is None
                journal.done("phone", name, b"end " + name)
            journal._keep_ends()
            now[0] += KEPT_S - 1
            journal.done("phone", b"3", b"x")
            journal._keep_ends()  # prunes
            assert await journal.begin("phone", b"1") == b"end 1"
            now[0] += 2
            journal.done("phone", b"4", b"x")
            journal._keep_ends()
            assert await journal.begin("phone", b"1") == b""  # still not to be done again
            now[0] -= 10 * KEPT_S  # a clock set back keeps none for ever
            journal.done("phone", b"5", b"x")
            journal._keep_ends()
            now[0] += KEPT_S + 1
            journal.done("phone", b"6", b"x")
        with Store.open(tmp_path / "node.db", node_id="car") as store:
            kept = store.database.rows("SELECT command_id FROM commands")
            assert [bytes(row[0]) for row in kept] == [b"6"]

    asyncio.run(scenario())


def test_what_is_no_command_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with _journal(tmp_path) as journal:
            for bad in (b"", bytes(65)):
                with pytest.raises(InputError):
                    await journal.begin("phone", bad)
            with pytest.raises(InputError):
                journal.done("phone", b"1", bytes(REPLY_MAX_BYTES + 1))
            assert await journal.begin("phone", bytes(64)) is None
        with pytest.raises(StoreError, match="stopping"):
            await journal.begin("phone", b"late")

    asyncio.run(scenario())


def test_beginnings_that_an_earlier_version_noted_count(tmp_path: Path) -> None:
    with (
        Store.open(tmp_path / "node.db", node_id="car") as store,
        store.database.transaction() as db,
    ):
        for name, reply in ((b"open", None), (b"ended", b"end")):
            db.execute("INSERT INTO commands VALUES ('phone', ?, 1000.0, ?)", (name, reply))

    async def scenario() -> None:
        async with _journal(tmp_path) as journal:
            assert await journal.begin("phone", b"open") == b""
            assert await journal.begin("phone", b"ended") == b"end"
            assert await journal.begin("phone", b"new") is None

    asyncio.run(scenario())


def test_who_waits_together_shares_flushes_and_each_is_begun_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushes: list[int] = []
    to_disk = notes_module._to_disk

    def flush(handle: int) -> None:
        flushes.append(handle)
        to_disk(handle)

    monkeypatch.setattr(notes_module, "_to_disk", flush)

    async def scenario() -> None:
        async with _journal(tmp_path) as journal:
            ids = [b"%d" % n for n in range(200)]
            assert await asyncio.gather(*(journal.begin("phone", i) for i in ids)) == [None] * 200
            assert 1 <= len(flushes) < 100
            assert set(await asyncio.gather(*(journal.begin("phone", i) for i in ids))) == {b""}
        async with _journal(tmp_path) as journal:
            assert {await journal.begin("phone", i) for i in ids} == {b""}

    asyncio.run(scenario())


def test_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hearthway.mesh.state.journal.REPLIES_MAX", 20)

    async def scenario() -> None:
        now = [1000.0]
        async with _journal(tmp_path, lambda: now[0]) as journal:
            for n in range(60):
                now[0] += 1
                journal.done("phone", b"%d" % n, b"end")
        with Store.open(tmp_path / "node.db", node_id="car") as store:
            assert store.database.row("SELECT count(*), max(time_s) FROM commands") == (20, 1060.0)

    assert REPLIES_MAX * REPLY_MAX_BYTES < 100e6
    asyncio.run(scenario())


def test_who_sends_many_pushes_out_nobody_elses(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with _journal(tmp_path) as journal:
            assert await journal.begin("phone", b"unlock") is None
            for _ in range(33):
                flood = [journal.begin("car", secrets.token_bytes(16)) for _ in range(1000)]
                assert set(await asyncio.gather(*flood)) == {None}
            assert PLACES < 33_000
            assert await journal.begin("phone", b"unlock") == b""
            assert len(journal._begun["car"]) == OF_SENDER_MAX  # and it takes a bounded room itself

    asyncio.run(scenario())


# -- full disks, damage --------------------------------------------------------------------------


def test_a_full_disk_is_said_and_nothing_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, pwrite = [True], os.pwrite
    made = tmp_path / "commands.notes"

    def write(handle: int, data: bytes, at: int) -> int:
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return pwrite(handle, data, at)

    monkeypatch.setattr("hearthway.mesh.state.notes.os.pwrite", write)

    async def scenario() -> None:
        async with _journal(tmp_path) as journal:
            for _ in range(2):  # there is no file yet, and none is left half made
                with pytest.raises(StoreError, match="disk is full"):
                    await journal.begin("phone", b"1")
                assert not any(
                    path.exists() for path in (made, made.with_name("commands.notes.part"))
                )
            full[0] = False
            assert await journal.begin("phone", b"1") is None
            full[0] = True
            with pytest.raises(StoreError, match="disk is full"):
                await journal.begin("phone", b"2")
            full[0] = False
            assert await journal.begin("phone", b"3") is None  # it goes on by itself
            assert await journal.begin("phone", b"2") is None  # as it says: ask again
            assert await journal.begin("phone", b"1") == b""

    asyncio.run(scenario())


@pytest.mark.parametrize("content", [b"", b"x" * 100, bytes(FILE_BYTES), b"y" * FILE_BYTES])
def test_a_foreign_file_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "commands.notes"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="Move it away"):
        Notes.open(path)
    assert path.read_bytes() == content


def test_a_second_process_has_no_place_here(tmp_path: Path) -> None:
    first = Notes.open(tmp_path / "n")
    with pytest.raises(StoreError, match="in use"):
        Notes.open(tmp_path / "n")
    first.close()
    Notes.open(tmp_path / "n").close()
    assert (tmp_path / "n").stat().st_mode & 0o777 == 0o600


def test_the_oldest_notes_go_and_the_file_never_grows(tmp_path: Path) -> None:
    notes = Notes.open(tmp_path / "n")
    for start in range(0, 34_000, 500):
        notes.add([_note(n) for n in range(start, start + 500)])
    notes.close()
    again = Notes.open(tmp_path / "n")
    again.close()
    assert again.found == [_note(n) for n in range(34_000 - PLACES, 34_000)]
    assert (tmp_path / "n").stat().st_size == FILE_BYTES


@settings(max_examples=25, deadline=None)
@given(
    counts=st.lists(st.integers(1, 5), min_size=1, max_size=5),
    torn=st.integers(0, 64),
    spoilt=st.integers(0, 31),
)
def test_a_torn_end_or_a_spoilt_place_costs_itself_only(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], torn: int, spoilt: int
) -> None:
    path = tmp_path_factory.mktemp("torn") / "n"
    notes, made = Notes.open(path), 0
    for count in counts:
        notes.add([_note(n + 1) for n in range(made, made + count)])
        made += count
    notes.add([_note(made + 1), _note(made + 2)])  # the power goes in this one
    notes.close()
    data = bytearray(path.read_bytes())
    end = _HEAD_BYTES + 32 * made
    data[end + torn : end + 64] = bytes(64 - torn)
    path.write_bytes(data)
    again = Notes.open(path)
    assert again.found[:made] == [_note(n + 1) for n in range(made)]
    assert set(again.found[made:]) <= {_note(made + 1), _note(made + 2)}
    again.add([_note(1_000_000)])
    again.close()
    data = bytearray(path.read_bytes())
    data[_HEAD_BYTES + spoilt % 28] ^= 1
    path.write_bytes(data)
    last = Notes.open(path)
    last.close()
    assert _note(1) not in last.found
    assert [n for n in again.found if n != _note(1)] + [_note(1_000_000)] == last.found


# -- never twice ---------------------------------------------------------------------------------


class _PowerCut(BaseException):
    """The machine is off."""


@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 6),  # which command
            st.sampled_from(["whole", "whole", "killed before its end", "power cut"]),
            st.integers(0, 32),  # bytes of the note that reached the disk before the power went
        ),
        min_size=1,
        max_size=25,
    )
)
def test_no_command_is_ever_carried_out_twice(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("twice")
    done: list[int] = []
    asked: set[int] = set()

    async def command(journal: StoredJournal, n: int, how: str) -> None:
        known = await journal.begin("phone", b"%d" % n)
        if known is None:
            done.append(n)
            if how == "whole":
                journal.done("phone", b"%d" % n, b"end %d" % n)
        else:
            assert n in asked
            assert known in (b"", b"end %d" % n)

    async def one(n: int, how: str, reached: int) -> None:
        async with _journal(folder) as journal:
            if how == "power cut":
                await journal.begin("phone", b"warm %d" % len(done))

                def write(handle: int, data: bytes, at: int) -> None:
                    os.pwrite(handle, data[:reached], at)
                    raise _PowerCut

                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(notes_module, "_write", write)
                    work = asyncio.ensure_future(command(journal, n, how))
                    done_or_off, _ = await asyncio.wait([work], timeout=0.02)
                    if done_or_off:
                        await work  # it was begun before, so nothing was written
                    else:
                        work.cancel()
                        await asyncio.gather(work, return_exceptions=True)
            else:
                await command(journal, n, how)
        asked.add(n)

    for n, how, reached in steps:
        asyncio.run(one(n, how, reached))
    assert len(done) == len(set(done))
    asyncio.run(one(7, "whole", 0))  # the control: a new one is carried out
    assert done[-1] == 7


_CHILD = """
import asyncio, os, sys, time
from pathlib import Path
from hearthway.mesh.state.journal import StoredJournal
from hearthway.mesh.state.store import Store

async def main(folder: Path, count: int) -> None:
    store = Store.open(folder / "node.db", node_id="car")
    journal = StoredJournal(store, folder / "commands.notes", time.time)
    log = os.open(folder / "done", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    async def one(n: int) -> None:
        if await journal.begin("phone", b"%d" % n) is None:
            os.write(log, b"%d\\n" % n)
            journal.done("phone", b"%d" % n, b"end")
    for n in range(0, count, 4):
        await asyncio.gather(*(one(n + k) for k in range(4)))
    print("all", flush=True)

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


def test_killed_at_any_moment_a_repeat_is_not_carried_out_again(tmp_path: Path) -> None:
    count, record = 3000, tmp_path / "done"
    record.touch()

    def run(until: int) -> bytes:
        """What it said; killed once so many were carried out."""
        command = [sys.executable, "-c", _CHILD, str(tmp_path), str(count)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            deadline = time.monotonic() + 120.0
            while child.poll() is None and time.monotonic() < deadline:
                if len(record.read_bytes().split()) >= until:
                    break
                time.sleep(0.001)
            if child.poll() is None:
                child.send_signal(signal.SIGKILL)
            return child.communicate(timeout=30.0)[0]

    for until in (1, 150, 400, 700, 1000):
        assert run(until) == b""
    cut = len(record.read_bytes().split())
    assert run(count + 1) == b"all\n"
    done = record.read_bytes().split()
    assert len(done) == len(set(done))
    assert cut < len(done)
    assert len(done) >= count - 5 * 4  # what a kill caught between note and end stays undone


# -- two versions --------------------------------------------------------------------------------


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
