"""The link to a venue: one bounded GET, one bounded answer, no redirect, no name server, no log of who asked."""

from __future__ import annotations

import http.client
import io
import ipaddress
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from hearthway.records.codec import pack
from hearthway.records.errors import HearthwayError, InputError, MeshError
from hearthway.records.venue import SignedWait

MAX_BODY_BYTES = 4096
_MAX_ANSWER_BYTES = MAX_BODY_BYTES + 2048  # headers included
_MAX_CONNECTIONS = 16
_SERVE_S = 5.0  # a connection that takes longer is cut


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


class _Received:
    """Bytes that were received, in the form http.client reads an answer from."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:
        """The bytes as a file."""
        return io.BytesIO(self._data)


def wait_request(address: str) -> bytes:
    """Everything that is sent to a venue: the same from everybody, about nobody."""
    return f"GET /wait HTTP/1.0\r\nHost: {address}\r\n\r\n".encode()


def fetch_wait(address: str, timeout_s: float) -> bytes:
    """The body of `GET http://address/wait`, at most 4 KiB within `timeout_s` in all; empty when it says nothing.

    MeshError when the venue is out of reach, too slow, too long or answers anything but 200 or 204; InputError on
    an address that is not nearby.
    """
    host, port = check_address(address)
    deadline = time.monotonic() + timeout_s
    data = b""
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as link:
            link.sendall(wait_request(address))
            while len(data) <= _MAX_ANSWER_BYTES:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                link.settimeout(left)
                piece = link.recv(_MAX_ANSWER_BYTES)
                if not piece:
                    break
                data += piece
    except TimeoutError:
        raise MeshError(
            f"The venue at {address} did not answer within {timeout_s:g} s.", "Try again nearby."
        ) from None
    except (OSError, ValueError) as why:
        raise MeshError(
            f"The venue at {address} is out of reach: {getattr(why, 'strerror', None) or why}.",
            "Is this device on the venue's network?",
        ) from None
    answer = http.client.HTTPResponse(cast(socket.socket, _Received(data)))
    try:
        answer.begin()
        body = answer.read(MAX_BODY_BYTES + 1)
    except (http.client.HTTPException, ValueError, OSError):
        raise MeshError(
            f"The venue at {address} does not speak HTTP.", "Follow it again."
        ) from None
    if answer.status not in (200, 204):
        raise MeshError(f"The venue at {address} answered {answer.status}.", "Ask there.")
    if len(body) > MAX_BODY_BYTES or (answer.length and answer.length > 0):
        raise MeshError(f"The answer of the venue at {address} is too long or cut.", "Ask there.")
    return body


class VenueServer:
    """Serves the signed wait at GET /wait and nothing else. `current` is called in the server's threads."""

    def __init__(self, host: str, port: int, current: Callable[[], SignedWait | None]) -> None:
        self._address = (host, port)
        self._current = current
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port in use, once started."""
        return self._address[1] if self._server is None else int(self._server.server_address[1])

    def start(self) -> None:
        """Listen; MeshError when the port is taken or not allowed. Starting twice is fine."""
        if self._server is not None:
            return
        try:
            self._server = _Server(self._address, self._current)
        except (OSError, OverflowError) as why:
            raise MeshError(
                f"The venue cannot listen on {self._address[0]}:{self._address[1]}: "
                f"{getattr(why, 'strerror', None) or why}.",
                "Stop the program that uses this port, or choose another one.",
            ) from None
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="venue", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the port and end the thread; stopping twice is fine."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server = self._thread = None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], current: Callable[[], SignedWait | None]) -> None:
        self.current = current
        self._free = threading.BoundedSemaphore(_MAX_CONNECTIONS)
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without http.server's reverse look-up of our own name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        """One thread a connection, a bounded number of them: a crowd is turned away, not queued."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve, but no longer than `_SERVE_S`, however slowly the other side writes."""
        watchdog = threading.Timer(_SERVE_S, _cut, (request,))
        watchdog.daemon = True
        watchdog.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            watchdog.cancel()
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is nobody's business."""


def _cut(link: socket.socket) -> None:
    try:
        link.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


class _Handler(BaseHTTPRequestHandler):
    timeout = _SERVE_S

    def do_GET(self) -> None:
        """The signed wait, or 204 when there is none."""
        if self.path != "/wait":
            self._answer(404, b"")
            return
        try:
            signed = cast(_Server, self.server).current()
        except HearthwayError:
            self._answer(503, b"")
            return
        self._answer(204 if signed is None else 200, b"" if signed is None else pack(signed))

    def _answer(self, status: int, body: bytes) -> None:
        # send_response would add our software's version and a wall-clock date
        self.send_response_only(status)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/msgpack")
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Errors without http.server's page and version."""
        self._answer(code, b"")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (http.server's name)
        """Who asked is not written down."""
