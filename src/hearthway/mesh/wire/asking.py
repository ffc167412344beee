"""Questions and commands as their sender sees them: may it be asked, what came back, and once more after a cut."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from hearthway.mesh.links.link import Link
from hearthway.mesh.policy.precision import coarsen
from hearthway.records import codec
from hearthway.records.errors import MeshError
from hearthway.records.household import Decision

from .answering import is_nothing, reply_of
from .checks import READ, WRITE
from .commands import ATTEMPT_S, COMMAND_BYTES, RETRY_S
from .envelope import ASK, ASKS, Frame, Head
from .gate import EXACT, Gate, denied
from .greeting import Greeter
from .lanes import Session
from .publishing import Publisher, packed
from .sessions import Sessions

T = TypeVar("T")


class Asker:
    """One node's questions."""

    def __init__(
        self,
        sessions: Sessions,
        gate: Gate,
        link: Link,
        greeter: Greeter,
        publisher: Publisher,
        now: Callable[[], float],
        reachable: Callable[[str | None], list[Session]],
        one: Callable[[str], Session],
        until_changed: Callable[[float], Awaitable[None]],
    ) -> None:
        """`one` is the only ready peer of a role or id; `until_changed` waits for somebody to come or go."""
        self._sessions = sessions
        self._gate = gate
        self._link = link
        self._greeter = greeter
        self._publisher = publisher
        self._now = now
        self._reachable = reachable
        self._one = one
        self._until_changed = until_changed

    async def request(
        self,
        to: str,
        key: str,
        record: object,
        purpose: str,
        kind: type[T],
        timeout_s: float,
        *,
        about: str = "",
        grant: bytes = b"",
    ) -> T:
        """Ask a device (or the one ready device of a role); RuleDeniedError, or MeshError when it fails.

        `kind` is the reply's; for a server that only acknowledges it is `type(None)`. `grant` is a capability
        token for what no rule lets.
        """
        head = Head(ASK, key, purpose, about, grant=grant)
        peer = self._one(to)
        decision = self._may_ask(peer, head)
        body = packed(self._told(key, record, decision, peer, purpose))
        self._gate.count(key, self._sessions.identity.device_id, peer.role, purpose, decision.rule)
        return self._taken(peer, head, await self._ask(peer, head, body, timeout_s), kind)

    async def command(
        self,
        to: str,
        key: str,
        record: object,
        purpose: str,
        kind: type[T],
        timeout_s: float,
        *,
        about: str = "",
    ) -> T:
        """Like `request`, retried over cuts until acknowledged; carried out at most once (but see `serve`).

        MeshError says whether it was surely not done, or may have been.
        """
        head = Head(ASK, key, purpose, about, command=secrets.token_bytes(COMMAND_BYTES))
        deadline = time.monotonic() + timeout_s
        sent, tries, device_id = False, 0, to
        why: MeshError | None = None
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                peer = self._one(device_id)
            except MeshError as away:
                if len(self._reachable(device_id)) > 1:
                    raise
                why = away
                await self._until_changed(min(left_s, RETRY_S[-1]))
                continue
            decision = self._may_ask(peer, head)
            body = packed(self._told(key, record, decision, peer, purpose))
            if not sent:
                self._gate.count(
                    key, self._sessions.identity.device_id, peer.role, purpose, decision.rule
                )
            device_id, sent = peer.device_id, True  # at most once is for one device to keep
            try:
                reply = await self._ask(peer, head, body, min(left_s, ATTEMPT_S))
            except MeshError as lost:
                why = lost
                await asyncio.sleep(min(left_s, RETRY_S[min(tries, len(RETRY_S) - 1)]))
                tries += 1
            else:
                return self._taken(peer, head, reply, kind)
        reason = f" {why.message}" if why is not None else ""
        if not sent:
            raise MeshError(
                f"{to} was not reached within {timeout_s:g} s, so nothing was done.{reason}",
                "Is it up? `hearthway status` shows it.",
            )
        raise MeshError(
            f"{device_id} did not acknowledge within {timeout_s:g} s: it may or may not have been done.{reason}",
            "Look whether it was done before you ask for it again.",
        )

    def _may_ask(self, peer: Session, head: Head) -> Decision:
        decision = self._gate.outward(head.key, peer.device_id, head.purpose, head.about)
        if decision is None and head.grant:
            for operation in (READ, WRITE):
                decision = decision or self._gate.granted(
                    head.grant, head.key, operation, self._sessions.identity.device_id
                )
        if decision is None:
            self._gate.count(
                head.key, self._sessions.identity.device_id, peer.role, head.purpose, ""
            )
            raise denied(head.key, self._sessions.identity.role, peer.role, head.purpose)
        return decision

    def _told(
        self, key: str, record: object, decision: Decision, peer: Session, purpose: str
    ) -> object:
        """The record as precisely as the rule lets it be told."""
        if decision.precision == EXACT:
            return record
        coarse = coarsen(key, record, decision.precision)
        if coarse is None:
            self._gate.count(key, self._sessions.identity.device_id, peer.role, purpose, "")
            raise denied(key, self._sessions.identity.role, peer.role, purpose)
        return coarse

    async def _ask(self, peer: Session, head: Head, body: bytes, timeout_s: float) -> Frame:
        """The reply, or MeshError where there is none."""
        box = self._publisher.outboxes.get(peer.device_id)
        deadline = time.monotonic() + timeout_s
        if box is not None and box.waiting:  # what was published before goes before
            try:
                async with asyncio.timeout(timeout_s):
                    await box.flush()
            except TimeoutError:
                raise MeshError(
                    f"{peer.device_id} took nothing within {timeout_s:g} s.",
                    "Is it still there? `hearthway status` shows it.",
                ) from None
        seq, data = self._sessions.seal(peer, ASKS, Frame(self._now(), (head,), [0], [body]))
        started = time.monotonic()
        answer = await self._link.ask(peer.device_id, data, max(0.001, deadline - started))
        _, frame = self._sessions.unseal_reply(peer, answer, seq)
        took_s = time.monotonic() - started
        if 0.0 <= frame.held_s < took_s:
            self._greeter.measured(peer.device_id, took_s - frame.held_s)
        return frame

    def _taken(self, peer: Session, asked: Head, frame: Frame, kind: type[T]) -> T:
        """The reply's record, if our own rules let it in, or it is what we were granted to read."""
        head, body = reply_of(frame)
        if not is_nothing(body):
            decision = self._gate.inward(head.key, peer.device_id, asked.purpose, asked.about)
            if decision is None and asked.grant and head.key == asked.key:
                decision = self._gate.granted(
                    asked.grant, asked.key, READ, self._sessions.identity.device_id
                )
            rule = decision.rule if decision is not None else ""
            self._gate.count(
                head.key, peer.device_id, self._sessions.identity.role, asked.purpose, rule
            )
            if decision is None:
                raise denied(head.key, peer.role, self._sessions.identity.role, asked.purpose)
        return codec.unpack(body, kind)
