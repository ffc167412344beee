"""Commands: carried out at most once however often they arrive, and a sender that does not give up at the first cut."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from hearthway.records.errors import HearthwayError, MeshError

from .checks import CommandJournal

log = logging.getLogger("hearthway.mesh")

COMMAND_BYTES = 16
RETRY_S = (0.05, 0.1, 0.2, 0.4, 0.8)
ATTEMPT_S = 2.0  # one try; the next asks again how the same command went
_REMEMBERED = 10_000


class MemoryJournal:
    """A `CommandJournal` that lasts as long as the process: enough where a restart undoes what was done."""

    blocking = False

    def __init__(self) -> None:
        self._known: dict[tuple[str, bytes], bytes] = {}

    def begin(self, sender: str, command_id: bytes) -> bytes | None:
        """As `CommandJournal.begin`."""
        known = self._known.get((sender, command_id))
        if known is None:
            while len(self._known) >= _REMEMBERED:
                self._known.pop(next(iter(self._known)))
            self._known[sender, command_id] = b""
        return known

    def done(self, sender: str, command_id: bytes, reply: bytes) -> None:
        """As `CommandJournal.done`."""
        self._known[sender, command_id] = reply


class Once:
    """Carries commands out, each at most once; who asks again meanwhile waits for the same end."""

    def __init__(self, journal: CommandJournal) -> None:
        self._journal = journal
        self._aside = getattr(journal, "blocking", True)  # one that writes to disk runs in a thread
        self._running: dict[tuple[str, bytes], asyncio.Future[bytes]] = {}

    async def run(
        self, sender: str, command_id: bytes, work: Callable[[], bytes | Awaitable[bytes]]
    ) -> bytes:
        """What `work` gave, now or the first time; MeshError where it was begun and nobody knows how it ended."""
        kept = self.start(sender, command_id, work)
        return kept if isinstance(kept, bytes) else await kept

    def start(
        self, sender: str, command_id: bytes, work: Callable[[], bytes | Awaitable[bytes]]
    ) -> bytes | Awaitable[bytes]:
        """As `run`; in this very turn where neither the journal nor `work` has to be waited for."""
        at = (sender, command_id)
        running = self._running.get(at)
        if running is None and self._aside:
            running = self._run(at, self._first(at, work))
        elif running is None:
            known = _ended(self._journal.begin(*at))
            if known is not None:
                return known
            result = work()
            if isinstance(result, bytes):
                with _keeping():
                    self._journal.done(*at, result)
                return result
            running = self._run(at, self._last(at, result))
        return asyncio.shield(running)

    def _run(
        self, at: tuple[str, bytes], work: Coroutine[Any, Any, bytes]
    ) -> asyncio.Future[bytes]:
        running = self._running[at] = asyncio.ensure_future(work)
        running.add_done_callback(lambda _: self._running.pop(at, None))
        return running

    async def _first(
        self, at: tuple[str, bytes], work: Callable[[], bytes | Awaitable[bytes]]
    ) -> bytes:
        known = _ended(await asyncio.to_thread(self._journal.begin, *at))
        return known if known is not None else await self._last(at, work())

    async def _last(self, at: tuple[str, bytes], result: bytes | Awaitable[bytes]) -> bytes:
        reply = result if isinstance(result, bytes) else await result
        with _keeping():
            if self._aside:
                await asyncio.to_thread(self._journal.done, *at, reply)
            else:
                self._journal.done(*at, reply)
        return reply


def _ended(known: bytes | None) -> bytes | None:
    """The reply of a command that was carried out, None for a new one; MeshError where nobody knows."""
    if known == b"":
        raise MeshError(
            "That was begun before, and how it ended is not known: it may or may not have been done.",
            "Look whether it was done before you ask for it again.",
        )
    return known


@contextmanager
def _keeping() -> Iterator[None]:
    try:
        yield
    except HearthwayError as why:  # it was done all the same: say so now, a repeat learns "unknown"
        log.warning("How a command ended was not kept: %s", type(why).__name__)
