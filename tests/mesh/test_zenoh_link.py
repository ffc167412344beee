"""What only a real wire can get wrong: certificates, addresses, processes that die. Nothing fails silently."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.waiting import until

from hearthway.mesh.links.link import Health
from hearthway.mesh.links.probe import probe, probe_context
from hearthway.mesh.links.zenoh_link import ZenohLink
from hearthway.mesh.links.zenoh_session import ZenohSession
from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.mesh.trust.certificates import new_key, request
from hearthway.mesh.trust.identity import DeviceIdentity, HouseholdRoot, keep_device
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import IdentityError, MeshError

pytestmark = pytest.mark.usefixtures("no_blocking")

RULES = Rules.parse(default_rules(), "default")
PEER = Path(__file__).with_name("peer_main.py")


@asynccontextmanager
async def _up(*identities: DeviceIdentity) -> AsyncIterator[list[ZenohLink]]:
    links = [ZenohLink(i, listen=i.address, now_s=time.time()) for i in identities]
    try:
        for link in links:
            await link.open()
        yield links
    finally:
        for link in links:
            await link.close()


async def _problem(link: ZenohLink) -> Health:
    """What the link says 3 s after opening, or as soon as it knows."""
    await asyncio.sleep(0.6)
    try:
        await until(lambda: "yet" not in link.health().problem, 2.4)
    except TimeoutError:
        pytest.fail(f"nothing said within 3 s: {link.health()}")
    return link.health()


async def _probed(context: ssl.SSLContext, device_id: str, address: str) -> Health:
    """A probe, again where a busy machine took too long."""
    for _ in range(3):
        health = await probe(context, device_id, address)
        if "does not answer" not in health.problem:
            break
    return health


def _meet(ours: Any, theirs: Any) -> DeviceIdentity:
    """Our car, told that its phone stands where the other household's phone listens."""
    roster = ours.root.roster
    members = tuple(
        msgspec.structs.replace(m, address=theirs.addresses["phone"])
        if m.device_id == "phone"
        else m
        for m in roster.members
    )
    ours.root._keep(members)
    ours.tell()
    car: DeviceIdentity = ours.identity("car")
    return car


def test_another_households_root_is_said_within_three_seconds(make_household: Any) -> None:
    ours = make_household(phone="phone", car="car")
    theirs = make_household(phone="phone")
    car = _meet(ours, theirs)

    async def scenario() -> None:
        async with _up(theirs.identity("phone"), car) as (phone, link):
            health = await _problem(link)
            assert not health.ok
            assert "another household" in health.problem
            assert health.next_step
            assert not link.peers()["phone"].alive
            assert "another household" in link.peers()["phone"].detail
            assert phone.peers() == {}

    asyncio.run(scenario())


