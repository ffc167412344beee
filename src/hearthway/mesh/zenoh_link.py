"""The link over Zenoh: peer mode, mutual TLS, one certificate authority, access by certificate name.

Every frame goes to one device: key `hw/<household>/to/<receiver>/<sender>`, one subscriber a node. Asks and
answers travel the same way with a number in front, not as queries: so they keep their turn among frames,
and a peer lost uncleanly cannot leave a dead query route behind. What zenoh keeps quiet about (a refused
certificate, a foreign root) is found by a TLS handshake of our own (`probe`).
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
from .roster import Roster
from .zenoh_config import key_prefix, zenoh_config

INBOX_MAX = (
    50_000  # frames waiting for the event loop; beyond it unreliable and reliable alike are dropped
)
_WATCH_S = 0.5
_CLOSE_S = 2.0  # zenoh waits 10 s for a wire that is gone; whoever leaves for good need not
_REBIND_S = 5.0  # a closed session's port may stay taken for a moment
_PROBE_AGAIN_S = (1.0, 2.0, 4.0, 10.0)
_INLINE_BYTES = (
    32 * 1024
)  # fits zenoh's queue (2 x 64 KiB), so a put of so little cannot block the loop
_FRAME, _ASK, _ANSWER = b"F", b"A", b"R"


class ZenohLink:
    """This node's end of the household's mesh; keeps the contract of `link.Link`."""

    def __init__(self, identity: DeviceIdentity, *, listen: str, now_s: float) -> None:
        """`listen` is "host:port" ("0.0.0.0:7447" hears on every interface); `now_s` real time, for dates."""
        self._identity = identity
        self._listen = listen
        self._now_s = now_s
        self._prefix = key_prefix(identity)
        self._roster = identity.roster
        self._on_frame: list[FrameHandler] = []
        self._on_ask: AskHandler | None = None
        self._on_peer: list[PeerHandler] = []
        self._peers: dict[str, Peer] = {}
        self._sent: dict[str, int] = {}
        self._asks: dict[bytes, tuple[str, asyncio.Future[bytes]]] = {}
        self._ask_number = 0
        self._lanes: dict[str, asyncio.Lock] = {}
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
            self._now_s,
            "This device's certificate",
        )
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="hearthway-put")
        try:
            self._context = await asyncio.to_thread(probe_context, self._identity)
        except OSError as why:  # ssl.SSLError is one
            self._pool.shutdown(wait=False)
            raise MeshError(
                f"This device's certificate files cannot be used: {why.strerror or why}.",
                "Pair this device again, with a code shown by the home.",
            ) from None
        self._open = True
        try:
            await self._join()
        except BaseException:
            self._open = False
            self._pool.shutdown(wait=False)
            raise
        self._spawn(self._watch())

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
        self._fail_asks(None)
        await asyncio.to_thread(self._pool.shutdown)

    async def put(self, to: str, frame: bytes, *, reliable: bool) -> int:
        """As `Link.put`: unreliable frames never wait, reliable ones wait up to 2 s for a full wire."""
        count = 0
        for device_id in self._alive(to):
            count += await self._send(device_id, _FRAME + frame, reliable=reliable)
        return count

    async def ask(self, device_id: str, frame: bytes, timeout_s: float) -> bytes:
        """As `Link.ask`; fails at once when the peer goes away meanwhile."""
        self._ask_number += 1
        number = self._ask_number.to_bytes(8, "big")
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asks[number] = (device_id, answer)
        try:
            async with asyncio.timeout(timeout_s):
                if not self._is_alive(device_id) or not await self._send(
                    device_id, _ASK + number + frame, reliable=True
                ):
                    raise _away(device_id)
                return await answer
        except TimeoutError:
            raise MeshError(
                f"{device_id} did not answer within {timeout_s:g} s.",
                "Try again; is it busy or away?",
            ) from None
        finally:
            self._asks.pop(number, None)
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
        """As `Link.update_roster`. Zenoh cannot change access at run time, so the session is opened anew.

        Once begun it runs to its end, even if the caller is cancelled: half of it would leave the node mute.
        """
        work = asyncio.get_running_loop().create_task(self._use_roster(roster))
        self._reopenings.add(work)
        work.add_done_callback(self._reopenings.discard)
        await asyncio.shield(work)

    async def _use_roster(self, roster: Roster) -> None:
        async with self._reopening:
            before = _places(self._roster)
            self._identity = replace(self._identity, roster=roster)
            self._roster = roster
            if self._open and before != _places(roster):
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
            zenoh.Config.from_json5(json.dumps(zenoh_config(self._identity, self._listen)))
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
        self._generation += 1
        session, self._session = self._session, None
        self._declared = []
        if session is not None:
            self._rejoining = True
            with suppress(TimeoutError):
                await asyncio.wait_for(_closed(session), patience_s)
        for device_id in sorted(self._peers):
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

    async def _send(self, device_id: str, payload: bytes, *, reliable: bool) -> bool:
        if len(payload) > FRAME_MAX_BYTES:
            raise MeshError(
                f"A message of {len(payload)} bytes is larger than {FRAME_MAX_BYTES}.",
                "Send it in parts.",
            )
        lane = self._lanes.setdefault(device_id, asyncio.Lock())
        control = zenoh.CongestionControl.BLOCK if reliable else zenoh.CongestionControl.DROP
        unheard = self._unheard[device_id] = self._unheard.get(device_id, 0) + len(payload)
        if not lane.locked() and (not reliable or unheard < _INLINE_BYTES):
            return self._put(device_id, payload, control)
        async with lane:  # locks are first come, first served: a receiver's frames keep their order
            return await self._loop.run_in_executor(
                self._pool, self._put, device_id, payload, control
            )

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
        self._sent[device_id] = self._sent.get(device_id, 0) + len(payload)
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
            if isinstance(content, bool):
                if device_id != self.device_id and self._roster.member(device_id) is not None:
                    self._notice(device_id, alive=content)
            else:
                self._take(device_id, content)

    def _take(self, sender: str, payload: bytes) -> None:
        self._unheard[sender] = 0
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

    async def _answer(self, sender: str, number: bytes, work: Awaitable[bytes]) -> None:
        with suppress(MeshError):  # an ask that does not verify gets no answer
            await self._send(sender, _ANSWER + number + await work, reliable=True)

    def _notice(self, device_id: str, *, alive: bool) -> None:
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
        if not alive:
            self._fail_asks(device_id)
        for callback in self._on_peer:
            callback(device_id, alive)

    def _fail_asks(self, device_id: str | None) -> None:
        for asked, answer in list(self._asks.values()):
            if device_id in (None, asked) and not answer.done():
                answer.set_exception(_away(asked))

    # -- watching ------------------------------------------------------------------------------

    async def _watch(self) -> None:
        tries: dict[str, int] = {}
        due_s: dict[str, float] = {}
        while True:
            await asyncio.sleep(_WATCH_S)
            now_s = time.monotonic()
            missing = [
                m
                for m in self._roster.members
                if m.device_id != self.device_id
                and split_address(m.address)[1]
                and not self._is_alive(m.device_id)
            ]
            for device_id in list(tries):
                if self._is_alive(device_id):
                    tries.pop(device_id)
                    due_s.pop(device_id, None)
            asked = [m for m in missing if due_s.get(m.device_id, 0.0) <= now_s]
            found = await asyncio.gather(
                *(probe(self._context, m.device_id, m.address) for m in asked)
            )
            for member, health in zip(asked, found, strict=True):
                n = tries[member.device_id] = tries.get(member.device_id, 0) + 1
                due_s[member.device_id] = (
                    time.monotonic() + _PROBE_AGAIN_S[min(n, len(_PROBE_AGAIN_S)) - 1]
                )
                if not self._is_alive(member.device_id):
                    self._found[member.device_id] = health

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


def _places(roster: Roster) -> list[tuple[str, str, str]]:
    return sorted((m.device_id, m.role, m.address) for m in roster.members)


def _in_use(why: zenoh.ZError) -> bool:
    text = str(why).lower()
    return "in use" in text or "os error 98" in text


def _away(device_id: str) -> MeshError:
    return MeshError(f"{device_id} is not reachable now.", "Is it up? `hearthway status` shows it.")
