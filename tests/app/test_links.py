"""The home writes down where a device answers now, and nothing else; a node at rest is parked, and awake at the first sign of life."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.app import links
from hearthway.app.links import AGAIN_S, REST_S, Parking, Roaming, usable
from hearthway.app.node import Node
from hearthway.mesh.links.relay import RelayLink
from hearthway.records.signals import Signal

OLD = "127.0.0.1:2"  # where the household's fixture says that the phone is
NEW = "192.168.4.7:7447"


class Wire:
    """What a link knows of where peers are; whoever is asked for stands in `there`."""

    def __init__(self) -> None:
        self.seen: dict[str, str] = {}
        self.there: set[tuple[str, str]] = set()
        self.parked = False
        self.told: list[bool] = []

    def address_of(self, device_id: str) -> str:
        return self.seen.get(device_id, "")

    async def answers_at(self, device_id: str, address: str) -> bool:
        return (device_id, address) in self.there

    async def set_parked(self, parked: bool) -> None:
        self.parked = parked
        self.told.append(parked)


def _listed(node: Node) -> str:
    assert node.mesh is not None
    member = node.mesh.identity.roster.member("phone")
    assert member is not None
    return member.address


async def _look(nodes: Any) -> str:
    """The home looks; where the list then says that the phone is."""
    home = nodes["home"]
    # A new list opens every session anew, and who is not in reach is not looked for.
    await nodes.until(lambda: home.mesh.ready("phone"))
    await home.part(Roaming).look(home.mesh)
    await asyncio.sleep(0.5)  # the new list is told soon, not at once
    return _listed(home)


async def _moved(nodes: Any, wanted: str) -> None:
    """The home looks until the list says `wanted`."""
    async with asyncio.timeout(20.0):
        while await _look(nodes) != wanted:
            pass


@asynccontextmanager
async def _home(household: Any) -> AsyncIterator[tuple[Any, Wire, list[float]]]:
    async with household(phone="phone") as nodes:
        home, wire, clock = nodes["home"], Wire(), [0.0]
        home.wire = wire
        home.part(Roaming).now = lambda: clock[0]
        await nodes.until(lambda: _listed(home) == OLD)
        yield nodes, wire, clock


def test_a_device_that_answers_elsewhere_is_written_down_for_everybody(household: Any) -> None:
    async def main() -> None:
        async with _home(household) as (nodes, wire, _):
            wire.seen["phone"], wire.there = NEW, {("phone", NEW)}
            await _moved(nodes, NEW)
            await nodes.until(lambda: _listed(nodes["phone"]) == NEW)

    asyncio.run(main())


def test_who_came_is_looked_for_again_where_the_first_looks_failed(
    household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "SOON_S", (0.05,) * 5)

    async def main() -> None:
        async with _home(household) as (nodes, wire, _):
            asked: list[str] = []

            async def answers_at(device_id: str, address: str) -> bool:
                asked.append(address)
                return address == NEW and asked.count(NEW) > 2  # two probes are lost

            monkeypatch.setattr(wire, "answers_at", answers_at)
            wire.seen["phone"] = NEW
            nodes["home"].part(Roaming).peer_changed("phone", alive=True)
            await nodes.until(lambda: _listed(nodes["home"]) == NEW)
            await asyncio.sleep(0.5)
            assert asked.count(NEW) == 3, "who is listed where he is seen is looked for no more"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("seen", "there"),
    [
        (NEW, set()),  # it dialled from there, and cannot be dialled: behind a router
        (NEW, {("phone", NEW), ("phone", OLD)}),  # at two addresses at once
        (NEW, {("car", NEW)}),  # somebody else answers there
        ("8.8.8.8:7447", {("phone", "8.8.8.8:7447")}),  # out of the house
        ("127.0.0.9:7447", {("phone", "127.0.0.9:7447")}),
        ("", {("phone", "")}),  # no stream, or by a relay
    ],
)
def test_else_the_list_stays(household: Any, seen: str, there: set[tuple[str, str]]) -> None:
    async def main() -> None:
        async with _home(household) as (nodes, wire, _):
            wire.seen["phone"], wire.there = seen, there
            assert await _look(nodes) == OLD

    asyncio.run(main())


def test_nobody_flaps(household: Any) -> None:
    async def main() -> None:
        async with _home(household) as (nodes, wire, clock):
            other = "192.168.4.8:7447"
            wire.seen["phone"], wire.there = NEW, {("phone", NEW)}
            await _moved(nodes, NEW)
            wire.seen["phone"], wire.there = other, {("phone", other)}
            assert await _look(nodes) == NEW
            clock[0] += AGAIN_S
            await _moved(nodes, other)

    asyncio.run(main())


def test_whom_only_a_neighbour_sees_has_no_address() -> None:
    class Inner(Wire):
        def on_frame(self, _: object) -> None: ...
        def on_ask(self, _: object) -> None: ...
        def on_peer(self, _: object) -> None: ...

    inner = Inner()
    inner.seen["phone"] = NEW
    link = RelayLink(inner)  # type: ignore[arg-type]  # what of a link it needs here
    assert link.address_of("phone") == ""
    link._near.add("phone")
    assert link.address_of("phone") == NEW


@given(st.text(max_size=40) | st.ip_addresses().map(str) | st.ip_addresses(v=4).map(str))
def test_only_private_addresses_are_usable(host: str) -> None:
    for address in (host, f"{host}:7447", f"[{host}]:7447"):
        if usable(address):
            assert address.strip("[").lower().startswith(("10.", "172.", "192.168.", "fc", "fd"))


@pytest.mark.parametrize("address", ["10.0.0.4:7447", "[fd00::4]:7447", "192.168.1.9:1"])
def test_a_private_address_is_usable(address: str) -> None:
    assert usable(address)


@pytest.mark.parametrize(
    "address", ["", "8.8.8.8:7447", "0.0.0.0:1", "[fe80::1]:7447", "224.0.0.1:1", "10.0.0.4", "x:1"]
)
def test_others_are_not(address: str) -> None:
    assert not usable(address)


def test_parked_after_ten_quiet_minutes_and_awake_at_the_first_sign(
    household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(Parking, "now", staticmethod(lambda: clock[0]))

    async def main() -> None:
        async with household(car="car") as nodes:
            car, wire = nodes["car"], Wire()
            car.wire = wire
            parking = car.part(Parking)
            parking.look()
            assert wire.told == []
            clock[0] = REST_S - 1.0
            parking.look()
            assert wire.told == []
            clock[0] = REST_S
            parking.look()
            await nodes.until(lambda: wire.told == [True])
            assert (await nodes.ask("car", "status"))["parked"]
            parking.sensed([])
            await asyncio.sleep(0.05)
            assert wire.parked
            parking.sensed([Signal(key="Vehicle.Speed", value=1.0, time_s=0.0)])
            await nodes.until(lambda: wire.told == [True, False])
            clock[0] = 2 * REST_S
            parking.look()
            await nodes.until(lambda: wire.told == [True, False, True])
            await nodes.down("home")
            await asyncio.sleep(0.1)
            assert wire.parked  # whoever goes is no sign of life
            await nodes.up("home")
            await nodes.until(lambda: wire.told == [True, False, True, False])

    asyncio.run(main())
    assert links.REST_S == 600.0
