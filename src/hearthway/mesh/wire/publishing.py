"""What a node publishes: decided once for each key and peer, packed once, put into each receiver's outbox.

Who may have a key, for a purpose and about a person, is remembered as a route until rules, roster, consents or peers
change. Nothing here waits for a peer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from hearthway.mesh.links.link import FRAME_MAX_BYTES, Link
from hearthway.mesh.policy.precision import coarsen, coarsen_signals
from hearthway.records import codec
from hearthway.records.errors import MeshError
from hearthway.records.receipts import Crossing
from hearthway.records.signals import Signal

from .envelope import RECORD, RELIABLE, SIGNALS, SIGNALS_MAX, UNRELIABLE, Frame, Head
from .gate import EXACT, Gate, Tally
from .lanes import Session
from .outbox import Outbox
from .sessions import Sessions

BODY_MAX_BYTES = FRAME_MAX_BYTES - 64 * 1024  # room for the head, the seal and the link's own
_ROUTES_MAX = 4096


class _Target:
    """One receiver of a route."""

    __slots__ = ("box", "crossing", "precision", "role", "tally")

    def __init__(self, box: Outbox, precision: str, tally: Tally, crossing: Crossing) -> None:
        self.box = box
        self.precision = precision
        self.tally = tally
        self.crossing = crossing
        self.role = crossing.receiver_role


class _Route:
    """Where records of one key, purpose and person go now, and who may not have them."""

    __slots__ = ("head", "refused", "targets")

    def __init__(self, head: Head) -> None:
        self.head = head
        self.targets: list[_Target] = []
        self.refused: list[Tally] = []


class Publisher:
    """One node's outgoing records and signals."""

    def __init__(
        self,
        sessions: Sessions,
        gate: Gate,
        link: Link,
        now: Callable[[], float],
        reachable: Callable[[str | None], list[Session]],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        """`reachable` lists the ready peers of a role or id (None: all)."""
        self._sessions = sessions
        self._gate = gate
        self._link = link
        self._now = now
        self._reachable = reachable
        self._spawn = spawn
        self.outboxes: dict[str, Outbox] = {}
        self._routes: dict[tuple[str, str, str, str | None], _Route] = {}
        self._routed = -1
        self._signal_heads: dict[str, Head] = {}

    async def publish(
        self,
        key: str,
        record: object,
        purpose: str,
        *,
        reliable: bool = False,
        to: str | None = None,
        about: str = "",
    ) -> list[Crossing]:
        """Send to every ready peer the rules let (or only to the role or device `to`); the crossings that took place.

        `about` is the id of the person whom the record is about. Waits for no peer (at most 5 ms where reliable
        messages pile up); what finds its receiver's queue full is dropped, and is no crossing.
        """
        if self._gate.fresh() != self._routed:
            self._routes.clear()
            self._routed = self._gate.generation
        route = self._routes.get((key, purpose, about, to))
        if route is None:
            route = self._route(key, purpose, about, to)
        for tally in route.refused:
            tally.count += 1
        if not route.targets:
            return []
        body = packed(record)
        lane = RELIABLE if reliable else UNRELIABLE
        crossings = []
        piled = None
        for target in route.targets:
            told: bytes | None = body
            if target.precision != EXACT:
                coarse = coarsen(key, record, target.precision)
                told = None if coarse is None else packed(coarse)
                if told is None:
                    self._gate.count(
                        key, self._sessions.identity.device_id, target.role, purpose, ""
                    )
            if told is not None and target.box.add(lane, route.head, told, key):
                target.tally.count += 1
                crossings.append(target.crossing)
                if target.box.piled(lane):
                    piled = target.box
        if piled is not None:
            await piled.give_way(lane)
        return crossings

    async def publish_signals(
        self,
        signals: Sequence[Signal],
        purpose: str,
        *,
        reliable: bool = False,
        to: str | None = None,
    ) -> list[Crossing]:
        """Send signals in one message a peer, more than 1,024 in several; each needs a rule for its key and its person,
        the others stay here."""
        if len(signals) > SIGNALS_MAX:
            parts = (signals[at : at + SIGNALS_MAX] for at in range(0, len(signals), SIGNALS_MAX))
            return [
                crossing
                for part in parts
                for crossing in await self.publish_signals(part, purpose, reliable=reliable, to=to)
            ]
        lane = RELIABLE if reliable else UNRELIABLE
        head = self._signal_heads.get(purpose)
        if head is None:
            head = self._signal_heads[purpose] = Head(SIGNALS, "", purpose)
        for signal in signals:
            if not self._may_leave(signal, purpose, to):
                self._gate.count(
                    signal.key, self._sessions.identity.device_id, to or "", purpose, ""
                )
        crossings: list[Crossing] = []
        for peer in self._reachable(to):
            told: list[tuple[Signal, str]] = []
            by_precision: dict[str, list[Signal]] = {}
            for signal in signals:
                decision = self._gate.outward(signal.key, peer.device_id, purpose, signal.person)
                if decision is not None:
                    by_precision.setdefault(decision.precision, []).append(signal)
                    told.append((signal, decision.rule))
            batch: list[Signal] = []
            for precision, some in by_precision.items():
                batch += some if precision == EXACT else coarsen_signals(some, precision)
            if not batch:
                continue
            box = self._box(peer)
            key = tuple((s.key, s.person) for s in batch)
            if not box.add(lane, head, packed(batch), key):
                continue
            kept = {s.key for s in batch}
            for signal, rule in told:
                if signal.key in kept:
                    self._gate.count(
                        signal.key, self._sessions.identity.device_id, peer.role, purpose, rule
                    )
                    crossings.append(
                        _crossing(
                            signal.key, self._sessions.identity.device_id, peer.role, purpose, rule
                        )
                    )
            if box.piled(lane):
                await box.give_way(lane)
        return crossings

    def drop(self, device_id: str) -> None:
        """That peer is gone, and what waits for it."""
        box = self.outboxes.pop(device_id, None)
        if box is not None:
            box.close()

    def _box(self, peer: Session) -> Outbox:
        box = self.outboxes.get(peer.device_id)
        if box is None:

            async def send(lane: int, frame: Frame) -> None:
                session = self._sessions.get(peer.device_id)
                if session is None or not session.greeted:
                    return
                _, data = self._sessions.seal(session, lane, frame)
                await self._link.put(peer.device_id, data, reliable=lane == RELIABLE)

            async def send_raw(data: bytes) -> None:
                await self._link.put(peer.device_id, data, reliable=True)

            box = self.outboxes[peer.device_id] = Outbox(send, send_raw, self._now, self._spawn)
        return box

    def _route(self, key: str, purpose: str, about: str, to: str | None) -> _Route:
        """Decide for every ready peer; a peer that a rule names but may not have this is a refusal."""
        route = _Route(Head(RECORD, key, purpose, about))
        own = self._sessions.identity
        for peer in self._reachable(to):
            decision = self._gate.outward(key, peer.device_id, purpose, about)
            if decision is not None:
                at = (key, own.device_id, peer.role, purpose, decision.rule)
                route.targets.append(
                    _Target(
                        self._box(peer),
                        decision.precision,
                        self._gate.tally(*at),
                        _crossing(*at),
                    )
                )
            elif to is not None or self._gate.named(key, own.role, purpose, peer.role):
                route.refused.append(self._gate.tally(key, own.device_id, peer.role, purpose, ""))
        if not route.targets and not route.refused:
            member = own.roster.member(to) if to is not None else None
            role = member.role if member is not None else to
            if not self._gate.named(key, own.role, purpose, role):
                route.refused.append(self._gate.tally(key, own.device_id, role or "", purpose, ""))
        if len(self._routes) >= _ROUTES_MAX:
            self._routes.clear()
        self._routes[key, purpose, about, to] = route
        return route

    def _may_leave(self, signal: Signal, purpose: str, to: str | None) -> bool:
        """To some ready peer, or to one that is away now?"""
        peers = self._reachable(to)
        if any(
            self._gate.outward(signal.key, p.device_id, purpose, signal.person) is not None
            for p in peers
        ):
            return True
        member = self._sessions.identity.roster.member(to) if to is not None else None
        role = member.role if member is not None else to
        named = self._gate.named(signal.key, self._sessions.identity.role, purpose, role)
        return named and not any(
            self._gate.named(signal.key, self._sessions.identity.role, purpose, p.role)
            for p in peers
        )


def packed(record: object) -> bytes:
    """A message's body; MeshError when it is too large for a frame."""
    body = codec.pack(record)
    if len(body) > BODY_MAX_BYTES:
        raise MeshError(
            f"A message of {len(body)} bytes is larger than {BODY_MAX_BYTES}.",
            "Send it in parts.",
        )
    return body


def _crossing(key: str, sender: str, role: str, purpose: str, rule: str) -> Crossing:
    return Crossing(key=key, sender=sender, receiver_role=role, purpose=purpose, rule=rule)
