"""TLS on a TCP connection of asyncio's, through memory: OpenSSL shakes hands, seals and checks, this moves the bytes.

asyncio's own puts a second transport between the two, with buffers, states and limits once more. Here the only buffer of
what goes out is the TCP transport's, and so are its limits; of what comes in there is never more than one read. It is read
into memory of its own: where each read takes a piece of the heap and gives back all but the start, small frames settle in
the holes, and under a flood of them the heap of a node doubled.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import cast

_RECORD_BYTES = 16 * 1024  # the most that a record of TLS holds
_READ_BYTES = 32 * 1024
_PIECE_BYTES = 64 * 1024  # sealed, and not yet handed to the kernel
# Above what a stream lets wait of its own words. OpenSSL answers on its own too (a KeyUpdate), and whoever asks for such
# answers and reads none is cut.
_PILED_MAX_BYTES = 16 * 1024 * 1024
_END_S = 2.0  # for whoever is told that it ends: what it does not take by then it does not get


class TlsProtocol(asyncio.BufferedProtocol):
    """One end of a connection: `secured` once, then `heard` for each record, `connection_lost` when it is over.

    The reason of its end is None where one side said that it ends, SSLEOFError where nobody did: somebody between the
    two may have cut it short. Until `secured` the time is the caller's to bound.
    """

    def __init__(self, context: ssl.SSLContext, *, server_side: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._come, self._go = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._come, self._go, server_side=server_side)
        self._into = memoryview(bytearray(_READ_BYTES))
        self._plain = bytearray(_RECORD_BYTES)
        self._plain_view = memoryview(self._plain)
        self._is_secured = False
        self._is_over = False  # nothing is said or heard any more
        self._gathers = False  # what is said now goes out together, soon
        self._patience: asyncio.TimerHandle | None = None

    # -- what a stream adds --------------------------------------------------------------------

    def secured(self, certificate: bytes) -> None:
        """The other side has shown that it holds the key of this certificate, which the context trusts."""
        raise NotImplementedError

    def heard(self, data: memoryview) -> None:
        """It said this; the next record overwrites it."""
        raise NotImplementedError

    # -- life ----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As `asyncio.BufferedProtocol`."""
        self._transport = cast(asyncio.Transport, transport)
        if self._is_over:
            self._transport.abort()
        else:
            self._shake()

    def connection_lost(self, why: Exception | None) -> None:
        """As `asyncio.BufferedProtocol`, but of what this side cuts it is told at once, and once more by the transport."""
        self._is_over = True
        if self._patience is not None:
            self._patience.cancel()

    def abort(self) -> None:
        """Cut it now."""
        self._cut(None)

    def close(self) -> None:
        """Say that it ends, after all that was said; over once the other side ends it too, or after 2 s."""
        if not self._is_secured:
            self.abort()
        elif not self._is_over:
            self._say_end()

    def eof_received(self) -> None:
        """As `asyncio.BufferedProtocol`."""
        if not self._is_secured:
            self._cut(ConnectionResetError("It ended in the handshake."))
        elif not self._is_over:
            self._cut(ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "It ended and did not say so."))

    def _cut(self, why: Exception | None) -> None:
        if self._transport is not None:
            self._transport.abort()
        self.connection_lost(why)

    def _fail(self, why: ssl.SSLError) -> None:
        """The other side gets OpenSSL's word of it, if that can go at once."""
        if self._transport is not None and not self._transport.get_write_buffer_size():
            self._out()
        self._cut(why)

    def _say_end(self) -> None:
        self._is_over = True
        with suppress(ssl.SSLError):  # the other side has not said so yet
            self._tls.unwrap()
        self._out()
        self._patience = self._loop.call_later(_END_S, self.abort)

    # -- reading -------------------------------------------------------------------------------

    def get_buffer(self, _sizehint: int) -> memoryview:
        """As `asyncio.BufferedProtocol`."""
        return self._into

    def buffer_updated(self, nbytes: int) -> None:
        """As `asyncio.BufferedProtocol`; answers to what came together go out together."""
        if self._is_over:  # it waits for the other side's end
            return
        self._come.write(self._into[:nbytes])
        if not self._is_secured:
            self._shake()
        elif self._gathers:
            self._read()
        else:
            self._gathers = True
            self._read()
            self._gathers = False
            if self._go.pending:
                self._out()
        if self._piled_bytes() > _PILED_MAX_BYTES:
            self.abort()

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._out()
            return
        except ssl.SSLError as why:
            self._fail(why)
            return
        self._out()
        self._is_secured = True
        self.secured(self._tls.getpeercert(binary_form=True) or b"")
        if self._come.pending:
            self._read()

    def _read(self) -> None:
        """All that came. OpenSSL takes no more from memory than the record it works on, and gives it whole."""
        read, plain = self._tls.read, self._plain
        while not self._is_over:
            try:
                size = cast(int, read(_RECORD_BYTES, plain))
            except ssl.SSLWantReadError:
                return
            except ssl.SSLError as why:
                self._fail(why)
                return
            if not size:
                self._hear_end()
                return
            self.heard(self._plain_view[:size])
            if not self._come.pending:
                return

    def _hear_end(self) -> None:
        """Whoever ends it gets what was said to it all the same, if it takes that within 2 s."""
        self._say_end()
        if self._transport is not None:
            self._transport.close()

    # -- writing -------------------------------------------------------------------------------

    def say(self, data: bytes) -> None:
        """Seal it and send it: the first of a turn at once, what follows in the same turn together at its end."""
        try:
            if len(data) <= _PIECE_BYTES:
                self._tls.write(data)
            else:
                self._say_pieces(memoryview(data))
        except ssl.SSLError as why:
            self._fail(why)
            return
        if not self._gathers:
            self._gathers = True
            self._loop.call_soon(self._turn)
            self._out()
        elif self._go.pending >= _PIECE_BYTES:
            self._out()

    def _say_pieces(self, data: memoryview) -> None:
        """What is large does not pile up in memory a second time."""
        for at in range(0, len(data), _PIECE_BYTES):
            self._tls.write(data[at : at + _PIECE_BYTES])
            self._out()

    def _turn(self) -> None:
        self._gathers = bool(self._go.pending) and not self._is_over
        if self._gathers:
            self._out()
            self._loop.call_soon(self._turn)

    def _piled_bytes(self) -> int:
        waiting = self._transport.get_write_buffer_size() if self._transport is not None else 0
        return waiting + self._go.pending

    def _out(self) -> None:
        sealed = self._go.read()
        if sealed and self._transport is not None:
            self._transport.write(sealed)
