"""Nodes of two versions in one household during an upgrade, over real zenoh: a process poses as the other one."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hearthway.app.membership import CLAIM, Claim, Claimed
from hearthway.mesh.links.zenoh_link import ZenohLink
from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.mesh.state.replica import Replica
from hearthway.mesh.state.replica_sync import ReplicaSync
from hearthway.mesh.state.replica_wire import Changes, Pull
from hearthway.mesh.state.schema import SCHEMA_VERSION
from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.mesh.trust.roster import Roster
from hearthway.mesh.wire.node import MeshNode
from hearthway.records import codec
from hearthway.records.errors import StoreError, WireError
from hearthway.records.signals import Signal

OTHER = Path(__file__).with_name("version_main.py")
RULES = Rules.parse(default_rules(), "default")
WAIT_S = 40.0


class Strict(Claimed, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Passes over nothing."""


class Other:
    """A node of another version, in a process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[list[str]] = []

    async def read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self.lines.append(line.decode().split())

    async def ask(self, text: str, first: str) -> list[str]:
        """What it says to that, from the line that begins so."""
        assert self._process.stdin is not None
        before = len(self.lines)
        self._process.stdin.write(text.encode() + b"\n")

        def found() -> list[list[str]]:
            return [line for line in self.lines[before:] if line[0] == first]

        await until(lambda: bool(found()))
        return found()[0][1:]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not true():  # noqa: ASYNC110 - what is waited for is told by no event
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def other(household: Any, name: str, path: Path, version: str) -> AsyncIterator[Other]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(OTHER), str(household.path / name), str(path), version,
        stdin=pipe, stdout=pipe,
    )  # fmt: skip
    found = Other(process)
    reading = asyncio.create_task(found.read())
    try:
        await until(lambda: ["open"] in found.lines or process.returncode is not None)
        assert process.returncode is None
        yield found
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await reading


class Present:
    """This version, in this process."""

    def __init__(self, identity: DeviceIdentity, path: Path) -> None:
        self.store = Store.open(path, node_id=identity.device_id)
        link = ZenohLink(identity, listen=identity.address, now_s=time.time())
        self.mesh = MeshNode(identity, link, RULES, time.time)
        self.sync = ReplicaSync(Replica(self.store, time.time), self.mesh, lambda: RULES, time.time)
        self.mesh.serve(CLAIM, Claim, lambda _, claim: Claimed(confirmed=claim.person_id == "p1"))
        self.heard: list[Signal] = []
        self.mesh.on_signals(lambda _, signals: self.heard.extend(signals))

    def value(self, key: str) -> bytes | None:
        found = self.store.get_register(key)
        return None if found is None else found.value

    async def close(self) -> None:
        await self.sync.close()
        await self.mesh.close()
        self.store.close()


@contextlib.asynccontextmanager
async def present(household: Any, name: str, path: Path) -> AsyncIterator[Present]:
    made = await asyncio.to_thread(Present, household.identity(name), path)
    try:
        await made.mesh.open()
        yield made
    finally:
        await made.close()


@pytest.mark.timeout(180)
def test_with_the_next_version_settings_and_requests_go_both_ways(
    make_household: Any, tmp_path: Path
) -> None:
    household = make_household(home="home", phone="phone")

    async def scenario() -> None:
        async with (
            other(household, "phone", tmp_path / "phone.db", "next") as phone,
            present(household, "home", tmp_path / "home.db") as home,
        ):
            await home.mesh.wait_ready(["phone"], WAIT_S)
            await phone.ask("set Setting.Theirs 1", "done")
            await home.sync.set("Setting.Ours", b"2")
            await until(lambda: home.value("Setting.Theirs") == b"1")
            both = ["Setting.Ours=2", "Setting.Theirs=1"]
            async with asyncio.timeout(WAIT_S):
                while await phone.ask("held", "held") != both:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.1)
            got = await home.mesh.request(
                "phone", CLAIM, Claim(person_id="p1"), "household", Claimed, 20.0
            )
            assert got.confirmed
            with pytest.raises(WireError, match="of_version_3"):  # the control: it does say more
                await home.mesh.request(
                    "phone", CLAIM, Claim(person_id="p1"), "household", Strict, 20.0
                )
            assert await phone.ask("claim home", "claimed") == ["True"]
            await until(lambda: home.sync.peers["phone"].in_step is True)
            assert home.mesh.refused_frames == 0
            assert not home.sync.refused

    asyncio.run(scenario())
    with sqlite3.connect(tmp_path / "phone.db") as db:
        # what only the next version knows of its own write was not overwritten by what came back
        assert db.execute("SELECT DISTINCT of_version_3 FROM registers").fetchall() == [("x",)]
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION + 1,)
    db.close()
    before = (tmp_path / "phone.db").read_bytes()
    newer = f"schema {SCHEMA_VERSION + 1}; this one knows {SCHEMA_VERSION}"
    with pytest.raises(StoreError, match=f"newer Hearthway \\({newer}\\)"):
        Store.open(tmp_path / "phone.db", node_id="phone")
    assert (tmp_path / "phone.db").read_bytes() == before


@pytest.mark.timeout(180)
def test_with_the_previous_version_which_knows_no_replicas(
    make_household: Any, tmp_path: Path
) -> None:
    household = make_household(home="home", phone="phone")

    async def scenario() -> None:
        pulls = 0
        async with (
            other(household, "phone", tmp_path / "phone.db", "previous") as phone,
            present(household, "home", tmp_path / "home.db") as home,
        ):
            asked = home.mesh.request

            async def counting(to: str, key: str, *args: Any, **fields: Any) -> Any:
                nonlocal pulls
                pulls += key == "Household.State.Pull"
                return await asked(to, key, *args, **fields)

            home.mesh.request = counting  # type: ignore[method-assign]
            await home.mesh.wait_ready(["phone"], WAIT_S)
            await home.sync.set("Setting.Ours", b"2")  # nobody is there who takes it
            assert await phone.ask("claim home", "claimed") == ["True"]
            await until(lambda: home.sync.peers["phone"].problem != "")
            await asyncio.sleep(5.0)
            assert 1 <= pulls <= 4  # then every 30 s
            assert home.value("Setting.Ours") == b"2"
            assert home.mesh.health().ok
            assert home.sync.problem is None

    asyncio.run(scenario())
    with Store.open(tmp_path / "phone.db", node_id="phone") as store:  # the upgrade
        assert store.database.row("PRAGMA user_version") == (SCHEMA_VERSION,)
        assert store.persons()
        Replica(store, time.time).set("Setting.Ours", b"3")
        assert store.database.problems() == []


def test_a_list_of_devices_of_the_next_version_is_read(make_household: Any) -> None:
    household = make_household(home="home", phone="phone")
    root = household.root
    plain = msgspec.msgpack.decode(codec.pack(root.roster))
    plain["of_version_3"] = 1
    for table in ("members", "keys"):
        for row in plain[table]:
            row["of_version_3"] = {"x": [1]}
    newer = msgspec.msgpack.encode(plain)
    assert codec.unpack(newer, Roster) == root.roster


def test_what_an_older_version_leaves_out_has_a_default() -> None:
    page = codec.unpack(codec.pack({"database": b"d", "since": 0, "next": 1, "last": 1}), Changes)
    assert (page.changes, page.digest, page.seen) == ((), b"", 0)
    assert codec.unpack(codec.pack({}), Pull) == Pull()


def test_a_reading_of_the_next_version_is_read() -> None:
    plain = {"key": "Vehicle.Speed", "value": 1.0, "time_s": 2.0}
    assert codec.unpack(codec.pack({**plain, "of_version_3": 1}), Signal) == Signal(
        key="Vehicle.Speed", value=1.0, time_s=2.0
    )
