"""One zenoh session after the other: opened, put to, heard, closed. What its threads hear comes into the event loop.

Opening and closing block, so they happen in threads. What a session that was closed still says is ignored.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Thread
from typing import Any

import zenoh

from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.records.errors import MeshError

from .zenoh_config import key_prefix

INBOX_MAX = (
    50_000  # frames waiting for the event loop; beyond it unreliable and reliable alike are dropped
)
_REBIND_S = 5.0  # a closed session's port may stay taken for a moment
_INLINE_BYTES = (
    32 * 1024
)  # fits zenoh's queue (2 x 64 KiB), so a put of so little cannot block the loop


class ZenohSession:
    """This node's session. `deliver(device_id, content)` gets frames, and True or False for who comes and goes."""

    def __init__(
        self,
        device_id: str,
        listen: str,
        deliver: Callable[[str, bytes | bool], None],
        *,
        wires: bool = False,
    ) -> None:
        """`listen` is "host:port"; `deliver` is called in the event loop. With `wires` it also gets "" and True or
        False for each connection that comes and goes.
        """
        self._wires = wires
        self._device_id, self._listen, self._deliver = device_id, listen, deliver
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="hearthway-put")
        self._session: zenoh.Session | None = None
        self._prefix = ""
        self._declared: list[Any] = []
        self._generation = 0  # callbacks of a session that was closed are ignored
        self._inbox: deque[tuple[int, str, bytes | bool]] = deque()
        self._woken = False
        self._rejoining = False
        self._unheard: dict[str, int] = {}  # bytes put since we last heard from that device
        self.dropped = 0  # frames that found the inbox full

    @property
    def is_open(self) -> bool:
        """Is there a session now?"""
        return self._session is not None

    # -- life ----------------------------------------------------------------------------------

    async def open(self, identity: DeviceIdentity, config: dict[str, Any]) -> None:
        """Join with that configuration of zenoh; MeshError when the address cannot be listened at, or connected to."""
        self._generation += 1
        self._prefix = key_prefix(identity)
        try:
            self._session = await self._bind(self._generation, config)
        except zenoh.ZError as why:
            if in_use(why):
                raise MeshError(
                    f"Another program listens at {self._listen} already.",
                    "Stop it (is this node up twice?), or choose another port.",
                ) from None
            raise MeshError(
                f"This node cannot listen at {self._listen}.",
                "Check the address and the port in the configuration.",
            ) from None

    async def _bind(self, generation: int, config: dict[str, Any]) -> zenoh.Session:
        """Our own last session may let go of the port a moment after it was closed."""
        deadline = time.monotonic() + (_REBIND_S if self._rejoining else 0.0)
        while True:
            try:
                starting = asyncio.create_task(asyncio.to_thread(self._start, generation, config))
                try:
                    return await asyncio.shield(starting)
                except asyncio.CancelledError:
                    with suppress(
                        zenoh.ZError
                    ):  # the thread goes on: what it opened must be closed
                        await asyncio.to_thread((await starting).close)
                    raise
            except zenoh.ZError as why:
                if not in_use(why) or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)

    def _start(self, generation: int, config: dict[str, Any]) -> zenoh.Session:
        """In a thread: opening blocks. The token comes last: who sees it can reach our subscriber."""
        session = zenoh.open(zenoh.Config.from_json5(json.dumps(config)))
        try:
            me = self._device_id

            def frame(sample: zenoh.Sample) -> None:
                sender = str(sample.key_expr).rpartition("/")[2]
                self._hear(generation, sender, sample.payload.to_bytes())

            def token(sample: zenoh.Sample) -> None:
                device_id = str(sample.key_expr).rpartition("/")[2]
                self._hear(generation, device_id, sample.kind == zenoh.SampleKind.PUT)

            def wire(event: zenoh.TransportEvent) -> None:
                self._hear(generation, "", event.kind == zenoh.SampleKind.PUT)

            if self._wires:
                session.info.declare_transport_events_listener(wire, history=True)
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

    async def close(self, patience_s: float | None = None) -> None:
        """Leave; what has arrived is delivered first. Waits so long for zenoh, for ever without."""
        self._drain()
        self._generation += 1
        session, self._session = self._session, None
        self._declared = []
        if session is not None:
            self._rejoining = True
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await _closed(session)

    async def end(self) -> None:
        """After the last `close`: its threads have ended afterwards."""
        await asyncio.to_thread(self._pool.shutdown)

    def abandon(self) -> None:
        """As `end`, without waiting."""
        self._pool.shutdown(wait=False)

    # -- sending -------------------------------------------------------------------------------

    async def send(self, device_id: str, payload: bytes, *, reliable: bool) -> bool:
        """Was it handed to zenoh? An unreliable frame is dropped rather than waited for."""
        if not reliable:
            return self._put(device_id, payload, zenoh.CongestionControl.DROP)
        unheard = self._unheard[device_id] = self._unheard.get(device_id, 0) + len(payload)
        if unheard < _INLINE_BYTES:
            return self._put(device_id, payload, zenoh.CongestionControl.BLOCK)
        return await self._loop.run_in_executor(
            self._pool, self._put, device_id, payload, zenoh.CongestionControl.BLOCK
        )

    def _put(self, device_id: str, payload: bytes, control: zenoh.CongestionControl) -> bool:
        session = self._session
        if session is None:
            return False
        try:
            session.put(
                f"{self._prefix}/to/{device_id}/{self._device_id}",
                payload,
                congestion_control=control,
            )
        except zenoh.ZError:
            return False
        return True

    # -- hearing -------------------------------------------------------------------------------

    def _hear(self, generation: int, device_id: str, content: bytes | bool) -> None:
        """Zenoh's threads call this. One queue, one wake-up for all that has piled up."""
        if len(self._inbox) >= INBOX_MAX and isinstance(content, bytes):
            self.dropped += 1
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
            if generation != self._generation:
                continue
            if isinstance(content, bytes):
                self._unheard[device_id] = 0
            self._deliver(device_id, content)


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


def in_use(why: zenoh.ZError) -> bool:
    """Is it that another program listens there?"""
    text = str(why).lower()
    return "in use" in text or "os error 98" in text
