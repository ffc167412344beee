"""Which way frames go to a peer: by a stream as soon as one stands, and changing the way loses and reorders nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.waiting import echo, until

from hearthway.mesh.links.stream import Stream, Streams
from hearthway.mesh.links.ways import Ways
from hearthway.mesh.links.zenoh_link import ZenohLink
from hearthway.mesh.trust.certificates import request
from hearthway.mesh.trust.identity import DeviceIdentity, keep_device
from hearthway.records.errors import MeshError

pytestmark = pytest.mark.usefixtures("no_blocking")


class _End:
    """One node's ways, with no zenoh: a peer whose stream breaks is gone, as its presence would say."""

    def __init__(self, identity: DeviceIdentity) -> None:
        self.got: list[bytes] = []
        self.by_zenoh: list[bytes] = []
        self.ways = Ways(
            identity,
            identity.address,
            time.time,
            by_zenoh=self._by_zenoh,
            deliver=lambda _d, payload, _s: self.got.append(payload),
            stands=lambda _d: None,
            broke=lambda device_id, _: self.ways.part(device_id),
        )

    async def _by_zenoh(self, _device_id: str, payload: bytes, _reliable: bool) -> bool:
        self.by_zenoh.append(payload)
        await self.meanwhile()
        return True

    async def meanwhile(self) -> None:
        """What happens while zenoh takes a frame."""


@asynccontextmanager
async def _ends(*identities: DeviceIdentity) -> AsyncIterator[list[_End]]:
    ends = [_End(identity) for identity in identities]
    try:
        for end in ends:
            await end.ways.open()
        yield ends
    finally:
        for end in ends:
            await end.ways.close()


async def _streams(car: _End, phone: _End, but: Sequence[Stream] = ()) -> list[Stream]:
    """The stream between them at each end, none of `but`: who cut one knows it sooner than the other end."""
    pairs = ((car.ways, "phone"), (phone.ways, "car"))
    await until(lambda: all(w.stream(d) not in (None, *but) for w, d in pairs), 5.0)
    return [s for w, d in pairs if (s := w.stream(d)) is not None]


def test_a_stream_whose_turn_comes_after_its_peer_parted_is_used_by_both(
    make_household: Any,
) -> None:
    """Two dials came through, the first broke while the second waited for its turn: neither side may use it alone."""
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _ends(household.identity("car"), household.identity("phone")) as (car, phone):
            phone.ways.knock("car")
            first, its_first = await _streams(car, phone)
            async with car.ways.way("phone").lane:
                before = set(car.ways.streams._standing)
                dial = asyncio.create_task(
                    phone.ways.streams.dial("car", household.addresses["car"])
                )
                await until(lambda: len(car.ways.streams._standing) > len(before))
                first.abort()
                await until(lambda: car.ways.stream("phone") is None)
            await dial
            second, its_end = await _streams(car, phone, but=(first, its_first))
            assert await car.ways.send("phone", b"F1") == (True, second)
            assert await phone.ways.send("car", b"F2") == (True, its_end)
            await until(lambda: (phone.got, car.got) == ([b"F1"], [b"F2"]))
            assert car.by_zenoh == phone.by_zenoh == []

    asyncio.run(scenario())


@pytest.mark.parametrize("used", [True, False])
def test_a_stream_is_cut_as_unused_only_if_nobody_uses_it(
    make_household: Any, monkeypatch: pytest.MonkeyPatch, used: bool
) -> None:
    """Also where its peer parted since it came up: what counts is the way of now."""
    household = make_household(phone="phone", car="car")
    monkeypatch.setattr("hearthway.mesh.links.ways.PATIENCE_S", 0.3)

    async def scenario() -> None:
        async with _ends(household.identity("car"), household.identity("phone")) as (car, phone):
            async with car.ways.way("phone").lane:  # it cannot say which stream, for a while
                await phone.ways.streams.dial("car", household.addresses["car"])
                (up,) = phone.ways.streams._standing
                phone.ways.part("car")
                if not used:
                    await asyncio.sleep(0.6)
                    assert up.closed
            if used:
                await _streams(car, phone)
                await asyncio.sleep(0.6)
                assert phone.ways.stream("car") is up
                assert not up.closed

    asyncio.run(scenario())


