"""Voice by a real Wyoming client; and what a hostile one may send."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace
from tests.ports import free_port
from wyoming.asr import Transcript
from wyoming.client import AsyncTcpClient
from wyoming.event import Event
from wyoming.handle import Handled, NotHandled
from wyoming.intent import Intent, NotRecognized, Recognize

from hearthway.app.ask.frames import DATA_MAX, LINE_MAX, PAYLOAD_MAX
from hearthway.app.ask.voice import VoiceService
from hearthway.app.config import AskTable

pytestmark = pytest.mark.anyio
ROOM = "Home.Climate.Temperature"


class Described:
    """`wyoming.info.Describe`: its module loads audioop, which warns that it goes."""

    @staticmethod
    def event() -> Event:
        return Event(type="describe")


@asynccontextmanager
async def speaking(own: Any, person: str = "anna", name: str = "phone") -> Any:
    """The voice service of a node, and its port."""
    node = own.nodes[name]
    ask = AskTable(voice=f"127.0.0.1:{free_port()}", voice_person=person)
    node.config = replace(node.config, ask=ask)
    service = VoiceService(node)
    await service.start()
    try:
        yield service
    finally:
        await service.stop()


async def said(service: VoiceService, *events: Any) -> list[Event]:
    """What a real client hears to each."""
    async with AsyncTcpClient("127.0.0.1", service.port) as client:
        heard = []
        for event in events:
            await client.write_event(event.event())
            answer = await asyncio.wait_for(client.read_event(), 10.0)
            assert answer is not None
            heard.append(answer)
        return heard


async def test_a_satellite_asks_and_hears_one_line(house: Any) -> None:
    async with house() as own, speaking(own) as service:
        await own.tell({ROOM: 19.2})
        info, warm, german, odd = await said(
            service,
            Described(),
            Transcript(text="how warm is it at home", language="en-GB"),
            Transcript(text="ist jemand zu hause", language="de"),
            Transcript(text="what is the meaning of life", context={"room": "hall"}),
        )
        assert [info.type, *(info.data[kind][0]["name"] for kind in ("handle", "intent"))] == [
            "info",
            *["hearthway"] * 2,
        ]
        assert info.data["handle"][0]["models"][0]["languages"] == ["en", "de"]
        assert Handled.from_event(warm).text == "19.2 °C at home."
        assert "unbekannt" in (Handled.from_event(german).text or "")
        assert NotHandled.from_event(odd).text == "I do not know that."
        assert NotHandled.from_event(odd).context == {"room": "hall"}


async def test_it_says_what_was_meant(house: Any) -> None:
    async with house() as own, speaking(own) as service:
        await own.tell({"Home.Lights.hall.OnOff": True})
        meant, none = await said(
            service,
            Recognize(text="turn off the hall light"),
            Recognize(text="sing a song of sixpence"),
        )
        intent = Intent.from_event(meant)
        assert (intent.name, [(e.name, e.value) for e in intent.entities]) == (
            "light_off",
            [("light", "hall")],
        )
        assert NotRecognized.is_type(none.type)
        assert own.ordered == [], "to recognise is not to do"
        (done,) = await said(service, Transcript(text="turn off the hall light"))
        assert Handled.from_event(done).text == "Done. Off: hall."
        assert own.ordered == [{"light": "hall", "on": False}]


async def test_a_voice_that_may_be_anybodys_is_a_guests(house: Any) -> None:
    async with house() as own:
        await own.tell({ROOM: 19.2})
        for name in ("phone", "home"):
            async with speaking(own, "nobody", name) as service:
                (denied,) = await said(service, Transcript(text="how warm is it at home"))
                assert NotHandled.is_type(denied.type)
                assert "19" not in (NotHandled.from_event(denied).text or "")
        async with speaking(own, "mia") as service:  # the control
            (told,) = await said(service, Transcript(text="how warm is it at home"))
            assert Handled.is_type(told.type)


HOSTILE: tuple[bytes, ...] = (
    b"not json\n",
    b"[1]\n",
    b'{"type": 7}\n',
    b'{"type": "transcript", "data_length": -1}\n',
    b'{"type": "transcript", "data_length": "9"}\n',
    b'{"type": "transcript", "data_length": %d}\n' % (DATA_MAX + 1),
    b'{"type": "transcript", "payload_length": %d}\n' % (PAYLOAD_MAX + 1),
    b'{"type": "transcript", "data_length": 4}\nnope',
    b"x" * (LINE_MAX + 1),
    b"[" * 10_000 + b"\n",
    b'{"type": "transcript", "data_length": 40}\n{}',
)


async def test_a_hostile_speaker_ends_its_own_connection_and_nothing_else(house: Any) -> None:
    async with house() as own, speaking(own) as service:
        for sent in HOSTILE:
            reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
            writer.write(sent)
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 5.0) == b""
            writer.close()
        for text in (None, 7, "", "x" * 5000, "\ud800"):
            body = json.dumps({"text": text}).encode()
            reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
            writer.write(
                json.dumps({"type": "transcript", "data_length": len(body)}).encode() + b"\n" + body
            )
            assert b'"not-handled"' in await asyncio.wait_for(reader.readline(), 5.0)
            writer.close()
        half = {"text": "what can you do", "context": {"room": "\ud800"}}
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(json.dumps({"type": "transcript", "data": half}).encode() + b"\n")
        assert b'"handled"' in await asyncio.wait_for(reader.readline(), 5.0)
        assert b'"room": "\\ud800"' in await asyncio.wait_for(reader.readuntil(b"}}"), 5.0)
        writer.close()
        (still,) = await said(service, Transcript(text="what can you do"))
        assert Handled.is_type(still.type)
