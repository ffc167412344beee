"""The household's settings on a running node: read and written here, kept the same on every node that may have them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from hearthway.mesh.state.registers import Reading, Register, read
from hearthway.mesh.state.replica import Replica
from hearthway.mesh.state.replica_sync import ReplicaSync
from hearthway.mesh.state.store import Store
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.codec import pack, unpack
from hearthway.records.errors import HearthwayError, InputError, StoreError, WireError
from hearthway.records.signals import Value

from .config import Config
from .control_server import ControlServer
from .part import Part
from .paths import NodePaths
from .ruling import Ruling

if TYPE_CHECKING:
    from .node import Node, Request

log = logging.getLogger("hearthway.state")
TEXT_MAX = 4096
NUMBER_MAX = 2**63


class State(Part):
    """Phone, car and home. `current` and `write` are for other parts."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._replica: Replica | None = None
        self._sync: ReplicaSync | None = None
        self._watchers: list[Callable[[], None]] = []

    @property
    def replica(self) -> Replica:
        """This node's copy, open while it runs."""
        if self._replica is None:
            raise HearthwayError("The node is not running.")
        return self._replica

    def watch(self, changed: Callable[[], None]) -> None:
        """Call back when something that another node wrote was merged here."""
        self._watchers.append(changed)

    async def current(self, key: str) -> Value:
        """A key's value if it is there, readable and not stale; else None."""
        now_s = self.node.wall.now_s()
        found = await asyncio.to_thread(self.node.store.current, key, now_s)
        return None if found is None else value_of(found)

    async def write(self, key: str, value: Value, *, ttl_s: float = 0.0) -> Register:
        """Write durably and tell every node in reach; InputError on a key that is not this node's to write."""
        data = pack(checked(value))
        if self._sync is not None:
            return await self._sync.set(key, data, ttl_s=ttl_s)
        return await asyncio.to_thread(self.replica.set, key, data, ttl_s=ttl_s)

    # --- the part ----------------------------------------------------------------------------

    async def starting(self) -> None:
        self._replica = await asyncio.to_thread(Replica, self.node.store, self.node.wall.now_s)
        self.node.part(Ruling).watch(lambda before, after: self._ruled())

    def mesh_started(self, mesh: MeshNode) -> None:
        if self._sync is not None:
            self.node.spawn(self._sync.close(), "state")
        ruling = self.node.part(Ruling)
        self._sync = ReplicaSync(
            self.replica, mesh, lambda: ruling.rules, self.node.wall.now_s, on_change=self._changed
        )

    def verbs(self, control: ControlServer) -> None:
        control.on("get", self._get)
        control.on("set", self._set)

    async def forgotten(self) -> None:
        if self._sync is not None:
            self._sync.changed()  # the others hear of what was forgotten

    def status(self) -> dict[str, Any]:
        sync = self._sync
        state: dict[str, Any] = {"registers": None, "peers": []}
        with contextlib.suppress(StoreError):  # `storage` says what is wrong with the file
            state["registers"] = self.node.store.count_registers()
        if sync is not None:
            state["peers"] = [
                {
                    "node": name,
                    "behind": peer.behind,
                    "in_step": peer.in_step,
                    "problem": peer.problem,
                }
                for name, peer in sorted(sync.peers.items())
            ]
            state["refused"] = dict(sorted(sync.refused.items()))
        trouble = self.node.store.database.trouble
        if trouble is not None:
            state["problem"], state["next"] = trouble.message, trouble.next_step
        return {"state": state}

    async def stopping(self) -> None:
        if self._sync is not None:
            await self._sync.close()

    # --- inside ------------------------------------------------------------------------------

    def _ruled(self) -> None:
        if self._sync is not None:
            self.node.spawn(self._sync.begin_anew(), "state")

    def _changed(self) -> None:
        self.node.control.emit("state")
        for changed in self._watchers:
            changed()

    async def _get(self, request: Request) -> Request:
        prefix, now_s = str(request.get("key", "")), self.node.wall.now_s()
        return {"registers": await asyncio.to_thread(shown, self.node.store, prefix, now_s)}

    async def _set(self, request: Request) -> Request:
        written = await self.write(
            str(request["key"]), request["value"], ttl_s=float(request.get("ttl_s", 0.0))
        )
        return {"key": written.key}


def value_of(reading: Reading) -> Value:
    """What a reading says; None when it is no single value."""
    try:
        return unpack(reading.value, Value)  # type: ignore[arg-type]  # a union of plain types
    except WireError:
        return None


def checked(value: object) -> Value:
    """`value` if it can be a setting; InputError otherwise."""
    if isinstance(value, str) and len(value) > TEXT_MAX:
        raise InputError(f"A text of {len(value)} characters is too long.", f"{TEXT_MAX} fit.")
    if isinstance(value, bool | str) or (
        isinstance(value, int | float) and math.isfinite(value) and abs(value) < NUMBER_MAX
    ):
        return value
    raise InputError(f"{value!r} cannot be a setting.", "Give a number, a text, true or false.")


def shown(store: Store, prefix: str, now_s: float) -> list[dict[str, Any]]:
    """Registers whose keys begin so, with age, staleness and source; by key."""
    readings = [read(one, now_s) for one in store.registers(prefix)]
    return [
        {
            "key": one.key,
            "value": value_of(one),
            "age_s": one.age_s,
            "stale": one.stale,
            "source": one.source,
        }
        for one in readings
    ]


def get_offline(
    paths: NodePaths, config: Config, prefix: str, now_s: float
) -> list[dict[str, Any]]:
    """`get` of a node that does not run."""
    with Store.open(paths.database, node_id=config.node.id) as store:
        return shown(store, prefix, now_s)


def set_offline(
    paths: NodePaths, config: Config, key: str, value: object, now: Callable[[], float]
) -> None:
    """`set` on a node that does not run: the others get it when it does."""
    with Store.open(paths.database, node_id=config.node.id) as store:
        Replica(store, now).set(key, pack(checked(value)))


def parsed(text: str) -> Value:
    """A value as people type it: true, false, a number, or a text."""
    try:
        value = msgspec.json.decode(text.encode())
    except msgspec.DecodeError:
        return text
    return value if isinstance(value, bool | int | float) else text
