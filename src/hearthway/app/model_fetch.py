"""Fetches an artefact piece by piece from whoever of the household has it: bounded in rate and memory, resumed after a cut."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from hearthway.mesh.state.artefacts import Artefacts
from hearthway.records.errors import HearthwayError
from hearthway.records.releases import PIECE_BYTES, Piece, PieceWanted, Release

log = logging.getLogger("hearthway.models")
PIECE_TIMEOUT_S = 10.0
SLOW_S = 2.0  # for one piece: somebody else is asked for the next, if there is somebody
RATE_BYTES_S = 1024 * 1024  # what else the wire carries goes on; who gives allows twice that
FAILURES_MAX = 3  # in one go, of one source

Ask = Callable[[str, PieceWanted], Awaitable[Piece]]


class Fetcher:
    """One artefact at a time, one piece under way: 64 KiB are held, whatever its size."""

    def __init__(self, ask: Ask, sources: Callable[[], list[str]]) -> None:
        """`ask(device, wanted)` raises HearthwayError where it fails; `sources`: who may be asked now, the best first."""
        self._ask = ask
        self._sources = sources
        self._liars: dict[str, set[str]] = {}  # by artefact
        self.lied: dict[str, str] = {}  # device -> the artefact of which it gave other bytes
        self.slow_s, self.rate_bytes_s = SLOW_S, float(RATE_BYTES_S)

    async def fetch(self, artefacts: Artefacts, release: Release) -> bool:
        """Until it is whole here; False when nobody in reach gives the next piece. StoreError where it cannot be kept.

        Pieces that are right stay for the next time.
        """
        missing = await asyncio.to_thread(artefacts.begin, release)
        failures: dict[str, int] = {}
        behind: list[str] = []  # slow or silent: asked last
        while missing < release.count:
            source = self._next(release, failures, behind)
            if source is None:
                return False
            began_s = time.monotonic()
            piece = await self._piece(release, missing, source)
            slow = time.monotonic() - began_s > self.slow_s  # a slow disk here is not its fault
            good = piece is not None and await self._keep(
                artefacts, release, missing, source, piece
            )
            if not good:
                failures[source] = failures.get(source, 0) + 1
            if not good or slow:
                behind = [one for one in behind if one != source] + [source]
            if good:
                missing += 1
                took_s = time.monotonic() - began_s
                await asyncio.sleep(max(0.0, PIECE_BYTES / self.rate_bytes_s - took_s))
        return await asyncio.to_thread(artefacts.finish, release)

    def _next(self, release: Release, failures: dict[str, int], behind: list[str]) -> str | None:
        liars = self._liars.get(release.identity, set())
        can = [
            one
            for one in self._sources()
            if one not in liars and failures.get(one, 0) < FAILURES_MAX
        ]
        return min(can, key=lambda one: behind.index(one) + 1 if one in behind else 0, default=None)

    async def _piece(self, release: Release, index: int, source: str) -> bytes | None:
        wanted = PieceWanted(identity=release.identity, index=index)
        try:
            async with asyncio.timeout(PIECE_TIMEOUT_S):
                return (await self._ask(source, wanted)).data
        except (TimeoutError, HearthwayError):
            return None

    async def _keep(
        self, artefacts: Artefacts, release: Release, index: int, source: str, data: bytes
    ) -> bool:
        if await asyncio.to_thread(artefacts.add, release, index, data):
            return True
        self._liars.setdefault(release.identity, set()).add(source)
        self.lied[source] = release.identity
        log.warning("a piece was not what it should be", extra={"fields": {"peer": source}})
        return False

    def forget(self, keep: set[str]) -> None:
        """Who lied about artefacts that nobody wants any more may be asked again for others."""
        for identity in list(self._liars):
            if identity not in keep:
                del self._liars[identity]
        self.lied = {one: identity for one, identity in self.lied.items() if identity in keep}
