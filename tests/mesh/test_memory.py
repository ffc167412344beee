"""What a hostile member can make a node hold on to has a bound, and what it cannot is let go of at once.

Clocks stand still: what is remembered for a second would be remembered for ever.
"""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from tests.waiting import until

from hearthway.mesh.links.memory import MemoryHub
from hearthway.mesh.links.stream import Stream, Streams
from hearthway.mesh.links.zenoh_link import ZenohLink
from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.mesh.wire import envelope as env
from hearthway.mesh.wire.node import MeshNode
from hearthway.records import codec
from hearthway.records.errors import WireError
from hearthway.records.signals import Signal

pytestmark = pytest.mark.usefixtures("no_blocking")

RULES = Rules.parse(default_rules(), "default")
MB = 1_000_000
LONG = "\U0001f600"  # four bytes a character: the most that a key of so many may take


@contextmanager
def _held() -> Iterator[Callable[[], int]]:
    """Bytes of Python's that are held now and were not before; rings of garbage count."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        yield lambda: tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()


@asynccontextmanager
async def _pair(household: Any) -> AsyncIterator[tuple[MeshNode, MeshNode]]:
    """The hostile car and the phone; time stands still for both."""
    hub, now_s = MemoryHub(), time.time()
    nodes = []
    for device_id in ("car", "phone"):
        identity = household.identity(device_id)
        link = hub.link(device_id, identity.role)
        nodes.append(MeshNode(identity, link, RULES, lambda: now_s))
    car, phone = nodes
    try:
        for node in nodes:
            await node.open()
        await car.wait_ready(["phone"], 10.0)
        await phone.wait_ready(["car"], 10.0)
        yield car, phone
    finally:
        for node in nodes:
            await node.close()


async def _say(car: MeshNode, phone: MeshNode, heads: list[env.Head], body: bytes) -> None:
    """One frame, sealed as it should be, whatever the car's own rules say; returns when it was read."""
    session = car._sessions.get("phone")
    assert session is not None
    frame = env.Frame(time.time(), tuple(heads), list(range(len(heads))), [body] * len(heads))
    _, data = car._sessions.seal(session, env.RELIABLE, frame)
    phone._hearing.hear("car", data)
    await until(lambda: phone._hearing._idle and not phone._hearing._inbox)


def _signals(key: str) -> bytes:
    return codec.pack([Signal(key=key, value=1.0, time_s=1.0, unit="km/h", source="car")])


