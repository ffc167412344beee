"""A venue's word counts only with the followed key, about the right place, at the right time, over a bounded link."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.signing import public_bytes
from hearthway.mesh.venues import venue, venue_link, venue_seal
from hearthway.mesh.venues.desk import VenueDesk
from hearthway.mesh.venues.venue import ask, encode_code, parse_code, sign_wait, verify
from hearthway.mesh.venues.venue_link import Said, VenueServer, fetch_wait
from hearthway.mesh.venues.venue_seal import Answerer, Asker
from hearthway.records.codec import pack, unpack
from hearthway.records.errors import InputError, MeshError, StoreError, WireError
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


def serving(desk: VenueDesk) -> AbstractContextManager[Followed]:
    return listening(desk.serve("127.0.0.1", 0))


@contextmanager
def listening(server: VenueServer) -> Iterator[Followed]:
    server.start()
    try:
        yield replace(FOLLOWED, address=f"127.0.0.1:{server.port}")
    finally:
        server.stop()


def test_from_the_operators_finger_to_the_phone(phone: Store, desk: VenueDesk) -> None:
    with serving(desk) as followed:
        assert parse_code(desk.code(followed.address)) == followed
        assert "says nothing" in ask(phone, followed, 1000.0, 2.0).wait.why
        desk.tell(15.0, 1000.0)
        assert ask(phone, followed, 1060.0, 2.0).wait.minutes == 15.0
        assert phone.last_serial("node/42") == 1
        old = desk.current()
        assert old is not None
        desk.tell(5.0, 1100.0)
        assert ask(phone, followed, 1120.0, 2.0).wait.minutes == 5.0
        desk.silence()
        assert ask(phone, followed, 1130.0, 2.0).wait.minutes is None
        assert unpack(desk.tell(7.0, 1140.0).statement, WaitStatement).serial == 3
    with listening(
        VenueServer("127.0.0.1", 0, KEY, "node/42", lambda: (old, None))
    ) as followed:  # somebody replays the first statement
        assert "sent again" in ask(phone, followed, 1150.0, 2.0).wait.why
    assert "out of reach" in ask(phone, followed, 1200.0, 2.0).wait.why


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
        data = b""
        try:
            link.sendall(request)
            link.shutdown(socket.SHUT_WR)
            while piece := link.recv(4096):
                data += piece
        except TimeoutError:
            raise
        except OSError:
            pass  # what was not read to the end is reset, perhaps before we said that it was all
        return data


def fetch(followed: Followed, timeout_s: float) -> bytes:
    return fetch_wait(followed.address, followed.key, followed.osm_id, timeout_s)[0]


def test_the_server_answers_one_question_and_tells_nothing_else(desk: VenueDesk) -> None:
    desk.tell(15.0, 1000.0)
    with serving(desk) as followed:
        assert fetch(followed, 2.0)
        for nonsense in (
            b"GET /wait HTTP/1.0\r\n\r\n" + bytes(40),
            b"\x16\x03\x01nonsense" * 10,
            b"hwv\x01" + bytes(32),  # a key that gives everybody the same secret
            b"hwv\x01",
        ):
            assert raw(followed.address, nonsense) == b""
        begun = raw_hello(followed.address)
        assert begun[:4] == b"hwv\x01"
        assert len(begun) == venue_seal.VENUE_HELLO_BYTES
        assert raw(followed.address, b"hwv\x09" + b"k" * 32) == b"hwv\x01"
        assert fetch(followed, 2.0)


def raw_hello(address: str) -> bytes:
    """What the venue says to a proper beginning."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as link:
        link.sendall(Asker(FOLLOWED.key).hello)
        return link.recv(1000)


def test_a_broken_store_is_said_so_without_a_traceback(phone: Store) -> None:
    def broken() -> Said:
        raise StoreError("The disk is gone.")

    with listening(VenueServer("127.0.0.1", 0, KEY, "node/42", broken)) as followed:
        assert "trouble of its own" in ask(phone, followed, 1000.0, 2.0).wait.why


def test_a_venue_that_became_another_place_says_so(phone: Store, desk: VenueDesk) -> None:
    desk.tell(15.0, 1000.0)
    with serving(desk) as followed:
        elsewhere = replace(followed, osm_id="node/43")
        assert "another place" in ask(phone, elsewhere, 1010.0, 2.0).wait.why
        assert ask(phone, followed, 1010.0, 2.0).wait.minutes == 15.0


