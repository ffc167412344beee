"""Asks over a link: each ends with its own answer, or when its own time is over, by one timer for all."""

from __future__ import annotations

import asyncio
import time

import pytest

from hearthway.mesh.links.link_asks import Asks
from hearthway.mesh.links.stream import Stream
from hearthway.records.errors import MeshError


async def _over_zenoh(_number: bytes) -> tuple[bool, Stream | None]:
    return True, None


async def _ask(asks: Asks, sent: list[bytes], timeout_s: float, to: str = "car") -> bytes:
    def at_once(number: bytes) -> Stream | None:
        sent.append(number)
        return None

    return await asks.ask(to, at_once, _over_zenoh, timeout_s)


def test_each_ask_waits_its_own_time_whatever_the_others_wait() -> None:
    async def scenario() -> None:
        asks, sent = Asks(), list[bytes]()
        started = time.monotonic()

        async def took_s(timeout_s: float) -> float:
            with pytest.raises(MeshError, match="did not answer"):
                await _ask(asks, sent, timeout_s)
            return time.monotonic() - started

        waits_s = (0.6, 0.1, 0.3, 0.1)
        ended_s = await asyncio.gather(*(took_s(wait_s) for wait_s in waits_s))
        for waited_s, ended in zip(waits_s, ended_s, strict=True):
            assert waited_s - 0.01 <= ended < waited_s + 0.25  # a loaded machine
        assert ended_s[1] < ended_s[2] < ended_s[0]
        assert asks._patience is None  # nobody waits: nothing wakes this node

    asyncio.run(scenario())


def test_an_answer_in_time_counts_once_and_only_from_whom_was_asked() -> None:
    async def scenario() -> None:
        asks, sent = Asks(), list[bytes]()
        long, short = (asyncio.create_task(_ask(asks, sent, t)) for t in (5.0, 0.2))
        await asyncio.sleep(0.01)
        asks.answered("home", sent[0], b"forged")
        asks.answered("car", sent[0], b"first")
        asks.answered("car", sent[0], b"second")
        assert await long == b"first"
        with pytest.raises(MeshError, match="did not answer"):
            await short
        gone = asyncio.create_task(_ask(asks, sent, 5.0))
        await asyncio.sleep(0.01)
        asks.fail(None)
        with pytest.raises(MeshError, match="not reachable"):
            await gone
        assert asks._patience is None

    asyncio.run(scenario())


def test_asks_begin_anew_in_another_loop() -> None:
    asks, sent = Asks(), list[bytes]()

    async def once() -> None:
        with pytest.raises(MeshError, match="did not answer"):
            await _ask(asks, sent, 0.05)
        last = asyncio.create_task(_ask(asks, sent, 60.0))
        await asyncio.sleep(0.01)
        asks.fail(None)  # as a link does that closes
        with pytest.raises(MeshError):
            await last

    for _ in range(2):
        asyncio.run(once())
