"""Who drives a car that several people share: only the driver's own devices hear of the drive.

One person's phone with the car: that person drives. Several: the one who said so (`hearthway wheel`). Nobody said so:
nobody is told, and the car says what to do. A phone is with the car while it is reached straight, on a network
that the car itself is on; one that comes by way of a relay, a router or a tunnel may be anywhere and drives nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from hearthway.mesh.links.relay import Neighbouring
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import InputError
from hearthway.records.household import PersonKind, Role
from hearthway.records.signals import Signal
from hearthway.sense.catalogue import row_of

from .control_server import ControlServer
from .part import Part

if TYPE_CHECKING:
    from .node import Node, Request

AT_WHEEL = "Car.AtWheel"
UNKNOWN = "unknown"  # the id of nobody: what is about it reaches no phone
STAYS_S = 600.0  # the driver's phone may be out of reach for so long, at a charger or in a tunnel
HERE_S = (
    12 * 3600.0
)  # what was said at the car itself holds for a day's drive, then it is asked anew
TIMEOUT_S = 5.0
_WHO = (
    "it is not certain who drives, so nobody is told of the drive: say `hearthway wheel` on a phone that is on the"
    " car's network, or `hearthway wheel --driver PERSON` on the car"
)


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """ "I drive": whose phone it is stands in the household's list, not in the message."""


class AtWheel(Part):
    """The car's knowledge of its driver."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._mesh: MeshNode | None = None
        self._claimed = ""
        self._here_until = 0.0  # monotonic: it was said at the car itself, and holds so long
        self._seen = 0.0  # monotonic: when the claimer's phone was last with the car
        self._told = False

    def mesh_started(self, mesh: MeshNode) -> None:
        self._mesh = mesh
        mesh.serve(AT_WHEEL, Claim, self._claim)  # a repeat would undo what another said meanwhile

    def verbs(self, control: ControlServer) -> None:
        control.on("wheel", self._said_here)

    def driver(self) -> str:
        """Person id of the driver; "" in a household that lists nobody; UNKNOWN where it is not certain."""
        mesh = self._mesh
        if mesh is None or not mesh.identity.roster.people:
            return ""
        with_us = self._with_us(mesh)
        claimed = self._claimed_by(mesh, with_us)
        if claimed:
            return claimed
        if len(with_us) == 1 and not self._claimed:
            self._told = False
            return with_us[0]
        if self._reached(mesh) and not self._told:
            self._told = True
            self.node.note(_WHO)
        return UNKNOWN

    def _claimed_by(self, mesh: MeshNode, with_us: list[str]) -> str:
        """Who said so, while that still counts; not in the presence of somebody else alone."""
        now = time.monotonic()
        here = (
            not with_us and now < self._here_until
        )  # where a car can see nobody near, it was told
        if self._claimed in (self._reached(mesh) if here else with_us):
            self._seen = now
            return self._claimed
        if now - self._seen > STAYS_S:
            self._claimed = ""
        return "" if with_us else self._claimed

    def mark(self, signals: list[Signal]) -> list[Signal]:
        """The same, each personal one marked as being about the driver."""
        driver = self.driver()
        if not driver:
            return signals
        return [
            msgspec.structs.replace(signal, person=driver)
            if (row := row_of(signal.key)) is not None and row.personal
            else signal
            for signal in signals
        ]

    def status(self) -> dict[str, Any]:
        driver = self.driver()
        return {"driver": driver} if driver else {}

    def _reached(self, mesh: MeshNode) -> list[str]:
        """People whose phones are reached, by whatever way."""
        return self._people(mesh, mesh.ready(Role.PHONE))

    def _with_us(self, mesh: MeshNode) -> list[str]:
        """People whose phones are with the car, as far as it can tell: on a network of its own, without a router.

        Where the household lists one person who could drive there is nobody to be told apart from.
        """
        phones = mesh.ready(Role.PHONE)
        listed = [p for p in mesh.identity.roster.people if p.kind != PersonKind.GUEST]
        if len(listed) > 1:
            wire: object = self.node.wire
            near = wire if isinstance(wire, Neighbouring) else None
            phones = [d for d in phones if near is not None and near.is_near(d)]
        return self._people(mesh, phones)

    def _people(self, mesh: MeshNode, phones: list[str]) -> list[str]:
        roster, now_s = mesh.identity.roster, self.node.wall.now_s()
        parties = [roster.party(device, now_s) for device in phones]
        return sorted({p.person for p in parties if p and p.person and p.kind != PersonKind.GUEST})

    async def _claim(self, meta: Any, _: Claim) -> None:
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
        wire: object = self.node.wire
        if not (isinstance(wire, Neighbouring) and await wire.answers_near(meta.sender)):
            raise InputError(
                "The car does not see that phone on a network that it is on itself, so it may be anywhere.",
                "Join the car's network, or say it on the car: `hearthway wheel --driver PERSON`.",
            )
        self._now_drives(party.person, here=False)

    async def _said_here(self, request: Request) -> Request:
        """On the car's own machine: whoever says it is at the car."""
        mesh, wanted = self.node.paired(), str(request.get("person", ""))
        people = [p for p in mesh.identity.roster.people if p.kind == PersonKind.ADULT]
        found = [p.person_id for p in people if wanted and p.person_id.startswith(wanted)]
        if wanted in found:
            found = [wanted]
        if len(found) != 1:
            known = ", ".join(p.person_id for p in people) or "nobody yet"
            raise InputError(
                f"{wanted[:40]!r} is {'no adult' if not found else 'more than one'} of this household.",
                f"The adults are {known}.",
            )
        self._now_drives(found[0], here=True)
        return {"driver": found[0]}

    def _now_drives(self, person: str, *, here: bool) -> None:
        self._claimed, self._told = person, False
        self._seen = time.monotonic()
        self._here_until = self._seen + HERE_S if here else 0.0
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
