"""The home: household root, pairing, and the witness of every receipt chain."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from hearthway.mesh.state.receipts import drop_departed
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import ReceiptError
from hearthway.records.household import Role
from hearthway.records.messages import COUNTERSIGN, HEAD, HeadShown
from hearthway.records.situation import Evidence

from .config import Config
from .member import Member
from .paths import NodePaths
from .witness import Heads, Witness, stages

log = logging.getLogger("hearthway.home")


class HomeNode(Member):
    """Always on; sees heads of chains, never what they commit to."""

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
