"""Greeting peers until they have proved themselves, handing on the list of devices, and how well each is reached."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import msgspec

from hearthway.mesh.links.link import Link
from hearthway.records.errors import HearthwayError, MeshError

from .checks import Quality
from .envelope import ROSTER, ROSTER_ASK
from .lanes import Session
from .sessions import Sessions, VersionsError

log = logging.getLogger("hearthway.mesh")

GREET_S = 2.0
AGAIN_S = (0.1, 0.3, 1.0, 2.0)
_ROSTER_AGAIN_S = 0.5  # the least time between two rosters handed to the same peer
_RECHECK_S = 0.5  # the least time between two questions which session a peer is in
_GREETINGS_A_S = 40  # heard of one sender: each costs two signatures; nobody needs so many
_SMOOTH = 0.2  # weight of the newest round trip


class Tell(Protocol):
    """A peer has proved itself, or goes."""

    def __call__(self, device_id: str, *, ready: bool) -> None: ...


class Greeter:
    """Keeps one node's sessions alive: greets whoever the link sees, until it goes.

    What it remembers is kept by device, and a link brings words of members of the household only: there are few.
    """

    def __init__(
        self,
        sessions: Sessions,
        link: Link,
        now: Callable[[], float],
        tell: Tell,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        """`tell(device_id, ready)` is called when a peer has proved itself, and when it goes."""
        self._sessions = sessions
        self._link = link
        self._now = now
        self._tell = tell
        self._spawn = spawn
        self._running: dict[str, asyncio.Task[None]] = {}
        self._checking: dict[str, asyncio.Task[None]] = {}
        self._quality: dict[str, Quality] = {}
        self._handed: dict[str, tuple[int, float]] = {}  # to whom: which list, and when
        self._asked: dict[str, float] = {}
        self._greeted: dict[str, tuple[float, int]] = {}  # by sender: this second, and how often
        self._rechecked: dict[str, float] = {}
        self.signed_roster = b""
        self.strangers: dict[str, str] = {}  # who could not prove itself, and why
        self.active = False

    def greet_soon(self, device_id: str) -> None:
        """Greet that device, unless it is being greeted or this node is going."""
        if self.active and not _runs(self._running.get(device_id)):
            self._end(self._checking, device_id)  # it asks the same, and would tell nobody
            self._running[device_id] = self._spawn(self._greet(device_id))

    def lives_in(self, session: Session, before: Session | None) -> None:
        """A frame opened in a session that we have not greeted; what went out in the one before was read by nobody."""
        if before is not None and before is not session and before.greeted:
            self._tell(session.device_id, ready=False)
        self.greet_soon(session.device_id)

    def stop(self, device_id: str) -> None:
        """That device went."""
        self._end(self._running, device_id)
        self._end(self._checking, device_id)

    @staticmethod
    def _end(tasks: dict[str, asyncio.Task[None]], device_id: str) -> None:
        task = tasks.pop(device_id, None)
        if task is not None:
            task.cancel()

    def stop_all(self) -> None:
        """This node goes, or was put out: nobody is greeted any more."""
        self.active = False
        for device_id in self._running.keys() | self._checking.keys():
            self.stop(device_id)

    def hear(self, claimed: str, frame: bytes) -> bytes:
        """The answer to a greeting; empty where it does not hold: our list of devices may be the older one."""
        if self._too_often(claimed):
            return b""
        before = self._sessions.get(claimed)
        was_ready = before is not None and before.greeted
        try:
            session, hello = self._sessions.hear_greeting(claimed, frame, answer=False)
        except VersionsError as why:
            self.strangers[claimed] = why.message
            return self._sessions.greeting(claimed, echo=why.challenge)
        except HearthwayError as why:
            log.info("A greeting from %s does not hold: %s", claimed, type(why).__name__)
            return b""
        if was_ready and before is not None and not before.greeted:
            self._tell(claimed, ready=False)  # it restarted faster than the link noticed
        if not session.greeted:
            self.greet_soon(claimed)
        return self._sessions.greeting(claimed, echo=hello.challenge)

    def _too_often(self, claimed: str) -> bool:
        now_s = time.monotonic()
        since_s, count = self._greeted.get(claimed, (now_s, 0))
        if now_s - since_s >= 1.0:
            since_s, count = now_s, 0
        self._greeted[claimed] = since_s, count + 1
        return count >= _GREETINGS_A_S

    async def _greet(self, device_id: str) -> None:
        """Until the peer has proved itself, or goes."""
        tries = 0
        while True:
            try:
                session = await self._once(device_id)
                if session.roster_serial < self._sessions.identity.roster.serial:
                    await self.hand_roster(device_id)
                if session.greeted and self._sessions.get(device_id) is session:
                    break  # else it began anew meanwhile
            except HearthwayError as why:
                self.strangers[device_id] = why.message
                if self._running.get(device_id) is not asyncio.current_task():
                    return  # it went, and nothing waits for it any more
                await asyncio.sleep(AGAIN_S[min(tries, len(AGAIN_S) - 1)])
                tries += 1
        self.strangers.pop(device_id, None)
        self._tell(device_id, ready=True)

    def recheck(self, device_id: str) -> None:
        """A peer's frames do not open: ask it once more which session it is in, seldom, beside everything else.

        Two that lost and found one another at different moments, by different ways, may each hold another
        session for the current one; neither would ever notice by itself.
        """
        asked = (self._running.get(device_id), self._checking.get(device_id))
        if not self.active or any(_runs(task) for task in asked):
            return
        now_s = time.monotonic()
        if now_s - self._rechecked.get(device_id, -1e9) >= _RECHECK_S:
            self._rechecked[device_id] = now_s
            self._checking[device_id] = self._spawn(self._recheck(device_id))

    async def _recheck(self, device_id: str) -> None:
        before = self._sessions.get(device_id)
        try:
            session = await self._once(device_id)
        except HearthwayError:  # gone meanwhile, or put out: then the link says so
            if before is not None and self._sessions.get(device_id) is None:
                self._tell(device_id, ready=False)  # it is in a session that was over here
                self.greet_soon(device_id)
            return
        if session is not before:
            self._tell(device_id, ready=False)
            self._tell(device_id, ready=True)

    async def _once(self, device_id: str) -> Session:
        sent_s, started = self._now(), time.monotonic()
        answer = await self._link.ask(device_id, self._sessions.greeting(device_id), GREET_S)
        rtt_s = time.monotonic() - started
        if not answer:
            await self.hand_roster(device_id)  # it may not have heard of us yet
            raise MeshError(
                f"{device_id} does not know this device yet.", "It is told who is in the household."
            )
        session, hello = self._sessions.hear_greeting(device_id, answer, answer=True)
        self.measured(device_id, rtt_s)
        offset_s = hello.time_s - (sent_s + rtt_s / 2)
        self._quality[device_id] = msgspec.structs.replace(
            self._quality[device_id],
            clock_offset_s=offset_s if math.isfinite(offset_s) else None,
            version=hello.software[:20],
        )
        return session

    # -- how well a peer is reached ------------------------------------------------------------

    def measured(self, device_id: str, rtt_s: float) -> None:
        """One round trip, without the time that the answerer took."""
        known = self._quality.get(device_id) or Quality()
        if known.rtt_s is not None:
            rtt_s = known.rtt_s + _SMOOTH * (rtt_s - known.rtt_s)
        self._quality[device_id] = msgspec.structs.replace(known, rtt_s=rtt_s)

    def quality(self, device_id: str) -> Quality:
        """As far as it was measured."""
        return self._quality.get(device_id) or Quality()

    # -- the list of devices -------------------------------------------------------------------

    async def hand_roster(self, device_id: str) -> None:
        """The list is signed by the root, so anybody may hand it on, and unsealed: before any newer key is used."""
        now_s = time.monotonic()
        serial = self._sessions.identity.roster.serial
        handed, handed_s = self._handed.get(device_id, (-1, -1e9))
        lately = handed == serial and now_s - handed_s < _ROSTER_AGAIN_S
        if not self.signed_roster or lately:
            return
        self._handed[device_id] = serial, now_s
        await self._link.put(device_id, ROSTER + self.signed_roster, reliable=True)

    async def ask_roster(self, device_id: str) -> None:
        """Somebody uses a household key we do not know: ask for the list."""
        now_s = time.monotonic()
        if now_s - self._asked.get(device_id, -1e9) >= _ROSTER_AGAIN_S:
            self._asked[device_id] = now_s
            await self._link.put(device_id, ROSTER_ASK, reliable=True)


def _runs(task: asyncio.Task[None] | None) -> bool:
    return task is not None and not task.done()
