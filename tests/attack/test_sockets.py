"""Hostile bytes at every socket of running nodes. Beside each attack its positive control: the nodes still serve."""

from __future__ import annotations

import json
import random
import socket
import ssl
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.ports import free_port

from hearthway.mesh.trust.identity import create_household
from hearthway.mesh.venues.venue_seal import Asker

GROWTH_MB = 64.0
RNG = random.Random(20)  # seeded: the same garbage at every run

GARBAGE = [
    b"",
    b"\x00",
    b"\xff" * 70_000,
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\xff\xff" + bytes(200),  # a TLS record that promises more than it holds
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + RNG.randbytes(40),  # a cut ClientHello
    RNG.randbytes(5_000),
    b"\xff\xff\xff\xff" + RNG.randbytes(5_000),  # a frame of 4 GB
    b"\x00\x00\xff\xff" + b"\x93" * 60_000,  # nested MessagePack
]


@pytest.fixture
def bounded(household: Any) -> Iterator[None]:
    """Home and phone serve afterwards, and have not grown by much."""
    household.serves()
    before = {node.name: node.rss_mb for node in (household.home, household.phone)}
    yield
    household.serves()
    for node in (household.home, household.phone):
        assert node.rss_mb - before[node.name] < GROWTH_MB


# the mesh ---------------------------------------------------------------------------------------------------------


def _tls(ca: Path | None, certificate: tuple[Path, Path] | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if ca is not None:
        context.load_verify_locations(ca)
    if certificate is not None:
        context.load_cert_chain(*certificate)
    return context


def _speak(port: int, context: ssl.SSLContext, data: bytes) -> str:
    """What becomes of a TLS connection that sends `data`: "refused", "closed" or "open"."""
    with socket.create_connection(("127.0.0.1", port), timeout=5.0) as plain:
        try:
            with context.wrap_socket(plain) as link:
                link.settimeout(1.0)
                link.sendall(data)
                try:
                    return "open" if link.recv(65536) else "closed"
                except TimeoutError:
                    return "open"
        except ssl.SSLError:
            return "refused"
        except OSError:
            return "closed"


def test_garbage_at_the_mesh_port(household: Any, send: Any, bounded: None) -> None:
    for data in GARBAGE:
        send(household.home.mesh_port, data)
        send(household.phone.mesh_port, data)


def test_a_hundred_silent_connections_at_the_mesh_port(household: Any, bounded: None) -> None:
    with ExitStack() as stack:
        for _ in range(100):
            with suppress(OSError):
                stack.enter_context(
                    socket.create_connection(("127.0.0.1", household.home.mesh_port), timeout=1.0)
                )
        household.serves()  # meanwhile too


def test_who_has_no_certificate_of_the_household_is_refused(
    household: Any, tmp_path: Path, bounded: None
) -> None:
    port, junk = household.home.mesh_port, RNG.randbytes(2_000)
    assert _speak(port, _tls(None, None), junk) != "open"
    # Another household's root gives out the very name of our phone.
    other = create_household(tmp_path / "other", "other", time.time())
    other.enrol("phone", "phone", time.time(), f"127.0.0.1:{household.phone.mesh_port}")
    foreign = (tmp_path / "other" / "device.pem", tmp_path / "other" / "device.key")
    assert _speak(port, _tls(None, foreign), junk) != "open"
    # The control: our own phone's certificate is taken at the TLS level.
    keys = household.phone.paths.keys
    member = (keys / "device.pem", keys / "device.key")
    assert _speak(port, _tls(keys / "ca.pem", member), b"") == "open"


def test_a_member_that_sends_garbage_harms_nobody(household: Any, bounded: None) -> None:
    keys = household.phone.paths.keys
    context = _tls(keys / "ca.pem", (keys / "device.pem", keys / "device.key"))
    for data in GARBAGE[1:]:
        _speak(household.home.mesh_port, context, data)


# pairing ----------------------------------------------------------------------------------------------------------


def _open_door(household: Any) -> tuple[str, str, int]:
    port = free_port()
    offer = household.home.ask("pair-open", port=port)
    return str(offer["code"]), str(offer["address"]), port


def test_garbage_at_the_pairing_port_costs_no_attempt(
    household: Any, send: Any, bounded: None, guest: Any
) -> None:
    code, address, port = _open_door(household)
    for data in GARBAGE:
        send(port, data)
    guest.ask("pair", address=address, code=code)  # the control: the right code still lets in


def test_slow_ones_hold_nobody_up_for_long(household: Any, guest: Any, cli: Any) -> None:
    code, address, port = _open_door(household)
    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5.0))
        crowded = cli("pair", address, code, "--data", guest.paths.root)
        if crowded.code:
            crowded.refuses("new code")
            time.sleep(6.0)  # a silent connection is cut after 5 s
            guest.ask("pair", address=address, code=code)
    assert guest.ask("status")["paired"]


