"""A household in one process to be put through storms: real SQLite files, a mesh in memory, nodes killed at any statement.

In one process nothing can be killed with SIGKILL. What a kill leaves is what the kernel has of the files at that moment,
so a killed node goes on from copies of its database and its log taken then, in the middle of a transaction too, and
SQLite has to recover them. What a power cut would leave is not tested this way.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from hearthway.mesh.links.memory import MemoryHub
from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.mesh.state.registers import Register
from hearthway.mesh.state.replica import Replica
from hearthway.mesh.state.replica_sync import ReplicaSync
from hearthway.mesh.state.replica_wire import FRESH, PULL
from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import MeshError

NAMES = ("car", "home", "phone")
RULES = Rules.parse(default_rules(), "default")


class _Faulty:
    """A connection whose commits fail by plan."""

    def __init__(self, db: Any, plan: str) -> None:
        self._db, self._plan = db, list(plan)

    def execute(self, sql: str, *values: Any) -> Any:
        fault = self._plan.pop(0) if sql == "COMMIT" and self._plan else "."
        if fault == "b":
            raise sqlite3.OperationalError("disk I/O error")
        done = self._db.execute(sql, *values)
        if fault == "a":
            raise sqlite3.OperationalError("disk I/O error")
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


class _Dying:
    """A connection of a process that is killed after so many statements more; what it leaves goes to `copy`."""

    def __init__(self, db: Any, statements: int, copy: Callable[[], None]) -> None:
        self._db, self._left, self._copy = db, statements, copy
        self.dead = False

    def execute(self, sql: str, *values: Any) -> Any:
        if sql == "ROLLBACK":  # changes nothing on the disk, whether it takes place or not
            return self._db.execute(sql)
        if self.dead:
            raise sqlite3.OperationalError("killed")
        done = self._db.execute(sql, *values)
        self._left -= 1
        if self._left == 0:
            self._copy()
            self.dead = True
            raise sqlite3.OperationalError("killed")
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


class Member:
    """A node with a replica whose clock is wrong by `skew_s`; its mesh has the right time, as certificates need."""

    def __init__(self, identity: DeviceIdentity, hub: MemoryHub, path: Path) -> None:
        self.identity, self.hub, self.path = identity, hub, path
        self.name = identity.device_id
        self.skew_s = 0.0
        self.rules = RULES
        self.loses: Callable[[], bool] = lambda: False  # the next message of the replica's
        self.dropped: list[Store] = []
        self.acknowledged: list[Register] = []
        self._dying: _Dying | None = None

    async def up(self) -> None:
        """Start the node on what is on its disk."""
        self._dying = None
        self.store = await asyncio.to_thread(Store.open, self.path, node_id=self.name)
        self.replica = await asyncio.to_thread(
            Replica, self.store, lambda: time.time() + self.skew_s
        )
        link = self.hub.link(self.name, self.identity.role)
        self.mesh = MeshNode(self.identity, link, self.rules, time.time)
        self._lose_messages()
        self.sync = ReplicaSync(self.replica, self.mesh, lambda: self.rules, time.time)
        await self.mesh.open()

    def _lose_messages(self) -> None:
        """Pushes that nobody misses, questions that are not heard, answers that do not come back."""
        publish, request = self.mesh.publish, self.mesh.request

        async def lossy_publish(key: str, *args: Any, **fields: Any) -> Any:
            if key == FRESH and self.loses():
                return [object()]
            return await publish(key, *args, **fields)

        async def lossy_request(to: str, key: str, *args: Any, **fields: Any) -> Any:
            if key == PULL and self.loses():
                raise MeshError(f"{to} did not hear.", "Try again.")
            answer = await request(to, key, *args, **fields)
            if key == PULL and self.loses():
                raise MeshError(f"{to} was not heard.", "Try again.")
            return answer

        self.mesh.publish = lossy_publish  # type: ignore[method-assign]
        self.mesh.request = lossy_request  # type: ignore[method-assign]

    async def kill(self) -> None:
        """The process ends here and now: nothing is flushed or closed, and what was under way never ends."""
        await self.sync.close()
        await self.mesh.close()
        # after the mesh: nobody may hear of what the copy does not hold
        await asyncio.to_thread(self._leave_files)
        self.dropped.append(self.store)

    @property
    def dead(self) -> bool:
        """Was it killed in the middle of a statement?"""
        return self._dying is not None and self._dying.dead

    def die_after(self, statements: int) -> None:
        """Kill it after so many SQL statements, whoever makes them; `kill` and `up` start it again."""
        if self._dying is not None:
            return  # it dies already
        database = self.store.database
        self._dying = _Dying(database._db, statements, self._leave_files)
        database._db = self._dying  # type: ignore[assignment]

    def _leave_files(self) -> None:
        """From now on the node's files are copies: of the memory beside them (-shm) a new process trusts nothing."""
        with self.store.database._lock:
            if self.dead:  # asked under the lock: what was still under way may just have died
                return
            left = self.path.with_name(f"{self.name}-{len(self.dropped)}.db")
            for end in ("", "-wal"):
                old = self.path.with_name(self.path.name + end)
                if old.exists():
                    shutil.copyfile(old, left.with_name(left.name + end))
            self.path = left

    async def write(self, key: str, value: bytes) -> Register:
        """As `hearthway setting` does; remembered as soon as it is acknowledged."""
        written = await self.sync.set(key, value)
        self.acknowledged.append(written)
        return written

    def break_commits(self, plan: str) -> None:
        """The next commits fail: "b" before they took place, "a" after (nobody hears that it did), "." not."""
        database = self.store.database
        database._db = _Faulty(database._db, plan)  # type: ignore[assignment]

    async def down(self) -> None:
        """End it, and every earlier life of it."""
        await self.sync.close()
        await self.mesh.close()
        for store in (*self.dropped, self.store):
            await asyncio.to_thread(store.close)


@contextlib.asynccontextmanager
async def members(
    identities: dict[str, DeviceIdentity], root: Path, **hub: Any
) -> AsyncIterator[tuple[MemoryHub, dict[str, Member]]]:
    """The hub, and a running node for every identity."""
    wire = MemoryHub(**hub)
    made = {n: Member(i, wire, root / f"{n}.db") for n, i in sorted(identities.items())}
    try:
        for one in made.values():
            await one.up()
        yield wire, made
    finally:
        for one in made.values():
            await one.down()


async def until(true: Callable[[], bool], limit_s: float = 60.0, every_s: float = 0.005) -> None:
    """Wait until it is true; TimeoutError when it does not get so."""
    async with asyncio.timeout(limit_s):
        while not true():  # noqa: ASYNC110 - what is waited for is told by no event
            await asyncio.sleep(every_s)


def same(made: dict[str, Member]) -> bool:
    """Do all hold the same?"""
    return len({one.replica.digest() for one in made.values()}) == 1


def seeded_loss(seed: int, share: float) -> Callable[[], bool]:
    """Loses that share of messages."""
    rng = random.Random(seed)
    return lambda: rng.random() < share
