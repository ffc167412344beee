"""A node on the mesh: what the rules let crosses, nothing else does, and every crossing is counted."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.waiting import until

from hearthway.mesh.links.memory import MemoryHub
from hearthway.mesh.links.zenoh_link import ZenohLink
from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.mesh.wire import envelope as env
from hearthway.mesh.wire.envelope import SIGNALS_MAX, Meta
from hearthway.mesh.wire.node import MeshNode
from hearthway.records import codec
from hearthway.records.errors import MeshError, RuleDeniedError, WireError
from hearthway.records.household import Rule
from hearthway.records.receipts import Crossing
from hearthway.records.signals import Signal

pytestmark = pytest.mark.usefixtures("no_blocking")

RULES = Rules.parse(default_rules(), "default")
ALL = {"phone": "phone", "car": "car", "home": "home"}
SECRET = "Ravintola Salaisuus"  # personal content: must stand in no log


@asynccontextmanager
async def _nodes(
    household: Any, hub: MemoryHub | None = None, rules: dict[str, Rules] | None = None
) -> AsyncIterator[dict[str, MeshNode]]:
    """Every device of the household, up and greeted; on zenoh when no hub is given."""
    nodes: dict[str, MeshNode] = {}
    for device_id, address in household.addresses.items():
        identity = household.identity(device_id)
        link = (
            hub.link(device_id, identity.role)
            if hub
            else ZenohLink(identity, listen=address, now_s=time.time())
        )
        node_rules = (rules or {}).get(device_id, RULES)
        nodes[device_id] = MeshNode(identity, link, node_rules, time.time)
    try:
        for node in nodes.values():
            await node.open()
        for device_id, node in nodes.items():
            await node.wait_ready([d for d in nodes if d != device_id], 10.0)
        yield nodes
    finally:
        for node in nodes.values():
            await node.close()


def _speed(value: float) -> Signal:
    return Signal(key="Vehicle.Speed", value=value, time_s=value, unit="km/h", source="car")


def _sealed(
    node: MeshNode, to: str, record: object, head: env.Head | None = None, lane: int = env.RELIABLE
) -> bytes:
    """A frame of that node with one message, whatever its rules say."""
    session = node._sessions.get(to)
    assert session is not None
    head = head or env.Head(env.RECORD, "Answer.Given", "learn")
    frame = env.Frame(time.time(), (head,), [0], [codec.pack(record)])
    return node._sessions.seal(session, lane, frame)[1]


def _refused(node: MeshNode) -> list[Crossing]:
    return [c for c in node.crossings() if c.rule == ""]


@pytest.mark.parametrize("wire", ["memory", "zenoh"])
def test_the_story_crosses_the_mesh(make_household: Any, wire: str) -> None:
    household = make_household(**ALL)

    async def scenario() -> None:
        async with _nodes(household, MemoryHub() if wire == "memory" else None) as nodes:
            signals: list[float] = []
            shown: list[tuple[str, str]] = []

            def on_signals(meta: Meta, batch: list[Signal]) -> None:
                assert (meta.sender, meta.sender_role, meta.purpose) == ("car", "car", "anticipate")
                signals.extend(float(s.value or 0) for s in batch)

            nodes["phone"].on_signals(on_signals)
            nodes["car"].subscribe(
                "Suggestion.*", str, lambda meta, text: shown.append((meta.key, text))
            )
            nodes["home"].serve(
                "Receipt.Head", str, lambda _m, head: head.upper(), reply_key="Receipt.Countersign"
            )
            for n in range(100):
                crossings = await nodes["car"].publish_signals(
                    [_speed(float(n))], "anticipate", reliable=True
                )
                assert [c.rule for c in crossings] == ["car-signals"]
            (crossing,) = await nodes["phone"].publish(
                "Suggestion.Moment", "eat", "advise", reliable=True
            )
            assert crossing.receiver_role == "car"
            head = await nodes["phone"].request("home", "Receipt.Head", "abc", "witness", str, 5.0)
            assert head == "ABC"
            await until(lambda: len(signals) == 100 and len(shown) == 1)
            assert signals == [float(n) for n in range(100)]
            assert shown == [("Suggestion.Moment", "eat")]
            assert nodes["car"].bytes_to()["phone"] > 2_000  # many messages a frame
            assert {d: p.alive for d, p in nodes["phone"].peers().items()} == {
                "car": True,
                "home": True,
            }
            assert all(node.health().ok and not _refused(node) for node in nodes.values())
            counted = {(c.key, c.receiver_role, c.rule, c.count) for c in nodes["car"].crossings()}
            assert ("Vehicle.Speed", "phone", "car-signals", 100) in counted
            assert nodes["car"].crossings() == nodes["car"].crossings(drain=True)
            assert nodes["car"].crossings() == []

    asyncio.run(scenario())


def test_what_no_rule_lets_never_reaches_the_wire(make_household: Any) -> None:
    household = make_household(**ALL)

    async def scenario() -> None:
        async with _nodes(household, MemoryHub()) as nodes:
            before = nodes["car"].bytes_to()
            secret = Signal(key="Vehicle.Cabin.Microphone", value=SECRET, time_s=1.0)
            assert await nodes["car"].publish_signals([secret], "anticipate") == []
            assert await nodes["car"].publish("Person.Name", SECRET, "learn") == []
            assert await nodes["car"].publish("Answer.Given", SECRET, "advise") == []
            assert await nodes["car"].publish("Answer.Given", SECRET, "learn", to="home") == []
            with pytest.raises(RuleDeniedError) as caught:
                await nodes["car"].request("home", "Answer.Given", SECRET, "learn", str, 1.0)
            assert "Answer.Given" in caught.value.message
            assert nodes["car"].bytes_to() == before
            assert [(c.key, c.purpose) for c in _refused(nodes["car"])] == [
                ("Answer.Given", "advise"),
                ("Answer.Given", "learn"),
                ("Person.Name", "learn"),
                ("Vehicle.Cabin.Microphone", "anticipate"),
            ]
            crossings = await nodes["car"].publish("Answer.Given", "yes", "learn")  # the control
            assert [c.receiver_role for c in crossings] == ["phone"]
            await until(lambda: nodes["car"].bytes_to() != before)

    asyncio.run(scenario())


def test_of_a_batch_only_what_is_let_leaves(make_household: Any) -> None:
    household = make_household(**ALL)

    async def scenario() -> None:
        async with _nodes(household, MemoryHub()) as nodes:
            got: list[list[str]] = []
            nodes["phone"].on_signals(lambda _m, batch: got.append([s.key for s in batch]))
            batch = [
                Signal(key="Vehicle.Cabin.Microphone", value=SECRET, time_s=1.0),
                _speed(3.0),
                Signal(key="Vehicle.CurrentLocation.Latitude", value=60.1, time_s=1.0),
            ]
            crossings = await nodes["car"].publish_signals(batch, "anticipate")
            assert [c.key for c in crossings] == [
                "Vehicle.Speed",
                "Vehicle.CurrentLocation.Latitude",
            ]
            await until(lambda: got != [])
            assert got == [["Vehicle.Speed", "Vehicle.CurrentLocation.Latitude"]]
            assert [c.key for c in _refused(nodes["car"])] == ["Vehicle.Cabin.Microphone"]

    asyncio.run(scenario())


def test_more_signals_than_one_message_holds_come_in_several(make_household: Any) -> None:
    household = make_household(**ALL)

    async def scenario() -> None:
        async with _nodes(household, MemoryHub()) as nodes:
            got: list[list[float]] = []
            nodes["phone"].on_signals(
                lambda _m, batch: got.append([float(s.value or 0) for s in batch])
            )
            batch = [_speed(float(n)) for n in range(SIGNALS_MAX * 2 + 5)]
            crossings = await nodes["car"].publish_signals(batch, "anticipate", reliable=True)
            assert len(crossings) == len(batch)
            await until(lambda: sum(map(len, got)) == len(batch))
            assert [len(some) for some in got] == [SIGNALS_MAX, SIGNALS_MAX, 5]
            assert [value for some in got for value in some] == [s.value for s in batch]

    asyncio.run(scenario())


def test_the_receivers_own_rules_decide_as_well(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")
    strict = Rules(tuple(r for r in RULES.rules if r.id != "suggestion-in-car"))

    async def scenario() -> None:
        async with _nodes(household, MemoryHub(), {"car": strict}) as nodes:
            shown: list[str] = []
            nodes["car"].subscribe("Suggestion.*", str, lambda _m, text: shown.append(text))
            nodes["car"].subscribe("Replay.*", str, lambda _m, text: shown.append(text))
            nodes["car"].serve("Suggestion.Ask", str, lambda _m, text: text)
            assert await nodes["phone"].publish("Suggestion.Moment", SECRET, "advise")
            with pytest.raises(RuleDeniedError):
                await nodes["phone"].request("car", "Suggestion.Ask", SECRET, "advise", str, 2.0)
            await nodes["phone"].publish("Replay.Step", "step", "replay")  # the control
            await until(lambda: shown != [])
            assert shown == ["step"]
            refused = _refused(nodes["car"])
            assert {(c.key, c.sender) for c in refused} == {
                ("Suggestion.Moment", "phone"),
                ("Suggestion.Ask", "phone"),
            }

    asyncio.run(scenario())


def test_a_reply_is_a_crossing_and_an_acknowledgement_is_none(make_household: Any) -> None:
    household = make_household(**ALL)

    async def scenario() -> None:
        async with _nodes(household, MemoryHub()) as nodes:
            done: list[str] = []

            def forget(meta: Meta, what: str) -> None:
                done.append(meta.key + what)

            nodes["home"].serve("Forget.Range", str, forget)
            nodes["car"].serve("Forget.Range", str, lambda _m, what: what + SECRET)
            await nodes["phone"].request("home", "Forget.Range", "r", "forget", type(None), 2.0)
            assert done == ["Forget.Ranger"]
            with pytest.raises(RuleDeniedError):  # no rule lets Forget.* go back from the car
                await nodes["phone"].request("car", "Forget.Range", "r", "forget", str, 2.0)
            assert [c.key for c in _refused(nodes["car"])] == ["Forget.Range"]

    asyncio.run(scenario())


def test_requests_that_fail_say_so(make_household: Any) -> None:
    household = make_household(phone="phone", ben="phone", car="car", home="home")

    async def scenario() -> None:
        async with _nodes(household, MemoryHub()) as nodes:

            async def slow(_m: Meta, _n: int) -> str:
                await asyncio.sleep(30)
                return ""

            def broken(_m: Meta, _n: int) -> str:
                raise ZeroDivisionError(SECRET)

            async def broken_later(_m: Meta, _n: int) -> str:
                await asyncio.sleep(0)
                raise ZeroDivisionError(SECRET)

            home = nodes["home"]
            home.serve("Replay.Slow", int, slow)
            home.serve("Replay.Broken", int, broken)
            home.serve("Replay.Later", int, broken_later)
            home.serve("Replay.Sum", int, lambda _m, n: n + 1)

            async def ask(to: str, key: str, record: object = 1, kind: Any = int) -> Any:
                return await nodes["car"].request(to, key, record, "replay", kind, 0.5)

            assert await ask("home", "Replay.Sum") == 2
            for to, key, words in (
                ("home", "Replay.Slow", "did not answer"),
                ("home", "Replay.Broken", "failed while answering"),
                ("home", "Replay.Later", "failed while answering"),
                ("home", "Replay.Nothing", "does not answer Replay.Nothing"),
                ("phone", "Replay.Sum", "any of"),
                ("nobody", "Replay.Sum", "not reachable"),
            ):
                with pytest.raises(MeshError, match=words):
                    await ask(to, key)
            with pytest.raises(MeshError, match="does not decode"):
                await ask("home", "Replay.Sum", "text")
            with pytest.raises(WireError, match="does not decode"):
                await ask("home", "Replay.Sum", 1, list[str])
            assert await ask("home", "Replay.Sum") == 2

    asyncio.run(scenario())


def test_a_broken_handler_deafens_nobody_and_logs_no_content(
    make_household: Any, caplog: pytest.LogCaptureFixture
) -> None:
    household = make_household(phone="phone", car="car")
    caplog.set_level(logging.DEBUG)

    async def scenario() -> None:
        async with _nodes(household, MemoryHub()) as nodes:
            got: list[str] = []

            def handler(_m: Meta, text: str) -> None:
                if text == SECRET:
                    raise KeyError(text)
                got.append(text)

            nodes["phone"].subscribe("Answer.*", str, handler)
            await nodes["car"].publish("Answer.Given", SECRET, "learn")
            await nodes["car"].publish("Answer.Given", 3, "learn")  # not a text
            await nodes["car"].publish("Answer.Given", "fine", "learn")
            await until(lambda: got == ["fine"])
            assert nodes["phone"].refused_frames == 1

    asyncio.run(scenario())
    assert "KeyError" in caplog.text
    assert "test_node.py" in caplog.text
    assert SECRET not in caplog.text
    assert "fine" not in caplog.text


def test_tampered_frames_are_dropped_counted_and_not_logged(
    make_household: Any, caplog: pytest.LogCaptureFixture
) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _nodes(household, MemoryHub()) as nodes:
            got: list[str] = []
            nodes["phone"].subscribe("Answer.*", str, lambda _m, text: got.append(text))
            link, frame = nodes["car"]._link, _sealed(nodes["car"], "phone", "ok")
            await link.put("phone", frame[:-1] + bytes([frame[-1] ^ 1]), reliable=True)
            await link.put("phone", b"", reliable=True)
            await link.put("phone", frame, reliable=True)  # the control
            await link.put("phone", frame, reliable=True)  # replayed
            with pytest.raises(MeshError):
                await link.ask("phone", b"garbage", 0.1)
            await until(lambda: nodes["phone"].refused_frames == 4)
            assert got == ["ok"]

    asyncio.run(scenario())


def test_one_signal_that_may_not_enter_keeps_its_batch_out(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _nodes(household, MemoryHub()) as nodes:
            got: list[int] = []
            nodes["phone"].on_signals(lambda _m, batch: got.append(len(batch)))
            car = nodes["car"]
            smuggled = [_speed(1.0), Signal(key="Vehicle.Cabin.Microphone", value="x", time_s=1.0)]
            for batch in (smuggled, smuggled[:1]):  # past its own rules; the second is the control
                frame = _sealed(car, "phone", batch, env.Head(env.SIGNALS, "", "anticipate"))
                await car._link.put("phone", frame, reliable=True)
            await until(lambda: got == [1])
            assert nodes["phone"].refused_frames == 1

    asyncio.run(scenario())


def test_peers_come_back_and_messages_flow_again(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        hub = MemoryHub()
        async with _nodes(household, hub) as nodes:
            got: list[str] = []
            seen: list[tuple[str, bool]] = []
            nodes["phone"].subscribe("Answer.*", str, lambda _m, text: got.append(text))
            nodes["car"].on_peer(lambda who, ready: seen.append((who, ready)))
            for n in range(3):
                hub.cut("phone", "car")
                await until(lambda: not nodes["car"].peers()["phone"].alive)
                assert await nodes["car"].publish("Answer.Given", "lost", "learn") == []
                hub.heal("phone", "car")
                await nodes["car"].wait_ready(["phone"], 5.0)
                assert await nodes["car"].publish("Answer.Given", f"heard {n}", "learn")
                await until(lambda n=n: len(got) == n + 1)  # type: ignore[misc]
            assert got == ["heard 0", "heard 1", "heard 2"]
            assert seen == [("phone", False), ("phone", True)] * 3
            hub.cut("phone", "car")
            await until(lambda: not nodes["car"].peers()["phone"].alive)
            with pytest.raises(MeshError, match="Not reached within"):
                await nodes["car"].wait_ready(["phone"], 0.1)

    asyncio.run(scenario())


@pytest.mark.parametrize("wire", ["memory", "zenoh"])
def test_a_device_paired_later_is_told_to_everybody(make_household: Any, wire: str) -> None:
    """The car was paired before the phone, so its roster lacks it; the home's is newer and signed."""
    household = make_household(home="home", car="car")
    household.add("phone", "phone", tell=False)
    (household.path / "home" / "roster.bin").write_bytes(household.root.signed_roster)

    async def scenario() -> None:
        async with _nodes(household, MemoryHub() if wire == "memory" else None) as nodes:
            assert nodes["car"].identity.roster.member("phone") is not None
            assert await nodes["car"].publish("Answer.Given", "yes", "learn")
            await asyncio.to_thread(household.root.revoke, "car")
            await nodes["home"].reload_roster(household.root.signed_roster)
            await until(lambda: "car" not in nodes["phone"].peers())
            await nodes["home"].wait_ready(["phone"], 8.0)
            assert nodes["phone"].ready("car") == []

    asyncio.run(scenario())
    assert household.identity("phone").roster.member("car") is None


