"""The home's office: founds the household, renews certificates, and decides who is in it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hearthway.mesh.trust.certificates import load_certificate
from hearthway.mesh.trust.identity import (
    RENEW_WITHIN_S,
    DeviceIdentity,
    HouseholdRoot,
    create_household,
)
from hearthway.mesh.trust.root import PERSON_ID
from hearthway.mesh.trust.roster import Roster
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import IdentityError, InputError, RuleDeniedError
from hearthway.records.household import PersonKind, Role

from .addresses import reachable
from .config import Config
from .control_server import ControlServer
from .granting import Granting
from .membership import (
    CLAIM,
    HAND_DOWN,
    LEAVE,
    MOVE,
    RENEW,
    REVOKE,
    Claim,
    Claimed,
    HandDown,
    Leave,
    Membership,
    Move,
    Renew,
    Renewed,
    Revoke,
)
from .part import Part

if TYPE_CHECKING:
    pass

log = logging.getLogger("hearthway.household")
Request = dict[str, Any]
CHECK_S = 3600.0
AFTER_REPLY_S = 0.2  # a new list opens links anew: the answer to whoever asked goes out first


class Household(Part):
    """The home only: the root is here."""

    def verbs(self, control: ControlServer) -> None:
        control.on("revoke", self._do_revoke)
        control.on("people-add", self._do_add)
        control.on("people-set", self._do_set)
        control.on("people-remove", self._do_remove)
        control.on("people-assign", self._do_assign)

    async def starting(self) -> None:
        try:
            await asyncio.to_thread(
                found_or_renew, self.node.paths.keys, self.node.config, self.node.wall.now_s()
            )
        except IdentityError as why:
            log.warning("not renewed", extra={"fields": {"problem": why.message}})

    def mesh_started(self, mesh: MeshNode) -> None:
        mesh.serve(RENEW, Renew, self._renew, reply_key=RENEW)
        mesh.serve(CLAIM, Claim, self._claim, reply_key=CLAIM)
        mesh.serve(REVOKE, Revoke, self._revoke)
        mesh.serve(LEAVE, Leave, self._leave)
        mesh.serve(MOVE, Move, self._move)
        mesh.serve(HAND_DOWN, HandDown, self._hand_down)
        self.node.spawn(self._renew_own(mesh), "renewal")

    async def _renew_own(self, mesh: MeshNode) -> None:
        while self.node.mesh is mesh:
            await self.renew_own(mesh)
            await asyncio.sleep(CHECK_S)

    async def renew_own(self, mesh: MeshNode) -> None:
        """The home's own certificate in its last days, while it runs."""
        node = self.node
        if not mesh.identity.renew_due(node.wall.now_s()):
            return
        await asyncio.to_thread(found_or_renew, node.paths.keys, node.config, node.wall.now_s())
        await mesh.use_identity(
            await asyncio.to_thread(DeviceIdentity.load, node.paths.keys, node.wall.now_s())
        )
        log.info("certificate renewed")

    # asked over the mesh -----------------------------------------------------------------------------------

    async def _renew(self, meta: Any, wanted: Renew) -> Renewed:
        """The envelope proves who asks, the request that it has the key that is on the list."""
        root = await self._root()
        pem = await asyncio.to_thread(
            root.renew, wanted.request, meta.sender, self.node.wall.now_s()
        )
        return Renewed(certificate=pem, roster=root.signed_roster)

    async def _claim(self, meta: Any, claim: Claim) -> Claimed:
        """The first phone of a household is believed; afterwards somebody at the home has to confirm."""
        root = await self._root()
        member = root.roster.member(meta.sender)
        if member is None or member.role != Role.PHONE:
            raise IdentityError(f"{meta.sender} is no phone of this household.")
        if PERSON_ID.fullmatch(claim.person_id) is None:
            raise IdentityError("A phone said that it is somebody's whose id can be none.")
        if member.person:
            return Claimed(confirmed=member.person == claim.person_id)
        asked = self.node.part(Membership).asked
        if await asyncio.to_thread(root.introduce_first, meta.sender, claim.person_id):
            asked.pop(meta.sender, None)
            self._tell_soon(root)
            return Claimed(confirmed=True)
        if asked.get(meta.sender) != claim.person_id:
            asked[meta.sender] = claim.person_id
            self.node.note(
                f"{meta.sender} says that it is {claim.person_id}'s: `hearthway people` says how to confirm it"
            )
        return Claimed(confirmed=False)

    async def _revoke(self, meta: Any, wanted: Revoke) -> None:
        root = await self._root()
        if not _is_adult(root.roster, meta.sender, self.node.wall.now_s()):
            raise RuleDeniedError(
                f"{meta.sender} is not an adult's phone, so it puts nobody out.",
                f"Run `hearthway revoke {wanted.device_id}` on the home, or on an adult's phone.",
            )
        before = root.roster
        await self._put_out(root, wanted.device_id)
        log.info("revoked", extra={"fields": {"peer": wanted.device_id, "by": meta.sender}})
        self._tell_soon(root, before)

    async def _hand_down(self, meta: Any, _: HandDown) -> None:
        """It asks for itself alone; under the key that it has now it comes back to nobody."""
        root = await self._root()
        before = root.roster
        await self._put_out(root, meta.sender)
        log.info("handed down", extra={"fields": {"peer": meta.sender}})
        self._tell_soon(root, before)

    async def _put_out(self, root: HouseholdRoot, device_id: str) -> None:
        granted = await self.node.part(Granting).given_to([device_id])
        await asyncio.to_thread(root.revoke, device_id, granted)

    async def _remove(self, root: HouseholdRoot, person_id: str) -> None:
        theirs = [m.device_id for m in root.roster.members if m.person == person_id]
        granted = await self.node.part(Granting).given_to(theirs)
        await asyncio.to_thread(root.remove_person, person_id, granted)

    async def _leave(self, meta: Any, _: Leave) -> None:
        root = await self._root()
        member = root.roster.member(meta.sender)
        if member is None or not member.person or member.role != Role.PHONE:
            raise IdentityError(f"{meta.sender} belongs to nobody who could leave by it.")
        before = root.roster
        await self._remove(root, member.person)
        log.info("left", extra={"fields": {"person": member.person}})
        self._tell_soon(root, before)

    async def _move(self, meta: Any, wanted: Move) -> None:
        await self.move(meta.sender, wanted.address)

    async def move(self, device_id: str, address: str) -> None:
        """That member listens elsewhere now ("host:port"): written down and told to everybody, where it is news."""
        root = await self._root()
        before = root.roster.serial
        await asyncio.to_thread(root.move, device_id, address)
        if root.roster.serial != before:
            self._tell_soon(root)

    # asked by whoever is at the home ---------------------------------------------------------------------------

    async def _do_revoke(self, request: Request) -> Request:
        device = str(request.get("device", ""))
        root = await self._root()
        before = root.roster
        await self._put_out(root, device)
        await self._tell(root, before)
        return {"device": device}

    async def _do_add(self, request: Request) -> Request:
        """Somebody new, and with them every device that says it is theirs."""
        kind, until_s = _kind(request), float(request.get("until_s") or 0.0)
        person = self._meant(str(request.get("person", "")))
        asked = self.node.part(Membership).asked
        devices = sorted(device for device, whose in asked.items() if whose == person)

        def add(root: HouseholdRoot) -> None:
            root.add_person(person, kind, until_s)
            for device in devices:
                root.assign(device, person)

        await self.change(add)
        for device in devices:
            asked.pop(device, None)
        return {"person": person, "kind": str(kind), "until_s": until_s, "devices": devices}

    async def _do_set(self, request: Request) -> Request:
        kind, until_s = _kind(request), float(request.get("until_s") or 0.0)
        person = self._meant(str(request.get("person", "")))

        def change(root: HouseholdRoot) -> None:
            if root.roster.person(person) is None:
                raise InputError(
                    f"Nobody of the household is {person}.",
                    "`hearthway people add` takes somebody in.",
                )
            root.set_person(person, kind, until_s)

        await self.change(change)
        return {"person": person, "kind": str(kind), "until_s": until_s}

    async def _do_remove(self, request: Request) -> Request:
        person = self._meant(str(request.get("person", "")))
        root = await self._root()
        before = root.roster
        await self._remove(root, person)
        return {"person": person, "devices": await self._tell(root, before)}

    async def _do_assign(self, request: Request) -> Request:
        device = str(request.get("device", ""))
        person = self._meant(str(request["person"])) if request.get("person") else ""
        says = self.node.part(Membership).asked.get(device, person)
        if person and says != person:
            raise InputError(
                f"{device} says that it is {says}'s, and what it holds would go along with it.",
                f"`hearthway people add {says}` takes them in; `hearthway people hand-down` on it erases it.",
            )
        if request.get("erase") and device == self.node.config.node.id:
            await self._erase_own(device, person)
        await self.change(lambda root: root.assign(device, person))
        self.node.part(Membership).asked.pop(device, None)
        return {"device": device, "person": person}

    async def _erase_own(self, device: str, person: str) -> None:
        """The home cannot leave its household: what it holds about its person is erased where it stands."""
        root = await self._root()
        member = root.roster.member(device)
        if member is not None and member.person not in ("", person):
            await self.change(lambda root: root.assign(device, "", erased=True))
            await self.node.part(Membership).erase(member.person)

    def _meant(self, text: str) -> str:
        """The person whose id begins so; the text itself where it names nobody known."""
        known = set(self.node.part(Membership).asked.values())
        if self.node.mesh is not None:
            known |= {p.person_id for p in self.node.mesh.identity.roster.people}
        found = sorted(p for p in known if text and p.startswith(text))
        if text in known or not found:
            return text
        if len(found) > 1:
            raise InputError(f"{text!r} may be {', '.join(found)}.", "Write more of the id.")
        return found[0]

    async def change(self, change: Callable[[HouseholdRoot], object]) -> None:
        """Decide, and tell everybody in reach before returning."""
        root = await self._root()
        before = root.roster
        await asyncio.to_thread(change, root)
        await self._tell(root, before)

    async def _root(self) -> HouseholdRoot:
        return await asyncio.to_thread(
            HouseholdRoot.load, self.node.paths.keys, self.node.wall.now_s()
        )

    def _tell_soon(self, root: HouseholdRoot, before: Roster | None = None) -> None:
        async def later() -> None:
            await asyncio.sleep(AFTER_REPLY_S)
            await self._tell(root, before or root.roster)

        self.node.spawn(later(), "telling the household")

    async def _tell(self, root: HouseholdRoot, before: Roster) -> list[str]:
        """Everybody in reach gets the new list, whoever was put out a notice; the devices put out."""
        gone = [m for m in before.members if root.roster.member(m.device_id) is None]
        if self.node.mesh is not None:
            await self.node.mesh.reload_roster(root.signed_roster)
        for member in gone:
            self.node.part(Membership).asked.pop(member.device_id, None)
        return [m.device_id for m in gone]


