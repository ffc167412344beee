"""Certificates live 30 days: the home renews its own and everybody else's; what has ended says so and comes back."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from tests.ports import free_port

from hearthway.app.config import Config, MeshTable, NodeTable
from hearthway.app.household import Household, found_or_renew
from hearthway.app.paths import NodePaths
from hearthway.mesh.trust.certificates import load_certificate
from hearthway.mesh.trust.identity import DeviceIdentity, HouseholdRoot, create_household
from hearthway.records.household import Role

DAY_S = 86_400.0


@pytest.mark.parametrize(("age_days", "renewed"), [(1, False), (25, True), (40, True)])
def test_a_home_outlives_its_certificate(tmp_path: Path, age_days: int, renewed: bool) -> None:
    now_s = time.time()
    paths = NodePaths(tmp_path)
    founded_s = now_s - age_days * DAY_S
    create_household(paths.keys, "Ours", founded_s).enrol(
        "home", Role.HOME, founded_s, "127.0.0.1:7447"
    )
    before = DeviceIdentity.load(paths.keys, founded_s)
    config = Config(
        node=NodeTable(id="home", role=Role.HOME), mesh=MeshTable(listen="127.0.0.1:7447")
    )
    found_or_renew(paths.keys, config, now_s)
    after = DeviceIdentity.load(paths.keys, now_s)
    assert after.household_id == before.household_id
    assert after.key.public_key() == before.key.public_key()
    assert (after.certificate != before.certificate) == renewed
    assert not after.renew_due(now_s)


class Later:
    """A clock that is set ahead."""

    def __init__(self) -> None:
        self.days = 0.0

    def now_s(self) -> float:
        return time.time() + self.days * DAY_S


def _aged(nodes: Any, name: str, days: float) -> None:
    """That device's certificate, as if it had been made so many days ago."""
    keys = nodes.path / name / "keys"
    identity = DeviceIdentity.load(keys, time.time())
    root = HouseholdRoot.load(nodes.path / "home" / "keys", time.time())
    pem = root.renew(identity.request(), name, time.time() - days * DAY_S)
    (keys / "device.pem").write_bytes(pem)


def _ends_s(nodes: Any, name: str) -> float:
    pem = (nodes.path / name / "keys" / "device.pem").read_bytes()
    return load_certificate(pem, "it").not_valid_after_utc.timestamp()


def test_phone_car_and_home_renew_while_they_run(household: Any) -> None:
    async def main() -> None:
        async with household(phone="phone", car="car") as nodes:
            for name in ("phone", "car"):
                await nodes.down(name)
                await asyncio.to_thread(_aged, nodes, name, 25.0)
                await nodes.up(name)
            await nodes.until(
                lambda: all(_ends_s(nodes, n) > time.time() + 29 * DAY_S for n in ("phone", "car"))
            )
            await nodes.reach("home", "phone", "car")
            home = nodes["home"]
            assert home.mesh is not None
            before = home.mesh.identity
            home.wall = Later()
            await home.part(Household).renew_own(home.mesh)
            assert home.mesh.identity.certificate == before.certificate  # not due
            home.wall.days = 25.0
            await home.part(Household).renew_own(home.mesh)
            assert _ends_s(nodes, "home") > time.time() + 54 * DAY_S
            assert home.mesh.identity.certificate != before.certificate
            home.wall.days = 0.0

    asyncio.run(main())


def test_a_certificate_that_ends_while_its_node_runs_is_said(household: Any) -> None:
    async def main() -> None:
        async with household(phone="phone") as nodes:
            phone = nodes["phone"]
            clock = phone.wall = Later()
            clock.days = 31.0
            state = await nodes.ask("phone", "status")
            assert not state["healthy"]
            assert "expired on" in state["problem"]
            await nodes.until(lambda: phone.mesh is None)

    asyncio.run(main())


@pytest.mark.parametrize("gone", ["expired", "missing"])
def test_after_sixty_days_a_device_says_how_to_come_back_and_does(
    household: Any, gone: str
) -> None:
    async def main() -> None:
        async with household(people={"phone": ("anna", "adult")}, phone="phone") as nodes:
            phone = nodes["phone"]
            phone.store.add_person("Anna", "anna")
            key, entry = phone.receipts.chain.public_key, phone.receipts.chain.head()
            await nodes.down("phone")
            if gone == "expired":
                await asyncio.to_thread(_aged, nodes, "phone", 60.0)
            else:
                (nodes.path / "phone" / "keys" / "device.pem").unlink()
            began = time.monotonic()
            await nodes.up("phone")
            state = await nodes.ask("phone", "status")
            assert time.monotonic() - began < 3.0
            assert not state["healthy"]
            assert ("expired on" if gone == "expired" else "keys") in state["problem"]
            assert "hearthway pair" in state["next"]
            assert "no household" in nodes["phone"].paths.log.read_text()
            offer = await nodes.ask("home", "pair-open", port=free_port())
            await nodes.ask("phone", "pair", address=offer["address"], code=offer["code"])
            await nodes.reach("home", "phone")
            state = await nodes.ask("phone", "status")
            assert state["healthy"]
            phone = nodes["phone"]
            assert [p.person_id for p in phone.store.persons()] == ["anna"]
            assert phone.receipts.chain.public_key == key
            assert phone.receipts.chain.head() == entry
            member = phone.mesh.identity.roster.member("phone")
            assert member.person == "anna"

    asyncio.run(main())
