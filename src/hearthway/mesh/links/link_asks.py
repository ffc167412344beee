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
        self._waiting: dict[bytes, tuple[str, asyncio.Future[bytes]]] = {}
        self._over: dict[bytes, Stream] = {}  # the stream an ask went over
        self._number = 0

    async def ask(self, device_id: str, at_once: _AtOnce, send: _Send, timeout_s: float) -> bytes:
        """The answer to what `at_once(number)` sends, or else `send(number)`; MeshError when the peer is away,
        goes away or is silent.
        """
        self._number += 1
        number = self._number.to_bytes(NUMBER_BYTES, "big")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        self._waiting[number] = (device_id, answer)
        patience = loop.call_later(timeout_s, _silent, answer)  # a third of asyncio.timeout's cost
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
            patience.cancel()
            self._waiting.pop(number, None)
            self._over.pop(number, None)
            if answer.done() and not answer.cancelled():
                answer.exception()  # seen: a peer that left while we timed out is no news

    def answered(self, sender: str, payload: bytes) -> None:
        """An answer came: its number, then the rest. Only whom we asked can answer."""
        asked, answer = self._waiting.get(payload[:NUMBER_BYTES], ("", None))
        if answer is not None and asked == sender and not answer.done():
            answer.set_result(payload[NUMBER_BYTES:])

    def fail(self, device_id: str | None) -> None:
        """That peer, or everybody, is gone."""
        for asked, answer in list(self._waiting.values()):
            if device_id in (None, asked) and not answer.done():
                answer.set_exception(away(asked))

    def fail_over(self, stream: Stream) -> None:
        """That stream ended, and what it still carried with it."""
        for number, over in list(self._over.items()):
            asked, answer = self._waiting[number]
            if over is stream and not answer.done():
                answer.set_exception(away(asked))


def _silent(answer: asyncio.Future[bytes]) -> None:
    if not answer.done():
        answer.set_exception(TimeoutError())


def away(device_id: str) -> MeshError:
    """That peer is not there."""
    return MeshError(f"{device_id} is not reachable now.", "Is it up? `hearthway status` shows it.")
