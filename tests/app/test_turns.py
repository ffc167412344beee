"""Work is done in the order it came, by one worker that no piece of work ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hearthway.app.turns import QUEUE_MAX, Turns
from hearthway.records.errors import HearthwayError


async def nothing() -> None:
    """Work that is none."""


def worked(main: Callable[[Turns, list[str]], Awaitable[None]]) -> list[str]:
    """What the turns told of while `main` ran."""

    async def run() -> list[str]:
        told: list[str] = []
        turns = Turns(told.append)
        worker = asyncio.ensure_future(turns.run())
        await asyncio.wait_for(main(turns, told), 10.0)
        assert not worker.done()
        worker.cancel()
        return told

    return asyncio.run(run())


def test_each_begins_when_the_one_before_has_ended() -> None:
    done: list[int] = []

    async def main(turns: Turns, told: list[str]) -> None:
        async def slow(n: int) -> int:
            await asyncio.sleep(0.02 - 0.01 * n)
            done.append(n)
            return 10 * n

        async def first() -> None:
            await slow(0)

        turns.add("first", first)
        asked = (turns.wait("second", lambda: slow(1)), turns.wait("third", lambda: slow(2)))
        assert tuple(await asyncio.gather(*asked)) == (10, 20)

    assert worked(main) == []
    assert done == [0, 1, 2]


def test_what_fails_is_raised_to_who_waits_and_told_where_nobody_does() -> None:
    async def fails() -> None:
        raise HearthwayError("No.", "Try again.")

    async def breaks() -> None:
        raise ValueError("a word of the machine's own")

    async def main(turns: Turns, told: list[str]) -> None:
        with pytest.raises(HearthwayError, match="No"):
            await turns.wait("asked", fails)
        with pytest.raises(HearthwayError, match="ValueError"):
            await turns.wait("asked", breaks)
        assert told == []
        stored = asyncio.get_running_loop().create_future()

        async def fails_later() -> None:
            stored.set_result(None)
            await fails()

        turns.add("said", fails)
        turns.add("said", fails_later, stored)  # who waited has what it waited for
        await turns.wait("after both", nothing)
        assert await stored is None

    assert worked(main) == ["No. Try again."] * 2


def test_a_queue_that_is_full_says_so() -> None:
    async def main() -> None:
        turns = Turns(lambda text: None)
        for _ in range(QUEUE_MAX):
            assert not turns.full
            turns.add("more", nothing)
        assert turns.full

    asyncio.run(main())


def test_whoever_waits_no_more_spoils_nothing() -> None:
    done: list[str] = []

    async def main(turns: Turns, told: list[str]) -> None:
        begun = asyncio.Event()

        async def slow() -> None:
            begun.set()
            await asyncio.sleep(0.01)
            done.append("done")

        asked = asyncio.ensure_future(turns.wait("slow", slow))
        await begun.wait()
        asked.cancel()
        await turns.wait("next", nothing)

    assert worked(main) == []
    assert done == ["done"]
