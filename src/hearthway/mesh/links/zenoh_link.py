"""The link over Zenoh: peer mode, mutual TLS, one certificate authority, access by certificate name.

Zenoh finds the peers and says who is there. Frames, asks and answers go over a TLS stream to each peer (`ways`), and
over zenoh where none stands. Every frame over zenoh goes to one device: key
`hw/<household>/to/<receiver>/<sender>`, one subscriber a node. Asks are numbered messages, not queries: so they
keep their turn among frames, and a peer lost uncleanly cannot leave a dead query route behind. What zenoh
keeps quiet about (a refused certificate, a foreign root) is found by a TLS handshake of our own (`probe`).

Here the parts meet: the session (`zenoh_session`), asks (`link_asks`), who is there (`presence`), who is missing
(`seeking`), and what may be sent to whom. Access cannot change in an open session, so it is opened anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec

from hearthway.mesh.trust.certificates import check_certificate
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.mesh.trust.roster import Member, Roster
from hearthway.records.errors import MeshError
from hearthway.records.household import Peer

from .beside import beside
from .link import FRAME_MAX_BYTES, AskHandler, FrameHandler, Health, PeerHandler
from .link_asks import NUMBER_BYTES, Asks, away
from .nearby import Nearby
from .presence import Presence
from .probe import probe, probe_context, split_address
from .seeking import Seeker, can_dial
from .stream import Stream
from .ways import DIAL, LAST, Ways
from .zenoh_config import LEASE_MS, OPEN_LONG_MS, OPEN_MS, PARKED_LEASE_MS, zenoh_config
from .zenoh_session import ZenohSession

_CLOSE_S = 2.0  # zenoh waits 10 s for a wire that is gone; whoever leaves for good need not
_QUIET_S = (
    20.0  # nothing sent for so long: a parked node may open its session anew with the longer lease
)
_NEAR_S = 1.0  # over one network without a router an answer takes some milliseconds
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
        self._roster = identity.roster
        self._on_frame: list[FrameHandler] = []
        self._on_ask: AskHandler | None = None
        self._sent: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = False
        self._reopening = asyncio.Lock()
        self._reopenings: set[asyncio.Task[None]] = set()
        self._zenoh: ZenohSession | None = None
        self._closing: asyncio.Task[None] | None = None
        self._asks = Asks()
        self._nearby = Nearby()
        self._presence = Presence(
            lambda: self._roster, lambda: self._open, self._spawn, self._came_or_went
        )
        self._ways = self._presence.ways = Ways(
            identity,
            listen,
            self._now,
            by_zenoh=self._by_zenoh,
            deliver=self._take,
            stands=self._presence.stands,
            broke=self._broke,
        )
        self._seeker = Seeker(
            self._missing,
            unseen=lambda device_id: not self._presence.sees(device_id),
            knock=self._ways.knock,
            deaf=self._be_patient,
            when_quiet=self._when_quiet,
            rest=self._rest,
        )

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
        return self._zenoh.dropped if self._zenoh is not None else 0

    async def open(self) -> None:
        """Join; MeshError when the address cannot be listened at, IdentityError when the keys do not fit."""
        if self._open:
            return
        if self._closing is not None:
            await asyncio.wait({self._closing})
        check_certificate(
            self._identity.certificate,
            self._identity.root,
            self._now(),
            "This device's certificate",
        )
        try:
            self._seeker.context = await asyncio.to_thread(probe_context, self._identity)
        except OSError as why:  # ssl.SSLError is one
            raise _unusable(why) from None
        self._zenoh = ZenohSession(self.device_id, self._listen, self._hear)
        self._open = True
        try:
            await self._ways.open()  # first: who hears of us may dial at once
            await self._join(self._zenoh)
        except BaseException:
            self._open = False
            await self._ways.close()
            await self._leave(self._zenoh, _CLOSE_S)
            self._zenoh.abandon()
            raise
        self._spawn(self._seeker.watch())
        self._spawn(self._seeker.knock())

    async def close(self) -> None:
        """Leave; zenoh's threads have ended afterwards.

        Once begun it runs to its end, and whoever closes meanwhile waits for that end: a node that was put out of
        its household closes by itself, and is stopped while it does.
        """
        if self._open and self._zenoh is not None:
            self._open = False
            self._closing = asyncio.get_running_loop().create_task(self._close(self._zenoh))
        if self._closing is not None:
            await asyncio.shield(self._closing)

    async def _close(self, session: ZenohSession) -> None:
        self._ways.leave()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._presence.say_bye()
        async with self._reopening:
            await self._leave(session, _CLOSE_S)
            await self._ways.close()
        self._asks.fail(None)
        await session.end()

    # -- the contract --------------------------------------------------------------------------

    async def put(self, to: str, frame: bytes, *, reliable: bool) -> int:
        """As `Link.put`: unreliable frames wait 20 ms at most, reliable ones up to 2 s, then MeshError."""
        _check_size(frame)
        payload = _FRAME + frame
        count = 0
        for device_id in self._alive(to):
            count += (await self._send(device_id, payload, reliable=reliable))[0]
        return count

    def ask(self, device_id: str, frame: bytes, timeout_s: float) -> Coroutine[Any, Any, bytes]:
        """As `Link.ask`; fails at once when the peer goes away meanwhile."""
        _check_size(frame)

        def at_once(number: bytes) -> Stream | None:
            if not self._presence.is_alive(device_id):
                raise away(device_id)
            return self._write(device_id, _ASK + number + frame)

        async def send(number: bytes) -> tuple[bool, Stream | None]:
            return await self._send(device_id, _ASK + number + frame)

        return self._asks.ask(device_id, at_once, send, timeout_s)

    def on_frame(self, callback: FrameHandler) -> None:
        """Call back with every frame."""
        self._on_frame.append(callback)

    def on_ask(self, callback: AskHandler) -> None:
        """The one answerer of asks."""
        self._on_ask = callback

    def on_peer(self, callback: PeerHandler) -> None:
        """Call back when a peer comes or goes."""
        self._presence.on_peer.append(callback)

    def peers(self) -> dict[str, Peer]:
        """As `Link.peers`; `detail` says why a peer is not there, where the probe found out."""
        peers = {}
        for member in self._roster.members:
            if member.device_id == self.device_id:
                continue
            known = self._presence.peers.get(member.device_id) or Peer(
                device_id=member.device_id, role=member.role, alive=False, since_s=0.0
            )
            found = self._seeker.found.get(member.device_id)
            if not known.alive and found is not None:
                known = msgspec.structs.replace(known, detail=found.problem)
            peers[member.device_id] = known
        return peers

    def counters(self) -> dict[str, int]:
        """As `Link.counters`."""
        return dict(sorted(self._sent.items()))

    def health(self) -> Health:
        """Not ok while no other node is reached; the reason comes from the probe, within 3 s of opening."""
        others = [m for m in self._roster.members if m.device_id != self.device_id]
        if self._open and any(self._presence.is_alive(m.device_id) for m in others):
            return Health(ok=True)  # by its stream, also while the session is opened anew
        if not self._open or self._zenoh is None or not self._zenoh.is_open:
            return Health(ok=False, problem="The link is closed.", next_step="Start the node.")
        if not others:
            return Health(ok=True)
        for member in others:
            found = self._seeker.found.get(member.device_id)
            if found is not None and not found.ok:
                return found
        return Health(
            ok=False,
            problem="No other node of the household has been reached yet.",
            next_step="Start Hearthway on the phone, the car or the home.",
        )

    # -- what else is known of the wire --------------------------------------------------------

    def address_of(self, device_id: str) -> str:
        """ "host:port" of a peer's mesh as seen from here, by its stream; empty where none stands."""
        stream, member = self._ways.stream(device_id), self._roster.member(device_id)
        if stream is None or member is None or not stream.host:
            return ""
        host, port = stream.host.removeprefix("::ffff:"), split_address(member.address)[1]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def is_near(self, device_id: str) -> bool:
        """As `Neighbouring.is_near`: by the address that its stream comes from."""
        stream = self._ways.stream(device_id)
        return (
            stream is not None
            and not stream.closed
            and self._presence.is_alive(device_id)
            and self._nearby(stream.host)
        )

    async def answers_near(self, device_id: str) -> bool:
        """As `Neighbouring.answers_near`."""
        stream = self._ways.stream(device_id)
        return (
            stream is not None
            and self.is_near(device_id)
            and await self._presence.answers(stream, _NEAR_S)
        )

    async def answers_at(self, device_id: str, address: str) -> bool:
        """Does that device of this household listen there? Asked by a TLS handshake; up to 2 s."""
        return self._open and (await probe(self._seeker.context, device_id, address)).ok

    def streams(self) -> dict[str, bool]:
        """Every other member: does a stream to it stand?"""
        return {device_id: self._ways.stream(device_id) is not None for device_id in self.peers()}

    @property
    def stream_problem(self) -> str:
        """Why nobody can dial a stream to this node (its port is taken), or empty."""
        return self._ways.streams.problem

    # -- what makes the session another --------------------------------------------------------

    async def update_roster(self, roster: Roster) -> None:
        """As `Link.update_roster`. Zenoh cannot change access at run time, so the session is opened anew."""
        self._drop_strangers(roster)
        await self._finish(self._use_roster(roster))

    async def update_identity(self, identity: DeviceIdentity) -> None:
        """A renewed certificate, its files in place: session and streams are opened anew; peers stay there meanwhile.

        MeshError when the files cannot be used; the old ones then stay in use.
        """
        await self._finish(self._use_identity(identity))

    @property
    def parked(self) -> bool:
        """Is the longer lease in force?"""
        return self._lease_ms == PARKED_LEASE_MS

    async def set_parked(self, parked: bool) -> None:
        """Parked: a longer lease, once nothing has been sent for 20 s; else the usual one, now.

        A vanished node that is parked is noticed after up to 10 s instead of 2 s.
        """
        if parked != self._parked:
            self._parked = parked
            self._sent_s = time.monotonic()
            self._seeker.changed.set()
            if not parked and self._lease_ms != LEASE_MS and self._open:
                await self._finish(self._use_lease(LEASE_MS))

    async def _finish(self, work: Coroutine[Any, Any, None]) -> None:
        """Once begun it runs to its end, even if the caller is cancelled: half of it would leave the node mute."""
        await asyncio.shield(beside(self._reopenings, work))

    def _drop_strangers(self, roster: Roster) -> None:
        """In the very turn in which the roster comes, whoever is not on it is neither heard nor sent to."""
        before, self._roster = self._roster, roster
        self._ways.use_roster(replace(self._identity, roster=roster))
        for device_id in sorted(self._presence.peers):
            old, new = before.member(device_id), roster.member(device_id)
            if new is None or (old is not None and old.public_key != new.public_key):
                self._presence.tokens.discard(device_id)
                self._presence.gone(device_id)

    async def _use_roster(self, roster: Roster) -> None:
        async with self._reopening:
            before = self._identity.roster
            self._identity = replace(self._identity, roster=roster)
            self._seeker.look_again()
            if self._open and self._must_reopen(before, roster):
                await self._reopen()

    def _must_reopen(self, before: Roster, after: Roster) -> bool:
        """Access is by name, so new names need a new session; a new address only of somebody who is not here."""
        if _names(before) != _names(after):
            return True
        old = {m.device_id: m.address for m in before.members}
        return any(
            m.address != old[m.device_id] and not self._presence.is_alive(m.device_id)
            for m in after.members
            if m.device_id != self.device_id
        )

    async def _use_identity(self, identity: DeviceIdentity) -> None:
        async with self._reopening:
            try:
                context = await asyncio.to_thread(probe_context, identity)
                await self._ways.renew(identity)
            except OSError as why:
                raise _unusable(why) from None
            # The list of devices as it is now: a newer one may have come while the files were read.
            self._identity = replace(identity, roster=self._roster)
            self._seeker.context = context
            if self._open:
                await self._reopen()

    async def _use_lease(self, lease_ms: int) -> None:
        async with self._reopening:
            self._lease_ms = lease_ms
            if self._open:
                await self._reopen()

    async def _be_patient(self) -> None:
        """Somebody is there and zenoh never reaches it: perhaps the wire is slow."""
        self._open_ms = OPEN_LONG_MS
        await self._finish(self._use_lease(self._lease_ms))

    def _when_quiet(self) -> float | None:
        """When a parked node has been quiet for long enough to take the longer lease, in monotonic seconds."""
        parks = self._parked and self._lease_ms != PARKED_LEASE_MS
        return self._sent_s + _QUIET_S if parks else None

    async def _rest(self) -> None:
        quiet_s = self._when_quiet()
        if quiet_s is not None and time.monotonic() >= quiet_s:
            await self._finish(self._use_lease(PARKED_LEASE_MS))

    async def _reopen(self) -> None:
        """The zenoh session anew."""
        await self._presence.ask_to_hold()
        if self._zenoh is not None:
            await self._leave(self._zenoh)
            await self._join(self._zenoh)

    async def _join(self, session: ZenohSession) -> None:
        config = zenoh_config(
            self._identity, self._listen, lease_ms=self._lease_ms, open_ms=self._open_ms
        )
        await session.open(self._identity, config)

    async def _leave(self, session: ZenohSession, patience_s: float | None = None) -> None:
        await session.close(patience_s)
        self._presence.nobody()

    # -- sending -------------------------------------------------------------------------------

    def _alive(self, to: str) -> list[str]:
        return [
            m.device_id
            for m in self._roster.members
            if to in (m.device_id, m.role) and self._presence.is_alive(m.device_id)
        ]

    async def _send(
        self, device_id: str, payload: bytes, *, reliable: bool = True
    ) -> tuple[bool, Stream | None]:
        """In turn: was it handed over, and to which stream."""
        self._sent_s = time.monotonic()
        sent, stream = await self._ways.send(device_id, payload, reliable=reliable)
        if sent and stream is not None:
            self._count(device_id, payload)
        return sent, stream

    def _write(self, device_id: str, payload: bytes) -> Stream | None:
        """The stream that took it in this very turn, if one could."""
        self._sent_s = time.monotonic()
        stream = self._ways.write(device_id, payload)
        if stream is not None:
            self._count(device_id, payload)
        return stream

    async def _by_zenoh(self, device_id: str, payload: bytes, reliable: bool) -> bool:
        if self._zenoh is None or not await self._zenoh.send(device_id, payload, reliable=reliable):
            return False
        self._count(device_id, payload)
        return True

    def _count(self, device_id: str, payload: bytes) -> None:
        self._sent[device_id] = self._sent.get(device_id, 0) + len(payload)

    def _now(self) -> float:
        return self._now_s + time.monotonic() - self._made_s

    # -- hearing -------------------------------------------------------------------------------

    def _hear(self, device_id: str, content: bytes | bool) -> None:
        """Zenoh brings a frame, or says who comes and goes."""
        if not self._open or self._roster.member(device_id) is None or device_id == self.device_id:
            return
        if isinstance(content, bool):
            self._presence.notice(device_id, alive=content)
        else:
            self._take(device_id, content, None)

    def _take(self, sender: str, payload: bytes, stream: Stream | None) -> None:
        kind, numbered = payload[:1], len(payload) > NUMBER_BYTES
        if kind == _FRAME:
            frame = payload[1:]
            for callback in self._on_frame:
                callback(sender, frame)
        elif kind == _ASK and numbered and self._on_ask is not None:
            question = payload[1 + NUMBER_BYTES :]
            self._answer_soon(sender, payload[1 : 1 + NUMBER_BYTES], self._on_ask(sender, question))
        elif kind == _ANSWER and numbered:
            self._asks.answered(sender, payload[1 : 1 + NUMBER_BYTES], payload[1 + NUMBER_BYTES :])
        elif kind in (LAST, DIAL):
            if stream is None:
                self._ways.hear(sender, payload, None)
        else:
            self._presence.hear(sender, kind, stream)

    def _answer_soon(self, sender: str, number: bytes, work: Awaitable[bytes]) -> None:
        """In this very turn where the answer is there and the stream takes it: a task costs a turn of the loop.

        What is refused already gets no answer and no task: awaiting it would tie error, future and frame in a ring.
        """
        if isinstance(work, asyncio.Future) and work.done() and not work.cancelled():
            why = work.exception()
            if why is None and self._write(sender, _ANSWER + number + work.result()) is not None:
                return
            if isinstance(why, MeshError):
                return
        beside(self._tasks, self._answer(sender, number, work), work)

    async def _answer(self, sender: str, number: bytes, work: Awaitable[bytes]) -> None:
        with suppress(MeshError):  # an ask that does not verify gets no answer
            await self._send(sender, _ANSWER + number + await work)

    # -- coming and going ----------------------------------------------------------------------

    def _broke(self, device_id: str, stream: Stream) -> None:
        self._asks.fail_over(stream)
        self._presence.broke(device_id, unheard=stream.unheard)

    def _came_or_went(self, device_id: str, alive: bool) -> None:
        self._seeker.came_or_went(device_id, alive=alive)
        if not alive:
            self._asks.fail(device_id)

    def _missing(self) -> list[Member]:
        return [
            m
            for m in self._roster.members
            if m.device_id != self.device_id
            and can_dial(m)
            and not self._presence.is_alive(m.device_id)
        ]

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return beside(self._tasks, work)


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
