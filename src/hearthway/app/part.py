"""A part of a node: one concern in a file of its own. `wiring.PARTS` says which role has which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from hearthway.mesh.wire.node import MeshNode
    from hearthway.records.signals import Signal

    from .control_server import ControlServer
    from .node import Node
    from .phone import PhoneNode


class Part:
    """Override what the concern needs. Called in the order of `wiring.PARTS`, all in the event loop."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def verbs(self, control: ControlServer) -> None:
        """Answer verbs of the control socket: `control.on(name, coroutine function)`."""

    async def starting(self) -> None:
        """The store is open, the mesh is not yet."""

    def mesh_started(self, mesh: MeshNode) -> None:
        """Register what is published, served and listened to; the mesh opens right afterwards, perhaps once more later."""

    def peer_changed(self, device_id: str, alive: bool) -> None:  # the mesh's callback form
        """Another node proved itself, or went."""

    def sensed(self, signals: list[Signal]) -> None:
        """This node's own sensors said something, in one moment."""

    async def forgotten(self) -> None:
        """Something was erased from the store: drop what memory still holds of it."""

    def status(self) -> dict[str, Any]:
        """Fields for `hearthway status`; they stand beside those of the other parts."""
        return {}

    async def stopping(self) -> None:
        """Last words, while store and mesh are still open."""


class PhonePart(Part):
    """A part of phones alone; by name in `wiring.PARTS`, so that no other role carries it."""

    @property
    def phone(self) -> PhoneNode:
        """The node, with the person's life, the map, and turns in which both may be used."""
        return cast("PhoneNode", self.node)
