"""Reaching a node that only a neighbour sees: in memory, and over real links of which two do not see each other."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from tests.waiting import echo, until

from hearthway.mesh.links import relay as relay_module
from hearthway.mesh.links.link import AskHandler, FrameHandler, Health, Link, PeerHandler
from hearthway.mesh.links.memory import MemoryHub
from hearthway.mesh.links.relay import Parkable, RelayLink, Renewable
from hearthway.mesh.links.zenoh_link import ZenohLink
from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.mesh.trust.roster import Roster
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import MeshError
from hearthway.records.household import Peer

pytestmark = pytest.mark.usefixtures("no_blocking")

RULES = Rules.parse(default_rules(), "default")


class _Blind:
    """A link that does not see some devices, as if no wire led there."""

    def __init__(self, inner: Link) -> None:
        self._inner = inner
        self._hidden: set[str] = set()
        self._peer_handlers: list[PeerHandler] = []
        self.seen: list[bytes] = []  # every frame this node was given
        inner.on_peer(self._peer)

    def hide(self, device_id: str) -> None:
        if device_id not in self._hidden:
            self._hidden.add(device_id)
            if self._inner.peers()[device_id].alive:
                for handler in self._peer_handlers:
                    handler(device_id, False)

    def show(self, device_id: str) -> None:
        self._hidden.discard(device_id)
        if self._inner.peers()[device_id].alive:
            self._peer(device_id, True)

    @property
    def device_id(self) -> str:
        return self._inner.device_id

    @property
    def roster(self) -> Roster | None:
        return self._inner.roster

    async def open(self) -> None:
        await self._inner.open()

    async def close(self) -> None:
        await self._inner.close()

    async def put(self, to: str, frame: bytes, *, reliable: bool) -> int:
        count = 0
        for device_id, peer in self.peers().items():
            if to in (device_id, peer.role) and peer.alive:
                count += await self._inner.put(device_id, frame, reliable=reliable)
        return count

    async def ask(self, device_id: str, frame: bytes, timeout_s: float) -> bytes:
        if device_id in self._hidden:
            raise MeshError(f"{device_id} is not reachable now.")
        return await self._inner.ask(device_id, frame, timeout_s)

    def on_frame(self, callback: FrameHandler) -> None:
        def heard(sender: str, frame: bytes) -> None:
            if sender not in self._hidden:
                self.seen.append(frame)
                callback(sender, frame)

        self._inner.on_frame(heard)

    def on_ask(self, callback: AskHandler) -> None:
        def heard(sender: str, frame: bytes) -> Awaitable[bytes]:
            if sender in self._hidden:
                refused: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
                refused.set_exception(MeshError("Refused."))
                return refused
            self.seen.append(frame)
            return callback(sender, frame)

        self._inner.on_ask(heard)

    def on_peer(self, callback: PeerHandler) -> None:
        self._peer_handlers.append(callback)

    def _peer(self, device_id: str, alive: bool) -> None:
        if device_id not in self._hidden:
            for handler in self._peer_handlers:
                handler(device_id, alive)

    def peers(self) -> dict[str, Peer]:
        return {
            d: msgspec.structs.replace(p, alive=p.alive and d not in self._hidden)
            for d, p in self._inner.peers().items()
        }

    def counters(self) -> dict[str, int]:
        return self._inner.counters()

    def health(self) -> Health:
        return self._inner.health()

    async def update_roster(self, roster: Roster) -> None:
        await self._inner.update_roster(roster)

    async def update_identity(self, identity: Any) -> None:
        """Nothing to renew here."""


@dataclass
class _Net:
    """Open relay links, and cutting one pair of them."""

    household: Any
    links: dict[str, RelayLink] = field(default_factory=dict)
    blinds: dict[str, _Blind] = field(default_factory=dict)

    def cut(self, a: str, b: str) -> None:
        self.blinds[a].hide(b)
        self.blinds[b].hide(a)

    def heal(self, a: str, b: str) -> None:
        self.blinds[a].show(b)
        self.blinds[b].show(a)

    def via(self, a: str, b: str) -> str | None:
        """Through whom a reaches b; None: not at all."""
        peer = self.links[a].peers().get(b)
        return peer.via if peer is not None and peer.alive else None


MakeNet = Callable[..., AbstractAsyncContextManager[_Net]]


@pytest.fixture(name="make_net", params=["memory", "zenoh"])
def _make_net(request: pytest.FixtureRequest, make_household: Any) -> MakeNet:
    """make_net(phone="phone", ...): relay links that all see one another; `open=False` leaves opening to nodes."""

    @asynccontextmanager
    async def make(*, opened: bool = True, **roles: str) -> AsyncIterator[_Net]:
        net = _Net(await asyncio.to_thread(make_household, **roles))
        hub = MemoryHub(latency_s=0.001)
        for device_id, role in roles.items():
            inner: Link
            if request.param == "memory":
                inner = hub.link(device_id, role)
                await inner.update_roster(net.household.root.roster)
            else:
                identity = net.household.identity(device_id)
                inner = ZenohLink(identity, listen=identity.address, now_s=time.time())
            net.blinds[device_id] = _Blind(inner)
            net.links[device_id] = RelayLink(net.blinds[device_id])
        try:
            if opened:
                await asyncio.gather(*(link.open() for link in net.links.values()))
                await until(lambda: _all_direct(net))
            yield net
        finally:
            for link in net.links.values():
                await link.close()

    return make


def _all_direct(net: _Net) -> bool:
    return all(net.via(a, b) == "" for a in net.links for b in net.links if a != b)


def test_what_a_neighbour_says_before_it_is_seen_counts_once_it_is(make_net: MakeNet) -> None:
    """The two do not see each other at the same time: the car is told of the phone first, and says whom it reaches."""

    async def scenario() -> None:
        async with make_net(phone="phone", car="car", home="home") as net:
            net.cut("phone", "home")
            net.cut("phone", "car")
            await until(lambda: net.via("phone", "car") is None is net.via("phone", "home"))
            blind = net.blinds["phone"]
            blind._hidden.discard("car")  # its frames come through; that it is there is said later
            blind.seen.clear()
            net.blinds["car"].show("phone")
            await until(lambda: any(b"home" in frame for frame in blind.seen))
            assert net.via("phone", "home") is None  # the control: not through somebody unseen
            blind.show("car")
            await until(lambda: net.via("phone", "home") == "car", 2.0)

    asyncio.run(scenario())


def test_a_phone_that_sees_only_the_car_reaches_home_and_prefers_the_direct_way(
    make_net: MakeNet,
) -> None:
    async def scenario() -> None:
        async with make_net(phone="phone", car="car", home="home") as net:
            phone, home = net.links["phone"], net.links["home"]
            home.on_ask(echo)
            told: list[tuple[str, bool]] = []
            phone.on_peer(lambda d, alive: told.append((d, alive)))
            net.cut("phone", "home")
            took_s = await until(
                lambda: net.via("phone", "home") == "car" == net.via("home", "phone")
            )
            assert took_s < 2.5
            got: list[tuple[str, bytes]] = []
            home.on_frame(lambda sender, frame: got.append((sender, frame)))
            before = phone.counters()["car"]
            home_before = phone.counters().get("home", 0)
            for n in range(100):
                assert await phone.put("home", b"%d" % n, reliable=True) == 1
            assert await phone.ask("home", b"x", 3.0) == b"echo x"
            await until(lambda: len(got) == 100)
            assert got == [("phone", b"%d" % n) for n in range(100)]
            assert phone.counters()["car"] - before > 100 * 2  # the relay was handed these bytes
            assert phone.counters().get("home", 0) == home_before
            assert await phone.put("phone", b"x", reliable=True) == 0
            assert await phone.put("home", b"x" * 500_000, reliable=True) == 1
            await until(lambda: len(got) == 101)
            net.heal("phone", "home")
            await until(lambda: net.via("phone", "home") == "" == net.via("home", "phone"))
            assert await phone.ask("home", b"y", 3.0) == b"echo y"
            assert told == [("home", False), ("home", True)] * 2
            assert net.links["car"].handed_on >= 102

    asyncio.run(scenario())


def test_frames_and_asks_through_a_relay_keep_their_order(make_net: MakeNet) -> None:
    async def scenario() -> None:
        async with make_net(phone="phone", car="car", home="home") as net:
            got: list[int] = []

            def ask(sender: str, frame: bytes) -> Awaitable[bytes]:
                got.append(int(frame))
                return echo(sender, frame)

            net.links["home"].on_frame(lambda _s, frame: got.append(int(frame)))
            net.links["home"].on_ask(ask)
            net.cut("phone", "home")
            await until(lambda: net.via("phone", "home") == "car")
            asks = []
            for n in range(200):
                if n % 10 == 0:
                    asks.append(asyncio.create_task(net.links["phone"].ask("home", b"%d" % n, 5.0)))
                    await asyncio.sleep(0)
                else:
                    await net.links["phone"].put("home", b"%d" % n, reliable=True)
            assert await asyncio.gather(*asks) == [b"echo %d" % n for n in range(0, 200, 10)]
            await until(lambda: len(got) == 200)
            assert got == list(range(200))

    asyncio.run(scenario())


def test_who_is_reached_through_a_relay_goes_with_it_and_another_takes_over(
    make_net: MakeNet,
) -> None:
    async def scenario() -> None:
        async with make_net(phone="phone", car="car", home="home", tablet="phone") as net:
            net.cut("phone", "home")
            await until(lambda: net.via("phone", "home") in ("car", "tablet"))
            # Usually car, by its name; tablet, where that was the first to say whom it reaches.
            first = str(net.via("phone", "home"))
            other = "tablet" if first == "car" else "car"
            net.links["home"].on_ask(echo)
            await net.links[first].close()
            assert await until(lambda: net.via("phone", "home") == other) < 2.5
            assert await net.links["phone"].ask("home", b"x", 3.0) == b"echo x"
            await net.links[other].close()
            assert await until(lambda: net.via("phone", "home") is None) < 2.5
            with pytest.raises(MeshError, match="not reachable"):
                await net.links["phone"].ask("home", b"x", 1.0)
            assert await net.links["phone"].put("home", b"x", reliable=True) == 0

    asyncio.run(scenario())


def test_who_leaves_the_roster_is_not_relayed(make_net: MakeNet) -> None:
    async def scenario() -> None:
        async with make_net(phone="phone", car="car", home="home") as net:
            net.cut("phone", "home")
            await until(lambda: net.via("phone", "home") == "car" == net.via("home", "phone"))
            got: list[bytes] = []
            net.links["home"].on_frame(lambda _s, frame: got.append(frame))
            roster = net.household.root.roster
            members = tuple(m for m in roster.members if m.device_id != "phone")
            without = msgspec.structs.replace(roster, serial=roster.serial + 1, members=members)
            await net.links["car"].update_roster(without)
            await net.links["phone"].put("home", b"x", reliable=True)
            await until(lambda: net.via("car", "home") == "")
            await net.links["car"].put("home", b"control", reliable=True)
            await until(lambda: got != [])
            assert got == [b"control"]
            await net.links["home"].update_roster(without)
            assert net.via("home", "phone") is None
            assert "phone" not in net.links["home"].peers()

    asyncio.run(scenario())


def test_a_relay_that_records_everything_reads_nothing(make_net: MakeNet) -> None:
    """Its frames are many and large enough to hold the word; the end it is meant for reads it."""

    async def scenario() -> tuple[bytes, str]:
        async with make_net(opened=False, phone="phone", car="car", home="home") as net:
            nodes = {}
            for device_id in ("phone", "car", "home"):
                identity = net.household.identity(device_id)
                nodes[device_id] = MeshNode(identity, net.links[device_id], RULES, time.time)
            heads: list[str] = []
            for device_id in ("car", "home"):
                nodes[device_id].serve(
                    "Receipt.Head",
                    str,
                    lambda _m, head: heads.append(head) or head.upper(),  # type: ignore[func-returns-value]
                    reply_key="Receipt.Countersign",
                )
            try:
                await asyncio.gather(*(node.open() for node in nodes.values()))
                await nodes["phone"].wait_ready(["car", "home"], 15.0)
                await nodes["home"].wait_ready(["car", "phone"], 15.0)
                net.cut("phone", "home")
                await until(lambda: net.via("phone", "home") == "car")
                await nodes["phone"].wait_ready(["home"], 15.0)
                assert nodes["phone"].peers()["home"].via == "car"
                net.blinds["car"].seen.clear()
                word = "planted-plaintext-0451"
                reply = await nodes["phone"].request(
                    "home", "Receipt.Head", word, "witness", str, 5.0
                )
                assert reply == word.upper()
                assert heads == [word]
                assert net.links["car"].handed_on > 0
                seen = b"".join(net.blinds["car"].seen)
                assert len(seen) > len(word)
                return seen, word
            finally:
                for node in nodes.values():
                    await node.close()

    seen, word = asyncio.run(scenario())
    assert word.encode() not in seen


def test_a_relay_that_lies_drops_or_forges_can_only_deny(make_net: MakeNet) -> None:
    async def scenario() -> None:
        async with make_net(phone="phone", car="car", home="home") as net:
            phone, liar = net.links["phone"], net.blinds["car"]
            got: list[tuple[str, bytes]] = []
            asked: list[str] = []
            phone.on_frame(lambda s, f: got.append((s, f)))
            net.links["home"].on_ask(echo)

            def ask(sender: str, frame: bytes) -> Awaitable[bytes]:
                asked.append(sender)
                return echo(sender, frame)

            phone.on_ask(ask)
            onward = msgspec.msgpack.encode
            for junk in (
                b"",
                b"?",
                b"?\xff\xff",
                b"?" + onward(["nobody", "phone", "car"]),
                b">",
                b">\x93",
                b">" + onward(["nobody", True, 1.0, b"x"]),  # to a stranger
                b">" + onward(["phone", True, 1.0, b"x"]),  # back to the phone itself
                b">" + onward(["car", True, 1.0, b"x"]),  # back to the liar
                b"<" + onward(["nobody", True, 0.0, b"x"]),  # from a stranger
                b"<" + onward(["phone", True, 0.0, b"x"]),  # from the phone itself
                b"<" + onward(["home", True, 0.0, "text"]),
                b"!" + b"x" * 100,
            ):
                await liar.put("phone", junk, reliable=True)
                if junk[:1] in (b">", b"<", b"!", b""):
                    try:
                        answer = await liar.ask("phone", junk, 0.05)
                        assert answer == b"-"
                    except MeshError:
                        pass
            await net.links["car"].put("phone", b"control", reliable=True)
            await until(lambda: got != [])
            assert got == [("car", b"control")]
            assert asked == []
            assert net.via("phone", "home") == ""
            # the car says that it reaches home, but hands nothing on
            net.cut("phone", "home")
            net.cut("car", "home")
            await asyncio.sleep(0.1)
            await liar.put("phone", b"?" + onward(["home", "phone"]), reliable=True)
            await until(lambda: net.via("phone", "home") == "car")
            start_s = time.monotonic()
            with pytest.raises(MeshError):
                await phone.ask("home", b"x", 1.0)
            assert time.monotonic() - start_s < 1.5

    asyncio.run(scenario())


def test_a_flood_through_a_relay_is_bounded(make_net: MakeNet) -> None:
    async def scenario() -> None:
        async with make_net(phone="phone", car="car", home="home") as net:
            net.cut("phone", "home")
            await until(lambda: net.via("phone", "home") == "car")
            got: list[int] = []
            net.links["home"].on_frame(lambda _s, frame: got.append(len(frame)))
            for _ in range(100):
                await net.links["phone"].put("home", b"x" * 250_000, reliable=True)
            net.links["home"].on_ask(echo)
            await net.links["car"].put("home", b"end", reliable=True)
            await until(lambda: 3 in got)
            assert sum(got) < 8 * 1024 * 1024 + 10 * 2 * 1024 * 1024
            assert await net.links["car"].ask("home", b"x", 3.0) == b"echo x"

    asyncio.run(scenario())


def test_without_a_roster_nothing_is_relayed() -> None:
    async def scenario() -> None:
        hub = MemoryHub()
        links = {d: RelayLink(hub.link(d, d)) for d in ("phone", "car", "home")}
        for link in links.values():
            await link.open()
        await asyncio.sleep(0.05)
        hub.cut("phone", "home")
        await asyncio.sleep(0.05)
        assert not links["phone"].peers()["home"].alive
        assert isinstance(links["phone"], Parkable)
        assert isinstance(links["phone"], Renewable)
        await links["phone"].set_parked(True)
        for link in links.values():
            await link.close()

    asyncio.run(scenario())


def test_who_goes_with_work_queued_for_it_upsets_nothing() -> None:
    """Between a frame's queueing and its handing on the receiver may go: nothing fails, an asker is told no."""

    async def main() -> None:
        relay = RelayLink(MemoryHub().link("car", "car"))
        failed: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: failed.append(what))
        relay._near.add("home")
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        onward = relay_module._Onward("home", reliable=True, timeout_s=1.0, frame=b"x")
        relay._queue("phone", onward, answer)
        relay._notice("home", False)
        await asyncio.sleep(0.05)
        gc.collect()
        await asyncio.sleep(0)
        assert failed == []
        assert await asyncio.wait_for(answer, 1.0) == b"-"

    asyncio.run(main())


@pytest.mark.parametrize(
    "body",
    [
        b"\x91\xa2\xff\xfe",  # no UTF-8
        b"\x94\xa3\xed\xa0\x80\xc3\xcb" + bytes(8) + b"\xc4\x00",
        b"\x94\xa5phone\xc3\xcb\x7f\xf8" + bytes(6) + b"\xc4\x01S",  # a wait that is no number
        b"\x91" * 5000,
        b"\xdd\xff\xff\xff\xff",
    ],
)
def test_hostile_words_to_a_relay_raise_nothing(make_household: Any, body: bytes) -> None:
    """A raised error would end the stream, and a wait that is no number upset every timer of the loop."""
    identity = make_household(car="car", phone="phone").identity("car")

    async def scenario() -> None:
        link = RelayLink(ZenohLink(identity, listen="127.0.0.1:0", now_s=time.time()))
        for kind in (b"?", b">", b"<", b"=", b"", b"!"):
            link._hear("phone", kind + body)
            with suppress(MeshError):
                assert await link._hear_ask("phone", kind + body) == b"-"
        assert link.handed_on == 0

    asyncio.run(scenario())