def test_five_wrong_codes_lock_the_door_and_a_new_code_opens_it(
    household: Any, guest: Any, cli: Any, bounded: None
) -> None:
    code, address, _ = _open_door(household)
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    for left in (4, 3, 2, 1, 0):
        done = cli("pair", address, wrong, "--data", guest.paths.root)
        done.refuses()
        if left:
            assert str(left) in done.err
    locked = cli("pair", address, code, "--data", guest.paths.root)
    locked.refuses("new code")
    code, address, _ = _open_door(household)
    assert cli("pair", address, code, "--data", guest.paths.root).code == 0


@pytest.mark.parametrize("code", ["12345", "abcdef", "١٢٣٤٥٦", "1234567", ""])
def test_what_is_no_code_is_a_sentence(guest: Any, cli: Any, code: str) -> None:
    cli("pair", "127.0.0.1:1", code, "--data", guest.paths.root).refuses("six digits")


def test_an_address_where_nobody_pairs_is_a_sentence(household: Any, guest: Any, cli: Any) -> None:
    cli("pair", "127.0.0.1:1", "123456", "--data", guest.paths.root).refuses("No home is pairing")
    cli("pair", "nonsense", "123456", "--data", guest.paths.root).refuses("host:port")
    port = household.phone.mesh_port  # somebody, but no home that pairs
    cli("pair", f"127.0.0.1:{port}", "123456", "--data", guest.paths.root).refuses()


# the venue's port -------------------------------------------------------------------------------------------------


