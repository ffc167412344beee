"""The stream between two nodes: who gets one, what ends it, and that changing the way loses and reorders nothing."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import msgspec
import pytest
from tests.waiting import until

from hearthway.mesh.links.probe import split_address
from hearthway.mesh.links.stream import PORT_OFFSET, Stream, Streams, _unheard_s
from hearthway.mesh.links.ways import Ways
from hearthway.mesh.links.zenoh_link import ZenohLink
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.records.errors import MeshError

pytestmark = pytest.mark.usefixtures("no_blocking")


class _End:
    """One node's streams, and what became of them."""

    def __init__(self, identity: DeviceIdentity, now: Callable[[], float] = time.time) -> None:
        self.up: list[Stream] = []
        self.got: list[bytes] = []
        self.lost: list[Stream] = []
        self.streams = Streams(
            identity,
            identity.address,
            now,
            up=self.up.append,
            deliver=lambda _s, payload: self.got.append(payload),
            lost=self.lost.append,
        )


@asynccontextmanager
async def _ends(*ends: _End) -> AsyncIterator[None]:
    try:
        for end in ends:
            await end.streams.open()
        yield
    finally:
        for end in ends:
            await end.streams.close()


def test_a_stream_carries_frames_of_any_size_in_order_both_ways(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")
    car, phone = household.identity("car"), household.identity("phone")

    async def scenario() -> None:
        a, b = _End(car), _End(phone)
        async with _ends(a, b):
            await a.streams.dial("phone", phone.address)
            await until(lambda: a.up != [] and b.up != [])
            assert (a.up[0].device_id, b.up[0].device_id) == ("phone", "car")
            assert (a.up[0].dialled, b.up[0].dialled) == (True, False)
            frames = [bytes([n % 251]) * size for n, size in enumerate([1, 3, 70_000, 2, 1 << 20])]
            frames += [b"%d" % n for n in range(500)]
            for frame in frames:
                assert await a.up[0].send(frame)
                assert await b.up[0].send(frame)
            await until(lambda: len(b.got) == len(frames) == len(a.got))
            assert a.got == frames == b.got
            a.up[0].close()
            await until(lambda: b.lost == b.up and a.lost == a.up)
            assert not a.up[0].write(b"x")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "who", ["foreign root", "not on the roster", "another key", "itself", "a router"]
)
def test_only_a_member_with_its_own_key_gets_a_stream(make_household: Any, who: str) -> None:
    household = make_household(phone="phone", car="car", home="home")
    car, phone = household.identity("car"), household.identity("phone")
    if who == "foreign root":
        other = make_household(car="car").identity("car")
        dialler = replace(other, roster=phone.roster)
    elif who == "not on the roster":
        household.root.revoke("car")
        phone = replace(phone, roster=household.root.roster)
        dialler = car
    elif who == "another key":
        members = tuple(
            msgspec.structs.replace(m, public_key=phone.roster.members[1].public_key)
            if m.device_id == "car"
            else m
            for m in phone.roster.members
        )
        phone = replace(phone, roster=msgspec.structs.replace(phone.roster, members=members))
        dialler = car
    elif who == "a router":
        dialler = household.as_device(household.router("cottage", "127.0.0.1:1"), "car")
        phone = household.identity("phone")
    else:
        dialler = phone

    async def scenario() -> None:
        a, b, control = _End(dialler), _End(phone), _End(household.identity("home"))
        await b.streams.open()
        await a.streams.use_identity(dialler)
        await control.streams.use_identity(control.streams.identity)
        try:
            with pytest.raises(MeshError, match="No stream"):
                await a.streams.dial("phone", phone.address)
            assert a.up == b.up == []
            await control.streams.dial("phone", phone.address)
            await until(lambda: [s.device_id for s in b.up] == ["home"])
        finally:
            for end in (a, b, control):
                await end.streams.close()

    asyncio.run(scenario())


def test_whoever_answers_must_be_the_device_that_was_dialled(make_household: Any) -> None:
    household = make_household(phone="phone", car="car", home="home")

    async def scenario() -> None:
        a, b = _End(household.identity("car")), _End(household.identity("phone"))
        async with _ends(a, b):
            with pytest.raises(MeshError, match="No stream"):
                await a.streams.dial("home", household.addresses["phone"])
            assert a.up == []

    asyncio.run(scenario())