def test_what_is_refused_is_not_held_on_to(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _pair(household) as (car, phone):
            denied = env.Head(env.RECORD, "Suggestion.Moment", "advise")  # a phone's word
            await _say(car, phone, [denied], b"\xc0")
            refused = phone.refused_frames
            with _held() as held:
                for n in range(1000):
                    await _say(car, phone, [denied], codec.pack(b"%4d" % n * 1000))
                assert held() < 1 * MB
            assert phone.refused_frames == refused + 1000

    asyncio.run(scenario())


def test_keys_that_a_member_makes_up_are_remembered_up_to_a_bound(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _pair(household) as (car, phone):
            heard: list[list[Signal]] = []
            phone.on_signals(lambda _meta, batch: heard.append(batch))
            speed = env.Head(env.SIGNALS, "", "anticipate")
            most = [0, 0]
            with _held() as held:
                for n in range(0, 20_000, 200):
                    keys = [f"{n + m:05d}".ljust(env.KEY_MAX_CHARS, LONG) for m in range(200)]
                    heads = [env.Head(env.RECORD, key, "advise", grant=b"g" * 4096) for key in keys]
                    await _say(car, phone, heads, b"\xc0")
                    most[n // 10_000] = max(most[n // 10_000], held())
            assert most[0] < 20 * MB
            assert most[1] < 1.1 * most[0]  # full by then
            await _say(car, phone, [speed], _signals("Vehicle.Speed"))
            assert [s.key for batch in heard for s in batch] == ["Vehicle.Speed"]

    asyncio.run(scenario())


def test_a_signal_with_a_key_of_any_length_is_refused_unread(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _pair(household) as (car, phone):
            heard: list[str] = []
            phone.on_signals(lambda _meta, batch: heard.extend(s.key for s in batch))
            head, stem = env.Head(env.SIGNALS, "", "anticipate"), "Vehicle.CurrentLocation."
            with _held() as held:
                for n in range(100):
                    await _say(car, phone, [head], _signals(f"{stem}{n}" + "x" * 100_000))
                assert held() < 1 * MB
            assert phone.refused_frames == 100
            assert all(len(c.key) <= env.KEY_MAX_CHARS for c in phone.crossings())
            longest = stem.ljust(env.KEY_MAX_CHARS, "x")  # as long as may be
            await _say(car, phone, [head], _signals(longest))
            assert heard == [longest]

    asyncio.run(scenario())


def test_a_frame_of_tens_of_thousands_is_refused_before_anything_is_made_of_it(
    make_household: Any,
) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _pair(household) as (car, phone):
            heard: list[int] = []
            phone.on_signals(lambda _meta, batch: heard.append(len(batch)))
            head = env.Head(env.SIGNALS, "", "anticipate")
            speed = Signal(key="Vehicle.Speed", value=1.0, time_s=1.0)
            many = codec.pack([speed] * 20_000)
            await _say(car, phone, [head], codec.pack([speed] * env.SIGNALS_MAX))  # the control
            tick = env.Head(env.RECORD, "Replay.Tick", "replay")
            session = car._sessions.get("phone")
            assert session is not None
            for heads, body in (([head], many), ([tick] * 20_000, b"\x80")):
                at = list(range(len(heads)))
                frame = env.Frame(time.time(), tuple(heads), at, [body] * len(heads))
                _, data = car._sessions.seal(session, env.RELIABLE, frame)
                with _held():
                    tracemalloc.reset_peak()
                    before = tracemalloc.get_traced_memory()[0]
                    phone._hearing.hear("car", data)
                    await until(lambda: phone._hearing._idle and not phone._hearing._inbox)
                    taken = tracemalloc.get_traced_memory()[1] - before
                assert taken < 2.5 * len(data)
            assert phone.refused_frames == 2
            assert heard == [env.SIGNALS_MAX]

    asyncio.run(scenario())


def test_reading_a_stream_takes_no_more_room_than_what_came(make_household: Any) -> None:
    """asyncio takes 256 KiB for a read of TLS by a plain protocol: with small frames in its holes, a heap twice as large."""
    household = make_household(phone="phone", car="car")
    car, phone = household.identity("car"), household.identity("phone")

    async def scenario() -> None:
        up: list[Stream] = []
        got: list[bytes] = []
        ends = [
            Streams(
                one,
                one.address,
                time.time,
                up=up.append,
                deliver=lambda _s, payload: got.append(payload),
                lost=lambda _s: None,
            )
            for one in (car, phone)
        ]
        try:
            for end in ends:
                await end.open()
            await ends[0].dial("phone", phone.address)
            await until(lambda: len(up) == 2)
            dialled = next(stream for stream in up if stream.dialled)
            with _held():
                for n in range(20):
                    tracemalloc.reset_peak()
                    before = tracemalloc.get_traced_memory()[0]
                    assert dialled.write(b"%03d" % n * 100)
                    await until(lambda n=n: len(got) == n + 1)  # type: ignore[misc]
                    assert tracemalloc.get_traced_memory()[1] - before < 64 * 1024
            assert got == [b"%03d" % n * 100 for n in range(20)]
        finally:
            for end in ends:
                await end.close()

    asyncio.run(scenario())


def test_a_refused_question_leaves_no_ring_of_garbage(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    def refuse(_: str, frame: bytes) -> asyncio.Future[bytes]:
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if frame == b"good":
            reply.set_result(b"yes")
        else:
            asked.append(frame)
            reply.set_exception(WireError("Refused.", ""))
        return reply

    asked: list[bytes] = []

    async def scenario() -> None:
        car, phone = (
            ZenohLink(household.identity(one), listen=household.addresses[one], now_s=time.time())
            for one in ("car", "phone")
        )
        phone.on_ask(refuse)
        try:
            await car.open()
            await phone.open()
            await until(lambda: car._ways.stream("phone") is not None)
            gc.collect()
            gc.disable()
            for n in range(300):
                assert car._write("phone", b"A" + n.to_bytes(8, "big") + b"bad") is not None
                await asyncio.sleep(0)
            await until(lambda: len(asked) == 300)
            assert gc.collect() < 300
            assert await car.ask("phone", b"good", 5.0) == b"yes"
        finally:
            gc.enable()
            await car.close()
            await phone.close()

    asyncio.run(scenario())
