"""A link that reaches farther: a member that only a neighbour sees is reached through that neighbour.

Nodes tell their direct neighbours whom they reach. A frame for somebody reached so goes to the neighbour, who hands
it on, one hop and no more. What it hands on is sealed between the ends by their sessions: a relay reads nothing, and
one that lies, drops or reorders can only deny. The direct way is taken as soon as it is there.

Every frame of the inner link begins with one byte: direct, whom I reach, hand this on, or handed on.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from typing import Any, Protocol, runtime_checkable

import msgspec

from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.mesh.trust.roster import Roster
from hearthway.records import codec
from hearthway.records.errors import MeshError, WireError
from hearthway.records.household import Peer

from .allowance import Allowance
from .beside import beside
from .link import FRAME_MAX_BYTES, AskHandler, FrameHandler, Health, Link, PeerHandler, RouterState

_DIRECT, _REACH, _ONWARD, _HANDED = b"=", b"?", b">", b"<"
_YES, _NO = b"+", b"-"
_QUEUE_MAX = 256  # frames that wait to be handed on to one device
_FRAME_MAX_BYTES = FRAME_MAX_BYTES - 128  # room for whom it is from and to
_ASK_MAX_S = 30.0
_REACH_MAX_BYTES = 64 * 1024  # more devices than a household has
_AVOID_S = 30.0  # a relay that failed a device is the last choice for so long


@runtime_checkable
class Parkable(Protocol):
    """A link that can save power while nobody drives."""

    @property
    def parked(self) -> bool:
        """Is the longer lease in force?"""

    async def set_parked(self, parked: bool) -> None:
        """Parked: fewer wake-ups, and a vanished node is noticed later."""


@runtime_checkable
class Located(Protocol):
    """A link that knows where its peers are."""

    def address_of(self, device_id: str) -> str:
        """ "host:port" at which a peer's mesh would be, by the stream it proved itself on; empty where unknown."""

    async def answers_at(self, device_id: str, address: str) -> bool:
        """Does that device of this household listen there?"""


@runtime_checkable
class Neighbouring(Protocol):
    """A link that can tell a peer on a network of this machine's own from one that is elsewhere."""

    def is_near(self, device_id: str) -> bool:
        """Is it reached straight, on a network that this machine itself is on: no relay, no router, no tunnel?"""

    async def answers_near(self, device_id: str) -> bool:
        """The same, and it answers there now; up to 1 s."""


@runtime_checkable
class Renewable(Protocol):
    """A link that can take a renewed certificate."""

    async def update_identity(self, identity: DeviceIdentity) -> None:
        """Use these certificate files from now on."""


@runtime_checkable
class Routed(Protocol):
    """A link that reaches members by way of routers."""

    def routers(self) -> list[RouterState]:
        """Every router on the list, and how this node stands with it."""


class _Onward(msgspec.Struct, frozen=True, array_like=True):
    """`who`: to whom on the way to the relay, from whom on the way from it."""

    who: str
    reliable: bool
    timeout_s: float
    frame: bytes


_Job = tuple[str, _Onward, "asyncio.Future[bytes] | None"]  # from whom; the answer, for an ask


