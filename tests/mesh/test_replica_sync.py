"""Replicas over the mesh: pulled on contact, pushed at once, compared; partitions, kills, wrong clocks, other versions."""

from __future__ import annotations

import asyncio
import contextlib
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.mesh.links.memory import MemoryLink
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state import replica_sync
from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.mesh.trust.roster import Roster
from hearthway.mesh.wire.envelope import is_hello
from hearthway.records.errors import StoreError

from .storm import NAMES, RULES, Member, members, same, until

YEAR_S = 365.25 * 86_400.0


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
        async with members(three, tmp_path) as (hub, nodes):
            phone, car = nodes["phone"], nodes["car"]
            await phone.mesh.wait_ready(["car", "home"], 40.0)
            await phone.write("Setting.Home.Arrival.Temperature", b"21")
            await until(lambda: _held(car, "Setting.Home.Arrival.Temperature") == b"21")
            hub.cut("phone", "car")
            await phone.write("Setting.X", b"1")
            await asyncio.sleep(0.1)
            await until(lambda: _held(car, "Setting.X") == b"1")  # by way of the home
            hub.cut("home", "car")
            await phone.write("Setting.X", b"2")
            await asyncio.sleep(0.002)  # in one millisecond the node's name would decide
            await car.write("Setting.X", b"3")
            await asyncio.sleep(0.2)
            assert _held(car, "Setting.X") == b"3"
            assert _held(phone, "Setting.X") == b"2"  # the control: the cut is one
            hub.heal("home", "car")
            await until(lambda: same(nodes))
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
        async with members(two, tmp_path) as (_, nodes):
            phone, home = nodes["phone"], nodes["home"]
            await phone.write("Setting.First", b"1")
            await until(lambda: _held(home, "Setting.First") == b"1", 10.0)  # it asked
            assert not phone.mesh.ready("home")
            if early:
                await phone.write("Setting.X", b"1")
                await asyncio.sleep(0.1)
                assert _held(home, "Setting.X") is None  # the control: it is not pushed by itself
            known.set()
            await phone.mesh.wait_ready(["home"], 10.0)
            if not early:
                await phone.write("Setting.X", b"1")
            await until(lambda: _held(home, "Setting.X") == b"1", 2.0)

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
        async with members(two, tmp_path) as (_, nodes):
            phone, home = nodes["phone"], nodes["home"]
            await home.mesh.wait_ready(["phone"], 10.0)
            await phone.mesh.wait_ready(["home"], 10.0)
            await asyncio.to_thread(household.add, "second", "car")
            await home.mesh.reload_roster(household.root.signed_roster)
            async with asyncio.timeout(10.0):
                await begun.wait()
            await home.write("Setting.X", b"1")
            await until(lambda: _held(phone, "Setting.X") == b"1", 2.0)

    asyncio.run(scenario())


