"""TLS through memory: whatever is cut, garbled, held back or said too early, nothing is heard that was not said whole."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.waiting import until

from hearthway.mesh.links.stream import _contexts
from hearthway.mesh.links.tls import TlsProtocol

pytestmark = pytest.mark.usefixtures("no_blocking")
Contexts = tuple[ssl.SSLContext, ssl.SSLContext]
DATA, END = b"the moment" * 3, b"\0end"


class _Wire(asyncio.Transport):
    """A TCP transport that keeps what is written, and takes at most `room` bytes of it."""

    def __init__(self, room: int = 1 << 30) -> None:
        super().__init__()
        self.room, self.writes = room, list[bytes]()
        self.how = ""

    def write(self, data: Any) -> None:
        assert not self.how
        self.writes.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return max(0, sum(map(len, self.writes)) - self.room)

    def abort(self) -> None:
        self.how = "abort"

    def close(self) -> None:
        self.how = self.how or "close"

    def taken(self) -> bytes:
        out = b"".join(self.writes)
        self.writes.clear()
        return out


class _End(TlsProtocol):
    """One end, and what became of it."""

    def __init__(self, context: ssl.SSLContext, *, server_side: bool) -> None:
        super().__init__(context, server_side=server_side)
        self.got, self.ended = list[bytes](), list[Exception | None]()
        self.certificate = b""
        self.wire = _Wire()
        self.hears: Callable[[bytes], None] = lambda _: None

    def secured(self, certificate: bytes) -> None:
        assert not self.certificate
        self.certificate = certificate

    def heard(self, data: memoryview) -> None:
        self.got.append(bytes(data))
        self.hears(self.got[-1])

    def connection_lost(self, why: Exception | None) -> None:
        super().connection_lost(why)
        self.ended.append(why)

    def feed(self, data: bytes) -> None:
        """As a TCP transport hands it on."""
        while data and not self.wire.how:
            into = self.get_buffer(-1)
            piece, data = data[: len(into)], data[len(into) :]
            into[: len(piece)] = piece
            self.buffer_updated(len(piece))


@pytest.fixture
def contexts(make_household: Any) -> Contexts:
    """Of a car that dials, of a phone that is dialled."""
    household = make_household(phone="phone", car="car")
    return _contexts(household.identity("car"))[0], _contexts(household.identity("phone"))[1]


def _pair(contexts: Contexts) -> tuple[_End, _End]:
    ends = _End(contexts[0], server_side=False), _End(contexts[1], server_side=True)
    for end in ends:
        end.connection_made(end.wire)
    return ends


def _move(a: _End, b: _End) -> None:
    """Both ways, until nobody has anything to say."""
    while a.wire.writes or b.wire.writes:
        b.feed(a.wire.taken())
        a.feed(b.wire.taken())


def _up(contexts: Contexts) -> tuple[_End, _End]:
    a, b = _pair(contexts)
    _move(a, b)
    assert a.certificate
    assert b.certificate
    return a, b


async def _turns() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


# -- cut and garbled ---------------------------------------------------------------------------------


def _cut(contexts: Contexts, at: int | None, *, to_server: bool) -> tuple[_End, int]:
    """One side's whole life, of which the other gets `at` bytes and then the end of the connection; and its length."""
    a, b = _pair(contexts)
    talks, hears = (a, b) if to_server else (b, a)
    told, said, done = 0, False, False
    while not done:
        piece = talks.wire.taken()
        if not piece and talks.certificate and not said:
            said = True
            talks.say(DATA)
            talks.close()
            piece = talks.wire.taken()
        done = not piece and said
        if at is not None and told + len(piece) >= at:
            piece, done = piece[: at - told], True
        told += len(piece)
        hears.feed(piece)
        if not hears.ended:
            talks.feed(hears.wire.taken())
        done = done or bool(hears.ended)
    if not hears.ended and hears.wire.how != "close":
        hears.eof_received()
    talks.abort()
    return hears, told


@pytest.mark.parametrize("to_server", [True, False])
def test_what_is_cut_at_any_byte_is_no_end_that_was_said(
    contexts: Contexts, to_server: bool
) -> None:
    async def scenario() -> None:
        shaken: int | None = None
        whole = _cut(contexts, None, to_server=to_server)[1]  # signatures differ by some bytes
        for at in [*range(0, whole - 120, 9), *range(whole - 120, whole - 3)]:
            end, _ = _cut(contexts, at, to_server=to_server)
            why = end.ended[0] if end.ended else None
            if not end.certificate:
                assert isinstance(why, ConnectionResetError)
                assert shaken is None or at < shaken + 12
                assert not end.got
            elif isinstance(why, ssl.SSLEOFError):
                shaken = shaken or at
                assert end.got in ([], [DATA])
                assert end.wire.how == "abort"
            else:  # this one was shorter, and whole
                assert why is None
                assert end.wire.how == "close"
                assert at > whole - 12
        assert shaken is not None
        end, _ = _cut(contexts, None, to_server=to_server)  # the control: it was said
        assert end.got == [DATA]
        assert end.wire.how == "close"
        assert not end.ended  # until its transport has closed
        end.connection_lost(None)
        assert end.ended == [None]

    asyncio.run(scenario())


