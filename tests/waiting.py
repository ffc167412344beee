"""Waiting in a test for what no event tells, bounded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> float:
    """Seconds until the condition held; TimeoutError where it never does."""
    start_s = time.monotonic()
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - what is waited for is told by no event
            await asyncio.sleep(0.005)
    return time.monotonic() - start_s


def echo(_: str, frame: bytes) -> Awaitable[bytes]:
    """An answerer of asks whose answer is there at once."""
    reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    reply.set_result(b"echo " + frame)
    return reply
