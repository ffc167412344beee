"""What a peer said before it went is heard, also where the news that it went came first to the node's ears."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from hearthway.mesh.links.memory import MemoryHub
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import MeshError
from hearthway.records.household import Role, Rule

RULES = Rules(
    [
        Rule(
            id="test",
            keys=("Test.*",),
            sender=Role.CAR,
            receivers=(Role.PHONE,),
            purpose="share",
        )
    ]
)


def test_frames_that_wait_when_their_sender_goes_are_handled_in_their_order(
    make_household: Any, caplog: pytest.LogCaptureFixture
) -> None:
    household = make_household(phone="phone", car="car")
    hub = MemoryHub()

    async def main() -> None:
        nodes = {}
        for name in ("phone", "car"):
            identity = await asyncio.to_thread(household.identity, name)
            nodes[name] = MeshNode(identity, hub.link(name, name), RULES, time.time)
        phone, car = nodes["phone"], nodes["car"]
        heard: list[int] = []
        busy = asyncio.Event()

        async def hear(_: object, number: int) -> None:
            heard.append(number)
            await busy.wait()

        phone.subscribe("Test.Number", int, hear)
        phone.serve("Test.Ask", int, lambda _, n: n, reply_key=None)
        try:
            for node in nodes.values():
                await node.open()
            await car.wait_ready(["phone"], 10.0)
            await phone.wait_ready(["car"], 10.0)
            for number in range(5):
                await car.publish("Test.Number", number, "share", reliable=True)
                await asyncio.sleep(0.02)
            asked = asyncio.create_task(
                car.request("phone", "Test.Ask", 1, "share", type(None), 5.0)
            )
            await asyncio.sleep(0.05)
            assert heard == [0]  # the rest waits
            hub.cut("phone", "car")
            await asyncio.sleep(0.05)
            assert phone.ready("car") == []
            busy.set()
            await asyncio.sleep(0.05)
            assert heard == [0, 1, 2, 3, 4]
            with pytest.raises(MeshError):
                await asked
            assert "refused" not in caplog.text
            hub.heal("phone", "car")
            await car.wait_ready(["phone"], 10.0)
            await car.publish("Test.Number", 5, "share", reliable=True)
            await asyncio.sleep(0.05)
            assert heard == [0, 1, 2, 3, 4, 5]
        finally:
            for node in nodes.values():
                await node.close()

    asyncio.run(main())


def test_what_waits_of_a_device_that_was_put_out_is_not_heard(make_household: Any) -> None:
    """The control: its session is over before it is gone."""
    household = make_household(phone="phone", car="car", home="home")
    hub = MemoryHub()

    async def main() -> None:
        nodes = {}
        for name in ("phone", "car"):
            identity = await asyncio.to_thread(household.identity, name)
            nodes[name] = MeshNode(identity, hub.link(name, name), RULES, time.time)
        phone, car = nodes["phone"], nodes["car"]
        heard: list[int] = []
        busy = asyncio.Event()

        async def hear(_: object, number: int) -> None:
            heard.append(number)
            await busy.wait()

        phone.subscribe("Test.Number", int, hear)
        try:
            for node in nodes.values():
                await node.open()
            await car.wait_ready(["phone"], 10.0)
            await phone.wait_ready(["car"], 10.0)
            for number in range(3):
                await car.publish("Test.Number", number, "share", reliable=True)
                await asyncio.sleep(0.02)
            await asyncio.to_thread(household.root.revoke, "car")
            await phone.reload_roster(household.root.signed_roster)
            busy.set()
            await asyncio.sleep(0.1)
            assert heard == [0]
        finally:
            for node in nodes.values():
                await node.close()

    asyncio.run(main())