def test_nobody_is_proved_before_the_last_byte_of_the_handshake(contexts: Contexts) -> None:
    async def scenario() -> None:
        a, b = _pair(contexts)
        while not b.certificate:
            for talks, hears in ((a, b), (b, a)):
                sealed = talks.wire.taken()
                for n in range(len(sealed)):
                    assert not hears.certificate
                    hears.feed(sealed[n : n + 1])
                    assert not hears.ended
        assert a.certificate
        assert a.got == b.got == []
        a.say(DATA)
        sealed = a.wire.taken()
        for n in range(len(sealed)):
            assert not b.got
            b.feed(sealed[n : n + 1])
        assert b.got == [DATA]

    asyncio.run(scenario())


@pytest.mark.parametrize("place", [0, 1, 3, 4, 5, 20, -17, -1])
def test_a_record_that_was_changed_is_not_heard(contexts: Contexts, place: int) -> None:
    async def scenario() -> None:
        a, b = _up(contexts)
        a.say(DATA)
        sealed = bytearray(a.wire.taken())
        sealed[place] ^= 1
        b.feed(bytes(sealed))
        if not b.ended:  # it is longer now, and never ends
            b.eof_received()
        assert not b.got
        assert isinstance(b.ended[0], ssl.SSLError)
        assert b.wire.how == "abort"

    asyncio.run(scenario())


def test_a_record_that_comes_twice_is_not_heard_twice(contexts: Contexts) -> None:
    async def scenario() -> None:
        a, b = _up(contexts)
        a.say(DATA)
        sealed = a.wire.taken()
        b.feed(sealed)
        b.feed(sealed)
        assert b.got == [DATA]
        assert isinstance(b.ended[0], ssl.SSLError)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "noise",
    [
        b"\0",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x80\x2e\x01\x00\x02",
        b"\x16\x03\x01\xff\xff" + b"x" * 70_000,
        b"\x17\x03\x03\x00\x20" + b"x" * 32,
        bytes(range(256)) * 400,
    ],
    ids=["a-byte", "http", "ssl2", "huge", "data-first", "noise"],
)
@pytest.mark.parametrize("server_side", [True, False])
def test_bytes_that_are_no_handshake_end_it(
    contexts: Contexts, noise: bytes, server_side: bool
) -> None:
    async def scenario() -> None:
        end = _pair(contexts)[server_side]
        end.wire.taken()
        end.feed(noise)
        if not end.ended:  # too short to be told from a beginning
            assert len(noise) < 6
            end.eof_received()
        assert len(end.ended) == 1
        assert isinstance(end.ended[0], ssl.SSLError | ConnectionResetError)
        assert end.wire.how == "abort"
        assert not end.certificate
        assert not end.got
        assert end._come.pending <= 32 * 1024
        end.feed(noise)  # nothing is read any more
        assert len(end.ended) == 1

    asyncio.run(scenario())


def test_a_record_larger_than_any_ends_it_before_it_is_there(contexts: Contexts) -> None:
    async def scenario() -> None:
        _, b = _up(contexts)
        b.feed(b"\x17\x03\x03\xff\xff")
        assert isinstance(b.ended[0], ssl.SSLError)
        assert b.wire.writes  # it is told
        a, b = _up(contexts)
        a.say(bytes(16 * 1024))  # the control: the largest there is
        b.feed(a.wire.taken())
        assert b.got == [bytes(16 * 1024)]

    asyncio.run(scenario())


