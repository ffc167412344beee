"""Replicas over the mesh: pulled on contact, pushed at once, compared; partitions, kills, wrong clocks, other versions."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.mesh.links.memory import MemoryHub, MemoryLink
from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.mesh.state import replica_sync
from hearthway.mesh.state.registers import Register
from hearthway.mesh.state.replica import Replica
from hearthway.mesh.state.replica_sync import ReplicaSync
from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.mesh.trust.roster import Roster
from hearthway.mesh.wire.envelope import is_hello
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import StoreError

NAMES = ("car", "home", "phone")
RULES = Rules.parse(default_rules(), "default")
YEAR_S = 365.25 * 86_400.0


class _Faulty:
    """A connection whose commits fail by plan."""

    def __init__(self, db: Any, plan: str) -> None:
        self._db, self._plan = db, list(plan)

    def execute(self, sql: str, *values: Any) -> Any:
        fault = self._plan.pop(0) if sql == "COMMIT" and self._plan else "."
        if fault == "b":
            raise sqlite3.OperationalError("disk I/O error")
        done = self._db.execute(sql, *values)
        if fault == "a":
            raise sqlite3.OperationalError("disk I/O error")
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


class Member:
    """A node with a replica whose clock is wrong by `skew_s`; its mesh has the right time, as certificates need."""

    def __init__(self, identity: DeviceIdentity, hub: MemoryHub, path: Path) -> None:
        self.identity, self.hub, self.path = identity, hub, path
        self.name = identity.device_id
        self.skew_s = 0.0
        self.rules = RULES
        self.dropped: list[Store] = []
        self.acknowledged: list[Register] = []

    async def up(self) -> None:
        self.store = await asyncio.to_thread(Store.open, self.path, node_id=self.name)
        self.replica = await asyncio.to_thread(
            Replica, self.store, lambda: time.time() + self.skew_s
        )
        link = self.hub.link(self.name, self.identity.role)
        self.mesh = MeshNode(self.identity, link, self.rules, time.time)
        self.sync = ReplicaSync(self.replica, self.mesh, lambda: self.rules, time.time)
        await self.mesh.open()

    async def kill(self) -> None:
        """As kill -9 leaves it: nothing is flushed or closed; what was under way never ends."""
        await self.sync.close()
        await self.mesh.close()
        self.dropped.append(self.store)

    async def write(self, key: str, value: bytes) -> Register:
        written = await self.sync.set(key, value)
        self.acknowledged.append(written)
        return written

    def break_commits(self, plan: str) -> None:
        """The next commits fail: "b" before they took place, "a" after (nobody hears that it did), "." not."""
        database = self.store.database
        database._db = _Faulty(database._db, plan)  # type: ignore[assignment]

    async def down(self) -> None:
        await self.kill()
        for store in self.dropped:
            await asyncio.to_thread(store.close)


@contextlib.asynccontextmanager
async def _members(
    identities: dict[str, DeviceIdentity], root: Path, **hub: Any
) -> AsyncIterator[tuple[MemoryHub, dict[str, Member]]]:
    wire = MemoryHub(**hub)
    members = {n: Member(i, wire, root / f"{n}.db") for n, i in sorted(identities.items())}
    try:
        for one in members.values():
            await one.up()
        yield wire, members
    finally:
        for one in members.values():
            await one.down()


async def _until(true: Callable[[], bool], limit_s: float = 60.0) -> None:
    async with asyncio.timeout(limit_s):
        while not true():  # noqa: ASYNC110 - what is waited for is told by no event
            await asyncio.sleep(0.005)


def _same(members: dict[str, Member]) -> bool:
    return len({one.replica.digest() for one in members.values()}) == 1


def _held(member: Member, key: str) -> bytes | None:
    found = member.store.get_register(key)
    return None if found is None else found.value


@pytest.fixture(name="three")
def _three(make_household: Any) -> dict[str, DeviceIdentity]:
    household = make_household(**{n: n for n in NAMES})
    return {name: household.identity(name) for name in NAMES}


def test_a_write_is_everywhere_at_once_and_after_a_cut(
    three: dict[str, DeviceIdentity], tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with _members(three, tmp_path) as (hub, nodes):
            phone, car = nodes["phone"], nodes["car"]
            await phone.mesh.wait_ready(["car", "home"], 40.0)
            await phone.write("Setting.Home.Arrival.Temperature", b"21")
            await _until(lambda: _held(car, "Setting.Home.Arrival.Temperature") == b"21")
            hub.cut("phone", "car")
            await phone.write("Setting.X", b"1")
            await asyncio.sleep(0.1)
            await _until(lambda: _held(car, "Setting.X") == b"1")  # by way of the home
            hub.cut("home", "car")
            await phone.write("Setting.X", b"2")
            await asyncio.sleep(0.002)  # in one millisecond the node's name would decide
            await car.write("Setting.X", b"3")
            await asyncio.sleep(0.2)
            assert _held(car, "Setting.X") == b"3"
            assert _held(phone, "Setting.X") == b"2"  # the control: the cut is one
            hub.heal("home", "car")
            await _until(lambda: _same(nodes))
            assert _held(phone, "Setting.X") == b"3"
            assert all(state.behind == 0 for state in phone.sync.peers.values())
            assert not phone.sync.refused

    asyncio.run(scenario())


@pytest.mark.parametrize("early", [False, True], ids=["after", "between"])
def test_who_asked_before_it_was_known_hears_what_is_written_next(
    three: dict[str, DeviceIdentity],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    early: bool,
) -> None:
    """The home has proved the phone and pulled already when the phone proves the home; `early`: written in between."""
    two = {name: three[name] for name in ("home", "phone")}

    async def scenario() -> None:
        known, ask = asyncio.Event(), MemoryLink.ask

        async def held(self: MemoryLink, to: str, frame: bytes, timeout_s: float) -> bytes:
            if self.device_id == "phone" and is_hello(frame):
                await known.wait()
            return await ask(self, to, frame, timeout_s)

        monkeypatch.setattr(MemoryLink, "ask", held)
        async with _members(two, tmp_path) as (_, nodes):
            phone, home = nodes["phone"], nodes["home"]
            await phone.write("Setting.First", b"1")
            await _until(lambda: _held(home, "Setting.First") == b"1", 10.0)  # it asked
            assert not phone.mesh.ready("home")
            if early:
                await phone.write("Setting.X", b"1")
                await asyncio.sleep(0.1)
                assert _held(home, "Setting.X") is None  # the control: it is not pushed by itself
            known.set()
            await phone.mesh.wait_ready(["home"], 10.0)
            if not early:
                await phone.write("Setting.X", b"1")
            await _until(lambda: _held(home, "Setting.X") == b"1", 2.0)

    asyncio.run(scenario())


def test_nobody_waits_for_a_link_that_opens_anew(
    make_household: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new member makes the phone's link do so, for ever here: what the home writes then is heard all the same."""
    household = make_household(home="home", phone="phone")
    two = {name: household.identity(name) for name in ("home", "phone")}

    async def scenario() -> None:
        begun, update = asyncio.Event(), MemoryLink.update_roster

        async def stuck(self: MemoryLink, roster: Roster) -> None:
            if self.device_id == "phone":
                begun.set()
                await asyncio.Event().wait()
            await update(self, roster)

        monkeypatch.setattr(MemoryLink, "update_roster", stuck)
        async with _members(two, tmp_path) as (_, nodes):
            phone, home = nodes["phone"], nodes["home"]
            await home.mesh.wait_ready(["phone"], 10.0)
            await phone.mesh.wait_ready(["home"], 10.0)
            await asyncio.to_thread(household.add, "second", "car")
            await home.mesh.reload_roster(household.root.signed_roster)
            async with asyncio.timeout(10.0):
                await begun.wait()
            await home.write("Setting.X", b"1")
            await _until(lambda: _held(phone, "Setting.X") == b"1", 2.0)

    asyncio.run(scenario())


