"""Work beside: kept until it ends, and closed where it never began."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import pytest
from tests.waiting import until

from hearthway.mesh.links.beside import beside
from hearthway.mesh.links.memory import MemoryHub
from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.mesh.wire.envelope import Meta
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import MeshError

RULES = Rules.parse(default_rules(), "default")


async def _waits() -> None:
    await asyncio.Event().wait()


async def _awaits(work: Coroutine[Any, Any, None]) -> None:
    await work


@pytest.mark.parametrize("steps", [0, 1])
def test_what_is_cancelled_before_or_after_its_first_step_leaves_nothing_open(steps: int) -> None:
    async def main() -> None:
        tasks: set[asyncio.Task[Any]] = set()
        inner = _waits()
        task = beside(tasks, _awaits(inner), inner)
        assert tasks == {task}
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0)
        assert tasks == set()
        assert inspect.getcoroutinestate(inner) == inspect.CORO_CLOSED

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["request", "repeatable command"])
def test_a_node_that_ends_in_the_turn_of_a_question_leaves_no_answer_open(
    make_household: Any, kind: str
) -> None:
    household = make_household(phone="phone", home="home")

    async def main() -> None:
        hub = MemoryHub()
        nodes = {
            device_id: MeshNode(
                household.identity(device_id), hub.link(device_id, device_id), RULES, time.time
            )
            for device_id in ("phone", "home")
        }
        begun: list[Coroutine[Any, Any, None]] = []

        def handler(_meta: Meta, _head: str) -> Coroutine[Any, Any, None]:
            me, loop = asyncio.current_task(), asyncio.get_running_loop()
            begun.append(_waits())
            asked = asyncio.all_tasks() - {me}

            def end() -> None:  # before the first step of whatever is begun for this answer
                for task in asyncio.all_tasks() - asked - {me}:
                    task.cancel()

            loop.call_soon(end)
            return begun[-1]

        for node in nodes.values():
            await node.open()
        await nodes["phone"].wait_ready(["home"], 10.0)
        nodes["home"].serve("Receipt.Head", str, handler, repeatable=kind.startswith("repeat"))
        ask = nodes["phone"].request if kind == "request" else nodes["phone"].command
        asking = asyncio.create_task(ask("home", "Receipt.Head", "abc", "witness", type(None), 5.0))
        await until(lambda: bool(begun) or asking.done())
        assert begun
        for node in nodes.values():
            await node.close()
        with suppress(MeshError, asyncio.CancelledError):
            asking.cancel()
            await asking
        assert inspect.getcoroutinestate(begun[0]) == inspect.CORO_CLOSED

    asyncio.run(main())