def test_who_is_refused_is_told_why_unless_that_would_have_to_wait(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")
    stranger = _contexts(make_household(car="car").identity("car"))[0]
    stranger.verify_mode = ssl.CERT_NONE
    phone = _contexts(household.identity("phone"))[1]

    async def scenario() -> None:
        for room, told in ((1 << 30, True), (100, False)):
            a, b = _pair((stranger, phone))
            b.feed(a.wire.taken())
            a.feed(b.wire.taken())
            b.wire.room = room
            b.wire.writes.append(b"" if told else bytes(200))  # what waits before it
            b.feed(a.wire.taken())
            assert isinstance(b.ended[0], ssl.SSLCertVerificationError)
            assert not b.certificate
            assert b.wire.how == "abort"
            alert = b"".join(w for w in b.wire.writes if w.strip(b"\0"))
            assert bool(alert) == told
            if told:
                a.feed(alert)
                assert "unknown ca" in str(a.ended[0]).lower()

    asyncio.run(scenario())


# -- whole -------------------------------------------------------------------------------------------


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    sizes=st.lists(
        st.sampled_from([1, 100, 16_383, 16_384, 16_385, 70_000]), min_size=1, max_size=6
    ),
    pieces=st.lists(st.integers(100, 40_000) | st.integers(1, 30), min_size=1, max_size=8),
)
def test_in_whatever_pieces_it_comes_all_is_heard_in_order(
    contexts: Contexts, sizes: list[int], pieces: list[int]
) -> None:
    async def scenario() -> None:
        a, b = _up(contexts)
        said = b""
        for n, size in enumerate(sizes):
            data = bytes([n + 1]) * size
            said += data
            a.say(data)
        await _turns()
        sealed, n = a.wire.taken(), 0
        while sealed:
            piece = pieces[n % len(pieces)]
            b.feed(sealed[:piece])
            sealed, n = sealed[piece:], n + 1
            assert b._come.pending == 0  # nothing waits that could be read
        assert b"".join(b.got) == said
        assert not b.ended

    asyncio.run(scenario())


def test_the_first_of_a_turn_goes_at_once_and_the_rest_together(contexts: Contexts) -> None:
    async def scenario() -> None:
        a, b = _up(contexts)
        for n in range(5):
            a.say(b"%d" % n)
        assert len(a.wire.writes) == 1
        await _turns()
        assert len(a.wire.writes) == 2
        answers = iter(range(5))
        b.hears = lambda _: b.say(b"answer %d" % next(answers))
        _move(a, b)
        assert a.got == [b"answer %d" % n for n in range(5)]
        a.say(b"later")  # a turn that said nothing more has passed
        assert len(a.wire.writes) == 1

    asyncio.run(scenario())


def test_answers_to_what_came_together_go_out_together(contexts: Contexts) -> None:
    async def scenario() -> None:
        a, b = _up(contexts)
        for n in range(5):
            a.say(b"%d" % n)
        await _turns()
        b.hears = lambda data: b.say(b"answer " + data)
        b.feed(a.wire.taken())
        assert len(b.wire.writes) == 1
        b.feed(b"")
        a.say(b"5")
        b.feed(a.wire.taken())
        assert len(b.wire.writes) == 2  # nobody waits for another turn
        _move(a, b)
        assert a.got == [b"answer %d" % n for n in range(6)]

    asyncio.run(scenario())


def test_what_is_large_is_sealed_piece_by_piece(contexts: Contexts) -> None:
    async def scenario() -> None:
        a, b = _up(contexts)
        large = bytes(range(256)) * 16_384  # 4 MiB
        a.say(large)
        assert max(map(len, a.wire.writes)) < 96 * 1024
        assert a._go.pending == 0
        _move(a, b)
        assert b"".join(b.got) == large

    asyncio.run(scenario())


def test_who_cuts_it_while_hearing_hears_no_more(contexts: Contexts) -> None:
    async def scenario() -> None:
        a, b = _up(contexts)
        for n in range(3):
            a.say(b"%d" % n)
        await _turns()
        b.hears = lambda _: b.abort()
        b.feed(a.wire.taken())
        assert b.got == [b"0"]
        assert b.ended == [None]
        await _turns()

    asyncio.run(scenario())


# -- its end -----------------------------------------------------------------------------------------


def test_what_was_said_before_the_end_is_heard_and_the_end_answered(contexts: Contexts) -> None:
    async def scenario() -> None:
        a, b = _up(contexts)
        for n in range(4):
            a.say(b"%d" % n)
        a.close()
        a.close()
        assert a.wire.how == ""  # it waits for the other side
        assert not a.ended
        b.feed(a.wire.taken())
        assert b.got == [b"0", b"1", b"2", b"3"]
        assert b.wire.how == "close"
        a.feed(b.wire.taken())
        a.eof_received()
        assert not a.ended  # said and answered: its transport closes
        for end in (a, b):
            end.connection_lost(None)
            assert end.ended == [None]
            assert end._patience is not None
            assert end._patience.cancelled()

    asyncio.run(scenario())


