"""The link over Zenoh: peer mode, mutual TLS, one certificate authority, access by certificate name.

Zenoh finds the peers and says who is there. Frames, asks and answers go over a TLS stream to each peer (`ways`), and
over zenoh where none stands. Every frame over zenoh goes to one device: key
`hw/<household>/to/<receiver>/<sender>`, one subscriber a node. Asks are numbered messages, not queries: so they
keep their turn among frames, and a peer lost uncleanly cannot leave a dead query route behind. What zenoh
keeps quiet about (a refused certificate, a foreign root) is found by a TLS handshake of our own (`probe`).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from threading import Thread
from typing import Any

import msgspec
import zenoh

from hearthway.records.errors import MeshError
from hearthway.records.household import Peer

from .certificates import check_certificate
from .identity import DeviceIdentity
from .link import FRAME_MAX_BYTES, AskHandler, FrameHandler, Health, PeerHandler
from .probe import probe, probe_context, split_address
from .roster import Member, Roster
from .stream import Stream
from .ways import DIAL, HELD, HOLD, LAST, PING, PONG, SOON_S, Ways
from .zenoh_config import (
    LEASE_MS,
    OPEN_LONG_MS,
    OPEN_MS,
    PARKED_LEASE_MS,
    key_prefix,
    zenoh_config,
)

INBOX_MAX = (
    50_000  # frames waiting for the event loop; beyond it unreliable and reliable alike are dropped
)
_WATCH_S = 0.5  # somebody missing so long is looked for
_CLOSE_S = 2.0  # zenoh waits 10 s for a wire that is gone; whoever leaves for good need not
_REBIND_S = 5.0  # a closed session's port may stay taken for a moment
_PROBE_AGAIN_S = (1.0, 2.0, 4.0, 10.0, 10.0, 10.0, 30.0, 60.0)
_HOLD_S = 3.0  # a session opened anew is back by then; a peer whose stream stands stays meanwhile
_DEAF = 3  # found there by so many probes, and zenoh has not: the session is opened anew, with more patience
_DEAF_S = 30.0
_KNOCK_AGAIN_S = (
    0.3,
    0.3,
    0.5,
    0.5,
    0.5,
    0.5,
    1.0,
)  # between dials of a missing peer, the first minute
_KNOCKS, _KNOCK_RARELY_S = 60, 5.0  # and after so many
_BEAT_S, _SILENT_S = 0.5, 2.0  # a peer that only its stream shows is asked whether it is there
_QUIET_S = (
    120.0  # nothing sent for so long: a parked node may open its session anew with the longer lease
)
_INLINE_BYTES = (
    32 * 1024
)  # fits zenoh's queue (2 x 64 KiB), so a put of so little cannot block the loop
_FRAME, _ASK, _ANSWER = b"F", b"A", b"R"


class ZenohLink:
    """This node's end of the household's mesh; keeps the contract of `link.Link`."""

    def __init__(
        self,
        identity: DeviceIdentity,
        *,
        listen: str,
        now_s: float,
    ) -> None:
        """`listen` is "host:port" ("0.0.0.0:7447" hears on every interface); `now_s` real time, for dates."""
        self._identity = identity
        self._listen = listen
        self._now_s, self._made_s = now_s, time.monotonic()
        self._lease_ms, self._open_ms = LEASE_MS, OPEN_MS
        self._parked = False
        self._sent_s = time.monotonic()
        self._prefix = key_prefix(identity)
        self._roster = identity.roster
        self._on_frame: list[FrameHandler] = []
        self._on_ask: AskHandler | None = None
        self._on_peer: list[PeerHandler] = []
        self._peers: dict[str, Peer] = {}
        self._sent: dict[str, int] = {}
        self._asks: dict[bytes, tuple[str, asyncio.Future[bytes]]] = {}
        self._asked_by: dict[bytes, Stream] = {}  # the stream an ask went over
        self._ask_number = 0
        self._tokens: set[str] = set()  # whom zenoh sees
        self._held_s: dict[str, float] = {}  # whose session is opened anew, until when it may be
        self._meeting: dict[str, asyncio.Task[None]] = {}
        self._beat_s: dict[str, float] = {}  # when a peer without a token was last heard
        self._beating: set[str] = set()
        self._unheld: set[str] = set()  # who has not said yet that it will hold on to us
        self._all_held = asyncio.Event()
        self._changed = asyncio.Event()
        self._left = asyncio.Event()
        self._ways = Ways(
            identity,
            listen,
            self._now,
            by_zenoh=self._by_zenoh,
            deliver=self._take,
            stands=self._stands,
            broke=self._broke,
        )
        self._unheard: dict[str, int] = {}  # bytes put since we last heard from that device
        self._found: dict[str, Health] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: zenoh.Session | None = None
        self._declared: list[Any] = []
        self._generation = 0  # callbacks of a session that was closed are ignored
        self._inbox: deque[tuple[int, str, bytes | bool]] = deque()
        self._woken = False
        self._dropped = 0
        self._open = False
        self._reopening = asyncio.Lock()
        self._reopenings: set[asyncio.Task[None]] = set()
        self._rejoining = False

    @property
    def device_id(self) -> str:
        """This node's id."""
        return self._identity.device_id

    @property
    def roster(self) -> Roster:
        """Whom this link talks to."""
        return self._roster

    @property
    def dropped(self) -> int:
        """Frames that found the inbox full."""
        return self._dropped

    async def open(self) -> None:
        """Join; MeshError when the address cannot be listened at, IdentityError when the keys do not fit."""
        if self._open:
            return
        check_certificate(
            self._identity.certificate,
            self._identity.root,
            self._now(),
            "This device's certificate",
        )
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="hearthway-put")
        try:
            self._context = await asyncio.to_thread(probe_context, self._identity)
        except OSError as why:  # ssl.SSLError is one
            self._pool.shutdown(wait=False)
            raise _unusable(why) from None
        self._open = True
        try:
            await self._ways.open()  # first: who hears of us may dial at once
            await self._join()
        except BaseException:
            self._open = False
            await self._ways.close()
            await self._leave(_CLOSE_S)
            self._pool.shutdown(wait=False)
            raise
        self._spawn(self._watch())
        self._spawn(self._knock())

    async def close(self) -> None:
        """Leave; zenoh's threads have ended afterwards."""
        if not self._open:
            return
        self._open = False
        tasks = [t for t in self._tasks if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with self._reopening:
            await self._leave(_CLOSE_S)
            await self._ways.close()
        self._fail_asks(None)
        await asyncio.to_thread(self._pool.shutdown)

    async def put(self, to: str, frame: bytes, *, reliable: bool) -> int:
        """As `Link.put`: unreliable frames wait 20 ms at most, reliable ones up to 2 s, then MeshError."""
        _check_size(frame)
        payload = _FRAME + frame
        count = 0
        for device_id in self._alive(to):
            count += (await self._send(device_id, payload, reliable=reliable))[0]
        return count

    async def ask(self, device_id: str, frame: bytes, timeout_s: float) -> bytes:
        """As `Link.ask`; fails at once when the peer goes away meanwhile."""
        _check_size(frame)
        self._ask_number += 1
        number = self._ask_number.to_bytes(8, "big")
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asks[number] = (device_id, answer)
        try:
            async with asyncio.timeout(timeout_s):
                if not self._is_alive(device_id):
                    raise _away(device_id)
                sent, stream = await self._send(device_id, _ASK + number + frame)
                if not sent:
                    raise _away(device_id)
                if stream is not None:
                    self._asked_by[number] = stream
                return await answer
        except TimeoutError:
            raise MeshError(
                f"{device_id} did not answer within {timeout_s:g} s.",
                "Try again; is it busy or away?",
            ) from None
        finally:
            self._asks.pop(number, None)
            self._asked_by.pop(number, None)
            if answer.done() and not answer.cancelled():
                answer.exception()  # seen: a peer that left while we timed out is no news

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
        """As `Link.peers`; `detail` says why a peer is not there, where the probe found out."""
        peers = {}
        for member in self._roster.members:
            if member.device_id == self.device_id:
                continue
            known = self._peers.get(member.device_id) or Peer(
                device_id=member.device_id, role=member.role, alive=False, since_s=0.0
            )
            found = self._found.get(member.device_id)
            if not known.alive and found is not None:
                known = msgspec.structs.replace(known, detail=found.problem)
            peers[member.device_id] = known
        return peers

    def counters(self) -> dict[str, int]:
        """As `Link.counters`."""
        return dict(sorted(self._sent.items()))

    def health(self) -> Health:
        """Not ok while no other node is reached; the reason comes from the probe, within 3 s of opening."""
        if not self._open or self._session is None:
            return Health(ok=False, problem="The link is closed.", next_step="Start the node.")
        others = [m for m in self._roster.members if m.device_id != self.device_id]
        if not others or any(self._is_alive(m.device_id) for m in others):
            return Health(ok=True)
        for member in others:
            found = self._found.get(member.device_id)
            if found is not None and not found.ok:
                return found
        return Health(
            ok=False,
            problem="No other node of the household has been reached yet.",
            next_step="Start Hearthway on the phone, the car or the home.",
        )

    async def update_roster(self, roster: Roster) -> None:
        """As `Link.update_roster`. Zenoh cannot change access at run time, so the session is opened anew."""
        self._drop_strangers(roster)
        await self._finish(self._use_roster(roster))

    async def update_identity(self, identity: DeviceIdentity) -> None:
        """A renewed certificate, its files in place: session and streams are opened anew; peers stay there meanwhile.

        MeshError when the files cannot be used; the old ones then stay in use.
        """
        await self._finish(self._use_identity(identity))

    async def set_parked(self, parked: bool) -> None:
        """Parked: a longer lease, once nothing has been sent for two minutes; else the usual one, now.

        A vanished node that is parked is noticed after up to 10 s instead of 2 s.
        """
        if parked != self._parked:
            self._parked = parked
            self._sent_s = time.monotonic()
            self._changed.set()
            if not parked and self._lease_ms != LEASE_MS and self._open:
                await self._finish(self._use_lease(LEASE_MS))

    def address_of(self, device_id: str) -> str:
        """ "host:port" of a peer's mesh as seen from here, by its stream; empty where none stands."""
        stream, member = self._ways.stream(device_id), self._roster.member(device_id)
        if stream is None or member is None or not stream.host:
            return ""
        host, port = stream.host, split_address(member.address)[1]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def streams(self) -> dict[str, bool]:
        """Every other member: does a stream to it stand?"""
        return {device_id: self._ways.stream(device_id) is not None for device_id in self.peers()}

    @property
    def stream_problem(self) -> str:
        """Why nobody can dial a stream to this node (its port is taken), or empty."""
        return self._ways.streams.problem

    async def _finish(self, work: Coroutine[Any, Any, None]) -> None:
        """Once begun it runs to its end, even if the caller is cancelled: half of it would leave the node mute."""
        task = asyncio.get_running_loop().create_task(work)
        self._reopenings.add(task)
        task.add_done_callback(self._reopenings.discard)
        await asyncio.shield(task)

    def _drop_strangers(self, roster: Roster) -> None:
        """In the very turn in which the roster comes, whoever is not on it is neither heard nor sent to."""
        before, self._roster = self._roster, roster
        self._ways.use_roster(replace(self._identity, roster=roster))
        for device_id in sorted(self._peers):
            old, new = before.member(device_id), roster.member(device_id)
            if new is None or (old is not None and old.public_key != new.public_key):
                self._tokens.discard(device_id)
                self._gone(device_id)

    async def _use_roster(self, roster: Roster) -> None:
        async with self._reopening:
            before = self._identity.roster
            self._identity = replace(self._identity, roster=roster)
            self._changed.set()
            self._left.set()
            if self._open and self._must_reopen(before, roster):
                await self._reopen()

    def _must_reopen(self, before: Roster, after: Roster) -> bool:
        """Access is by name, so new names need a new session; a new address only of somebody who is not here."""
        if _names(before) != _names(after):
            return True
        old = {m.device_id: m.address for m in before.members}
        return any(
            m.address != old[m.device_id] and not self._is_alive(m.device_id)
            for m in after.members
            if m.device_id != self.device_id
        )

    async def _use_identity(self, identity: DeviceIdentity) -> None:
        async with self._reopening:
            identity = replace(identity, roster=self._roster)
            try:
                context = await asyncio.to_thread(probe_context, identity)
                await self._ways.renew(identity)
            except OSError as why:
                raise _unusable(why) from None
            self._identity, self._context = identity, context
            if self._open:
                await self._reopen()

    async def _use_lease(self, lease_ms: int) -> None:
        async with self._reopening:
            self._lease_ms = lease_ms
            if self._open:
                await self._reopen()

    async def _reopen(self) -> None:
        """The zenoh session anew. Peers whose stream stands are told, and stay there meanwhile on both sides."""
        until_s = time.monotonic() + _HOLD_S
        for device_id in sorted(self._peers):
            stream = self._ways.stream(device_id)
            if stream is not None and self._is_alive(device_id) and stream.write(HOLD):
                self._held_s[device_id] = until_s
                self._unheld.add(device_id)
        self._all_held.clear()
        if self._unheld:  # zenoh must not tell them first
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_held.wait(), SOON_S)
        self._unheld.clear()
        await self._leave()
        await self._join()

    # -- the session ---------------------------------------------------------------------------

    async def _join(self) -> None:
        self._generation += 1
        generation = self._generation
        try:
            self._session = await self._bind(generation)
        except zenoh.ZError as why:
            if _in_use(why):
                raise MeshError(
                    f"Another program listens at {self._listen} already.",
                    "Stop it (is this node up twice?), or choose another port.",
                ) from None
            raise MeshError(
                f"This node cannot listen at {self._listen}.",
                "Check the address and the port in the configuration.",
            ) from None

    async def _bind(self, generation: int) -> zenoh.Session:
        """Our own last session may let go of the port a moment after it was closed."""
        deadline = time.monotonic() + (_REBIND_S if self._rejoining else 0.0)
        while True:
            try:
                starting = asyncio.create_task(asyncio.to_thread(self._start, generation))
                try:
                    return await asyncio.shield(starting)
                except asyncio.CancelledError:
                    with suppress(
                        zenoh.ZError
                    ):  # the thread goes on: what it opened must be closed
                        await asyncio.to_thread((await starting).close)
                    raise
            except zenoh.ZError as why:
                if not _in_use(why) or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)

    def _start(self, generation: int) -> zenoh.Session:
        """In a thread: opening blocks. The token comes last: who sees it can reach our subscriber."""
        session = zenoh.open(
            zenoh.Config.from_json5(
                json.dumps(
                    zenoh_config(
                        self._identity,
                        self._listen,
                        lease_ms=self._lease_ms,
                        open_ms=self._open_ms,
                    )
                )
            )
        )
        try:
            me = self.device_id

            def frame(sample: zenoh.Sample) -> None:
                sender = str(sample.key_expr).rpartition("/")[2]
                self._hear(generation, sender, sample.payload.to_bytes())

            def token(sample: zenoh.Sample) -> None:
                device_id = str(sample.key_expr).rpartition("/")[2]
                self._hear(generation, device_id, sample.kind == zenoh.SampleKind.PUT)

            self._declared = [
                session.declare_subscriber(f"{self._prefix}/to/{me}/*", frame),
                session.liveliness().declare_subscriber(
                    f"{self._prefix}/alive/*", token, history=True
                ),
                session.liveliness().declare_token(f"{self._prefix}/alive/{me}"),
            ]
        except BaseException:
            session.close()  # type: ignore[no-untyped-call]  # zenoh's stub leaves it so
            raise
        return session

    async def _leave(self, patience_s: float | None = None) -> None:
        self._drain()  # what has arrived is heard
        self._generation += 1
        session, self._session = self._session, None
        self._declared = []
        if session is not None:
            self._rejoining = True
            with suppress(TimeoutError):
                await asyncio.wait_for(_closed(session), patience_s)
        for device_id in sorted(self._peers.keys() | self._tokens):
            self._notice(device_id, alive=False)

    # -- sending -------------------------------------------------------------------------------

    def _alive(self, to: str) -> list[str]:
        return [
            m.device_id
            for m in self._roster.members
            if to in (m.device_id, m.role) and self._is_alive(m.device_id)
        ]

    def _is_alive(self, device_id: str) -> bool:
        peer = self._peers.get(device_id)
        return peer is not None and peer.alive

    async def _send(
        self, device_id: str, payload: bytes, *, reliable: bool = True
    ) -> tuple[bool, Stream | None]:
        """In turn: was it handed over, and to which stream."""
        self._sent_s = time.monotonic()
        sent, stream = await self._ways.send(device_id, payload, reliable=reliable)
        if sent and stream is not None:
            self._count(device_id, payload)
        return sent, stream

    async def _by_zenoh(self, device_id: str, payload: bytes, reliable: bool) -> bool:
        if not reliable:
            return self._put(device_id, payload, zenoh.CongestionControl.DROP)
        unheard = self._unheard[device_id] = self._unheard.get(device_id, 0) + len(payload)
        if unheard < _INLINE_BYTES:
            return self._put(device_id, payload, zenoh.CongestionControl.BLOCK)
        return await self._loop.run_in_executor(
            self._pool, self._put, device_id, payload, zenoh.CongestionControl.BLOCK
        )

    def _count(self, device_id: str, payload: bytes) -> None:
        self._sent[device_id] = self._sent.get(device_id, 0) + len(payload)

    def _now(self) -> float:
        return self._now_s + time.monotonic() - self._made_s

    def _put(self, device_id: str, payload: bytes, control: zenoh.CongestionControl) -> bool:
        session = self._session
        if session is None:
            return False
        try:
            session.put(
                f"{self._prefix}/to/{device_id}/{self.device_id}",
                payload,
                congestion_control=control,
            )
        except zenoh.ZError:
            return False
        self._count(device_id, payload)
        return True

    # -- hearing -------------------------------------------------------------------------------

    def _hear(self, generation: int, device_id: str, content: bytes | bool) -> None:
        """Zenoh's threads call this. One queue, one wake-up for all that has piled up."""
        if len(self._inbox) >= INBOX_MAX and isinstance(content, bytes):
            self._dropped += 1
            return
        self._inbox.append((generation, device_id, content))
        if not self._woken:
            self._woken = True
            try:
                self._loop.call_soon_threadsafe(self._drain)
            except RuntimeError:
                self._inbox.clear()  # the event loop has ended

    def _drain(self) -> None:
        self._woken = False  # before looking: whoever appends after the last look wakes us again
        while self._inbox:
            generation, device_id, content = self._inbox.popleft()
            if generation != self._generation or not self._open:
                continue
            if self._roster.member(device_id) is None or device_id == self.device_id:
                continue
            if isinstance(content, bool):
                self._notice(device_id, alive=content)
            else:
                self._unheard[device_id] = 0
                self._take(device_id, content, None)

    def _take(self, sender: str, payload: bytes, stream: Stream | None) -> None:
        kind, rest = payload[:1], payload[1:]
        if kind == _FRAME:
            for callback in self._on_frame:
                callback(sender, rest)
        elif kind == _ASK and len(rest) >= 8 and self._on_ask is not None:
            self._spawn(self._answer(sender, rest[:8], self._on_ask(sender, rest[8:])))
        elif kind == _ANSWER and len(rest) >= 8:
            asked, answer = self._asks.get(rest[:8], ("", None))
            if answer is not None and asked == sender and not answer.done():
                answer.set_result(rest[8:])
        elif kind == HOLD and stream is not None:
            self._held_s[sender] = time.monotonic() + _HOLD_S
            stream.write(HELD)
        elif kind == PING and stream is not None:
            stream.write(PONG)
        elif kind == PONG:
            self._beat_s[sender] = time.monotonic()
        elif kind == HELD:
            self._unheld.discard(sender)
            if not self._unheld:
                self._all_held.set()
        elif kind in (LAST, DIAL) and stream is None:
            self._ways.hear(sender, payload, None)

    async def _answer(self, sender: str, number: bytes, work: Awaitable[bytes]) -> None:
        with suppress(MeshError):  # an ask that does not verify gets no answer
            await self._send(sender, _ANSWER + number + await work)

    # -- coming and going ----------------------------------------------------------------------

    def _notice(self, device_id: str, *, alive: bool) -> None:
        """Zenoh sees that peer, or sees it no more."""
        if alive:
            self._tokens.add(device_id)
            self._meet(device_id)
            return
        self._tokens.discard(device_id)
        held_s = self._held_s.get(device_id, 0.0) - time.monotonic()
        if held_s > 0.0 and self._is_alive(device_id) and self._ways.stream(device_id) is not None:
            self._loop.call_later(held_s, self._let_go, device_id)
        else:
            self._gone(device_id)

    def _meet(self, device_id: str) -> None:
        if device_id in self._meeting or self._is_alive(device_id) or not self._open:
            return
        task = self._meeting[device_id] = self._loop.create_task(self._welcome(device_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _welcome(self, device_id: str) -> None:
        await self._ways.meet(device_id)
        self._meeting.pop(device_id, None)
        self._tell(device_id, alive=True)

    def _let_go(self, device_id: str) -> None:
        if device_id not in self._tokens:
            self._stands(device_id)

    def _stands(self, device_id: str) -> None:
        """A stream to it is in use. Where zenoh does not see it (yet), the stream itself shows that it is there."""
        if device_id in self._tokens or not self._open or self._ways.stream(device_id) is None:
            return
        if device_id not in self._beating:
            self._beating.add(device_id)
            self._spawn(self._beat(device_id))
        self._tell(device_id, alive=True)

    async def _beat(self, device_id: str) -> None:
        """Until zenoh sees it, or it is silent for 2 s. Zenoh can take 10 s to find a peer whose wire was cut."""
        self._beat_s[device_id] = time.monotonic()
        try:
            while (stream := self._ways.stream(device_id)) is not None:
                if device_id in self._tokens:
                    return
                if time.monotonic() - self._beat_s[device_id] > _SILENT_S:
                    stream.abort()
                    return
                stream.write(PING)
                await asyncio.sleep(_BEAT_S)
        finally:
            self._beating.discard(device_id)

    def _gone(self, device_id: str) -> None:
        meeting = self._meeting.pop(device_id, None)
        if meeting is not None:
            meeting.cancel()
        self._held_s.pop(device_id, None)
        self._ways.part(device_id)
        self._tell(device_id, alive=False)

    def _broke(self, device_id: str, stream: Stream) -> None:
        """A stream in use ended: what it still carried may be lost, so the peer is gone, and perhaps back at once."""
        for number, over in list(self._asked_by.items()):
            asked, answer = self._asks[number]
            if over is stream and not answer.done():
                answer.set_exception(_away(asked))
        if device_id not in self._tokens:
            self._gone(device_id)
            return
        self._tell(device_id, alive=False)
        self._meet(device_id)

    def _tell(self, device_id: str, *, alive: bool) -> None:
        if self._is_alive(device_id) == alive:
            return
        member = self._roster.member(device_id)
        self._peers[device_id] = Peer(
            device_id=device_id,
            role=member.role if member else self._peers[device_id].role,
            alive=alive,
            since_s=time.monotonic(),
        )
        self._found.pop(device_id, None)
        self._changed.set()
        if not alive:
            self._left.set()
            self._fail_asks(device_id)
        for callback in self._on_peer:
            callback(device_id, alive)

    def _fail_asks(self, device_id: str | None) -> None:
        for asked, answer in list(self._asks.values()):
            if device_id in (None, asked) and not answer.done():
                answer.set_exception(_away(asked))

    # -- watching ------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Sleeps while everybody is there; whoever is missing is looked for, ever more rarely."""
        tries: dict[str, int] = {}
        seen: dict[str, int] = {}
        due_s: dict[str, float] = {}
        deaf_s = 0.0
        while True:
            self._changed.clear()
            now_s = time.monotonic()
            missing = {m.device_id: m for m in self._missing()}
            for device_id in [d for d in due_s if d not in missing]:
                tries.pop(device_id, None)
                seen.pop(device_id, None)
                due_s.pop(device_id)
            for device_id in missing:
                due_s.setdefault(device_id, now_s + _WATCH_S)
            asked = [m for d, m in sorted(missing.items()) if due_s[d] <= now_s]
            if not asked:
                await self._rest(min(due_s.values(), default=None))
                continue
            found = await asyncio.gather(
                *(probe(self._context, m.device_id, m.address) for m in asked)
            )
            for member, health in zip(asked, found, strict=True):
                n = tries[member.device_id] = tries.get(member.device_id, 0) + 1
                seen[member.device_id] = seen.get(member.device_id, 0) + 1 if health.ok else 0
                due_s[member.device_id] = (
                    time.monotonic() + _PROBE_AGAIN_S[min(n, len(_PROBE_AGAIN_S)) - 1]
                )
                if not self._is_alive(member.device_id):
                    self._found[member.device_id] = health
            if max(seen.values()) >= _DEAF and time.monotonic() - deaf_s > _DEAF_S:
                deaf_s, self._open_ms = time.monotonic(), OPEN_LONG_MS
                seen.clear()
                await self._finish(self._use_lease(self._lease_ms))

    async def _knock(self) -> None:
        """Dial who is missing, beside zenoh: its dials into a wire that was cut wait for TCP's doubled pauses."""
        count = 0
        while True:
            missing = [m.device_id for m in self._missing() if m.device_id not in self._tokens]
            if not missing:
                count = 0
                self._left.clear()
                await self._left.wait()
                continue
            pause_s = _KNOCK_AGAIN_S[min(count, len(_KNOCK_AGAIN_S) - 1)]
            await asyncio.sleep(pause_s if count < _KNOCKS else _KNOCK_RARELY_S)
            count += 1
            await asyncio.gather(*(self._ways.knock(device_id) for device_id in missing))

    def _missing(self) -> list[Member]:
        return [
            m
            for m in self._roster.members
            if m.device_id != self.device_id
            and split_address(m.address)[1]
            and not self._is_alive(m.device_id)
        ]

    async def _rest(self, until_s: float | None) -> None:
        """Until something changes, or until then; a parked node that has long been quiet takes the longer lease."""
        parks = self._parked and self._lease_ms != PARKED_LEASE_MS
        quiet_s = self._sent_s + _QUIET_S if parks else None
        waits = [t for t in (until_s, quiet_s) if t is not None]
        try:
            async with asyncio.timeout(min(waits) - time.monotonic() if waits else None):
                await self._changed.wait()
        except TimeoutError:
            if parks and time.monotonic() >= self._sent_s + _QUIET_S:
                await self._finish(self._use_lease(PARKED_LEASE_MS))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _closed(session: zenoh.Session) -> None:
    """Close it in a thread that nobody has to wait for, not even the end of the process."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def close() -> None:
        with suppress(zenoh.ZError):
            session.close()  # type: ignore[no-untyped-call]  # zenoh's stub leaves it so
        with suppress(RuntimeError):  # the loop ended meanwhile
            loop.call_soon_threadsafe(done.set)

    Thread(target=close, name="hearthway-close", daemon=True).start()
    await done.wait()


def _names(roster: Roster) -> list[tuple[str, str]]:
    return sorted((m.device_id, m.role) for m in roster.members)


def _check_size(frame: bytes) -> None:
    if len(frame) > FRAME_MAX_BYTES:
        raise MeshError(
            f"A message of {len(frame)} bytes is larger than {FRAME_MAX_BYTES}.",
            "Send it in parts.",
        )


def _unusable(why: OSError) -> MeshError:
    return MeshError(
        f"This device's certificate files cannot be used: {why.strerror or why}.",
        "Pair this device again, with a code shown by the home.",
    )


def _in_use(why: zenoh.ZError) -> bool:
    text = str(why).lower()
    return "in use" in text or "os error 98" in text


def _away(device_id: str) -> MeshError:
    return MeshError(f"{device_id} is not reachable now.", "Is it up? `hearthway status` shows it.")
