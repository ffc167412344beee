"""A household with a home and a phone on the in-memory wire, a program at home that switches things, and people."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.app.conftest import MakeNodes, Nodes

from hearthway.app.control import open_control
from hearthway.app.phone import PhoneNode
from hearthway.records.household import HouseholdPerson, PersonKind

PEOPLE = {"phone": ("anna", "adult")}


@dataclass
class House:
    """Nodes, and what was ordered of the house."""

    nodes: Nodes
    ordered: list[dict[str, Any]] = field(default_factory=list)
    obeys: bool | None = True  # None: nothing is heard of it

    async def ask(self, text: str, person: str = "", name: str = "phone") -> dict[str, Any]:
        return await self.nodes.ask(name, "ask", text=text, person=person)

    async def tell(self, told: dict[str, object], age_s: float = 0.0) -> None:
        """The house says so, and the phone has heard it."""
        now_s = time.time()
        signals = [{"key": k, "value": v, "time_s": now_s - age_s} for k, v in told.items()]
        await self.nodes.ask("home", "sense", signals=signals)
        phone = self.nodes["phone"]
        assert isinstance(phone, PhoneNode)
        await self.nodes.until(
            lambda: all(phone.latest.get(k) and phone.latest[k].value == v for k, v in told.items())
        )

    async def obey(self) -> None:
        """The program at home: switches, says that it did, and what is so now."""
        reader, writer = await open_control(self.nodes["home"].paths.socket)
        try:
            writer.write(b'{"do": "events"}\n')
            while line := await reader.readline():
                event = json.loads(line)
                if event.get("event") != "order":
                    continue
                self.ordered.append({k: v for k, v in event.items() if k not in ("event", "id")})
                if self.obeys is None:
                    continue
                why = {} if self.obeys else {"why": "the bulb is dead"}
                await self.nodes.ask("home", "ordered", id=event["id"], done=self.obeys, **why)
                if self.obeys and "light" in event:
                    await self.tell({f"Home.Lights.{event['light']}.OnOff": event["on"]})
        finally:
            writer.close()


MakeHouse = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def house(household: MakeNodes) -> MakeHouse:
    """house(): Anna's phone and a home; Ben (adult), Mia (child) and Sam (guest) are listed."""

    @asynccontextmanager
    async def make() -> AsyncIterator[House]:
        async with household(phone="phone", people=PEOPLE) as nodes:
            root, phone, home = nodes.root, nodes["phone"], nodes["home"].mesh
            assert isinstance(phone, PhoneNode)
            assert home is not None
            for name, kind in (("ben", "adult"), ("mia", "child"), ("sam", "guest")):
                root.add_person(name, PersonKind(kind), 0.0)
            await home.reload_roster(root.signed_roster)
            await nodes.until(
                lambda: phone.mesh is not None and len(phone.mesh.identity.roster.people) == 4
            )
            phone.store.add_person("Anna", "anna")
            await phone._whose()
            made = House(nodes)
            task = asyncio.create_task(made.obey())
            try:
                yield made
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    return make


__all__ = ["House", "HouseholdPerson", "MakeHouse"]
