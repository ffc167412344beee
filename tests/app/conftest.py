"""Running nodes of a household in this process, as `hearthway up` makes them, on the in-memory wire and the real clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hearthway.app.config import Config, MapTable, MeshTable, NodeTable, save_config
from hearthway.app.control import Control, running
from hearthway.app.node import Node, open_node
from hearthway.app.paths import NodePaths, private_dir
from hearthway.app.wiping import erase_node
from hearthway.mesh.links.link import Link
from hearthway.mesh.links.memory import MemoryHub
from hearthway.mesh.trust.certificates import request
from hearthway.mesh.trust.identity import (
    DeviceIdentity,
    HouseholdRoot,
    create_household,
    device_key,
    keep_device,
)
from hearthway.records.household import HouseholdPerson, PersonKind, Role


@dataclass
class Nodes:
    """A household's nodes by name, and the wire between them."""

    path: Path
    root: HouseholdRoot
    hub: MemoryHub
    nodes: dict[str, Node] = field(default_factory=dict)
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    async def up(self, name: str) -> None:
        """Start a node of the household (again)."""
        node = self.nodes[name] = open_node(NodePaths(self.path / name))
        hub = self.hub

        def link(identity: DeviceIdentity) -> Link:
            return hub.link(identity.device_id, identity.role)

        node.link = link  # type: ignore[method-assign]  # the seam: the wire alone is another
        self.tasks[name] = asyncio.create_task(node.run(), name=name)
        async with asyncio.timeout(20.0):
            while not await asyncio.to_thread(running, node.paths.socket):
                if self.tasks[name].done():
                    self.tasks[name].result()
                await asyncio.sleep(0.02)

    async def down(self, name: str) -> None:
        """Stop it."""
        self.nodes[name].stop()
        await self.tasks.pop(name)

    async def ask(self, name: str, do: str, /, **fields: Any) -> dict[str, Any]:
        """One control request, as the command line makes it."""

        def call() -> dict[str, Any]:
            with Control(self.nodes[name].paths.socket, 30.0) as control:
                return control.ask(do, **fields)

        return await asyncio.to_thread(call)

    async def admit(self, name: str, role: str, person: str = "", kind: str = "adult") -> None:
        """What pairing does for a device that was never here, or was erased; it is up afterwards."""
        keys = private_dir(self.path / name / "keys")
        key, now_s = device_key(keys), time.time()
        who = HouseholdPerson(person_id=person, kind=PersonKind(kind)) if person else None
        pem, _ = self.root.admit(request(key, name), name, role, now_s, "127.0.0.1:9", person=who)
        keep_device(keys, key, pem, self.root.certificate_pem, self.root.signed_roster)
        home = self.nodes["home"].mesh
        assert home is not None
        await home.reload_roster(self.root.signed_roster)
        await self.up(name)

    async def hand_down(self, name: str) -> None:
        """What `hearthway people hand-down` and the end of `hearthway up` do."""
        await self.ask(name, "people-hand-down")
        await self.tasks.pop(name)
        home = self.nodes["home"].mesh
        assert home is not None
        await self.until(lambda: home.identity.roster.member(name) is None)
        await asyncio.sleep(
            0.3
        )  # this process goes on, and so may a thread that still keeps a notice
        erase_node(self.nodes[name].paths)

    async def reach(self, *names: str) -> None:
        """Until these nodes all reach one another."""
        for name in names:
            others = [other for other in names if other != name]
            mesh = self.nodes[name].mesh
            assert mesh is not None
            await mesh.wait_ready(others, 15.0)

    async def until(self, true: Callable[[], bool], limit_s: float = 30.0) -> None:
        """Until something holds; fails the test when it does not come."""
        for _ in range(int(limit_s / 0.01)):
            if true():
                return
            await asyncio.sleep(0.01)
        pytest.fail("It did not come about in time.")


MakeNodes = Callable[..., AbstractAsyncContextManager[Nodes]]


@pytest.fixture
def household(tmp_path: Path) -> MakeNodes:
    """household(phone="phone", car="car", people={"phone": ("anna", "adult")}): a home is always there; all up."""

    @asynccontextmanager
    async def make(
        people: dict[str, tuple[str, str]] | None = None, **roles: str
    ) -> AsyncIterator[Nodes]:
        now_s = time.time()
        root = create_household(private_dir(tmp_path / "home" / "keys"), "Ours", now_s)
        root.enrol("home", Role.HOME, now_s, "127.0.0.1:1")
        for number, (name, role) in enumerate(sorted(roles.items()), start=2):
            keys = private_dir(tmp_path / name / "keys")
            key = device_key(keys)
            who = (people or {}).get(name)
            person = HouseholdPerson(person_id=who[0], kind=PersonKind(who[1])) if who else None
            pem, _ = root.admit(
                request(key, name), name, role, now_s, f"127.0.0.1:{number}", person=person
            )
            keep_device(keys, key, pem, root.certificate_pem, root.signed_roster)
        names = {"home": "home", **roles}
        for name, role in names.items():
            (tmp_path / name / "keys" / "roster.bin").write_bytes(root.signed_roster)
            save_config(
                NodePaths(tmp_path / name),
                Config(
                    node=NodeTable(id=name, role=Role(role)),
                    mesh=MeshTable(listen="127.0.0.1:1"),
                    map=MapTable(atlas="none"),
                ),
            )
        made = Nodes(tmp_path, root, MemoryHub())
        try:
            for name in names:
                await made.up(name)
            await made.reach(*names)
            yield made
        finally:
            for node in made.nodes.values():
                node.stop()
            await asyncio.gather(*made.tasks.values())

    return make
