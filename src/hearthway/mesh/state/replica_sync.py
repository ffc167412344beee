"""Keeps a replica in step over the mesh: pulled on contact, fresh writes pushed at once, compared at the end.

A pull asks for what changed since the last one, page by page, and ends with a digest of what both may hold; where
that differs, everything is pulled once more. What a push loses, the next one shows as a gap, and a pull fills it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct

from hearthway.mesh.links.beside import beside
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.wire.envelope import Meta
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import HearthwayError, IdentityError, MeshError, StoreError
from hearthway.records.household import Party

from .registers import Cursor, Register
from .replica import Replica, View
from .replica_wire import CHANGES, FRESH, PULL, PURPOSE, Changes, Pull

log = logging.getLogger("hearthway.replica")

PULL_TIMEOUT_S = 10.0
GATHER_S = 0.02  # writes of one moment travel together
COMPARE_AFTER_S = 5.0  # by then both have heard each other out
AGAIN_S = 300.0  # a push whose loss nobody noticed
RETRY_S = (0.5, 2.0, 10.0, 30.0)


class PeerState(Struct, kw_only=True):
    """How far this node and a peer know each other's changes. `in_step` None: not compared since the last change."""

    behind: int = 0  # changes of the peer that are not merged here
    in_step: bool | None = None
    problem: str = ""


class _Told(Struct):
    scanned: int  # our changes up to here were looked at for this peer
    told: int  # and it has everything up to here


