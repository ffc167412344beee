"""A link that reaches farther: a member at another site, by way of a router that both sites reach.

Zenoh's peers never meet through a router, its clients do: so beside the link beneath there is a session in client mode
for each router on the household's list, open only while somebody is missing. The router is only a wire: what it
carries is sealed between the ends, and one that lies, drops or reorders can only deny. It is heard for nobody who is
seen directly, and the direct way is taken as soon as it is there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.mesh.trust.roster import Roster
from hearthway.records.errors import MeshError
from hearthway.records.household import Peer

from .allowance import Allowance
from .beside import beside
from .link import AskHandler, FrameHandler, Health, Link, PeerHandler, RouterState
from .link_asks import NUMBER_BYTES, Asks
from .relay import Located, Neighbouring, Parkable, Renewable
from .router_session import RouterSession

_FRAME, _ASK, _ANSWER = b"F", b"A", b"R"
_PATIENCE_S, _MOMENT_S = 2.0, 0.02  # as over the link beneath: then MeshError, or dropped
_WAITING_MAX_BYTES = 16 * 1024 * 1024


class Wire(Link, Located, Neighbouring, Parkable, Renewable, Protocol):
    """What the link beneath can do."""


@dataclass
class _Lane:
    """Frames for one device, one after the other."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting_bytes: int = 0