def test_knocking_without_a_certificate_old_tls_and_noise_are_turned_away(
    make_household: Any,
) -> None:
    household = make_household(phone="phone", car="car")
    phone, car = household.identity("phone"), household.identity("car")
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname, bare.verify_mode = False, ssl.CERT_NONE
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old.load_cert_chain(car.certificate_path, car.key_path)

    async def scenario() -> None:
        a, b = _End(car), _End(phone)
        async with _ends(a, b):
            host, port = split_address(phone.address)
            for context in (bare, old):
                with suppress(OSError):  # TLS 1.3: the refusal may come after the handshake
                    reader, writer = await asyncio.open_connection(
                        host, port + PORT_OFFSET, ssl=context, server_hostname=""
                    )
                    with suppress(OSError):
                        assert await reader.read(100) == b""
                    writer.transport.abort()
            for noise in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 70_000):
                reader, writer = await asyncio.open_connection(host, port + PORT_OFFSET)
                writer.write(noise)
                writer.write_eof()
                with suppress(OSError):
                    await reader.read()
                writer.transport.abort()
            crowd = [await asyncio.open_connection(host, port + PORT_OFFSET) for _ in range(60)]
            await asyncio.sleep(0.1)
            assert 0 < len(b.streams._knocking) <= 32
            for _, writer in crowd:
                writer.transport.abort()
            await until(lambda: not b.streams._knocking)
            assert b.up == []
            await a.streams.dial("phone", phone.address)  # the control: the door still opens
            await until(lambda: b.up != [])

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("who", "says"),
    [
        ("nobody", "ConnectionRefusedError"),
        ("silent", "TimeoutError"),
        ("cut", "ConnectionResetError"),
        ("no tls", "SSLError"),
        ("stranger", "SSLCertVerificationError"),
        ("another", "WireError"),
        ("has no list", "ConnectionResetError"),
    ],
)
def test_a_dial_that_fails_says_why(
    make_household: Any, monkeypatch: pytest.MonkeyPatch, who: str, says: str
) -> None:
    household = make_household(phone="phone", car="car", home="home")
    car, there = household.identity("car"), household.identity("phone")
    monkeypatch.setattr("hearthway.mesh.links.stream.HANDSHAKE_S", 0.3 if who == "silent" else 5.0)
    if who == "stranger":
        there = make_household(phone="phone").identity("phone")
    elif who == "has no list":  # it does not know us
        members = tuple(m for m in there.roster.members if m.device_id != "car")
        there = replace(there, roster=msgspec.structs.replace(there.roster, members=members))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        if who == "no tls":
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        if who != "cut":
            with suppress(OSError):
                await reader.read()
        writer.close()

    async def scenario() -> None:
        a, b = _End(car), _End(there)
        host, port = split_address(there.address)
        await a.streams.open()
        server = None
        if who in ("silent", "cut", "no tls"):
            server = await asyncio.start_server(answer, host, port + PORT_OFFSET)
        elif who != "nobody":
            await b.streams.open()
        try:
            asked = "home" if who == "another" else "phone"
            with pytest.raises(MeshError) as refused:
                await a.streams.dial(asked, there.address)
            assert refused.value.message == f"No stream to {asked}: {says}."
            assert not a.up
            assert not a.streams._standing
        finally:
            if server is not None:
                server.close()
            for end in (a, b):
                await end.streams.close()

    asyncio.run(scenario())
    gc.collect()  # what was left open would warn here