class ReplicaSync:
    """Wires a replica to a mesh. Make it before the mesh opens; `close` it before the mesh closes."""

    def __init__(
        self,
        replica: Replica,
        mesh: MeshNode,
        rules: Callable[[], Rules],
        now: Callable[[], float],
        *,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        """`rules`: the rules as of now; `now`: Unix seconds; `on_change`: something of another node was merged."""
        self.replica = replica
        self._mesh = mesh
        self._rules = rules
        self._now = now
        self._on_change = on_change or (lambda: None)
        self._told: dict[str, _Told] = {}
        self._wanted: dict[str, asyncio.Event] = {}
        self._pulling: dict[str, asyncio.Task[None]] = {}
        self._full: set[str] = set()  # pulled from the beginning in this contact already
        self._compared: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._fresh: asyncio.Task[None] | None = None
        self._dirty = False
        self._closed = False
        self.peers: dict[str, PeerState] = {}
        self.refused: Counter[str] = Counter()
        self.problem: StoreError | None = None  # why writing fails now; reading goes on
        mesh.serve(PULL, Pull, self._answer, reply_key=CHANGES)
        mesh.subscribe(FRESH, Changes, self._hear)
        mesh.on_peer(self.peer_changed)

    async def close(self) -> None:
        """End every task."""
        self._closed = True
        tasks = [t for t in self._tasks if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def set(self, key: str, value: bytes, **fields: Any) -> Register:
        """`Replica.set`, and tell everybody in reach; StoreError when it could not be written."""
        roster = self._mesh.identity.roster
        written: Register = await self._stored(
            self.replica.set, key, value, roster=roster, **fields
        )
        self.changed()
        return written

    def changed(self) -> None:
        """Something was written here: push it soon."""
        self._dirty = True
        if (self._fresh is None or self._fresh.done()) and not self._closed:
            self._fresh = self._spawn(self._push())

    async def begin_anew(self) -> None:
        """The rules changed: what was refused before may be let now."""
        await asyncio.to_thread(self.replica.store.drop_cursors)
        for peer in sorted(self.peers):
            if self._mesh.ready(peer):
                self.want(peer)

    def peer_changed(self, device_id: str, ready: bool) -> None:
        """Another node proved itself, or went."""
        self._full.discard(device_id)
        self._compared.discard(device_id)
        running = self._pulling.pop(device_id, None)
        if running is not None:
            running.cancel()  # it waits for an answer that may never come
        if not ready:
            self._told.pop(device_id, None)  # whatever was under way may be lost: it asks
            return
        self.want(device_id)
        if device_id in self._told:  # it proved us first and has asked already: it asks no more
            self.changed()

    def want(self, peer: str) -> None:
        """Pull from that peer, once more if a pull is under way."""
        if self._closed:
            return
        self._state(peer)
        wanted = self._wanted.setdefault(peer, asyncio.Event())
        wanted.set()
        running = self._pulling.get(peer)
        if running is None or running.done():
            self._pulling[peer] = self._spawn(self._pull_while_there(peer, wanted))

    # --- pulling -----------------------------------------------------------------------------

    async def _pull_while_there(self, peer: str, wanted: asyncio.Event) -> None:
        failures = 0
        while self._mesh.ready(peer):
            wanted.clear()
            try:
                await self._pull(peer)
                failures, pause_s = 0, AGAIN_S
                self._state(peer).problem = ""
            except HearthwayError as why:
                self._state(peer).problem = why.message
                log.info("A pull from %s failed: %s", peer, type(why).__name__)
                pause_s = RETRY_S[min(failures, len(RETRY_S) - 1)]
                failures += 1
            if self._closed:  # a cancellation can be lost while an answer comes in
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await wanted.wait()

    async def _pull(self, peer: str) -> None:
        store = self.replica.store
        while True:
            question = await asyncio.to_thread(self.replica.question, peer)
            page: Changes = await self._mesh.request(
                peer, PULL, question, PURPOSE, Changes, PULL_TIMEOUT_S
            )
            sender, view = self._party(peer), self._view()
            await self._merge(sender, page, view, answer=True)
            if page.since < page.next < page.last:
                continue
            same = await asyncio.to_thread(self.replica.in_step, sender, page, view)
            self._state(peer).in_step = same
            if same is False and peer not in self._full:
                self._full.add(peer)
                await self._stored(store.set_cursor, peer, Cursor())
                continue
            if same is None and peer not in self._compared:
                self._compared.add(peer)
                asyncio.get_running_loop().call_later(COMPARE_AFTER_S, self._compare, peer)
            return

    def _compare(self, peer: str) -> None:
        if self._mesh.ready(peer):
            self.want(peer)

    async def _merge(self, sender: Party, page: Changes, view: View, *, answer: bool) -> bool:
        """Merge a page; True when changes before it are missing."""
        applied = await self._stored(self.replica.apply, sender, page, view, answer=answer)
        self.refused.update(applied.refused)
        state = self._state(sender.device_id)
        state.behind = page.last - page.next
        if applied.changed:
            state.in_step = None
            self._on_change()
            self.changed()
        return bool(applied.gap)

    async def _hear(self, meta: Meta, page: Changes) -> None:
        try:
            missing = await self._merge(self._party(meta.sender), page, self._view(), answer=False)
        except StoreError as why:  # said by `problem`; the pull tries again until there is room
            log.info("A push of %s could not be kept: %s", meta.sender, type(why).__name__)
            missing = True
        if missing:
            self.want(meta.sender)

    # --- telling -----------------------------------------------------------------------------

    def _answer(self, meta: Meta, pull: Pull) -> asyncio.Task[Changes]:
        """A task, so that it runs even where nobody is left to wait for it."""
        return asyncio.get_running_loop().create_task(self._page_for(meta, pull))

    async def _page_for(self, meta: Meta, pull: Pull) -> Changes:
        view, asker = self._view(), self._party(meta.sender)
        page = await asyncio.to_thread(self.replica.page, asker, pull, view)
        if page.next == page.last:
            self._told[meta.sender] = _Told(page.next, page.next)
        return page

    async def _push(self) -> None:
        while self._dirty and not self._closed:
            await asyncio.sleep(GATHER_S)
            self._dirty = False
            for peer in sorted(self._told):
                try:
                    await self._push_to(peer)
                except HearthwayError as why:
                    log.info("A push to %s failed: %s", peer, type(why).__name__)

    async def _push_to(self, peer: str) -> None:
        mine = await asyncio.to_thread(self.replica.store.database_id)
        while (at := self._told.get(peer)) is not None and self._mesh.ready(peer):
            question = Pull(database=mine, since=at.scanned)
            asker, view = self._party(peer), self._view()
            page = await asyncio.to_thread(self.replica.page, asker, question, view, answer=False)
            if page.changes or page.buried:
                page = msgspec.structs.replace(page, since=at.told)
                if not await self._mesh.publish(FRESH, page, PURPOSE, reliable=True, to=peer):
                    return
                at.told = page.next
            at.scanned = page.next
            if page.next >= page.last:
                return

    # --- inside ------------------------------------------------------------------------------

    async def _stored(self, work: Callable[..., Any], *args: Any, **fields: Any) -> Any:
        """Run what writes beside the loop; a disk that is full is remembered until a write succeeds."""
        try:
            result = await asyncio.to_thread(work, *args, **fields)
        except StoreError as why:
            self.problem = why
            self.changed()  # it may be on the disk all the same: then the others hear of it
            raise
        self.problem = None
        return result

    def _state(self, peer: str) -> PeerState:
        return self.peers.setdefault(peer, PeerState())

    def _party(self, device_id: str) -> Party:
        party = self._mesh.identity.roster.party(device_id, self._now())
        if party is None:
            raise MeshError(f"{device_id} is not in the household any more.")
        return party

    def _view(self) -> View:
        roster = self._mesh.identity.roster
        me = roster.party(self._mesh.device_id, self._now())
        if me is None:
            raise IdentityError("This device is not in the household any more.")
        return View(me=me, roster=roster, rules=self._rules())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return beside(self._tasks, work)