class RoutedLink:
    """Keeps the contract of `link.Link` over another link that keeps it. Without a router it does nothing."""

    def __init__(self, inner: Wire, identity: DeviceIdentity) -> None:
        self._inner, self._identity = inner, identity
        self._near: set[str] = set()  # direct, and told to the listeners
        self._seen: dict[str, set[str]] = {}  # router -> whom its session sees
        self._via: dict[str, str] = {}  # who is reached by which router
        self._since_s: dict[str, float] = {}
        self._sessions: dict[str, tuple[RouterSession, asyncio.Task[None]]] = {}
        self._allowances: dict[str, Allowance] = {}  # by the router
        self._lanes: dict[str, _Lane] = {}
        self._sent: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._asks = Asks()
        self._open = False
        self._on_frame: list[FrameHandler] = []
        self._on_ask: AskHandler | None = None
        self._on_peer: list[PeerHandler] = []
        inner.on_peer(self._notice)

    @property
    def device_id(self) -> str:
        """This node's id."""
        return self._inner.device_id

    @property
    def roster(self) -> Roster | None:
        """As the inner link's."""
        return self._inner.roster

    async def open(self) -> None:
        """As the inner link's; routers are looked for afterwards."""
        if self._open:
            return
        await self._inner.open()
        self._open = True
        self._use_routers()

    async def close(self) -> None:
        """As the inner link's."""
        self._open = False
        tasks = [t for t in self._tasks if t is not asyncio.current_task()]
        tasks += self._drop(list(self._sessions))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._asks.fail(None)
        await self._inner.close()

    # -- the contract --------------------------------------------------------------------------

    async def put(self, to: str, frame: bytes, *, reliable: bool) -> int:
        """As `Link.put`; by a router a frame counts as handed over once zenoh has it."""
        count = await self._inner.put(to, frame, reliable=reliable)
        if self._via:
            for device_id in self._routed(to):
                count += await self._send(device_id, _FRAME + frame, reliable=reliable)
        return count

    def ask(self, device_id: str, frame: bytes, timeout_s: float) -> Coroutine[Any, Any, bytes]:
        """As `Link.ask`."""
        if device_id not in self._via:
            return self._inner.ask(device_id, frame, timeout_s)

        async def send(number: bytes) -> tuple[bool, None]:
            return await self._send(device_id, _ASK + number + frame, reliable=True), None

        return self._asks.ask(device_id, lambda _: None, send, timeout_s)

    def on_frame(self, callback: FrameHandler) -> None:
        """Call back with every frame."""
        self._on_frame.append(callback)
        self._inner.on_frame(callback)

    def on_ask(self, callback: AskHandler) -> None:
        """The one answerer of asks."""
        self._on_ask = callback
        self._inner.on_ask(callback)

    def on_peer(self, callback: PeerHandler) -> None:
        """Call back when a peer comes or goes; one whose way changes goes and comes."""
        self._on_peer.append(callback)

    def peers(self) -> dict[str, Peer]:
        """As `Link.peers`; `via` names the router."""
        peers = self._inner.peers()
        for device_id, name in self._via.items():
            known = peers.get(device_id)
            if known is not None and not known.alive:
                peers[device_id] = msgspec.structs.replace(
                    known,
                    alive=True,
                    since_s=self._since_s.get(device_id, 0.0),
                    detail="",
                    via=f"router {name}",
                )
        return peers

    def counters(self) -> dict[str, int]:
        """As `Link.counters`, whichever way."""
        both = self._inner.counters()
        for device_id, count in self._sent.items():
            both[device_id] = both.get(device_id, 0) + count
        return both

    def health(self) -> Health:
        """As the inner link's, or well while somebody is reached by a router."""
        return Health(ok=True) if self._via else self._inner.health()

    def routers(self) -> list[RouterState]:
        """Every router on the list, and how this node stands with it."""
        return [
            RouterState(
                name=name,
                addresses=session.router.addresses,
                up=session.up,
                problem="" if session.up else session.problem,
            )
            for name, (session, _) in sorted(self._sessions.items())
        ]

    async def update_roster(self, roster: Roster) -> None:
        """As `Link.update_roster`; whoever left is neither heard nor reached, nor a router that is not listed, at once."""
        work = asyncio.ensure_future(self._inner.update_roster(roster))
        await asyncio.sleep(0)  # the inner link has the roster in its first step
        old = [n for n, (s, _) in self._sessions.items() if roster.router(n) != s.router]
        ending = self._drop(old)
        self._use_routers()
        await asyncio.gather(work, *ending, return_exceptions=True)
        await work

    async def update_identity(self, identity: DeviceIdentity) -> None:
        """As the inner link's; sessions with routers are opened anew."""
        await self._inner.update_identity(identity)
        self._identity = identity
        ending = self._drop(list(self._sessions))
        self._use_routers()
        await asyncio.gather(*ending, return_exceptions=True)

    async def set_parked(self, parked: bool) -> None:
        """As the inner link's. A session with a router keeps its lease."""
        await self._inner.set_parked(parked)

    @property
    def parked(self) -> bool:
        """As the inner link's."""
        return self._inner.parked

    def address_of(self, device_id: str) -> str:
        """As the inner link's; empty for whom only a router sees."""
        return self._inner.address_of(device_id)

    async def answers_at(self, device_id: str, address: str) -> bool:
        """As the inner link's."""
        return await self._inner.answers_at(device_id, address)

    def is_near(self, device_id: str) -> bool:
        """As the inner link's; whom only a router sees is not near."""
        return device_id in self._near and self._inner.is_near(device_id)

    async def answers_near(self, device_id: str) -> bool:
        """As the inner link's; nor does it answer near."""
        return device_id in self._near and await self._inner.answers_near(device_id)

    # -- routers -------------------------------------------------------------------------------

    def _use_routers(self) -> None:
        """A session for each router on the list that has none."""
        roster = self.roster
        for router in roster.routers if roster is not None and self._open else ():
            if router.name not in self._sessions:
                session = RouterSession(router, self._identity, self._hear, self._is_over)
                task = asyncio.get_running_loop().create_task(session.run())
                self._sessions[router.name] = session, task
        self._look()

    def _drop(self, names: list[str]) -> list[asyncio.Task[None]]:
        """Not one word more is heard of these; their sessions end beside."""
        dropped = [self._sessions.pop(name) for name in names]
        for session, task in dropped:
            self._seen.pop(session.router.name, None)
            task.cancel()
        self._choose()
        return [task for _, task in dropped]

    def _is_used(self, session: RouterSession) -> bool:
        name = session.router.name
        return name in self._sessions and self._sessions[name][0] is session

    def _is_over(self, session: RouterSession) -> None:
        if self._is_used(session):
            self._seen.pop(session.router.name, None)
            self._choose()

    def _look(self) -> None:
        """Routers are wanted while somebody is missing."""
        if self._sessions:
            missing = any(d not in self._near for d in self._others())
            for session, _ in self._sessions.values():
                session.want(missing)

    def _others(self) -> list[str]:
        members = self.roster.members if self.roster is not None else ()
        return [m.device_id for m in members if m.device_id != self.device_id]

    # -- who is reached how --------------------------------------------------------------------

    def _notice(self, device_id: str, alive: bool) -> None:
        if alive:
            if self._via.pop(device_id, None) is not None:
                self._gone(device_id)  # the way changes: greet anew
            self._near.add(device_id)
            self._tell(device_id, alive=True)
        else:
            self._near.discard(device_id)
            self._tell(device_id, alive=False)
            self._choose()
        self._look()

    def _choose(self) -> None:
        """For everybody who is not direct: the router that stays while it can, else the first that sees it."""
        members = set(self._others()) if self._open else set()
        for device_id in sorted({*self._via, *members}):
            offers = sorted(name for name, seen in self._seen.items() if device_id in seen)
            now = self._via.get(device_id)
            best = None
            if device_id in members and device_id not in self._near and offers:
                best = now if now in offers else offers[0]
            if best == now:
                continue
            if now is not None:
                del self._via[device_id]
                self._gone(device_id)
            if best is not None:
                self._via[device_id], self._since_s[device_id] = best, time.monotonic()
                self._tell(device_id, alive=True)

    def _gone(self, device_id: str) -> None:
        self._asks.fail(device_id)
        self._tell(device_id, alive=False)

    def _tell(self, device_id: str, *, alive: bool) -> None:
        for callback in self._on_peer:
            callback(device_id, alive)

    # -- sending -------------------------------------------------------------------------------

    def _routed(self, to: str) -> list[str]:
        roster = self.roster
        return [
            m.device_id
            for m in (roster.members if roster is not None else ())
            if to in (m.device_id, m.role) and m.device_id in self._via
        ]

    async def _send(
        self, device_id: str, payload: bytes, *, reliable: bool, by: str | None = None
    ) -> bool:
        """In turn, `by` that router or the one in use; False when it is not there, or dropped because the wire was full."""
        lane = self._lanes.setdefault(device_id, _Lane())
        full = MeshError(
            f"The wire to {device_id} is full: it takes nothing.", "Try again; is it busy or away?"
        )
        if lane.waiting_bytes + len(payload) > _WAITING_MAX_BYTES:
            if reliable:
                raise full
            return False
        lane.waiting_bytes += len(payload)
        try:
            async with asyncio.timeout(_PATIENCE_S if reliable else _MOMENT_S), lane.lock:
                name = by or self._via.get(device_id)
                return await self._by(name, device_id, payload, reliable)
        except TimeoutError:
            if reliable:
                raise full from None
            return False
        finally:
            lane.waiting_bytes -= len(payload)

    async def _by(self, name: str | None, device_id: str, payload: bytes, reliable: bool) -> bool:
        if name not in self._sessions:
            return False
        sent = await self._sessions[name][0].send(device_id, payload, reliable=reliable)
        if sent:
            self._sent[device_id] = self._sent.get(device_id, 0) + len(payload)
        return sent

    # -- hearing -------------------------------------------------------------------------------

    def _hear(self, session: RouterSession, device_id: str, content: bytes | bool) -> None:
        """A router brings a frame, or says who comes and goes. It can say any name, so it is heard for members alone."""
        roster, name = self.roster, session.router.name
        if not self._is_used(session) or roster is None or roster.member(device_id) is None:
            return
        if isinstance(content, bool):
            seen = self._seen.setdefault(name, set())
            (seen.add if content else seen.discard)(device_id)
            self._choose()
        elif device_id not in self._near:
            allowance = self._allowances.setdefault(name, Allowance())
            if allowance.take(len(content)):
                self._take(name, device_id, content)

    def _take(self, name: str, sender: str, payload: bytes) -> None:
        kind, rest = payload[:1], payload[1:]
        if kind == _FRAME:
            for callback in self._on_frame:
                callback(sender, rest)
        elif kind == _ASK and len(rest) >= NUMBER_BYTES and self._on_ask is not None:
            number, question = rest[:NUMBER_BYTES], rest[NUMBER_BYTES:]
            work = self._on_ask(sender, question)
            beside(self._tasks, self._answer(name, sender, number, work), work)
        elif kind == _ANSWER and len(rest) >= NUMBER_BYTES:
            self._asks.answered(sender, rest[:NUMBER_BYTES], rest[NUMBER_BYTES:])

    async def _answer(self, name: str, sender: str, number: bytes, work: Awaitable[bytes]) -> None:
        """The way it came: whoever asks may not be seen here yet."""
        with suppress(MeshError):  # an ask that does not verify gets no answer
            await self._send(sender, _ANSWER + number + await work, reliable=True, by=name)
