"""The link to a venue: one sealed question, one bounded answer, no name server, no log of who asked."""

from __future__ import annotations

import ipaddress
import selectors
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hearthway.records.codec import pack
from hearthway.records.errors import HearthwayError, InputError, MeshError, WireError
from hearthway.records.venue import SignedForecast, SignedWait

from .venue_seal import (
    ANSWER_SEALED_MAX_BYTES,
    ASK_HELLO_BYTES,
    HEAD,
    MAGIC,
    PART_FORECAST,
    QUESTION_BYTES,
    VENUE_HELLO_BYTES,
    Answerer,
    Asker,
)

_MAX_CONNECTIONS = 16
_SERVE_S = 5.0  # a connection that takes longer is cut
_SAID, _SILENT, _ELSEWHERE, _BROKEN = b"+", b"0", b"?", b"!"
_LENGTH_BYTES = 2


def check_address(address: str) -> tuple[str, int]:
    """Host and port of "IP:port"; InputError unless it is an address of a nearby network.

    Names are refused (asking a name server tells it where you eat), and so are addresses on the internet.
    """
    host, _, port = address.rpartition(":")
    # a zone ("fe80::1%eth0") may hold anything, line ends included: only plain characters pass
    host = host if all("!" <= letter <= "~" for letter in host) else ""
    plain = host.removeprefix("[").removesuffix("]")
    try:
        parsed = ipaddress.ip_address(plain)
        number = int(port) if port.isascii() and port.isdigit() else 0
    except ValueError:
        parsed, number = None, 0
    if parsed is None or not 0 < number < 65_536 or (parsed.version == 6) != host.startswith("["):
        raise InputError(
            f"{address!r} is not an address and a port.", "It reads like 192.168.4.1:8410."
        )
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    parsed = mapped or parsed
    if parsed.is_global or parsed.is_multicast or parsed.is_unspecified:
        raise InputError(
            f"{address} is not on a nearby network; Hearthway asks nobody on the internet.",
            "Use the address the venue has on its own network.",
        )
    return plain, number


Said = tuple[SignedWait, SignedForecast | None]


def fetch_wait(
    address: str, key: bytes, osm_id: str, timeout_s: float
) -> tuple[bytes, bytes | None]:
    """The wait and the forecast of the venue with that followed key, within `timeout_s` in all; empty: nothing now.

    MeshError when the venue is out of reach, too slow, another one, or answers anything but an answer; InputError
    on an address that is not nearby. `venue_seal` tells what travels.
    """
    host, port = check_address(address)
    deadline_s = time.monotonic() + timeout_s
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as link:
            said, parts = _asked(link, Asker(key), osm_id, deadline_s)
    except TimeoutError:
        raise MeshError(
            f"The venue at {address} did not answer within {timeout_s:g} s.", "Try again nearby."
        ) from None
    except EOFError:
        raise MeshError(f"The answer of the venue at {address} is cut.", "Ask there.") from None
    except (WireError, MeshError) as why:
        reason = why.message[:1].lower() + why.message[1:].rstrip(".")
        raise MeshError(
            f"What answers at {address} cannot be believed: {reason}.",
            why.next_step or "Follow it again.",
        ) from None
    except (OSError, ValueError) as why:
        raise MeshError(
            f"The venue at {address} is out of reach: {getattr(why, 'strerror', None) or why}.",
            "Is this device on the venue's network?",
        ) from None
    kind, content = said[:1], said[1:]
    if kind == _SAID:
        return content, parts.get(PART_FORECAST)
    if kind == _SILENT:
        return b"", None
    if kind == _ELSEWHERE:
        raise MeshError(f"The venue at {address} is another place now.", "Follow it again.")
    raise MeshError(f"The venue at {address} has trouble of its own.", "Ask there.")


def _asked(
    link: socket.socket, asker: Asker, osm_id: str, deadline_s: float
) -> tuple[bytes, dict[int, bytes]]:
    link.sendall(asker.hello)
    head = _read(link, len(HEAD), deadline_s)  # a venue of another version says no more than this
    if head != HEAD:
        asker.question(head, osm_id)  # raises what is wrong with it
    rest = _read(link, VENUE_HELLO_BYTES - len(head), deadline_s)
    link.sendall(asker.question(head + rest, osm_id))
    size = int.from_bytes(_read(link, _LENGTH_BYTES, deadline_s), "big")
    if size > ANSWER_SEALED_MAX_BYTES:
        raise WireError("Its answer is too long.")
    return asker.answer(_read(link, size, deadline_s))


