"""Being a member: what a node does when the household's list of devices and people changes under it.

People who left are erased here, each node for itself: the list is signed by the household's root, so no message has
to order it and a node that was away does it when it is back. A device that was put out says so and goes on alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from hearthway.mesh.state.forget import forget
from hearthway.mesh.trust.certificates import check_dates
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.mesh.trust.roster import Roster
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import HearthwayError, IdentityError
from hearthway.records.forgetting import PersonScope

from .control_server import ControlServer
from .member import Member
from .part import Part

if TYPE_CHECKING:
    from .node import Node

log = logging.getLogger("hearthway.membership")
Request = dict[str, Any]
RENEW = "Household.Renew"
CLAIM = "Household.Person"
REVOKE = "Household.Revoke"
LEAVE = "Household.Leave"
MOVE = "Household.Move"
HAND_DOWN = "Household.HandDown"
PURPOSE = "household"
LOOK_S = 60.0  # a clock that is set ahead ends a certificate, and nobody tells


class Renew(Struct, frozen=True, kw_only=True):
    """A device asks for its next certificate, with a request that its own key signed."""

    request: bytes


class Renewed(Struct, frozen=True, kw_only=True):
    """The certificate (PEM), and the roster as the root signed it."""

    certificate: bytes
    roster: bytes


class Claim(Struct, frozen=True, kw_only=True):
    """A phone says whose it is, by the random id of its owner. Only the first of a household is taken at its word."""

    person_id: str


class Claimed(Struct, frozen=True, kw_only=True):
    """What became of a claim: is the device that person's now, or must the home confirm it first?"""

    confirmed: bool


class Revoke(Struct, frozen=True, kw_only=True):
    """An adult's phone asks the home to put a device out."""

    device_id: str


class Leave(Struct, frozen=True, kw_only=True):
    """The sender's owner leaves the household."""


class HandDown(Struct, frozen=True, kw_only=True):
    """The sender is to be somebody else's: it leaves the household, and erases itself then."""


class Move(Struct, frozen=True, kw_only=True):
    """The sender listens at another address now ("host:port")."""

    address: str


class Membership(Part):
    """Every member's own eye on the roster."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self.asked: dict[str, str] = {}  # device id -> whose it says it is (the home's knowledge)
        self._again = asyncio.Event()
        self._erasing = asyncio.Lock()

    def verbs(self, control: ControlServer) -> None:
        control.on("people", self._people)

    def mesh_started(self, mesh: MeshNode) -> None:
        mesh.on_roster(self._again.set)
        self._again.set()
        self.node.spawn(self._watch(mesh), "household list")

    def peer_changed(self, device_id: str, alive: bool) -> None:  # the mesh's callback form
        mesh = self.node.mesh
        if not alive and mesh is not None:
            self.node.spawn(self.look(mesh), "household list")

    def status(self) -> Request:
        mesh = self.node.mesh
        if mesh is None:
            return {}
        try:
            check_dates(
                mesh.identity.certificate, self.node.wall.now_s(), "This device's certificate"
            )
        except IdentityError as why:
            self._again.set()
            return {"healthy": False, "problem": why.message, "next": why.next_step}
        return {}

    async def _watch(self, mesh: MeshNode) -> None:
        """Sleeps until the list changes or the certificate ends."""
        while self.node.mesh is mesh:
            if self._again.is_set():
                self._again.clear()
                await self.look(mesh)
            certificate, now_s = mesh.identity.certificate, self.node.wall.now_s()
            try:
                check_dates(certificate, now_s, "This device's certificate")
            except IdentityError as why:
                if self.node.mesh is mesh:
                    await self.node.out_of_household(why)
                return
            left_s = certificate.not_valid_after_utc.timestamp() - now_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(LOOK_S, max(0.0, left_s) + 0.5)):
                    await self._again.wait()

    async def look(self, mesh: MeshNode) -> None:
        """Are we still in it, and has anybody left? Safe to call at any time."""
        try:
            kept = await asyncio.to_thread(
                DeviceIdentity.load, self.node.paths.keys, self.node.wall.now_s()
            )
        except IdentityError as why:
            if self.node.mesh is mesh:
                await self.node.out_of_household(why)
            return
        await self.erase_departed(kept.roster)

    async def erase_departed(self, roster: Roster) -> None:
        """Erase what is held here about people who left; whose own device this is keeps it."""
        node = self._self
        me = roster.member(node.config.node.id)
        gone = roster.gone() - {me.person if me else ""}
        async with self._erasing:
            here = {p.person_id for p in await asyncio.to_thread(node.store.persons)}
            for person_id in sorted(gone & here):
                await self.erase(person_id)
                log.info("somebody left: erased", extra={"fields": {"person": person_id}})
                node.note("somebody left the household: what was held about them here is erased")

    async def erase(self, person_id: str) -> None:
        """Erase what is held about them on this node, and what was made of it."""
        await asyncio.to_thread(self._erase, person_id)
        await self._self.forgotten()

    @property
    def _self(self) -> Member:
        if not isinstance(self.node, Member):
            raise TypeError("a venue is never a member")
        return self.node

    def _erase(self, person_id: str) -> None:
        forget(
            self.node.store,
            self._self.receipts.chain,
            PersonScope(person_id=person_id),
            self.node.wall.now_s(),
        )

    async def _people(self, _: Request) -> Request:
        roster = self.node.paired().identity.roster
        names = {p.person_id: p.name for p in await asyncio.to_thread(self.node.store.persons)}
        people = [
            {
                "person": person.person_id,
                "name": names.get(person.person_id, ""),
                "kind": str(person.kind),
                "until_s": person.until_s,
                "devices": [m.device_id for m in roster.members if m.person == person.person_id],
            }
            for person in roster.people
        ]
        shared = [{"device": m.device_id, "role": m.role} for m in roster.members if not m.person]
        asked = [
            {"device": device, "person": person} for device, person in sorted(self.asked.items())
        ]
        mine = owner_of(self.node) or ""
        return {"people": people, "nobodys": shared, "asked": asked, "owner": mine}


def owner_of(node: Node) -> str | None:
    """The id of the person whose phone this is, if it is one."""
    owner = getattr(node, "owner", None)
    return None if owner is None else str(owner.person_id)


@contextlib.contextmanager
def said_by_home(what: str, instead: str) -> Iterator[None]:
    """A home that is not reached is said in words that tell what was not done."""
    try:
        yield
    except HearthwayError as why:
        if "not reachable" in why.message or "did not answer" in why.message:
            raise HearthwayError(f"The home is not reached: {what}", instead) from None
        raise
