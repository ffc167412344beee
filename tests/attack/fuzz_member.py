"""The rogue's end of one stream: it proves itself as any member does, and says what its user wants."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from hearthway.mesh.links.stream import PORT_OFFSET
from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.mesh.wire import envelope as env
from hearthway.mesh.wire.envelope import Frame, Head
from hearthway.mesh.wire.lanes import Session
from hearthway.mesh.wire.sessions import Sessions
from hearthway.records.errors import HearthwayError

PATIENCE_S = 20.0
OWN_FAULT_S = 5.0
FENCE = "Household.State.Pull"
RULES = Rules.parse(default_rules(), "default")


def client_context(keys: Path) -> ssl.SSLContext:
    """TLS as a member speaks it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(keys / "ca.pem")
    context.load_cert_chain(keys / "device.pem", keys / "device.key")
    return context


def framed(payload: bytes) -> bytes:
    """As it stands in a stream."""
    return len(payload).to_bytes(4, "big") + payload


# What a greeting of the target is answered; None: nothing.
Answering = Callable[[bytes], bytes | None]


class Life:
    """From one start of the rogue's to the next: one session of its own. `says` stands in its greetings instead."""

    def __init__(self, identity: DeviceIdentity, target: str, **says: Any) -> None:
        self.sessions = Sessions(identity, time.time)
        self._identity, self._target, self._says = identity, target, says

    @property
    def session(self) -> Session:
        """As the target has proved itself in it."""
        session = self.sessions.get(self._target)
        if session is None:
            raise ConnectionError(f"{self._target} has not greeted this life")
        return session

    def greeting(self, echo: bytes = b"") -> bytes:
        """Its greeting, genuine but for what it says instead."""
        frame = self.sessions.greeting(self._target, echo)
        if not self._says:
            return frame
        hello = msgspec.structs.replace(env.read_hello(frame)[0], **self._says)
        return env.seal_hello(hello, self._identity)

    def answer(self, greeting: bytes) -> bytes:
        """What the target's greeting is answered; an error where that one does not hold."""
        _, hello = self.sessions.hear_greeting(self._target, greeting, answer=False)
        return self.greeting(hello.challenge)


