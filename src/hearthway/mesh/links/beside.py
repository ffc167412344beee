"""Work that runs beside what asked for it, in tasks that are kept until they end."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine
from typing import Any


def beside(
    tasks: set[asyncio.Task[Any]], work: Coroutine[Any, Any, Any], *awaits: object
) -> asyncio.Task[Any]:
    """Run `work` as a task that `tasks` holds until it ends; `awaits` are what it was given to await."""
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    close_with(task, *awaits)
    return task


def close_with(future: asyncio.Future[Any], *awaits: object) -> None:
    """Close each coroutine of `awaits` when `future` ends: one that was cancelled before its first step never began
    them, and Python would tell of something that was forgotten.
    """
    coroutines = [awaited for awaited in awaits if inspect.iscoroutine(awaited)]

    def close(_: object) -> None:
        for coroutine in coroutines:
            coroutine.close()

    if coroutines:
        future.add_done_callback(close)
