"""Who drives a car that several people share: only the driver's own devices hear of the drive.

One person's phone in reach: that person drives. Several: the one who said so (`hearthway wheel`). Nobody said so:
nobody is told, and the car says what to do.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import InputError
from hearthway.records.household import PersonKind, Role
from hearthway.records.signals import Signal
from hearthway.sense.catalogue import CATALOGUE

from .control import ControlServer
from .part import Part

if TYPE_CHECKING:
    from .node import Node, Request

AT_WHEEL = "Car.AtWheel"
UNKNOWN = "unknown"  # the id of nobody: what is about it reaches no phone
STAYS_S = 600.0  # the driver's phone may be out of reach for so long, at a charger or in a tunnel
TIMEOUT_S = 5.0


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """ "I drive": whose phone it is stands in the household's list, not in the message."""


class AtWheel(Part):
    """The car's knowledge of its driver."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._mesh: MeshNode | None = None
        self._claimed = ""
        self._seen = 0.0  # monotonic: when the claimer's phone was last in reach
        self._told = False

    def mesh_started(self, mesh: MeshNode) -> None:
        self._mesh = mesh
        mesh.serve(AT_WHEEL, Claim, self._claim)

    def driver(self) -> str:
        """Person id of the driver; "" in a household that lists nobody; UNKNOWN where it is not certain."""
        mesh = self._mesh
        if mesh is None or not mesh.identity.roster.people:
            return ""
        persons = self._persons(mesh)
        now = time.monotonic()
        if self._claimed in persons:
            self._seen = now
        if self._claimed and now - self._seen <= STAYS_S:
            return self._claimed
        self._claimed = ""
        if len(persons) == 1:
            self._told = False
            return persons[0]
        if persons and not self._told:
            self._told = True
            self.node.note(
                "several people's phones are here: say who drives with `hearthway wheel` on that phone"
            )
        return UNKNOWN

    def mark(self, signals: list[Signal]) -> list[Signal]:
        """The same, each personal one marked as being about the driver."""
        driver = self.driver()
        if not driver:
            return signals
        return [
            msgspec.structs.replace(signal, person=driver)
            if (row := CATALOGUE.get(signal.key)) is not None and row.personal
            else signal
            for signal in signals
        ]

    def status(self) -> dict[str, Any]:
        driver = self.driver()
        return {"driver": driver} if driver else {}

    def _persons(self, mesh: MeshNode) -> list[str]:
        roster, now_s = mesh.identity.roster, self.node.wall.now_s()
        parties = [roster.party(device, now_s) for device in mesh.ready(Role.PHONE)]
        return sorted({p.person for p in parties if p and p.person and p.kind != PersonKind.GUEST})

    def _claim(self, meta: Any, _: Claim) -> None:
        mesh = self._mesh
        party = mesh.identity.roster.party(meta.sender, self.node.wall.now_s()) if mesh else None
        if party is None or not party.person:
            raise InputError(
                "The household does not list whose phone that is.",
                "`hearthway people` on the home says whose it is.",
            )
        if (
            party.kind != PersonKind.ADULT
        ):  # a drive says where its driver is: no guest is told that
            raise InputError(
                f"A {party.kind} does not drive.", "An adult's phone says `hearthway wheel`."
            )
        self._claimed, self._seen, self._told = party.person, time.monotonic(), False
        self.node.note("the driver changed")


class SayDriver(Part):
    """On a phone: `hearthway wheel`."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._mesh: MeshNode | None = None

    def mesh_started(self, mesh: MeshNode) -> None:
        self._mesh = mesh

    def verbs(self, control: ControlServer) -> None:
        control.on("wheel", self._say)

    async def _say(self, request: Request) -> Request:
        if self._mesh is None:
            raise InputError("This phone is not paired yet.", "`hearthway pair` joins a household.")
        to = str(request.get("car") or Role.CAR)
        me = self._mesh.identity.roster.member(self.node.config.node.id)
        about = me.person if me is not None else ""
        await self._mesh.command(
            to, AT_WHEEL, Claim(), "anticipate", type(None), TIMEOUT_S, about=about
        )
        return {"car": to}
