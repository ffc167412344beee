"""One reader of the node, many pages. Each page has one slot: a slow page skips states, and never queues them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress

from hearthway.records.codec import digest, to_json

from .present import state_view
from .view import NodeView

log = logging.getLogger(__name__)

MAX_CLIENTS = 32
PACE_S = 0.2
HEARTBEAT_S = 15.0
RETRY_S = 1.0


class TooManyPagesError(Exception):
    """Every slot for an open page is taken."""


class Client:
    """One open page: woken when there is a newer state than the one it has."""

    def __init__(self) -> None:
        self.woken = asyncio.Event()


class Hub:
    """Follows the node's changes and hands the latest state to every open page."""

    def __init__(
        self, node: NodeView, *, pace_s: float = PACE_S, heartbeat_s: float = HEARTBEAT_S
    ) -> None:
        self._node = node
        self._pace_s = pace_s
        self._heartbeat_s = heartbeat_s
        self._clients: list[Client] = []
        self._changed = asyncio.Event()
        self._urgent = asyncio.Event()
        self._closed = False
        self._stale = False  # the node changed since the state was drawn
        self._tasks: list[asyncio.Task[None]] = []
        self._payload = b""
        self._id = ""

    @property
    def clients(self) -> int:
        """How many pages are open now."""
        return len(self._clients)

    @property
    def payload(self) -> bytes:
        """The state as last shown, JSON."""
        self._look()
        return self._payload

    def start(self) -> None:
        """Begins to follow the node; from within the event loop."""
        self._closed = False
        self._paint()
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._pace())]

    def close(self) -> None:
        """Ends every open stream. Safe to call twice."""
        self._closed = True
        for client in self._clients:
            client.woken.set()

    async def stop(self) -> None:
        """Ends the streams and stops following."""
        self.close()
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A slot for one open page, freed however the page goes."""
        if len(self._clients) >= MAX_CLIENTS:
            raise TooManyPagesError
        client = Client()
        self._clients.append(client)
        self._look()
        try:
            yield client
        finally:
            self._clients.remove(client)

    async def stream(self, client: Client, last_id: str) -> AsyncIterator[bytes]:
        """Server-sent events for `client`: the state where it is not `last_id`, then every newer one."""
        yield b"retry: 1000\n\n"
        while not self._closed:
            client.woken.clear()
            if self._id != last_id:
                last_id = self._id
                yield b"id: %s\nevent: state\ndata: %s\n\n" % (last_id.encode(), self._payload)
                continue
            try:
                await asyncio.wait_for(client.woken.wait(), self._heartbeat_s)
            except TimeoutError:
                yield b": still here\n\n"

    async def _follow(self) -> None:
        while not self._closed:
            try:
                async for event in self._node.subscribe():
                    self._changed.set()
                    if event.kind == "moment":
                        self._urgent.set()
                return
            except Exception:
                log.exception("the page lost the node's events; it tries again")
                await asyncio.sleep(RETRY_S)

    async def _pace(self) -> None:
        while True:
            await self._changed.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._urgent.wait(), self._pace_s)
            self._changed.clear()
            self._urgent.clear()
            self._stale = True
            if self._clients:  # else nobody looks: whoever comes sees to it
                self._look()

    def _look(self) -> None:
        if self._stale:
            self._stale = False
            self._paint()

    def _paint(self) -> None:
        try:
            payload = to_json(state_view(self._node.snapshot()))
        except Exception:  # the page must outlive one state that cannot be drawn
            log.exception("a state could not be drawn")
            return
        if payload == self._payload:
            return
        # The id is the content's own: a page that comes back after a restart still knows what it has.
        self._payload, self._id = payload, digest(payload, size=8)
        for client in self._clients:
            client.woken.set()
