"""Letting devices into the household: the home shows a code or a QR, the device takes it."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING, Any

from hearthway.mesh.joining.invitation import (
    SECRET_BYTES,
    Invitation,
    invitation_text,
    new_code,
    read_invitation,
    typed,
)
from hearthway.mesh.joining.pairing import pair
from hearthway.mesh.joining.pairing_home import CODE_VALID_S, PairingServer, SeenOffers
from hearthway.mesh.trust.identity import DeviceIdentity, HouseholdRoot
from hearthway.mesh.trust.roster import Member
from hearthway.records.errors import IdentityError, InputError
from hearthway.records.household import PersonKind, Role

from .addresses import own_addresses, reachable
from .config import split_address
from .control_server import ControlServer
from .membership import owner_of
from .part import Part
from .paths import private_dir

if TYPE_CHECKING:
    from .node import Node

log = logging.getLogger("hearthway.pairing")
Request = dict[str, Any]
LINGER_S = 60.0  # so long the door says "used" or "expired" before it is gone


class Pairing(Part):
    """`pair-open` and `pair-state` on the home, `pair` on a device."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._door: PairingServer | None = None
        self._seen = SeenOffers()

    def verbs(self, control: ControlServer) -> None:
        control.on("pair-open", self._open)
        control.on("pair-state", self._state)
        control.on("pair", self._pair)

    def status(self) -> Request:
        return {} if self._door is None else {"pairing": self._door_state(self._door)}

    async def stopping(self) -> None:
        await self._close()

    # the home's side ---------------------------------------------------------------------------------------

    async def _open(self, request: Request) -> Request:
        node = self.node
        if node.config.node.role is not Role.HOME:
            raise InputError("Only the home node lets devices in.", "Run this on the home node.")
        kind = _kind(request.get("kind"))
        until_s = float(request.get("until_s") or 0.0)
        if until_s and kind is not PersonKind.GUEST:
            raise InputError(
                "Only a guest's stay has an end.", "Leave out --until, or say --for guest."
            )
        if until_s and until_s <= node.wall.now_s():
            raise InputError("A guest's stay cannot end in the past.", "Give a later date.")
        before = {} if self._door is None else self._door_state(self._door)
        await self._close()
        host, mesh_port = split_address(node.config.mesh.listen)
        root = await asyncio.to_thread(self._root)
        code, secret = new_code(), secrets.token_bytes(SECRET_BYTES)
        door = PairingServer(
            root,
            host=host,
            port=int(request.get("port") or mesh_port + 1),
            code=code,
            secret=secret,
            now=node.wall.now_s,
            kind=kind,
            until_s=until_s,
            seen=self._seen,
            fresh=self._root,
            on_paired=self._joined,
        )
        await door.open()
        self._door = door
        node.spawn(self._shut_after(door), "pairing door")
        addresses = own_addresses(door.address)
        invitation = Invitation(addresses=tuple(addresses), secret=secret, root_hash=door.root_hash)
        return {
            "code": code,
            "address": addresses[0],
            "addresses": addresses,
            "text": invitation_text(invitation),
            "before": before,
        }

    async def _state(self, _: Request) -> Request:
        people = 0
        if self.node.config.node.role is Role.HOME:
            people = len((await asyncio.to_thread(self._root)).roster.people)
        return {
            "people": people,
            "door": {} if self._door is None else self._door_state(self._door),
        }

    def _door_state(self, door: PairingServer) -> Request:
        return {"state": door.state, "wrong": door.wrong, "attempts_left": door.attempts_left}

    def _root(self) -> HouseholdRoot:
        return HouseholdRoot.load(self.node.paths.keys, self.node.wall.now_s())

    async def _joined(self, member: Member) -> None:
        """A device was let in: every node hears of the new roster."""
        log.info("paired", extra={"fields": {"peer": member.device_id}})
        root = await asyncio.to_thread(self._root)
        if self.node.mesh is not None:
            await self.node.mesh.reload_roster(root.signed_roster)
        person = root.roster.person(member.person)
        self.node.control.emit(
            "paired",
            node=member.device_id,
            role=member.role,
            kind="" if person is None else str(person.kind),
        )

    async def _shut_after(self, door: PairingServer) -> None:
        """The port is open only while a code is shown, and a little longer for whoever comes too late."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + CODE_VALID_S + LINGER_S
        told = "open"
        while self._door is door and loop.time() < ends:
            if (state := door.state) != told:
                told = state
                if state == "locked":
                    self.node.note(
                        "Five wrong codes were tried, so the code is locked. `hearthway pair` makes a new one."
                    )
                    self.node.control.emit("pairing", **self._door_state(door))
                if state != "open":
                    ends = min(ends, loop.time() + LINGER_S)
            await asyncio.sleep(0.5)
        if self._door is door:
            await door.close()  # kept: `hearthway pair` says what became of it

    async def _close(self) -> None:
        door, self._door = self._door, None
        if door is not None:
            await door.close()

    # the device's side ---------------------------------------------------------------------------------------

    async def _pair(self, request: Request) -> Request:
        node = self.node
        if await self._well():
            raise InputError(
                "This device belongs to a household already.",
                "`hearthway status` shows it. For a second household run a node with a --data of its own.",
            )
        text = str(request.get("text") or "")
        invitation = (
            read_invitation(text)
            if text
            else typed(str(request.get("address", "")), str(request.get("code", "")))
        )
        household = await pair(
            invitation,
            device_id=node.config.node.id,
            role=node.config.node.role,
            person=await asyncio.to_thread(self._owner),
            keys=private_dir(node.paths.keys),
            listen=lambda address: reachable(node.config.mesh.listen, towards=address),
            now_s=node.wall.now_s(),
        )
        await node.joined()
        return {"household": household.name}

    async def _well(self) -> bool:
        """Does this device belong to a household, with keys that still count?"""
        if self.node.mesh is None:
            return False
        try:
            await asyncio.to_thread(
                DeviceIdentity.load, self.node.paths.keys, self.node.wall.now_s()
            )
        except IdentityError:
            return False
        return True

    def _owner(self) -> str:
        """The id of the person whose phone this is; empty for a device that all share."""
        return owner_of(self.node) or ""


def _kind(value: object) -> PersonKind | None:
    if value is None or value == "":
        return None
    try:
        return PersonKind(str(value))
    except ValueError:
        raise InputError(
            f"{str(value)[:40]!r} is nobody's part in a household.", "Say adult, child or guest."
        ) from None
