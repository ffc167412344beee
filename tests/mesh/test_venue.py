"""A venue's word counts only with the followed key, about the right place, at the right time, over a bounded link."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hearthway.mesh import venue, venue_link
from hearthway.mesh.signing import public_bytes
from hearthway.mesh.store import Store
from hearthway.mesh.venue import VenueDesk, ask, encode_code, parse_code, sign_wait, verify
from hearthway.mesh.venue_link import VenueServer, fetch_wait
from hearthway.records.codec import pack, unpack
from hearthway.records.errors import InputError, MeshError, StoreError
from hearthway.records.venue import Followed, SignedWait, WaitStatement

KEY = Ed25519PrivateKey.from_private_bytes(b"v" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
FOLLOWED = Followed(
    osm_id="node/42", name="Ravintola Ä", address="127.0.0.1:8410", key=public_bytes(KEY)
)
STATEMENT = WaitStatement(
    osm_id="node/42",
    name="Ravintola Ä",
    wait_min=15.0,
    issued_s=1000.0,
    valid_until_s=2800.0,
    serial=7,
)


def signed(**changes: object) -> SignedWait:
    """Signed by the venue even where `sign_wait` would refuse: a hostile venue may."""
    data = pack(replace(STATEMENT, **changes))
    return SignedWait(statement=data, key=public_bytes(KEY), signature=KEY.sign(data))


def test_a_good_wait_has_minutes_age_and_source() -> None:
    wait = verify(sign_wait(KEY, STATEMENT), FOLLOWED, 1120.0, last_serial=7)
    assert (wait.minutes, wait.age_s, wait.source, wait.why) == (
        15.0,
        120.0,
        "told by the place",
        "",
    )
    early = verify(signed(), FOLLOWED, 900.0)  # its clock is 100 s ahead of ours: tolerated
    assert (early.minutes, early.age_s) == (15.0, 0.0)


@pytest.mark.parametrize(
    ("wait", "now_s", "last", "why"),
    [
        (replace(signed(), key=public_bytes(OTHER)), 1100.0, None, "another key"),
        (replace(signed(), signature=OTHER.sign(signed().statement)), 1100.0, None, "does not fit"),
        (replace(signed(), signature=b""), 1100.0, None, "does not fit"),
        (replace(signed(), statement=signed(wait_min=1.0).statement), 1100.0, None, "does not fit"),
        (signed(osm_id="node/43"), 1100.0, None, "another place"),
        (signed(), 879.0, None, "future"),
        (signed(), 2800.0, None, "expired 0 s ago"),
        (signed(), 2800.0 + 600, None, "expired 10 min ago"),
        (signed(), 1100.0, 8, "sent again"),
        (signed(wait_min=-1.0), 1100.0, None, "absurd"),
        (signed(wait_min=1441.0), 1100.0, None, "absurd"),
        (signed(wait_min=float("nan")), 1100.0, None, "absurd"),
        (signed(wait_min=float("inf")), 1100.0, None, "absurd"),
        (signed(valid_until_s=float("inf")), 1100.0, None, "absurd"),
        (signed(issued_s=float("nan")), 1100.0, None, "absurd"),
        (signed(valid_until_s=1000.0 + 90_000), 1100.0, None, "absurd"),
        (signed(valid_until_s=900.0), 1100.0, None, "absurd"),
        (signed(serial=-1), 1100.0, None, "absurd"),
    ],
)
def test_whatever_is_wrong_makes_it_unknown_and_says_why(
    wait: SignedWait, now_s: float, last: int | None, why: str
) -> None:
    found = verify(wait, FOLLOWED, now_s, last)
    assert found.minutes is None
    assert found.age_s is None
    assert why in found.why


def test_nonsense_under_a_good_signature_does_not_decode() -> None:
    data = b"\x81\xa1x\x01"
    wait = SignedWait(statement=data, key=public_bytes(KEY), signature=KEY.sign(data))
    assert "does not decode" in verify(wait, FOLLOWED, 1100.0).why


# --- the code ---------------------------------------------------------------------------------


@given(
    st.text(min_size=1, max_size=30),
    st.integers(1, 65_535),
    st.binary(min_size=32, max_size=32),
    st.ip_addresses().filter(lambda ip: not (ip.is_global or ip.is_multicast or ip.is_unspecified)),
)
def test_a_code_says_what_was_put_in(name: str, port: int, key: bytes, ip: object) -> None:
    host = f"[{ip}]" if ":" in str(ip) else str(ip)
    followed = Followed(osm_id="way/7", name=name, address=f"{host}:{port}", key=key)
    try:
        code = encode_code(followed)
    except InputError:
        assert "::ffff" in host or ":" in host  # an internet address in disguise
        return
    assert parse_code(code) == followed
    assert (
        parse_code("  " + code.upper().replace("HEARTHWAY-VENUE:", "hearthway-venue: ")) == followed
    )


@given(st.integers(0, 500), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_one_wrong_character_is_noticed(at: int, letter: str) -> None:
    code = encode_code(FOLLOWED)
    start = len(venue.CODE_PREFIX)
    place = start + at % (len(code) - start - 1)  # the last one carries padding bits only
    wrong = code[:place] + letter + code[place + 1 :]
    if wrong == code:
        return
    with pytest.raises(InputError, match="not a venue's code"):
        parse_code(wrong)


@given(st.text(max_size=80))
def test_any_text_is_a_code_or_an_input_error(text: str) -> None:
    for candidate in (text, venue.CODE_PREFIX + text):
        with pytest.raises(InputError):
            parse_code(candidate)


@pytest.mark.parametrize(
    "address",
    ["example.org:80", "8.8.8.8:80", "10.0.0.1", "10.0.0.1:0", "10.0.0.1:99999", "10.0.0.1:x", "", ":1",
     "224.0.0.1:80", "0.0.0.0:80", "::1:80", "[::1]", "[::ffff:8.8.8.8]:80", "10.0.0.1:8 0", "10.0.0.1/x:80",
     "user@10.0.0.1:80", "10.0.0.1\r\nX: y:80", "[10.0.0.1]:80", "[fe80::1%eth0\r\n]:80"],
)  # fmt: skip
def test_names_and_the_internet_are_refused(address: str) -> None:
    with pytest.raises(InputError):
        encode_code(replace(FOLLOWED, address=address))


# --- the link ---------------------------------------------------------------------------------


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "phone" / "node.db", node_id="phone") as opened:
        yield opened


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[VenueDesk]:
    with Store.open(tmp_path / "venue" / "node.db", node_id="venue") as opened:
        yield VenueDesk(opened, KEY, osm_id="node/42", name="Ravintola Ä")


@contextmanager
def serving(current: Callable[[], SignedWait | None]) -> Iterator[Followed]:
    server = VenueServer("127.0.0.1", 0, current)
    server.start()
    try:
        yield replace(FOLLOWED, address=f"127.0.0.1:{server.port}")
    finally:
        server.stop()


def test_from_the_operators_finger_to_the_phone(phone: Store, desk: VenueDesk) -> None:
    with serving(desk.current) as followed:
        assert parse_code(desk.code(followed.address)) == followed
        assert "says nothing" in ask(phone, followed, 1000.0, 2.0).why
        desk.tell(15.0, 1000.0)
        assert ask(phone, followed, 1060.0, 2.0).minutes == 15.0
        assert phone.last_serial("node/42") == 1
        old = desk.current()
        desk.tell(5.0, 1100.0)
        assert ask(phone, followed, 1120.0, 2.0).minutes == 5.0
        desk.silence()
        assert ask(phone, followed, 1130.0, 2.0).minutes is None
        assert unpack(desk.tell(7.0, 1140.0).statement, WaitStatement).serial == 3
    with serving(lambda: old) as followed:  # somebody replays the first statement
        assert "sent again" in ask(phone, followed, 1150.0, 2.0).why
    assert "out of reach" in ask(phone, followed, 1200.0, 2.0).why


@pytest.mark.parametrize("minutes", [-1.0, float("nan"), 1e9])
def test_an_impossible_wait_is_not_published(desk: VenueDesk, minutes: float) -> None:
    desk.tell(3.0, 1000.0)
    with pytest.raises(InputError, match="cannot be published"):
        desk.tell(minutes, 1001.0)
    kept = desk.current()
    assert kept is not None
    assert unpack(kept.statement, WaitStatement).wait_min == 3.0


def test_disclosure_says_what_the_venue_could_learn() -> None:
    said = venue.disclosure(FOLLOWED)
    assert said.peer == "Ravintola Ä (node/42) at 127.0.0.1:8410"
    assert len(said.learned) == 2
    assert "at this time" in said.learned[0]


def raw(address: str, request: bytes) -> bytes:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as link:
        link.sendall(request)
        data = b""
        while piece := link.recv(4096):
            data += piece
    return data


def test_the_server_answers_one_question_and_tells_nothing_else(desk: VenueDesk) -> None:
    desk.tell(15.0, 1000.0)
    with serving(desk.current) as followed:
        good = raw(followed.address, b"GET /wait HTTP/1.0\r\n\r\n")
        assert good.startswith(b"HTTP/1.0 200")
        for header in (b"Server:", b"Date:", b"Python"):
            assert header not in good
        for path in (b"/", b"/wait/", b"/wait?x=1", b"/../node.db"):
            assert b" 404 " in raw(followed.address, b"GET " + path + b" HTTP/1.0\r\n\r\n")
        assert b" 501 " in raw(followed.address, b"POST /wait HTTP/1.0\r\n\r\n")
        assert b" 200 " not in raw(
            followed.address, b"GET /" + b"x" * 70_000 + b" HTTP/1.0\r\n\r\n"
        )
        raw(followed.address, b"\x16\x03\x01nonsense\r\n\r\n")
        assert raw(followed.address, b"GET /wait HTTP/1.0\r\n\r\n") == good


def test_a_broken_store_is_a_503_not_a_traceback(phone: Store) -> None:
    def broken() -> SignedWait:
        raise StoreError("The disk is gone.")

    with serving(broken) as followed:
        assert ask(phone, followed, 1000.0, 2.0).why.endswith("answered 503")


def test_a_crowd_of_silent_connections_is_cut(
    desk: VenueDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(venue_link, "_SERVE_S", 0.3)
    desk.tell(15.0, 1000.0)
    with serving(desk.current) as followed:
        host, _, port = followed.address.rpartition(":")
        crowd = [socket.create_connection((host, int(port))) for _ in range(20)]
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                if fetch_wait(followed.address, 1.0):
                    break
            except MeshError:
                time.sleep(0.05)
        else:
            pytest.fail("the server stayed blocked")
        for link in crowd:
            link.close()


@contextmanager
def hostile(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A venue that answers whatever it likes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        link, _ = listener.accept()
        with link:
            link.recv(1000)
            try:
                answer(link)
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    thread.join()
    listener.close()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "does not speak HTTP"),
        (b"SSH-2.0-OpenSSH\r\n", "does not speak HTTP"),
        (b"HTTP/1.0 302 Found\r\nLocation: http://192.0.2.1/\r\n\r\n", "answered 302"),
        (b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 5000, "too long"),
        (b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 5_000_000, "too long"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\nxx", "too long or cut|does not speak"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: -5\r\n\r\nxx", ""),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "does not speak HTTP"),
        (b"HTTP/1.0 200 OK\r\n" + b"X: y\r\n" * 2000 + b"\r\n", "does not speak HTTP|too long"),
    ],
)
def test_a_hostile_answer_is_an_unknown_wait(phone: Store, answer: bytes, why: str) -> None:
    with hostile(lambda link: link.sendall(answer)) as address:
        found = ask(phone, replace(FOLLOWED, address=address), 1000.0, 2.0)
    assert found.minutes is None
    assert any(part in found.why for part in why.split("|")), found.why


def test_a_venue_that_drips_is_left_in_time() -> None:
    def drip(link: socket.socket) -> None:
        for letter in b"HTTP/1.0 200 OK\r\n" * 10:
            link.sendall(bytes([letter]))
            time.sleep(0.05)

    begin = time.monotonic()
    with hostile(drip) as address, pytest.raises(MeshError, match="did not answer within"):
        fetch_wait(address, 0.3)
    assert time.monotonic() - begin < 3.0


def test_a_port_in_use_reads_as_such(desk: VenueDesk) -> None:
    with serving(desk.current) as followed:
        port = int(followed.address.rpartition(":")[2])
        with pytest.raises(MeshError, match="cannot listen"):
            VenueServer("127.0.0.1", port, desk.current).start()
    with pytest.raises(MeshError, match="cannot listen"):
        VenueServer("127.0.0.1", 99_999, desk.current).start()


def test_starting_and_stopping_twice_is_fine(desk: VenueDesk) -> None:
    server = VenueServer("127.0.0.1", 0, desk.current)
    server.stop()
    server.start()
    server.start()
    server.stop()
    server.stop()


def test_a_kill_loses_no_typed_wait_and_no_serial(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import os, signal, sys
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from hearthway.mesh.store import Store
        from hearthway.mesh.venue import VenueDesk
        store = Store.open(sys.argv[1], node_id="venue")
        desk = VenueDesk(store, Ed25519PrivateKey.from_private_bytes(b"v" * 32), osm_id="node/42", name="R")
        desk.tell(15.0, 1000.0)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    path = tmp_path / "node.db"
    for serial in (1, 2):
        done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
        assert done.returncode == -9
        with Store.open(path, node_id="venue") as store:
            kept = VenueDesk(store, KEY, osm_id="node/42", name="R").current()
            assert kept is not None
            assert unpack(kept.statement, WaitStatement).serial == serial
