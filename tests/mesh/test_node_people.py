"""Nodes of people: what is about somebody, grants, who was put out, versions; each denial beside what is let."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from tests.waiting import until

from hearthway.mesh.links.memory import MemoryHub
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.trust.certificates import request
from hearthway.mesh.trust.identity import device_key, keep_device
from hearthway.mesh.wire import envelope as env
from hearthway.mesh.wire.checks import GrantCheck
from hearthway.mesh.wire.node import MeshNode
from hearthway.records import codec
from hearthway.records.errors import MeshError, RuleDeniedError
from hearthway.records.household import Decision, HouseholdPerson, PersonKind, Rule
from hearthway.records.signals import Signal

pytestmark = pytest.mark.usefixtures("no_blocking")

ANNA, BEN, GUEST = "a" * 16, "b" * 16, "c" * 16


def _rule(rule_id: str, key: str, sender: str, *to: str, **more: str) -> Rule:
    return Rule(
        id=rule_id, keys=(key,), sender=sender, receivers=tuple(to), purpose="share", **more
    )


RULES = Rules(
    [
        _rule("from-car", "Vehicle.*", "car", "phone", "home"),
        _rule("to-car", "Order.*", "phone", "car"),
        _rule("back", "Order.*", "car", "phone"),
        _rule("rough", "Position.*", "car", "home", precision="city"),
    ],
)


def _with_people(household: Any, **of: HouseholdPerson) -> None:
    """Say whose these devices are."""
    for device_id, person in of.items():
        keys = household.path / device_id
        key = device_key(keys)
        pem, _ = household.root.admit(
            request(key, device_id), device_id, "phone", time.time(), "127.0.0.1:1", person=person
        )
        keep_device(keys, key, pem, household.root.certificate_pem, household.root.signed_roster)
    household.tell()


@asynccontextmanager
async def _nodes(
    household: Any, rules: Rules = RULES, grants: GrantCheck | None = None, **more: Any
) -> AsyncIterator[tuple[dict[str, MeshNode], MemoryHub]]:
    hub, nodes = MemoryHub(), dict[str, MeshNode]()
    for device_id in household.addresses:
        identity = household.identity(device_id)
        link = hub.link(device_id, identity.role)
        nodes[device_id] = MeshNode(
            identity, link, rules, time.time, grants=grants, **more.get(device_id, {})
        )
    try:
        for node in nodes.values():
            await node.open()
        if not more:
            for device_id, node in nodes.items():
                await node.wait_ready([d for d in nodes if d != device_id], 10.0)
        yield nodes, hub
    finally:
        for node in nodes.values():
            await node.close()


def test_what_is_about_somebody_reaches_their_phone_and_nobody_elses(make_household: Any) -> None:
    household = make_household(anna="phone", ben="phone", car="car")
    adult = PersonKind.ADULT
    _with_people(
        household,
        anna=HouseholdPerson(person_id=ANNA, kind=adult),
        ben=HouseholdPerson(person_id=BEN, kind=adult),
    )

    async def scenario() -> None:
        async with _nodes(household) as (nodes, _):
            got: list[tuple[str, str, str]] = []
            for name in ("anna", "ben"):
                nodes[name].subscribe(
                    "Vehicle.*",
                    int,
                    lambda m, _n, who=name: got.append((who, m.key, m.about)),  # type: ignore[misc]
                )
                nodes[name].on_signals(
                    lambda _m, batch, who=name: got.extend((who, s.key, s.person) for s in batch)  # type: ignore[misc]
                )
            car = nodes["car"]
            await car.publish("Vehicle.Trip", 1, "share", about=ANNA)
            await car.publish("Vehicle.Trip", 1, "share", about=BEN)
            await car.publish_signals(
                [
                    Signal(key="Vehicle.Seat", value=1.0, time_s=1.0, person=ANNA),
                    Signal(key="Vehicle.Speed", value=1.0, time_s=1.0),
                ],
                "share",
            )
            await until(lambda: len(got) == 5)
            await asyncio.sleep(0.05)
            assert sorted(got) == [
                ("anna", "Vehicle.Seat", ANNA),
                ("anna", "Vehicle.Speed", ""),
                ("anna", "Vehicle.Trip", ANNA),
                ("ben", "Vehicle.Speed", ""),
                ("ben", "Vehicle.Trip", BEN),
            ]
            refused = {(c.key, c.receiver_role) for c in car.crossings() if not c.rule}
            assert refused == {("Vehicle.Trip", "phone")}
            assert await car.publish("Vehicle.Trip", 1, "share", about=ANNA, to="ben") == []
            # a car that does not keep to the rules: Ben's phone decides by itself
            session = car._sessions.get("ben")
            assert session is not None
            for about in (ANNA, BEN):
                head = env.Head(env.RECORD, "Vehicle.Smuggled", "share", about)
                frame = env.Frame(time.time(), (head,), [0], [codec.pack(1)])
                data = car._sessions.seal(session, env.RELIABLE, frame)[1]
                await car._link.put("ben", data, reliable=True)
            await until(lambda: ("ben", "Vehicle.Smuggled", BEN) in got)
            assert ("ben", "Vehicle.Smuggled", ANNA) not in got
            assert nodes["ben"].refused_frames == 1

    asyncio.run(scenario())


def test_a_guests_stay_ends_while_it_is_connected(make_household: Any) -> None:
    household = make_household(guest="phone", car="car")
    until_s = time.time() + 1.2
    _with_people(
        household,
        guest=HouseholdPerson(person_id=GUEST, kind=PersonKind.GUEST, until_s=until_s),
    )
    rules = Rules([_rule("all", "Vehicle.*", "car", "phone", whose="everyone")])

    async def scenario() -> None:
        async with _nodes(household, rules) as (nodes, _):
            assert await nodes["car"].publish("Vehicle.Trip", 1, "share")
            await asyncio.sleep(max(0.0, until_s - time.time()) + 0.01)
            assert await nodes["car"].publish("Vehicle.Trip", 1, "share") == []
            assert nodes["car"].ready("guest") == []

    asyncio.run(scenario())


def test_less_precise_is_told_less_precisely(make_household: Any) -> None:
    household = make_household(car="car", home="home")

    async def scenario() -> None:
        async with _nodes(household) as (nodes, _):
            got: list[Signal] = []
            nodes["home"].on_signals(lambda _m, batch: got.extend(batch))
            keys = ("Position.Latitude", "Position.Longitude")
            await nodes["car"].publish_signals(
                [
                    Signal(key=k, value=v, time_s=1.0)
                    for k, v in zip(keys, (60.17, 24.94), strict=True)
                ],
                "share",
            )
            await until(lambda: len(got) == 2)
            told = {s.key: s.value for s in got}
            assert set(told) == set(keys)
            assert isinstance(told[keys[0]], float)
            assert 0.0001 < abs(float(told[keys[0]] or 0) - 60.17) < 0.3
            assert await nodes["car"].publish("Position.Note", "Salaisuus", "share") == []

    asyncio.run(scenario())


class _Book:
    """Lets one token read one key, and another write one."""

    def allows(
        self, token: bytes, key: str, operation: str, holder: str, now_s: float
    ) -> Decision | None:
        good = {(b"reads", "Cabin.Warmth", "read"), (b"writes", "Cabin.Door", "write")}
        return Decision(rule="grant-1") if (token, key, operation) in good else None


def test_a_grant_lets_what_no_rule_lets(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _nodes(household, grants=_Book()) as (nodes, _):
            phone, car = nodes["phone"], nodes["car"]
            car.serve("Cabin.Warmth", type(None), lambda _m, _n: 21.5, reply_key="Cabin.Warmth")
            car.serve("Cabin.Door", str, lambda _m, _text: None)

            async def read(token: bytes) -> float:
                return await phone.request(
                    "car", "Cabin.Warmth", None, "share", float, 2.0, grant=token
                )

            async def write(token: bytes) -> None:
                await phone.request(
                    "car", "Cabin.Door", "open", "share", type(None), 2.0, grant=token
                )

            assert await read(b"reads") == 21.5
            await write(b"writes")
            for denied in (read(b""), read(b"writes"), write(b"reads"), read(b"junk")):
                with pytest.raises(RuleDeniedError):
                    await denied
            let = {(c.key, c.rule) for c in car.crossings() if c.rule}
            assert let == {("Cabin.Warmth", "grant-1"), ("Cabin.Door", "grant-1")}

    asyncio.run(scenario())


def test_the_asked_node_checks_the_grant_itself(make_household: Any) -> None:
    """The asker's node lets everything leave; the car's book knows no such token."""
    household = make_household(phone="phone", car="car")
    open_rules = Rules([_rule("out", "Cabin.*", "phone", "car")])

    async def scenario() -> None:
        async with _nodes(household, open_rules, grants=_Book()) as (nodes, _):
            nodes["car"].use_rules(Rules([]))
            done: list[str] = []
            nodes["car"].serve("Cabin.Door", str, lambda _m, text: done.append(text))
            for token in (b"reads", b"", b"x" * 4000):
                with pytest.raises(RuleDeniedError):
                    await nodes["phone"].request(
                        "car", "Cabin.Door", "no", "share", type(None), 2.0, grant=token
                    )
            await nodes["phone"].request(
                "car", "Cabin.Door", "yes", "share", type(None), 2.0, grant=b"writes"
            )
            assert done == ["yes"]

    asyncio.run(scenario())


def test_rules_change_from_one_message_to_the_next(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _nodes(household) as (nodes, _):
            for _ in range(2):
                assert await nodes["car"].publish("Vehicle.Trip", 1, "share")
                nodes["car"].use_rules(Rules([]))
                assert await nodes["car"].publish("Vehicle.Trip", 1, "share") == []
                nodes["car"].use_rules(RULES)

    asyncio.run(scenario())


# -- leaving -------------------------------------------------------------------------------------


def test_who_is_put_out_says_so_and_falls_silent(make_household: Any) -> None:
    household = make_household(phone="phone", car="car", home="home")

    async def scenario() -> None:
        async with _nodes(household) as (nodes, _):
            heard: list[int] = []
            nodes["phone"].subscribe("Vehicle.*", int, lambda _m, n: heard.append(n))
            await nodes["car"].publish("Vehicle.Trip", 1, "share", reliable=True)
            await until(lambda: heard == [1])
            await asyncio.to_thread(household.root.revoke, "car")
            await nodes["home"].reload_roster(household.root.signed_roster)
            await until(lambda: not nodes["car"].health().ok)
            assert "taken out of the household" in nodes["car"].health().problem
            await until(lambda: nodes["phone"].identity.epoch == household.root.roster.epoch)
            assert nodes["car"].ready("phone") == []
            assert await nodes["car"].publish("Vehicle.Trip", 2, "share") == []
            with pytest.raises(MeshError, match="taken out of the household"):
                await nodes["car"].request("phone", "Order.X", 1, "share", int, 0.2)
            assert heard == [1]
            await nodes["home"].wait_ready(["phone"], 5.0)  # the others go on
            nodes["phone"].serve("Order.Y", int, lambda _m, n: n)

    asyncio.run(scenario())


def test_nothing_is_lost_while_the_epoch_turns(make_household: Any) -> None:
    household = make_household(phone="phone", car="car", home="home", old="home")

    async def scenario() -> None:
        async with _nodes(household) as (nodes, _):
            heard: list[int] = []
            nodes["phone"].subscribe("Vehicle.*", int, lambda _m, n: heard.append(n))
            for n in range(400):
                await nodes["car"].publish("Vehicle.Trip", n, "share", reliable=True, to="phone")
                if n == 150:
                    await asyncio.to_thread(household.root.revoke, "old")
                    await nodes["car"].reload_roster(household.root.signed_roster)
                if n % 20 == 0:
                    await asyncio.sleep(0)
            await until(lambda: len(heard) == 400)
            assert heard == list(range(400))
            assert nodes["phone"].identity.epoch == household.root.roster.epoch == 2
            assert nodes["phone"].refused_frames == 0

    asyncio.run(scenario())


def test_a_node_that_missed_the_roster_asks_for_it(make_household: Any) -> None:
    household = make_household(phone="phone", car="car", old="home")

    async def scenario() -> None:
        async with _nodes(household) as (nodes, _):
            heard: list[int] = []
            nodes["phone"].subscribe("Vehicle.*", int, lambda _m, n: heard.append(n))
            await asyncio.to_thread(household.root.revoke, "old")
            signed = household.root.signed_roster
            car = nodes["car"]
            newer = await asyncio.to_thread(car.identity.with_roster, signed)
            car._sessions.use(newer)  # it tells nobody
            car._greeter.signed_roster = signed
            await car.publish("Vehicle.Trip", 1, "share", reliable=True, to="phone")
            await until(lambda: nodes["phone"].identity.epoch == newer.epoch)
            await car.publish("Vehicle.Trip", 2, "share", reliable=True, to="phone")
            await until(lambda: 2 in heard)

    asyncio.run(scenario())


# -- versions ------------------------------------------------------------------------------------


def test_nodes_without_a_common_version_say_so(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _nodes(household, car={"versions": (3, 3)}) as (nodes, _):
            for name in ("phone", "car"):
                await until(lambda name=name: "speaks" in nodes[name].health().problem)  # type: ignore[misc]
                problem = nodes[name].health().problem
                assert "version 3 of the wire" in problem or "version 2 of the wire" in problem
                assert "version 3" in problem
                assert "version 2" in problem
                assert nodes[name].ready("car" if name == "phone" else "phone") == []

    asyncio.run(scenario())


def test_a_newer_node_and_this_one_work_together(make_household: Any) -> None:
    """It speaks 2 and 3, and says more in greetings and frames than this version knows."""
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _nodes(household, phone={"versions": (2, 3)}) as (nodes, _):
            newer = nodes["phone"]._sessions
            plain_greeting, plain_seal = newer.greeting, newer.seal

            def greeting(receiver: str, echo: bytes = b"") -> bytes:
                hello = env.read_hello(plain_greeting(receiver, echo))[0]
                content = codec.pack([*msgspec.structs.astuple(hello), {"new": 1}])
                signature = newer.identity.sign(b"hearthway hello 2\0" + content)
                return codec.pack(["h", content, signature])

            def seal(session: Any, lane: int, frame: env.Frame) -> tuple[int, bytes]:
                heads = [[*msgspec.structs.astuple(h), "new"] for h in frame.heads]
                plain = codec.pack(
                    [frame.time_s, heads, frame.of, frame.bodies, frame.held_s, "new"]
                )
                own = newer.identity
                return session.seal(lane, own.epoch, own.epoch_key, plain)  # type: ignore[no-any-return]

            newer.greeting, newer.seal = greeting, seal  # type: ignore[method-assign]
            assert plain_seal is not seal
            await nodes["phone"].wait_ready(["car"], 5.0)
            await nodes["car"].wait_ready(["phone"], 5.0)
            nodes["car"].serve("Order.Double", int, lambda _m, n: 2 * n)
            nodes["phone"].serve("Order.Half", int, lambda _m, n: n // 2)
            assert await nodes["phone"].request("car", "Order.Double", 4, "share", int, 2.0) == 8
            assert await nodes["car"].request("phone", "Order.Half", 4, "share", int, 2.0) == 2

    asyncio.run(scenario())


def test_quality_is_measured(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _nodes(household, car={}) as (nodes, hub):
            hub.latency_s = 0.02
            nodes["car"]._sessions._now = lambda: time.time() + 100.0  # its clock is wrong
            await nodes["phone"].wait_ready(["car"], 5.0)
            hub.cut("phone", "car")
            hub.heal("phone", "car")
            await nodes["phone"].wait_ready(["car"], 5.0)
            await asyncio.sleep(0.3)
            quality = nodes["phone"].quality("car")
            assert quality.rtt_s is not None
            assert 0.01 < quality.rtt_s < 1.0
            assert quality.clock_offset_s is not None
            assert abs(quality.clock_offset_s - 100.0) < 1.0
            assert quality.version
            assert nodes["phone"].quality("nobody").rtt_s is None

    asyncio.run(scenario())
