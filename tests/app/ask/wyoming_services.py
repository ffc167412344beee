"""A household's own voice services, as servers of the Wyoming package: a microphone that plays sound, and those behind it.

The package's module of sound is not imported: it loads `audioop`, which warns that it goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
from array import array
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.ports import free_port
from wyoming.asr import Transcript
from wyoming.event import Event
from wyoming.server import AsyncEventHandler, AsyncTcpServer

RATE, CHUNK = 16_000, 1_024
FORM = {"rate": RATE, "width": 2, "channels": 1}
MARK = bytes(range(200, 250))  # stands in what is said, and nowhere else


def tone(seconds: float, loud: int = 8_000) -> bytes:
    """Sound of that length; 0 is silence."""
    count = int(seconds * RATE)
    return array("h", (int(loud * math.sin(0.2 * n)) for n in range(count))).tobytes()


@dataclass
class Services:
    """What each is to do, and what came to it."""

    plays: list[list[bytes]] = field(default_factory=list)  # a connection to the microphone each
    texts: list[str] = field(default_factory=list)  # what the recogniser hears next
    language: str = "en"
    wakes_after: int = 3  # chunks
    voice: Callable[[str], list[Event]] = lambda text: spoken(text)
    # Said instead, by service; None: pings without an end.
    faults: dict[str, list[Event] | None] = field(default_factory=dict)
    heard: list[tuple[str, str, int]] = field(default_factory=list)  # service, kind, bytes
    said: list[str] = field(default_factory=list)  # to the voice
    played: int = 0  # bytes
    at: dict[str, str] = field(default_factory=dict)
    opened: dict[str, int] = field(default_factory=dict)

    def bytes_to(self, service: str) -> int:
        return sum(size for one, _, size in self.heard if one == service)


def spoken(text: str) -> list[Event]:
    """As Piper answers."""
    return [
        Event("audio-start", dict(FORM)),
        Event("audio-chunk", dict(FORM), tone(0.05)),
        Event("audio-stop", {}),
    ]


class Handler(AsyncEventHandler):
    """One service, by its name."""

    def __init__(self, name: str, services: Services, *streams: Any) -> None:
        super().__init__(*streams)
        self._name, self._services, self._chunks = name, services, 0

    async def run(self) -> None:
        services, name = self._services, self._name
        services.opened[name] = services.opened.get(name, 0) + 1
        for event in services.faults.get(name) or ():
            await self.write_event(event)
        if services.faults.get(name, ()) is None:
            with contextlib.suppress(OSError):
                while True:
                    await self.write_event(Event("ping", {}))
                    await asyncio.sleep(0.02)
        elif services.faults.get(name) == []:
            self.writer.close()
        elif name == "mic" and name not in services.faults:
            await self._play()
        else:
            with contextlib.suppress(ConnectionError):  # the other end may go amid a frame
                await super().run()

    async def _play(self) -> None:
        """What there is to hear, then silence; as fast as it is taken."""
        sounds = self._services.plays.pop(0) if self._services.plays else []
        try:
            for sound in sounds:
                for at in range(0, len(sound), 2 * CHUNK):
                    await self.write_event(
                        Event("audio-chunk", dict(FORM), sound[at : at + 2 * CHUNK])
                    )
                    await asyncio.sleep(0.001)
            while True:
                await self.write_event(Event("audio-chunk", dict(FORM), bytes(2 * CHUNK)))
                await asyncio.sleep(0.01)
        except OSError:
            self.writer.close()

    async def handle_event(self, event: Event) -> bool:
        services, name = self._services, self._name
        services.heard.append((name, event.type, len(event.payload or b"")))
        match name, event.type:
            case "wake", "audio-chunk":
                self._chunks += 1
                if self._chunks == services.wakes_after:
                    await self.write_event(Event("detection", {"name": "ok_nabu"}))
            case "asr", "audio-stop":
                text = services.texts.pop(0) if services.texts else ""
                await self.write_event(Transcript(text=text, language=services.language).event())
            case "tts", "synthesize":
                services.said.append(event.data["text"])
                for one in services.voice(event.data["text"]):
                    await self.write_event(one)
            case "snd", "audio-chunk":
                services.played += len(event.payload or b"")
            case "snd", "audio-stop":
                await self.write_event(Event("played", {}))
        return True


@asynccontextmanager
async def services() -> AsyncIterator[Services]:
    """All five, listening on this machine."""
    made, servers = Services(), []
    for name in ("mic", "wake", "asr", "tts", "snd"):
        port = free_port()
        server = AsyncTcpServer("127.0.0.1", port)
        await server.start(functools.partial(Handler, name, made))
        made.at[name] = f"127.0.0.1:{port}"
        servers.append(server)
    try:
        yield made
    finally:
        for server in servers:
            tasks = list(server._handlers)
            await server.stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
