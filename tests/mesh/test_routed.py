"""Reaching a member at another site by way of a router: real links of which no two find one another, and a real router."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec
import pytest
import zenoh
from tests.ports import free_address
from tests.waiting import until

from hearthway.mesh.links import router_session
from hearthway.mesh.links.allowance import Allowance
from hearthway.mesh.links.link import RouterState
from hearthway.mesh.links.relay import (
    Located,
    Neighbouring,
    Parkable,
    RelayLink,
    Renewable,
)
from hearthway.mesh.links.routed import RoutedLink
from hearthway.mesh.links.router import Router
from hearthway.mesh.links.router_config import (
    RouterFile,
    _inline,
    check_router_dates,
    client_config,
    read_router,
)
from hearthway.mesh.links.router_session import RouterSession
from hearthway.mesh.links.zenoh_config import key_prefix, zenoh_config
from hearthway.mesh.links.zenoh_link import ZenohLink
from hearthway.mesh.links.zenoh_session import ZenohSession
from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.mesh.trust.certificates import new_key, request
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.mesh.wire.node import MeshNode
from hearthway.mesh.wire.sessions import Sessions
from hearthway.records.errors import HearthwayError, InputError, MeshError

pytestmark = pytest.mark.usefixtures("no_blocking")

RULES = Rules.parse(default_rules(), "default")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router_session, "MISSING_S", 0.05)


class _End:
    """A routed link and what it was told."""

    def __init__(self, identity: DeviceIdentity, listen: str) -> None:
        self.direct = ZenohLink(identity, listen=listen, now_s=time.time())
        self.link = RoutedLink(self.direct, identity)
        self.heard: list[tuple[str, bytes]] = []
        self.told: list[tuple[str, bool]] = []
        self.link.on_frame(lambda sender, frame: self.heard.append((sender, frame)))
        self.link.on_peer(lambda device_id, alive: self.told.append((device_id, alive)))
        self.link.on_ask(self._echo)

    def _echo(self, sender: str, frame: bytes) -> Awaitable[bytes]:
        self.heard.append((sender, frame))
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        reply.set_result(b"echo " + frame)
        return reply

    def via(self, device_id: str) -> str | None:
        """By which way; None where it is not there."""
        peer = self.link.peers()[device_id]
        return peer.via if peer.alive else None

    @property
    def router(self) -> RouterState:
        (state,) = self.link.routers()
        return state


@asynccontextmanager
async def _up(household: Any, *names: str) -> AsyncIterator[list[_End]]:
    ends = [_End(household.identity(n), household.addresses[n]) for n in names]
    try:
        for end in ends:
            await end.link.open()
        yield ends
    finally:
        for end in ends:
            await end.link.close()


@asynccontextmanager
async def _running(file: RouterFile) -> AsyncIterator[Router]:
    router = Router(file)
    await router.open()
    try:
        yield router
    finally:
        await router.close()


def _by(*ends: _End) -> bool:
    ids = [end.link.device_id for end in ends]
    return all(e.via(d) == "router cottage" for e in ends for d in ids if d != e.link.device_id)


def test_two_that_never_meet_reach_one_another_by_the_router(make_household: Any) -> None:
    """Frames in their order, asks among them, answers; counted; and well by the link's health."""
    household = make_household(listed=False, phone="phone", home="home")
    file = household.router("cottage", free_address())

    async def scenario() -> None:
        async with _up(household, "phone", "home") as (phone, home):
            await until(lambda: "not reachable" in phone.router.problem)
            assert phone.via("home") is None  # the control: there is no other way
            assert await phone.link.put("home", b"x", reliable=True) == 0
            with pytest.raises(MeshError, match="not reachable now"):
                await phone.link.ask("home", b"x", 1.0)
            assert not phone.link.health().ok
            async with _running(file):
                await until(lambda: _by(phone, home))
                assert phone.link.health().ok
                assert phone.router == RouterState(
                    name="cottage", addresses=(file.listen,), up=True
                )
                asked = []
                for n in range(40):
                    big = bytes([n]) * (60_000 if n % 7 == 0 else 10)
                    if n % 10 == 5:
                        asked.append(asyncio.ensure_future(phone.link.ask("home", big, 5.0)))
                        await asyncio.sleep(0)
                    else:
                        assert await phone.link.put("home", big, reliable=True) == 1
                await until(lambda: len(home.heard) == 40)
                assert [(s, f[0]) for s, f in home.heard] == [("phone", n) for n in range(40)]
                assert [a[:5] for a in await asyncio.gather(*asked)] == [b"echo "] * 4
                assert await home.link.put("phone", b"by role", reliable=False) == 1
                assert phone.link.counters()["home"] > 6 * 60_000
            await until(lambda: phone.via("home") is None and home.via("phone") is None, 3.0)
            assert phone.told == [("home", True), ("home", False)]

    asyncio.run(scenario())


