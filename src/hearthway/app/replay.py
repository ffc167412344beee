"""Replays a recording through live nodes: the next event is released when every connected node has stored the last.

A node that vanishes is waited for (`HOLD_S`, event time stands still), then left out. One that returns gets the
instant it missed again; what it had stored already it drops as a repeat.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from hearthway.mesh.wire.node import MeshNode
from hearthway.records.messages import ACK, TICK, Ack, Tick
from hearthway.records.signals import Signal

from .clock import EventClock

HOLD_S = 15.0
ACK_TIMEOUT_S = 60.0
RESEND_S = 2.0  # a returned node may have missed the instant it was lost in

Instant = tuple[float, Sequence[Signal]]
Publish = Callable[[Sequence[Signal]], Awaitable[None]]


class Conductor:
    """The node that has the recording leads; everybody else acknowledges."""

    def __init__(
        self, mesh: MeshNode, clock: EventClock, publish: Publish, note: Callable[[str], None]
    ) -> None:
        self._mesh = mesh
        self._clock = clock
        self._publish = publish
        self._note = note
        self._acks: dict[str, int] = {}
        self._comings = 0  # how often somebody came or went
        self._lost_at: dict[str, float] = {}  # who is waited for, also between two instants
        self._changed = asyncio.Event()
        self.linger_s = 0.0  # set by whoever wants the next instants at a readable pace
        mesh.subscribe(ACK, Ack, self._on_ack)
        mesh.on_peer(self._on_peer)

    def _on_ack(self, meta: object, ack: Ack) -> None:
        self._acks[ack.node] = max(self._acks.get(ack.node, 0), ack.n)
        self._changed.set()

    def _on_peer(self, device_id: str, alive: bool) -> None:  # the mesh's callback form
        self._comings += 1
        if alive:
            self._acks.pop(device_id, None)  # it may have forgotten: it gets the instant again
        else:
            self._lost_at.setdefault(device_id, asyncio.get_running_loop().time())
        self._changed.set()

    async def play(self, instants: Iterable[Instant], speed: float) -> int:
        """Release every instant; `speed` 0 is as fast as it goes, 1 is real time. Returns how many."""
        n, last_s = 0, None
        self._lost_at.clear()
        for time_s, signals in instants:
            n += 1
            if last_s is not None:
                if speed > 0:
                    await asyncio.sleep((time_s - last_s) / speed)
                elif self.linger_s > 0:
                    await asyncio.sleep(self.linger_s)
                    self.linger_s = 0.0
            last_s = time_s
            await self._release(n, time_s, signals)
        return n

    async def _release(self, n: int, time_s: float, signals: Sequence[Signal]) -> None:
        self._clock.set(time_s)
        expected = self._connected() | set(self._lost_at)
        await self._send(n, time_s, signals)
        loop = asyncio.get_running_loop()
        lost_at = self._lost_at
        sent_at = loop.time()
        deadline = sent_at + ACK_TIMEOUT_S
        while True:
            now = loop.time()
            alive = self._connected()
            for name in expected - alive:
                lost_at.setdefault(name, now)
            returned = {name for name in lost_at if name in alive}
            waiting = {name for name in expected | returned if self._acks.get(name, 0) < n}
            waiting -= {
                name
                for name, since in lost_at.items()
                if name not in alive and now - since > HOLD_S
            }
            if not waiting:
                for name, since in list(lost_at.items()):
                    if name in alive or now - since > HOLD_S:
                        del lost_at[name]  # back, or given up; the others are waited for again
                return
            if now > deadline:
                self._note(
                    f"{', '.join(sorted(waiting))} did not answer for {ACK_TIMEOUT_S:.0f} s; going on without"
                )
                return
            if waiting & returned and now - sent_at > RESEND_S / 4:
                await self._send(n, time_s, signals)
                sent_at = loop.time()
            self._changed.clear()
            try:
                await asyncio.wait_for(
                    self._changed.wait(), RESEND_S if not returned else RESEND_S / 4
                )
            except TimeoutError:
                continue

    async def _send(self, n: int, time_s: float, signals: Sequence[Signal]) -> None:
        while True:  # who returns between signals and tick would acknowledge what it never heard
            before = self._comings
            await self._publish(signals)
            if self._comings == before:
                break
        await self._mesh.publish(TICK, Tick(n=n, time_s=time_s), "replay", reliable=True)

    def _connected(self) -> set[str]:
        return {name for name, peer in self._mesh.peers().items() if peer.alive}