@pytest.mark.parametrize("what", ["ends", "parts", "nothing"])
def test_what_happens_during_the_last_word_by_zenoh_counts(make_household: Any, what: str) -> None:
    """A stream that ended then stands for nobody; one whose peer parted is the first of a new way."""
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _ends(household.identity("car"), household.identity("phone")) as (car, phone):
            assert await car.ways.send("phone", b"F1") == (True, None)
            up: list[Stream] = []

            async def meanwhile() -> None:
                up[:] = car.ways.streams._standing
                if what == "ends":
                    up[0].abort()
                elif what == "parts":
                    car.ways.part("phone")

            car.meanwhile = meanwhile  # type: ignore[method-assign]
            await phone.ways.streams.dial("car", household.addresses["car"])
            await until(lambda: len(car.by_zenoh) == 2 and not car.ways.way("phone").lane.locked())
            if what == "ends":
                assert car.ways.stream("phone") is None
                assert not car.ways.way("phone").found.is_set()
            else:
                assert (await _streams(car, phone))[0] is up[0]

    asyncio.run(scenario())


# -- inside a link -----------------------------------------------------------------------------------


@asynccontextmanager
async def _up(*identities: DeviceIdentity) -> AsyncIterator[list[ZenohLink]]:
    links = [ZenohLink(i, listen=i.address, now_s=time.time()) for i in identities]
    try:
        await asyncio.gather(*(link.open() for link in links))
        yield links
    finally:
        for link in links:
            await link.close()


def _all_streams(*links: ZenohLink) -> bool:
    return all(all(link.streams().values()) for link in links)


def test_links_that_meet_have_their_streams_before_they_tell(make_household: Any) -> None:
    household = make_household(phone="phone", car="car", home="home")

    async def scenario() -> None:
        identities = [household.identity(d) for d in ("phone", "car", "home")]
        async with _up(*identities) as links:
            await until(lambda: all(p.alive for link in links for p in link.peers().values()), 10.0)
            await until(lambda: _all_streams(*links))
            for link in links:
                link.on_ask(echo)
            assert await links[0].ask("car", b"x", 2.0) == b"echo x"
            assert links[1].address_of("phone").startswith("127.0.0.1:")
            assert links[1].address_of("phone") == household.addresses["phone"]
            assert links[1].address_of("nobody") == ""
            assert links[0].stream_problem == ""

    asyncio.run(scenario())


def _unreachable(identity: DeviceIdentity, *whom: str) -> DeviceIdentity:
    """It has wrong addresses of these."""
    members = tuple(
        msgspec.structs.replace(m, address="127.0.0.1:9") if m.device_id in whom else m
        for m in identity.roster.members
    )
    return replace(identity, roster=msgspec.structs.replace(identity.roster, members=members))


@pytest.mark.parametrize("blind", ["car", "phone"])
def test_one_side_that_can_dial_is_enough(make_household: Any, blind: str) -> None:
    household = make_household(phone="phone", car="car")
    seeing = {"car": "phone", "phone": "car"}[blind]

    async def scenario() -> None:
        async with _up(
            _unreachable(household.identity(blind), seeing), household.identity(seeing)
        ) as links:
            await until(lambda: all(p.alive for link in links for p in link.peers().values()))
            await until(lambda: _all_streams(*links), 5.0)
            links[0].on_ask(echo)
            assert await links[1].ask(blind, b"x", 2.0) == b"echo x"

    asyncio.run(scenario())


