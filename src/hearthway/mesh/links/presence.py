"""Which peers are there: by zenoh's tokens, by a stream that stands where zenoh does not see them (yet), or held on to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from hearthway.mesh.trust.roster import Roster
from hearthway.records.household import Peer

from .link import PeerHandler
from .stream import Stream
from .ways import BYE, HELD, HOLD, PING, PONG, SOON_S, Ways

HOLD_S = 3.0  # a session opened anew is back by then; a peer whose stream stands stays meanwhile
_BEAT_S, _SILENT_S = 0.5, 2.0  # a peer that only its stream shows is asked whether it is there
_FRESH_S = 1.0  # whoever was heard by its stream so lately is there: a node that hangs is missed 1.5 to 2 s after its last word
# A wire was cut and zenoh has not noticed: its word is not taken for so long. It was seen to notice after 10 s.
_DOUBT_S = 15.0
# For so long after a wire was cut zenoh may say nothing of anybody: it closes its sockets with a linger of 10 s, which blocks a
# thread and whatever task waits there. A third node that then hung was missed only after 4.5 to 5 s.
_SHAKEN_S = 12.0


class Presence:
    """Who is there, of one node's peers. `changed(device_id, alive)` comes before the listeners of `on_peer`."""

    def __init__(
        self,
        roster: Callable[[], Roster],
        is_open: Callable[[], bool],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        changed: Callable[[str, bool], None],
    ) -> None:
        self.ways: Ways  # set once, by whoever made both
        self.on_peer: list[PeerHandler] = []
        self.peers: dict[str, Peer] = {}
        self.tokens: set[str] = set()  # whom zenoh sees, by its own word
        self._doubts: dict[str, asyncio.TimerHandle] = {}  # of whom that word is not taken
        self._roster, self._is_open, self._spawn, self._changed = roster, is_open, spawn, changed
        self._held_s: dict[str, float] = {}  # whose session is opened anew, until when it may be
        self._meeting: dict[str, asyncio.Task[None]] = {}
        self._beating: set[str] = set()
        self._shaken_until_s = 0.0
        self._leaving: set[str] = set()  # who said so
        self._unheld: set[str] = set()  # who has not said yet that it heard our HOLD or BYE
        self._all_held = asyncio.Event()
        self._asked: dict[
            Stream, set[asyncio.Future[None]]
        ] = {}  # who waits whether somebody answers on it now

    def is_alive(self, device_id: str) -> bool:
        """Is it there?"""
        peer = self.peers.get(device_id)
        return peer is not None and peer.alive

    def sees(self, device_id: str) -> bool:
        """Does zenoh see it, as far as it can be believed?"""
        return device_id in self.tokens and device_id not in self._doubts

    # -- zenoh's view ---------------------------------------------------------------------------

    def notice(self, device_id: str, *, alive: bool) -> None:
        """Zenoh sees that peer, or sees it no more. Where that is old news, a stream that stands knows better."""
        doubted = self._trust(device_id)
        if alive:
            self.tokens.add(device_id)
            self._meet(device_id)
            return
        self.tokens.discard(device_id)
        stream = self.ways.stream(device_id)
        fresh = stream is not None and not stream.closed and stream.silent_s < _FRESH_S
        # Whoever moved has to be missed: its return is what makes both sides write down where it is.
        fresh = fresh and self.ways.as_listed(device_id)
        if stream is not None and self._is_open() and (doubted or fresh):
            self.stands(device_id)
            return
        held_s = self._held_s.get(device_id, 0.0) - time.monotonic()
        if held_s > 0.0 and self.is_alive(device_id) and stream is not None:
            asyncio.get_running_loop().call_later(held_s, self._let_go, device_id)
        else:
            silently = stream is not None and not stream.closed and device_id not in self._leaving
            self.gone(device_id)
            if silently:
                self._shaken()

    def nobody(self) -> None:
        """Zenoh's session was closed: it sees nobody."""
        for device_id in sorted(self.peers.keys() | self.tokens):
            self.notice(device_id, alive=False)

    def _doubt(self, device_id: str) -> None:
        """Its wire is cut: what zenoh says of it is older than that."""
        self._trust(device_id)
        if device_id in self.tokens:
            loop = asyncio.get_running_loop()
            self._doubts[device_id] = loop.call_later(_DOUBT_S, self._believe, device_id)

    def _trust(self, device_id: str) -> bool:
        """Doubt it no more; was it doubted?"""
        timer = self._doubts.pop(device_id, None)
        if timer is not None:
            timer.cancel()
        return timer is not None

    def _believe(self, device_id: str) -> None:
        """Zenoh kept to its word."""
        self._trust(device_id)
        if device_id in self.tokens:
            self._meet(device_id)

    def _meet(self, device_id: str) -> None:
        if device_id in self._meeting or self.is_alive(device_id) or not self._is_open():
            return
        self._meeting[device_id] = self._spawn(self._welcome(device_id))

    async def _welcome(self, device_id: str) -> None:
        await self.ways.meet(device_id)
        self._meeting.pop(device_id, None)
        self._tell(device_id, alive=True)

    # -- a session opened anew, ours or theirs --------------------------------------------------

    async def ask_to_hold(self) -> None:
        """Our session is opened anew now: peers whose stream stands are told, and stay there on both sides."""
        until_s = time.monotonic() + HOLD_S
        said = self._say(HOLD)
        self._held_s |= dict.fromkeys(said, until_s)
        await self._heard_by(said)

    async def say_bye(self) -> None:
        """This node leaves: no wire of it is cut."""
        await self._heard_by(self._say(BYE))

    def _say(self, word: bytes) -> list[str]:
        said = []
        for device_id in sorted(self.peers):
            stream = self.ways.stream(device_id)
            if stream is not None and self.is_alive(device_id) and stream.write(word):
                said.append(device_id)
        return said

    async def _heard_by(self, said: list[str]) -> None:
        """Zenoh must not tell them first; 0.3 s at most."""
        self._unheld |= set(said)
        self._all_held.clear()
        if self._unheld:
            with suppress(TimeoutError):
                async with asyncio.timeout(SOON_S):
                    await self._all_held.wait()
        self._unheld.clear()

    def _let_go(self, device_id: str) -> None:
        if device_id not in self.tokens:
            self.stands(device_id)

    # -- streams --------------------------------------------------------------------------------

    def hear(self, sender: str, kind: bytes, stream: Stream | None) -> None:
        """A word about being there."""
        if kind in (HOLD, BYE) and stream is not None:
            if kind == HOLD:
                self._held_s[sender] = time.monotonic() + HOLD_S
            else:
                self._leaving.add(sender)
            if stream.writable:  # nothing piles up for somebody who asks and never reads
                stream.write(HELD)
        elif kind == PING and stream is not None:
            if stream.writable:
                stream.write(PONG)
        elif kind == PONG:
            for asked in () if stream is None else self._asked.get(stream, ()):
                if not asked.done():
                    asked.set_result(None)
        elif kind == HELD:
            self._unheld.discard(sender)
            if not self._unheld:
                self._all_held.set()

    def stands(self, device_id: str) -> None:
        """A stream to it is in use. Where zenoh does not see it (yet), the stream itself shows that it is there."""
        if not self._is_open() or self.ways.stream(device_id) is None:
            return
        if not self._zenoh_tells(device_id):
            self._watch(device_id)
        if not self.sees(device_id):
            self._tell(device_id, alive=True)

    def _zenoh_tells(self, device_id: str) -> bool:
        """Does it see that peer, and would it say so if it went?"""
        return self.sees(device_id) and time.monotonic() >= self._shaken_until_s

    def _watch(self, device_id: str) -> None:
        if device_id not in self._beating:
            self._beating.add(device_id)
            self._spawn(self._beat(device_id))

    def _shaken(self) -> None:
        """Somebody fell silent: those whose stream stands are asked themselves for a while."""
        if not self._is_open():
            return
        self._shaken_until_s = time.monotonic() + _SHAKEN_S
        for device_id in [d for d, peer in self.peers.items() if peer.alive]:
            self.stands(device_id)

    async def answers(self, stream: Stream, timeout_s: float) -> bool:
        """Does the other side of that very stream answer now?"""
        asked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._asked.setdefault(stream, set())
        waiting.add(asked)
        try:
            if not stream.write(PING):
                return False
            async with asyncio.timeout(timeout_s):
                await asked
        except TimeoutError:
            return False
        finally:
            waiting.discard(asked)
            if not waiting:
                self._asked.pop(stream, None)
        return not stream.closed

    async def _beat(self, device_id: str) -> None:
        """Until zenoh can be relied on for it, or it is silent for 2 s. Zenoh can take 10 s to find a peer whose wire was cut."""
        begun_s = time.monotonic()
        try:
            while (stream := self.ways.stream(device_id)) is not None:
                if self._zenoh_tells(device_id):
                    return
                # Unasked it may have had nothing to say for hours.
                now_s = time.monotonic()
                left_s = _SILENT_S - min(stream.silent_s, now_s - begun_s)
                if left_s <= 0.0:
                    self._doubt(device_id)
                    stream.abort()
                    self._shaken()
                    return
                stream.write(PING)
                wait_s = min(_BEAT_S, left_s)  # not a beat later than it is silent
                await asyncio.sleep(wait_s)
                if time.monotonic() - now_s > wait_s + _BEAT_S:
                    begun_s = time.monotonic()  # this node stood still itself, and heard nobody
        finally:
            self._beating.discard(device_id)

    def broke(self, device_id: str, *, unheard: bool) -> None:
        """A stream in use ended: what it still carried may be lost, so the peer is gone, and perhaps back at once.

        `unheard`: because its machine acknowledged nothing.
        """
        if unheard:
            self._doubt(device_id)
            self._shaken()
        if not self.sees(device_id):
            self.gone(device_id)
            return
        self._tell(device_id, alive=False)
        self._meet(device_id)

    def gone(self, device_id: str) -> None:
        """It is not there, and no stream to it is kept."""
        meeting = self._meeting.pop(device_id, None)
        if meeting is not None:
            meeting.cancel()
        self._held_s.pop(device_id, None)
        self.ways.part(device_id)
        self._tell(device_id, alive=False)

    def _tell(self, device_id: str, *, alive: bool) -> None:
        if self.is_alive(device_id) == alive:
            return
        self._leaving.discard(device_id)
        member = self._roster().member(device_id)
        self.peers[device_id] = Peer(
            device_id=device_id,
            role=member.role if member else self.peers[device_id].role,
            alive=alive,
            since_s=time.monotonic(),
        )
        self._changed(device_id, alive)
        for callback in self.on_peer:
            callback(device_id, alive)