def test_who_has_ended_it_hears_nothing_and_waits_two_seconds_at_most(
    contexts: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hearthway.mesh.links.tls._END_S", 0.02)

    async def scenario() -> None:
        a, b = _up(contexts)
        a.close()
        a.wire.taken()  # lost on its way
        b.say(b"still here")
        a.feed(b.wire.taken())
        assert not a.got
        assert a._come.pending == 0
        await asyncio.sleep(0.1)
        assert a.wire.how == "abort"
        assert a.ended == [None]
        b.abort()

    asyncio.run(scenario())


def test_who_closes_in_the_handshake_cuts_it(contexts: Contexts) -> None:
    async def scenario() -> None:
        a, b = _pair(contexts)
        a.close()
        assert a.wire.how == "abort"
        late = _End(contexts[1], server_side=True)
        late.abort()  # before it was connected
        late.connection_made(late.wire)
        assert late.wire.how == "abort"
        b.abort()

    asyncio.run(scenario())


# -- over TCP ----------------------------------------------------------------------------------------


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Warnings are errors: a socket or transport that nobody closed would be one."""
    gc.collect()
    yield
    gc.collect()


class _Slow(_End):
    """An end with limits, as a stream has them."""

    paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=64 * 1024)
        super().connection_made(transport)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False


def test_a_slow_reader_pauses_the_writer_and_gets_all(
    contexts: Contexts, nothing_left: None
) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        ends = list[_Slow]()

        def accepted() -> _Slow:
            ends.append(_Slow(contexts[1], server_side=True))
            return ends[-1]

        server = await loop.create_server(accepted, "127.0.0.1", 0)
        a = _Slow(contexts[0], server_side=False)
        await loop.create_connection(lambda: a, *server.sockets[0].getsockname())
        await until(lambda: a.certificate != b"" and ends != [] and ends[0].certificate != b"")
        b = ends[0]
        assert b._transport is not None
        assert a._transport is not None
        b._transport.pause_reading()
        said = 0
        while not a.paused:
            a.say(bytes(32 * 1024))
            said += 32 * 1024
            assert said < 64 << 20
            await asyncio.sleep(0)
        assert a._transport.get_write_buffer_size() < 256 * 1024
        assert a._go.pending < 64 * 1024
        await asyncio.sleep(0.05)
        assert a.paused
        assert not b.got
        a.close()  # what waits goes before the end
        b._transport.resume_reading()
        await until(lambda: bool(a.ended and b.ended))
        assert sum(map(len, b.got)) == said
        assert a.ended == b.ended == [None]
        server.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("says_so", [True, False])
def test_a_half_closed_connection_is_an_end_only_if_that_was_said(
    contexts: Contexts, nothing_left: None, says_so: bool
) -> None:
    """What goes the other way is delivered where the end was said."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        ends = list[_End]()

        def accepted() -> _End:
            ends.append(_End(contexts[1], server_side=True))
            ends[-1].hears = lambda data: ends[-1].say(data)
            return ends[-1]

        server = await loop.create_server(accepted, "127.0.0.1", 0)
        come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = contexts[0].wrap_bio(come, go)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        while True:
            with suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                break
            writer.write(go.read())
            come.write(await reader.read(1 << 16))
        tls.write(DATA)
        if says_so:
            with suppress(ssl.SSLError):
                tls.unwrap()
        writer.write(go.read())
        writer.write_eof()
        with suppress(ConnectionResetError):
            come.write(await reader.read())
        if says_so:
            assert tls.read(100) == DATA
            with suppress(ssl.SSLZeroReturnError):  # its own end
                assert tls.read(100) == b""
        await until(lambda: ends[0].ended != [])
        assert ends[0].got == [DATA]
        if says_so:
            assert ends[0].ended == [None]
        else:
            assert isinstance(ends[0].ended[0], ssl.SSLEOFError)
        writer.close()
        with suppress(ConnectionResetError):
            await writer.wait_closed()
        server.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("turns", range(6))
def test_a_connection_given_up_in_its_handshake_is_closed(
    contexts: Contexts, nothing_left: None, turns: int
) -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            silent.setblocking(False)
            end = _End(contexts[0], server_side=False)
            loop = asyncio.get_running_loop()
            dial = loop.create_task(loop.create_connection(lambda: end, *silent.getsockname()))
            for _ in range(turns):
                await asyncio.sleep(0)
            dial.cancel()
            with suppress(asyncio.CancelledError):
                await dial
            end.abort()
            with suppress(BlockingIOError):
                wire, _ = silent.accept()
                with wire:
                    wire.setblocking(False)
                    async with asyncio.timeout(4.0):
                        with suppress(ConnectionResetError):
                            while await loop.sock_recv(wire, 4096):
                                pass
            await _turns()
            assert end.ended
            assert not end.certificate

    asyncio.run(scenario())
