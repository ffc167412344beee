"""A link without a wire: several nodes in one process, with loss, latency and cuts by seed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from functools import partial

from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.mesh.trust.roster import Roster
from hearthway.records.errors import MeshError
from hearthway.records.household import Peer

from .beside import beside
from .link import FRAME_MAX_BYTES, AskHandler, FrameHandler, Health, PeerHandler


class MemoryHub:
    """The medium: who is on it, what it loses (`loss` of unreliable frames) and how long frames take."""

    def __init__(self, *, seed: int = 0, loss: float = 0.0, latency_s: float = 0.0) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - a simulated wire, not a secret
        self.loss = loss
        self.latency_s = latency_s
        self._links: dict[str, MemoryLink] = {}
        self._cuts: set[frozenset[str]] = set()
        self.far: set[frozenset[str]] = set()  # pairs that hear each other by way of a router

    def link(self, device_id: str, role: str) -> MemoryLink:
        """A new end of the wire for that device."""
        return MemoryLink(self, device_id, role)

    def cut(self, a: str, b: str) -> None:
        """Nothing passes between a and b from now on; both notice."""
        if self.joined(a, b):
            self._cuts.add(frozenset((a, b)))
            self._tell(a, b, alive=False)

    def heal(self, a: str, b: str) -> None:
        """Undo `cut`."""
        self._cuts.discard(frozenset((a, b)))
        if self.joined(a, b):
            self._tell(a, b, alive=True)

    def joined(self, a: str, b: str) -> bool:
        """Do a and b hear each other?"""
        return a in self._links and b in self._links and frozenset((a, b)) not in self._cuts

    def loses(self) -> bool:
        """Is the next unreliable frame lost?"""
        return self.loss > 0.0 and self._rng.random() < self.loss

    def enter(self, link: MemoryLink) -> None:
        """Join the medium; MeshError when the id is taken."""
        if link.device_id in self._links:
            raise MeshError(
                f"A node called {link.device_id} is up already.", "Stop it, or use another id."
            )
        self._links[link.device_id] = link
        for other in sorted(self._links):
            if other != link.device_id and self.joined(other, link.device_id):
                self._tell(other, link.device_id, alive=True)

    def leave(self, link: MemoryLink) -> None:
        """Leave the medium, as a crash would."""
        if self._links.get(link.device_id) is not link:
            return
        for other in sorted(self._links):
            if other != link.device_id and self.joined(other, link.device_id):
                self._links[other].notice(link.device_id, link.role, alive=False)
        del self._links[link.device_id]

    def alive(self, device_id: str) -> list[MemoryLink]:
        """Everybody that device hears, in order of ids."""
        return [
            self._links[o]
            for o in sorted(self._links)
            if o != device_id and self.joined(o, device_id)
        ]

    def _tell(self, a: str, b: str, *, alive: bool) -> None:
        self._links[a].notice(b, self._links[b].role, alive=alive)
        self._links[b].notice(a, self._links[a].role, alive=alive)


class MemoryLink:
    """One node's end of a `MemoryHub`; keeps the contract of `link.Link`."""

    def __init__(self, hub: MemoryHub, device_id: str, role: str) -> None:
        self._hub = hub
        self._device_id = device_id
        self.role = role
        self._on_frame: list[FrameHandler] = []
        self._on_ask: AskHandler | None = None
        self._on_peer: list[PeerHandler] = []
        self._peers: dict[str, Peer] = {}
        self._roster: Roster | None = None  # None: everybody on the hub
        self._sent: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._inbox: asyncio.Queue[tuple[float, str, bytes, asyncio.Future[bytes] | None]]
        self._open = False

    @property
    def device_id(self) -> str:
        """This node's id."""
        return self._device_id

    @property
    def roster(self) -> Roster | None:
        """Whom this link talks to."""
        return self._roster

    async def open(self) -> None:
        """Join the hub; MeshError when the id is taken."""
        if self._open:
            return
        self._inbox = asyncio.Queue()
        self._hub.enter(self)
        self._open = True
        beside(self._tasks, self._deliver())

    async def close(self) -> None:
        """Leave the hub."""
        if not self._open:
            return
        self._open = False
        self._hub.leave(self)
        tasks = [t for t in self._tasks if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for device_id, peer in sorted(self._peers.items()):
            self._apply(device_id, peer.role, alive=False)

    async def put(self, to: str, frame: bytes, *, reliable: bool) -> int:
        """As `Link.put`."""
        _check_size(frame)
        reached = [o for o in self._reachable() if to in (o.device_id, o.role)]
        for other in reached:
            self._count(other.device_id, frame)
            if reliable or not self._hub.loses():
                other._arrive(self._device_id, frame, None)
        return len(reached)

    async def ask(self, device_id: str, frame: bytes, timeout_s: float) -> bytes:
        """As `Link.ask`."""
        _check_size(frame)
        other = next((o for o in self._reachable() if o.device_id == device_id), None)
        if other is None:
            raise MeshError(
                f"{device_id} is not reachable now.", "Is it up? `hearthway status` shows it."
            )
        self._count(device_id, frame)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        other._arrive(self._device_id, frame, answer)
        try:
            async with asyncio.timeout(timeout_s):  # wait_for of 3.11 loses a cancellation here
                return await answer
        except TimeoutError:
            raise MeshError(
                f"{device_id} did not answer within {timeout_s:g} s.",
                "Try again; is it busy or away?",
            ) from None

    def on_frame(self, callback: FrameHandler) -> None:
        """Call back with every frame."""
        self._on_frame.append(callback)

    def on_ask(self, callback: AskHandler) -> None:
        """The one answerer of asks."""
        self._on_ask = callback

    def on_peer(self, callback: PeerHandler) -> None:
        """Call back when a peer comes or goes."""
        self._on_peer.append(callback)

    def peers(self) -> dict[str, Peer]:
        """As `Link.peers`."""
        return dict(sorted(self._peers.items()))

    def counters(self) -> dict[str, int]:
        """As `Link.counters`."""
        return dict(sorted(self._sent.items()))

    def health(self) -> Health:
        """Open is healthy: this wire has no certificates."""
        if self._open:
            return Health(ok=True)
        return Health(ok=False, problem="The link is closed.", next_step="Start the node.")

    async def update_roster(self, roster: Roster) -> None:
        """As `Link.update_roster`."""
        self._roster = roster
        for device_id, peer in sorted(self._peers.items()):
            if not self._knows(device_id):
                self._apply(device_id, peer.role, alive=False)
                self._peers.pop(device_id)
        for other in self._reachable():
            self.notice(other.device_id, other.role, alive=True)

    async def update_identity(self, identity: DeviceIdentity) -> None:
        """As `Link.update_identity`: this wire has no certificates, so only the roster counts."""
        if identity.roster != self._roster and self._roster is not None:
            await self.update_roster(identity.roster)

    def is_near(self, device_id: str) -> bool:
        """As `Neighbouring.is_near`."""
        pair = frozenset((device_id, self._device_id))
        return self._hub.joined(device_id, self._device_id) and pair not in self._hub.far

    async def answers_near(self, device_id: str) -> bool:
        """As `Neighbouring.answers_near`."""
        return self.is_near(device_id)

    def notice(self, device_id: str, role: str, *, alive: bool) -> None:
        """The hub says that a peer came or went; told in the loop's next turn, as a wire would."""
        asyncio.get_running_loop().call_soon(partial(self._apply, device_id, role, alive=alive))

    def _apply(self, device_id: str, role: str, *, alive: bool) -> None:
        known = self._peers.get(device_id)
        if (known is not None and known.alive) == alive:
            return
        if alive and not (self._open and self._knows(device_id)):
            return
        now_s = asyncio.get_running_loop().time()
        self._peers[device_id] = Peer(device_id=device_id, role=role, alive=alive, since_s=now_s)
        for callback in self._on_peer:
            callback(device_id, alive)

    def _knows(self, device_id: str) -> bool:
        return self._roster is None or self._roster.member(device_id) is not None

    def _reachable(self) -> list[MemoryLink]:
        if not self._open:
            return []
        return [o for o in self._hub.alive(self._device_id) if self._knows(o.device_id)]

    def _count(self, device_id: str, frame: bytes) -> None:
        self._sent[device_id] = self._sent.get(device_id, 0) + len(frame)

    def _arrive(self, sender: str, frame: bytes, answer: asyncio.Future[bytes] | None) -> None:
        if self._knows(sender):
            due_s = asyncio.get_running_loop().time() + self._hub.latency_s
            self._inbox.put_nowait((due_s, sender, frame, answer))

    async def _deliver(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s, sender, frame, answer = await self._inbox.get()
            if due_s > loop.time():
                await asyncio.sleep(due_s - loop.time())
            if not self._hub.joined(sender, self._device_id):
                continue  # cut while under way
            if answer is not None:
                if self._on_ask is not None:  # called here and now, so that asks keep their turn
                    work = self._on_ask(sender, frame)
                    beside(self._tasks, self._reply(sender, work, answer), work)
                continue
            for callback in self._on_frame:
                callback(sender, frame)

    async def _reply(
        self, sender: str, work: Awaitable[bytes], answer: asyncio.Future[bytes]
    ) -> None:
        try:
            reply = await work
        except MeshError:
            return  # an ask that does not verify gets no answer
        self._count(sender, reply)
        if self._hub.latency_s:
            await asyncio.sleep(self._hub.latency_s)
        if not answer.done() and self._hub.joined(sender, self._device_id):
            answer.set_result(reply)


def _check_size(frame: bytes) -> None:
    if len(frame) > FRAME_MAX_BYTES:
        raise MeshError(
            f"A message of {len(frame)} bytes is larger than {FRAME_MAX_BYTES}.",
            "Send it in parts.",
        )
