"""The home: household root, pairing, and the witness of every receipt chain."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from hearthway.mesh.state.receipts import drop_departed
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import InputError, ReceiptError
from hearthway.records.household import Role
from hearthway.records.messages import COUNTERSIGN, HEAD, HeadShown
from hearthway.records.signals import Signal
from hearthway.records.situation import Evidence
from hearthway.sense.catalogue import HOUSE, is_fresh, item_of, light_of, normalise

from .clock import EventClock
from .collecting import collected
from .config import Config
from .member import Member
from .node import Request
from .paths import NodePaths
from .ruling import Ruling
from .sensing import signals_of
from .witness import Heads, Witness, stages

log = logging.getLogger("hearthway.home")
MAX_ITEMS = 64  # things with a tag that one house tells of
AHEAD_MAX_S = 60.0  # as far as the clocks of sensors may be ahead


class HomeNode(Member):
    """Always on; tells what is sensed of the house; sees heads of chains, never what they commit to."""

    _witness: Witness | None = None

    def __init__(self, paths: NodePaths, config: Config) -> None:
        super().__init__(paths, config)
        self._heads = Heads()
        self._device_keys: dict[str, bytes] = {}  # of members, as last heard

    @property
    def witness(self) -> Witness:
        """The household's witness, with its key."""
        if self._witness is None:
            self._witness = Witness(self.store, self.paths.keys)
        return self._witness

    def mesh_started(self, mesh: MeshNode) -> None:
        super().mesh_started(mesh)
        mesh.subscribe(HEAD, HeadShown, self._head)
        mesh.on_roster(lambda: self._drop_departed(mesh))
        self._drop_departed(mesh)

    # what is sensed of the house --------------------------------------------------------------------------------

    def _verbs(self) -> None:
        super()._verbs()
        self.control.on("sense", self._sense)

    async def _sense(self, request: Request) -> Request:
        """Signals of the house, from an adapter on this machine; what the rules let is told to phones."""
        found = collected(self.part(Ruling).rules, self.config.node.role, signals_of(request))
        plain = [self._checked(normalise(signal)) for signal in found]
        things = {item_of(key) for key in (*self.latest, *(one.key for one in plain))} - {""}
        if len(things) > MAX_ITEMS:
            raise InputError(f"A home tells of {MAX_ITEMS} things at most.", "Take tags away.")
        lights = {light_of(key) for key in (*self.latest, *(one.key for one in plain))} - {""}
        if len(lights) > MAX_ITEMS:
            raise InputError(f"A home tells of {MAX_ITEMS} lights at most.", "Join some in groups.")
        for signal in plain:
            self.latest[signal.key] = signal
        await self._tell(plain)
        return {"signals": len(plain)}

    def _checked(self, signal: Signal) -> Signal:
        """With this node as its source where it names none; InputError for what a house cannot tell of itself."""
        if not signal.key.startswith(HOUSE):
            raise InputError(
                f"{signal.key} is nothing of a house.", f"A home takes {HOUSE}* from its sensors."
            )
        replayed = isinstance(self.clock, EventClock)  # a replay's time comes with its first step
        if not replayed and signal.time_s > self.clock.now_s() + AHEAD_MAX_S:
            raise InputError(f"{signal.key} is dated in the future.", "Set the sensor's clock.")
        return replace(signal, source=signal.source or self.config.node.id)

    async def _tell(self, signals: Sequence[Signal], to: str | None = None) -> None:
        if self.mesh is not None and signals:
            await self.mesh.publish_signals(signals, "anticipate", reliable=True, to=to)

    def peer_changed(self, device_id: str, alive: bool) -> None:  # the mesh's callback form
        super().peer_changed(device_id, alive)
        if alive and self.mesh is not None and device_id in self.mesh.ready(Role.PHONE):
            self.spawn(self._tell_again(device_id), "the house's latest")

    async def _tell_again(self, device_id: str) -> None:
        """A phone that comes into reach hears the latest of what may still be acted on, as old as it is."""
        now_s = self.clock.now_s()
        fresh = [signal for signal in self.latest.values() if is_fresh(signal, now_s)]
        await self._tell(sorted(fresh, key=lambda signal: signal.time_s), device_id)

    # heads of chains --------------------------------------------------------------------------------------------

    def _drop_departed(self, mesh: MeshNode) -> None:
        """At once: a device may be paired under the name of the one that was put out, and both be heard of in one list."""
        keys = {one.device_id: one.public_key for one in mesh.identity.roster.members}
        stay = {one for one, key in keys.items() if self._device_keys.get(one, key) == key}
        self._device_keys = keys
        for device_id in drop_departed(self.store, stay):
            log.info("receipts no more witnessed", extra={"fields": {"peer": device_id}})

    def _head(self, meta: Any, shown: HeadShown) -> None:
        if not self._heads.take(meta.sender):
            self.note(f"not countersigned: {meta.sender} shows too many heads. Look at that node.")
            return
        try:
            word = self.witness.sign(meta.sender, shown, self.wall.now_s())
        except ReceiptError as why:
            self.note(f"not countersigned: {why}")
            return
        self.spawn(self._answer_head(meta.sender, meta.sender_role, shown, word), "witness")

    async def _answer_head(
        self, sender: str, sender_role: str, shown: HeadShown, word: Any
    ) -> None:
        mesh = self._paired()
        await mesh.publish(COUNTERSIGN, word, "witness", reliable=True, to=sender)
        if not shown.suggestion_id or sender_role != Role.PHONE:
            return  # the phone's head is the one that always comes: the receipt must not depend on a race
        receipts = self.receipts
        if receipts.chain.has(shown.suggestion_id):
            return
        receipts.write(
            suggestion_id=shown.suggestion_id,
            person="",
            time_s=shown.time_s,
            fields=(Evidence(key=HEAD, source=sender, age_s=0.0),),
            crossings=tuple(
                msgspec.structs.replace(crossing, count=1)
                for crossing in mesh.crossings()
                if (crossing.key == HEAD and crossing.sender == sender)
                or (crossing.key == COUNTERSIGN and crossing.receiver_role == sender_role)
            ),
            computations=stages(self.config.node.id, "app"),
            mesh=mesh,
        )
        own = HeadShown(head=receipts.chain.head(), key=receipts.chain.public_key)
        receipts.witnessed(self.witness.sign(self.config.node.id, own, self.wall.now_s()))