def test_a_crowd_of_silent_connections_is_cut(
    desk: VenueDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(venue_link, "_SERVE_S", 0.3)
    desk.tell(15.0, 1000.0)
    with serving(desk) as followed:
        host, _, port = followed.address.rpartition(":")
        crowd = [socket.create_connection((host, int(port))) for _ in range(20)]
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                if fetch(followed, 1.0):
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
            try:
                answer(link)
            except (OSError, WireError):
                return  # who asked has hung up: what it was told gave it no reason to go on

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    thread.join()
    listener.close()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "is cut"),
        (b"hwv", "is cut"),
        (b"hwv\x01" + bytes(50), "is cut"),
        (b"SSH-2.0-OpenSSH\r\n", "does not speak as a venue does"),
        (b"HTTP/1.0 302 Found\r\nLocation: http://192.0.2.1/\r\n\r\n", "does not speak as a venue"),
        (b"hwv\x02", "speaks version 2"),
        (b"hwv\x01" + bytes(112), "no X25519 key"),
        (b"hwv\x01" + b"k" * 112, "changed or cut"),
        (b"hwv\x01" + b"k" * 5_000_000, "changed or cut"),
    ],
)
def test_a_hostile_answer_is_an_unknown_wait(phone: Store, answer: bytes, why: str) -> None:
    def say(link: socket.socket) -> None:
        link.recv(36, socket.MSG_WAITALL)
        link.sendall(answer)

    with hostile(say) as address:
        found = ask(phone, replace(FOLLOWED, address=address), 1000.0, 2.0).wait
    assert found.minutes is None
    assert why in found.why, found.why


def answering(
    content: bytes, *, key: Ed25519PrivateKey = KEY, change: Callable[[bytes], bytes] = bytes
) -> Callable[[socket.socket], None]:
    """A venue that keeps the form, seals `content`, and changes what it sends last."""

    def say(link: socket.socket) -> None:
        answerer = Answerer(key, link.recv(36, socket.MSG_WAITALL))
        link.sendall(answerer.hello)
        answerer.question(link.recv(venue_seal.QUESTION_BYTES, socket.MSG_WAITALL))
        sealed = answerer.answer(content)
        link.sendall(change(len(sealed).to_bytes(2, "big") + sealed))

    return say


@pytest.mark.parametrize(
    ("say", "why"),
    [
        (answering(b"+" + pack(signed())), ""),
        (answering(b"+" + pack(signed()), key=OTHER), "another key than the one you follow"),
        (answering(b"+" + pack(signed()), change=lambda data: data[:-1]), "is cut"),
        (answering(b"+" + pack(signed()), change=lambda data: data[:2]), "is cut"),
        (answering(b"+" + pack(signed()), change=lambda data: data[:-1] + b"x"), "changed or cut"),
        (answering(b"+" + pack(signed()), change=lambda data: b"\xff\xff" + data), "too long"),
        (answering(b"+" + pack(signed()), change=lambda _: b"\x00\x00"), "changed or cut"),
        (answering(b"+x"), "does not decode"),
        (answering(b"0"), "says nothing right now"),
        (answering(b""), "trouble"),
        (answering(b"9"), "trouble"),
    ],
)
def test_a_venue_that_keeps_the_form_is_believed_only_whole_and_by_its_key(
    phone: Store, say: Callable[[socket.socket], None], why: str
) -> None:
    with hostile(say) as address:
        found = ask(phone, replace(FOLLOWED, address=address), 1100.0, 2.0).wait
    assert (found.minutes == 15.0) == (not why)
    assert why in found.why, found.why


