"""Voice, by the Wyoming protocol: text that somebody's own speech recogniser heard comes in, the line to say goes out.

`transcript` is answered by `handled` or `not-handled` with the line; `recognize` by `intent` or `not-recognized`, which
uses nothing of anybody; `describe` by `info`. Sound that comes is none of its business; `satellite` listens.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from hearthway import __version__
from hearthway.app.config import split_address
from hearthway.app.node import Node
from hearthway.mesh.links.door import shut
from hearthway.mesh.links.own_network import is_own
from hearthway.records.ask import LANGUAGES, Outcome
from hearthway.records.errors import ConfigError, HearthwayError

from .frames import LINE_MAX, Data, read_frame, write_frame
from .part import Asking

AT_ONCE = 16  # speakers of one house
IDLE_S = 300.0
SPOKEN = (Outcome.ANSWERED, Outcome.ASKS, Outcome.DONE, Outcome.UNKNOWN)
log = logging.getLogger("hearthway.voice")


class VoiceService:
    """Serves one node's voice for as long as the node runs (app.node.Service)."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._host, self._port = split_address(node.config.ask.voice)
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._events: dict[str, Callable[[Data], Awaitable[tuple[str, Data]]]] = {
            "describe": self._describe,
            "transcript": self._transcript,
            "recognize": self._recognize,
        }

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    async def start(self) -> None:
        """Listens where `[ask] voice` says; ConfigError where it cannot."""
        try:
            self._server = await asyncio.start_server(
                self._connected, self._host, self._port, limit=LINE_MAX
            )
        except OSError as why:
            raise ConfigError(
                f"Voice cannot listen on {self._host}:{self._port}: {why.strerror}.",
                "Set ask.voice to an address of this machine and a free port.",
            ) from None
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Ends every connection and frees the port."""
        if self._server is None:
            return
        await shut(self._server)
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        host = str(peer[0]) if peer else ""
        if len(self._serving) >= AT_ONCE or not is_own(host):
            log.warning("a voice was refused", extra={"fields": {"peer": host}})
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                frame = await asyncio.wait_for(read_frame(reader), IDLE_S)
                if frame is None:
                    return
                answer = self._events.get(frame.kind)
                if answer is not None:  # others are none of ours, and are passed over
                    write_frame(writer, *await answer(frame.data))
                    await writer.drain()
        except (ConnectionError, TimeoutError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    # what is answered ----------------------------------------------------------------------------------------------

    async def _describe(self, _: Data) -> tuple[str, Data]:
        about = {
            "name": "hearthway",
            "description": "Answers from what this household knows",
            "attribution": {"name": "Hearthway", "url": ""},
            "installed": True,
            "version": __version__,
        }
        models = [{**about, "languages": list(LANGUAGES)}]
        program = {**about, "models": models}
        return "info", {"handle": [program], "intent": [program]}

    async def _transcript(self, data: Data) -> tuple[str, Data]:
        try:
            reply = await self._node.part(Asking).ask(
                data.get("text"), self._node.config.ask.voice_person, language_of(data)
            )
        except HearthwayError as why:
            return "not-handled", {"text": str(why), **_context(data)}
        kind = "handled" if reply.outcome in SPOKEN else "not-handled"
        return kind, {"text": reply.line, **_context(data)}

    async def _recognize(self, data: Data) -> tuple[str, Data]:
        try:
            meaning = await self._node.part(Asking).read(
                data.get("text"), self._node.config.ask.voice_person, language_of(data)
            )
        except HearthwayError as why:
            return "not-recognized", {"text": str(why), **_context(data)}
        if meaning is None:
            return "not-recognized", _context(data)
        entities = [{"name": name, "value": value} for name, value in meaning.slots.items()]
        return "intent", {"name": meaning.intent, "entities": entities, **_context(data)}


def language_of(data: Data) -> str:
    """The language that a recogniser heard, where it is one of ours; else ""."""
    said = str(data.get("language") or "").partition("-")[0].lower()
    return said if said in LANGUAGES else ""


def _context(data: Data) -> Data:
    context = data.get("context")
    return {"context": context} if isinstance(context, dict) else {}
