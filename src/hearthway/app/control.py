"""The control socket: how this machine's owner speaks to a running node. A Unix socket, 0600, JSON lines.

A request is `{"do": verb, ...}`; the answer is `{"ok": true, ...}` or `{"ok": false, "error": ..., "next": ...}`.
`{"do": "events"}` turns the connection into a stream of what happens.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import select
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from hearthway.mesh.links.door import shut
from hearthway.records.errors import ConfigError, HearthwayError

from .paths import NodePaths, private_dir

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
_PATIENCE_S = 60.0
LINE_LIMIT = 4 * 1024 * 1024
QUEUE_LIMIT = 10_000
LOOK_S = 1.0  # who has said its last word is looked after so often until it is answered
log = logging.getLogger("hearthway.control")


class ControlServer:
    """Serves the verbs it is given and fans events out to whoever listens."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handlers: dict[str, Handler] = {}
        self._with_client: set[str] = set()
        self._listeners: set[asyncio.Queue[dict[str, Any]]] = set()
        self._server: asyncio.Server | None = None
        self._stopped = False
        self._serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def on(self, verb: str, handler: Handler, *, with_client: bool = False) -> None:
        """Answer `verb` with `handler`; `with_client`: it is called off where whoever asked is gone."""
        self._handlers[verb] = handler
        if with_client:
            self._with_client.add(verb)

    def emit(self, event: str, **fields: Any) -> None:
        """Tell every listener; one that does not read is dropped, never waited for."""
        message = {"event": event, **fields}
        for queue in list(self._listeners):
            if queue.full():
                self._listeners.discard(queue)
            else:
                queue.put_nowait(message)

    async def start(self) -> None:
        """Listen. Ask `running` first: a second process of a node would take the socket over."""
        private_dir(self._path.parent)
        self._path.unlink(missing_ok=True)  # left by a killed process: `running` was asked before
        self._server = await asyncio.start_unix_server(
            self._connected, str(self._path), limit=LINE_LIMIT
        )
        self._path.chmod(0o600)

    async def stop(self) -> None:
        """Close every connection and remove the socket."""
        self._stopped = True
        if self._server is not None:
            await shut(self._server)
        serving = dict(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        for writer in serving.values():
            writer.transport.abort()  # a task that never began would leave its connection open
        if self._server is not None:
            await self._server.wait_closed()
        self._path.unlink(missing_ok=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._stopped:  # it was being accepted while the node stopped
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving[task] = writer
        task.add_done_callback(lambda done: self._serving.pop(done, None))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            while line:
                request = self._parse(line)
                if request.get("do") == "events":
                    await self._stream(writer)
                    return
                if str(request.get("do")) in self._with_client:
                    line = await self._attended(request, reader, writer)
                    continue
                await self._write(writer, await self._answer(request))
                line = await reader.readline()
        except (ConnectionError, ValueError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _attended(
        self, request: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes:
        """Answer while the other side is there; its next line. One that only has no more to say still hears."""
        loop = asyncio.get_running_loop()
        answer, ahead = (
            loop.create_task(self._answer(request)),
            loop.create_task(reader.readline()),
        )
        try:
            await asyncio.wait((answer, ahead), return_when=asyncio.FIRST_COMPLETED)
            while not answer.done():
                if not ahead.result() and _hung_up(writer):
                    return b""
                await asyncio.wait((answer,), timeout=LOOK_S)
            await self._write(writer, await answer)
            return await ahead
        finally:
            for task in (answer, ahead):
                task.cancel()
            await asyncio.gather(answer, ahead, return_exceptions=True)

    @staticmethod
    def _parse(line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            return {}
        return request if isinstance(request, dict) else {}

    async def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        handler = self._handlers.get(str(request.get("do", "")))
        if handler is None:
            return {
                "ok": False,
                "error": f"This node does not know {request.get('do')!r}.",
                "next": "Another kind of node does: `hearthway status` shows which is which.",
            }
        try:
            return {"ok": True, **await handler(request)}
        except HearthwayError as why:
            return {
                "ok": False,
                "error": why.message,
                "next": why.next_step,
                "exit": why.exit_code,
            }
        except KeyError as missing:
            log.exception("control request failed")
            return {
                "ok": False,
                "error": f"The request lacks {missing}.",
                "next": "Give it, or use the `hearthway` command line.",
            }
        except (TypeError, ValueError):
            log.exception("control request failed")
            return {
                "ok": False,
                "error": "A value in the request is of a kind that does not fit.",
                "next": "Correct it, or use the `hearthway` command line.",
            }
        except Exception as why:
            log.exception("control request failed")
            return {
                "ok": False,
                "error": f"The node could not do that ({type(why).__name__}).",
                "next": "Its node.log has the line.",
            }

    @staticmethod
    async def _write(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
        writer.write(json.dumps(message).encode() + b"\n")
        await writer.drain()

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(QUEUE_LIMIT)
        self._listeners.add(queue)
        try:
            await self._write(writer, {"event": "listening"})
            while True:
                await self._write(writer, await queue.get())
        finally:
            self._listeners.discard(queue)


class Control:
    """The other end, for the command line: blocking, one request at a time."""

    def __init__(self, path: Path, timeout_s: float = 60.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise ConfigError(
                f"No node runs at {path.parent}.", "Start it with `hearthway up --data DIR`."
            ) from None
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> Control:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """The node's answer; its refusal as a HearthwayError."""
        self._socket.sendall(json.dumps({"do": do, **fields}).encode() + b"\n")
        answer = self._read()
        if not answer.pop("ok", False):
            raise refusal(answer)
        return answer

    def _read(self) -> dict[str, Any]:
        try:
            line = self._lines.readline()
        except OSError:
            line = b""
        if not line:
            raise HearthwayError("The node stopped answering.", "Its node.log says why.")
        message: dict[str, Any] = json.loads(line)
        return message


def refusal(answer: dict[str, Any]) -> HearthwayError:
    """The error that `answer` tells of, with its exit code."""
    error = HearthwayError(str(answer.get("error", "")), str(answer.get("next", "")))
    error.exit_code = int(answer.get("exit", HearthwayError.exit_code))
    return error


def _hung_up(writer: asyncio.StreamWriter) -> bool:
    """Has the other side closed for good, and not only said its last word (`shutdown`)?"""
    link = select.poll()
    link.register(writer.get_extra_info("socket").fileno(), 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in link.poll(0))


def running(path: Path) -> bool:
    """Does a node answer at this control socket? One that is starting or ending is waited for; ConfigError after 60 s.

    It has its store open and learns: whoever took it for stopped would write beside it what it never hears of.
    """
    until_s = time.monotonic() + _PATIENCE_S
    while not _answers(path):
        if not _is_held(path):
            return False
        if time.monotonic() > until_s:
            raise ConfigError(
                f"The node at {path.parent} has been starting or ending for {_PATIENCE_S:.0f} s.",
                "Try again when it is up: it may be learning a long history.",
            )
        time.sleep(0.05)
    return True


def _answers(path: Path) -> bool:
    try:
        Control(path, 0.5).close()
    except ConfigError:
        return False
    return True


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """One process at a time is the node of this control socket, from before it opens its store until it has closed it."""
    private_dir(path.parent)
    for _ in range(20):  # who looks whether it is held, holds it for a moment
        lock = _taken(_lock(path))
        if lock is not None:
            break
        time.sleep(0.05)
    else:
        raise ConfigError(
            f"This node is starting or ending already ({path.parent}).", "Wait for it."
        )
    try:
        yield
    finally:
        if _is_same(lock, _lock(path)):
            _lock(path).unlink()
        os.close(lock)


def _taken(path: Path) -> int | None:
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as why:
        raise ConfigError(
            f"{path} cannot be made: {why.strerror}.",
            f"`ls -ld {path.parent}` shows the owner, `df {path.parent}` the space.",
        ) from None
    with contextlib.suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_same(lock, path):  # else its last holder removed it meanwhile
            return lock
    os.close(lock)
    return None


def _is_same(lock: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except OSError:
        return False


def _lock(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _is_held(path: Path) -> bool:
    try:
        lock = os.open(_lock(path), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def refuse_running(paths: NodePaths) -> None:
    """ConfigError where that node is running, starting or ending; nobody waits for that."""
    if _answers(paths.socket) or _is_held(paths.socket):
        raise ConfigError(
            f"This node is running already ({paths.root}).",
            "Stop it first, or give another directory with --data.",
        )


async def open_control(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection for asynchronous use: the drive listens to four nodes at once."""
    return await asyncio.open_unix_connection(str(path), limit=LINE_LIMIT)
