"""Orders about models between nodes: asked for at each contact, told as they come, taken from whoever has them.

The root signed them, so it does not matter who hands one on: a car that meets only the phone gets it there, and a home that
was restored hears from its members what it had ordered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hearthway.mesh.links.allowance import Allowance
from hearthway.mesh.state.shelf import Shelf
from hearthway.mesh.trust.certificates import load_certificate
from hearthway.mesh.trust.orders import open_order
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import HearthwayError, InputError, StoreError, WireError
from hearthway.records.releases import ORDERS, PURPOSE, TASK, TASKS_MAX, Order, OrdersSaid

if TYPE_CHECKING:
    from .node import Node

log = logging.getLogger("hearthway.models")
ASK_TIMEOUT_S = 10.0
SAID_BYTES_MAX = 1024 * 1024  # of orders in one message


class OrderBook:
    """One node's dealings with the others about orders."""

    def __init__(
        self,
        node: Node,
        shelf: Callable[[], Shelf],
        ordered: Callable[[], None],
        later: Callable[[], None],
        trouble: dict[str, HearthwayError],
    ) -> None:
        """`ordered`: something is new here; `later`: look once more after a while; `trouble`: by task, what is wrong."""
        self._node = node
        self._shelf = shelf
        self._ordered = ordered
        self._later = later
        self._trouble = trouble
        self._knows: dict[str, dict[str, int]] = {}  # what a peer in reach has, by its word
        self._telling: set[str] = set()
        self._allowed: dict[str, Allowance] = {}

    def mesh_started(self, mesh: MeshNode) -> None:
        """Answer what others ask."""
        mesh.serve(ORDERS, OrdersSaid, self._said, reply_key=ORDERS)

    def peer_changed(self, device_id: str, *, alive: bool) -> None:
        """Another node proved itself, or went."""
        self._allowed.pop(device_id, None)
        self._knows.pop(device_id, None)
        if alive:
            self._node.spawn(self._meet(device_id), "models")

    def allow(self, sender: str, size: int) -> None:
        """InputError where that node asks for more than anybody needs."""
        if not self._allowed.setdefault(sender, Allowance()).take(size):
            raise InputError("That is asked too often.", "Wait a moment.")

    def opened(self, signed: bytes) -> Order:
        """An order of the household that this device's keys belong to; IdentityError or WireError for any other."""
        try:
            data = (self._node.paths.keys / "ca.pem").read_bytes()
        except OSError:
            raise WireError("This device is in no household.") from None
        return open_order(signed, load_certificate(data, "The household's root certificate"))

    def tell(self) -> None:
        """To each peer whose orders are known, those that it lacks; until it says that it has them."""
        mesh = self._node.mesh
        for device_id, known in list(self._knows.items()):
            lacking = self._shelf().signed_after(known)
            if mesh is not None and lacking and device_id not in self._telling:
                self._telling.add(device_id)
                self._node.spawn(self._tell_one(mesh, device_id, lacking), "models")

    # inside ------------------------------------------------------------------------------------------------------

    async def _meet(self, device_id: str) -> None:
        """Ask somebody who came for orders that are newer; whoever lacks ours asks us."""
        mesh = self._node.mesh
        for _ in range(TASKS_MAX):
            if mesh is None or not mesh.ready(device_id):
                return
            said = OrdersSaid(known=self._shelf().known())
            try:
                answer = await mesh.request(
                    device_id, ORDERS, said, PURPOSE, OrdersSaid, ASK_TIMEOUT_S
                )
            except HearthwayError as why:  # an older Hearthway, or it went
                log.debug("no orders", extra={"fields": {"peer": device_id, "why": why.message}})
                break
            self._heard(device_id, answer)
            if not await self._take(answer.orders):
                break
        self._ordered()

    async def _said(self, meta: Any, said: OrdersSaid) -> OrdersSaid:
        self.allow(meta.sender, sum(map(len, said.orders)))
        self._heard(meta.sender, said)
        await self._take(said.orders)
        newer = _some(self._shelf().signed_after(said.known))
        return OrdersSaid(known=self._shelf().known(), orders=newer)

    def _heard(self, device_id: str, said: OrdersSaid) -> None:
        if len(said.known) > TASKS_MAX or len(said.orders) > TASKS_MAX:
            raise WireError(f"Orders about more than {TASKS_MAX} tasks are not heard.")
        if any(TASK.fullmatch(task) is None for task in said.known):
            raise WireError("Orders about what is no task are not heard.")
        self._knows[device_id] = said.known

    async def _take(self, orders: tuple[bytes, ...]) -> bool:
        """Keep what is newer; was anything? Whoever is in reach hears of it from us as well."""
        new = False
        for signed in orders[:TASKS_MAX]:
            order = await asyncio.to_thread(self.opened, signed)
            try:
                new |= await asyncio.to_thread(self._shelf().take, order, signed)
            except StoreError as why:  # who told it sees that it is not known, and tells it again
                self._trouble[order.task] = why
        if new:
            self._ordered()
        return new

    async def _tell_one(self, mesh: MeshNode, device_id: str, orders: tuple[bytes, ...]) -> None:
        said = OrdersSaid(known=self._shelf().known(), orders=_some(orders))
        again = False
        try:
            answer = await mesh.request(device_id, ORDERS, said, PURPOSE, OrdersSaid, ASK_TIMEOUT_S)
            self._heard(device_id, answer)
            again = bool(self._shelf().signed_after(answer.known))
            await self._take(answer.orders)
        except HearthwayError as why:
            again = device_id in self._knows
            log.debug("not told", extra={"fields": {"peer": device_id, "why": why.message}})
        finally:
            self._telling.discard(device_id)
        if again:
            self._later()


def _some(orders: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """As many as one message takes, one at least: the rest comes with the next."""
    fit, size = 0, 0
    for signed in orders:
        size += len(signed)
        if fit and size > SAID_BYTES_MAX:
            break
        fit += 1
    return orders[:fit]
