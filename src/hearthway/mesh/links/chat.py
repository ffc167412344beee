"""A language model of one's own behind an OpenAI-compatible endpoint: one question, one answer in words.

Plain HTTP to the address that was checked, and no redirect: nothing goes anywhere else.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from hearthway.records.errors import InputError

from .own_network import Where

ANSWER_MAX_BYTES = 1 << 18
_START = "Is the server running? Name it as http://127.0.0.1:PORT/v1."


class _Message(Struct):
    content: str | None = None


class _Choice(Struct):
    message: _Message


class _Answer(Struct):
    choices: list[_Choice]


class Chat(Struct, frozen=True, kw_only=True):
    """`tries`: of one question where the server has a fault of its own, as one has that is loading its model."""

    where: Where
    model: str
    tokens_max: int
    timeout_s: float
    tries: int = 1

    def said(self, instruction: str, text: str) -> str:
        """What it says to `text`, at most `timeout_s` a try; InputError where it cannot be asked or speaks something else."""
        asked = {
            "model": self.model,
            "temperature": 0,
            "seed": 0,
            "max_tokens": self.tokens_max,
            "messages": [
                {"role": "system", "content": instruction},
                {"role": "user", "content": text},
            ],
        }
        body = self._posted(json.dumps(asked).encode())
        try:
            return msgspec.json.decode(body, type=_Answer).choices[0].message.content or ""
        except (msgspec.MsgspecError, IndexError, UnicodeDecodeError, RecursionError):
            raise InputError(
                f"What answers at {self.where.words} speaks no OpenAI-compatible API.", _START
            ) from None

    def _posted(self, body: bytes) -> bytes:
        last = ""
        for _ in range(self.tries):
            link = http.client.HTTPConnection(
                self.where.address, self.where.port, timeout=self.timeout_s
            )
            try:
                with _ended_after(self.timeout_s, link):
                    headers = {"Content-Type": "application/json", "Host": self.where.words}
                    link.request("POST", f"{self.where.path}/chat/completions", body, headers)
                    answer = link.getresponse()
                    data = self._read(answer)
                if answer.status == http.client.OK:
                    return data
                last = f"it answers {answer.status} {answer.reason}"
                if answer.status < http.client.INTERNAL_SERVER_ERROR:
                    break
            except (OSError, http.client.HTTPException) as why:
                last = str(why) or type(why).__name__
            finally:
                link.close()
        raise InputError(f"The model at {self.where.words} does not answer: {last}.", _START)

    def _read(self, answer: http.client.HTTPResponse) -> bytes:
        found = b""
        while part := answer.read1(4096):
            found += part
            if len(found) > ANSWER_MAX_BYTES:
                raise InputError(f"The answer of {self.where.words} is too long.", _START)
        return found


@contextlib.contextmanager
def _ended_after(limit_s: float, link: http.client.HTTPConnection) -> Iterator[None]:
    """Whoever sends drop by drop, a head or a body, is not waited for: TimeoutError. A limit of a socket is one of each drop."""
    late = threading.Event()
    link.connect()
    wire = link.sock

    def end() -> None:
        late.set()
        with contextlib.suppress(OSError):
            wire.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(limit_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException):
        if not late.is_set():
            raise
    finally:
        timer.cancel()
        timer.join()
    if late.is_set():
        raise TimeoutError(f"not whole after {limit_s:g} s")
