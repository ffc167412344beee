"""Turns: one worker does what comes in, in the order it came, so that a replayed day gives the same bytes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from msgspec import Struct

from hearthway.records.errors import HearthwayError

log = logging.getLogger("hearthway.phone")
T = TypeVar("T")
QUEUE_MAX = 10_000


class _Turn(Struct, frozen=True):
    """What is to be done, and who waits for a word of it (nobody: what fails is told as a note)."""

    name: str
    work: Callable[[], Awaitable[None]]
    done: asyncio.Future[Any] | None = None


class Turns:
    """A queue of work of any part; `tell` gets the sentence of what failed and nobody waits for."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._queue: asyncio.Queue[_Turn] = asyncio.Queue()
        self._tell = tell

    @property
    def full(self) -> bool:
        """Does so much wait that the newest should be refused?"""
        return self._queue.qsize() >= QUEUE_MAX

    def add(
        self,
        name: str,
        work: Callable[[], Awaitable[None]],
        done: asyncio.Future[Any] | None = None,
    ) -> None:
        """Do `work` behind all that came before it; `done` gets what it raises, as long as it waits."""
        self._queue.put_nowait(_Turn(name, work, done))

    async def wait(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        """Do `work` behind all that came before it, and return what it does; what it raises is raised here."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        async def turn() -> None:
            result = await work()
            if (
                not done.done()
            ):  # whoever waited may have gone: what was asked for is done all the same
                done.set_result(result)

        self.add(name, turn, done)
        return await done

    async def run(self) -> None:
        """The worker; it never ends by itself."""
        while True:
            turn = await self._queue.get()
            try:
                await turn.work()
            except HearthwayError as why:
                self._failed(turn, why)
            except Exception as why:  # one bad message must not end anticipation
                log.exception("work failed", extra={"fields": {"work": turn.name}})
                self._failed(
                    turn,
                    HearthwayError(
                        f"The phone could not use that ({type(why).__name__}).",
                        "node.log has the line.",
                    ),
                )

    def _failed(self, turn: _Turn, why: HearthwayError) -> None:
        if turn.done is not None and not turn.done.done():
            turn.done.set_exception(why)
        else:
            self._tell(str(why))
