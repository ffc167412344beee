"""Pairing by code: what works, and every way it must not."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spake2 import SPAKE2_B

from hearthway.mesh import pairing
from hearthway.mesh.identity import DeviceIdentity, HouseholdRoot
from hearthway.mesh.pairing import PairedHousehold, PairingServer, new_code, pair
from hearthway.mesh.roster import Member
from hearthway.records import codec
from hearthway.records.errors import IdentityError, PairingError, WireError

pytestmark = pytest.mark.usefixtures("no_blocking")

CODE, WRONG = "123456", "654321"


def _server(root: HouseholdRoot, **more: Any) -> PairingServer:
    settings: dict[str, Any] = {"host": "127.0.0.1", "port": 0, "code": CODE, "now": time.time}
    return PairingServer(root, **settings | more)


async def _pair(address: str, keys: Path, code: str = CODE, **more: Any) -> PairedHousehold:
    settings: dict[str, Any] = {
        "device_id": "phone",
        "role": "phone",
        "listen": "127.0.0.1:7447",
        "now_s": time.time(),
    }
    return await pair(address, code, keys=keys, **settings | more)


@pytest.fixture(name="root")
def _root(make_household: Any) -> HouseholdRoot:
    root: HouseholdRoot = make_household(home="home").root
    return root


def test_the_right_code_makes_a_member(root: HouseholdRoot, tmp_path: Path) -> None:
    joined: list[Member] = []

    async def scenario() -> None:
        async with _server(root, on_paired=joined.append) as server:
            paired = await _pair(server.address, tmp_path / "phone", "123 456")
            assert paired.name == "Test"
            assert [m.device_id for m in paired.roster.members] == ["home", "phone"]
            assert paired.roster.by_role("phone")[0].address == "127.0.0.1:7447"
            await asyncio.sleep(0.05)

    asyncio.run(scenario())
    identity = DeviceIdentity.load(tmp_path / "phone", time.time())
    assert (identity.device_id, identity.role) == ("phone", "phone")
    assert identity.household_id == root.household_id
    assert [m.device_id for m in joined] == ["phone"]
    assert identity.roster == root.roster


def test_closing_the_door_lets_what_follows_pairing_finish(
    root: HouseholdRoot, tmp_path: Path
) -> None:
    done = []

    async def follow(member: Member) -> None:
        await asyncio.sleep(0.2)
        done.append(member.device_id)

    async def fail(_: Member) -> None:
        raise PairingError("It went wrong afterwards.")

    async def scenario() -> None:
        async with _server(root, on_paired=follow) as server:
            await _pair(server.address, tmp_path / "phone")
        assert done == ["phone"]
        with pytest.raises(PairingError, match="afterwards"):
            async with _server(root, on_paired=fail) as server:
                await _pair(server.address, tmp_path / "phone")

    asyncio.run(scenario())


def test_a_wrong_code_says_what_it_may_be_and_what_is_left(
    root: HouseholdRoot, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with _server(root) as server:
            with pytest.raises(PairingError) as caught:
                await _pair(server.address, tmp_path / "phone", WRONG)
            assert "mistyped" in caught.value.message
            assert "in between" in caught.value.message
            assert "4 attempts are left" in caught.value.message
            assert server.attempts_left == 4
            assert not (tmp_path / "phone" / "device.pem").exists()
            await _pair(server.address, tmp_path / "phone")  # the control

    asyncio.run(scenario())


def test_five_wrong_codes_close_the_door_even_for_the_right_one(
    root: HouseholdRoot, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with _server(root) as server:
            for _ in range(5):
                with pytest.raises(PairingError, match="does not match"):
                    await _pair(server.address, tmp_path / "phone", WRONG)
            with pytest.raises(PairingError, match="Too many wrong codes"):
                await _pair(server.address, tmp_path / "phone")

    asyncio.run(scenario())
    assert root.roster.member("phone") is None


def test_parallel_guesses_share_the_attempts(root: HouseholdRoot, tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        async with _server(root, attempts=3) as server:
            results = await asyncio.gather(
                *(_pair(server.address, tmp_path / f"d{n}", WRONG) for n in range(8)),
                return_exceptions=True,
            )
            assert server.attempts_left == 0
            return [r.message for r in results if isinstance(r, PairingError)]

    words = asyncio.run(scenario())
    assert len(words) == 8
    assert sum("does not match" in w for w in words) == 3


def test_of_two_devices_racing_one_gets_in(root: HouseholdRoot, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with _server(root) as server:
            results = await asyncio.gather(
                _pair(server.address, tmp_path / "a", device_id="a"),
                _pair(server.address, tmp_path / "b", device_id="b"),
                return_exceptions=True,
            )
            failed = [r for r in results if isinstance(r, BaseException)]
            assert len(failed) == 1
            assert isinstance(failed[0], PairingError)
            assert "used" in failed[0].message

    asyncio.run(scenario())
    assert len(root.roster.members) == 2  # home and one of them


def test_a_code_works_once_and_not_for_ever(root: HouseholdRoot, tmp_path: Path) -> None:
    clock_s = [time.time()]

    async def scenario() -> None:
        async with _server(root) as server:
            await _pair(server.address, tmp_path / "phone")
            with pytest.raises(PairingError, match="used"):
                await _pair(server.address, tmp_path / "car", device_id="car", role="car")
        async with _server(root, now=lambda: clock_s[0], valid_s=60.0) as server:
            clock_s[0] += 61.0
            with pytest.raises(PairingError, match="expired"):
                await _pair(server.address, tmp_path / "car", device_id="car", role="car")
            clock_s[0] -= 2.0
            await _pair(server.address, tmp_path / "car", device_id="car", role="car")

    asyncio.run(scenario())


def test_a_device_pairs_again_with_its_own_key_but_nobody_takes_its_id(
    root: HouseholdRoot, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with _server(root) as server:
            await _pair(server.address, tmp_path / "phone")
        async with _server(root) as server:
            await _pair(server.address, tmp_path / "phone", listen="127.0.0.1:9")
        async with _server(root) as server:
            with pytest.raises(PairingError, match="Another device"):
                await _pair(server.address, tmp_path / "thief")
            await _pair(server.address, tmp_path / "other", device_id="other")  # not spent by that

    asyncio.run(scenario())
    assert root.roster.by_role("phone")[-1].address == "127.0.0.1:9"


@pytest.mark.parametrize("role", ["venue", "root"])
def test_only_members_roles_pair(root: HouseholdRoot, tmp_path: Path, role: str) -> None:
    with pytest.raises(IdentityError, match="role"):
        asyncio.run(_pair("127.0.0.1:1", tmp_path / "x", role=role))


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "１２３４５６"])
def test_what_is_no_code(root: HouseholdRoot, tmp_path: Path, code: str) -> None:
    with pytest.raises(PairingError, match="six digits"):
        asyncio.run(_pair("127.0.0.1:1", tmp_path / "x", code))
    with pytest.raises(PairingError, match="six digits"):
        _server(root, code=code)


def test_nobody_at_the_address_is_a_sentence(root: HouseholdRoot, tmp_path: Path) -> None:
    with pytest.raises(PairingError, match="No home is pairing"):
        asyncio.run(_pair("127.0.0.1:1", tmp_path / "x"))
    with pytest.raises(PairingError, match="no port"):
        asyncio.run(_pair("localhost", tmp_path / "x"))


def test_a_taken_port_is_a_sentence(root: HouseholdRoot) -> None:
    async def scenario() -> None:
        async with _server(root) as server:
            port = int(server.address.rpartition(":")[2])
            with pytest.raises(PairingError, match="cannot listen"):
                await _server(root, port=port).open()

    asyncio.run(scenario())


def test_codes_are_six_digits_and_all_of_them() -> None:
    codes = [new_code(random.Random(seed)) for seed in range(50)] + [new_code()]
    assert all(len(c) == 6 and c.isdigit() for c in codes)
    assert any(c.startswith("0") for c in (new_code(random.Random(s)) for s in range(200)))


# -- a machine in the middle ---------------------------------------------------------------------

Tamper = Callable[[int, bytes], bytes]  # (number of the frame, counted over both ways; the frame)


async def _relay(target: str, tamper: Tamper) -> tuple[asyncio.Server, list[bytes]]:
    """A machine in the middle that sees every frame, and may change it."""
    host, _, port = target.rpartition(":")
    seen: list[bytes] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readexactly(4)
                body = await reader.readexactly(int.from_bytes(head, "big"))
                seen.append(body)
                body = tamper(len(seen) - 1, body)
                writer.write(len(body).to_bytes(4, "big") + body)
                await writer.drain()
        except (EOFError, OSError):
            writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward, back = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pump(reader, back), pump(onward, writer))

    return await asyncio.start_server(connected, "127.0.0.1", 0), seen


async def _through(server: asyncio.Server, work: Callable[[str], Awaitable[Any]]) -> Any:
    address = "127.0.0.1:" + str(server.sockets[0].getsockname()[1])
    try:
        return await work(address)
    finally:
        server.close()
        await asyncio.sleep(0.02)


def test_a_silent_relay_changes_nothing_and_learns_nothing(
    root: HouseholdRoot, tmp_path: Path
) -> None:
    async def scenario() -> list[bytes]:
        async with _server(root) as server:
            relay, seen = await _relay(server.address, lambda _n, body: body)
            await _through(relay, lambda a: _pair(a, tmp_path / "phone"))
            return seen

    seen = asyncio.run(scenario())
    assert len(seen) == 7
    assert not any(b"BEGIN CERTIFICATE" in frame or CODE.encode() in frame for frame in seen)


@pytest.mark.parametrize("frame", range(7))
@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_one_flipped_bit_in_any_frame_stops_pairing(
    root: HouseholdRoot, tmp_path: Path, frame: int, where: str
) -> None:
    def tamper(number: int, body: bytes) -> bytes:
        if number != frame:
            return body
        at = {"first": 0, "middle": len(body) // 2, "last": len(body) - 1}[where]
        return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]

    async def scenario() -> None:
        async with _server(root) as server:
            relay, _ = await _relay(server.address, tamper)
            with pytest.raises((PairingError, IdentityError)) as caught:
                await _through(relay, lambda a: _pair(a, tmp_path / "phone"))
            assert caught.value.message
            assert server.attempts_left >= 4
            if server.attempts_left == 5 and root.roster.member("phone") is None:
                await _pair(server.address, tmp_path / "phone")  # the door is still open

    asyncio.run(scenario())
    if frame < 6:  # the last frame is the certificate: the home has admitted the device by then
        assert frame != 5 or root.roster.member("phone") is not None


def test_a_replayed_conversation_pairs_nobody(root: HouseholdRoot, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with _server(root) as server:
            relay, seen = await _relay(server.address, lambda _n, body: body)
            await _through(relay, lambda a: _pair(a, tmp_path / "phone"))
        before = root.roster
        async with _server(root) as server:  # even with the same code
            host, _, port = server.address.rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            for number in (1, 3, 5):  # the device's frames
                await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
                writer.write(len(seen[number]).to_bytes(4, "big") + seen[number])
                await writer.drain()
                if number == 3:
                    break
            head = await reader.readexactly(4)
            answer = await reader.readexactly(int.from_bytes(head, "big"))
            assert b"code" in answer
            assert server.attempts_left == 4
            writer.close()
        assert root.roster == before

    asyncio.run(scenario())


def test_a_home_that_does_not_know_the_code_is_found_out(
    make_household: Any, root: HouseholdRoot, tmp_path: Path
) -> None:
    """A machine that plays the home: it takes the device's confirmation and sends one of its own making."""
    impostor = make_household(home="home").root

    async def scenario() -> None:
        async with _server(impostor, code=WRONG) as server:
            relay, _ = await _relay(server.address, lambda _n, body: body)
            with pytest.raises(PairingError, match="does not match"):
                await _through(relay, lambda a: _pair(a, tmp_path / "phone"))
        # the same machine, forging "confirmed" instead of a refusal
        async with _server(impostor, code=WRONG) as server:

            def forge(number: int, body: bytes) -> bytes:
                return codec.pack(pairing._Answer(b"\0" * 32)) if number == 4 else body

            relay, _ = await _relay(server.address, forge)
            with pytest.raises(PairingError, match="does not know the code"):
                await _through(relay, lambda a: _pair(a, tmp_path / "phone"))

    asyncio.run(scenario())
    assert not (tmp_path / "phone" / "ca.pem").exists()


