"""A node on the mesh: records out under the owner's rules, records in under them again, every crossing counted.

Denied data does not leave: the rule is looked up where the data is, before a byte is made. The receiver looks
it up in its own rules once more. Personal content is never logged.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from hearthway.records import codec
from hearthway.records.errors import HearthwayError, MeshError, RuleDeniedError, WireError
from hearthway.records.household import Peer
from hearthway.records.receipts import Crossing
from hearthway.records.signals import Signal

from . import envelope as env
from .envelope import Envelope, Meta
from .identity import DeviceIdentity
from .link import Health, Link
from .rules import Rules, compile_pattern
from .sessions import Session, Sessions

log = logging.getLogger("hearthway.mesh")

T = TypeVar("T")
_GREET_S = 2.0
_GREET_AGAIN_S = (0.1, 0.3, 1.0, 2.0)
_CROSSINGS_MAX = 10_000
_CrossingKey = tuple[str, str, str, str, str]


class _Refusal(msgspec.Struct, frozen=True):
    code: str  # "denied", "unknown", "failed"
    message: str
    next_step: str


class MeshNode:
    """One node of the household. `now` is real time (certificates need it), never a replay's clock."""

    def __init__(
        self, identity: DeviceIdentity, link: Link, rules: Rules, now: Callable[[], float]
    ) -> None:
        self._link = link
        self._rules = rules
        self._now = now
        self._sessions = Sessions(identity, now)
        self._handlers: list[tuple[re.Pattern[str], Any, Callable[[Meta, Any], Any]]] = []
        self._signal_handlers: list[Callable[[Meta, list[Signal]], Any]] = []
        self._servers: dict[str, tuple[Any, Callable[[Meta, Any], Any], str | None]] = {}
        self._peer_handlers: list[Callable[[str, bool], None]] = []
        self._crossings: dict[_CrossingKey, int] = {}
        self._greeters: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._inbox: deque[tuple[Session, Envelope, asyncio.Future[bytes] | None]] = deque()
        self._arrived = asyncio.Event()
        self._changed = asyncio.Condition()
        self._strangers: dict[str, str] = {}
        self._open = False
        self.refused_frames = 0
        link.on_frame(self._hear)
        link.on_ask(self._hear_ask)
        link.on_peer(self._notice)

    @property
    def identity(self) -> DeviceIdentity:
        """Who this node is, with the newest roster."""
        return self._sessions.identity

    @property
    def device_id(self) -> str:
        """This node's id."""
        return self.identity.device_id

    @property
    def role(self) -> str:
        """This node's role."""
        return self.identity.role

    def use_rules(self, rules: Rules) -> None:
        """From now on these decide, out and in."""
        self._rules = rules

    async def open(self) -> None:
        """Join the household; MeshError or IdentityError when this node itself cannot."""
        self._open = True
        self._spawn(self._work())
        try:
            await self._link.open()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Leave the household. Safe to call twice."""
        self._open = False
        tasks = [t for t in self._tasks if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._link.close()

    # -- sending -------------------------------------------------------------------------------

    async def publish(
        self,
        key: str,
        record: object,
        purpose: str,
        *,
        reliable: bool = False,
        to: str | None = None,
    ) -> list[Crossing]:
        """Send to every role the rules let (or only to role `to`); the crossings that took place."""
        let = [
            (role, rule.id)
            for role, rule in self._rules.receivers(key, self.role, purpose)
            if to in (None, role)
        ]
        if not let:
            self._count(key, self.device_id, to or "", purpose, "")
            return []
        body = codec.pack(record)
        crossings = []
        for role, rule_id in let:
            grants = ((key, rule_id),)
            if await self._send(role, env.RECORD, purpose, grants, body, reliable=reliable):
                crossings.append(self._count(key, self.device_id, role, purpose, rule_id))
        return crossings

    async def publish_signals(
        self, signals: Sequence[Signal], purpose: str, *, reliable: bool = False
    ) -> list[Crossing]:
        """Send signals in one message a role; each key needs its own rule, the others stay here."""
        by_role: dict[str, list[tuple[Signal, str]]] = {}
        for signal in signals:
            let = self._rules.receivers(signal.key, self.role, purpose)
            if not let:
                self._count(signal.key, self.device_id, "", purpose, "")
            for role, rule in let:
                by_role.setdefault(role, []).append((signal, rule.id))
        crossings: list[Crossing] = []
        for role, granted in by_role.items():
            grants = tuple(sorted({(signal.key, rule_id) for signal, rule_id in granted}))
            body = codec.pack([signal for signal, _ in granted])
            if await self._send(role, env.SIGNALS, purpose, grants, body, reliable=reliable):
                crossings += [
                    self._count(signal.key, self.device_id, role, purpose, rule_id)
                    for signal, rule_id in granted
                ]
        return crossings

    async def request(
        self, to: str, key: str, record: object, purpose: str, kind: type[T], timeout_s: float
    ) -> T:
        """Ask a device (or the one ready device of a role); RuleDeniedError, or MeshError when it fails.

        `kind` is the reply's; for a server that only acknowledges it is `type(None)`.
        """
        peer = self._one(to)
        rule = self._rules.allows(key, self.role, peer.role, purpose)
        if rule is None:
            self._count(key, self.device_id, peer.role, purpose, "")
            raise _denied(key, self.role, peer.role, purpose)
        message = self._envelope(peer, env.ASK, purpose, ((key, rule.id),), codec.pack(record))
        self._count(key, self.device_id, peer.role, purpose, rule.id)
        frame = await self._link.ask(peer.device_id, env.seal(message, self.identity), timeout_s)
        reply = self._sessions.accept_reply(peer.device_id, frame, message.seq)
        if reply.kind == env.REFUSED:
            refusal = codec.unpack(reply.body, _Refusal)
            if refusal.code == "denied":
                raise RuleDeniedError(refusal.message, refusal.next_step)
            raise MeshError(refusal.message, refusal.next_step)
        if reply.kind != env.REPLY:
            raise WireError(f"{peer.device_id} answered with another kind of message.")
        self._admit(peer, reply)
        return codec.unpack(reply.body, kind)

    # -- receiving -----------------------------------------------------------------------------

    def subscribe(self, pattern: str, kind: type[T], handler: Callable[[Meta, T], Any]) -> None:
        """Call `handler` with every record whose key fits; an awaitable it returns holds up the next message.

        So a handler must not await a `request` to a peer that may be doing the same: start a task instead.
        """
        self._handlers.append((compile_pattern(pattern), kind, handler))

    def on_signals(self, handler: Callable[[Meta, list[Signal]], Any]) -> None:
        """Call `handler` with every batch of signals, in the sender's order."""
        self._signal_handlers.append(handler)

    def serve(
        self,
        key: str,
        kind: type[T],
        handler: Callable[[Meta, T], Any],
        *,
        reply_key: str | None = None,
    ) -> None:
        """Answer requests for `key`. A reply is a crossing of `reply_key` and needs a rule; None needs none."""
        self._servers[key] = (kind, handler, reply_key)

    def on_peer(self, handler: Callable[[str, bool], None]) -> None:
        """Call `handler(device_id, ready)` when a peer has proved itself, and when it goes."""
        self._peer_handlers.append(handler)

    # -- looking -------------------------------------------------------------------------------

    def ready(self, to: str) -> list[str]:
        """Ids of the devices with that id or role that messages reach now."""
        return [s.device_id for s in self._reachable(to)]

    async def wait_ready(self, to: Sequence[str], timeout_s: float) -> None:
        """Until every one of these ids or roles is reached; MeshError says who is missing and why."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: all(self.ready(t) for t in to))
        except TimeoutError:
            missing = ", ".join(t for t in to if not self.ready(t))
            health = self.health()
            raise MeshError(
                f"Not reached within {timeout_s:g} s: {missing}. {health.problem}".rstrip(),
                health.next_step or "Is it up? `hearthway status` shows it.",
            ) from None

    def peers(self) -> dict[str, Peer]:
        """Every other member; alive means that it has proved itself and messages reach it."""
        peers = {}
        for device_id, peer in self._link.peers().items():
            ready = bool(self.ready(device_id))
            detail = peer.detail or self._strangers.get(device_id, "")
            peers[device_id] = msgspec.structs.replace(
                peer, alive=ready, detail="" if ready else detail
            )
        return peers

    def health(self) -> Health:
        """The link's health, or who could not prove itself."""
        health = self._link.health()
        if health.ok and self._strangers and not any(p.alive for p in self.peers().values()):
            device_id = min(self._strangers)
            return Health(
                ok=False,
                problem=self._strangers[device_id],
                next_step=f"Pair {device_id} again, or revoke it.",
            )
        return health

    def bytes_to(self) -> dict[str, int]:
        """Bytes of frames handed to each device so far (before TLS)."""
        return self._link.counters()

    def crossings(self, *, drain: bool = False) -> list[Crossing]:
        """Every crossing out and in, counted; `rule == ""` marks one that was refused."""
        counted = [
            Crossing(
                key=key, sender=sender, receiver_role=role, purpose=purpose, rule=rule, count=count
            )
            for (key, sender, role, purpose, rule), count in sorted(self._crossings.items())
        ]
        if drain:
            self._crossings.clear()
        return counted

    # -- inside: sending -----------------------------------------------------------------------

    def _reachable(self, to: str) -> list[Session]:
        alive = (d for d, peer in self._link.peers().items() if peer.alive)
        sessions = (self._sessions.get(d) for d in alive)
        return [s for s in sessions if s is not None and s.greeted and to in (s.device_id, s.role)]

    def _one(self, to: str) -> Session:
        found = self._reachable(to)
        if len(found) == 1:
            return found[0]
        if not found:
            raise MeshError(f"{to} is not reachable now.", "Is it up? `hearthway status` shows it.")
        names = ", ".join(s.device_id for s in found)
        raise MeshError(f"{to} may be any of {names}.", "Name the device.")

    async def _send(
        self,
        to: str,
        kind: str,
        purpose: str,
        grants: tuple[tuple[str, str], ...],
        body: bytes,
        *,
        reliable: bool,
    ) -> int:
        handed = 0
        for peer in self._reachable(to):
            frame = env.seal(self._envelope(peer, kind, purpose, grants, body), self.identity)
            handed += await self._link.put(peer.device_id, frame, reliable=reliable)
        return handed

    def _envelope(
        self,
        peer: Session,
        kind: str,
        purpose: str,
        grants: tuple[tuple[str, str], ...],
        body: bytes,
        reference: int = 0,
    ) -> Envelope:
        peer.sent_seq += 1
        return Envelope(
            env.VERSION,
            kind,
            self.device_id,
            self._sessions.own,
            peer.device_id,
            peer.session,
            peer.sent_seq,
            self._now(),
            purpose,
            grants,
            reference,
            body,
        )

    def _count(self, key: str, sender: str, role: str, purpose: str, rule: str) -> Crossing:
        at = (key, sender, role, purpose, rule)
        if at in self._crossings or len(self._crossings) < _CROSSINGS_MAX:
            self._crossings[at] = self._crossings.get(at, 0) + 1
        return Crossing(key=key, sender=sender, receiver_role=role, purpose=purpose, rule=rule)

    # -- inside: receiving ---------------------------------------------------------------------

    def _hear(self, claimed: str, frame: bytes) -> None:
        try:
            session, message = self._sessions.accept(claimed, frame)
        except HearthwayError as why:
            self._refuse(claimed, why)
            return
        self._inbox.append((session, message, None))
        self._arrived.set()

    def _hear_ask(self, claimed: str, frame: bytes) -> Awaitable[bytes]:
        """Not async: verifying and queueing happen before the next frame is heard."""
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        try:
            if env.is_hello(frame):
                reply.set_result(self._hear_hello(claimed, frame))
                return reply
            session, message = self._sessions.accept(claimed, frame)
        except HearthwayError as why:
            self._refuse(claimed, why)
            reply.set_exception(WireError("Refused.", ""))
            return reply
        self._inbox.append((session, message, reply))
        self._arrived.set()
        return reply

    def _hear_hello(self, claimed: str, frame: bytes) -> bytes:
        before = self._sessions.get(claimed)
        try:
            session = self._sessions.hear_greeting(claimed, frame, answer=False)
        except HearthwayError as why:
            # Our list of devices may be older than its certificate: an empty answer lets it try again soon.
            log.info("A greeting from %s does not hold: %s", claimed, type(why).__name__)
            return b""
        if before is not None and before.session != session.session:
            self._tell(claimed, ready=False)  # it restarted faster than the link noticed
        if not session.greeted:
            self._greet_soon(claimed)
        return self._sessions.greeting(claimed, echo=session.session)

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._inbox:
                session, message, reply = self._inbox.popleft()
                try:
                    await self._handle(session, message, reply)
                except HearthwayError as why:
                    self._refuse(session.device_id, why)
                except Exception as why:  # noqa: BLE001 - one bad handler must not deafen the node
                    _log_failure("a message", why)
                if reply is not None and not reply.done() and message.kind != env.ASK:
                    reply.set_exception(WireError("Refused.", ""))

    async def _handle(
        self, session: Session, message: Envelope, reply: asyncio.Future[bytes] | None
    ) -> None:
        if message.kind == env.ASK and reply is not None:
            self._handle_ask(session, message, reply)
        elif message.kind == env.ROSTER:
            await self._take_roster(message.body)
        elif message.kind in (env.RECORD, env.SIGNALS):
            self._admit(session, message)
            meta = _meta(session, message)
            if message.kind == env.SIGNALS:
                signals = codec.unpack(message.body, list[Signal])
                if {s.key for s in signals} != set(meta.keys):
                    raise WireError(f"Signals of {session.device_id} are not what they claim.")
                for on_signals in self._signal_handlers:
                    await _settle(on_signals(meta, signals))
                return
            if len(meta.keys) != 1:
                raise WireError(f"A record of {session.device_id} has not one key.")
            for pattern, kind, handler in self._handlers:
                if pattern.fullmatch(meta.key):
                    await _settle(handler(meta, codec.unpack(message.body, kind)))
        else:
            raise WireError(f"{session.device_id} sent an unknown kind of message.")

    def _admit(self, session: Session, message: Envelope) -> None:
        """Our own rules decide once more; the sender's rule ids are only its word."""
        denied = None
        let = []
        for key, _ in message.grants:
            rule = self._rules.allows(key, session.role, self.role, message.purpose)
            if rule is None:
                denied = denied or key
                self._count(key, session.device_id, self.role, message.purpose, "")
            else:
                let.append((key, rule.id))
        if denied is not None:
            raise _denied(denied, session.role, self.role, message.purpose)
        for key, rule_id in let:
            self._count(key, session.device_id, self.role, message.purpose, rule_id)

    def _handle_ask(
        self, session: Session, message: Envelope, reply: asyncio.Future[bytes]
    ) -> None:
        """The handler starts in its turn; if it returns an awaitable, that runs beside later messages."""
        try:
            self._admit(session, message)
            meta = _meta(session, message)
            if len(meta.keys) != 1:
                raise WireError(f"A request of {session.device_id} has not one key.")
            server = self._servers.get(meta.key)
            if server is None:
                raise MeshError(
                    f"{self.device_id} does not answer {meta.key}.",
                    "Are both nodes on the same version?",
                )
            kind, handler, reply_key = server
            result = handler(meta, codec.unpack(message.body, kind))
        except HearthwayError as why:
            self._answer_refusal(session, message, reply, why)
            return
        except Exception as why:  # noqa: BLE001 - the asker gets an answer, the log the kind of failure
            _log_failure("a request", why)
            self._answer_refusal(session, message, reply, _failed(self.device_id))
            return
        if inspect.isawaitable(result):
            self._spawn(self._finish_ask(session, message, reply, result, reply_key or meta.key))
        else:
            self._answer(session, message, reply, result, reply_key or meta.key)

    async def _finish_ask(
        self,
        session: Session,
        message: Envelope,
        reply: asyncio.Future[bytes],
        work: Awaitable[Any],
        reply_key: str,
    ) -> None:
        try:
            result = await work
        except HearthwayError as why:
            self._answer_refusal(session, message, reply, why)
        except Exception as why:  # noqa: BLE001 - as above
            _log_failure("a request", why)
            self._answer_refusal(session, message, reply, _failed(self.device_id))
        else:
            self._answer(session, message, reply, result, reply_key)

    def _answer(
        self,
        session: Session,
        message: Envelope,
        reply: asyncio.Future[bytes],
        result: object,
        reply_key: str,
    ) -> None:
        grants: tuple[tuple[str, str], ...] = ()
        if result is not None:  # a bare acknowledgement carries nothing, so it needs no rule
            rule = self._rules.allows(reply_key, self.role, session.role, message.purpose)
            if rule is None:
                self._count(reply_key, self.device_id, session.role, message.purpose, "")
                why = _denied(reply_key, self.role, session.role, message.purpose)
                self._answer_refusal(session, message, reply, why)
                return
            grants = ((reply_key, rule.id),)
            self._count(reply_key, self.device_id, session.role, message.purpose, rule.id)
        self._resolve(session, message, reply, env.REPLY, grants, codec.pack(result))

    def _answer_refusal(
        self,
        session: Session,
        message: Envelope,
        reply: asyncio.Future[bytes],
        why: HearthwayError,
    ) -> None:
        code = "denied" if isinstance(why, RuleDeniedError) else "failed"
        body = codec.pack(_Refusal(code, why.message, why.next_step))
        self._resolve(session, message, reply, env.REFUSED, (), body)

    def _resolve(
        self,
        session: Session,
        message: Envelope,
        reply: asyncio.Future[bytes],
        kind: str,
        grants: tuple[tuple[str, str], ...],
        body: bytes,
    ) -> None:
        if not reply.done():
            answer = self._envelope(session, kind, message.purpose, grants, body, message.seq)
            reply.set_result(env.seal(answer, self.identity))

    def _refuse(self, claimed: str, why: HearthwayError) -> None:
        self.refused_frames += 1
        log.warning("A message from %s was refused: %s", claimed, type(why).__name__)

    # -- inside: peers -------------------------------------------------------------------------

    def _notice(self, device_id: str, alive: bool) -> None:
        if alive:
            self._greet_soon(device_id)
            return
        greeter = self._greeters.pop(device_id, None)
        if greeter is not None:
            greeter.cancel()
        self._sessions.drop(device_id)
        self._tell(device_id, ready=False)

    def _greet_soon(self, device_id: str) -> None:
        running = self._greeters.get(device_id)
        if self._open and (running is None or running.done()):
            self._greeters[device_id] = self._spawn(self._greet(device_id))

    async def _greet(self, device_id: str) -> None:
        """Until the peer has proved itself, or goes."""
        tries = 0
        while True:
            try:
                answer = await self._link.ask(
                    device_id, self._sessions.greeting(device_id), _GREET_S
                )
                if not answer:
                    raise MeshError(f"{device_id} does not know this device yet.")
                session = self._sessions.hear_greeting(device_id, answer, answer=True)
                break
            except HearthwayError as why:
                self._strangers[device_id] = why.message
                await asyncio.sleep(_GREET_AGAIN_S[min(tries, len(_GREET_AGAIN_S) - 1)])
                tries += 1
        self._strangers.pop(device_id, None)
        if session.roster_serial < self.identity.roster.serial:
            await self._send_roster(session)
        self._tell(device_id, ready=True)

    def _tell(self, device_id: str, *, ready: bool) -> None:
        for handler in self._peer_handlers:
            handler(device_id, ready)
        if self._open:
            self._spawn(self._wake())

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _send_roster(self, peer: Session) -> None:
        """The list of devices is signed by the root, so anybody may hand it on."""
        signed = await asyncio.to_thread(self.identity.signed_roster)
        message = self._envelope(peer, env.ROSTER, "", (), signed)
        await self._link.put(peer.device_id, env.seal(message, self.identity), reliable=True)

    async def _take_roster(self, signed: bytes) -> None:
        newer = await asyncio.to_thread(self.identity.with_roster, signed)
        if newer is not self.identity:
            await self._use(newer)

    async def reload_roster(self, signed: bytes) -> None:
        """Use a newer signed roster (the home does so after pairing) and hand it to every peer."""
        await self._take_roster(signed)

    async def _use(self, identity: DeviceIdentity) -> None:
        self._sessions.identity = identity
        for device_id in self._sessions.forget_strangers():
            self._tell(device_id, ready=False)
        await self._link.update_roster(identity.roster)
        for peer in [s for d in self._link.peers() for s in self._reachable(d)]:
            await self._send_roster(peer)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _log_failure(what: str, why: Exception) -> None:
    """Where and what kind, never the words: they may hold somebody's content."""
    at = why.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    where = f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}" if at else "?"
    log.error("The handler of %s failed with %s at %s", what, type(why).__name__, where)


async def _settle(result: Any) -> None:
    if inspect.isawaitable(result):
        await result


def _meta(session: Session, message: Envelope) -> Meta:
    return Meta(
        session.device_id,
        session.role,
        tuple(key for key, _ in message.grants),
        message.purpose,
        message.time_s,
        message.seq,
    )


def _denied(key: str, sender: str, receiver: str, purpose: str) -> RuleDeniedError:
    return RuleDeniedError(
        f"The owner's rules do not let {key} go from {sender} to {receiver} to {purpose}.",
        "`hearthway rules` shows what they let; add a rule if you want this.",
    )


def _failed(device_id: str) -> MeshError:
    return MeshError(f"{device_id} failed while answering.", "Its log says why.")
