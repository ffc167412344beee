"""Orders about models between nodes: asked for at each contact, told as they come, taken from whoever has them.

The root signed them, so it does not matter who hands one on: a car that meets only the phone gets it there, and a home that
was restored hears from its members what it had ordered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hearthway.mesh.links.allowance import Allowance
from hearthway.mesh.state.shelf import Shelf
from hearthway.mesh.trust.certificates import load_certificate
from hearthway.mesh.trust.orders import open_order
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import (
    HearthwayError,
    IdentityError,
    InputError,
    RuleDeniedError,
    StoreError,
    WireError,
)
from hearthway.records.household import Role
from hearthway.records.releases import ORDERS, PURPOSE, TASK, TASKS_MAX, Order, OrdersSaid

if TYPE_CHECKING:
    from .node import Node

log = logging.getLogger("hearthway.models")
ASK_TIMEOUT_S = 3.0  # a word that was lost as two nodes met is said again
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
        """`ordered`: something, or somebody, is new here; `later`: look once more after a while; `trouble`: by task, what is wrong."""
        self._node = node
        self._shelf = shelf
        self._ordered = ordered
        self._later = later
        self._trouble = trouble
        self._knows: dict[str, dict[str, int]] = {}  # what a peer in reach has, by its word
        self._unmet: set[str] = set()  # in reach, and not asked yet
        self._asking: set[str] = set()
        self._allowed: dict[str, Allowance] = {}

    def mesh_started(self, mesh: MeshNode) -> None:
        """Answer what others ask."""
        mesh.serve(ORDERS, OrdersSaid, self._said, reply_key=ORDERS)

    def peer_changed(self, device_id: str, *, alive: bool) -> None:
        """Another node proved itself, or went."""
        self._allowed.pop(device_id, None)
        self._knows.pop(device_id, None)
        self._unmet.discard(device_id)
        if alive:
            self._unmet.add(device_id)
            self.tell()

    def allow(self, sender: str, size: int) -> None:
        """InputError where that node asks for more than anybody needs."""
        if not self._allowed.setdefault(sender, Allowance()).take(size):
            raise InputError("That is asked too often.", "Wait a moment.")

    def opened(self, signed: bytes) -> Order:
        """An order of the household that this device's keys belong to; IdentityError or WireError for any other."""
        return order_in(self._node.paths.keys, signed)

    def tell(self) -> None:
        """Ask whoever came, and tell each peer whose orders are known those that it lacks, until it has them."""
        mesh = self._node.mesh
        if mesh is None:
            return
        for device_id in (self._unmet | self._knows.keys()) - self._asking:
            lacking = self._shelf().signed_after(self._knows.get(device_id, self._shelf().known()))
            if lacking or device_id in self._unmet:
                self._asking.add(device_id)
                self._node.spawn(self._ask(mesh, device_id, lacking), "models")

    # inside ------------------------------------------------------------------------------------------------------

    async def _ask(self, mesh: MeshNode, device_id: str, orders: tuple[bytes, ...]) -> None:
        """Say what is known here, and some orders; take what that node has and this one lacks."""
        said_before: dict[str, int] | None = None
        try:
            while True:
                said = OrdersSaid(known=self._shelf().known(), orders=_some(orders))
                answer = await mesh.request(
                    device_id, ORDERS, said, PURPOSE, OrdersSaid, ASK_TIMEOUT_S
                )
                self._heard(device_id, answer)
                lacked = await self._take(answer.orders)
                orders = self._shelf().signed_after(answer.known)
                if not lacked and not orders:
                    return
                if not lacked and answer.known == said_before:
                    break  # it does not take them now
                said_before = answer.known
            self._later()
        except (IdentityError, RuleDeniedError) as why:
            self._unmet.discard(device_id)
            # Both of two members hear the home's own word, so between them it need not go: that is no trouble.
            with_home = mesh.role is Role.HOME or device_id in mesh.ready(Role.HOME)
            trouble = with_home or isinstance(why, IdentityError)
            level = logging.WARNING if trouble else logging.DEBUG
            log.log(
                level, "no orders", extra={"fields": {"peer": device_id, "problem": why.message}}
            )
        except HearthwayError as why:
            log.debug("no orders", extra={"fields": {"peer": device_id, "why": why.message}})
            if "does not answer" in why.message:  # an older Hearthway
                self._unmet.discard(device_id)
            elif device_id in self._unmet or device_id in self._knows:
                self._later()
        finally:
            self._asking.discard(device_id)

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
        if device_id in self._unmet:  # what waited for somebody goes on
            self._unmet.discard(device_id)
            self._ordered()

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


def order_in(keys: Path, signed: bytes) -> Order:
    """An order of the household that a node with these keys is in; IdentityError or WireError for any other."""
    try:
        data = (keys / "ca.pem").read_bytes()
    except OSError:
        raise WireError("This device is in no household.") from None
    return open_order(signed, load_certificate(data, "The household's root certificate"))


def _some(orders: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """As many as one message takes, one at least: the rest comes with the next."""
    fit, size = 0, 0
    for signed in orders:
        size += len(signed)
        if fit and size > SAID_BYTES_MAX:
            break
        fit += 1
    return orders[:fit]