def test_without_any_stream_asks_go_by_zenoh(
    make_household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    household = make_household(phone="phone", car="car")

    async def nobody(*_: object) -> None:
        raise MeshError("No stream.")

    monkeypatch.setattr(Streams, "dial", nobody)

    async def scenario() -> None:
        async with _up(household.identity("phone"), household.identity("car")) as links:
            await until(lambda: all(p.alive for link in links for p in link.peers().values()))
            links[0].on_ask(echo)
            assert await links[1].ask("phone", b"x", 2.0) == b"echo x"
            assert await links[1].put("phone", b"x", reliable=True) == 1
            assert not any(links[1].streams().values())

    asyncio.run(scenario())


def test_a_stream_that_comes_late_takes_over_without_loss_or_overtaking(
    make_household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    household = make_household(phone="phone", car="car")
    dial, let = Streams.dial, False

    async def late(self: Streams, device_id: str, address: str) -> None:
        if not let:
            raise MeshError("No stream.")
        await dial(self, device_id, address)

    monkeypatch.setattr(Streams, "dial", late)

    async def scenario() -> None:
        nonlocal let
        async with _up(household.identity("phone"), household.identity("car")) as (phone, car):
            got: dict[str, list[int]] = {"phone": [], "car": []}
            gone: list[bool] = []
            phone.on_frame(lambda _s, f: got["phone"].append(int(f)))
            car.on_frame(lambda _s, f: got["car"].append(int(f)))
            phone.on_ask(echo)
            await until(lambda: phone.peers()["car"].alive and car.peers()["phone"].alive)
            phone.on_peer(lambda _d, alive: gone.append(alive))
            car.on_peer(lambda _d, alive: gone.append(alive))
            n, asks = 0, []
            while not (_all_streams(phone, car) and n > 2000):
                let = n > 200
                await car.put("phone", b"%d" % n, reliable=True)
                await phone.put("car", b"%d" % n, reliable=True)
                if n % 50 == 0:
                    asks.append(asyncio.create_task(car.ask("phone", b"%d" % n, 5.0)))
                    await asyncio.sleep(0.01)
                n += 1
                assert n < 20_000
            await asyncio.gather(*asks)
            await until(lambda: len(got["phone"]) == len(got["car"]) == n)
            assert got["phone"] == list(range(n)) == got["car"]
            assert gone == []

    asyncio.run(scenario())


def test_a_stream_that_breaks_fails_its_asks_at_once_and_comes_back(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _up(household.identity("phone"), household.identity("car")) as (phone, car):
            await until(lambda: _all_streams(phone, car) and car.peers()["phone"].alive)
            never: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
            phone.on_ask(lambda _s, f: never if f == b"never" else echo(_s, f))
            told: list[bool] = []
            car.on_peer(lambda _d, alive: told.append(alive))
            waiting = asyncio.create_task(car.ask("phone", b"never", 20.0))
            await asyncio.sleep(0.05)
            stream = car._ways.stream("phone")
            assert stream is not None
            stream.abort()
            with pytest.raises(MeshError, match="not reachable"):
                await asyncio.wait_for(waiting, 1.0)
            await until(lambda: _all_streams(phone, car) and told == [False, True], 5.0)
            assert await car.ask("phone", b"x", 2.0) == b"echo x"
            never.cancel()

    asyncio.run(scenario())


def test_renewed_certificates_and_new_rosters_lose_nothing(make_household: Any) -> None:
    """Acknowledged reliable traffic throughout: every ask is answered, every frame arrives, nobody counts as gone or ill."""
    household = make_household(phone="phone", car="car", home="home")

    async def scenario() -> None:
        names = ("phone", "car", "home")
        async with _up(*(household.identity(d) for d in names)) as links:
            phone, car, _ = links
            await until(lambda: all(p.alive for link in links for p in link.peers().values()))
            await until(lambda: _all_streams(*links))
            told: list[tuple[str, bool]] = []
            got: list[int] = []
            for link in links:
                link.on_peer(lambda d, alive: told.append((d, alive)))
            phone.on_frame(lambda _s, f: got.append(int(f)))
            phone.on_ask(echo)
            done, sent, slowest_s = asyncio.Event(), 0, 0.0

            async def traffic() -> None:
                nonlocal sent, slowest_s
                while not done.is_set():
                    start_s = time.monotonic()
                    assert await car.ask("phone", b"%d" % sent, 3.0) == b"echo %d" % sent
                    slowest_s = max(slowest_s, time.monotonic() - start_s)
                    assert await car.put("phone", b"%d" % sent, reliable=True) == 1
                    assert all(link.health().ok for link in links)
                    sent += 1
                    await asyncio.sleep(0.005)

            busy = asyncio.create_task(traffic())
            for device_id, link in (("phone", phone), ("car", car)):
                old = link._ways.stream("car" if device_id == "phone" else "phone")
                await asyncio.to_thread(_renew, household, device_id)
                start_s = time.monotonic()
                await link.update_identity(household.identity(device_id))
                assert time.monotonic() - start_s < 3.0
                await until(lambda old=old: bool(old and old.closed))  # type: ignore[misc]
                await until(lambda: _all_streams(*links))
            await asyncio.to_thread(household.add, "tablet", "phone")
            await asyncio.gather(*(li.update_roster(household.root.roster) for li in links))
            await asyncio.sleep(3.2)  # whoever was held has come back, or is gone by now
            done.set()
            await busy
            await until(lambda: len(got) == sent)
            assert got == list(range(sent))
            assert told == []
            assert slowest_s < 1.0

    asyncio.run(scenario())


def _renew(household: Any, device_id: str) -> None:
    root, keys = household.root, household.path / device_id
    key = household.identity(device_id).key
    pem = root.sign(request(key, device_id), device_id, device_id, time.time() + 5.0)
    keep_device(keys, key, pem, root.certificate_pem, root.signed_roster)