_roles = st.sampled_from(["phone", "car", "home"])
_names = st.lists(st.sampled_from(["A", "B"]), min_size=1, max_size=2).map(".".join)
_purposes = st.sampled_from(["learn", "advise"])
_rules = st.lists(
    st.builds(
        lambda keys, sender, receivers, purpose: (keys, sender, receivers, purpose),
        st.lists(_names | _names.map(lambda n: n + ".*"), min_size=1, max_size=2),
        _roles,
        st.lists(_roles, min_size=1, max_size=2, unique=True),
        _purposes,
    ),
    max_size=3,
).map(
    lambda rows: Rules(
        Rule(id=f"r{n}", keys=tuple(k), sender=s, receivers=tuple(r), purpose=p)
        for n, (k, s, r, p) in enumerate(rows)
    )
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    sender_rules=_rules,
    receiver_rules=_rules,
    messages=st.lists(st.tuples(_names, _purposes, st.booleans()), max_size=8),
)
def test_nothing_leaves_or_enters_without_a_rule(
    make_household: Any,
    sender_rules: Rules,
    receiver_rules: Rules,
    messages: list[tuple[str, str, bool]],
) -> None:
    if not hasattr(test_nothing_leaves_or_enters_without_a_rule, "household"):
        household = make_household(**ALL)
        test_nothing_leaves_or_enters_without_a_rule.household = household  # type: ignore[attr-defined]
    household = test_nothing_leaves_or_enters_without_a_rule.household  # type: ignore[attr-defined]
    rules = {"car": sender_rules, "phone": receiver_rules, "home": receiver_rules}

    async def scenario() -> None:
        async with _nodes(household, MemoryHub(), rules) as nodes:
            wire: list[tuple[str, str, str]] = []  # what a receiver could read off the wire
            handled: list[tuple[str, str, str]] = []
            for device_id in ("phone", "home"):
                take = nodes[device_id]._hearing._take_messages

                async def read(
                    session: Any, frame: env.Frame, seq: int, who: str = device_id, take: Any = take
                ) -> None:
                    for at, body in zip(frame.of, frame.bodies, strict=True):
                        head = frame.heads[at]
                        keys = [head.key]
                        if head.kind == env.SIGNALS:
                            keys = [s.key for s in codec.unpack(body, list[Signal])]
                        wire.extend((key, who, head.purpose) for key in keys)
                    await take(session, frame, seq)

                nodes[device_id]._hearing._take_messages = read  # type: ignore[method-assign]
                for pattern in ("A", "B", "A.*", "B.*"):
                    nodes[device_id].subscribe(
                        pattern,
                        str,
                        lambda m, _t, who=device_id: handled.append((m.key, who, m.purpose)),  # type: ignore[misc]
                    )
                nodes[device_id].on_signals(
                    lambda m, batch, who=device_id: handled.extend(  # type: ignore[misc]
                        (s.key, who, m.purpose) for s in batch
                    )
                )
            for key, purpose, as_signal in messages:
                if as_signal:
                    signal = Signal(key=key, value=1.0, time_s=1.0)
                    await nodes["car"].publish_signals([signal], purpose, reliable=True)
                else:
                    await nodes["car"].publish(key, "text", purpose, reliable=True)
            let = sorted(
                (key, who, purpose)
                for key, purpose, _ in messages
                for who in ("phone", "home")
                if sender_rules.allows(key, "car", who, purpose)
            )
            due = [t for t in let if receiver_rules.allows(t[0], "car", t[1], t[2])]
            await until(lambda: len(wire) >= len(let) and len(handled) >= len(due))
            await asyncio.sleep(0.01)  # for what must not come
            assert sorted(wire) == let
            assert sorted(handled) == due
            sent = sum(c.count for c in nodes["car"].crossings() if c.rule)
            assert sent == len(let)

    asyncio.run(scenario())


