"""Handing a device down: it leaves the household as its person's, is erased, and pairs anew for somebody else.

The home lists no device as another person's than the one whose data it holds, so this is the only way.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hearthway.records.errors import HearthwayError
from hearthway.records.household import Role

from .control_server import ControlServer
from .membership import HAND_DOWN, PURPOSE, HandDown, said_by_home
from .part import Part
from .wiping import mark_handed_down

if TYPE_CHECKING:
    from .node import Node

Request = dict[str, Any]
TIMEOUT_S = 10.0


class HandingDown(Part):
    """Phone and car."""

    def verbs(self, control: ControlServer) -> None:
        control.on("people-hand-down", self._hand_down)

    def status(self) -> Request:
        mismatch = holds_anothers(self.node)
        if not mismatch:
            return {}
        return {
            "healthy": False,
            "problem": mismatch,
            "next": "`hearthway people hand-down` here gives it away for good: export first what is on it.",
        }

    async def _hand_down(self, _: Request) -> Request:
        """The home first: once this device is in no household nothing more comes to it, and it can be erased."""
        mesh = self.node.mesh
        if mesh is not None:
            with said_by_home(
                "nothing was erased, and this device is its person's as before.",
                "Go where the home is in reach, and run this again.",
            ):
                await self._leave(mesh)
        await asyncio.to_thread(mark_handed_down, self.node.paths)
        self.node.stop()  # its process erases what it holds once it has ended, or at its next start
        return {"device": self.node.config.node.id}

    async def _leave(self, mesh: Any) -> None:
        try:
            await mesh.request(
                str(Role.HOME), HAND_DOWN, HandDown(), PURPOSE, type(None), TIMEOUT_S
            )
        except HearthwayError as why:
            if "does not answer" not in why.message:
                raise
            raise HearthwayError(
                "The home's Hearthway is too old for this; nothing was erased.",
                f"Update the home, or run `hearthway revoke {mesh.device_id}` there and then this again.",
            ) from None


def holds_anothers(node: Node) -> str:
    """In a sentence: the household lists this phone as somebody's whose life is not on it, but another's; or ""."""
    mesh = node.mesh
    member = None if mesh is None else mesh.identity.roster.member(node.config.node.id)
    if member is None or member.role != Role.PHONE or not member.person:
        return ""
    lives = node.store.persons()
    if not lives or any(person.person_id == member.person for person in lives):
        return ""
    return f"This phone is listed as {member.person}'s, and holds the data of {lives[0].name or lives[0].person_id}."