def test_garbage_at_the_venue(household: Any, send: Any) -> None:
    household.venue.ask("wait", minutes=15)
    port, before = household.venue.extra["venue"], household.venue.rss_mb
    for data in GARBAGE:
        send(port, data)
    send(port, b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n")
    send(port, b"GET /wait HTTP/1.1\r\n" + b"X: y\r\n" * 50_000)
    send(port, b"hwv\x01" + bytes(1_000_000))
    assert send(port, b"GET /../node.db HTTP/1.0\r\n\r\n" + bytes(36)) == b""
    assert send(port, Asker(bytes(32)).hello)[:4] == b"hwv\x01"  # whoever asks properly is answered
    assert household.venue.rss_mb - before < GROWTH_MB
    assert "Traceback" not in household.venue.said()


# the page and OwnTracks -------------------------------------------------------------------------------------------


def _http(path: str, method: str = "GET", host: str = "127.0.0.1", **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 0


PLACES = [
    "/../node.db",
    "/..%2fnode.db",
    "/%2e%2e/%2e%2e/keys/device.key",
    "/static/../../keys/device.key",
    "//etc/passwd",
    "/api/why/..%2f..%2fnode.toml",
    "/api/why/%00",
    "/app.js%00.html",
]


@pytest.mark.parametrize("path", PLACES)
def test_no_path_leads_out_of_the_page(household: Any, send: Any, path: str) -> None:
    port = household.phone.extra["web"]
    answer = send(port, _http(path), wait_s=5.0, half_close=False)
    assert 400 <= _status(answer) < 500, answer[:200]
    assert b"PRIVATE KEY" not in answer
    assert b"root:" not in answer
    assert _status(send(port, _http("/"), wait_s=5.0, half_close=False)) == 200


def test_a_name_bound_to_us_by_somebody_else_gets_nothing(household: Any, send: Any) -> None:
    port = household.phone.extra["web"]
    answer = send(
        port, _http("/api/state", host=f"evil.example:{port}"), wait_s=5.0, half_close=False
    )
    assert _status(answer) == 421
    assert b'"person"' not in answer
    assert _status(send(port, _http("/api/state"), wait_s=5.0, half_close=False)) == 200


def test_positions_without_the_token_and_huge_ones(
    household: Any, send: Any, bounded: None
) -> None:
    port = household.phone.extra["web"]
    body = b'{"_type":"location","lat":1,"lon":1,"tst":1700000000}'
    head = _http("/pub", "POST", Content_Length=str(len(body)), Content_Type="application/json")
    assert _status(send(port, head + body, wait_s=5.0, half_close=False)) == 401
    wrong = _http("/pub", "POST", Content_Length=str(len(body)), Authorization="Basic eDp4")
    assert _status(send(port, wrong + body, wait_s=5.0, half_close=False)) == 401
    huge = _http("/pub", "POST", Content_Length="100000000")
    assert _status(send(port, huge + bytes(20_000_000), wait_s=5.0, half_close=False)) in (
        0,
        401,
        413,
    )
    endless = _http("/pub", "POST", Transfer_Encoding="chunked")
    chunk = b"10000\r\n" + bytes(65536) + b"\r\n"
    assert _status(send(port, endless + chunk * 200, wait_s=5.0, half_close=False)) in (0, 401, 413)
    for data in GARBAGE:
        send(port, data)
    assert _status(send(port, _http("/"), wait_s=5.0, half_close=False)) == 200


# the control socket -----------------------------------------------------------------------------------------------


def _control(path: Path, data: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(3.0)
        link.connect(str(path))
        with suppress(OSError):
            link.sendall(data)
            link.shutdown(socket.SHUT_WR)
        got = b""
        with suppress(OSError):
            while piece := link.recv(65536):
                got += piece
        return got


HOSTILE_REQUESTS: list[bytes] = [
    b"\n",
    b"{}\n",
    b"[]\n",
    b"[" * 100_000 + b"\n",
    b'{"do": 1e999}\n',
    b'{"do": "status"' + b"\n",
    b"\xff\xfe\x00\n",
    b'{"do": "import", "file": 7}\n',
    b'{"do": "import"}\n',
    b'{"do": "import", "file": "\\u0000", "name": "x"}\n',
    b'{"do": "answer", "id": {"a": 1}}\n',
    b'{"do": "follow", "code": [1]}\n',
    b'{"do": "pair", "address": 5, "code": null}\n',
    b'{"do": "await-peers", "roles": 5}\n',
    b'{"do": "\\ud800"}\n',
]


@pytest.mark.parametrize("request_", HOSTILE_REQUESTS, ids=range(len(HOSTILE_REQUESTS)))
def test_nonsense_at_the_control_socket_is_a_sentence(household: Any, request_: bytes) -> None:
    answer = _control(household.phone.paths.socket, request_)
    assert answer, "the node closed the line without a word"
    said = json.loads(answer)
    assert said["ok"] is False
    assert said["error"].endswith((".", "?"))
    assert said["next"]
    assert "could not do that" not in said["error"], "refused, but not understood"
    assert household.phone.ask("ping")


def test_an_endless_line_at_the_control_socket_is_cut(household: Any, bounded: None) -> None:
    _control(household.phone.paths.socket, b"a" * 20_000_000)
    assert household.phone.ask("ping")


def test_only_the_owner_may_speak_to_a_node(household: Any) -> None:
    for node in (household.home, household.phone, household.venue):
        assert stat.S_IMODE(node.paths.socket.stat().st_mode) == 0o600
        assert stat.S_IMODE(node.paths.root.stat().st_mode) == 0o700
        for file in node.paths.root.rglob("*"):
            assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0 or file.name == "stderr.txt", file


@pytest.fixture
def guest(household: Any, new_node: Callable[..., Any]) -> Any:
    """A car that belongs to nobody yet; taken off the roster's mind by its own id."""
    node = new_node("car", f"guest-{time.monotonic_ns() % 10**9}")
    node.up()
    return node
