"""Retention on a running node: at its start and once a day, what the owner's rules no longer keep is deleted."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from hearthway.mesh.policy.retention import sweep
from hearthway.mesh.policy.rules import Rules
from hearthway.records.errors import HearthwayError

from .member import Member
from .part import Part
from .ruling import Ruling

if TYPE_CHECKING:
    from .node import Node

log = logging.getLogger("hearthway.keeping")
EVERY_S = 86_400.0


class Keeping(Part):
    """Deletes by the node's own clock; in a replay by the replay's."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._deleted: dict[str, int] = {}
        self._last_s: float | None = None
        self._sweeping = asyncio.Lock()

    async def starting(self) -> None:
        """Before anything is learned: a model of what is no longer kept is never loaded."""
        await self._sweep()
        self.node.part(Ruling).watch(self._ruled)
        self.node.spawn(self._daily(), "retention")

    def status(self) -> dict[str, Any]:
        if self._last_s is None:
            return {}
        return {"retention": {"last_s": self._last_s, "deleted": dict(self._deleted)}}

    def _ruled(self, before: Rules, after: Rules) -> None:
        if before.keep != after.keep:
            self.node.spawn(self.run(), "retention")

    async def _daily(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            await self.run()

    async def run(self) -> dict[str, int]:
        """Delete what is due now, and let everything in memory learn anew; what went, by table."""
        counts = await self._sweep()
        if counts and isinstance(self.node, Member):
            await self.node.forgotten()
        return counts

    async def _sweep(self) -> dict[str, int]:
        node, rules = self.node, self.node.part(Ruling).rules
        if not rules.keep or not isinstance(node, Member):
            return {}
        now_s = node.clock.now_s()
        async with self._sweeping:
            try:
                counts = await asyncio.to_thread(
                    sweep, node.store, node.receipts.chain, rules, now_s
                )
            except HearthwayError as why:
                log.warning("retention failed", extra={"fields": {"problem": why.message}})
                node.note(f"What your rules no longer keep was not deleted: {why}")
                return {}
        self._last_s = now_s
        for table, count in counts.items():
            self._deleted[table] = self._deleted.get(table, 0) + count
        if counts:
            log.info("retention", extra={"fields": {"deleted": counts}})
        return counts
