"""A clock that jumps: an event loop on which waiting costs no time, and what happens does not depend on the machine."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from typing import Any

import pytest


class _Jumping(selectors.DefaultSelector):
    """Waiting costs no time: the clock goes on by as much as nothing would have happened."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("every task waits for ever")
            self.now_s += timeout
        return ready


class _Inline(Executor):
    """Work for a thread is done here and now, so that the clock cannot overtake it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except BaseException as why:  # noqa: BLE001 - as an executor does
            done.set_exception(why)
        return done


def jump(main: Callable[[], Coroutine[Any, Any, Any]], patch: pytest.MonkeyPatch) -> Any:
    """Run `main()` on a loop of its own whose clock jumps."""
    clock = _Jumping()
    loop = asyncio.SelectorEventLoop(clock)

    def run_here(executor: Any, work: Callable[..., Any], *args: Any) -> Any:
        return asyncio.wrap_future(_Inline().submit(work, *args), loop=loop)

    with patch.context() as local:
        local.setattr(time, "monotonic", lambda: clock.now_s)
        local.setattr(loop, "run_in_executor", run_here)
        try:
            return loop.run_until_complete(main())
        finally:
            loop.close()