def found_or_renew(keys: Path, config: Config, now_s: float) -> None:
    """A home without a household founds one; one whose own certificate runs out signs itself a new one."""
    node = config.node
    if not (keys / "root.key").exists():
        root = create_household(keys, node.name or "home", now_s)
    else:
        pem = keys / "device.pem"
        if not pem.exists():
            return  # said by whoever opens the mesh
        certificate = load_certificate(pem.read_bytes(), "This home's certificate")
        if certificate.not_valid_after_utc.timestamp() - now_s > RENEW_WITHIN_S:
            return
        root = HouseholdRoot.load(keys, now_s)
    root.enrol(node.id, node.role, now_s, reachable(config.mesh.listen))


def list_home_at(keys: Path, config: Config, now_s: float) -> str:
    """The address that the household's list has for this home from now on, where that is another; else ""."""
    address = reachable(config.mesh.listen)
    if not (keys / "root.key").exists():
        return ""  # it is founded with that one
    root = HouseholdRoot.load(keys, now_s)
    known = root.roster.member(config.node.id)
    if known is None or known.address == address:
        return ""
    root.enrol(config.node.id, config.node.role, now_s, address)
    return address


def _is_adult(roster: Roster, device_id: str, now_s: float) -> bool:
    """An adult's phone; while nobody was ever listed, any phone."""
    party = roster.party(device_id, now_s)
    if party is None or party.role != Role.PHONE:
        return False
    nobody_listed = not roster.people and not roster.left
    return party.kind == PersonKind.ADULT or (nobody_listed and not party.person)


def _kind(request: Request) -> PersonKind:
    try:
        return PersonKind(str(request.get("kind")))
    except ValueError:
        raise InputError(
            f"{str(request.get('kind'))[:40]!r} is nobody's part in a household.",
            "Say adult, child or guest.",
        ) from None
