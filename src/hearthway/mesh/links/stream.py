"""A persistent TLS stream between two nodes: frames with their length in front, bounded buffers, no delay.

TLS 1.3, the household's root and nothing else, no server name sent. After the handshake the other side must be a
member of the roster as it is now, with the very key that stands there; else the stream is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import replace

from hearthway.mesh.trust.certificates import (
    certificate_key,
    check_certificate,
    load_certificate,
    spki,
)
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.records.errors import HearthwayError, MeshError, WireError

from .door import shut
from .link import FRAME_MAX_BYTES
from .probe import split_address
from .tls import TlsProtocol

PORT_OFFSET = 2  # from the mesh port: a firewall's rule can be written once; +1 is pairing
HANDSHAKE_S = 2.0
_ADMITTING_MAX = (
    32  # connections that have not proved themselves yet; for one more the oldest is cut
)
_STANDING_MAX = 8  # streams that one member may have here; for one more its oldest is cut
_PILED_MAX_BYTES = 8 * 1024 * 1024  # more than waits for anybody who reads: such a stream is cut
_HIGH_BYTES = 256 * 1024
# Something is under way and nothing was acknowledged for so long: the wire is cut. Zenoh's lease says so too, but a second
# cut soon after a first was seen by it only after 10 s. TCP's own time-out would also end a stream that nobody reads.
_UNHEARD_S = 2.2
_TCP_INFO = struct.Struct("=3xB4x13I")
_SIZE = struct.Struct(">I")  # in front of a frame
_OVERHEAD = 64  # what the link puts in front of a frame
WELCOME = b"W"  # the accepting side's first frame: it has checked who dialled


class Stream(TlsProtocol):
    """One connection. `device_id` is proved; frames go to `deliver`, the end of it to `lost`."""

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        made: Callable[[Stream], None],
        proved: Callable[[Stream, bytes], None],
        deliver: Callable[[Stream, bytes], None],
        lost: Callable[[Stream], None],
        dialled: bool,
    ) -> None:
        """`made` is told of a connection, `proved` of the certificate that the other side has the key of."""
        super().__init__(context, server_side=not dialled)
        self.device_id = ""
        self.dialled = dialled  # by this side
        self.closed = False
        self.unheard = False  # it was cut because the other machine acknowledged nothing
        self._heard_s = self._loop.time()
        self.welcome: asyncio.Future[None] = self._loop.create_future()
        if not dialled:
            self.welcome.set_result(None)
        self._made, self._proved, self._deliver, self._lost = made, proved, deliver, lost
        self._expiry: asyncio.TimerHandle | None = None  # of its handshake, then of its certificate
        self._watch: asyncio.TimerHandle | None = None  # while something is under way
        self._buffer = bytearray()
        self._held = False
        self._writable = asyncio.Event()
        self._writable.set()

    # -- life ----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As `asyncio.BufferedProtocol`."""
        self._made(self)
        super().connection_made(transport)

    def secured(self, certificate: bytes) -> None:
        """As `TlsProtocol.secured`."""
        self._proved(self, certificate)

    def attach(self, device_id: str, ends_in_s: float) -> None:
        """The other side is `device_id`, by a certificate that ends in so many seconds."""
        self.device_id = device_id
        if self._transport is not None:
            self._transport.set_write_buffer_limits(high=_HIGH_BYTES)
        self.end_in(ends_in_s)
        if not self.dialled:
            self.write(WELCOME)

    def end_in(self, seconds: float) -> None:
        """Cut it then, unless told otherwise before."""
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = self._loop.call_later(max(0.0, seconds), self.abort)

    def refuse(self, why: Exception) -> None:
        """Cut it: the other side is not who it should be."""
        self._cut(why)

    def connection_lost(self, why: Exception | None) -> None:
        """As `TlsProtocol.connection_lost`; `lost` is called once."""
        if self.closed:
            return
        super().connection_lost(why)
        self.closed = True
        self._writable.set()
        for timer in (self._expiry, self._watch):  # one of 30 days would keep it
            if timer is not None:
                timer.cancel()
        if not self.welcome.done():
            if why is None or isinstance(why, ssl.SSLEOFError):  # it does not want us
                why = ConnectionResetError()
            self.welcome.set_exception(why)
        self._lost(self)

    def give_up(self) -> None:
        """Nobody waits for it any more."""
        self.welcome.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            self.welcome.exception()
        self.abort()

    @property
    def own_host(self) -> str:
        """This side's address."""
        own = self._transport.get_extra_info("sockname") if self._transport else None
        return str(own[0]) if own else ""

    @property
    def host(self) -> str:
        """The other side's address as seen from here."""
        peer = self._transport.get_extra_info("peername") if self._transport else None
        return str(peer[0]) if peer else ""

    @property
    def silent_s(self) -> float:
        """How long the other side has said nothing."""
        return self._loop.time() - self._heard_s

    # -- writing -------------------------------------------------------------------------------

    @property
    def writable(self) -> bool:
        """May a frame be written now without piling up?"""
        return self._writable.is_set() and not self._is_over

    def write(self, payload: bytes) -> bool:
        """Write now, whatever has piled up; False when the stream has ended."""
        if self._is_over or not self._is_secured:
            return False
        if not self._writable.is_set() and self._piled_bytes() > _PILED_MAX_BYTES:
            self.abort()
            return False
        if self._watch is None:
            self._watch = self._loop.call_later(_UNHEARD_S, self._look)
        self.say(_SIZE.pack(len(payload)) + payload)
        return True

    async def send(self, payload: bytes) -> bool:
        """Wait until there is room, then write; the caller bounds the time. False when the stream has ended."""
        while not self.writable:
            if self._is_over:
                return False
            await self._writable.wait()
        return self.write(payload)

    def _look(self) -> None:
        """Has what is under way been acknowledged? A quiet stream is not looked at."""
        self._watch = None
        if self.closed or self._transport is None:
            return
        unheard_s = _unheard_s(self._transport)
        if unheard_s is not None and unheard_s >= _UNHEARD_S:
            self.unheard = True
            self.abort()
        elif unheard_s is not None:
            self._watch = self._loop.call_later(_UNHEARD_S - unheard_s + 0.01, self._look)

    def pause_writing(self) -> None:
        """As `asyncio.BufferedProtocol`."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """As `asyncio.BufferedProtocol`."""
        self._writable.set()

    # -- reading -------------------------------------------------------------------------------

    def hold(self) -> None:
        """Deliver nothing until `release`: something sent before it is still under way elsewhere."""
        if not self._held and self._transport is not None and not self.closed:
            self._held = True
            self._transport.pause_reading()

    def release(self) -> None:
        """Undo `hold`."""
        if self._held:
            self._held = False
            self._parse()
            if not (self._held or self.closed) and self._transport is not None:
                self._transport.resume_reading()

    def heard(self, data: memoryview) -> None:
        """As `TlsProtocol.heard`."""
        self._heard_s = self._loop.time()
        size = len(data)
        if not (self._buffer or self._held) and size > 4 and _SIZE.unpack_from(data)[0] == size - 4:
            self._take(bytes(data[4:]))  # one frame and no more, as questions and answers come
            return
        self._buffer += data
        self._parse()

    def _parse(self) -> None:
        buffer, at = self._buffer, 0
        try:
            while not (self._held or self.closed) and len(buffer) - at >= 4:
                size = _SIZE.unpack_from(buffer, at)[0]
                if not 0 < size <= FRAME_MAX_BYTES + _OVERHEAD:
                    self.abort()
                    return
                if len(buffer) - at - 4 < size:
                    return
                with memoryview(buffer) as whole:
                    payload = bytes(whole[at + 4 : at + 4 + size])
                at += 4 + size
                self._take(payload)
        finally:
            del buffer[:at]

    def _take(self, payload: bytes) -> None:
        if self.welcome.done():
            self._deliver(self, payload)
        elif payload == WELCOME:
            self.welcome.set_result(None)
        else:
            self.abort()


class Streams:
    """This node's end of its streams: the door others knock at, and dialling them."""

    def __init__(
        self,
        identity: DeviceIdentity,
        listen: str,
        now: Callable[[], float],
        *,
        up: Callable[[Stream], None],
        deliver: Callable[[Stream, bytes], None],
        lost: Callable[[Stream], None],
    ) -> None:
        """`up` is told of each stream that has proved itself; `now` is real time, for certificates' dates."""
        self.identity = identity
        self._listen, self._now = listen, now
        self._up, self._deliver, self._lost = up, deliver, lost
        self._server: asyncio.Server | None = None
        self._shut = False
        self._knocking: dict[Stream, None] = {}  # in the order in which they knocked
        self._standing: dict[Stream, bytes] = {}  # and the certificate it proved itself by
        self.problem = ""  # why nobody can dial this node, though it can dial others

    async def open(self) -> None:
        """Listen beside the mesh port. A taken port is no failure: the other side's door may do."""
        await self.use_identity(self.identity)
        host, port = split_address(self._listen)
        port += PORT_OFFSET
        loop = asyncio.get_running_loop()
        self.problem, self._shut = "", False
        try:
            # Begun in two steps: one that is cancelled while it begins to serve would leave the port taken.
            self._server = await loop.create_server(
                self._door, host or None, port, backlog=_ADMITTING_MAX, start_serving=False
            )
            await self._server.start_serving()
        except (OSError, OverflowError) as why:
            self.problem = f"Port {port} cannot be listened at: {why}."

    def shut_door(self) -> None:
        """Whoever knocks from now on is let go; streams that stand stay."""
        self._shut = True

    async def close(self) -> None:
        """Cut every stream and shut the door."""
        self.shut_door()
        if self._server is not None:
            await shut(self._server)
            self._server = None
        for stream in [*self._knocking, *self._standing]:
            stream.abort()
        await asyncio.sleep(0)  # aborted transports close their sockets in the next turn

    async def use_identity(self, identity: DeviceIdentity) -> None:
        """New streams use these certificate files from now on; OSError when they cannot be used.

        Who is let in stays as `use_roster` said last: that may have been while the files were read.
        """
        self._client, self._serving = await asyncio.to_thread(_contexts, identity)
        self.identity = replace(identity, roster=self.identity.roster)

    def use_roster(self, identity: DeviceIdentity) -> None:
        """At once: streams of whoever is no member any more, or has another key, are cut."""
        self.identity = identity
        for stream, certificate in list(self._standing.items()):
            try:
                self._check(certificate, stream.device_id)
            except HearthwayError:
                stream.abort()

    async def dial(self, device_id: str, address: str) -> None:
        """A stream to that member, told to `up`; MeshError when it cannot be had."""
        host, port = split_address(address)
        stream = Stream(
            self._client,
            made=lambda _: None,
            proved=lambda stream, certificate: self._stand(stream, certificate, device_id),
            deliver=self._deliver,
            lost=self._ended,
            dialled=True,
        )
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                await asyncio.get_running_loop().create_connection(
                    lambda: stream, host, port + PORT_OFFSET
                )
                await stream.welcome
        except (OSError, OverflowError, TimeoutError, HearthwayError) as why:
            stream.give_up()
            raise MeshError(f"No stream to {device_id}: {type(why).__name__}.") from None
        except BaseException:
            stream.give_up()
            raise
        if not stream.closed:
            self._up(stream)

    def _door(self) -> Stream:
        """For whoever knocks."""
        return Stream(
            self._serving,
            made=self._knock,
            proved=self._admit,
            deliver=self._deliver,
            lost=self._ended,
            dialled=False,
        )

    def _knock(self, stream: Stream) -> None:
        """Whoever is honest proves itself in a moment, so in a flood the oldest is not that one."""
        if self._shut:  # it was being accepted while the door closed
            stream.abort()
            return
        while len(self._knocking) >= _ADMITTING_MAX:
            next(iter(self._knocking)).abort()
        self._knocking[stream] = None
        stream.end_in(HANDSHAKE_S)

    def _admit(self, stream: Stream, certificate: bytes) -> None:
        self._knocking.pop(stream, None)
        if self._shut:  # it knocked before the door was shut
            stream.abort()
            return
        self._stand(stream, certificate)
        if stream.closed:
            return
        known = [s for s in self._standing if s.device_id == stream.device_id and not s.dialled]
        for old in known[: max(0, len(known) - _STANDING_MAX)]:
            old.abort()
        self._up(stream)

    def _stand(self, stream: Stream, certificate: bytes, expected: str = "") -> None:
        """Its certificate is of our root: is its device a member, and the one that is expected?"""
        try:
            who = self._check(certificate, expected)
        except HearthwayError as why:
            stream.refuse(why)
            return
        self._standing[stream] = certificate
        stream.attach(*who)

    def _check(self, der: bytes, expected: str = "") -> tuple[str, float]:
        """Whose certificate, and seconds until it ends; an error unless a member's with that very key."""
        what = "The certificate of a stream"
        certificate = load_certificate(der, what)
        subject = check_certificate(certificate, self.identity.root, self._now(), what)
        member = self.identity.roster.member(subject.device_id)
        if (
            member is None
            or member.role != subject.role
            or member.public_key != spki(certificate_key(certificate, what))
            or subject.device_id == self.identity.device_id
            or expected not in ("", subject.device_id)
        ):
            raise WireError("A stream is not of whom it should be.", "Pair that device again.")
        return subject.device_id, certificate.not_valid_after_utc.timestamp() - self._now()

    def _ended(self, stream: Stream) -> None:
        self._knocking.pop(stream, None)
        if self._standing.pop(stream, None) is not None:
            self._lost(stream)