def test_many_writes_push_in_pages_and_find_gaps(
    three: dict[str, DeviceIdentity], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pushes that are lost show as gaps at the next one, and are pulled."""

    async def scenario() -> None:
        async with _members(three, tmp_path) as (_, nodes):
            phone = nodes["phone"]
            await phone.mesh.wait_ready(["car", "home"], 40.0)
            await phone.write("Setting.First", b"1")
            await _until(lambda: _same(nodes))
            through, publish = [False], phone.mesh.publish

            async def lossy(*args: Any, **fields: Any) -> Any:
                return await publish(*args, **fields) if through[0] else [object()]

            monkeypatch.setattr(phone.mesh, "publish", lossy)
            for number in range(700):
                await asyncio.to_thread(
                    phone.replica.set, f"Setting.N{number}", b"1", roster=phone.identity.roster
                )
            phone.sync.changed()
            await asyncio.sleep(0.3)
            assert _held(nodes["car"], "Setting.N9") is None
            through[0] = True
            await phone.write("Setting.Last", b"1")
            await _until(lambda: _same(nodes))

    asyncio.run(scenario())


def test_rules_that_open_later_let_what_was_refused_before(
    three: dict[str, DeviceIdentity], tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with _members(three, tmp_path) as (_, nodes):
            phone, car = nodes["phone"], nodes["car"]
            closed = Rules([r for r in RULES.rules if not r.id.startswith("settings")])
            car.rules = closed
            await phone.mesh.wait_ready(["car", "home"], 40.0)
            await phone.write("Setting.X", b"1")
            await _until(lambda: _held(nodes["home"], "Setting.X") == b"1")
            await _until(lambda: car.sync.refused["no rule"] > 0)
            assert _held(car, "Setting.X") is None
            car.rules = RULES
            await car.sync.begin_anew()
            await _until(lambda: _held(car, "Setting.X") == b"1")

    asyncio.run(scenario())


def test_a_difference_is_found_and_mended(
    three: dict[str, DeviceIdentity], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica_sync, "COMPARE_AFTER_S", 0.3)

    async def scenario() -> None:
        async with _members(three, tmp_path) as (hub, nodes):
            phone, home = nodes["phone"], nodes["home"]
            await phone.mesh.wait_ready(["car", "home"], 40.0)
            await home.write("Setting.X", b"1")
            await _until(lambda: _same(nodes))
            with phone.store.database.transaction() as db:  # lost without a trace
                db.execute("DELETE FROM registers WHERE key = 'Setting.X'")
            hub.cut("phone", "home")
            await asyncio.sleep(0.1)
            hub.heal("phone", "home")
            await _until(lambda: _held(phone, "Setting.X") == b"1")
            await _until(lambda: phone.sync.peers["home"].in_step is True)

    asyncio.run(scenario())


def test_a_full_disk_is_said_and_reading_goes_on(
    three: dict[str, DeviceIdentity], tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with _members(three, tmp_path) as (_, nodes):
            phone, car = nodes["phone"], nodes["car"]
            await phone.mesh.wait_ready(["car", "home"], 40.0)
            await phone.write("Setting.X", b"1")
            await _until(lambda: _same(nodes))
            (pages,) = car.store.database.row("PRAGMA page_count") or (0,)
            car.store.database.row(f"PRAGMA max_page_count = {pages + 2}")
            with pytest.raises(StoreError, match="disk is full"):
                await asyncio.gather(
                    *(car.write(f"Setting.Big{number}", bytes(60_000)) for number in range(5))
                )
            assert car.sync.problem is not None
            assert "Free some space" in car.sync.problem.next_step
            assert _held(car, "Setting.X") == b"1"
            await phone.write("Setting.Y", bytes(60_000))  # cannot be merged there
            await asyncio.sleep(0.2)
            assert _held(car, "Setting.Y") is None
            car.store.database.row("PRAGMA max_page_count = 100000")
            await _until(lambda: _held(car, "Setting.Y") is not None)
            await _until(lambda: car.sync.problem is None)
            await _until(lambda: _same(nodes))

    asyncio.run(scenario())


def test_a_restored_home_is_as_it_was_and_so_is_everybody(
    three: dict[str, DeviceIdentity], tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with _members(three, tmp_path) as (_, nodes):
            phone, home = nodes["phone"], nodes["home"]
            await home.mesh.wait_ready(["car", "phone"], 40.0)
            await home.write("Setting.X", b"1")
            await asyncio.to_thread(home.store.snapshot_to, tmp_path / "copy.db")
            await home.write("Setting.X", b"2")
            await home.write("Setting.Y", b"3")
            await phone.write("Setting.Z", b"4")
            await _until(lambda: _same(nodes))
            whole = phone.replica.digest()
            await home.kill()
            home.path = tmp_path / "copy.db"
            with await asyncio.to_thread(Store.open, home.path, node_id="home") as store:
                store.restored()
            await home.up()
            assert _held(home, "Setting.X") == b"1"
            await _until(lambda: _same(nodes))
            assert home.replica.digest() == whole
            await home.write("Setting.X", b"5")
            await _until(lambda: _same(nodes))
            assert _held(phone, "Setting.X") == b"5"

    asyncio.run(scenario())


# --- partitions, kills, clocks -----------------------------------------------------------------

STEP = st.tuples(
    st.sampled_from(
        ["write", "write", "write", "write", "cut", "heal", "kill", "clock", "rest", "fault"]
    ),
    st.sampled_from(NAMES),
    st.integers(0, 5),
)
SKEWS = st.sampled_from([0.0, 3600.0, -3600.0, 10 * YEAR_S, -10 * YEAR_S])


async def _storm(
    identities: dict[str, DeviceIdentity],
    root: Path,
    steps: list[tuple[str, str, int]],
    skews: list[float],
) -> None:
    """Writes, cuts, kills and wrong clocks; healed at the end: the same everywhere, nothing acknowledged lost."""
    async with _members(identities, root) as (hub, nodes):
        for one, skew_s in zip(nodes.values(), skews, strict=True):
            one.skew_s = skew_s
        for number, (what, name, which) in enumerate(steps):
            node, other = nodes[name], NAMES[which % 3]
            if what == "write":
                with contextlib.suppress(
                    StoreError
                ):  # a planned fault: then it is not acknowledged
                    await node.write(f"Setting.K{which}", b"%d" % number)
            elif what in ("cut", "heal") and other != name:
                (hub.cut if what == "cut" else hub.heal)(name, other)
            elif what == "kill":
                await node.kill()
                await node.up()
            elif what == "fault":
                node.break_commits(("b", "a", "..b", ".a", "bab", "aab")[which % 6])
            elif what == "clock":
                node.skew_s = -node.skew_s
            elif what == "rest":
                await asyncio.sleep(0.01)
        for a, b in (("car", "home"), ("car", "phone"), ("home", "phone")):
            hub.heal(a, b)
        await _until(lambda: _same(nodes))
        for written in (w for one in nodes.values() for w in one.acknowledged):
            kept = nodes["home"].store.get_register(written.key)
            assert kept is not None
            assert kept.hlc > written.hlc or (kept.hlc, kept.value) == (written.hlc, written.value)


def _run_storm(three: Any, root: Path, steps: Any, skews: list[float]) -> None:
    asyncio.run(_storm(three, root, steps, skews))


@pytest.fixture(name="shared_three", scope="module")
def _shared_three(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, DeviceIdentity]]:
    from hearthway.mesh.trust.certificates import request
    from hearthway.mesh.trust.identity import create_household, device_key, keep_device

    path = tmp_path_factory.mktemp("storm")
    root = create_household(path / "root", "Test", time.time())
    for name in NAMES:
        key = device_key(path / name)
        pem, _ = root.admit(request(key, name), name, name, time.time(), "127.0.0.1:1")
        keep_device(path / name, key, pem, root.certificate_pem, root.signed_roster)
    for name in NAMES:
        (path / name / "roster.bin").write_bytes(root.signed_roster)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replica_sync, "RETRY_S", (0.01, 0.05))
        patch.setattr(replica_sync, "COMPARE_AFTER_S", 0.2)
        patch.setattr(replica_sync, "PULL_TIMEOUT_S", 1.0)
        yield {name: DeviceIdentity.load(path / name, time.time()) for name in NAMES}


@settings(max_examples=15, deadline=None)
@given(st.lists(STEP, max_size=30), st.lists(SKEWS, min_size=3, max_size=3))
def test_partitions_kills_and_wrong_clocks(
    shared_three: Any, tmp_path_factory: pytest.TempPathFactory, steps: Any, skews: list[float]
) -> None:
    _run_storm(shared_three, tmp_path_factory.mktemp("storm"), steps, skews)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(max_examples=500, deadline=None)
@given(st.lists(STEP, min_size=10, max_size=60), st.lists(SKEWS, min_size=3, max_size=3))
def test_partitions_kills_and_wrong_clocks_500_times(
    shared_three: Any, tmp_path_factory: pytest.TempPathFactory, steps: Any, skews: list[float]
) -> None:
    _run_storm(shared_three, tmp_path_factory.mktemp("storm"), steps, skews)


def test_a_long_storm(shared_three: Any, tmp_path: Path) -> None:
    rng = random.Random(3)
    kinds = ["write"] * 12 + ["cut", "heal", "kill", "clock", "rest", "fault"]
    steps = [(rng.choice(kinds), rng.choice(NAMES), rng.randrange(60)) for _ in range(300)]
    _run_storm(shared_three, tmp_path, steps, [3600.0, -10 * YEAR_S, 0.0])