class RelayLink:
    """Keeps the contract of `link.Link` over another link that keeps it."""

    def __init__(self, inner: Link) -> None:
        self._inner = inner
        self._reach: dict[str, frozenset[str]] = {}  # neighbour -> whom it says it reaches
        self._told: dict[str, bytes] = {}  # what each neighbour was last told
        self._via: dict[str, str] = {}  # who is reached through whom
        self._since_s: dict[str, float] = {}
        self._near: set[str] = set()  # direct, and told to the listeners
        self._avoid_s: dict[tuple[str, str], float] = {}
        self._allowances: dict[str, Allowance] = {}  # by whom it is from
        self._handed: dict[str, Allowance] = {}  # by the relay
        self._queues: dict[str, deque[_Job]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_frame: list[FrameHandler] = []
        self._on_ask: AskHandler | None = None
        self._on_peer: list[PeerHandler] = []
        self.handed_on = 0  # frames this node relayed
        inner.on_frame(self._hear)
        inner.on_ask(self._hear_ask)
        inner.on_peer(self._notice)

    @property
    def device_id(self) -> str:
        """This node's id."""
        return self._inner.device_id

    @property
    def roster(self) -> Roster | None:
        """Whom this link talks to; without a roster nothing is relayed."""
        return self._inner.roster

    async def open(self) -> None:
        """As the inner link's."""
        await self._inner.open()

    async def close(self) -> None:
        """As the inner link's."""
        tasks = [t for t in self._tasks if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._queues.clear()
        await self._inner.close()
        self._reach.clear()
        self._choose()

    # -- sending -------------------------------------------------------------------------------

    async def put(self, to: str, frame: bytes, *, reliable: bool) -> int:
        """As `Link.put`; through a relay a frame counts as handed over once the relay has it."""
        _check_size(frame)
        count = await self._inner.put(to, _DIRECT + frame, reliable=reliable)
        for device_id in self._relayed(to):
            onward = _ONWARD + _pack(_Onward(device_id, reliable, 0.0, frame))
            count += await self._inner.put(self._via[device_id], onward, reliable=reliable)
        return count

    def ask(self, device_id: str, frame: bytes, timeout_s: float) -> Coroutine[Any, Any, bytes]:
        """As `Link.ask`; a relay that cannot hand it on says so, and another one is tried next time."""
        _check_size(frame)
        relay = None if device_id in self._near else self._via.get(device_id)
        if relay is None:
            return self._inner.ask(device_id, _DIRECT + frame, timeout_s)
        return self._ask_by(relay, device_id, frame, timeout_s)

    async def _ask_by(self, relay: str, device_id: str, frame: bytes, timeout_s: float) -> bytes:
        onward = _ONWARD + _pack(
            _Onward(device_id, reliable=True, timeout_s=timeout_s, frame=frame)
        )
        try:
            answer = await self._inner.ask(relay, onward, timeout_s)
            if answer[:1] != _YES:
                raise MeshError(
                    f"{device_id} did not answer by way of {relay}.",
                    "Try again; is it busy or away?",
                )
        except MeshError:
            self._avoid_s[relay, device_id] = time.monotonic() + _AVOID_S
            if len(self._offers(device_id)) > 1:
                self._choose()
            raise
        return answer[1:]

    # -- looking -------------------------------------------------------------------------------

    def on_frame(self, callback: FrameHandler) -> None:
        """Call back with every frame."""
        self._on_frame.append(callback)

    def on_ask(self, callback: AskHandler) -> None:
        """The one answerer of asks."""
        self._on_ask = callback

    def on_peer(self, callback: PeerHandler) -> None:
        """Call back when a peer comes or goes; one whose way changes goes and comes."""
        self._on_peer.append(callback)

    def peers(self) -> dict[str, Peer]:
        """As `Link.peers`; `via` names the relay."""
        peers = self._inner.peers()
        for device_id, relay in self._via.items():
            known = peers.get(device_id)
            if known is not None and known.alive:
                continue
            role = known.role if known is not None else self._role(device_id)
            peers[device_id] = Peer(
                device_id=device_id,
                role=role,
                alive=True,
                since_s=self._since_s.get(device_id, 0.0),
                via=relay,
            )
        return dict(sorted(peers.items()))

    def counters(self) -> dict[str, int]:
        """As `Link.counters`: what goes through a relay was handed to the relay."""
        return self._inner.counters()

    def health(self) -> Health:
        """As the inner link's: without a neighbour there is no relay either."""
        return self._inner.health()

    @property
    def inner(self) -> Link:
        """The link beneath."""
        return self._inner

    async def update_roster(self, roster: Roster) -> None:
        """As `Link.update_roster`; whoever left is neither reached nor handed anything, at once."""
        work = asyncio.ensure_future(self._inner.update_roster(roster))
        await asyncio.sleep(0)  # the inner link has the roster in its first step
        self._choose(roster)
        await work
        self._choose()

    async def update_identity(self, identity: DeviceIdentity) -> None:
        """As the inner link's, where it has certificates."""
        if isinstance(self._inner, Renewable):
            await self._inner.update_identity(identity)

    async def set_parked(self, parked: bool) -> None:
        """As the inner link's, where it can save power."""
        if isinstance(self._inner, Parkable):
            await self._inner.set_parked(parked)

    @property
    def parked(self) -> bool:
        """As the inner link's."""
        return isinstance(self._inner, Parkable) and self._inner.parked

    def address_of(self, device_id: str) -> str:
        """As the inner link's; empty for whom only a neighbour sees."""
        if device_id not in self._near or not isinstance(self._inner, Located):
            return ""
        return self._inner.address_of(device_id)

    def is_near(self, device_id: str) -> bool:
        """As the inner link's; whom only a neighbour sees is not near."""
        if device_id not in self._near or not isinstance(self._inner, Neighbouring):
            return False
        return self._inner.is_near(device_id)

    async def answers_near(self, device_id: str) -> bool:
        """As the inner link's."""
        if device_id not in self._near or not isinstance(self._inner, Neighbouring):
            return False
        return await self._inner.answers_near(device_id)

    async def answers_at(self, device_id: str, address: str) -> bool:
        """As the inner link's."""
        return isinstance(self._inner, Located) and await self._inner.answers_at(device_id, address)

    def routers(self) -> list[RouterState]:
        """As the inner link's."""
        return self._inner.routers() if isinstance(self._inner, Routed) else []

    # -- who is reached through whom -----------------------------------------------------------

    def _notice(self, device_id: str, alive: bool) -> None:
        if alive:
            if self._via.pop(device_id, None) is not None:
                self._tell(device_id, alive=False)  # the way changes: greet anew
            self._near.add(device_id)
            self._tell(device_id, alive=True)
        else:
            self._near.discard(device_id)
            self._reach.pop(device_id, None)
            self._told.pop(device_id, None)
            for _, _, answer in self._queues.pop(device_id, ()):
                if answer is not None and not answer.done():
                    answer.set_result(_NO)
            self._tell(device_id, alive=False)
        self._choose()  # also where it came: it may have said whom it reaches before it was seen here
        self._say_reach()

    def _say_reach(self) -> None:
        if self.roster is None:
            return
        reach = msgspec.msgpack.encode(sorted(self._near))
        for neighbour in sorted(self._near):
            if self._told.get(neighbour) != reach:
                self._told[neighbour] = reach
                self._spawn(self._say(neighbour, _REACH + reach))

    async def _say(self, neighbour: str, frame: bytes) -> None:
        with suppress(MeshError):
            await self._inner.put(neighbour, frame, reliable=True)

    def _heard_reach(self, neighbour: str, body: bytes) -> None:
        if len(body) > _REACH_MAX_BYTES:
            return
        try:
            said = frozenset(codec.unpack(body, list[str]))
        except WireError:
            return
        roster = self.roster
        if roster is not None:
            self._reach[neighbour] = frozenset(m.device_id for m in roster.members) & said
            self._choose()

    def _offers(self, device_id: str) -> list[str]:
        """Neighbours that reach it, those that failed it lately last."""
        now_s = time.monotonic()
        offers = [n for n, reach in self._reach.items() if device_id in reach and n in self._near]
        return sorted(offers, key=lambda n: (self._avoid_s.get((n, device_id), 0.0) > now_s, n))

    def _choose(self, roster: Roster | None = None) -> None:
        """For everybody who is not direct: the relay that stays while it can, else the first that offers."""
        roster = roster or self.roster
        members = [m.device_id for m in roster.members] if roster is not None else []
        for device_id in sorted({*self._via, *members}):
            offers = self._offers(device_id)
            now = self._via.get(device_id)
            best = offers[0] if offers else None
            if device_id not in members or device_id in (self.device_id, *self._near):
                best = None
            elif now in offers and not self._failed(now, device_id):
                best = now
            if best == now:
                continue
            if now is not None:
                del self._via[device_id]
                if device_id not in self._near:
                    self._tell(device_id, alive=False)
            if best is not None:
                self._via[device_id] = best
                self._since_s[device_id] = time.monotonic()
                self._tell(device_id, alive=True)

    def _failed(self, relay: str, device_id: str) -> bool:
        return self._avoid_s.get((relay, device_id), 0.0) > time.monotonic()

    def _tell(self, device_id: str, *, alive: bool) -> None:
        for callback in self._on_peer:
            callback(device_id, alive)

    def _role(self, device_id: str) -> str:
        member = self.roster.member(device_id) if self.roster is not None else None
        return member.role if member is not None else ""

    def _relayed(self, to: str) -> list[str]:
        return [
            d for d in self._via if d not in self._near and (to == d or to == self._role(d) != "")
        ]

    # -- hearing and handing on ----------------------------------------------------------------

    def _hear(self, sender: str, payload: bytes) -> None:
        kind, body = payload[:1], payload[1:]
        if kind == _DIRECT:
            for callback in self._on_frame:
                callback(sender, body)
        elif kind == _REACH:
            self._heard_reach(sender, body)
        elif kind == _ONWARD:
            onward = _unpack(body)
            if onward is not None and self._may_hand_on(sender, onward):
                self._queue(sender, onward, None)
        elif kind == _HANDED:
            onward = _unpack(body)
            if onward is not None and self._may_be_handed(sender, onward):
                for callback in self._on_frame:
                    callback(onward.who, onward.frame)

    def _hear_ask(self, sender: str, payload: bytes) -> Awaitable[bytes]:
        """Not async: what is asked is heard in its turn."""
        kind, body = payload[:1], payload[1:]
        if kind == _DIRECT and self._on_ask is not None:
            return self._on_ask(sender, body)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        onward = _unpack(body)
        if kind == _ONWARD and onward is not None and self._may_hand_on(sender, onward):
            self._queue(sender, onward, answer)
        elif kind == _HANDED and onward is not None and self._on_ask is not None:
            if self._may_be_handed(sender, onward):
                return self._on_ask(onward.who, onward.frame)
            answer.set_exception(MeshError("Refused."))
        elif kind == _ONWARD:
            answer.set_result(_NO)
        else:
            answer.set_exception(MeshError("Refused."))
        return answer

    def _is_member(self, device_id: str) -> bool:
        return (
            self.roster is not None
            and self.roster.member(device_id) is not None
            and device_id != self.device_id
        )

    def _may_be_handed(self, relay: str, onward: _Onward) -> bool:
        """Of members, no more than an honest relay would hand on: it can say any name."""
        if not self._is_member(onward.who) or onward.who == relay:
            return False
        allowance = self._handed.setdefault(relay, Allowance())
        return allowance.take(len(onward.frame))

    def _may_hand_on(self, sender: str, onward: _Onward) -> bool:
        """Between members, to a direct neighbour, no more than a sender's share and a bounded queue."""
        if not (self._is_member(sender) and self._is_member(onward.who)):
            return False
        if onward.who == sender or onward.who not in self._near:
            return False
        if len(self._queues.get(onward.who, ())) >= _QUEUE_MAX:
            return False
        allowance = self._allowances.setdefault(sender, Allowance())
        return allowance.take(len(onward.frame))

    def _queue(self, sender: str, onward: _Onward, answer: asyncio.Future[bytes] | None) -> None:
        queue = self._queues.get(onward.who)
        job = (sender, onward, answer)
        if queue is not None:
            queue.append(job)
        else:
            self._queues[onward.who] = deque([job])
            self._spawn(self._hand_on(onward.who))

    async def _hand_on(self, to: str) -> None:
        """One after the other, so that a sender's frames keep their order; answers come when they come."""
        queue = self._queues.get(to)
        while queue:
            sender, onward, answer = queue.popleft()
            frame = _HANDED + _pack(_Onward(sender, onward.reliable, 0.0, onward.frame))
            self.handed_on += 1
            if answer is not None:
                timeout_s = min(max(onward.timeout_s, 0.0), _ASK_MAX_S)
                self._spawn(self._ask_for(to, frame, timeout_s, answer))
                await asyncio.sleep(0)  # it is on its way before the next
            else:
                with suppress(MeshError):
                    await self._inner.put(to, frame, reliable=onward.reliable)
        if queue is not None and self._queues.get(to) is queue:
            del self._queues[to]

    async def _ask_for(
        self, to: str, frame: bytes, timeout_s: float, answer: asyncio.Future[bytes]
    ) -> None:
        try:
            reply = _YES + await self._inner.ask(to, frame, timeout_s)
        except MeshError:
            reply = _NO
        if not answer.done():
            answer.set_result(reply)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        beside(self._tasks, work)


def _pack(onward: _Onward) -> bytes:
    return msgspec.msgpack.encode(onward)


def _unpack(body: bytes) -> _Onward | None:
    """None for what is none: hostile bytes raise nothing here, and a wait that is no number would upset timers."""
    try:
        onward = codec.unpack(body, _Onward)
    except WireError:
        return None
    return onward if math.isfinite(onward.timeout_s) else None


def _check_size(frame: bytes) -> None:
    if len(frame) > _FRAME_MAX_BYTES:
        raise MeshError(
            f"A message of {len(frame)} bytes is larger than {_FRAME_MAX_BYTES}.",
            "Send it in parts.",
        )
