"""The server inside somebody else's event loop."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import Any

import pytest

from hearthway.records.errors import ConfigError
from hearthway.web.page import create_app
from hearthway.web.server import Server, serve


def _app(open_page: Any, token: str) -> Any:
    import sys

    node = sys.modules[open_page.__module__].MemoryNode()
    return create_app(node, token=token)


def test_starts_stops_and_starts_again_on_the_same_port(open_page: Any, token: str) -> None:
    app = _app(open_page, token)

    async def twice() -> tuple[int, int]:
        first = await serve(app, "127.0.0.1", 0)
        port = first.port
        assert first.url == f"http://127.0.0.1:{port}/"
        await first.stop()
        await first.stop()
        async with Server(_app(open_page, token), "127.0.0.1", port) as second:
            return port, second.port

    first, second = asyncio.run(twice())
    assert first == second > 0


def test_signal_handlers_stay_those_of_the_node(open_page: Any, token: str) -> None:
    app = _app(open_page, token)

    async def look() -> tuple[Any, Any]:
        before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        async with Server(app, "127.0.0.1", 0):
            return before, (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))

    before, during = asyncio.run(look())
    assert before == during


def test_a_port_in_use_says_what_to_do(open_page: Any, token: str) -> None:
    app = _app(open_page, token)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"Port {port} on 127.0.0.1 is in use.*another port"):
            asyncio.run(serve(app, "127.0.0.1", port))


@pytest.mark.parametrize(
    ("host", "port"), [("192.0.2.1", 0), ("127.0.0.1", 70_000), ("no such", 0)]
)
def test_an_address_that_is_none_says_what_to_do(
    open_page: Any, token: str, host: str, port: int
) -> None:
    app = _app(open_page, token)
    with pytest.raises(ConfigError, match="address of this machine") as caught:
        asyncio.run(serve(app, host, port))
    assert "Errno" not in caught.value.message


def test_no_task_is_left_behind(open_page: Any, token: str) -> None:
    app = _app(open_page, token)

    async def left() -> int:
        async with Server(app, "127.0.0.1", 0):
            pass
        return len(asyncio.all_tasks()) - 1

    assert asyncio.run(left()) == 0