def test_a_router_that_went_is_missed_and_found_again(make_household: Any) -> None:
    """An ask under way fails at once; nothing waits for its time to end."""
    household = make_household(listed=False, phone="phone", home="home")
    file = household.router("cottage", free_address())

    async def scenario() -> None:
        async with _up(household, "phone", "home") as (phone, home):
            async with _running(file):
                await until(lambda: _by(phone, home))
                never: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
                home.link.on_ask(lambda *_: never)
                asking = asyncio.ensure_future(phone.link.ask("home", b"x", 60.0))
                await asyncio.sleep(0.2)
            with pytest.raises(MeshError, match="not reachable now"):
                async with asyncio.timeout(3.0):
                    await asking
            await until(lambda: not phone.router.up, 3.0)
            async with _running(file):
                took_s = await until(lambda: _by(phone, home))
                print(f"together again {took_s:.1f} s after the router's return")

    asyncio.run(scenario())


def test_the_direct_way_is_taken_and_the_session_ends(
    make_household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router_session, "LINGER_S", 0.3)
    household = make_household(listed=False, phone="phone", home="home")
    file = household.router("cottage", free_address())

    async def scenario() -> None:
        async with _running(file), _up(household, "phone", "home") as (phone, home):
            await until(lambda: _by(phone, home))
            await asyncio.to_thread(household.root.move, "home", household.addresses["home"])
            for end in (phone, home):
                await end.link.update_roster(household.root.roster)
            await until(lambda: phone.via("home") == "" == home.via("phone"))
            assert phone.told[:3] == [("home", True), ("home", False), ("home", True)]
            assert await phone.link.put("home", b"straight", reliable=True) == 1
            await until(lambda: home.heard == [("phone", b"straight")])
            await until(lambda: not phone.router.up and not home.router.up)
            assert phone.via("home") == ""
            await home.link.close()  # and it is looked for again once somebody is missing
            await until(lambda: phone.router.up)

    asyncio.run(scenario())


