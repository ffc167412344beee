"""Which way frames go to each peer: over its stream when one stands, else over zenoh, never mixed.

The device with the lower id dials; if that fails, or takes 2 s, the other one dials as well. The lower id also
decides which stream is used: it says so (`USE`) on the stream itself, and the other follows. Whoever changes its
way says a last word on the old one (`LAST`), and the receiver reads the new way only after it: no frame is
overtaken. Frames lost with a stream that broke are nobody's silent loss: the peer counts as gone for a moment.

A missing peer is dialled anew while earlier dials still wait (`knock`), from both sides: the first stream that stands is used.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.records.errors import MeshError

from .beside import beside
from .probe import split_address
from .stream import Stream, Streams

USE, LAST, DIAL, HOLD, HELD, PING, PONG, BYE = b"U", b"M", b"D", b"H", b"h", b"P", b"p", b"B"
SOON_S = 0.3  # a peer is told of once its stream stands, or after so long
PATIENCE_S = 2.0  # a reliable frame waits so long for a full wire
MOMENT_S = 0.02  # and any other so long, before it is dropped
WAITING_MAX_BYTES = 16 * 1024 * 1024
_OTHER_DIALS_S = 2.0
_LAST_WORD_S = 1.0
_REDIAL_S = 0.5
_KNOCKS_MAX = 4  # dials of one missing peer at a time; for one more the oldest is given up
_YOUNG_S = 1.0  # of streams that were dialled at the same time the first is used
_AGAIN_S = (0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)


@dataclass
class Way:
    """One peer: the stream in use, and what is known of others."""

    device_id: str
    stream: Stream | None = None
    near: bool = False  # zenoh says it is there
    mixed: bool = False  # something went over zenoh since the last stream
    waiting_bytes: int = 0
    redial_s: float = 0.0  # monotonic: not asked to dial again before
    stands_s: float = -math.inf  # monotonic: since when its stream is used
    lane: asyncio.Lock = field(default_factory=asyncio.Lock)
    asked: asyncio.Event = field(default_factory=asyncio.Event)  # the other side asked us to dial
    found: asyncio.Event = field(default_factory=asyncio.Event)  # a stream is in use
    courting: asyncio.Task[None] | None = None
    last_words: set[bytes] = field(default_factory=set)
    held: dict[bytes, Stream] = field(default_factory=dict)  # waits for that last word


class Ways:
    """The streams of one node. `by_zenoh(device_id, payload, reliable)` sends over zenoh."""

    def __init__(
        self,
        identity: DeviceIdentity,
        listen: str,
        now: Callable[[], float],
        *,
        by_zenoh: Callable[[str, bytes, bool], Awaitable[bool]],
        deliver: Callable[[str, bytes, Stream], None],
        stands: Callable[[str], None],
        broke: Callable[[str, Stream], None],
    ) -> None:
        """`deliver` gets what is not about the ways themselves; the others hear of a stream in use, and of its end."""
        self.identity = identity
        self.streams = Streams(
            identity, listen, now, up=self._up, deliver=self._hear, lost=self._lost
        )
        self._by_zenoh, self._deliver = by_zenoh, deliver
        self._stands, self._broke = stands, broke
        self._ways: dict[str, Way] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._knocks: dict[str, list[asyncio.Task[None]]] = {}  # under way, oldest first
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._token = 0
        self._open = False

    async def open(self) -> None:
        """Listen for streams."""
        self._open = True
        await self.streams.open()

    def leave(self) -> None:
        """This node goes: no new streams, or it would be missed, found and missed again. Those that stand stay."""
        self._open = False
        self.streams.shut_door()
        for knock in [task for knocks in self._knocks.values() for task in knocks]:
            knock.cancel()
        self._knocks.clear()

    async def close(self) -> None:
        """End every stream."""
        self.leave()
        for way in self._ways.values():
            self._stop_courting(way)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.streams.close()
        self._ways.clear()

    def way(self, device_id: str) -> Way:
        """What is known of that peer's streams."""
        found = self._ways.get(device_id)
        if found is None:
            found = self._ways[device_id] = Way(device_id)
        return found

    def stream(self, device_id: str) -> Stream | None:
        """The stream in use, if one stands."""
        way = self._ways.get(device_id)
        return way.stream if way is not None else None

    def as_listed(self, device_id: str) -> bool:
        """Does the stream in use run between the two addresses that the list of devices says?"""
        stream, member = self.stream(device_id), self.identity.roster.member(device_id)
        if stream is None or member is None:
            return False
        listed = [split_address(a)[0] for a in (self.identity.address, member.address)]
        return [stream.own_host, stream.host] == listed

    # -- coming and going ----------------------------------------------------------------------

    async def meet(self, device_id: str) -> None:
        """Zenoh says it is there: a stream is sought; returns once it stands, or after 0.3 s."""
        way = self.way(device_id)
        way.near = True
        self._court(way)
        with suppress(TimeoutError):
            async with asyncio.timeout(SOON_S):
                await way.found.wait()

    def knock(self, device_id: str) -> None:
        """Zenoh does not see it: one more dial all the same, its wire may be back.

        Dials before it go on (RFC 8305 does so between addresses): a packet that one of them lost comes again only
        after 0.2 to 1 s.
        """
        way, knocks = self.way(device_id), self._knocks.setdefault(device_id, [])
        if way.stream is not None or not self._open:
            return
        if knocks and not self._is_number(device_id):
            return  # a name is looked up in a thread that nobody can call back
        while len(knocks) >= _KNOCKS_MAX:
            knocks.pop(0).cancel()
        task = self._spawn(self._knock(way, knocks))
        knocks.append(task)

    async def _knock(self, way: Way, knocks: list[asyncio.Task[None]]) -> None:
        try:
            await self._dial(way)
        finally:
            knocks[:] = [task for task in knocks if task is not asyncio.current_task()]

    def _is_number(self, device_id: str) -> bool:
        member = self.identity.roster.member(device_id)
        try:
            ipaddress.ip_address(split_address(member.address)[0] if member else "")
        except ValueError:
            return False
        return True

    def part(self, device_id: str) -> None:
        """It is gone: nothing is sought or kept."""
        way = self._ways.pop(device_id, None)
        if way is None:
            return
        self._stop_courting(way)
        stream, way.stream = way.stream, None
        if stream is not None:
            stream.abort()
        for held in list(way.held.values()):
            held.abort()

    def use_roster(self, identity: DeviceIdentity) -> None:
        """Cut, now, the streams of whoever is no member any more."""
        self.identity = identity
        self.streams.use_roster(identity)

    async def renew(self, identity: DeviceIdentity) -> None:
        """New certificate files: a new stream to every peer, used before the old one ends."""
        self.identity = replace(identity, roster=self.identity.roster)
        await self.streams.use_identity(identity)
        for way in list(self._ways.values()):
            if way.stream is None:
                continue
            if self._decides(way):
                self._spawn(self._redial(way))
            else:
                way.stream.write(DIAL)

    def _decides(self, way: Way) -> bool:
        return self.identity.device_id < way.device_id

    def _court(self, way: Way) -> None:
        if self._open and (way.courting is None or way.courting.done()):
            way.courting = asyncio.get_running_loop().create_task(self._seek(way))

    def _stop_courting(self, way: Way) -> None:
        if way.courting is not None:
            way.courting.cancel()

    async def _seek(self, way: Way) -> None:
        """Dial until a stream stands, the lower id at once, the other when asked or after 2 s."""
        decides, tries = self._decides(way), 0
        if not decides:
            with suppress(TimeoutError):
                async with asyncio.timeout(_OTHER_DIALS_S):
                    await way.asked.wait()
        while way.near and not way.found.is_set():
            if not await self._dial(way) and decides:
                await self._word(way, DIAL)
            way.asked.clear()
            pause_s = _AGAIN_S[min(tries, len(_AGAIN_S) - 1)] * self._rng.uniform(0.7, 1.3)
            tries += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await (way.found if decides else way.asked).wait()

    async def _dial(self, way: Way) -> bool:
        member = self.identity.roster.member(way.device_id)
        if member is None or not split_address(member.address)[1]:
            return False
        try:
            await self.streams.dial(way.device_id, member.address)
        except MeshError:
            return False
        return True

    # -- streams -------------------------------------------------------------------------------

    def _up(self, stream: Stream) -> None:
        if self._decides(self.way(stream.device_id)):
            self._spawn(self._switch(stream))
        else:  # the other side says on which stream
            asyncio.get_running_loop().call_later(PATIENCE_S, self._unused, stream)

    def _unused(self, stream: Stream) -> None:
        if self.stream(stream.device_id) is not stream:
            stream.abort()

    async def _switch(self, stream: Stream) -> None:
        """Go over to it, in turn.

        The peer may part while this waits for its turn: the stream is then the first of its new way. Used on the old
        one, which nobody looks at any more, it would stand for the other side alone.
        """
        while not stream.closed:
            way = self.way(stream.device_id)
            async with way.lane:  # who sends reliably waits here meanwhile
                if self._is_current(way) and await self._go_over(way, stream):
                    return

    async def _go_over(self, way: Way, stream: Stream) -> bool:
        """False where the peer parted, or the stream ended, meanwhile."""
        if stream.closed or way.stream is stream:
            return True
        if self._decides(way) and self._comes_second(way):
            stream.close()
            return True
        old, token = way.stream, b""
        if way.mixed or (old is not None and not old.closed):
            self._token += 1
            token = self._token.to_bytes(8, "big")
            if old is not None and not old.closed:
                old.write(LAST + token)
            else:
                await self._word(way, LAST + token)
                if stream.closed or not self._is_current(way):
                    return False
        stream.write(USE + token)
        way.stream, way.mixed, way.stands_s = stream, False, time.monotonic()
        way.found.set()
        for knock in self._knocks.pop(way.device_id, ()):
            knock.cancel()
        self._stands(way.device_id)
        return True

    def _is_current(self, way: Way) -> bool:
        return self._ways.get(way.device_id) is way

    def _comes_second(self, way: Way) -> bool:
        """Of those that were dialled at the same time, one stands already."""
        stands = way.stream is not None and not way.stream.closed
        return stands and time.monotonic() - way.stands_s < _YOUNG_S

    async def _word(self, way: Way, payload: bytes) -> None:
        reliable = True
        await self._by_zenoh(way.device_id, payload, reliable)

    def _hear(self, stream: Stream, payload: bytes) -> None:
        kind = payload[:1]
        if kind in (USE, LAST, DIAL):
            self.hear(stream.device_id, payload, stream)
        else:
            self._deliver(stream.device_id, payload, stream)

    def hear(self, device_id: str, payload: bytes, stream: Stream | None) -> None:
        """A word about the ways themselves, by a stream or (None) by zenoh."""
        way, kind, token = self.way(device_id), payload[:1], payload[1:9]
        if kind == DIAL:
            way.asked.set()
            now_s = time.monotonic()
            due = now_s >= way.redial_s  # a word costs a byte, a dial a handshake
            if due and stream is not None and stream is way.stream and self._decides(way):
                way.redial_s = now_s + _REDIAL_S
                self._spawn(self._redial(way))
        elif kind == LAST:
            held = way.held.pop(token, None)
            if held is not None:
                held.release()
            elif len(way.last_words) < 64:
                way.last_words.add(token)
            if stream is not None and self._decides(way) and stream is not way.stream:
                stream.close()  # both sides have said their last word on it
        elif kind == USE and stream is not None:
            if token and token not in way.last_words:
                stream.hold()
                way.held[token] = stream
                asyncio.get_running_loop().call_later(_LAST_WORD_S, self._no_word, way, token)
            way.last_words.discard(token)
            if not self._decides(way) and way.stream is not stream:
                self._spawn(self._switch(stream))

    def _no_word(self, way: Way, token: bytes) -> None:
        held = way.held.pop(token, None)
        if held is not None:
            held.release()

    async def _redial(self, way: Way) -> None:
        way.stands_s = -math.inf  # the new one is to be used, however young the old one is
        await self._dial(way)

    def _lost(self, stream: Stream) -> None:
        way = self._ways.get(stream.device_id)
        if way is None:
            return
        for token, held in list(way.held.items()):
            if held is stream:
                way.held.pop(token)
        if way.stream is stream:
            way.stream = None
            way.found.clear()
            self._broke(stream.device_id, stream)

    # -- sending -------------------------------------------------------------------------------

    def write(self, device_id: str, payload: bytes) -> Stream | None:
        """The stream that took it in this very turn; None where none stands, or its turn has not come."""
        way = self._ways.get(device_id)
        stream = way.stream if way is not None else None
        if way is None or stream is None or way.lane.locked() or not stream.writable:
            return None
        return stream if stream.write(payload) else None

    async def send(
        self, device_id: str, payload: bytes, *, reliable: bool = True
    ) -> tuple[bool, Stream | None]:
        """In turn: was it handed over, and to which stream (None: zenoh)?

        MeshError where a reliable one found the wire full for 2 s, or too much waiting before it.
        """
        stream = self.write(device_id, payload)
        if stream is not None:
            return True, stream
        way = self.way(device_id)
        if way.waiting_bytes + len(payload) > WAITING_MAX_BYTES:
            return _full(device_id, reliable=reliable)
        way.waiting_bytes += len(payload)
        try:
            async with asyncio.timeout(PATIENCE_S if reliable else MOMENT_S), way.lane:
                stream = way.stream
                if stream is not None:
                    return await stream.send(payload), stream
                way.mixed = True
                return await self._by_zenoh(device_id, payload, reliable), None
        except TimeoutError:
            return _full(device_id, reliable=reliable)
        finally:
            way.waiting_bytes -= len(payload)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return beside(self._tasks, work)


def _full(device_id: str, *, reliable: bool) -> tuple[bool, None]:
    """Dropped, or said."""
    if not reliable:
        return False, None
    raise MeshError(
        f"The wire to {device_id} is full: it takes nothing.", "Try again; is it busy or away?"
    )
