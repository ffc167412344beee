"""Looking for members that are missing: why they are not there (a probe), and dialling them beside zenoh.

While everybody is there nothing of this runs.
"""

from __future__ import annotations

import asyncio
import math
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from hearthway.mesh.trust.roster import Member

from .link import Health
from .probe import probe, split_address

_WATCH_S = 0.5  # somebody missing so long is looked for
_PROBE_AGAIN_S = (1.0, 2.0, 4.0, 10.0, 10.0, 10.0, 30.0, 60.0)
_DEAF = 3  # found there by so many probes, and zenoh has not: the session is opened anew, with more patience
_DEAF_S = 30.0
# Missing for less than the first number, a peer is dialled every so many seconds. A quarter is RFC 8305's pause.
_KNOCK_AGAIN_S = ((30.0, 0.25), (60.0, 1.0), (math.inf, 5.0))
_NEWS_S = 5.0  # when somebody came, or the list changed, whoever is missing is dialled as at first for so long


class Knocks:
    """When each missing peer is dialled; times are monotonic seconds."""

    def __init__(self, rng: random.Random) -> None:
        """`rng` keeps two that look for one another out of step."""
        self._rng = rng
        self._since_s: dict[str, float] = {}
        self._due_s: dict[str, float] = {}

    def due(self, missing: Iterable[str], now_s: float) -> list[str]:
        """Who of them is to be dialled now. Whoever is not among them is forgotten."""
        missing = set(missing)
        for device_id in self._due_s.keys() - missing:
            del self._since_s[device_id], self._due_s[device_id]
        for device_id in missing - self._due_s.keys():
            self._since_s[device_id] = now_s
            self._due_s[device_id] = now_s + self._pause_s(device_id, now_s)
        due = sorted(d for d, due_s in self._due_s.items() if due_s <= now_s)
        for device_id in due:
            self._due_s[device_id] = now_s + self._pause_s(device_id, now_s)
        return due

    def news(self, now_s: float) -> None:
        """The network may be back: all of them are due, and dialled as at first for a moment."""
        latest_s = now_s - _KNOCK_AGAIN_S[0][0] + _NEWS_S
        for device_id in self._due_s:
            self._since_s[device_id] = max(self._since_s[device_id], latest_s)
            self._due_s[device_id] = now_s

    @property
    def next_s(self) -> float | None:
        """When somebody is due next."""
        return min(self._due_s.values(), default=None)

    def _pause_s(self, device_id: str, now_s: float) -> float:
        away_s = now_s - self._since_s[device_id]
        pause_s = next(pause_s for under_s, pause_s in _KNOCK_AGAIN_S if away_s < under_s)
        return pause_s * self._rng.uniform(0.8, 1.2)


class Seeker:
    """What one node does about members that are missing."""

    def __init__(
        self,
        missing: Callable[[], list[Member]],
        *,
        unseen: Callable[[str], bool],
        knock: Callable[[str], None],
        deaf: Callable[[], Awaitable[None]],
        when_quiet: Callable[[], float | None],
        rest: Callable[[], Awaitable[None]],
    ) -> None:
        """`unseen(id)`: zenoh does not see it either; `deaf`: zenoh misses who is there.

        `when_quiet` says when (monotonic s) a node that rests does `rest`; None: never.
        """
        self.context: (
            ssl.SSLContext
        )  # of the probe; set before it runs, anew with a new certificate
        self.changed = asyncio.Event()  # somebody came or went, or the list of devices is another
        self._left = asyncio.Event()  # perhaps somebody is missing
        self._knocks = Knocks(random.Random())  # noqa: S311 - jitter, not a secret
        self.found: dict[str, Health] = {}
        self._missing, self._unseen, self._knock_at = missing, unseen, knock
        self._deaf, self._when_quiet, self._rest_now = deaf, when_quiet, rest

    def came_or_went(self, device_id: str, *, alive: bool) -> None:
        """That peer is there, or not."""
        self.found.pop(device_id, None)
        self.changed.set()
        if alive:
            self._knocks.news(time.monotonic())
        self._left.set()

    def look_again(self) -> None:
        """The list of devices is another."""
        self.changed.set()
        self._knocks.news(time.monotonic())
        self._left.set()

    async def watch(self) -> None:
        """For ever. Sleeps while everybody is there; whoever is missing is looked for, ever more rarely."""
        tries: dict[str, int] = {}
        seen: dict[str, int] = {}
        due_s: dict[str, float] = {}
        deaf_s = 0.0
        while True:
            self.changed.clear()
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
            health = await asyncio.gather(
                *(probe(self.context, m.device_id, m.address) for m in asked)
            )
            still = {m.device_id for m in self._missing()}
            for member, one in zip(asked, health, strict=True):
                n = tries[member.device_id] = tries.get(member.device_id, 0) + 1
                seen[member.device_id] = seen.get(member.device_id, 0) + 1 if one.ok else 0
                due_s[member.device_id] = (
                    time.monotonic() + _PROBE_AGAIN_S[min(n, len(_PROBE_AGAIN_S)) - 1]
                )
                if member.device_id in still:
                    self.found[member.device_id] = one
            if max(seen.values()) >= _DEAF and time.monotonic() - deaf_s > _DEAF_S:
                deaf_s = time.monotonic()
                seen.clear()
                await self._deaf()

    async def knock(self) -> None:
        """For ever: dial who is missing, beside zenoh, whose dials into a cut wire wait for TCP's doubled pauses."""
        while True:
            self._left.clear()
            missing = [m.device_id for m in self._missing()]
            for device_id in self._knocks.due(missing, time.monotonic()):
                if self._unseen(device_id):
                    self._knock_at(device_id)
            next_s = self._knocks.next_s
            with suppress(TimeoutError):
                async with asyncio.timeout(None if next_s is None else next_s - time.monotonic()):
                    await self._left.wait()

    async def _rest(self, until_s: float | None) -> None:
        """Until something changes, or until then, or until a quiet node does what it does then."""
        waits = [t for t in (until_s, self._when_quiet()) if t is not None]
        try:
            async with asyncio.timeout(min(waits) - time.monotonic() if waits else None):
                await self.changed.wait()
        except TimeoutError:
            await self._rest_now()


def can_dial(member: Member) -> bool:
    """Does the list say where it listens?"""
    return bool(split_address(member.address)[1])