def test_without_a_router_and_without_anybody_missing_nothing_is_opened(
    make_household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    real = ZenohSession.open

    async def opening(self: Any, identity: Any, config: dict[str, Any]) -> None:
        opened.append(config["mode"])
        await real(self, identity, config)

    monkeypatch.setattr(ZenohSession, "open", opening)
    monkeypatch.setattr(router_session, "MISSING_S", 2.0)  # both are here by then
    apart = make_household(listed=False, phone="phone", home="home")
    near = make_household(phone="phone", home="home")
    file = near.router("cottage", free_address())

    async def scenario() -> None:
        async with _up(apart, "phone", "home") as (phone, _):
            await asyncio.sleep(0.2)
            assert phone.link.routers() == []
            assert phone.link._sessions == {}
            assert phone.link._tasks == set()
        async with _running(file), _up(near, "phone", "home") as (phone, home):
            await until(lambda: phone.via("home") == "" == home.via("phone"))
            await asyncio.sleep(2.2)
            assert not phone.router.up
            assert set(opened) == {"peer"}
            monkeypatch.setattr(router_session, "MISSING_S", 0.05)
            await home.link.close()  # the control: now somebody is
            await until(lambda: phone.router.up)
            assert opened[-1] == "client"

    asyncio.run(scenario())


def test_a_router_that_is_removed_is_dropped_at_once(make_household: Any) -> None:
    household = make_household(listed=False, phone="phone", home="home")
    file = household.router("cottage", free_address())

    async def scenario() -> None:
        async with _running(file), _up(household, "phone", "home") as (phone, home):
            await until(lambda: _by(phone, home))
            await asyncio.to_thread(household.root.remove_router, "cottage")
            dropping = asyncio.ensure_future(phone.link.update_roster(household.root.roster))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert phone.via("home") is None
            await dropping
            assert phone.link.routers() == []
            await home.link.put("phone", b"still by the router", reliable=True)
            await asyncio.sleep(0.5)
            assert phone.heard == []
            csr = request(new_key(), "cottage")  # a new one of that name, which the old file is not
            at = [file.listen]
            await asyncio.to_thread(household.root.set_router, csr, "cottage", at, time.time())
            await phone.link.update_roster(household.root.roster)
            await until(lambda: "stands" in phone.router.problem)
            assert phone.via("home") is None

    asyncio.run(scenario())


def test_a_renewed_certificate_opens_the_session_anew(make_household: Any) -> None:
    household = make_household(listed=False, phone="phone", home="home")
    file = household.router("cottage", free_address())

    async def scenario() -> None:
        async with _running(file), _up(household, "phone", "home") as (phone, home):
            await until(lambda: _by(phone, home))
            identity = household.identity("phone")
            later_s, csr = time.time() + 60.0, identity.request()
            pem = await asyncio.to_thread(household.root.renew, csr, "phone", later_s)
            await phone.link.update_identity(
                await asyncio.to_thread(identity.with_certificate, pem, time.time())
            )
            await until(lambda: phone.told[-2:] == [("home", False), ("home", True)])
            await until(lambda: _by(phone, home))

    asyncio.run(scenario())


# -- who may be a router, and what it may ---------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["another household's", "a device's", "without us"])
def test_what_is_not_our_router_is_refused(make_household: Any, who: str) -> None:
    """By the handshake before the session, with words; the session's own access rules stand behind it, see below."""
    household = make_household(listed=False, phone="phone", home="home")
    address = free_address()
    if who == "without us":
        household.root.revoke("phone")
        wrong = household.router("cottage", address, tell=False)
        household.add("phone2", "phone", listed=False)
        word, names = "does not let this device in", ("phone2", "home")
    else:
        right = household.router("cottage", address)
        names = ("phone", "home")
        if who == "another household's":
            wrong = make_household(phone="phone", home="home").router("cottage", address)
            word = "belongs to another household"
        else:
            car = household.identity("home")
            wrong = _with_keys(right, car)
            word = "At 127.0.0.1:"

    async def scenario() -> None:
        async with _up(household, *names) as ends:
            async with _running(wrong):
                await until(lambda: word in ends[0].router.problem)
                await asyncio.sleep(1.0)
                assert ends[0].via("home") is None
            if who != "without us":  # the control
                async with _running(right):
                    await until(lambda: _by(*ends))

    asyncio.run(scenario())


def _with_keys(file: RouterFile, device: DeviceIdentity) -> RouterFile:
    """That router's configuration with a device's certificate."""
    config = json.loads(file.text)
    tls = config["transport"]["link"]["tls"]
    tls["listen_private_key_base64"] = _inline(device.key_path.read_bytes())
    tls["listen_certificate_base64"] = _inline(device.certificate_path.read_bytes())
    return msgspec.structs.replace(file, text=json.dumps(config))


def _note(into: list[str], sample: zenoh.Sample) -> None:
    into.append(str(sample.key_expr))


def _open(config: dict[str, Any]) -> zenoh.Session:
    return zenoh.open(zenoh.Config.from_json5(json.dumps(config)))


def test_a_session_takes_nothing_from_whom_the_list_does_not_name(make_household: Any) -> None:
    """As if the handshake before it had been deceived: the same client, at the router and at a device's certificate."""
    household = make_household(listed=False, phone="phone", home="home")
    right = household.router("cottage", free_address())
    phone, home = household.identity("phone"), household.identity("home")
    router = phone.roster.router("cottage")
    seen: dict[str, list[str]] = {}
    for name, file in (("device", _with_keys(right, home)), ("router", right)):
        config = json.loads(file.text)
        config["access_control"] = {"enabled": False}
        server = _open(config)
        try:
            client = _open(client_config(phone, router, right.listen))
            try:
                got = seen[name] = []
                key = f"{key_prefix(phone)}/to/phone/*"
                client.declare_subscriber(key, partial(_note, got))
                time.sleep(0.5)
                server.put(f"{key_prefix(phone)}/to/phone/home", b"Fx")
                server.put(f"{key_prefix(phone)}/to/home/phone", b"Fx")  # not for this node
                time.sleep(0.5)
            finally:
                client.close()  # type: ignore[no-untyped-call]  # zenoh's stub leaves it so
        finally:
            server.close()  # type: ignore[no-untyped-call]
    assert seen == {"device": [], "router": [f"{key_prefix(phone)}/to/phone/home"]}


def test_a_member_speaks_at_the_router_in_its_own_name_alone(make_household: Any) -> None:
    household = make_household(listed=False, phone="phone", home="home", car="car")
    file = household.router("cottage", free_address())
    car = household.identity("car")
    config = client_config(car, car.roster.router("cottage"), file.listen)
    config["access_control"] = {"enabled": False}  # a hostile client asks nobody

    async def scenario() -> None:
        async with _running(file), _up(household, "phone", "home") as (phone, home):
            await until(lambda: _by(phone, home))
            client, spy = [await asyncio.to_thread(_open, config) for _ in range(2)]
            try:
                spied: list[str] = []
                await asyncio.to_thread(
                    spy.declare_subscriber,
                    f"{key_prefix(car)}/to/**",
                    partial(_note, spied),
                )
                forged = client.liveliness().declare_token(f"{key_prefix(car)}/alive/nobody")
                for sender in ("phone", "car"):
                    client.put(f"{key_prefix(car)}/to/home/{sender}", b"Fsaid by the car")
                await home.link.put("phone", b"not for the car", reliable=True)
                await until(lambda: phone.heard == [("home", b"not for the car")])
                await until(lambda: ("car", b"said by the car") in home.heard)  # the control
                assert ("phone", b"said by the car") not in home.heard
                assert spied == []
                del forged
            finally:
                await asyncio.to_thread(client.close)
                await asyncio.to_thread(spy.close)

    asyncio.run(scenario())


def test_a_routers_certificate_opens_no_door_of_a_node(make_household: Any) -> None:
    """Nor by Zenoh, nor by a greeting; by a stream see `test_only_a_member_with_its_own_key_gets_a_stream`."""
    household = make_household(phone="phone", home="home")
    file = household.router("cottage", free_address())
    phone, home = household.identity("phone"), household.identity("home")
    rogue = household.as_device(file, "phone")

    async def scenario() -> None:
        async with _up(household, "home") as (end,):
            for identity, heard in ((rogue, []), (phone, [("phone", b"by hand")])):
                config = zenoh_config(identity, free_address())
                config["access_control"] = {"enabled": False}
                session = await asyncio.to_thread(_open, config)
                try:
                    deadline_s = time.monotonic() + (1.5 if identity is rogue else 8.0)
                    while time.monotonic() < deadline_s and len(end.heard) == 0:
                        session.put(f"{key_prefix(home)}/to/home/phone", b"Fby hand")
                        await asyncio.sleep(0.1)
                    assert end.heard[:1] == heard
                finally:
                    await asyncio.to_thread(session.close)

    asyncio.run(scenario())
    for identity, ok in ((rogue, False), (phone, True)):
        theirs, ours = Sessions(identity, time.time), Sessions(home, time.time)
        greeting = theirs.greeting("home")
        if ok:
            ours.hear_greeting("phone", greeting, answer=False)
        else:
            with pytest.raises(HearthwayError):
                ours.hear_greeting("phone", greeting, answer=False)
    with pytest.raises(HearthwayError, match="cannot be a device id"):
        DeviceIdentity.load(rogue.keys, time.time())


def test_a_hostile_router_can_deny_and_nothing_else(make_household: Any) -> None:
    """It says that the car is there and speaks in its name, to nodes that want proof; it floods; it is bounded."""
    household = make_household(listed=False, phone="phone", home="home", car="car")
    file = household.router("cottage", free_address())
    config = json.loads(file.text)
    config["access_control"] = {"enabled": False}
    prefix = key_prefix(household.identity("phone"))

    def node(name: str) -> MeshNode:
        identity = household.identity(name)
        direct = ZenohLink(identity, listen=household.addresses[name], now_s=time.time())
        return MeshNode(identity, RelayLink(RoutedLink(direct, identity)), RULES, time.time)

    async def scenario() -> None:
        rogue = await asyncio.to_thread(_open, config)
        phone, home = node("phone"), node("home")
        try:
            await phone.open()
            await home.open()
            seen: list[bytes] = []
            keep = rogue.declare_subscriber(
                f"{prefix}/to/home/*", lambda s: seen.append(s.payload.to_bytes())
            )
            token = rogue.liveliness().declare_token(f"{prefix}/alive/car")
            await phone.wait_ready(["home"], 10.0)  # the control: who proves itself is there
            await until(lambda: len(seen) > 0)
            for frame in list(seen):  # what was recorded, in the car's name and once more
                for sender in ("car", "phone"):
                    rogue.put(f"{prefix}/to/home/{sender}", frame)
            for n in range(3000):
                rogue.put(f"{prefix}/to/home/car", b"F=" + bytes([n % 256]) * 1000)
            await asyncio.sleep(1.0)
            assert not home.peers()["car"].alive
            assert not phone.peers()["car"].alive
            assert phone.ready("home") == ["home"]
            assert home.ready("phone") == ["phone"]
            del keep, token
        finally:
            await phone.close()
            await home.close()
            await asyncio.to_thread(rogue.close)

    asyncio.run(scenario())


def test_a_router_is_heard_for_nobody_who_is_near_and_only_so_much(make_household: Any) -> None:
    household = make_household(phone="phone", home="home", car="car")
    file = household.router("cottage", free_address())

    async def scenario() -> None:
        async with _running(file), _up(household, "phone", "home") as (phone, home):
            await until(lambda: phone.router.up and phone.via("home") == "")  # the car is missing
            session, _ = phone.link._sessions["cottage"]
            session._hear("home", b"Fforged")
            assert phone.heard == []
            session._hear("stranger", b"Fforged")
            assert phone.heard == []
            for _ in range(3000):
                session._hear("car", b"F" + bytes(1000))
            assert 1000 <= len(phone.heard) < 1500
            assert home.heard == []

    asyncio.run(scenario())


def test_whoever_asks_before_it_is_seen_is_answered(make_household: Any) -> None:
    """Two see one another at different moments: an answer that is lost costs a greeting its two seconds."""
    household = make_household(listed=False, phone="phone", home="home")
    file = household.router("cottage", free_address())

    async def scenario() -> None:
        async with _running(file), _up(household, "phone", "home") as (phone, home):
            await until(lambda: _by(phone, home))
            session, _ = home.link._sessions["cottage"]
            session._hear("phone", False)
            assert home.via("phone") is None
            assert await phone.link.ask("home", b"x", 2.0) == b"echo x"
            assert await home.link.put("phone", b"x", reliable=True) == 0  # the control
            assert not phone.link.is_near("home")
            assert not await phone.link.answers_near("home")
            assert phone.link.address_of("home") == ""
            assert all(isinstance(phone.link, kind) for kind in (Located, Neighbouring, Parkable))
            assert isinstance(phone.link, Renewable)  # or the neighbours' link would not pass it on

    asyncio.run(scenario())


def test_what_comes_before_the_session_is_in_use_waits_and_is_bounded(make_household: Any) -> None:
    household = make_household(listed=False, phone="phone")
    file = household.router("cottage", "127.0.0.1:1")
    identity = household.identity("phone")
    heard: list[tuple[str, bytes | bool]] = []

    async def scenario() -> None:
        def hear(_: Any, device_id: str, content: bytes | bool) -> None:
            heard.append((device_id, content))

        router = household.root.roster.router(file.name)
        session = RouterSession(router, identity, hear, lambda _: None)
        session._hear("car", True)
        assert session._early == []  # no session, nothing is heard
        session._zenoh = ZenohSession("phone", "127.0.0.1:1", session._hear)
        for _ in range(3000):
            session._hear("car", bytes(100))
        assert 1000 <= len(session._early) < 1500
        session._let_in = True
        session._hear("car", True)
        assert heard == [("car", True)]
        session._zenoh.abandon()

    asyncio.run(scenario())


def test_an_allowance_refills() -> None:
    allowance = Allowance(at_s=time.monotonic())
    assert sum(allowance.take(10) for _ in range(5000)) < 1200
    allowance.at_s -= 1.0
    assert 400 < sum(allowance.take(10) for _ in range(5000)) < 700
    assert not Allowance().take(9 * 1024 * 1024)


# -- its file ------------------------------------------------------------------------------------------------------------


def test_a_file_that_is_none_is_said(make_household: Any) -> None:
    household = make_household(phone="phone")
    file = household.router("cottage", "10.0.0.1:7447")
    assert read_router(file.text.encode()).members == {"phone"}
    good = json.loads(file.text)

    def without(*path: str, value: Any = None) -> bytes:
        config = json.loads(file.text)
        at = config
        for part in path[:-1]:
            at = at[part]
        at[path[-1]] = value
        return json.dumps(config).encode()

    tls = ("transport", "link", "tls")
    other = json.loads(household.router("other", "10.0.0.1:1").text)
    for bad in (
        b"",
        b"\xff",
        b"[" * 100_000,
        b"{}",
        b"null",
        file.text.encode() + b" " * (1 << 20),
        *(without(key) for key in good),
        without("mode", value="peer"),
        without(*tls, "enable_mtls", value=False),
        without(*tls, "listen_private_key_base64", value="!"),
        without(
            *tls,
            "listen_certificate_base64",
            value=other["transport"]["link"]["tls"]["listen_certificate_base64"],
        ),
        without("transport", "link", "protocols", value=["tls", "tcp"]),
        without("access_control", "enabled", value=False),
        without("access_control", "default_permission", value="allow"),
        without("listen", "endpoints", value=["tls/nowhere"]),
        without("listen", "endpoints", value=["tls/0.0.0.0:1", "tcp/0.0.0.0:2"]),
    ):
        if bad in (without("adminspace"), without("scouting")):
            continue  # zenoh's own defaults, or its refusal
        with pytest.raises(InputError) as why:
            read_router(bad)
        assert "hearthway router add" in why.value.next_step
    now_s = time.time()
    check_router_dates(file, now_s + 364 * 86_400.0)
    with pytest.raises(InputError, match="expired") as why:
        check_router_dates(file, now_s + 366 * 86_400.0)
    assert "hearthway router add cottage" in why.value.next_step
    with pytest.raises(InputError, match="valid only from") as why:
        check_router_dates(file, now_s - 86_400.0)
    assert "clock" in why.value.next_step


def test_a_port_that_is_taken_is_said(make_household: Any) -> None:
    file = make_household(phone="phone").router("cottage", free_address())

    async def scenario() -> None:
        async with _running(file):
            with pytest.raises(MeshError, match="Another program listens"):
                await Router(file).open()

    asyncio.run(scenario())
