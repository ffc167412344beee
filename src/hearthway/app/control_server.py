"""The node's end of the control socket: it answers verbs, and tells whoever listens what happens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import select
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from hearthway.mesh.links.door import shut
from hearthway.records.errors import HearthwayError

from .control import LINE_LIMIT
from .paths import private_dir

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
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


def _hung_up(writer: asyncio.StreamWriter) -> bool:
    """Has the other side closed for good, and not only said its last word (`shutdown`)?"""
    link = select.poll()
    link.register(writer.get_extra_info("socket").fileno(), 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in link.poll(0))