def _unheard_s(transport: asyncio.Transport) -> float | None:
    """How long the other side's kernel has acknowledged nothing of what is under way; None where nothing is.

    What cannot leave this machine (the stream's own address is gone) does not count as under way there: the kernel
    probes, and nobody answers. A reader that is only full answers every probe, so a single one says nothing.

    struct tcp_info of linux/tcp.h: of eight bytes tcpi_probes is the 4th; then tcpi_unacked is the 5th number,
    tcpi_last_ack_recv (ms) the 13th.
    """
    wire = transport.get_extra_info("socket")
    option = getattr(socket, "TCP_INFO", None)  # Linux
    if wire is None or option is None:
        return None
    try:
        numbers = _TCP_INFO.unpack(wire.getsockopt(socket.IPPROTO_TCP, option, _TCP_INFO.size))
    except (OSError, struct.error):
        return None
    probes, unacked, heard_ms = numbers[0], numbers[5], numbers[13]
    if unacked or probes > 1:
        return float(heard_ms / 1000)
    return 0.0 if probes else None


def _contexts(identity: DeviceIdentity) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False  # phones roam; the key on the roster is what counts
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.num_tickets = 0  # every stream proves itself anew
    for context in (client, server):
        context.verify_mode = ssl.CERT_REQUIRED
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(identity.ca_path)
        context.load_cert_chain(identity.certificate_path, identity.key_path)
    return client, server