# -- hostile input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x00",
        b"\x00\x00\x00\x05abcde",
        b"\x00\x00\x00\x01\xc0",
        (60_000).to_bytes(4, "big") + b"\x91" * 60_000,
    ],
)
def test_garbage_costs_no_attempt(root: HouseholdRoot, tmp_path: Path, data: bytes) -> None:
    async def scenario() -> None:
        async with _server(root) as server:
            host, _, port = server.address.rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(data)
            if writer.can_write_eof():
                writer.write_eof()
            await asyncio.wait_for(reader.read(-1), 3)
            writer.close()
            assert server.attempts_left == 5
            await _pair(server.address, tmp_path / "phone")

    asyncio.run(scenario())


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=40) | st.binary(min_size=32, max_size=32).map(lambda b: b"A" + b))
def test_a_key_share_is_taken_or_refused_and_nothing_else(message: bytes) -> None:
    side = SPAKE2_B(CODE.encode())
    side.start()
    with suppress(WireError):
        assert len(pairing._finish_spake(side, message)) == 32


def test_a_garbage_home_is_a_sentence(tmp_path: Path) -> None:
    async def answer(data: bytes) -> str:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(data)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        with pytest.raises(PairingError) as caught:
            await _through(server, lambda a: _pair(a, tmp_path / "phone"))
        return caught.value.message

    async def scenario() -> None:
        for data in (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\1\xc0", b"\0\0\0\5ab"):
            assert (await answer(data)).endswith(".")

    asyncio.run(scenario())


def test_slow_ones_are_cut_off_and_hold_nobody_up(
    root: HouseholdRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairing, "_STEP_S", 0.5)

    async def scenario() -> None:
        async with _server(root) as server:
            host, _, port = server.address.rpartition(":")
            slow = [await asyncio.open_connection(host, int(port)) for _ in range(4)]
            for _, writer in slow:
                writer.write(b"\0")
            await _pair(server.address, tmp_path / "phone")
            for reader, writer in slow:
                await asyncio.wait_for(reader.read(-1), 3)
                writer.close()

    asyncio.run(scenario())


def test_a_home_that_falls_silent_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairing, "_STEP_S", 0.3)

    async def scenario() -> None:
        gone = asyncio.Event()

        async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await gone.wait()
            writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        with pytest.raises(PairingError, match="stopped answering"):
            await _through(server, lambda a: _pair(a, tmp_path / "phone"))
        gone.set()
        await asyncio.sleep(0.02)

    asyncio.run(scenario())


def test_closing_ends_what_is_under_way(root: HouseholdRoot) -> None:
    async def scenario() -> None:
        server = _server(root)
        await server.open()
        host, _, port = server.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        await asyncio.sleep(0.02)
        await asyncio.wait_for(server.close(), 2)
        await server.close()
        await asyncio.wait_for(reader.read(-1), 2)
        writer.close()

    asyncio.run(scenario())