@pytest.mark.parametrize("speaks", ["car", "phone"])
def test_two_that_hold_different_sessions_find_one_again(make_household: Any, speaks: str) -> None:
    """Ways that come and go at different moments may leave each with another session: whoever speaks mends it."""
    household = make_household(**ALL)

    async def scenario() -> None:
        async with _nodes(household, MemoryHub()) as nodes:
            heard: list[str] = []
            nodes["phone"].subscribe("Answer.*", str, lambda meta, text: heard.append(text))
            nodes["car"].subscribe("Suggestion.*", str, lambda meta, text: heard.append(text))
            # The phone begins anew; the car believes an answer that was older than that beginning.
            ours, theirs = nodes["phone"]._sessions, nodes["car"]._sessions
            ours.drop("car")
            _, hello = theirs.hear_greeting("phone", ours.greeting("car"), answer=False)
            ours.hear_greeting("car", theirs.greeting("phone", hello.challenge), answer=True)
            peering = theirs._peerings["phone"]
            assert peering.current is not None
            assert peering.candidate is not None
            peering.candidate, peering.current.greeted = None, True
            nodes["phone"]._gate.changed()
            nodes["car"]._gate.changed()

            async def say() -> None:
                if speaks == "car":
                    await nodes["car"].publish("Answer.Given", "x", "learn", reliable=True)
                else:
                    await nodes["phone"].publish("Suggestion.Show", "x", "advise", reliable=True)

            await say()
            await asyncio.sleep(0.05)
            assert heard == []  # the two really do not understand one another
            for _ in range(40):
                await say()
                await asyncio.sleep(0.05)
                if heard:
                    break
            assert heard

    asyncio.run(scenario())
