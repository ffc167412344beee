"""What a phone or a car asks of the home: its next certificate, whose it is, where it is, and to put a device out."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import HearthwayError, InputError
from hearthway.records.household import Role

from .addresses import reachable
from .control_server import ControlServer
from .membership import (
    CLAIM,
    LEAVE,
    MOVE,
    PURPOSE,
    RENEW,
    REVOKE,
    Claim,
    Claimed,
    Leave,
    Move,
    Renew,
    Renewed,
    Revoke,
    owner_of,
    said_by_home,
)
from .part import Part

if TYPE_CHECKING:
    from .node import Node

log = logging.getLogger("hearthway.renewal")
Request = dict[str, Any]
CHECK_S = 3600.0  # a clock that was set, or a machine that slept, is noticed within the hour
TIMEOUT_S = 10.0
HOME = str(Role.HOME)


class Renewal(Part):
    """Phone and car. Everything here is tried at each contact with the home, and again by the hour."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._busy = asyncio.Lock()
        self._unconfirmed = False

    def verbs(self, control: ControlServer) -> None:
        control.on("revoke", self._revoke)
        control.on("people-leave", self._leave)

    def mesh_started(self, mesh: MeshNode) -> None:
        self.node.spawn(self._by_the_hour(mesh), "renewal")

    def peer_changed(self, device_id: str, alive: bool) -> None:  # the mesh's callback form
        if alive:
            self.with_home_soon()

    def with_home_soon(self) -> None:
        """Something may be due, and the home be in reach."""
        mesh = self.node.mesh
        if mesh is not None and mesh.ready(HOME):
            self.node.spawn(self.with_home(mesh), "household")

    async def forgotten(self) -> None:
        self._unconfirmed = False

    def status(self) -> Request:
        if not self._unconfirmed:
            return {}
        return {
            "unconfirmed": True,
            "confirm": "On the home: `hearthway people` shows who asks, `hearthway people add` confirms.",
        }

    async def _by_the_hour(self, mesh: MeshNode) -> None:
        while self.node.mesh is mesh:
            if mesh.ready(HOME):
                await self.with_home(mesh)
            await asyncio.sleep(CHECK_S)

    async def with_home(self, mesh: MeshNode) -> None:
        """Whatever is due, now that the home is in reach; what fails is tried at the next contact."""
        async with self._busy:
            for step in (self._renew, self._claim, self._move):
                try:
                    await step(mesh)
                except HearthwayError as why:
                    log.warning("the home did not", extra={"fields": {"problem": why.message}})

    async def _renew(self, mesh: MeshNode) -> None:
        identity, now_s = mesh.identity, self.node.wall.now_s()
        if not identity.renew_due(now_s):
            return
        wanted = Renew(request=await asyncio.to_thread(identity.request))
        got = await mesh.request(HOME, RENEW, wanted, PURPOSE, Renewed, TIMEOUT_S)
        identity = await asyncio.to_thread(identity.with_certificate, got.certificate, now_s)
        identity = await asyncio.to_thread(identity.with_roster, got.roster)
        await mesh.use_identity(identity)
        log.info("certificate renewed")

    async def _claim(self, mesh: MeshNode) -> None:
        """A phone that is nobody's tells whose it is, once somebody lives on it."""
        member = mesh.identity.roster.member(mesh.device_id)
        owner = owner_of(self.node)
        if member is None or member.person or owner is None:
            self._unconfirmed = False
            return
        said = await mesh.request(HOME, CLAIM, Claim(person_id=owner), PURPOSE, Claimed, TIMEOUT_S)
        if not said.confirmed and not self._unconfirmed:
            self.node.note(
                "the home has to confirm whose phone this is: `hearthway people` there shows how"
            )
        self._unconfirmed = not said.confirmed

    async def _move(self, mesh: MeshNode) -> None:
        """The address in the list is where others look for us first."""
        roster = mesh.identity.roster
        home = next(iter(roster.by_role(HOME)), None)
        if home is None:
            return
        address = await asyncio.to_thread(reachable, self.node.config.mesh.listen, home.address)
        if address != mesh.identity.address and not address.startswith("127."):
            await mesh.request(HOME, MOVE, Move(address=address), PURPOSE, type(None), TIMEOUT_S)

    # verbs -----------------------------------------------------------------------------------------------------

    async def _revoke(self, request: Request) -> Request:
        device, mesh = str(request.get("device", "")), self.node.paired()
        with said_by_home(
            f"{device} is still in the household.",
            f"Go where the home is in reach, or run `hearthway revoke {device}` on the home.",
        ):
            await mesh.request(
                HOME, REVOKE, Revoke(device_id=device), PURPOSE, type(None), TIMEOUT_S
            )
        return {"device": device}

    async def _leave(self, _: Request) -> Request:
        mesh = self.node.paired()
        member = mesh.identity.roster.member(mesh.device_id)
        if member is None or not member.person:
            raise InputError(
                "This device belongs to nobody who could leave.",
                "On the home, `hearthway revoke` puts a single device out.",
            )
        person, roster = member.person, mesh.identity.roster
        with said_by_home(
            "nobody has left.", "Go where it is in reach, or run `hearthway people remove` there."
        ):
            await mesh.request(HOME, LEAVE, Leave(), PURPOSE, type(None), TIMEOUT_S)
        return {
            "person": person,
            "devices": [m.device_id for m in roster.members if m.person == person],
        }
