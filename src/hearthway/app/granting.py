"""Grants: the home gives and takes back, every device keeps what it was given and uses it by itself."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from hearthway.mesh.policy.grants import (
    APP,
    DAY_S,
    GrantBook,
    check_id,
    end_s,
    from_text,
    issue,
    said,
    to_text,
    zone_of,
)
from hearthway.mesh.policy.tokens import HANDED, Handed, Tokens
from hearthway.mesh.trust.identity import HouseholdRoot
from hearthway.mesh.wire.checks import READ
from hearthway.mesh.wire.envelope import Meta
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import HearthwayError, InputError, WireError
from hearthway.records.household import Role
from hearthway.records.signals import Signal

from .control_server import ControlServer
from .keys import keys_of
from .part import Part
from .ruling import Ruling

if TYPE_CHECKING:
    from .node import Node

Request = dict[str, Any]
PURPOSE = "household"
HAND_OVER_S = 10.0
READ_PURPOSE = "share"
READ_S = 10.0
KEYS_MAX = 2000  # keys that can be read here by grants
LONGEST_S = 731 * DAY_S  # two years: a grant that is forgotten ends by itself
log = logging.getLogger("hearthway.granting")


class Granting(Part):
    """`grant-give` and `grant-revoke` on the home; `grant-list`, `grant-keep` and `grant-drop` on every device."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._tokens: Tokens | None = None
        self._mesh: MeshNode | None = None
        self._home = node.config.node.role is Role.HOME
        self._latest: dict[
            str, Signal
        ] = {}  # what this node's own sensors said, about nobody in particular

    def verbs(self, control: ControlServer) -> None:
        if self._home:
            control.on("grant-give", self._give)
            control.on("grant-revoke", self._revoke)
        control.on("grant-list", self._list)
        control.on("grant-keep", self._keep)
        control.on("grant-drop", self._drop)
        control.on("grant-read", self._read)

    def mesh_started(self, mesh: MeshNode) -> None:
        self._mesh = mesh
        if not self._home:
            mesh.serve(HANDED, Handed, self._handed)
        for key in sorted(self._latest):
            self._serve(mesh, key)

    def peer_changed(self, device_id: str, alive: bool) -> None:
        if alive and self._home:
            self.node.spawn(self._hand_over(device_id), "hand over grants")

    def sensed(self, signals: list[Signal]) -> None:
        if self.node.config.node.role is Role.PHONE:
            return  # a phone's sensors are about its person
        for signal in signals:
            if signal.person or (signal.key not in self._latest and len(self._latest) >= KEYS_MAX):
                continue
            new = signal.key not in self._latest
            self._latest[signal.key] = signal
            if new and self._mesh is not None:
                self._serve(self._mesh, signal.key)

    async def forgotten(self) -> None:
        self._latest.clear()

    def _serve(self, mesh: MeshNode, key: str) -> None:
        """Whoever has a grant for it may read the latest value; no rule gives it."""

        def latest(_: Meta, __: None) -> Signal:
            found = self._latest.get(key)
            if found is None:
                raise InputError(f"{key} is not known here now.", "Ask again when it was sensed.")
            return found

        mesh.serve(key, type(None), latest, reply_key=key)

    async def book(self) -> GrantBook:
        """The household's key and what it revoked, as this node knows them now."""
        roster = self._joined().identity.roster
        return GrantBook(roster.grant_key, roster.revoked_grants)

    async def grant_for(self, key: str, operation: str) -> bytes:
        """The grant this device would use for that; b"" where it has none."""
        tokens, book = await self._kept(), await self.book()
        now_s, own = self.node.wall.now_s(), self.node.config.node.id
        return await asyncio.to_thread(tokens.for_key, book, key, own, now_s, operation)

    # the home's side ---------------------------------------------------------------------------------------

    async def _give(self, request: Request) -> Request:
        mesh, now_s = self._joined(), self.node.wall.now_s()
        for_app = bool(request.get("app"))
        holder = APP if for_app else str(request.get("to") or "")
        if not for_app and mesh.identity.roster.member(holder) is None:
            raise InputError(
                f'No device of this household is called "{holder}".',
                "`hearthway status` lists them; an app on this home gets --app.",
            )
        keys = [str(key) for key in request["keys"]]
        for key in keys:
            keys_of(key, self.node.part(Ruling).rules)
        zone = str(request.get("zone") or await asyncio.to_thread(local_zone))
        until_s = await asyncio.to_thread(end_s, str(request["until"]), zone)
        if not now_s < until_s <= now_s + LONGEST_S:
            raise InputError(
                "A grant ends within two years, and not in the past.", "Change --until."
            )
        hours = request.get("hours")
        root = await asyncio.to_thread(HouseholdRoot.load, self.node.paths.keys, now_s)
        token = issue(
            await asyncio.to_thread(root.grant_private),
            grant_id=f"g-{token_hex(4)}",
            keys=keys,
            operation=str(request["operation"]),
            holder=holder,
            until_s=until_s,
            zone=zone,
            hours=(str(hours[0]), str(hours[1])) if hours else None,
        )
        tokens = await self._kept()
        await asyncio.to_thread(tokens.add, token)
        if holder in mesh.ready(holder):
            await self._hand_over(holder)
        return self._entry(token, tokens)

    async def _revoke(self, request: Request) -> Request:
        mesh, grant_id = self._joined(), str(request["id"])
        check_id(grant_id)
        if not request.get("force"):  # a typing error would revoke nothing, and say that it did
            (await self._kept()).one(grant_id)
        root = await asyncio.to_thread(
            HouseholdRoot.load, self.node.paths.keys, self.node.wall.now_s()
        )
        await asyncio.to_thread(root.revoke_grant, grant_id)
        await mesh.reload_roster(root.signed_roster)
        return {"id": grant_id}

    async def given_to(self, devices: Iterable[str]) -> list[str]:
        """Ids of the grants that this home gave to any of these devices.

        None where its list of grants cannot be read: that must keep no lost phone in, and a grant does not
        outlive its holder's stay.
        """
        holders = frozenset(devices)
        try:
            kept = (await self._kept()).all()
        except WireError as why:
            log.warning("grants are not known", extra={"fields": {"why": why.message}})
            self.node.note(f"{why.message} {why.next_step}")
            return []
        return sorted({s.grant_id for _, s in kept if s.holder in holders})

    async def _hand_over(self, device_id: str) -> None:
        """What waits for that device goes to it now; what does not arrive waits on."""
        if self._mesh is None:
            return
        tokens = await self._kept()
        revoked = self._mesh.identity.roster.revoked_grants
        for token in await asyncio.to_thread(tokens.waiting, device_id, self.node.wall.now_s()):
            if said(token).grant_id in revoked:
                continue
            try:
                await self._mesh.request(
                    device_id, HANDED, Handed(token=token), PURPOSE, type(None), HAND_OVER_S
                )
            except HearthwayError as why:
                self.node.note(f"A grant waits for {device_id}: {why.message}")
                return
            await asyncio.to_thread(tokens.was_handed, token)

    # every device's side -----------------------------------------------------------------------------------

    async def _handed(self, meta: Meta, handed: Handed) -> None:
        if meta.sender_role != Role.HOME:
            raise InputError(f"{meta.sender} gives no grants.", "Only the home does.")
        await self._take(handed.token)
        self.node.note(f"The home gave this device a grant: {said(handed.token).grant_id}.")

    async def _take(self, token: bytes) -> None:
        what, own = said(token), self.node.config.node.id
        if what.public_key != self._joined().identity.roster.grant_key:
            raise InputError("That grant is another household's.", "Ask this household's home.")
        if what.holder != own:
            whose = what.holder or "an app on the home"
            raise InputError(f"That grant is for {whose}, not for {own}.", "Keep it there.")
        await asyncio.to_thread((await self._kept()).add, token)

    async def _keep(self, request: Request) -> Request:
        token = from_text(str(request["token"]))
        await self._take(token)
        return self._entry(token, await self._kept())

    async def _read(self, request: Request) -> Request:
        mesh, key = self._joined(), str(request["key"])
        signal = await mesh.request(
            str(request["from"]),
            key,
            None,
            READ_PURPOSE,
            Signal,
            READ_S,
            grant=await self.grant_for(key, READ),
        )
        age_s = max(0.0, self.node.wall.now_s() - signal.time_s)
        return {
            "key": signal.key,
            "value": signal.value,
            "unit": signal.unit,
            "source": signal.source,
            "age_s": age_s,
        }

    async def _drop(self, request: Request) -> Request:
        await asyncio.to_thread((await self._kept()).drop, str(request["id"]))
        return {}

    async def _list(self, request: Request) -> Request:
        tokens = await self._kept()
        return {"grants": [self._entry(kept.token, tokens) for kept, _ in tokens.all()]}

    def _entry(self, token: bytes, tokens: Tokens) -> Request:
        what = said(token)
        revoked = self._mesh.identity.roster.revoked_grants if self._mesh else ()
        handed = any(kept.token == token and kept.handed for kept, _ in tokens.all())
        state = "kept here"
        if what.grant_id in revoked:
            state = "revoked"
        elif self.node.wall.now_s() >= what.until_s:
            state = "ended"
        elif self._home and what.holder != APP:
            state = "handed over" if handed else f"waits for {what.holder}"
        return {"token": to_text(token), "state": state}

    async def _kept(self) -> Tokens:
        if self._tokens is None:
            made = await asyncio.to_thread(Tokens, self.node.paths.keys / "grants.bin")
            self._tokens = self._tokens or made  # whoever was first: all change one and the same
        return self._tokens

    def _joined(self) -> MeshNode:
        if self._mesh is None:
            raise InputError(
                "This node is not paired yet.", "Run `hearthway pair` here and at home."
            )
        return self._mesh


def grant_book(node: Node, identity: Any) -> GrantBook:
    """What the mesh checks grants by: key and revocations of the newest roster, from the first moment on."""

    def newest() -> tuple[bytes, tuple[str, ...]]:
        roster = (node.mesh.identity if node.mesh is not None else identity).roster
        return roster.grant_key, roster.revoked_grants

    return GrantBook.following(newest)


def local_zone() -> str:
    """This machine's time zone by its IANA name; UTC where it says none."""
    marker = "zoneinfo/"
    link = str(Path("/etc/localtime").resolve())
    for name in (os.environ.get("TZ", "").lstrip(":"), link.rpartition(marker)[2]):
        try:
            return zone_of(name).key
        except InputError:
            continue
    return "UTC"
