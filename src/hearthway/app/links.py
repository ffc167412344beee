"""Where devices are and how awake they are: the home learns new addresses, a node at rest takes a longer lease.

A phone that comes into another network dials the others from a new address. It tells the home itself (`renewal`);
where that fails or is wrong, the home sees it by the stream that the phone proved itself on, and writes it down once
the phone answers there and no longer at the old address. So nobody flaps who is at two addresses at once.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from hearthway.mesh.links.probe import split_address
from hearthway.mesh.links.relay import Located, Parkable
from hearthway.mesh.trust.roster import Member
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.signals import Signal

from .control_server import ControlServer
from .household import Household
from .part import Part

if TYPE_CHECKING:
    from .node import Node

log = logging.getLogger("hearthway.links")
Request = dict[str, Any]
# Looks after somebody came. At first he may still say by himself where he is; and one look may meet a session that is opened anew.
SOON_S = (1.0, 1.0, 2.0, 4.0, 8.0)
AGAIN_S = 30.0  # between two addresses written down for one device by what the home saw
LOOK_S = 300.0  # a stream that was replaced without anybody going is seen within this time
_AT_HOME = tuple(
    ipaddress.ip_network(net)
    for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
REST_S = 600.0  # nothing sensed and nobody come for so long: parked


class Roaming(Part):
    """The home's eye on where the others are."""

    now: Callable[[], float] = staticmethod(time.monotonic)

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._moved_s: dict[str, float] = {}
        self._looking = asyncio.Lock()

    def mesh_started(self, mesh: MeshNode) -> None:
        self.node.spawn(self._watch(mesh), "addresses")

    def peer_changed(self, device_id: str, alive: bool) -> None:  # the mesh's callback form
        mesh = self.node.mesh
        if alive and mesh is not None:
            self.node.spawn(self._soon(mesh), "addresses")

    async def _watch(self, mesh: MeshNode) -> None:
        while self.node.mesh is mesh:
            await asyncio.sleep(LOOK_S)
            await self.look(mesh)

    async def _soon(self, mesh: MeshNode) -> None:
        for pause_s in SOON_S:
            await asyncio.sleep(pause_s)
            if self.node.mesh is not mesh or not any(self._elsewhere(mesh)):
                return
            await self.look(mesh)

    def _elsewhere(self, mesh: MeshNode) -> Iterator[tuple[Member, str]]:
        """Members that are seen where the list does not say, and where that is."""
        wire: object = self.node.wire
        if isinstance(wire, Located):
            for member in mesh.identity.roster.members:
                seen = wire.address_of(member.device_id)
                if seen != member.address and usable(seen):
                    yield member, seen

    async def look(self, mesh: MeshNode) -> None:
        """Write down where members answer now that are no longer where the list says; safe to call at any time."""
        wire: object = self.node.wire
        if self.node.mesh is not mesh or not isinstance(wire, Located):
            return
        async with self._looking:
            for member, seen in self._elsewhere(mesh):
                device_id = member.device_id
                if not mesh.ready(device_id):
                    continue
                if self.now() - self._moved_s.get(device_id, float("-inf")) < AGAIN_S:
                    continue
                if await wire.answers_at(device_id, member.address):
                    continue
                if await wire.answers_at(device_id, seen):
                    self._moved_s[device_id] = self.now()
                    await self.node.part(Household).move(device_id, seen)
                    log.info("moved", extra={"fields": {"peer": device_id}})


class Parking(Part):
    """Phone and car. At rest nobody needs to know within 2 s that this node vanished."""

    now: Callable[[], float] = staticmethod(time.monotonic)

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._life_s = self.now()
        self._parked = False
        self._woken = asyncio.Event()

    def verbs(self, control: ControlServer) -> None:
        control.on("park", self._park)

    def mesh_started(self, mesh: MeshNode) -> None:
        self._life_s, self._parked = self.now(), False
        self.node.spawn(self._watch(mesh), "parking")

    def sensed(self, signals: list[Signal]) -> None:
        if signals:
            self.sign_of_life()

    def peer_changed(self, device_id: str, alive: bool) -> None:  # the mesh's callback form
        if alive:
            self.sign_of_life()

    def status(self) -> Request:
        wire: object = self.node.wire
        return {"parked": isinstance(wire, Parkable) and wire.parked}

    def sign_of_life(self) -> None:
        """Something moves or speaks: this node is awake, at once."""
        self._life_s = self.now()
        if self._parked:
            self._parked = False
            self._woken.set()
            self.node.spawn(self._tell(), "parking")

    async def _watch(self, mesh: MeshNode) -> None:
        while self.node.mesh is mesh:
            left_s = self.look()
            if left_s is not None:
                await asyncio.sleep(left_s)
            else:
                self._woken.clear()
                await self._woken.wait()

    def look(self) -> float | None:
        """Parks this node if it is time; seconds until it may be, None while it is parked."""
        left_s = self._life_s + REST_S - self.now()
        if left_s <= 0.0 and not self._parked:
            self._parked = True
            self.node.spawn(self._tell(), "parking")
        return None if self._parked else left_s

    async def _tell(self) -> None:
        wire: object = self.node.wire
        if isinstance(wire, Parkable):
            await wire.set_parked(self._parked)

    async def _park(self, request: Request) -> Request:
        """As if the time had passed; whoever measures what parking saves asks so."""
        if request.get("parked"):
            self._parked = True
            await self._tell()
        else:
            self.sign_of_life()
        return {"parked": self._parked}


def usable(address: str) -> bool:
    """May others be told to dial it: an address of a private network (RFC 1918, RFC 4193)?"""
    host, port = split_address(address)
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return False
    return 0 < port < 65536 and any(ip in net for net in _AT_HOME)
