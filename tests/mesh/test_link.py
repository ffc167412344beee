"""The contract of a link, held by both: in memory, and zenoh over mutual TLS on loopback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec
import pytest
from tests.waiting import echo, until

from hearthway.mesh.links.link import FRAME_MAX_BYTES, Link
from hearthway.mesh.links.memory import MemoryHub
from hearthway.mesh.links.zenoh_link import ZenohLink
from hearthway.records.errors import MeshError

pytestmark = pytest.mark.usefixtures("no_blocking")

MakeLinks = Callable[..., AbstractAsyncContextManager[dict[str, Link]]]


@pytest.fixture(name="make_links", params=["memory", "zenoh"])
def _make_links(request: pytest.FixtureRequest, make_household: Any) -> MakeLinks:
    """make_links(phone="phone", ...): open links that all see one another; closed afterwards."""

    @asynccontextmanager
    async def make(**roles: str) -> AsyncIterator[dict[str, Link]]:
        links: dict[str, Link] = {}
        household = await asyncio.to_thread(make_household, **roles)
        hub = MemoryHub(latency_s=0.001)
        for device_id, role in roles.items():
            if request.param == "memory":
                links[device_id] = hub.link(device_id, role)
                await links[device_id].update_roster(household.root.roster)
            else:
                address = household.addresses[device_id]
                identity = household.identity(device_id)
                links[device_id] = ZenohLink(identity, listen=address, now_s=time.time())
        try:
            await asyncio.gather(*(link.open() for link in links.values()))
            await until(lambda: all(_sees(a, list(links)) for a in links.values()))
            yield links
        finally:
            for link in links.values():
                await link.close()

    return make


def _sees(link: Link, others: list[str]) -> bool:
    alive = {device_id for device_id, peer in link.peers().items() if peer.alive}
    return alive == set(others) - {link.device_id}


def test_frames_and_asks_of_a_sender_keep_their_order(make_links: MakeLinks) -> None:
    async def scenario() -> None:
        async with make_links(phone="phone", car="car") as links:
            got: list[int] = []

            def ask(sender: str, frame: bytes) -> Awaitable[bytes]:
                got.append(int(frame))
                return echo(sender, frame)

            links["phone"].on_frame(lambda _s, frame: got.append(int(frame)))
            links["phone"].on_ask(ask)
            asks = []
            for n in range(300):
                if n % 10 == 0:
                    asks.append(asyncio.create_task(links["car"].ask("phone", b"%d" % n, 5.0)))
                    await asyncio.sleep(0)  # it is on its way before the next
                else:
                    await links["car"].put("phone", b"%d" % n, reliable=n % 3 != 0)
            assert await asyncio.gather(*asks) == [b"echo %d" % n for n in range(0, 300, 10)]
            reliable = {n for n in range(300) if n % 3 != 0 or n % 10 == 0}
            await until(lambda: reliable <= set(got))
            assert got == sorted(set(got))

    asyncio.run(scenario())


def test_a_role_is_every_device_that_has_it(make_links: MakeLinks) -> None:
    async def scenario() -> None:
        async with make_links(anna="phone", ben="phone", car="car") as links:
            got: list[tuple[str, str, bytes]] = []
            for name, link in links.items():
                link.on_frame(lambda s, f, name=name: got.append((name, s, f)))  # type: ignore[misc]
            assert await links["car"].put("phone", b"x", reliable=True) == 2
            assert await links["anna"].put("phone", b"y", reliable=True) == 1
            assert await links["car"].put("home", b"z", reliable=True) == 0
            assert await links["car"].put("nobody", b"z", reliable=False) == 0
            await until(lambda: len(got) == 3)
            assert sorted(got) == [
                ("anna", "car", b"x"),
                ("ben", "anna", b"y"),
                ("ben", "car", b"x"),
            ]
            assert set(links["car"].counters()) == {"anna", "ben"}

    asyncio.run(scenario())


def test_bytes_are_counted_where_they_went(make_links: MakeLinks) -> None:
    async def scenario() -> None:
        async with make_links(phone="phone", car="car", home="home") as links:
            for _ in range(10):
                await links["car"].put("phone", b"x" * 100, reliable=True)
            assert 1000 <= links["car"].counters()["phone"] <= 1000 + 10 * 16
            assert links["car"].counters().get("home", 0) < 16  # what a link itself says

    asyncio.run(scenario())


def test_asking_and_not_being_answered(make_links: MakeLinks) -> None:
    async def scenario() -> None:
        async with make_links(phone="phone", car="car") as links:
            release = asyncio.Event()

            async def slow(frame: bytes) -> bytes:
                if frame == b"slow":
                    await release.wait()
                if frame == b"no":
                    raise MeshError("No.")
                return frame

            links["phone"].on_ask(lambda _s, frame: slow(frame))
            waiting = asyncio.create_task(links["car"].ask("phone", b"slow", 5.0))
            await asyncio.sleep(0)
            assert await links["car"].ask("phone", b"quick", 5.0) == b"quick"
            assert await links["car"].ask("phone", b"", 5.0) == b""
            assert not waiting.done()
            release.set()
            assert await waiting == b"slow"
            with pytest.raises(MeshError, match="did not answer"):
                await links["car"].ask("phone", b"no", 0.2)
            with pytest.raises(MeshError, match="not reachable"):
                await links["car"].ask("home", b"x", 0.2)

    asyncio.run(scenario())


def test_too_large_a_frame_is_refused_and_the_link_lives(make_links: MakeLinks) -> None:
    async def scenario() -> None:
        async with make_links(phone="phone", car="car") as links:
            links["phone"].on_ask(echo)
            with pytest.raises(MeshError, match="larger"):
                await links["car"].put("phone", b"x" * (FRAME_MAX_BYTES + 1), reliable=True)
            with pytest.raises(MeshError, match="larger"):
                await links["car"].ask("phone", b"x" * (FRAME_MAX_BYTES + 1), 1.0)
            big = b"x" * 1_000_000
            assert await links["car"].ask("phone", big, 8.0) == b"echo " + big

    asyncio.run(scenario())


def test_peers_come_and_go_and_asks_are_answered_after_churn(make_links: MakeLinks) -> None:
    async def scenario() -> None:
        async with make_links(phone="phone", car="car", home="home") as links:
            seen: list[tuple[str, bool]] = []
            links["car"].on_peer(lambda who, alive: seen.append((who, alive)))
            links["phone"].on_ask(echo)
            for _ in range(3):
                await links["phone"].close()
                await until(lambda: not links["car"].peers()["phone"].alive)
                assert links["car"].health().ok  # the home is still there
                with pytest.raises(MeshError):
                    await links["car"].ask("phone", b"x", 0.3)
                await links["phone"].open()
                await until(lambda: links["car"].peers()["phone"].alive)
                await until(lambda: links["phone"].peers()["car"].alive)
                assert await links["car"].ask("phone", b"x", 3.0) == b"echo x"
            assert seen == [("phone", False), ("phone", True)] * 3

    asyncio.run(scenario())


def test_after_closing_nothing_is_heard(make_links: MakeLinks) -> None:
    async def scenario() -> None:
        async with make_links(phone="phone", car="car") as links:
            got: list[bytes] = []
            links["phone"].on_frame(lambda _s, frame: got.append(frame))
            await links["phone"].close()
            await links["phone"].close()
            await links["car"].put("phone", b"x", reliable=False)
            await asyncio.sleep(0.1)
            assert got == []
            assert not links["phone"].health().ok
            assert await links["phone"].put("car", b"x", reliable=True) == 0

    asyncio.run(scenario())


def test_who_leaves_the_roster_is_not_heard_any_more(make_links: MakeLinks) -> None:
    async def scenario() -> None:
        async with make_links(phone="phone", car="car", home="home") as links:
            got: list[str] = []
            links["phone"].on_frame(lambda sender, _f: got.append(sender))
            roster = links["phone"].roster
            assert roster is not None
            members = tuple(m for m in roster.members if m.device_id != "car")
            without = msgspec.structs.replace(roster, serial=roster.serial + 1, members=members)
            await links["phone"].update_roster(without)
            await until(lambda: links["home"].peers()["phone"].alive)
            await until(lambda: links["phone"].peers()["home"].alive)
            assert sorted(links["phone"].peers()) == ["home"]
            await links["car"].put("phone", b"x", reliable=True)
            assert await links["phone"].put("car", b"x", reliable=True) == 0
            await links["home"].put("phone", b"x", reliable=True)  # the control
            await until(lambda: got != [])
            await asyncio.sleep(0.1)
            assert got == ["home"]

    asyncio.run(scenario())


# -- the memory link's own: loss, latency, cuts ---------------------------------------------------


def test_loss_takes_unreliable_frames_only_and_by_seed() -> None:
    async def scenario(seed: int) -> list[int]:
        hub = MemoryHub(seed=seed, loss=0.3)
        phone, car = hub.link("phone", "phone"), hub.link("car", "car")
        got: list[int] = []
        phone.on_frame(lambda _s, frame: got.append(int(frame)))
        await phone.open()
        await car.open()
        for n in range(200):
            await car.put("phone", b"%d" % n, reliable=n % 2 == 0)
        await asyncio.sleep(0.05)
        await phone.close()
        await car.close()
        return got

    once, again, other = (asyncio.run(scenario(seed)) for seed in (1, 1, 2))
    assert once == again != other
    assert set(range(0, 200, 2)) <= set(once)
    assert 40 < sum(n % 2 for n in once) < 95
    assert once == sorted(once)


def test_a_cut_is_noticed_by_both_and_loses_what_was_under_way() -> None:
    async def scenario() -> None:
        hub = MemoryHub(latency_s=0.02)
        phone, car = hub.link("phone", "phone"), hub.link("car", "car")
        got: list[bytes] = []
        seen: list[tuple[str, bool]] = []
        phone.on_frame(lambda _s, frame: got.append(frame))
        car.on_peer(lambda who, alive: seen.append((who, alive)))
        await phone.open()
        await car.open()
        await car.put("phone", b"lost", reliable=True)
        hub.cut("car", "phone")
        await asyncio.sleep(0.05)
        hub.heal("car", "phone")
        await car.put("phone", b"heard", reliable=True)
        await asyncio.sleep(0.05)
        assert got == [b"heard"]
        assert seen == [("phone", True), ("phone", False), ("phone", True)]
        with pytest.raises(MeshError, match="up already"):
            await hub.link("car", "car").open()
        await phone.close()
        await car.close()

    asyncio.run(scenario())


def test_an_ask_that_is_cancelled_as_its_answer_comes_is_cancelled() -> None:
    """Else whoever closes a node waits for a task that never hears that it is to end."""

    async def scenario() -> None:
        hub = MemoryHub()
        phone, car = hub.link("phone", "phone"), hub.link("car", "car")
        await phone.open()
        await car.open()
        await until(lambda: _sees(phone, ["phone", "car"]))
        answers: list[asyncio.Future[bytes]] = []

        def held(sender: str, frame: bytes, answer: asyncio.Future[bytes] | None) -> None:
            assert answer is not None
            answers.append(answer)

        car._arrive = held  # type: ignore[method-assign]  # the answer comes when the test says so
        asking = asyncio.create_task(phone.ask("car", b"x", 5.0))
        await until(lambda: bool(answers))
        answers[0].set_result(b"y")
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await phone.close()
        await car.close()

    asyncio.run(scenario())