def test_a_door_that_is_given_up_while_it_opens_leaves_its_port(
    make_household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listener stands already, and asyncio has not handed it over yet."""
    household = make_household(car="car")
    begin = asyncio.Server._start_serving  # type: ignore[attr-defined]  # where a task can be cancelled next

    async def scenario() -> None:
        end = _End(household.identity("car"))
        opening = asyncio.create_task(end.streams.open())

        def given_up(server: asyncio.Server) -> None:
            begin(server)
            opening.cancel()

        monkeypatch.setattr(asyncio.Server, "_start_serving", given_up)
        with pytest.raises(asyncio.CancelledError):
            await opening
        await end.streams.close()

    asyncio.run(scenario())
    gc.collect()  # what was left open would warn here


def test_whoever_knocks_and_proves_nothing_is_let_go_in_time(
    make_household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    household = make_household(phone="phone", car="car")
    car, phone = household.identity("car"), household.identity("phone")
    monkeypatch.setattr("hearthway.mesh.links.stream.HANDSHAKE_S", 0.3)

    async def scenario() -> None:
        a, b = _End(car), _End(phone)
        async with _ends(a, b):
            host, port = split_address(phone.address)
            for said in (b"", b"\x16\x03\x01"):
                reader, writer = await asyncio.open_connection(host, port + PORT_OFFSET)
                writer.write(said)
                await until(lambda: len(b.streams._knocking) == 1)
                async with asyncio.timeout(4.0):
                    with suppress(ConnectionResetError):
                        assert await reader.read() == b""
                writer.close()
                assert not b.streams._knocking
            monkeypatch.setattr("hearthway.mesh.links.stream.HANDSHAKE_S", 5.0)
            await a.streams.dial("phone", phone.address)  # the control: who proves itself stays
            await until(lambda: b.up != [])
            expiry = b.up[0]._expiry
            assert expiry is not None
            assert expiry.when() - asyncio.get_running_loop().time() > 86_400.0

    asyncio.run(scenario())


def test_one_member_has_eight_streams_and_for_a_ninth_loses_its_oldest(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")
    car, phone = household.identity("car"), household.identity("phone")

    async def scenario() -> None:
        a, b = _End(car), _End(phone)
        async with _ends(a, b):
            for count in range(1, 10):
                await a.streams.dial("phone", phone.address)
                await until(lambda count=count: len(b.up) == count)  # type: ignore[misc]
                assert b.lost == b.up[: max(0, count - 8)]

    asyncio.run(scenario())


def test_what_piles_up_for_nobody_who_reads_ends_the_stream(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")
    car, phone = household.identity("car"), household.identity("phone")

    async def scenario() -> None:
        a, b = _End(car), _End(phone)
        async with _ends(a, b):
            await a.streams.dial("phone", phone.address)
            await until(lambda: b.up != [])
            b.up[0].hold()
            stream, written = a.up[0], 0
            while stream.write(bytes(64_000)):
                written += 64_000
                assert written < 64 << 20
            assert stream.closed
            assert a.lost == [stream]
            assert written > 8 << 20
            assert not stream.write(b"x")

    asyncio.run(scenario())


@pytest.mark.parametrize("turns", range(8))
def test_whoever_knocks_while_the_door_closes_is_let_go(make_household: Any, turns: int) -> None:
    """However far its admission had come: nothing of it stays open."""
    identity = make_household(phone="phone", car="car").identity("phone")

    async def main() -> None:
        end = _End(identity)
        await end.streams.open()
        host, port = split_address(identity.address)
        with socket.create_connection((host, port + PORT_OFFSET), 1.0) as wire:
            for _ in range(turns):
                await asyncio.sleep(0)
            await end.streams.close()
            await asyncio.sleep(0.02)
            with suppress(ConnectionResetError):
                assert wire.recv(1) == b""

    asyncio.run(main())
    gc.collect()  # what was left open would warn here


async def _speak_early(identity: DeviceIdentity, at: tuple[str, int], early: bytes) -> bytes:
    """Dials, and says something in the same packet that ends the handshake; what is read until the other side ends it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(identity.ca_path)
    context.load_cert_chain(identity.certificate_path, identity.key_path)
    come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(come, go)
    reader, writer = await asyncio.open_connection(*at)
    try:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(go.read())
                come.write(await reader.read(1 << 16))
        tls.write(early)
        writer.write(go.read())
        said = b""
        async with asyncio.timeout(4.0):
            while data := await reader.read(1 << 16):
                come.write(data)
                with suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                    said += tls.read(1 << 16)
                if said:  # welcome
                    return said
        return said
    finally:
        writer.close()


@pytest.mark.parametrize("member", [True, False])
def test_what_was_said_with_the_last_of_the_handshake_is_heard_of_members_only(
    make_household: Any, member: bool
) -> None:
    """It comes in the same packet, so it is read in the very turn in which its sender is checked."""
    household = make_household(phone="phone", car="car")
    car, phone = household.identity("car"), household.identity("phone")
    if not member:
        household.root.revoke("car")
        phone = replace(phone, roster=household.root.roster)

    async def scenario() -> None:
        end = _End(phone)
        async with _ends(end):
            host, port = split_address(phone.address)
            at = (host, port + PORT_OFFSET)
            early = (5).to_bytes(4, "big") + b"early"
            with suppress(ConnectionResetError):
                said = await _speak_early(car, at, early)
                assert (said != b"") == member
            if member:
                await until(lambda: end.got == [b"early"])
                assert len(end.up) == 1
            else:
                await until(lambda: not end.streams._knocking)
                assert not end.up
                assert not end.got
                assert not end.streams._standing  # nothing is kept of it

    asyncio.run(scenario())


def test_a_frame_of_impossible_size_ends_the_stream(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        a, b = _End(household.identity("car")), _End(household.identity("phone"))
        async with _ends(a, b):
            for bad in (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x00\x50\x00\x00"):
                await a.streams.dial("phone", household.addresses["phone"])
                await until(lambda: len(b.up) == len(b.lost) + 1)
                a.up[-1].say(bad)
                await until(lambda: len(b.up) == len(b.lost))
            assert b.got == []

    asyncio.run(scenario())


def test_a_stream_ends_with_the_certificate_and_with_the_roster(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")
    car, phone = household.identity("car"), household.identity("phone")
    ends_s = car.certificate.not_valid_after_utc.timestamp()

    async def scenario() -> None:
        a, b = _End(car), _End(phone, lambda: ends_s - 0.3)
        async with _ends(a, b):
            await a.streams.dial("phone", phone.address)
            await until(lambda: b.up != [])
            assert 0.1 < await until(lambda: b.lost == b.up, 3.0) < 2.0
        a, b = _End(car), _End(phone)
        async with _ends(a, b):
            await a.streams.dial("phone", phone.address)
            await until(lambda: b.up != [])
            await asyncio.to_thread(household.root.revoke, "car")
            b.streams.use_roster(replace(phone, roster=household.root.roster))
            assert b.up[0].closed  # in this very turn
            assert b.lost == b.up

    asyncio.run(scenario())


@pytest.mark.parametrize("turns", range(5))
def test_who_is_put_out_while_the_certificate_is_renewed_stays_out(
    make_household: Any, turns: int
) -> None:
    """Reading the new files takes a moment; the list of devices that stood at its beginning is not gone back to."""
    household = make_household(phone="phone", car="car", home="home")
    car, home, phone = (household.identity(name) for name in ("car", "home", "phone"))
    household.root.revoke("car")
    roster = household.root.roster

    async def scenario() -> None:
        link = ZenohLink(phone, listen=phone.address, now_s=time.time())
        streams = link._ways.streams
        renewing = asyncio.create_task(link.update_identity(phone))
        for _ in range(turns):
            await asyncio.sleep(0)
        await link.update_roster(roster)
        await renewing
        assert link.roster == streams.identity.roster == link._ways.identity.roster == roster
        await streams.open()
        try:
            others = _End(home), _End(car)
            async with _ends(*others):
                await others[0].streams.dial("phone", phone.address)  # the control
                with pytest.raises(MeshError):
                    await others[1].streams.dial("phone", phone.address)
        finally:
            await streams.close()

    asyncio.run(scenario())


def test_a_peer_that_reads_nothing_costs_a_bounded_time_and_memory(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")
    car, phone = household.identity("car"), household.identity("phone")

    async def scenario() -> None:
        async def by_zenoh(_d: str, _p: bytes, _reliable: bool) -> bool:
            return True

        ways = Ways(
            car,
            car.address,
            time.time,
            by_zenoh=by_zenoh,
            deliver=lambda *_: None,
            stands=lambda _d: None,
            broke=lambda *_: None,
        )
        b = _End(phone)
        await b.streams.open()
        await ways.open()
        try:
            await ways.meet("phone")
            stream = ways.stream("phone")
            assert stream is not None
            await until(lambda: b.up != [])
            b.up[0].hold()
            start_s = time.monotonic()
            sent = await _fill(ways)
            assert time.monotonic() - start_s < 6.0
            assert sent < 1000
            assert not stream.writable
            start_s = time.monotonic()
            assert await ways.send("phone", b"x", reliable=False) == (False, None)
            assert time.monotonic() - start_s < 0.5
            start_s = time.monotonic()
            results = await asyncio.gather(
                *(ways.send("phone", b"y" * 1_000_000) for _ in range(100)), return_exceptions=True
            )
            assert time.monotonic() - start_s < 6.0
            assert all(isinstance(r, MeshError) for r in results)
            assert ways.way("phone").waiting_bytes == 0
            b.up[0].release()
            await until(lambda: stream.writable)
            assert (await ways.send("phone", b"z"))[1] is stream
            await until(lambda: b.got != [] and b.got[-1] == b"z")
        finally:
            await ways.close()
            await b.streams.close()

    asyncio.run(scenario())


async def _fill(ways: Ways) -> int:
    """How many frames of 64 kB were taken before one found the wire full."""
    for sent in range(2000):
        try:
            await ways.send("phone", b"x" * 64_000)
        except MeshError:
            return sent
    raise AssertionError("never full")


@pytest.mark.parametrize(
    ("probes", "unacked", "unheard_s"),
    [(0, 0, None), (0, 2, 3.5), (3, 0, 3.5), (1, 0, 0.0)],
    ids=["nothing", "no-answer", "cannot-leave", "full"],
)
def test_what_the_kernel_says_of_a_wire(probes: int, unacked: int, unheard_s: float | None) -> None:
    """Unanswered probes are a dead wire, one alone is a reader that is full (as Linux 6.18 said of both)."""

    class Wire:
        def getsockopt(self, *_: int) -> bytes:
            numbers = [0] * 13
            numbers[4], numbers[12] = unacked, 3500
            return struct.pack("=4B4x13I", 1, 0, 0, probes, *numbers)

    transport = Mock(get_extra_info=lambda _: Wire())
    assert _unheard_s(transport) == unheard_s


@pytest.mark.parametrize(
    ("unheard_s", "cut"), [(9.0, True), (None, False), (0.0, False)], ids=["cut", "heard", "soon"]
)
def test_what_nobody_acknowledges_ends_a_stream(
    make_household: Any, monkeypatch: pytest.MonkeyPatch, unheard_s: float | None, cut: bool
) -> None:
    """By what the kernel says of it; where all was heard, or something a moment ago, the stream stays."""
    household = make_household(phone="phone", car="car")
    car, phone = household.identity("car"), household.identity("phone")

    async def scenario() -> None:
        a, b = _End(car), _End(phone)
        async with _ends(a, b):
            await a.streams.dial("phone", phone.address)
            await until(lambda: a.up != [] and b.up != [])
            transport = a.up[0]._transport
            assert transport is not None
            assert a.up[0].write(b"x")
            await until(lambda: b.got == [b"x"])
            await asyncio.sleep(0.1)
            assert _unheard_s(transport) is None  # the kernel's own word: nothing is under way
            b.up[0].hold()
            for _ in range(200):
                a.up[0].write(b"x" * 64_000)
            await asyncio.sleep(0.5)
            assert (_unheard_s(transport) or 0.0) < 0.5  # full, but not cut
            monkeypatch.setattr("hearthway.mesh.links.stream._UNHEARD_S", 0.05)
            monkeypatch.setattr("hearthway.mesh.links.stream._unheard_s", lambda _: unheard_s)
            b.up[0].release()
            await a.streams.dial("phone", phone.address)
            await until(lambda: len(a.up) == 2)
            a.up[1].write(b"y")
            await asyncio.sleep(0.2)
            assert a.up[1].closed == cut

    asyncio.run(scenario())