def test_the_same_scene_with_one_root_is_healthy(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _up(household.identity("phone"), household.identity("car")) as (phone, car):
            await until(lambda: phone.health().ok and car.health().ok, 3.0)
            assert car.peers()["phone"].alive
            assert car.peers()["phone"].detail == ""

    asyncio.run(scenario())


def test_a_peer_that_refuses_our_certificate_is_found_out(make_household: Any) -> None:
    """Our certificate is by another key in our root's name: our side trusts theirs, theirs not ours."""
    household = make_household(phone="phone", car="car")
    root = household.root
    forger = HouseholdRoot(
        Path("/nonexistent"), new_key(), root._certificate, root.roster, bytes(32)
    )
    car = household.identity("car")
    pem = forger.sign(request(car.key, "car"), "car", "car", time.time())
    keep_device(car.keys, car.key, pem, root.certificate_pem, root.signed_roster)

    async def scenario() -> None:
        async with _up(household.identity("phone")):
            health = await _probed(probe_context(car), "phone", household.addresses["phone"])
            assert not health.ok
            assert "refuses this device's certificate" in health.problem
            assert "Pair" in health.next_step

    asyncio.run(scenario())
    with pytest.raises(IdentityError, match="not issued"):
        household.identity("car")


@pytest.mark.parametrize("name", ["device.pem", "device.key", "ca.pem"])
def test_a_missing_certificate_is_said_at_once(make_household: Any, name: str) -> None:
    household = make_household(phone="phone", car="car")
    identity = household.identity("phone")
    (household.path / "phone" / name).unlink()
    with pytest.raises(IdentityError, match="belongs to no household"):
        household.identity("phone")

    async def scenario() -> None:
        start_s = time.monotonic()
        link = ZenohLink(identity, listen=identity.address, now_s=time.time())
        with pytest.raises(MeshError, match="cannot be used"):
            await link.open()
        assert time.monotonic() - start_s < 3.0
        assert not link.health().ok
        await link.close()

    asyncio.run(scenario())


def test_an_expired_certificate_does_not_open(make_household: Any) -> None:
    identity = make_household(phone="phone").identity("phone")
    link = ZenohLink(identity, listen=identity.address, now_s=time.time() + 40 * 86_400)
    with pytest.raises(IdentityError, match="expired"):
        asyncio.run(link.open())


def test_nobody_there_is_said_within_three_seconds(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _up(household.identity("car")) as (car,):
            health = await _problem(car)
            assert not health.ok
            assert "phone" in health.problem
            assert "not reachable" in health.problem
            assert "Start Hearthway" in health.next_step

    asyncio.run(scenario())


def test_a_taken_port_is_a_sentence(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _up(household.identity("car")):
            twin = ZenohLink(
                household.identity("phone"), listen=household.addresses["car"], now_s=time.time()
            )
            with pytest.raises(MeshError, match=r"listens at .* already"):
                await twin.open()
        nowhere = ZenohLink(household.identity("phone"), listen="192.0.2.1:7447", now_s=time.time())
        with pytest.raises(MeshError, match="cannot listen"):
            await nowhere.open()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "words"),
    [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS"), (b"", "phone at")],
)
def test_another_program_at_the_address_is_said(
    make_household: Any, answer: bytes, words: str
) -> None:
    household = make_household(phone="phone", car="car")
    context = probe_context(household.identity("car"))

    async def scenario() -> None:
        async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(answer)
            writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        health = await probe(context, "phone", f"127.0.0.1:{port}")
        assert not health.ok
        assert words in health.problem
        assert health.next_step
        server.close()
        await server.wait_closed()

    asyncio.run(scenario())


def test_a_program_that_stays_silent_is_given_up(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")
    context = probe_context(household.identity("car"))

    async def scenario() -> None:
        done = asyncio.Event()

        async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await done.wait()
            writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        health = await probe(context, "phone", f"127.0.0.1:{port}")
        assert "does not answer" in health.problem
        done.set()
        server.close()
        await asyncio.sleep(0.02)

    asyncio.run(scenario())


def test_the_wrong_device_at_an_address_is_named(make_household: Any) -> None:
    household = make_household(phone="phone", car="car", home="home")
    context = probe_context(household.identity("car"))

    async def scenario() -> None:
        async with _up(household.identity("home")):
            assert (await _probed(context, "home", household.addresses["home"])).ok
            health = await _probed(context, "phone", household.addresses["home"])
            assert "stands home, not phone" in health.problem

    asyncio.run(scenario())


def test_a_foreign_device_with_a_members_name_hears_and_says_nothing(make_household: Any) -> None:
    """Another root's "phone", at our phone's address, and it knows our household's id and keys."""
    ours, theirs = make_household(phone="phone", car="car"), make_household(phone="phone")
    stolen = ours.path / "stolen"
    shutil.copytree(theirs.path / "phone", stolen)
    phone = DeviceIdentity.load(stolen, time.time())
    fake = msgspec.structs.replace(ours.root.roster, household_id=phone.household_id)
    object.__setattr__(phone, "household_id", ours.root.household_id)
    object.__setattr__(phone, "roster", msgspec.structs.replace(fake))

    async def scenario() -> None:
        async with _up(ours.identity("car"), phone) as (car, stranger):
            heard: list[str] = []
            car.on_frame(lambda sender, _f: heard.append(sender))
            await asyncio.sleep(1.5)
            await stranger.put("car", b"x", reliable=True)
            assert not car.peers()["phone"].alive
            assert not stranger.peers()["car"].alive
            assert heard == []

    asyncio.run(scenario())


def test_a_revoked_device_is_shut_out_by_name(make_household: Any) -> None:
    """Its certificate still verifies; the roster no longer names it."""
    household = make_household(phone="phone", car="car", home="home")
    car = household.identity("car")
    household.root.revoke("car")
    for device_id in ("phone", "home"):
        (household.path / device_id / "roster.bin").write_bytes(household.root.signed_roster)

    async def scenario() -> None:
        phone, home = household.identity("phone"), household.identity("home")
        async with _up(phone, home, car) as (p, h, c):
            heard: list[str] = []
            p.on_frame(lambda sender, _f: heard.append(sender))
            await until(lambda: p.peers()["home"].alive and h.peers()["phone"].alive)
            await c.put("phone", b"x", reliable=True)
            await h.put("phone", b"x", reliable=True)
            await until(lambda: heard != [])
            await asyncio.sleep(0.3)
            assert heard == ["home"]
            assert "car" not in p.peers()

    asyncio.run(scenario())


def test_who_opens_its_session_anew_is_missed_by_nobody_and_misses_nobody(
    make_household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its peers, whose streams stand and have been quiet, are told first: zenoh tells either side that the other went."""
    household = make_household(phone="phone", car="car")
    phone_of, car_of = household.identity("phone"), household.identity("car")
    household.add("tablet", "phone")  # access is by name: with it the session has to be another
    wider = household.identity("phone").roster

    async def scenario() -> None:
        async with _up(phone_of, car_of) as (phone, car):
            sides = (phone._presence, "car"), (car._presence, "phone")
            await until(lambda: phone.streams()["car"] and car.streams()["phone"])
            await until(lambda: all(side.sees(other) for side, other in sides))
            await until(lambda: all(side.is_alive(other) for side, other in sides))
            await asyncio.sleep(
                1.5
            )  # what a stream brought lately would show by itself who is there
            changes: list[tuple[str, bool]] = []
            went: set[str] = set()
            for side, _ in sides:
                side.on_peer.append(lambda device_id, alive: changes.append((device_id, alive)))
                monkeypatch.setattr(side, "notice", _noting(went, side.notice))
            await phone.update_roster(wider)
            await until(lambda: went == {"car", "phone"})
            await until(lambda: all(side.sees(other) for side, other in sides))
            assert changes == []

    asyncio.run(scenario())


def _noting(went: set[str], notice: Any) -> Any:
    """The same, and notes of whom zenoh says that it went."""

    def noted(device_id: str, *, alive: bool) -> None:
        if not alive:
            went.add(device_id)
        notice(device_id, alive=alive)

    return noted


def test_a_new_roster_is_used_whole_even_if_its_bringer_is_cancelled(
    make_household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    household = make_household(phone="phone", home="home")
    before = household.identity("phone")
    household.add("car", "car")

    begun, start = threading.Event(), ZenohSession._start

    def slow(self: ZenohSession, generation: int, config: dict[str, Any]) -> Any:
        begun.set()
        time.sleep(0.2)
        return start(self, generation, config)

    async def scenario() -> None:
        async with _up(before, household.identity("car")) as (phone, car):
            with monkeypatch.context() as patch:
                patch.setattr(ZenohSession, "_start", slow)
                bringer = asyncio.create_task(phone.update_roster(household.root.roster))
                await until(begun.is_set)
                bringer.cancel()
                [ended] = await asyncio.gather(bringer, return_exceptions=True)
            assert isinstance(ended, asyncio.CancelledError)
            begun.clear()
            await until(lambda: phone._zenoh is not None and phone._zenoh.is_open)
            await until(lambda: phone.peers().get("car") is not None)
            await until(lambda: phone.peers()["car"].alive and car.peers()["phone"].alive)
        closing = ZenohLink(before, listen=before.address, now_s=time.time())
        with monkeypatch.context() as patch:
            patch.setattr(ZenohSession, "_start", slow)
            opening = asyncio.create_task(closing.open())
            await until(begun.is_set)
            opening.cancel()
            [ended] = await asyncio.gather(opening, return_exceptions=True)
        assert isinstance(ended, asyncio.CancelledError)
        async with _up(household.identity("phone")):  # the port is free: nothing was left open
            pass

    asyncio.run(scenario())


@pytest.mark.parametrize("turns", [1, 2, 3, 5, 8, 13])
def test_what_closes_closes_wholly_even_if_whoever_began_it_is_cancelled(
    make_household: Any, turns: int
) -> None:
    """A node that was put out closes its link by itself; when it is stopped, that task is cancelled."""
    household = make_household(phone="phone", car="car")
    identity = household.identity("phone")

    async def scenario() -> None:
        async with _up(household.identity("car")), asyncio.timeout(20.0):
            link = ZenohLink(identity, listen=identity.address, now_s=time.time())
            await link.open()
            first = asyncio.create_task(link.close())
            for _ in range(turns):
                await asyncio.sleep(0)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            await link.close()
            assert link._ways.streams._server is None
            async with _up(identity):  # zenoh's port is free as well
                pass
            await link.open()  # and it can be opened once more
            await link.close()

    asyncio.run(scenario())
    gc.collect()  # what was left open would warn here


# -- processes that die --------------------------------------------------------------------------


class _Process:
    """A node in a process of its own."""

    def __init__(self, keys: Path) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-W", "error", str(PEER), str(keys)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def send(self, number: signal.Signals) -> None:
        os.kill(self._child.pid, number)

    def end(self) -> str:
        """End it by closing its standard input; what it printed."""
        output, _ = self._child.communicate(timeout=15)
        return output.decode()

    def kill(self) -> None:
        self._child.kill()
        self._child.communicate(timeout=15)


@asynccontextmanager
async def _node(household: Any, device_id: str) -> AsyncIterator[MeshNode]:
    identity = household.identity(device_id)
    link = ZenohLink(identity, listen=identity.address, now_s=time.time())
    node = MeshNode(identity, link, RULES, time.time)
    try:
        await node.open()
        yield node
    finally:
        await node.close()


async def _ask_home(node: MeshNode) -> str:
    return await node.request("home", "Receipt.Head", "abc", "witness", str, 3.0)


def test_a_killed_node_is_noticed_and_answers_again_after_its_return(make_household: Any) -> None:
    household = make_household(phone="phone", home="home")

    async def scenario() -> None:
        async with _node(household, "phone") as phone:
            for _ in range(2):
                home = await asyncio.to_thread(_Process, household.path / "home")
                try:
                    await phone.wait_ready(["home"], 15.0)
                    assert await _ask_home(phone) == "ABC"
                    home.send(signal.SIGKILL)
                    assert await until(lambda: not phone.peers()["home"].alive) < 2.5
                    with pytest.raises(MeshError, match="not reachable"):
                        await _ask_home(phone)
                finally:
                    await asyncio.to_thread(home.kill)
            home = await asyncio.to_thread(_Process, household.path / "home")
            try:
                await phone.wait_ready(["home"], 15.0)
                assert [await _ask_home(phone) for _ in range(5)] == ["ABC"] * 5
                output = await asyncio.to_thread(home.end)
            finally:
                await asyncio.to_thread(home.kill)
            assert output.splitlines()[-1] == "closed"  # an orderly end leaves no thread behind

    asyncio.run(scenario())


def test_a_stopped_node_is_noticed_by_the_lease_and_comes_back(make_household: Any) -> None:
    household = make_household(phone="phone", home="home")

    async def scenario() -> None:
        async with _node(household, "phone") as phone:
            home = await asyncio.to_thread(_Process, household.path / "home")
            try:
                await phone.wait_ready(["home"], 15.0)
                home.send(signal.SIGSTOP)
                start_s = time.monotonic()
                puts_s = []
                while phone.peers()["home"].alive and time.monotonic() - start_s < 6.0:
                    put_s = time.monotonic()
                    await phone.publish("Replay.Step", 1, "replay")
                    puts_s.append(time.monotonic() - put_s)
                    await asyncio.sleep(0.02)
                assert time.monotonic() - start_s < 4.0  # the lease is 2 s
                assert max(puts_s) < 1.0  # a vanished peer holds nobody up
                home.send(signal.SIGCONT)
                await phone.wait_ready(["home"], 10.0)
                assert await _ask_home(phone) == "ABC"
            finally:
                home.send(signal.SIGCONT)
                await asyncio.to_thread(home.kill)

    asyncio.run(scenario())


def test_whoever_is_away_keeps_nobody_from_starting(make_household: Any) -> None:
    """Zenoh would wait half a second for those on the list; the quickest of four, so that a busy machine is not judged."""

    async def quickest_s(identity: DeviceIdentity) -> float:
        took = []
        for _ in range(4):
            link = ZenohLink(identity, listen=identity.address, now_s=time.time())
            since_s = time.monotonic()
            await link.open()
            took.append(time.monotonic() - since_s)
            await link.close()
        return min(took)

    alone = asyncio.run(quickest_s(make_household(phone="phone").identity("phone")))
    both = make_household(phone="phone", home="home")
    missed = asyncio.run(quickest_s(both.identity("phone")))
    assert missed - alone < 0.3
