"""The page's server, inside an event loop that somebody else owns: no signal handler, clean start and stop."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import uvicorn
from starlette.applications import Starlette

from hearthway.records.errors import ConfigError

STOP_S = 3


class _QuietServer(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # the node's supervisor owns Ctrl-C


class Server:
    """A running page. `host` and `port` say where; stop it once."""

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        self._app = app
        self.host = host
        self.port = port
        self._server: _QuietServer | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where to open the page."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{shown}:{self.port}/"

    async def start(self) -> None:
        """Listens, or raises ConfigError (port in use, no such address, no permission)."""
        listener = _listen(self.host, self.port)
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            http="h11",
            ws="none",
            lifespan="on",
            loop="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # or a header could claim to be this machine
            limit_concurrency=200,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=STOP_S,
        )
        self._server = _QuietServer(config)
        self._task = asyncio.create_task(self._run(self._server, listener))
        while not self._server.started:
            if self._task.done():
                listener.close()
                self._task.result()
                raise ConfigError("The page did not start.", "Its node.log has the line.")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Ends open streams, then the server; returns when the port is free. Safe to call twice."""
        if self._server is None or self._task is None:
            return
        self._app.state.hub.close()
        self._server.should_exit = True
        await self._task
        self._server = self._task = None

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _run(self, server: _QuietServer, listener: socket.socket) -> None:
        try:
            await server.serve(sockets=[listener])
        except SystemExit:  # uvicorn's way to say that the app's start-up failed
            raise ConfigError(
                "The page's files could not be read.", "Install hearthway's `web` extra again."
            ) from None


async def serve(app: Starlette, host: str, port: int) -> Server:
    """Starts `app` on `host` (an address or name) and `port` (0 picks one) and returns when it listens."""
    server = Server(app, host, port)
    await server.start()
    return server


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
        listener.settimeout(0)
    except (OSError, OverflowError) as why:
        listener.close()
        raise _cannot_listen(host, port, why) from None
    return listener


def _cannot_listen(host: str, port: int, why: Exception) -> ConfigError:
    number = getattr(why, "errno", None)
    if number == errno.EADDRINUSE:
        return ConfigError(
            f"Port {port} on {host} is in use.",
            "Set another port for the page with `hearthway up --web HOST:PORT`, or stop what listens there.",
        )
    if number in (errno.EACCES, errno.EPERM):
        return ConfigError(
            f"This user may not listen on port {port}.", "Set a port above 1023 for the page."
        )
    return ConfigError(
        f"The page cannot listen on {host}:{port}: {getattr(why, 'strerror', '') or why}.",
        "Set an address of this machine, such as 127.0.0.1, and a port from 1 to 65535.",
    )
