"""Commands are carried out at most once and answered over cuts; what is published neither blocks nor grows without bound."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.waiting import until

from hearthway.mesh.links.memory import MemoryHub
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.journal import StoredJournal
from hearthway.mesh.state.store import Store
from hearthway.mesh.wire import envelope as env
from hearthway.mesh.wire.commands import MemoryJournal, Once
from hearthway.mesh.wire.envelope import RELIABLE, UNRELIABLE, Frame, Head
from hearthway.mesh.wire.node import MeshNode
from hearthway.mesh.wire.outbox import LANE_BYTES, Outbox
from hearthway.records.errors import MeshError, RuleDeniedError, StoreError
from hearthway.records.household import Rule

pytestmark = pytest.mark.usefixtures("no_blocking")

RULES = Rules(
    [
        Rule(id="to", keys=("Order.*",), sender="phone", receivers=("car",), purpose="control"),
        Rule(id="back", keys=("Order.*",), sender="car", receivers=("phone",), purpose="control"),
    ]
)


@asynccontextmanager
async def _pair(
    household: Any, hub: MemoryHub, journal: Any = None
) -> AsyncIterator[tuple[MeshNode, MeshNode]]:
    nodes = []
    for name in ("phone", "car"):
        identity = household.identity(name)
        link = hub.link(name, name)
        nodes.append(MeshNode(identity, link, RULES, time.time, journal=journal))
    try:
        for node in nodes:
            await node.open()
        await nodes[0].wait_ready(["car"], 10.0)
        await nodes[1].wait_ready(["phone"], 10.0)
        yield nodes[0], nodes[1]
    finally:
        for node in nodes:
            await node.close()


# -- commands ------------------------------------------------------------------------------------


def test_a_command_is_done_once_over_cuts(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        hub = MemoryHub(latency_s=0.01)
        async with _pair(household, hub) as (phone, car):
            done: list[int] = []

            async def unlock(_m: Any, n: int) -> int:
                done.append(n)
                hub.cut("phone", "car")  # its acknowledgement is lost
                asyncio.get_running_loop().call_later(0.2, hub.heal, "phone", "car")
                return n + 1

            car.serve("Order.Unlock", int, unlock)
            for n in range(5):
                assert await phone.command("car", "Order.Unlock", n, "control", int, 8.0) == n + 1
            assert done == list(range(5))

    asyncio.run(scenario())


def test_a_slow_command_is_asked_for_again_and_done_once(
    make_household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hearthway.mesh.wire.asking.ATTEMPT_S", 0.05)
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _pair(household, MemoryHub()) as (phone, car):
            done: list[int] = []

            async def slowly(_m: Any, n: int) -> int:
                done.append(n)
                await asyncio.sleep(0.4)
                return n

            car.serve("Order.Slow", int, slowly)
            assert await phone.command("car", "Order.Slow", 7, "control", int, 8.0) == 7
            assert done == [7]
            with pytest.raises(MeshError, match="may or may not"):
                await phone.command("car", "Order.Slow", 8, "control", int, 0.1)

    asyncio.run(scenario())


def test_a_command_that_fails_or_is_denied_is_not_tried_again(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _pair(household, MemoryHub()) as (phone, car):
            done: list[int] = []

            def broken(_m: Any, n: int) -> None:
                done.append(n)
                raise MeshError("The door is stuck.", "Push.")

            car.serve("Order.Stuck", int, broken)
            with pytest.raises(MeshError, match="stuck"):
                await phone.command("car", "Order.Stuck", 1, "control", type(None), 2.0)
            with pytest.raises(RuleDeniedError):
                await phone.command("car", "Other.Thing", 1, "control", type(None), 2.0)
            with pytest.raises(MeshError, match="nothing was done"):
                await phone.command("home", "Order.Stuck", 1, "control", type(None), 0.1)
            assert done == [1]

    asyncio.run(scenario())


def test_a_command_that_was_begun_before_a_restart_is_never_run_again(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    class Begun(MemoryJournal):
        """As after a crash in the middle of every command."""

        async def begin(self, sender: str, command_id: bytes) -> bytes | None:
            await super().begin(sender, command_id)
            return await super().begin(sender, command_id)

    async def scenario() -> None:
        async with _pair(household, MemoryHub(), Begun()) as (phone, car):
            done: list[int] = []
            car.serve("Order.Unlock", int, lambda _m, n: done.append(n))
            with pytest.raises(MeshError, match="may or may not have been done"):
                await phone.command("car", "Order.Unlock", 1, "control", type(None), 2.0)
            assert done == []
            await phone.request("car", "Order.Unlock", 2, "control", type(None), 2.0)
            assert done == [2]  # the control: a plain request does run

    asyncio.run(scenario())


def test_repeats_at_once_and_later_give_the_first_end() -> None:
    async def scenario() -> None:
        once, runs = Once(MemoryJournal()), list[int]()

        async def work() -> bytes:
            runs.append(1)
            await asyncio.sleep(0.01)
            return b"end"

        together = await asyncio.gather(*(once.run("phone", b"i" * 16, work) for _ in range(20)))
        assert set(together) == {b"end"}
        assert await once.run("phone", b"i" * 16, work) == b"end"
        assert await once.run("car", b"i" * 16, work) == b"end"  # another's command
        assert len(runs) == 2

    asyncio.run(scenario())


def test_a_command_goes_on_when_nobody_waits_for_its_end_any_more() -> None:
    async def main() -> None:
        once, go, done = Once(MemoryJournal()), asyncio.Event(), list[str]()

        async def handler() -> bytes:
            await go.wait()
            done.append("done")
            return b"end"

        async def answers(result: Coroutine[None, None, bytes]) -> bytes:
            return await result

        result = handler()
        end = once.again("phone", b"1", answers(result), result)
        await asyncio.sleep(0)
        end.cancel()
        await asyncio.sleep(0)
        again = once.joined("phone", b"1")
        go.set()
        assert again is not None
        assert await again == b"end"
        assert done == ["done"]

    asyncio.run(main())


def test_what_may_be_repeated_is_not_noted_and_a_slow_one_is_joined(
    make_household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("asking", "commands"):
        monkeypatch.setattr(f"hearthway.mesh.wire.{module}.ATTEMPT_S", 0.05)
    household = make_household(phone="phone", car="car")

    class Broken(MemoryJournal):
        """As on a full disk."""

        async def begin(self, _sender: str, _command_id: bytes) -> bytes | None:
            raise StoreError("The disk is full.", "Free some space.")

    async def scenario() -> None:
        hub = MemoryHub(latency_s=0.01)
        async with _pair(household, hub, Broken()) as (phone, car):
            warm: list[int] = []

            def set_warm(_m: Any, n: int) -> int:
                warm.append(n)
                if len(warm) == 1:
                    hub.cut("phone", "car")  # its acknowledgement is lost
                    asyncio.get_running_loop().call_later(0.2, hub.heal, "phone", "car")
                return n

            async def slowly(_m: Any, n: int) -> int:
                warm.append(n)
                await asyncio.sleep(0.4)
                return n

            car.serve("Order.Warm", int, set_warm, repeatable=True)
            car.serve("Order.Slow", int, slowly, repeatable=True)
            car.serve("Order.Unlock", int, set_warm)
            assert await phone.command("car", "Order.Warm", 21, "control", int, 8.0) == 21
            assert warm == [21, 21]
            assert await phone.command("car", "Order.Slow", 7, "control", int, 8.0) == 7
            assert warm == [21, 21, 7]
            with pytest.raises(MeshError, match="disk is full"):  # the other: noted, or not done
                await phone.command("car", "Order.Unlock", 1, "control", int, 2.0)
            with pytest.raises(MeshError, match="does not answer"):  # nothing to note either
                await phone.command("car", "Order.None", 1, "control", int, 2.0)
            assert warm == [21, 21, 7]

    asyncio.run(scenario())


def test_over_cuts_and_restarts_nothing_is_done_twice(
    make_household: Any,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hearthway.mesh.wire.asking.ATTEMPT_S", 0.2)
    household = make_household(phone="phone", car="car")

    @settings(max_examples=15, deadline=None)
    @given(
        cuts=st.lists(st.sampled_from(["", "cut", "restart"]), min_size=1, max_size=6),
        slow=st.booleans(),
    )
    def run(cuts: list[str], slow: bool) -> None:
        folder = tmp_path_factory.mktemp("car")

        async def scenario(store: Store) -> None:
            hub, done, known = MemoryHub(latency_s=0.001), list[int](), list[int]()
            unknown: list[tuple[int, bool]] = []
            identity = household.identity("phone")
            phone = MeshNode(identity, hub.link("phone", "phone"), RULES, time.time)
            await phone.open()
            cars: list[tuple[MeshNode, StoredJournal]] = []

            async def start() -> None:
                journal = StoredJournal(store, folder / "commands.notes", time.time)
                link = hub.link("car", "car")
                car = MeshNode(household.identity("car"), link, RULES, time.time, journal=journal)
                car.serve("Order.Unlock", int, unlock)
                cars.append((car, journal))
                await car.open()

            async def stop() -> None:
                car, journal = cars.pop()
                await car.close()
                await asyncio.to_thread(journal.close)

            async def restart() -> None:
                await stop()
                await start()

            restarts: list[asyncio.Task[None]] = []

            def unlock(_m: Any, n: int) -> Any:
                done.append(n)
                if cuts[n] == "cut":
                    hub.cut("phone", "car")
                    asyncio.get_running_loop().call_later(0.05, hub.heal, "phone", "car")
                elif cuts[n] == "restart":  # before its end is kept or told
                    restarts.append(asyncio.create_task(restart()))
                    return asyncio.sleep(30.0)
                return asyncio.sleep(0.02, n) if slow else n

            await start()
            for n in range(len(cuts)):
                await phone.wait_ready(["car"], 10.0)
                try:
                    known.append(await phone.command("car", "Order.Unlock", n, "control", int, 8.0))
                except MeshError as why:
                    unknown.append((n, "may or may not" in why.message))
                await asyncio.gather(*restarts)
            assert done == list(range(len(cuts)))
            assert unknown == [(n, True) for n in done if cuts[n] == "restart"]
            assert known == [n for n in done if cuts[n] != "restart"]
            await stop()
            await phone.close()
            others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in others:  # handlers that a restart left behind
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        with Store.open(folder / "node.db", node_id="car") as store:
            asyncio.run(scenario(store))

    run()


# -- outboxes ------------------------------------------------------------------------------------


def _head(key: str = "A") -> Head:
    return Head(env.RECORD, key, "share")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 50_000)), max_size=300))
def test_everything_arrives_in_its_lanes_order_in_bounded_frames(
    messages: list[tuple[bool, int]],
) -> None:
    async def scenario() -> None:
        got: dict[int, list[tuple[str, bytes]]] = {RELIABLE: [], UNRELIABLE: []}
        sizes: list[tuple[int, int]] = []

        async def send(lane: int, frame: Frame) -> None:
            assert 1 <= len(frame.bodies) <= 64
            sizes.append((len(frame.bodies), sum(map(len, frame.bodies[:-1]))))
            for at, body in zip(frame.of, frame.bodies, strict=True):
                got[lane].append((frame.heads[at].key, body))
            await asyncio.sleep(0)

        async def send_raw(_data: bytes) -> None: ...

        box = Outbox(send, send_raw, time.time, lambda work: asyncio.create_task(work))
        heads = {key: _head(key) for key in "AB"}
        sent: dict[int, list[tuple[str, bytes]]] = {RELIABLE: [], UNRELIABLE: []}
        for n, (reliable, size) in enumerate(messages):
            lane, key = (RELIABLE if reliable else UNRELIABLE), "AB"[n % 2]
            body = n.to_bytes(4, "big") + bytes(size)
            if box.add(lane, heads[key], body, key):
                sent[lane].append((key, body))
            if box.piled(lane):
                await box.give_way(lane)
        await box.flush()
        assert got[RELIABLE] == sent[RELIABLE]
        assert [m for m in sent[UNRELIABLE] if m in got[UNRELIABLE]] == got[UNRELIABLE]
        assert all(before_last < 32 * 1024 for _, before_last in sizes)

    asyncio.run(scenario())


def test_a_stalled_wire_blocks_nobody_and_the_newest_of_each_key_stays() -> None:
    async def scenario() -> None:
        release, sent = asyncio.Event(), list[tuple[int, Frame]]()

        async def send(lane: int, frame: Frame) -> None:
            await release.wait()
            sent.append((lane, frame))

        async def send_raw(_data: bytes) -> None: ...

        box = Outbox(send, send_raw, time.time, lambda work: asyncio.create_task(work))
        keys = [f"Key{n}" for n in range(10)]
        heads = {key: _head(key) for key in keys}
        longest_s, taken = 0.0, 0
        for n in range(12_000):
            key = keys[n % 10]
            start = time.perf_counter()
            box.add(UNRELIABLE, heads[key], n.to_bytes(4, "big") + bytes(1000), key)
            taken += box.add(RELIABLE, heads[key], n.to_bytes(4, "big") + bytes(1000), key)
            for lane in (UNRELIABLE, RELIABLE):
                if n % 500 == 0 and box.piled(lane):
                    await box.give_way(lane)
            longest_s = max(longest_s, time.perf_counter() - start)
        assert longest_s < 0.25  # a loaded machine; the wait itself is 4 ms
        for number, waiting in box._lanes.items():
            assert waiting.bytes <= LANE_BYTES[number]
        assert 7000 < taken < 9000  # the reliable lane refused what it could not hold
        release.set()
        await box.flush()
        unreliable = [
            (frame.heads[at].key, int.from_bytes(body[:4], "big"))
            for lane, frame in sent
            if lane == UNRELIABLE
            for at, body in zip(frame.of, frame.bodies, strict=True)
        ]
        assert {key for key, _ in unreliable} == set(keys)
        assert dict(unreliable) == {key: 11_990 + n for n, key in enumerate(keys)}
        box.close()
        assert not box.add(RELIABLE, heads["Key0"], b"x", "Key0")

    asyncio.run(scenario())


def test_publishing_to_a_peer_that_takes_nothing_returns_at_once(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _pair(household, MemoryHub()) as (phone, car):
            got: list[int] = []
            car.subscribe("Order.*", bytes, lambda _m, b: got.append(len(b)))
            put, stalled = phone._link.put, asyncio.Event()

            async def stall(to: str, frame: bytes, *, reliable: bool) -> int:
                await stalled.wait()
                return await put(to, frame, reliable=reliable)

            phone._link.put = stall  # type: ignore[method-assign]
            longest_s = 0.0
            for n in range(3000):
                start = time.perf_counter()
                await phone.publish("Order.X", bytes(4096), "control", reliable=n % 2 == 0)
                longest_s = max(longest_s, time.perf_counter() - start)
            assert longest_s < 0.25
            with pytest.raises(MeshError, match="took nothing"):  # it would overtake
                await phone.request("car", "Order.Y", 1, "control", int, 0.1)
            stalled.set()
            await until(lambda: len(got) > 1000)

    asyncio.run(scenario())


# -- hostile content -------------------------------------------------------------------------------


def test_one_bad_message_of_a_frame_costs_itself_only(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _pair(household, MemoryHub()) as (phone, car):
            got: list[int] = []
            car.subscribe("Order.*", int, lambda _m, n: got.append(n))
            session = phone._sessions.get("car")
            assert session is not None
            heads = (
                Head(env.RECORD, "Order.N", "control"),
                Head(env.RECORD, "Other.N", "control"),
                Head(99, "Order.N", "control"),
                Head(env.SIGNALS, "", "control"),
                Head(env.ASK, "Order.N", "control"),
            )
            bodies = [b"\x01", b"\xc1", b"\x02", b"\x93", b"\x91\x90", b"", b"\x03"]
            of = [0, 0, 1, 3, 3, 0, 0]
            frame = Frame(1.0, heads, [*of, 2, 4], [*bodies, b"\x01", b"\x01"])
            data = phone._sessions.seal(session, env.RELIABLE, frame)[1]
            await phone._link.put("car", data, reliable=True)
            await until(lambda: len(got) == 2)
            assert got == [1, 3]
            assert car.refused_frames == 7
            for plain in (b"\xc1", b"", b"\x94\x01\x02", b"\x91" * 400_000):
                _, epoch = 0, phone.identity.epoch
                bad = session.seal(env.RELIABLE, epoch, phone.identity.epoch_key, plain)[1]
                await phone._link.put("car", bad, reliable=True)
            for raw in (b"", b"S", b"R", b"Rgarbage", b"Q", b"Z" * 100, b"S" * 5000):
                await phone._link.put("car", raw, reliable=True)
            await phone.publish("Order.N", 4, "control", reliable=True)
            await until(lambda: got == [1, 3, 4])

    asyncio.run(scenario())


def test_what_waits_for_a_busy_handler_is_bounded(
    make_household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hearthway.mesh.wire.hearing.INBOX_BYTES", 200_000)
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _pair(household, MemoryHub()) as (phone, car):
            release, got = asyncio.Event(), list[int]()

            async def busy(_m: Any, body: bytes) -> None:
                await release.wait()
                got.append(len(body))

            car.subscribe("Order.*", bytes, busy)
            for _ in range(500):
                await phone.publish("Order.X", bytes(4000), "control", reliable=True)
            await until(lambda: car.refused_frames > 0)
            assert car._hearing._waiting_bytes <= 200_000
            release.set()
            await until(lambda: len(got) > 20)
            await phone.publish("Order.X", b"last", "control", reliable=True)
            await until(lambda: got[-1] == 4)

    asyncio.run(scenario())
