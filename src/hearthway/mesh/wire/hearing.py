"""What comes in: frames opened in their order, each message under this node's own rules, handlers one after the other.

Hostile content costs its sender one message: what does not open, decode or may not enter is refused, counted and
passed over. What waits for handlers is bounded in bytes.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, cast

import msgspec

from hearthway.mesh.policy.rules import compile_pattern
from hearthway.mesh.trust.roster import ForgetfulRosterError
from hearthway.records import codec
from hearthway.records.errors import HearthwayError, WireError
from hearthway.records.signals import Signal

from .answering import Answerer, Ask
from .envelope import (
    ABOUT_MAX_CHARS,
    ASKS,
    KEY_MAX_CHARS,
    RECORD,
    ROSTER,
    ROSTER_ASK,
    SIGNALS,
    SIGNALS_MAX,
    Frame,
    Head,
    Meta,
    is_hello,
)
from .gate import Gate, Tally, denied
from .greeting import Greeter
from .lanes import Session
from .refusals import CrowdedError, Refusals
from .sessions import NewerEpochError, OlderEpochError, Sessions

log = logging.getLogger("hearthway.mesh")

INBOX_BYTES = 32 * 1024 * 1024  # frames waiting for handlers; what comes beyond it is refused
SENDER_BYTES = 8 * 1024 * 1024  # of it for one sender: nobody takes the others' room
_FRAME_BYTES, _ASK_BYTES = 256, 4096  # what a waiting frame or question costs beside its content
_SIGNALS_A_TURN = 512
_TURN_S = 0.005  # the loop turns at least so often while an inbox is worked off
_ROUTES_MAX = 4096
# More are refused before one is made of them: a frame has room for 80,000.
_SIGNALS = cast(type[list[Signal]], Annotated[list[Signal], msgspec.Meta(max_length=SIGNALS_MAX)])
_Handler = tuple[Any, Callable[[Meta, Any], Any]]


class _Opened(bytes):
    """A frame that waits and was opened already: its sender went, and the keys with it."""

    heard: tuple[Session, int, int, Frame]


class _Route:
    """What happens with records of one head from one sender: decided once, until something changes."""

    __slots__ = ("error", "handlers", "tally")

    def __init__(
        self, tally: Tally, error: HearthwayError | None, handlers: list[_Handler]
    ) -> None:
        self.tally = tally
        self.error = error
        self.handlers = handlers


class Hearing:
    """One node's ears."""

    def __init__(
        self,
        sessions: Sessions,
        gate: Gate,
        greeter: Greeter,
        answerer: Answerer,
        take_roster: Callable[[bytes], Awaitable[None]],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        self._sessions = sessions
        self._gate = gate
        self._greeter = greeter
        self._answerer = answerer
        self._take_roster = take_roster
        self._spawn = spawn
        self._idle = True  # nothing heard before is still being handled
        self._handlers: list[tuple[re.Pattern[str], Any, Callable[[Meta, Any], Any]]] = []
        self._signal_handlers: list[Callable[[Meta, list[Signal]], Any]] = []
        self._inbox: deque[tuple[str, bytes, asyncio.Future[bytes] | None]] = deque()
        self._waiting_bytes = 0
        self._waiting_of: dict[str, int] = {}  # bytes, by sender
        self._arrived = asyncio.Event()
        self._routes: dict[tuple[str, str, str, str], _Route] = {}
        self._routed = -1
        self._refusals = Refusals(sessions)

    def subscribe(self, pattern: str, kind: Any, handler: Callable[[Meta, Any], Any]) -> None:
        """Every record whose key fits."""
        self._handlers.append((compile_pattern(pattern), kind, handler))
        self._routes.clear()

    def on_signals(self, handler: Callable[[Meta, list[Signal]], Any]) -> None:
        """Every batch of signals."""
        self._signal_handlers.append(handler)

    # -- the link's callbacks ------------------------------------------------------------------

    def hear(self, claimed: str, frame: bytes) -> None:
        """A frame arrived."""
        self._queue(claimed, frame, None)

    def hear_ask(self, claimed: str, frame: bytes) -> Awaitable[bytes]:
        """An ask arrived: greetings are answered at once, the rest in its turn."""
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if is_hello(frame):
            try:
                reply.set_result(self._greeter.hear(claimed, frame))
            except HearthwayError as why:
                self.refuse(claimed, why)
                reply.set_exception(WireError("Refused.", ""))
        elif self._idle and not self._inbox:
            self._take_ask(claimed, frame, reply)
        else:
            self._queue(claimed, frame, reply)
        return reply

    def _queue(self, claimed: str, frame: bytes, reply: asyncio.Future[bytes] | None) -> None:
        cost = _cost(frame, reply)
        waiting = self._waiting_of.get(claimed, 0)
        if waiting + cost > SENDER_BYTES or self._waiting_bytes + cost > INBOX_BYTES:
            self.refuse(claimed, CrowdedError("Too much is waiting."))
            if reply is not None:
                reply.set_exception(WireError("Refused.", ""))
            return
        self._waiting_bytes += cost
        self._waiting_of[claimed] = waiting + cost
        self._inbox.append((claimed, frame, reply))
        self._arrived.set()

    def open_waiting(self, device_id: str) -> None:
        """That peer goes, and its session with it: what came before is opened now and handled in its turn.

        What it asked is not: it was told that nobody answers.
        """
        kept: deque[tuple[str, bytes, asyncio.Future[bytes] | None]] = deque()
        for claimed, frame, reply in self._inbox:
            if claimed == device_id and reply is not None:
                if not reply.done():  # whoever asked may have given up meanwhile
                    reply.set_exception(WireError("Refused.", ""))
                self._waiting_bytes -= _cost(frame, reply)
                self._waiting_of[claimed] -= _cost(frame, reply)
                continue
            waits = frame
            if claimed == device_id and frame[:1] not in (ROSTER, ROSTER_ASK):
                with suppress(WireError):  # refused in its turn
                    opened = _Opened(frame)
                    opened.heard = self._sessions.unseal(claimed, frame)
                    waits = opened
            kept.append((claimed, waits, reply))
        self._inbox = kept

    def drop_all(self) -> None:
        """This node was put out: what waits is not read any more."""
        for _, _, reply in self._inbox:
            if reply is not None and not reply.done():
                reply.set_exception(WireError("Refused.", ""))
        self._inbox.clear()
        self._waiting_bytes = 0
        self._waiting_of.clear()

    def refuse(self, claimed: str, why: HearthwayError) -> None:
        """Count what was refused; what it said is in no log."""
        self._refusals.note(claimed, why)

    @property
    def refused(self) -> int:
        """How many messages were."""
        return self._refusals.count

    # -- working it off ------------------------------------------------------------------------

    async def work(self) -> None:
        """For ever: one frame after the other."""
        turned = time.monotonic()
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            self._idle = False
            while self._inbox:
                claimed, frame, reply = self._inbox.popleft()
                self._waiting_bytes -= _cost(frame, reply)
                self._waiting_of[claimed] -= _cost(frame, reply)
                if reply is not None:
                    self._take_ask(claimed, frame, reply)
                    continue
                try:
                    await self._take(claimed, frame)
                except HearthwayError as why:
                    self.refuse(claimed, why)
                except Exception as why:  # noqa: BLE001 - one bad frame must not deafen the node
                    log_failure("a frame", why)
                if time.monotonic() - turned > _TURN_S:
                    await asyncio.sleep(0)
                    turned = time.monotonic()
            self._idle = True

    async def _take(self, claimed: str, data: bytes) -> None:
        kind = data[:1]
        if kind == ROSTER:
            try:
                await self._take_roster(data[1:])
            except ForgetfulRosterError:  # a home from an older backup hears so what it forgot
                await self._greeter.hand_roster(claimed)
                raise
        elif kind == ROSTER_ASK:
            if self._sessions.identity.roster.member(claimed) is not None:
                await self._greeter.hand_roster(claimed)
        else:
            session, lane, seq, frame = self._unseal(claimed, data)
            if lane == ASKS:
                raise WireError(f"{claimed} sent a frame in the wrong lane.")
            await self._take_messages(session, frame, seq)

    def _take_ask(self, claimed: str, data: bytes, reply: asyncio.Future[bytes]) -> None:
        """Not async: nothing stands between hearing a question and its handler's start."""
        try:
            heard_s = time.monotonic()
            session, lane, seq, frame = self._unseal(claimed, data)
            if lane != ASKS or len(frame.bodies) != 1:
                raise WireError(f"{claimed} asked in a wrong way.")
            head, body = frame.heads[frame.of[0]], frame.bodies[0]
            self._answerer.hear(Ask(session, head, body, seq, frame.time_s, heard_s, reply))
        except HearthwayError as why:
            self.refuse(claimed, why)
            if not reply.done():
                reply.set_exception(WireError("Refused.", ""))
        except Exception as why:  # noqa: BLE001 - one bad question must not deafen the node
            log_failure("a question", why)
            if not reply.done():
                reply.set_exception(WireError("Refused.", ""))

    def _unseal(self, claimed: str, data: bytes) -> tuple[Session, int, int, Frame]:
        """As `Sessions.unseal`; where the epochs or sessions of the two differ, that is mended beside."""
        if isinstance(data, _Opened):
            return data.heard
        before = self._sessions.get(claimed)
        try:
            heard = self._sessions.unseal(claimed, data)
            if not heard[0].greeted:
                self._greeter.lives_in(heard[0], before)
            return heard
        except NewerEpochError:
            self._spawn(self._greeter.ask_roster(claimed))
            raise
        except OlderEpochError:
            self._spawn(self._greeter.hand_roster(claimed))
            raise
        except WireError:
            if self._sessions.get(claimed) is None:
                self._greeter.greet_soon(claimed)
            else:
                self._greeter.recheck(claimed)
            raise

    async def _take_messages(self, session: Session, frame: Frame, seq: int) -> None:
        if self._gate.fresh() != self._routed or len(self._routes) > _ROUTES_MAX:
            self._routes.clear()
            self._routed = self._gate.generation
        known: list[tuple[_Route, Meta] | None] = [None] * len(frame.heads)
        for at, body in zip(frame.of, frame.bodies, strict=True):
            head = frame.heads[at]
            try:
                if head.kind == RECORD:
                    found = known[at]
                    if found is None:
                        meta = self._meta(session, (head.key,), head, frame.time_s, seq)
                        found = known[at] = self._route(session, head), meta
                    route, meta = found
                    route.tally.count += 1
                    if route.error is not None:  # not raised: it is kept, and would keep this frame
                        self.refuse(session.device_id, route.error)
                        continue
                    for kind, handler in route.handlers:
                        result = handler(meta, codec.unpack(body, kind))
                        if result is not None and inspect.isawaitable(result):
                            await result
                elif head.kind == SIGNALS:
                    await self._take_signals(session, head, body, frame.time_s, seq)
                else:
                    raise WireError(f"{session.device_id} sent an unknown kind of message.")
            except HearthwayError as why:
                self.refuse(session.device_id, why)
            except Exception as why:  # noqa: BLE001 - one bad handler must not deafen the node
                log_failure("a message", why)

    def _route(self, session: Session, head: Head) -> _Route:
        at = (session.device_id, head.key, head.purpose, head.about)
        route = self._routes.get(at)
        if route is None:
            own = self._sessions.identity
            decision = self._gate.inward(head.key, session.device_id, head.purpose, head.about)
            error = None
            handlers: list[_Handler] = []
            if decision is None:
                error = denied(head.key, session.role, own.role, head.purpose)
            else:
                handlers = [(k, h) for p, k, h in self._handlers if p.fullmatch(head.key)]
            rule = decision.rule if decision is not None else ""
            tally = self._gate.tally(head.key, session.device_id, own.role, head.purpose, rule)
            route = self._routes[at] = _Route(tally, error, handlers)
        return route

    def _meta(
        self, session: Session, keys: tuple[str, ...], head: Head, time_s: float, seq: int
    ) -> Meta:
        return Meta(
            session.device_id,
            session.role,
            keys,
            head.purpose,
            time_s,
            seq,
            head.about,
            self._gate.party(session.device_id),
        )

    async def _take_signals(
        self, session: Session, head: Head, body: bytes, time_s: float, seq: int
    ) -> None:
        signals = codec.unpack(body, _SIGNALS)
        if any(
            len(s.key) > KEY_MAX_CHARS or len(s.person) > ABOUT_MAX_CHARS for s in signals
        ):  # each is decided, remembered and counted
            raise WireError("The key or person of a signal is too long.")
        own = self._sessions.identity
        decided = []
        for n, signal in enumerate(signals, 1):
            decision = self._gate.inward(signal.key, session.device_id, head.purpose, signal.person)
            decided.append((signal, decision))
            if (
                n % _SIGNALS_A_TURN == 0
            ):  # thousands of keys nobody asked about must not hold the loop
                await asyncio.sleep(0)
        refused = next((s for s, decision in decided if decision is None), None)
        for signal, decision in decided:
            if decision is None:
                self._gate.count(signal.key, session.device_id, own.role, head.purpose, "")
            elif refused is None:
                self._gate.count(
                    signal.key, session.device_id, own.role, head.purpose, decision.rule
                )
        if refused is not None:
            raise denied(refused.key, session.role, own.role, head.purpose)
        keys = tuple(dict.fromkeys(s.key for s in signals))
        meta = self._meta(session, keys, head, time_s, seq)
        for handler in self._signal_handlers:
            result = handler(meta, signals)
            if result is not None and inspect.isawaitable(result):
                await result


def _cost(frame: bytes, reply: object) -> int:
    return len(frame) + (_FRAME_BYTES if reply is None else _ASK_BYTES)


def log_failure(what: str, why: Exception) -> None:
    """Where and what kind, never the words: they may hold somebody's content."""
    at = why.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    where = f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}" if at else "?"
    log.error("The handler of %s failed with %s at %s", what, type(why).__name__, where)