def test_many_writes_push_in_pages_and_find_gaps(
    three: dict[str, DeviceIdentity], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pushes that are lost show as gaps at the next one, and are pulled."""

    async def scenario() -> None:
        async with members(three, tmp_path) as (_, nodes):
            phone = nodes["phone"]
            await phone.mesh.wait_ready(["car", "home"], 40.0)
            await phone.write("Setting.First", b"1")
            await until(lambda: same(nodes))
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
            await until(lambda: same(nodes))

    asyncio.run(scenario())


def test_rules_that_open_later_let_what_was_refused_before(
    three: dict[str, DeviceIdentity], tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with members(three, tmp_path) as (_, nodes):
            phone, car = nodes["phone"], nodes["car"]
            closed = Rules([r for r in RULES.rules if not r.id.startswith("settings")])
            car.rules = closed
            await phone.mesh.wait_ready(["car", "home"], 40.0)
            await phone.write("Setting.X", b"1")
            await until(lambda: _held(nodes["home"], "Setting.X") == b"1")
            await until(lambda: car.sync.refused["no rule"] > 0)
            assert _held(car, "Setting.X") is None
            car.rules = RULES
            await car.sync.begin_anew()
            await until(lambda: _held(car, "Setting.X") == b"1")

    asyncio.run(scenario())


def test_a_difference_is_found_and_mended(
    three: dict[str, DeviceIdentity], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica_sync, "COMPARE_AFTER_S", 0.3)

    async def scenario() -> None:
        async with members(three, tmp_path) as (hub, nodes):
            phone, home = nodes["phone"], nodes["home"]
            await phone.mesh.wait_ready(["car", "home"], 40.0)
            await home.write("Setting.X", b"1")
            await until(lambda: same(nodes))
            with phone.store.database.transaction() as db:  # lost without a trace
                db.execute("DELETE FROM registers WHERE key = 'Setting.X'")
            hub.cut("phone", "home")
            await asyncio.sleep(0.1)
            hub.heal("phone", "home")
            await until(lambda: _held(phone, "Setting.X") == b"1")
            await until(lambda: phone.sync.peers["home"].in_step is True)

    asyncio.run(scenario())


def test_a_full_disk_is_said_and_reading_goes_on(
    three: dict[str, DeviceIdentity], tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with members(three, tmp_path) as (_, nodes):
            phone, car = nodes["phone"], nodes["car"]
            await phone.mesh.wait_ready(["car", "home"], 40.0)
            await phone.write("Setting.X", b"1")
            await until(lambda: same(nodes))
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
            await until(lambda: _held(car, "Setting.Y") is not None)
            await until(lambda: car.sync.problem is None)
            await until(lambda: same(nodes))

    asyncio.run(scenario())


def test_a_restored_home_is_as_it_was_and_so_is_everybody(
    three: dict[str, DeviceIdentity], tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with members(three, tmp_path) as (_, nodes):
            phone, home = nodes["phone"], nodes["home"]
            await home.mesh.wait_ready(["car", "phone"], 40.0)
            await home.write("Setting.X", b"1")
            await asyncio.to_thread(home.store.snapshot_to, tmp_path / "copy.db")
            await home.write("Setting.X", b"2")
            await home.write("Setting.Y", b"3")
            await phone.write("Setting.Z", b"4")
            await until(lambda: same(nodes))
            whole = phone.replica.digest()
            await home.kill()
            home.path = tmp_path / "copy.db"
            with await asyncio.to_thread(Store.open, home.path, node_id="home") as store:
                store.restored()
            await home.up()
            assert _held(home, "Setting.X") == b"1"
            await until(lambda: same(nodes))
            assert home.replica.digest() == whole
            await home.write("Setting.X", b"5")
            await until(lambda: same(nodes))
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
    async with members(identities, root) as (hub, nodes):
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
        await until(lambda: same(nodes))
        for written in (w for one in nodes.values() for w in one.acknowledged):
            kept = nodes["home"].store.get_register(written.key)
            assert kept is not None
            assert kept.hlc > written.hlc or (kept.hlc, kept.value) == (written.hlc, written.value)


def _run_storm(three: Any, root: Path, steps: Any, skews: list[float]) -> None:
    asyncio.run(_storm(three, root, steps, skews))


@settings(max_examples=15, deadline=None)
@given(st.lists(STEP, max_size=30), st.lists(SKEWS, min_size=3, max_size=3))
def test_partitions_kills_and_wrong_clocks(
    storm_three: Any, tmp_path_factory: pytest.TempPathFactory, steps: Any, skews: list[float]
) -> None:
    _run_storm(storm_three, tmp_path_factory.mktemp("storm"), steps, skews)


def test_a_long_storm(storm_three: Any, tmp_path: Path) -> None:
    rng = random.Random(3)
    kinds = ["write"] * 12 + ["cut", "heal", "kill", "clock", "rest", "fault"]
    steps = [(rng.choice(kinds), rng.choice(NAMES), rng.randrange(60)) for _ in range(300)]
    _run_storm(storm_three, tmp_path, steps, [3600.0, -10 * YEAR_S, 0.0])