def _read(link: socket.socket, size: int, deadline_s: float) -> bytes:
    """So many bytes; EOFError where the other side ends before, TimeoutError at the deadline."""
    data = b""
    while len(data) < size:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        link.settimeout(left_s)
        piece = link.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


class VenueServer:
    """Answers sealed questions about one place and nothing else. `current` is called in threads of its own."""

    def __init__(
        self,
        host: str,
        port: int,
        key: Ed25519PrivateKey,
        osm_id: str,
        current: Callable[[], Said | None],
    ) -> None:
        self._address = (host, port)
        self._key = key
        self._osm_id = osm_id
        self._current = current
        self._free = threading.BoundedSemaphore(_MAX_CONNECTIONS)
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._wake: socket.socket | None = None

    @property
    def port(self) -> int:
        """The port in use, once started."""
        return self._address[1] if self._listener is None else self._listener.getsockname()[1]

    def start(self) -> None:
        """Listen; MeshError when the port is taken or not allowed. Starting twice is fine."""
        if self._listener is not None:
            return
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        try:
            if not 0 <= self._address[1] < 65_536:
                raise OverflowError("there is no such port")
            self._listener = socket.create_server(self._address, family=family, backlog=64)
        except (OSError, OverflowError) as why:
            raise MeshError(
                f"The venue cannot listen on {self._address[0]}:{self._address[1]}: "
                f"{getattr(why, 'strerror', None) or why}.",
                "Stop the program that uses this port, or choose another one.",
            ) from None
        self._listener.settimeout(0)
        self._wake, woken = socket.socketpair()
        self._thread = threading.Thread(
            target=self._accept, args=(self._listener, woken), name="venue", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the port and end the thread; stopping twice is fine."""
        if self._listener is None or self._thread is None or self._wake is None:
            return
        self._wake.close()
        self._thread.join()
        self._listener.close()
        self._listener = self._thread = self._wake = None

    def _accept(self, listener: socket.socket, woken: socket.socket) -> None:
        """Sleeps until somebody asks or `stop` is called: a venue that nobody asks costs nothing."""
        with woken, selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while all(key.fileobj is not woken for key, _ in selector.select()):
                try:
                    self._take(listener.accept()[0])
                except OSError:  # hung up already, or no file is left: then not in a busy loop
                    time.sleep(0.02)

    def _take(self, link: socket.socket) -> None:
        """A thread a connection, a bounded number of them: a crowd is turned away, not queued."""
        if self._free.acquire(blocking=False):
            threading.Thread(target=self._serve, args=(link,), name="asked", daemon=True).start()
        else:
            link.close()

    def _serve(self, link: socket.socket) -> None:
        """Answer, but no longer than `_SERVE_S`, however slowly the other side writes; who asked is not noted."""
        deadline_s = time.monotonic() + _SERVE_S
        try:
            with link, suppress(OSError, EOFError, WireError):  # nobody's business
                link.settimeout(_SERVE_S)
                hello = _read(link, ASK_HELLO_BYTES, deadline_s)
                if hello.startswith(MAGIC) and not hello.startswith(HEAD):
                    link.sendall(HEAD)  # says which version is spoken here, and no more
                answerer = Answerer(self._key, hello)
                link.sendall(answerer.hello)
                asked_for = answerer.question(_read(link, QUESTION_BYTES, deadline_s))
                sealed = answerer.answer(*self._word(asked_for))
                link.sendall(len(sealed).to_bytes(_LENGTH_BYTES, "big") + sealed)
        finally:
            self._free.release()

    def _word(self, osm_id: str) -> tuple[bytes, dict[int, bytes]]:
        if osm_id != self._osm_id:
            return _ELSEWHERE, {}
        try:
            said = self._current()
        except HearthwayError:
            return _BROKEN, {}
        if said is None:
            return _SILENT, {}
        signed, forecast = said
        return _SAID + pack(signed), {} if forecast is None else {PART_FORECAST: pack(forecast)}
