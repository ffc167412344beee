"""Commands: carried out at most once however often they arrive, and a sender that does not give up at the first cut.

One whose repeat does no harm, whatever others ordered in between (its version says which is newer, this is to be shown),
says so where it is served and is not noted: it costs no flush of the disk. What says nothing is carried out at most once, a power cut in between included.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable

from hearthway.mesh.links.beside import close_with
from hearthway.records.errors import HearthwayError, MeshError

from .checks import CommandJournal

log = logging.getLogger("hearthway.mesh")

COMMAND_BYTES = 16
RETRY_S = (0.05, 0.1, 0.2, 0.4, 0.8)
ATTEMPT_S = 2.0  # one try; the next asks again how the same command went
_REMEMBERED = 10_000
_SLOW_KEPT_S = 5.0
_SLOW_MAX = 256
Work = Callable[[], bytes | Awaitable[bytes]]


class MemoryJournal:
    """A `CommandJournal` that lasts as long as the process: enough where a restart undoes what was done."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bytes], bytes] = {}

    async def begin(self, sender: str, command_id: bytes) -> bytes | None:
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
        self._running: dict[tuple[str, bytes], asyncio.Future[bytes]] = {}

    def joined(self, sender: str, command_id: bytes) -> asyncio.Future[bytes] | None:
        """The end of that command, if it is being carried out now."""
        running = self._running.get((sender, command_id))
        return None if running is None else asyncio.shield(running)

    def run(self, sender: str, command_id: bytes, work: Work) -> asyncio.Future[bytes]:
        """What `work` gave, now or the first time; MeshError where it was begun and nobody knows how it ended."""
        at = (sender, command_id)
        return self.joined(*at) or self._run(at, self._noted(at, work))

    def again(
        self, sender: str, command_id: bytes, work: Awaitable[bytes], *awaits: object
    ) -> asyncio.Future[bytes]:
        """What `work`, whose repeat does no harm, gives: nothing is noted, only who asks meanwhile joins.

        Of one that outlasts a try the end stays for the next try, or a sender would begin it for ever.
        `awaits`: what `work` was given to await, until its own end and not until that of who waits for it.
        """
        at, slow_s = (sender, command_id), time.monotonic() + ATTEMPT_S / 2
        end = self._run(at, work, slow_s)
        close_with(self._running[at], *awaits)
        return end

    def _run(
        self, at: tuple[str, bytes], work: Awaitable[bytes], slow_s: float = math.inf
    ) -> asyncio.Future[bytes]:
        running = self._running[at] = asyncio.ensure_future(work)

        def ended(_: object) -> None:
            if time.monotonic() < slow_s or len(self._running) > _SLOW_MAX:
                self._running.pop(at, None)
            else:
                running.get_loop().call_later(_SLOW_KEPT_S, self._running.pop, at, None)

        running.add_done_callback(ended)
        return asyncio.shield(running)

    async def _noted(self, at: tuple[str, bytes], work: Work) -> bytes:
        known = _ended(await self._journal.begin(*at))
        if known is not None:
            return known
        result = work()
        reply = result if isinstance(result, bytes) else await result
        try:
            self._journal.done(*at, reply)
        except (
            HearthwayError
        ) as why:  # it was done all the same: say so now, a repeat learns "unknown"
            log.warning("How a command ended was not kept: %s", type(why).__name__)
        return reply


def _ended(known: bytes | None) -> bytes | None:
    """The reply of a command that was carried out, None for a new one; MeshError where nobody knows."""
    if known == b"":
        raise MeshError(
            "That was begun before, and how it ended is not known: it may or may not have been done.",
            "Look whether it was done before you ask for it again.",
        )
    return known
