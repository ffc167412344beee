"""The owner's rules of a running node: one place that holds them, and a new file used at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from hearthway.mesh.policy.consent import Consents, ConsentState
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.codec import digest

from .collecting import rules_of
from .control_server import ControlServer
from .part import Part

if TYPE_CHECKING:
    from .node import Node, Request


class Ruling(Part):
    """Rules are files of this node: no message of another node changes them."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self.consents = Consents(node.wall.now_s)
        self._rules: Rules | None = None
        self._mesh: MeshNode | None = None
        self._watchers: list[Callable[[Rules, Rules], None]] = []
        self._agreed: list[Callable[[], None]] = []

    @property
    def rules(self) -> Rules:
        """The rules in force, with the household's consents."""
        if self._rules is None:
            self._rules = rules_of(self.node.paths).with_consents(self.consents)
        return self._rules

    def watch(self, told: Callable[[Rules, Rules], None]) -> None:
        """`told(before, after)` is called when other rules come into force."""
        self._watchers.append(told)

    def watch_consents(self, told: Callable[[], None]) -> None:
        """`told()` is called when other consents may be in force."""
        self._agreed.append(told)

    def agreed(self, found: Sequence[ConsentState]) -> None:
        """From now on these consents count; what was decided before is asked anew, at once."""
        self.consents.use(found)
        if self._mesh is not None:
            self._mesh.use_rules(self.rules)
        for told in self._agreed:
            told()

    async def starting(self) -> None:
        await asyncio.to_thread(lambda: self.rules)

    def mesh_started(self, mesh: MeshNode) -> None:
        self._mesh = mesh
        mesh.use_rules(self.rules)

    def verbs(self, control: ControlServer) -> None:
        control.on("use-rules", self._use)

    def status(self) -> dict[str, Any]:
        return {"rules": digest(self.rules.book)[:12]}

    async def _use(self, _: Request) -> Request:
        """What rules.toml says now is in force from here on; a file that is wrong changes nothing."""
        before = self.rules
        found = await asyncio.to_thread(rules_of, self.node.paths)
        after = self._rules = found.with_consents(self.consents)
        if self._mesh is not None:
            self._mesh.use_rules(after)
        for told in self._watchers:
            told(before, after)
        return {"rules": digest(after.book)[:12], "changed": before.book != after.book}
