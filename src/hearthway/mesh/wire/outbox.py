"""What waits to be sent to one peer: many messages a frame, a pump a lane, bounded in bytes.

Nobody who publishes waits for a peer. What piles up behind a slow wire is bounded: of unreliable messages the
newest of each key stays; reliable ones are refused when their lane is full.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from hearthway.records.errors import HearthwayError

from .envelope import RELIABLE, UNRELIABLE, Frame, Head

BATCH = 64  # messages a frame
BATCH_BYTES = 32 * 1024
TURN_FRAMES = 4  # so many frames pile up before a publisher lets the loop turn: a turn costs as much as sealing
ROOM_BYTES = 1024 * 1024  # beyond it a publisher of reliable messages gives the wire a moment
LANE_BYTES = {UNRELIABLE: 256 * 1024, RELIABLE: 8 * 1024 * 1024}
WAIT_S = 0.004
_OVERHEAD_BYTES = 64  # what a waiting message costs beside its body

Send = Callable[[int, Frame], Awaitable[object]]  # (lane, frame): seal and hand to the wire


class _Lane:
    """One lane's queue."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.waiting: deque[tuple[Head, bytes, object]] = deque()
        self.bytes = 0
        self.pump: asyncio.Task[None] | None = None
        self.moved = asyncio.Event()

    def put(self, head: Head, body: bytes, key: object) -> bool:
        """Queue it; False when there is no room for it."""
        cost = len(body) + _OVERHEAD_BYTES
        if self.bytes + cost > LANE_BYTES[self.number] and self.waiting:
            if self.number == RELIABLE:
                return False
            self._newest_only(cost, key)
        self.waiting.append((head, body, key))
        self.bytes += cost
        return True

    def _newest_only(self, cost: int, key: object) -> None:
        """Of each key the newest stays; if that is still too much, the oldest go."""
        seen = {key}
        kept: deque[tuple[Head, bytes, object]] = deque()
        left = LANE_BYTES[self.number] - cost
        for entry in reversed(self.waiting):
            size = len(entry[1]) + _OVERHEAD_BYTES
            if entry[2] not in seen and size <= left:
                seen.add(entry[2])
                kept.appendleft(entry)
                left -= size
        self.waiting = kept
        self.bytes = sum(len(body) + _OVERHEAD_BYTES for _, body, _ in kept)

    def batch(self, now_s: float) -> Frame:
        """The next frame: up to 64 messages or 32 KiB, at least one."""
        heads: dict[int, int] = {}
        table: list[Head] = []
        of: list[int] = []
        bodies: list[bytes] = []
        size = 0
        waiting = self.waiting
        while waiting and len(of) < BATCH and size < BATCH_BYTES:
            head, body, _ = waiting.popleft()
            at = heads.get(id(head))
            if at is None:
                at = heads[id(head)] = len(table)
                table.append(head)
            of.append(at)
            bodies.append(body)
            size += len(body)
        self.bytes -= size + len(of) * _OVERHEAD_BYTES
        return Frame(now_s, tuple(table), of, bodies)


class Outbox:
    """One peer's lanes."""

    def __init__(
        self,
        send: Send,
        send_raw: Callable[[bytes], Awaitable[object]],
        now: Callable[[], float],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        """`spawn` starts a task that ends with the node."""
        self._send = send
        self._now = now
        self._spawn = spawn
        self._lanes = {UNRELIABLE: _Lane(UNRELIABLE), RELIABLE: _Lane(RELIABLE)}
        self._send_raw = send_raw
        self._ahead: deque[bytes] = deque()
        self._closed = False

    def add(self, lane_number: int, head: Head, body: bytes, key: object) -> bool:
        """Queue a message; it goes when the loop turns. False: no room, it was dropped."""
        lane = self._lanes[lane_number]
        if self._closed or not lane.put(head, body, key):
            return False
        if lane.pump is None:
            lane.pump = self._spawn(self._pump(lane))
        return True

    def piled(self, lane_number: int) -> bool:
        """Is so much waiting that the loop should turn?"""
        lane = self._lanes[lane_number]
        return len(lane.waiting) >= TURN_FRAMES * BATCH or lane.bytes >= TURN_FRAMES * BATCH_BYTES

    async def give_way(self, lane_number: int) -> None:
        """Let the pump run; where a reliable lane is filling up, for at most 4 ms."""
        lane = self._lanes[lane_number]
        await asyncio.sleep(0)
        if lane_number != RELIABLE or lane.bytes < ROOM_BYTES:
            return
        deadline = time.monotonic() + WAIT_S
        while lane.bytes >= ROOM_BYTES and (left := deadline - time.monotonic()) > 0:
            lane.moved.clear()
            try:
                async with asyncio.timeout(left):  # wait_for of 3.11 can lose a cancellation
                    await lane.moved.wait()
            except TimeoutError:
                return

    @property
    def waiting(self) -> bool:
        """Is anything not with the wire yet?"""
        return any(lane.pump is not None for lane in self._lanes.values())

    def first(self, frame: bytes) -> None:
        """Send these bytes as they are before anything that waits."""
        self._ahead.append(frame)
        for lane in self._lanes.values():
            if lane.pump is None:
                lane.pump = self._spawn(self._pump(lane))

    async def flush(self) -> None:
        """Until everything queued so far is with the wire: before an ask, so that order is kept."""
        for lane in self._lanes.values():
            if lane.pump is not None:
                await asyncio.wait([lane.pump])

    def close(self) -> None:
        """The peer is gone: what waits is dropped, and nothing is taken any more."""
        self._closed = True
        self._ahead.clear()
        for lane in self._lanes.values():
            lane.waiting.clear()
            lane.bytes = 0
            lane.moved.set()

    async def _pump(self, lane: _Lane) -> None:
        try:
            while self._ahead or lane.waiting:
                try:
                    while self._ahead:
                        await self._send_raw(self._ahead.popleft())
                    if lane.waiting:
                        await self._send(lane.number, lane.batch(self._now()))
                except HearthwayError:
                    continue  # the peer went meanwhile, or the frame is too large for the wire
                finally:
                    lane.moved.set()
        finally:
            lane.pump = None
