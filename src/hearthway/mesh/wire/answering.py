"""Requests and commands as the asked node sees them: may it, does it, and what may go back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, NamedTuple

from msgspec import Struct

from hearthway.mesh.links.beside import close_with
from hearthway.mesh.policy.precision import coarsen
from hearthway.records import codec
from hearthway.records.errors import HearthwayError, MeshError, RuleDeniedError, WireError
from hearthway.records.household import Decision

from .checks import READ, WRITE, CommandJournal
from .commands import COMMAND_BYTES, MemoryJournal, Once
from .envelope import ASK, REFUSED, REPLIES, REPLY, Frame, Head, Meta
from .gate import EXACT, Gate, denied
from .lanes import Session
from .sessions import Sessions

_NOTHING = codec.pack(None)
_WORDS_MAX = 1000  # of what another node gives as its reason
DENIED, FAILED = "denied", "failed"


class Refusal(Struct, frozen=True, array_like=True):
    """Why an ask was refused."""

    code: str
    message: str
    next_step: str


class _Outcome(Struct, frozen=True, array_like=True):
    """How an ask ended: what the journal keeps of a command."""

    kind: int
    key: str
    body: bytes


class Ask(Struct, frozen=True):
    """One question, as it was heard."""

    session: Session
    head: Head
    body: bytes
    seq: int
    time_s: float
    heard_s: float  # monotonic
    reply: asyncio.Future[bytes]


class _Server(NamedTuple):
    """Who answers a key."""

    kind: Any
    handler: Callable[[Meta, Any], Any]
    reply_key: str | None
    repeatable: bool


class Answerer:
    """One node's answers."""

    def __init__(
        self,
        sessions: Sessions,
        gate: Gate,
        now: Callable[[], float],
        journal: CommandJournal | None,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        failed: Callable[[str, Exception], None],
        waiting: Callable[[str], bool],
    ) -> None:
        """`waiting(device_id)`: does anything published for that peer wait for its turn? It goes before an answer."""
        self._sessions = sessions
        self._gate = gate
        self._now = now
        self._once = Once(MemoryJournal() if journal is None else journal)
        self._spawn = spawn
        self._failed = failed
        self._waiting = waiting
        self._servers: dict[str, _Server] = {}

    def serve(
        self,
        key: str,
        kind: Any,
        handler: Callable[[Meta, Any], Any],
        reply_key: str | None,
        *,
        repeatable: bool,
    ) -> None:
        """Answer requests for `key`; commands at most once, unless a repeat does no harm."""
        self._servers[key] = _Server(kind, handler, reply_key, repeatable)

    def hear(self, ask: Ask) -> None:
        """The handler starts in its turn; if it returns an awaitable, that runs beside later messages."""
        try:
            grant = self._admit(ask)
        except HearthwayError as why:
            self._resolve(ask, self._refusal(why))
            return
        if ask.head.command and (running := self._begun(ask, grant)) is not None:
            self._spawn(self._command_end(ask, running, grant))
            return
        try:
            result, reply_key = self._call(ask)
        except HearthwayError as why:
            self._resolve(ask, self._refusal(why))
        except Exception as why:  # noqa: BLE001 - the asker gets an answer, the log the kind of failure
            self._resolve(ask, self._broken(why))
        else:
            if not hasattr(result, "__await__"):
                self._resolve(ask, self._outcome(ask, result, reply_key, grant))
            elif ask.head.command:
                packed = self._packed_end(ask, result, reply_key, grant)
                at = ask.session.device_id, ask.head.command
                running = self._once.again(*at, packed, result)
                self._spawn(self._command_end(ask, running, grant))
            else:
                close_with(self._spawn(self._finish(ask, result, reply_key, grant)), result)

    def _admit(self, ask: Ask) -> Decision | None:
        """The grant it came by, if no rule let it; RuleDeniedError where nothing does."""
        head, sender = ask.head, ask.session.device_id
        own_role = self._sessions.identity.role
        if head.kind != ASK or len(head.command) not in (0, COMMAND_BYTES):
            raise WireError(f"{sender} asked in an unknown way.")
        decision = self._gate.inward(head.key, sender, head.purpose, head.about)
        grant = None
        if decision is None:
            server = self._servers.get(head.key)
            reads = server is not None and server.reply_key is not None and not head.command
            operation = READ if reads else WRITE
            decision = grant = self._gate.granted(head.grant, head.key, operation, sender)
        rule = decision.rule if decision is not None else ""
        self._gate.count(head.key, sender, own_role, head.purpose, rule)
        if decision is None:
            raise denied(head.key, ask.session.role, own_role, head.purpose)
        return grant

    def _call(self, ask: Ask) -> tuple[Any, str]:
        head = ask.head
        server = self._servers.get(head.key)
        if server is None:
            raise MeshError(
                f"{self._sessions.identity.device_id} does not answer {head.key}.",
                "Are both nodes on the same version?",
            )
        meta = Meta(
            ask.session.device_id,
            ask.session.role,
            (head.key,),
            head.purpose,
            ask.time_s,
            ask.seq,
            head.about,
            self._gate.party(ask.session.device_id),
        )
        record = codec.unpack(ask.body, server.kind)
        return server.handler(meta, record), server.reply_key or head.key

    async def _end(
        self, ask: Ask, work: Awaitable[Any], reply_key: str, grant: Decision | None
    ) -> _Outcome:
        try:
            return self._outcome(ask, await work, reply_key, grant)
        except HearthwayError as why:
            return self._refusal(why)
        except Exception as why:  # noqa: BLE001 - as above
            return self._broken(why)

    async def _finish(
        self, ask: Ask, work: Awaitable[Any], reply_key: str, grant: Decision | None
    ) -> None:
        self._resolve(ask, await self._end(ask, work, reply_key, grant))

    def _begun(self, ask: Ask, grant: Decision | None) -> Awaitable[bytes] | None:
        """The end of a command that runs already, or may be carried out once only; None: like a request, now."""
        at = (ask.session.device_id, ask.head.command)
        running = self._once.joined(*at)
        server = self._servers.get(ask.head.key)
        if running is not None or server is None or server.repeatable:
            return running
        return self._once.run(*at, partial(self._carry_out, ask, grant))

    def _carry_out(self, ask: Ask, grant: Decision | None) -> bytes | Awaitable[bytes]:
        try:
            result, reply_key = self._call(ask)
        except HearthwayError as why:
            return codec.pack(self._refusal(why))
        except Exception as why:  # noqa: BLE001 - as above
            return codec.pack(self._broken(why))
        if hasattr(result, "__await__"):
            return self._packed_end(ask, result, reply_key, grant)
        return codec.pack(self._outcome(ask, result, reply_key, grant))

    async def _packed_end(
        self, ask: Ask, work: Awaitable[Any], reply_key: str, grant: Decision | None
    ) -> bytes:
        return codec.pack(await self._end(ask, work, reply_key, grant))

    async def _command_end(self, ask: Ask, kept: Awaitable[bytes], grant: Decision | None) -> None:
        try:
            outcome = codec.unpack(await kept, _Outcome)
        except HearthwayError as why:
            outcome = self._refusal(why)
        except Exception as why:  # noqa: BLE001 - the asker gets an answer, the log the kind of failure
            outcome = self._broken(why)
        if outcome.kind == REPLY and outcome.body != _NOTHING:  # the rules may have changed since
            decision = self._back(ask, outcome.key, grant)
            if decision is None:
                outcome = self._refusal(self._not_back(ask, outcome.key))
        self._resolve(ask, outcome)

    # -- what goes back ------------------------------------------------------------------------

    def _back(self, ask: Ask, reply_key: str, grant: Decision | None) -> Decision | None:
        if grant is not None and reply_key == ask.head.key:
            return grant
        sender, head = ask.session.device_id, ask.head
        return self._gate.outward(reply_key, sender, head.purpose, head.about)

    def _not_back(self, ask: Ask, reply_key: str) -> RuleDeniedError:
        own, purpose = self._sessions.identity, ask.head.purpose
        self._gate.count(reply_key, own.device_id, ask.session.role, purpose, "")
        return denied(reply_key, own.role, ask.session.role, purpose)

    def _outcome(
        self, ask: Ask, result: object, reply_key: str, grant: Decision | None
    ) -> _Outcome:
        if result is None:  # a bare acknowledgement carries nothing, so it needs no rule
            return _Outcome(REPLY, reply_key, _NOTHING)
        decision = self._back(ask, reply_key, grant)
        if decision is not None and decision.precision != EXACT:
            result = coarsen(reply_key, result, decision.precision)
        if decision is None or result is None:
            return self._refusal(self._not_back(ask, reply_key))
        own, purpose = self._sessions.identity, ask.head.purpose
        self._gate.count(reply_key, own.device_id, ask.session.role, purpose, decision.rule)
        return _Outcome(REPLY, reply_key, codec.pack(result))

    def _refusal(self, why: HearthwayError) -> _Outcome:
        code = DENIED if isinstance(why, RuleDeniedError) else FAILED
        return _Outcome(REFUSED, "", codec.pack(Refusal(code, why.message, why.next_step)))

    def _broken(self, why: Exception) -> _Outcome:
        self._failed("a request", why)
        device_id = self._sessions.identity.device_id
        return self._refusal(MeshError(f"{device_id} failed while answering.", "Its log says why."))

    def _resolve(self, ask: Ask, outcome: _Outcome) -> None:
        """What the handler published before it answered is heard before the answer."""
        if self._waiting(ask.session.device_id):
            asyncio.get_running_loop().call_soon(self._reply, ask, outcome)
        else:
            self._reply(ask, outcome)

    def _reply(self, ask: Ask, outcome: _Outcome) -> None:
        if ask.reply.done():
            return
        head = Head(outcome.kind, outcome.key, ask.head.purpose, ask.head.about, ask.seq)
        held_s = time.monotonic() - ask.heard_s
        frame = Frame(self._now(), (head,), [0], [outcome.body], held_s)
        if self._sessions.get(ask.session.device_id) is not ask.session:
            ask.reply.set_exception(WireError("It went meanwhile.", ""))
            return
        try:
            ask.reply.set_result(self._sessions.seal(ask.session, REPLIES, frame)[1])
        except HearthwayError as why:
            ask.reply.set_exception(why)


def reply_of(frame: Frame) -> tuple[Head, bytes]:
    """(head, body) of a reply; the error that the asked node answered with is raised here."""
    head, body = frame.heads[frame.of[0]], frame.bodies[0]
    if head.kind == REFUSED:
        refusal = codec.unpack(body, Refusal)
        words = refusal.message[:_WORDS_MAX], refusal.next_step[:_WORDS_MAX]
        raise RuleDeniedError(*words) if refusal.code == DENIED else MeshError(*words)
    if head.kind != REPLY:
        raise WireError("A question was answered with another kind of message.")
    return head, body


def is_nothing(body: bytes) -> bool:
    """Is that reply a bare acknowledgement?"""
    return body == _NOTHING
