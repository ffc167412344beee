"""This node's session with one router: looked for while somebody is missing, given up once nobody is.

Zenoh is silent about a certificate that is refused and about a name that is not let in. So a handshake of our own
comes before the session, and afterwards a second, short one asks the router whether it sees us by the first.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import zenoh

from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.mesh.trust.routers import Router
from hearthway.records.errors import MeshError

from .allowance import Allowance
from .link import Health
from .probe import probe, probe_context
from .router_config import client_config
from .zenoh_config import key_prefix
from .zenoh_session import ZenohSession

MISSING_S = 0.5  # somebody missing so long is looked for by way of the router
LINGER_S = 20.0  # nobody missing for so long: the session is closed
_LET_IN_S, _TRIES = 1.0, 5
_CLOSE_S = 2.0
_AGAIN_S = (0.3, 0.5, 0.5, 1.0, 1.0, 1.0, 2.0, 2.0, 5.0)


class RouterSession:
    """One router. `deliver(session, device_id, content)` gets frames, and True or False for who comes and goes."""

    def __init__(
        self,
        router: Router,
        identity: DeviceIdentity,
        deliver: Callable[[RouterSession, str, bytes | bool], None],
        over: Callable[[RouterSession], None],
    ) -> None:
        """`over` is called when nobody is seen by way of it any more."""
        self.router = router
        self.problem = ""  # why it is not up; empty before it was looked for
        self._identity = identity
        self._deliver, self._over = deliver, over
        self._zenoh: ZenohSession | None = None
        self._wanted = self._let_in = self._lost = False
        self._early: list[tuple[str, bytes | bool]] = []  # came before we could answer
        self._room = Allowance()  # for these
        self._changed = asyncio.Event()

    @property
    def up(self) -> bool:
        """Does it carry this node's frames?"""
        return self._let_in and not self._lost

    def want(self, wanted: bool) -> None:
        """Is somebody missing?"""
        if wanted != self._wanted:
            self._wanted = wanted
            self._changed.set()

    async def send(self, device_id: str, payload: bytes, *, reliable: bool) -> bool:
        """Was it handed to zenoh?"""
        session = self._zenoh
        return session is not None and await session.send(device_id, payload, reliable=reliable)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            context = await asyncio.to_thread(probe_context, self._identity)
        except (
            OSError
        ) as why:  # the link beneath says more; a renewed certificate brings a new session
            self.problem = f"This device's certificate cannot be used: {why.strerror or why}."
            return
        tries = 0
        while True:
            await self._until(lambda: self._wanted)
            await asyncio.sleep(_AGAIN_S[min(tries, len(_AGAIN_S)) - 1] if tries else MISSING_S)
            if not self._wanted:
                tries = 0
                continue
            tries += 1
            address = await self._look(context)
            if address and await self._stay(address):
                tries = 0

    async def _look(self, context: ssl.SSLContext) -> str:
        """The address at which it answers first, or empty. A node is at one site, so most are silent."""
        name, problems = self.router.common_name, []

        async def knock(address: str) -> tuple[str, Health]:
            return address, await probe(context, name, address)

        knocks = [asyncio.ensure_future(knock(address)) for address in self.router.addresses]
        try:
            for knocked in asyncio.as_completed(knocks):
                address, found = await knocked
                if found.ok:
                    return address
                problems.append(found.problem.replace(name, f"The router {self.router.name}"))
        finally:
            for one in knocks:
                one.cancel()
            await asyncio.gather(*knocks, return_exceptions=True)
        self.problem = " ".join(problems)
        return ""

    async def _stay(self, address: str) -> bool:
        """In a session until it is lost or nobody is missing any more; False where none came about."""
        called = f"The router {self.router.name} at {address}"
        self._let_in = self._lost = False
        me = self._identity.device_id
        session = self._zenoh = ZenohSession(me, address, self._hear, wires=True)
        try:
            config = client_config(self._identity, self.router, address)
            await session.open(self._identity, config)
            token = f"{key_prefix(self._identity)}/alive/{me}"
            self._let_in = await asyncio.to_thread(_sees, config, token)
            if not self._let_in:
                self.problem = f"{called} does not let this device in: its file does not name it."
                return False
            self.problem = ""
            early, self._early = self._early, []
            for device_id, content in early:
                self._deliver(self, device_id, content)
            while await self._until(lambda: self._lost or not self._wanted) and not self._lost:
                if not await self._until(lambda: self._lost or self._wanted, LINGER_S):
                    break
            return True
        except MeshError:
            self.problem = f"{called} takes no session."
            return False
        finally:
            self._zenoh, self._let_in, self._early = None, False, []
            self._over(self)
            await session.close(_CLOSE_S)
            session.abandon()

    async def _until(self, holds: Callable[[], bool], timeout_s: float | None = None) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
        return holds()

    def _hear(self, device_id: str, content: bytes | bool) -> None:
        if self._zenoh is None:
            return
        if device_id and self._let_in:
            self._deliver(self, device_id, content)
        elif device_id:
            if self._room.take(len(content) if isinstance(content, bytes) else 0):
                self._early.append((device_id, content))
        elif content is False:
            self._lost = True
            self._changed.set()


def _sees(config: dict[str, Any], token: str) -> bool:
    """Does whoever these rules connect to see that token? Asked in a session of its own: one's own tokens are local."""
    try:
        session = zenoh.open(zenoh.Config.from_json5(json.dumps(config)))
    except zenoh.ZError:
        return False
    try:
        for _ in range(_TRIES):  # it may come a moment later than we ask
            if any(reply.ok for reply in session.liveliness().get(token, timeout=_LET_IN_S)):
                return True
            time.sleep(_LET_IN_S / _TRIES)
        return False
    finally:
        session.close()  # type: ignore[no-untyped-call]  # zenoh's stub leaves it so
