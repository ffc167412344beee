"""On the phone of whoever rides along: its owner's taste, told to the driver's phone that asks, where rules and both people let it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from hearthway.assist.company import told_of
from hearthway.mesh.wire.envelope import Meta
from hearthway.mesh.wire.gate import denied
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.codec import digest, pack
from hearthway.records.company import ASK_TASTE, TASTE, TasteAsked, TasteTold
from hearthway.records.count import count_of
from hearthway.records.errors import HearthwayError, InputError
from hearthway.records.receipts import Crossing, Disclosure

from .company import PURPOSE
from .part import PhonePart
from .witness import stages


class TellsTaste(PhonePart):
    """Asked by the phone of whoever drives."""

    def mesh_started(self, mesh: MeshNode) -> None:
        mesh.serve(ASK_TASTE, TasteAsked, self._asked)

    async def _asked(self, meta: Meta, _: TasteAsked) -> None:
        """Tell it to the phone that asks, where rules and both people let that; a receipt says that it was told."""
        node = self.phone
        mesh, brain, me = node.paired(), node.brain, node.config.node
        member = mesh.identity.roster.member(me.id)
        person = "" if member is None else member.person
        if not person or not mesh.lets((TASTE,), meta.sender, PURPOSE, about=person):
            raise denied(TASTE, me.role, meta.sender_role, PURPOSE)
        if brain is None or brain.person.person_id != person:
            raise InputError("Nobody lives on this phone yet.", "It learns with its owner's days.")
        now_s = node.clock.now_s()
        told = await node.in_turn(
            lambda: told_of(brain.memory, brain.situation(now_s), brain.person.name)
        )
        sent = await mesh.publish(TASTE, told, PURPOSE, reliable=True, to=meta.sender, about=person)
        if not any(crossing.rule for crossing in sent):
            raise denied(TASTE, me.role, meta.sender_role, PURPOSE)
        await asyncio.to_thread(self._receipt, meta, person, told, tuple(sent), now_s)

    def _receipt(
        self, meta: Meta, person: str, told: TasteTold, sent: tuple[Crossing, ...], now_s: float
    ) -> None:
        node = self.phone
        learned = (
            f"shares of {count_of(len(told.cuisines), 'cuisine')} and {count_of(len(told.kinds), 'kind')}",
            f"{count_of(len(told.never), 'POI')} never wanted",
        )
        with suppress(HearthwayError):  # the store is busy: what was told is counted all the same
            node.receipts.write(
                suggestion_id=f"taste{digest((person, meta.sender, now_s))[:16]}",
                person=person,
                time_s=now_s,
                fields=(),
                crossings=sent,
                computations=stages(node.config.node.id, "assist"),
                disclosures=(Disclosure(peer=meta.sender, learned=learned),),
                bytes_to={meta.sender: len(pack(told))},
            )
