"""A satellite by the Wyoming protocol: this node listens, asks itself and speaks, with a household's own services.

microphone -> wake word -> recogniser -> the question, asked here -> voice -> loudspeaker

Each is a server of its own (`[satellite]`), such as openWakeWord, faster-whisper and Piper. Sound is passed on as it comes
and kept nowhere. What is said goes to another machine than this one only where a rule lets it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

from hearthway.app.config import split_address
from hearthway.app.node import Node
from hearthway.mesh.links.own_network import is_here
from hearthway.records.ask import Outcome
from hearthway.records.errors import HearthwayError

from .frames import LINE_MAX, Data, Frame, read_frame, write_frame
from .from_car import QUESTION, REPLY
from .part import Asking
from .permits import may_leave
from .speech import LONGEST_S, WIDTH, SpeechEnd, level_of
from .voice import language_of

CONNECT_S, SEND_S, CLOSE_S = 3.0, 5.0, 1.0
MIC_S = 5.0  # a microphone that says nothing for so long is broken
TRANSCRIPT_S = 30.0  # a small machine's whisper
VOICE_S, SAID_MAX_S = 15.0, 60.0
PLAYED_S = 2.0  # after the sound's own length
TURNS_MAX = 3  # questions back that are answered without the wake word
AGAIN_S = (1.0, 5.0, 30.0, 60.0)  # after a service was not there
RATES, CHANNELS_MAX, CHUNK_MAX = (8_000, 48_000), 2, 65_536
GOES = {"wake": QUESTION, "asr": QUESTION, "tts": REPLY, "snd": REPLY}  # what each is given
NEXT = "Look at that service; it is tried again."
log = logging.getLogger("hearthway.satellite")


@dataclass(frozen=True)
class _Sound:
    """A piece of it, 16 bits a sample."""

    rate: int
    channels: int
    bytes_: bytes

    @property
    def seconds(self) -> float:
        return len(self.bytes_) / (WIDTH * self.channels * self.rate)

    @property
    def form(self) -> Data:
        return {"rate": self.rate, "width": WIDTH, "channels": self.channels}


class _Peer:
    """A connection to one of the services; HearthwayError says which does not do its part."""

    def __init__(
        self, name: str, at: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._named = f"satellite.{name} at {at}"
        self._reader, self._writer = reader, writer

    async def send(self, kind: str, data: Data, payload: bytes = b"") -> None:
        write_frame(self._writer, kind, data, payload)
        async with self.within(SEND_S):
            await self._writer.drain()

    @contextlib.asynccontextmanager
    async def within(self, limit_s: float) -> AsyncIterator[None]:
        """What is done with it in here has so long."""
        try:
            async with asyncio.timeout(limit_s):
                yield
        except TimeoutError:
            raise self.fault("does not answer in time") from None
        except OSError:
            raise self.fault("ended the connection") from None

    async def read(self) -> Frame:
        try:
            frame = await read_frame(self._reader)
        except OSError:
            frame = None
        if frame is None:
            raise self.fault("ended the connection")
        if frame.kind == "error":
            raise self.fault(f"says: {str(frame.data.get('text'))[:200]}")
        return frame

    async def until(self, *kinds: str) -> Frame:
        """The next of these kinds; others, and a piece of sound with none in it, are passed over."""
        while True:
            frame = await self.read()
            if frame.kind in kinds and (frame.payload or frame.kind != "audio-chunk"):
                return frame

    def sound(self, frame: Frame) -> _Sound:
        """The sound of an `audio-chunk`."""
        rate, channels = frame.data.get("rate"), frame.data.get("channels")
        if (
            not isinstance(rate, int)
            or not isinstance(channels, int)
            or not RATES[0] <= rate <= RATES[1]
            or not 1 <= channels <= CHANNELS_MAX
            or frame.data.get("width") != WIDTH
            or len(frame.payload) > CHUNK_MAX
            or len(frame.payload) % (WIDTH * channels)
        ):
            raise self.fault("gives sound that is not of 16 bits a sample, in small pieces")
        return _Sound(rate, channels, frame.payload)

    def fault(self, what: str) -> HearthwayError:
        return HearthwayError(f"{self._named} {what}.", NEXT)


class SatelliteService:
    """Listens and speaks for as long as the node runs (app.node.Service)."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._table = node.config.satellite
        self._task: asyncio.Task[None] | None = None
        self._trouble = ""

    async def start(self) -> None:
        """Begins to listen; a service that is not there is waited for."""
        self._task = asyncio.create_task(self._live(), name="satellite")

    async def stop(self) -> None:
        """Hears nothing more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _live(self) -> None:
        tries = 0
        while True:
            try:
                await self._once()
                tries, self._trouble = 0, ""
            except HearthwayError as why:
                self._tell(str(why))
            except Exception as why:  # a full disk amid an answer ends that round alone
                log.exception("a round failed")
                self._tell(f"The satellite failed ({type(why).__name__}); it listens again.")
            if self._trouble:
                await asyncio.sleep(AGAIN_S[min(tries, len(AGAIN_S) - 1)])
                tries += 1

    def _tell(self, trouble: str) -> None:
        """Once, until it is another or over."""
        if trouble != self._trouble:
            log.warning("no voice", extra={"fields": {"problem": trouble}})
            self._node.note(trouble)
        self._trouble = trouble

    async def _once(self) -> None:
        """From one wake word to the end of what it began."""
        self._check_rules()
        async with self._connected("mic") as mic:
            said = await self._transcribed(mic, await self._woken(mic))
        for _ in range(TURNS_MAX):
            if not str(said.get("text") or "").strip():
                return
            line, language, asks = await self._replied(said)
            await self._spoken(line, language)
            if not asks:
                return
            async with self._connected("mic") as mic:  # anew: it heard the loudspeaker meanwhile
                said = await self._transcribed(mic, await self._chunk(mic))

    def _check_rules(self) -> None:
        """HearthwayError where something would go to another machine that no rule lets go."""
        for name, key in GOES.items():
            host, _ = split_address(getattr(self._table, name))
            if not is_here(host) and not may_leave(self._node, key):
                raise HearthwayError(
                    f"satellite.{name} is on another machine, and no rule lets {key} go from "
                    f"{self._node.config.node.role} to home for the purpose ask: nothing is heard.",
                    "Write one into rules.toml, or run that service on this machine.",
                )

    @contextlib.asynccontextmanager
    async def _connected(self, name: str) -> AsyncIterator[_Peer]:
        at = getattr(self._table, name)
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(*split_address(at), limit=LINE_MAX)
        except (OSError, TimeoutError):
            raise HearthwayError(f"satellite.{name} at {at} is not there.", NEXT) from None
        try:
            yield _Peer(name, at, reader, writer)
        finally:
            writer.close()
            try:
                async with asyncio.timeout(CLOSE_S):
                    await writer.wait_closed()
            except (OSError, TimeoutError):
                writer.transport.abort()

    # one round ----------------------------------------------------------------------------------------------------

    async def _chunk(self, mic: _Peer) -> _Sound:
        async with mic.within(MIC_S):
            sound = mic.sound(await mic.until("audio-chunk"))
        self._check_rules()  # of each piece: a rule may go while somebody listens
        return sound

    async def _woken(self, mic: _Peer) -> _Sound:
        """The first sound after the wake word was said; until then sound goes to its service alone."""
        async with self._connected("wake") as wake:
            names = {"names": [self._table.word]} if self._table.word else {}
            await wake.send("detect", names)
            heard = asyncio.create_task(wake.until("detection"), name="wake word")
            try:
                sound = await self._chunk(mic)
                await wake.send("audio-start", sound.form)
                while not heard.done():
                    await wake.send("audio-chunk", sound.form, sound.bytes_)
                    sound = await self._chunk(mic)
                heard.result()
                return sound
            finally:
                heard.cancel()
                await asyncio.gather(heard, return_exceptions=True)

    async def _transcribed(self, mic: _Peer, sound: _Sound) -> Data:
        """What was said from that sound on until it was quiet, as `transcript` has it."""
        end, over = SpeechEnd(), False
        async with self._connected("asr") as asr:
            await asr.send("transcribe", {"language": self._node.config.ask.language})
            await asr.send("audio-start", sound.form)
            async with mic.within(LONGEST_S + MIC_S):  # however slowly it gives its sound
                while not over:
                    await asr.send("audio-chunk", sound.form, sound.bytes_)
                    over = end.heard(level_of(sound.bytes_), sound.seconds)
                    sound = sound if over else await self._chunk(mic)
            await asr.send("audio-stop", {})
            async with asr.within(TRANSCRIPT_S):
                return (await asr.until("transcript")).data

    async def _replied(self, said: Data) -> tuple[str, str, bool]:
        """(the line to say, its language, whether it asks back)."""
        ask = self._node.config.ask
        try:
            reply = await self._node.part(Asking).ask(
                said.get("text"), ask.voice_person, language_of(said)
            )
        except HearthwayError as why:
            return why.message, "en", False
        return reply.line, reply.language, reply.outcome is Outcome.ASKS

    async def _spoken(self, line: str, language: str) -> None:
        """Said aloud, to its end."""
        self._check_rules()
        said_s, begun = 0.0, False
        async with self._connected("tts") as tts, self._connected("snd") as snd:
            await tts.send("synthesize", {"text": line, "voice": {"language": language}})
            while said_s < SAID_MAX_S:
                async with tts.within(VOICE_S):
                    frame = await tts.until("audio-chunk", "audio-stop")
                if frame.kind == "audio-stop":
                    break
                sound = tts.sound(frame)
                if not begun:
                    await snd.send("audio-start", sound.form)
                    begun = True
                said_s += sound.seconds
                await snd.send("audio-chunk", sound.form, sound.bytes_)
            if not begun:
                raise tts.fault("said nothing")
            await snd.send("audio-stop", {})
            with contextlib.suppress(HearthwayError):  # older ones do not say it
                async with snd.within(said_s + PLAYED_S):
                    await snd.until("played")