class Rogue:
    """One stream to the target, and what is said on it."""

    def __init__(self, keys: Path, target: str, host: str, port: int) -> None:
        self.identity = DeviceIdentity.load(keys, time.time())
        self.me, self.target = self.identity.device_id, target
        self._keys, self._host, self._port = keys, host, port + PORT_OFFSET
        self._asks: dict[bytes, asyncio.Future[bytes]] = {}
        self._number = 0
        self._listener: asyncio.Task[None] | None = None
        self.heard: deque[bytes] = deque(maxlen=100)
        self.words = b""  # of the last answer
        self.life = Life(self.identity, target)
        self.answering: Answering = self.life.answer

    def begin(self, **says: Any) -> Life:
        """As if it had started anew; the life before."""
        before, self.life = self.life, Life(self.identity, self.target, **says)
        self.answering = self.life.answer
        return before

    @property
    def sessions(self) -> Sessions:
        """Of this life."""
        return self.life.sessions

    @property
    def session(self) -> Session:
        """The target's, in this life."""
        return self.life.session

    async def connect(self) -> None:
        """A stream, and a session proved on both sides."""
        self.begin()
        self.reader, self.writer = await asyncio.open_connection(
            self._host, self._port, ssl=client_context(self._keys), limit=8 * 1024 * 1024
        )
        self._used = asyncio.Event()
        self._listener = asyncio.create_task(self._listen())
        if self.me < self.target:
            self.writer.write(framed(b"U"))  # the lower id says which stream is used
        await asyncio.wait_for(self._used.wait(), PATIENCE_S)  # before that answers go another way
        await self.prove()

    async def prove(self) -> None:
        """This life's session is known to both."""
        life, deadline = self.life, time.monotonic() + OWN_FAULT_S
        while not (answer := await self.ask(b"=" + life.greeting())):
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.target} answers no genuine greeting")
            await asyncio.sleep(0.2)  # after a flood of them, a second passes
        life.sessions.hear_greeting(self.target, answer, answer=True)

    async def close(self) -> None:
        """Cut it."""
        if self._listener is not None:
            self._listener.cancel()
        with suppress(Exception):
            self.writer.close()
            await asyncio.wait_for(self.writer.wait_closed(), 2.0)
        for answer in self._asks.values():
            answer.cancel()
        self._asks.clear()

    async def _listen(self) -> None:
        with suppress(asyncio.IncompleteReadError, OSError, ssl.SSLError):
            while True:
                size = int.from_bytes(await self.reader.readexactly(4), "big")
                self._take(await self.reader.readexactly(size))
        for answer in self._asks.values():
            if not answer.done():
                answer.set_exception(ConnectionError("cut"))

    def _take(self, payload: bytes) -> None:
        kind, rest = payload[:1], payload[1:]
        if kind == b"R":
            answer = self._asks.pop(rest[:8], None)
            if answer is not None and not answer.done():
                answer.set_result(rest[8:])
        elif kind == b"U":
            self._used.set()
        elif kind == b"P":
            self.send(b"p")
        elif kind == b"H":
            self.send(b"h")
        elif kind == b"A" and env.is_hello(rest[9:]):
            with suppress(HearthwayError):
                answered = self.answering(rest[9:])
                if answered is not None:
                    self.send(b"R" + rest[:8] + answered)
        elif kind == b"F":
            self.heard.append(rest)

    def send(self, payload: bytes) -> None:
        """One stream frame."""
        self.writer.write(framed(payload))

    async def ask(self, payload: bytes, limit_s: float = PATIENCE_S) -> bytes:
        """Asked over the link; the bytes of the answer."""
        return await asyncio.wait_for(self.asking(payload), limit_s)

    def asking(self, payload: bytes) -> asyncio.Future[bytes]:
        """Asked; the answer may never come."""
        if self._listener is None or self._listener.done():
            raise ConnectionError("cut")
        self._number += 1
        number = self._number.to_bytes(8, "big")
        answer = self._asks[number] = asyncio.get_running_loop().create_future()
        self.send(b"A" + number + payload)
        return answer

    def seal(self, plain: bytes, lane: int = env.RELIABLE) -> tuple[int, bytes]:
        """Properly sealed, whatever it is."""
        return self.session.seal(lane, self.identity.epoch, self.identity.epoch_key, plain)

    def reply(self, data: bytes, seq: int) -> Head | None:
        """The head of a sealed reply; None where it is none of ours."""
        try:
            _, frame = self.sessions.unseal_reply(self.session, data, seq)
        except HearthwayError:
            return None
        self.words = frame.bodies[0][:300]
        return frame.heads[frame.of[0]]

    def lets(self, key: str, about: str = "", purpose: str = "household") -> bool:
        """Do the rules let this key go to the target?"""
        roster, now_s = self.identity.roster, time.time()
        me, them = roster.party(self.me, now_s), roster.party(self.target, now_s)
        return (
            me is not None
            and them is not None
            and RULES.decide(key, me, them, purpose, about) is not None
        )

    def question(self, life: Life) -> tuple[int, bytes]:
        """A genuine question in that life: its number, and sealed."""
        head = Head(env.ASK, FENCE, "household")
        body = msgspec.msgpack.encode({"since": 0})
        plain = env.pack_frame(Frame(time.time(), (head,), [0], [body]))
        return life.session.seal(env.ASKS, self.identity.epoch, self.identity.epoch_key, plain)

    async def genuine(self, limit_s: float = PATIENCE_S) -> float:
        """A genuine question after everything sent before: seconds until it was answered as the rules have it."""
        began = time.monotonic()
        seq, data = self.question(self.life)
        found = self.reply(await self.ask(b"=" + data, limit_s), seq)
        if found is None or found.kind != (env.REPLY if self.lets(FENCE) else env.REFUSED):
            raise AssertionError(f"{self.target} did not answer a genuine question: {self.words!r}")
        return time.monotonic() - began
