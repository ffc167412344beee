"""What phone, car and home share as members of a household: receipts, the witness's word, forgetting, latest values."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec

from hearthway.mesh.state.forget import (
    acknowledge,
    apply,
    narrowed,
    pending,
    resume,
    sign_order,
    verify_order,
)
from hearthway.mesh.state.receipts import enrolment
from hearthway.mesh.wire.envelope import Meta
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import HearthwayError, InputError, ReceiptError
from hearthway.records.forgetting import SignedForget
from hearthway.records.household import Role
from hearthway.records.messages import (
    ACK,
    COUNTERSIGN,
    FORGET,
    TICK,
    Ack,
    HeadWitnessed,
    Tick,
)
from hearthway.records.signals import Signal
from hearthway.records.suggestion import AnswerKind

from .clock import EventClock
from .config import Config
from .node import Node, Request
from .paths import NodePaths
from .witness import Receipts, receipt_lines

log = logging.getLogger("hearthway.member")
FORGET_TIMEOUT_S = 30.0


class Member(Node):
    """A node with a household certificate."""

    def __init__(self, paths: NodePaths, config: Config) -> None:
        super().__init__(paths, config)
        self.latest: dict[str, Signal] = {}
        self._receipts: Receipts | None = None

    @property
    def receipts(self) -> Receipts:
        """This node's chain, opened at first use."""
        if self._receipts is None:
            node = self.config.node
            self._receipts = Receipts(self.store, self.paths.keys, node.id, node.role, self.watch)
        return self._receipts

    async def started(self) -> None:
        await asyncio.to_thread(resume, self.store, self.receipts.chain)
        await super().started()

    def mesh_started(self, mesh: MeshNode) -> None:
        mesh.subscribe(COUNTERSIGN, HeadWitnessed, self._witnessed)
        mesh.serve(FORGET, SignedForget, self._forget)
        if self.config.node.role is not Role.CAR:  # the car leads a replay, the others follow
            mesh.subscribe(TICK, Tick, self._tick)

    def _verbs(self) -> None:
        super()._verbs()
        self.control.on("receipt", self._receipt_of)

    def _witnessed(self, meta: Meta, word: HeadWitnessed) -> None:
        if word.countersign.node != self.config.node.id:
            return
        try:
            self.receipts.witnessed(word)
        except ReceiptError as why:
            self.note(str(why))

    async def _forget(self, meta: Meta, signed: SignedForget) -> None:
        """The envelope proves the sender; the order inside is signed once more, for relays."""
        bound = enrolment(self.store, meta.sender)
        order = verify_order(signed, meta.sender, signed.key if bound is None else bound.key)
        party = meta.party
        if party is None:
            raise InputError(f"{meta.sender} is not in the household any more.")
        if not party.alone:  # everybody's own phone decides about them, and about nobody else
            listed = frozenset(p.person_id for p in self._paired().identity.roster.people)
            order = await asyncio.to_thread(narrowed, self.store, order, party.person, listed)
        await asyncio.to_thread(apply, self.store, self.receipts.chain, order, self.wall.now_s())
        await self.forgotten()

    async def forgotten(self) -> None:
        """Something was erased from the store: drop what memory still holds of it."""
        self.latest.clear()
        for part in self.parts:
            await part.forgotten()

    def peer_changed(self, device_id: str, alive: bool) -> None:  # the mesh's callback form
        super().peer_changed(device_id, alive)
        mesh = self.mesh
        if alive and mesh is not None:
            self.spawn(self.pass_on_orders(), "forget orders")
            if device_id in mesh.ready(Role.HOME):
                self.spawn(self.receipts.show_head(mesh), "head of the receipts")

    async def pass_on_orders(self) -> None:
        """Tell nodes in reach what the owner wants forgotten; what does not arrive stays pending. Unpaired, nobody is."""
        mesh = self.mesh
        if mesh is None:
            return
        for one in await asyncio.to_thread(pending, self.store):
            for name in filter(mesh.ready, one.nodes):
                signed = sign_order(one.order, self.receipts.chain)
                try:
                    await mesh.request(name, FORGET, signed, "forget", type(None), FORGET_TIMEOUT_S)
                except HearthwayError as why:  # the others are told all the same
                    self.note(f"{name} has not forgotten yet, and is told again: {why.message}")
                    continue
                acknowledge(self.store, one.order.order_id, name)

    async def _tick(self, meta: Meta, tick: Tick) -> None:
        if isinstance(self.clock, EventClock):
            self.clock.set(tick.time_s)
        await self.acknowledge(tick)

    async def acknowledge(self, tick: Tick) -> None:
        """Everything up to this tick is done here."""
        await self._paired().publish(
            ACK, Ack(n=tick.n, node=self.config.node.id), "replay", reliable=True
        )

    async def _receipt_of(self, request: Request) -> Request:
        wanted = str(request.get("id", ""))
        receipts = [
            receipt
            for _, receipt in self.receipts.chain.receipts()
            if receipt is not None and receipt.suggestion_id.startswith(wanted)
        ]
        lines: list[str] = []
        for receipt in receipts:
            lines += receipt_lines(receipt)
        built: list[Any] = [msgspec.to_builtins(receipt) for receipt in receipts]
        return {"receipts": built, "lines": lines}


def answer_kind(text: object) -> AnswerKind:
    """The answer of that name; InputError lists them."""
    try:
        return AnswerKind(str(text))
    except ValueError:
        raise InputError(
            f"{text!r} is no answer.", "Use accept, dismiss, not-now or never-here."
        ) from None
