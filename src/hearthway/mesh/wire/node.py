"""A node on the mesh: records out under the owner's rules, records in under them again, every crossing counted.

Denied data does not leave: the rule is looked up where the data is, before a byte is made. The receiver looks
it up in its own rules once more. Personal content is never logged. What is published waits in its receiver's
outbox until the loop turns (`outbox`); nobody who publishes ever waits for a peer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from hearthway.mesh.links.beside import beside
from hearthway.mesh.links.link import Health, Link
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.mesh.trust.roster import Roster
from hearthway.records.errors import HearthwayError, IdentityError, MeshError
from hearthway.records.household import Peer
from hearthway.records.receipts import Crossing
from hearthway.records.signals import Signal

from .answering import Answerer
from .asking import Asker
from .checks import CommandJournal, GrantCheck, Quality
from .envelope import (
    HIGH,
    LOW,
    ROSTER,
    Meta,
)
from .gate import Gate
from .greeting import Greeter
from .hearing import Hearing, log_failure
from .lanes import Session
from .publishing import Publisher
from .sessions import Sessions

log = logging.getLogger("hearthway.mesh")

T = TypeVar("T")
_FAREWELL_S = 1.0  # how long whoever is put out is told so


class MeshNode:
    """One node of the household. `now` is real time (certificates need it), never a replay's clock."""

    def __init__(
        self,
        identity: DeviceIdentity,
        link: Link,
        rules: Rules,
        now: Callable[[], float],
        *,
        grants: GrantCheck | None = None,
        journal: CommandJournal | None = None,
        versions: tuple[int, int] = (LOW, HIGH),
    ) -> None:
        self._link = link
        self._now = now
        self._sessions = Sessions(identity, now, versions=versions)
        self._gate = Gate(lambda: self._sessions.identity, rules, now, grants)
        self._greeter = Greeter(self._sessions, link, now, self._peer_is, self._spawn)
        self._answerer = Answerer(
            self._sessions, self._gate, now, journal, self._spawn, log_failure, self._waits_for
        )
        self._hearing = Hearing(
            self._sessions,
            self._gate,
            self._greeter,
            self._answerer,
            self._hear_roster,
            self._spawn,
        )
        self._publisher = Publisher(
            self._sessions, self._gate, link, now, self._reachable, self._spawn
        )
        self._asker = Asker(
            self._sessions,
            self._gate,
            link,
            self._greeter,
            self._publisher,
            now,
            self._reachable,
            self._one,
            self._until_changed,
        )
        self._reached: list[Session] = []
        self._reached_at = -1
        self._peer_handlers: list[Callable[[str, bool], None]] = []
        self._roster_handlers: list[Callable[[], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()
        self._taking = asyncio.Lock()  # one list of devices after the other
        self._put_out: Health | None = None  # why this device is not in the household any more
        self._open = False
        link.on_frame(self._hearing.hear)
        link.on_ask(self._hearing.hear_ask)
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

    @property
    def refused_frames(self) -> int:
        """Frames and messages that were refused so far."""
        return self._hearing.refused

    async def open(self) -> None:
        """Join the household; MeshError or IdentityError when this node itself cannot."""
        self._open = self._greeter.active = True
        self._greeter.signed_roster = await asyncio.to_thread(self.identity.signed_roster)
        self._spawn(self._hearing.work())
        try:
            await self._link.open()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Leave the household; what was published goes first, where it can at once. Safe to call twice."""
        if self._open:
            await asyncio.sleep(0)
        self._open = False
        self._greeter.stop_all()
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
        about: str = "",
    ) -> list[Crossing]:
        """Send to every ready peer the rules let (or only to the role or device `to`); the crossings that took place.

        `about` is the id of the person whom the record is about. Waits for no peer (at most 5 ms where reliable
        messages pile up); what finds its receiver's queue full is dropped, and is no crossing.
        """
        return await self._publisher.publish(
            key, record, purpose, reliable=reliable, to=to, about=about
        )

    async def publish_signals(
        self,
        signals: Sequence[Signal],
        purpose: str,
        *,
        reliable: bool = False,
        to: str | None = None,
    ) -> list[Crossing]:
        """Send signals in one message a peer; each needs a rule for its key and its person, the others stay here."""
        return await self._publisher.publish_signals(signals, purpose, reliable=reliable, to=to)

    def request(
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
    ) -> Coroutine[Any, Any, T]:
        """Ask a device (or the one ready device of a role); RuleDeniedError, or MeshError when it fails.

        `kind` is the reply's; for a server that only acknowledges it is `type(None)`. `grant` is a capability
        token for what no rule lets.
        """
        return self._asker.request(
            to, key, record, purpose, kind, timeout_s, about=about, grant=grant
        )

    def command(
        self,
        to: str,
        key: str,
        record: object,
        purpose: str,
        kind: type[T],
        timeout_s: float,
        *,
        about: str = "",
    ) -> Coroutine[Any, Any, T]:
        """Like `request`, retried over cuts until acknowledged; carried out at most once (but see `serve`).

        MeshError says whether it was surely not done, or may have been.
        """
        return self._asker.command(to, key, record, purpose, kind, timeout_s, about=about)

    # -- receiving -----------------------------------------------------------------------------

    def subscribe(self, pattern: str, kind: type[T], handler: Callable[[Meta, T], Any]) -> None:
        """Call `handler` with every record whose key fits; an awaitable it returns holds up the next message.

        So a handler must not await a `request` to a peer that may be doing the same: start a task instead.
        """
        self._hearing.subscribe(pattern, kind, handler)

    def on_signals(self, handler: Callable[[Meta, list[Signal]], Any]) -> None:
        """Call `handler` with every batch of signals, in the sender's order."""
        self._hearing.on_signals(handler)

    def serve(
        self,
        key: str,
        kind: type[T],
        handler: Callable[[Meta, T], Any],
        *,
        reply_key: str | None = None,
        repeatable: bool = False,
    ) -> None:
        """Answer requests for `key`. A reply is a crossing of `reply_key` and needs a rule; None needs none.

        With a `reply_key` a request is a "read" of the key to capability tokens, else (and commands) a "write".
        A command is carried out at most once, which costs a flush of the disk, unless its handler is `repeatable`:
        doing it once more, beside or after the first and whatever others ordered in between, changes nothing.
        """
        self._answerer.serve(key, kind, handler, reply_key, repeatable=repeatable)

    def on_peer(self, handler: Callable[[str, bool], None]) -> None:
        """Call `handler(device_id, ready)` when a peer has proved itself, and when it goes."""
        self._peer_handlers.append(handler)

    def on_roster(self, handler: Callable[[], None]) -> None:
        """Call `handler()` when the list of devices or this node's certificate changed, or it was put out."""
        self._roster_handlers.append(handler)

    # -- looking -------------------------------------------------------------------------------

    def ready(self, to: str) -> list[str]:
        """Ids of the devices with that id or role that messages reach now."""
        return [s.device_id for s in self._reachable(to)]

    def lets(
        self, keys: Sequence[str], to: str, purpose: str, *, about: str = "", count: bool = False
    ) -> bool:
        """May each of these go to that device, exactly as it is? `count` where they go now, inside another record."""
        return self._gate.all_cross(keys, to, purpose, about, out=True, count=count)

    def takes(self, keys: Sequence[str], sender: str, purpose: str, *, about: str = "") -> bool:
        """May each of these have come from that device, exactly as it is? Counted, as whatever crosses."""
        return self._gate.all_cross(keys, sender, purpose, about, out=False, count=True)

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
            detail = peer.detail or self._greeter.strangers.get(device_id, "")
            peers[device_id] = msgspec.structs.replace(
                peer, alive=ready, detail="" if ready else detail
            )
        return peers

    def quality(self, device_id: str) -> Quality:
        """How well that peer is reached, as greetings and requests measured it."""
        return self._greeter.quality(device_id)

    def health(self) -> Health:
        """Why this device is out of the household, the link's health, or who could not prove itself."""
        if self._put_out is not None:
            return self._put_out
        health, strangers = self._link.health(), self._greeter.strangers
        if health.ok and strangers and not any(p.alive for p in self.peers().values()):
            device_id = min(strangers)
            return Health(
                ok=False,
                problem=strangers[device_id],
                next_step=f"Pair {device_id} again, or revoke it.",
            )
        return health

    def bytes_to(self) -> dict[str, int]:
        """Bytes of frames handed to each device so far (before TLS)."""
        return self._link.counters()

    def crossings(self, *, drain: bool = False) -> list[Crossing]:
        """Every crossing out and in, counted; `rule == ""` marks one that was refused."""
        return self._gate.crossings(drain=drain)

    # -- changing ------------------------------------------------------------------------------

    def use_rules(self, rules: Rules) -> None:
        """Decide by these from the next message on; also to be called when consents changed."""
        self._gate.use_rules(rules)

    async def reload_roster(self, signed: bytes) -> None:
        """Use a newer signed roster (the home does so after pairing) and hand it to every peer."""
        linked = await self._take_roster(signed)
        if linked is not None:
            await linked

    async def use_identity(self, identity: DeviceIdentity) -> None:
        """Go on with a renewed certificate, and with its list of devices if that is newer; sessions stay."""
        async with self._taking:
            own = self.identity
            if identity.roster.serial > own.roster.serial:
                signed = await asyncio.to_thread(identity.signed_roster)
                linked = await self._use(identity, signed)
                if linked is not None:
                    await linked
            else:
                identity = replace(identity, roster=own.roster, epoch_key=own.epoch_key)
                self._lose(self._sessions.use(identity))
            await self._link.update_identity(identity)
            self._tell_roster()

    # -- inside: sending -----------------------------------------------------------------------

    def _reachable(self, to: str | None) -> list[Session]:
        """Who can be sent to; remembered as long as decisions are, since the same things change both."""
        if self._gate.fresh() != self._reached_at:
            self._lose(self._sessions.forget_strangers())
            self._reached_at = self._gate.fresh()
            alive = (d for d, peer in self._link.peers().items() if peer.alive)
            sessions = (self._sessions.get(d) for d in alive)
            self._reached = [s for s in sessions if s is not None and s.greeted]
        return [s for s in self._reached if to is None or to in (s.device_id, s.role)]

    def _waits_for(self, device_id: str) -> bool:
        box = self._publisher.outboxes.get(device_id)
        return box is not None and box.waiting

    def _one(self, to: str) -> Session:
        if self._put_out is not None:
            raise MeshError(self._put_out.problem, self._put_out.next_step)
        found = self._reachable(to)
        if len(found) == 1:
            return found[0]
        if not found:
            raise MeshError(f"{to} is not reachable now.", "Is it up? `hearthway status` shows it.")
        names = ", ".join(s.device_id for s in found)
        raise MeshError(f"{to} may be any of {names}.", "Name the device.")

    # -- inside: peers -------------------------------------------------------------------------

    def _notice(self, device_id: str, alive: bool) -> None:
        if alive:
            self._greeter.greet_soon(device_id)
            return
        self._greeter.stop(device_id)
        self._hearing.open_waiting(device_id)
        self._sessions.drop(device_id)
        self._gate.changed()
        self._peer_is(device_id, ready=False)

    def _peer_is(self, device_id: str, *, ready: bool) -> None:
        if not ready:
            self._publisher.drop(device_id)
        self._gate.changed()
        for handler in self._peer_handlers:
            handler(device_id, ready)
        if self._open:
            self._spawn(self._wake())

    def _lose(self, gone: Sequence[str]) -> None:
        for device_id in gone:
            self._peer_is(device_id, ready=False)

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _until_changed(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait()
        except TimeoutError:
            return

    async def _hear_roster(self, signed: bytes) -> None:
        """A peer hands it on. Frames that come next do not wait for the link, which may take seconds to open anew."""
        linked = await self._take_roster(signed)
        if linked is not None:
            linked.add_done_callback(_log_unlinked)

    async def _take_roster(self, signed: bytes) -> asyncio.Task[None] | None:
        """As `_use`, where it is newer."""
        async with self._taking:
            if signed == self._greeter.signed_roster or self._put_out is not None:
                return None
            try:
                newer = await asyncio.to_thread(self.identity.with_roster, signed)
            except IdentityError as why:
                await self._leave(why)
                return None
            if newer.roster.serial <= self.identity.roster.serial:
                return None
            # On the home this may be one of its own making: what it heard, and what it knew.
            return await self._use(newer, await asyncio.to_thread(newer.signed_roster))

    async def _use(self, identity: DeviceIdentity, signed: bytes) -> asyncio.Task[None] | None:
        """Seal to nobody who is out, tell everybody why, and only then use the new key; the link's part runs beside."""
        before = self.identity.roster
        told = [d for d in self._link.peers() if self._link.peers()[d].alive]
        self._greeter.signed_roster = signed
        gone = self._sessions.use(identity)
        for device_id in told:
            box = self._publisher.outboxes.get(device_id)
            if box is not None and device_id not in gone:
                box.first(ROSTER + signed)
        self._lose(gone)
        self._gate.changed()
        for device_id in told:
            if device_id in self._publisher.outboxes:
                continue  # goes before whatever waits there
            words = _farewell(before, identity.roster, device_id, signed)
            if not words:
                continue
            try:
                async with asyncio.timeout(_FAREWELL_S):
                    await self._link.put(device_id, ROSTER + words, reliable=True)
            except (HearthwayError, TimeoutError):
                continue
        for box in list(self._publisher.outboxes.values()):
            with suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL_S):
                    await box.flush()
        if before == identity.roster:
            return None
        self._tell_roster()
        return self._spawn(self._link.update_roster(identity.roster))

    def _tell_roster(self) -> None:
        for handler in self._roster_handlers:
            handler()

    async def _leave(self, why: HearthwayError) -> None:
        """This device is not in the household any more: it says so, and falls silent."""
        self._put_out = Health(ok=False, problem=why.message, next_step=why.next_step)
        self._greeter.stop_all()
        self._hearing.drop_all()
        for device_id in self._sessions.drop_all():
            self._peer_is(device_id, ready=False)
        self._gate.changed()
        log.warning("this device is not in the household any more")
        self._tell_roster()
        self._spawn(self._link.close())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return beside(self._tasks, work)


def _log_unlinked(linked: asyncio.Task[None]) -> None:
    """Nobody waited for it."""
    why = None if linked.cancelled() else linked.exception()
    if isinstance(why, Exception):
        log_failure("a list of devices", why)


def _farewell(before: Roster, now: Roster, device_id: str, signed: bytes) -> bytes:
    """The list for a member; whoever was put out hears that and nothing else about the household."""
    if now.member(device_id) is not None:
        return signed
    gone = before.member(device_id)
    return b"" if gone is None else now.notice(gone.public_key)
