"""Asks over a link as numbered messages: each waits for the answer with its number, and fails when its peer goes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from hearthway.records.errors import MeshError

from .stream import Stream

NUMBER_BYTES = 8
_Send = Callable[[bytes], Awaitable[tuple[bool, Stream | None]]]
_AtOnce = Callable[[bytes], Stream | None]


class Asks:
    """The asks of one node that have no answer yet."""

    def __init__(self) -> None:
        self._waiting: dict[
            bytes, tuple[str, asyncio.Future[bytes], float]
        ] = {}  # loop time: until
        self._over: dict[bytes, Stream] = {}  # the stream an ask went over
        self._number = 0
        self._patience: asyncio.TimerHandle | None = (
            None  # one for all: one an ask costs as much as sealing
        )

    async def ask(self, device_id: str, at_once: _AtOnce, send: _Send, timeout_s: float) -> bytes:
        """The answer to what `at_once(number)` sends, or else `send(number)`; MeshError when the peer is away,
        goes away or is silent.
        """
        self._number += 1
        number = self._number.to_bytes(NUMBER_BYTES, "big")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        until_s = loop.time() + timeout_s
        self._waiting[number] = (device_id, answer, until_s)
        if self._patience is None or until_s < self._patience.when():
            self._wait(until_s)
        try:
            stream = at_once(number)
            if stream is None:
                async with asyncio.timeout(timeout_s):
                    sent, stream = await send(number)
                if not sent:
                    raise away(device_id)
            if stream is not None:
                self._over[number] = stream
            return await answer
        except TimeoutError:
            raise MeshError(
                f"{device_id} did not answer within {timeout_s:g} s.",
                "Try again; is it busy or away?",
            ) from None
        finally:
            self._waiting.pop(number, None)
            self._over.pop(number, None)
            if answer.done() and not answer.cancelled():
                answer.exception()  # seen: a peer that left while we timed out is no news

    def _wait(self, until_s: float) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience = asyncio.get_running_loop().call_at(until_s, self._too_long)

    def _too_long(self) -> None:
        """Ends the asks whose time is over; looks again when the next one's is, and at nothing when nobody waits."""
        self._patience = None
        now_s = asyncio.get_running_loop().time()
        later_s = []
        for _, answer, until_s in self._waiting.values():
            if until_s > now_s:
                later_s.append(until_s)
            elif not answer.done():
                answer.set_exception(TimeoutError())
        if later_s:
            self._wait(min(later_s))

    def answered(self, sender: str, number: bytes, content: bytes) -> None:
        """An answer came. Only whom we asked can answer."""
        asked, answer, _ = self._waiting.get(number, ("", None, 0.0))
        if answer is not None and asked == sender and not answer.done():
            answer.set_result(content)

    def fail(self, device_id: str | None) -> None:
        """That peer, or everybody, is gone."""
        if device_id is None and self._patience is not None:
            self._patience.cancel()
            self._patience = None
        for asked, answer, _ in list(self._waiting.values()):
            if device_id in (None, asked) and not answer.done():
                answer.set_exception(away(asked))

    def fail_over(self, stream: Stream) -> None:
        """That stream ended, and what it still carried with it."""
        for number, over in list(self._over.items()):
            asked, answer, _ = self._waiting[number]
            if over is stream and not answer.done():
                answer.set_exception(away(asked))


def away(device_id: str) -> MeshError:
    """That peer is not there."""
    return MeshError(f"{device_id} is not reachable now.", "Is it up? `hearthway status` shows it.")