def test_a_machine_in_the_middle_sees_nothing_and_changes_nothing(
    phone: Store, desk: VenueDesk
) -> None:
    """It may carry bytes, and then reads nothing; with a key of its own it is found out; nor can it replay."""
    desk.tell(15.0, 1000.0)
    seen: list[bytes] = []
    with serving(desk) as followed:
        real = ("127.0.0.1", int(followed.address.rpartition(":")[2]))

        def carry(link: socket.socket) -> None:
            with socket.create_connection(real) as onward:
                for size, (source, target) in (
                    (36, (link, onward)),
                    (116, (onward, link)),
                    (144, (link, onward)),
                    (2, (onward, link)),
                    (1040, (onward, link)),
                ):
                    seen.append(source.recv(size, socket.MSG_WAITALL))
                    target.sendall(seen[-1])

        with hostile(carry) as address:
            assert ask(phone, replace(followed, address=address), 1010.0, 2.0).wait.minutes == 15.0
        recorded = b"".join(seen)
        statement = unpack(desk.current().statement, WaitStatement)  # type: ignore[union-attr]  # it was told
        for secret in (b"node/42", b"Ravintola", FOLLOWED.key, pack(statement), b"wait", b"osm"):
            assert secret not in recorded
            assert (
                secret in b"x" + secret + recorded
            )  # the control: the same search finds it planted
        with socket.create_connection(real, timeout=2) as again:  # our question, sent once more
            again.sendall(seen[0])
            again.recv(116, socket.MSG_WAITALL)
            again.sendall(seen[2])
            assert again.recv(1) == b""

    def replay(link: socket.socket) -> None:  # the venue's answers, sent once more
        link.recv(36, socket.MSG_WAITALL)
        link.sendall(seen[1])
        link.recv(144)
        link.sendall(seen[3] + seen[4])

    with hostile(replay) as address:
        assert (
            "changed or cut" in ask(phone, replace(followed, address=address), 1010.0, 2.0).wait.why
        )


@given(st.data())
def test_one_changed_bit_anywhere_is_noticed(data: st.DataObject) -> None:
    asker = Asker(FOLLOWED.key)
    answerer = Answerer(KEY, asker.hello)
    question = asker.question(answerer.hello, "node/42")
    assert answerer.question(question) == "node/42"
    answer = answerer.answer(b"+15")
    assert asker.answer(answer) == (b"+15", {})

    def flipped(message: bytes) -> bytes:
        at = data.draw(st.integers(0, len(message) * 8 - 1))
        changed = bytearray(message)
        changed[at // 8] ^= 1 << at % 8
        return bytes(changed)

    with pytest.raises(WireError):
        asker.answer(flipped(answer))
    with pytest.raises(WireError):
        answerer.question(flipped(question))
    with pytest.raises((WireError, MeshError)):
        asker.question(flipped(answerer.hello), "node/42")


@given(st.integers(0, 4096), st.text(max_size=40))
def test_lengths_tell_nothing_about_the_place(size: int, osm_id: str) -> None:
    asker = Asker(FOLLOWED.key)
    answerer = Answerer(KEY, asker.hello)
    question = asker.question(answerer.hello, osm_id[:30])
    assert len(asker.hello + question) == venue_seal.ASKING_BYTES
    assert answerer.question(question) == osm_id[:30]
    sealed = answerer.answer(bytes(size))
    assert (len(sealed) - 16) % 1024 == 0
    assert len(sealed) <= venue_seal.ANSWER_SEALED_MAX_BYTES
    assert asker.answer(sealed) == (bytes(size), {})


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(WireError):
        Answerer(KEY, data)
    with pytest.raises((WireError, MeshError)):
        Asker(FOLLOWED.key).question(data, "node/42")


def test_an_absurd_place_is_not_asked_for() -> None:
    asker = Asker(FOLLOWED.key)
    with pytest.raises(InputError, match="no place's id"):
        asker.question(Answerer(KEY, asker.hello).hello, "n" * 500)
    with pytest.raises(WireError, match="too long"):
        Answerer(KEY, asker.hello).answer(bytes(4097))


def test_a_venue_that_drips_is_left_in_time() -> None:
    def drip(link: socket.socket) -> None:
        for letter in b"hwv\x01" + b"k" * 112:
            link.sendall(bytes([letter]))
            time.sleep(0.05)

    begin = time.monotonic()
    with hostile(drip) as address, pytest.raises(MeshError, match="did not answer within"):
        fetch(replace(FOLLOWED, address=address), 0.3)
    assert time.monotonic() - begin < 3.0


def test_a_port_in_use_reads_as_such(desk: VenueDesk) -> None:
    with serving(desk) as followed:
        port = int(followed.address.rpartition(":")[2])
        with pytest.raises(MeshError, match="cannot listen"):
            desk.serve("127.0.0.1", port).start()
    with pytest.raises(MeshError, match="cannot listen"):
        desk.serve("127.0.0.1", 99_999).start()


def test_starting_and_stopping_twice_is_fine(desk: VenueDesk) -> None:
    server = desk.serve("127.0.0.1", 0)
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
        from hearthway.mesh.state.store import Store
        from hearthway.mesh.venues.desk import VenueDesk
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
