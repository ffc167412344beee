"""A session ends with the certificate that began it, also where this node only listens; two that differ are mended."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from hearthway.mesh.links.memory import MemoryHub
from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.mesh.trust.root import DEVICE_DAYS
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import HearthwayError

pytestmark = pytest.mark.usefixtures("no_blocking")
RULES = Rules.parse(default_rules(), "default")


def test_an_ended_certificate_says_nothing_more(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")
    later_s = 0.0

    def car_now() -> float:
        return time.time() + later_s

    async def main() -> None:
        nonlocal later_s
        hub, heard = MemoryHub(), []
        identities = {n: household.identity(n) for n in ("phone", "car")}
        phone = MeshNode(identities["phone"], hub.link("phone", "phone"), RULES, time.time)
        car = MeshNode(identities["car"], hub.link("car", "car"), RULES, car_now)
        car.subscribe("Household.Word", str, lambda meta, word: heard.append(word))
        car.serve("Household.Ask", str, lambda meta, word: heard.append(word))
        try:
            await car.open()
            await phone.open()
            await phone.wait_ready(["car"], 10.0)
            await car.wait_ready(["phone"], 10.0)

            async def say(word: str) -> None:
                await phone.publish("Household.Word", word, "household", reliable=True)
                await asyncio.sleep(0.2)

            await say("before")
            assert heard == ["before"]  # the control
            later_s = DEVICE_DAYS * 86_400.0 + 10.0
            await say("after")
            with pytest.raises(HearthwayError):
                await phone.request("car", "Household.Ask", "after", "household", type(None), 1.0)
            assert heard == ["before"]
        finally:
            await phone.close()
            await car.close()

    asyncio.run(main())


def test_a_peer_that_lives_in_a_session_that_was_over_here_is_greeted_anew(
    make_household: Any,
) -> None:
    """The phone holds another session for the current one. Whoever watches hears of it, and the car says nothing."""
    household = make_household(phone="phone", car="car")

    async def main() -> None:
        hub = MemoryHub()
        phone, car = (
            MeshNode(household.identity(n), hub.link(n, n), RULES, time.time)
            for n in ("phone", "car")
        )
        try:
            await car.open()
            await phone.open()
            await phone.wait_ready(["car"], 10.0)
            await car.wait_ready(["phone"], 10.0)
            told: list[bool] = []
            phone.on_peer(lambda _, ready: told.append(ready))
            session = phone._sessions.get("car")
            assert session is not None
            phone._sessions._peerings["car"].promote(replace(session, session=bytes(16)))
            phone._greeter.recheck("car")
            async with asyncio.timeout(5.0):
                while told != [False, True]:  # noqa: ASYNC110 - what is waited for is told by no event
                    await asyncio.sleep(0.005)
            assert phone.ready("car")
        finally:
            await phone.close()
            await car.close()

    asyncio.run(main())
