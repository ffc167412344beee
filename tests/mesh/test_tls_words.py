"""What TLS 1.3 lets the other side say beside data (RFC 8446, 4.6 and 5.1), each sealed by keys of the connection."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from hearthway.mesh.links.stream import _contexts
from hearthway.mesh.links.tls import TlsProtocol

pytestmark = pytest.mark.usefixtures("no_blocking")
Contexts = tuple[ssl.SSLContext, ssl.SSLContext]
ALERT, HANDSHAKE, DATA = 21, 22, 23
ASKS_FOR_KEYS = b"\x18\0\0\1\1"  # KeyUpdate, update_requested


class _Mouth:
    """Seals records by a secret that the other side reads with, as RFC 8446, 5.2 and 7.3, says."""

    def __init__(self, cipher: str, secret: bytes) -> None:
        self._hash = SHA384() if cipher.endswith("SHA384") else SHA256()
        self._aead = ChaCha20Poly1305 if "CHACHA20" in cipher else AESGCM
        self._key_bytes = 16 if "AES_128" in cipher else 32
        self._use(secret)

    def _use(self, secret: bytes) -> None:
        self._secret, self._said = secret, 0
        self._key = self._aead(self._expand(b"key", self._key_bytes))
        self._iv = int.from_bytes(self._expand(b"iv", 12))

    def _expand(self, label: bytes, size: int) -> bytes:
        label = b"tls13 " + label
        info = size.to_bytes(2) + bytes([len(label)]) + label + b"\0"
        return HKDFExpand(self._hash, size, info).derive(self._secret)

    def says(self, kind: int, content: bytes) -> bytes:
        head = b"\x17\3\3" + (len(content) + 17).to_bytes(2)
        nonce = (self._iv ^ self._said).to_bytes(12)
        self._said += 1
        return head + self._key.encrypt(nonce, content + bytes([kind]), head)

    def asks_for_keys(self) -> bytes:
        sealed = self.says(HANDSHAKE, ASKS_FOR_KEYS)
        self._use(self._expand(b"traffic upd", self._hash.digest_size))
        return sealed


class _Wire(asyncio.Transport):
    """A TCP transport that nobody reads at the other end: it keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.kept, self.how = bytearray(), ""

    def write(self, data: Any) -> None:
        self.kept += data

    def taken(self) -> bytes:
        taken = bytes(self.kept)
        self.kept.clear()
        return taken

    def get_write_buffer_size(self) -> int:
        return len(self.kept)

    def abort(self) -> None:
        self.how = "abort"

    def close(self) -> None:
        self.how = self.how or "close"


class _End(TlsProtocol):
    """The side that is dialled, and what became of it."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(context, server_side=True)
        self.wire, self.got, self.proved = _Wire(), list[bytes](), False
        self.ended: list[Exception | None] = []

    def secured(self, certificate: bytes) -> None:
        self.proved = True

    def heard(self, data: memoryview) -> None:
        self.got.append(bytes(data))

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


def _up(household: Any, log: Path) -> tuple[_End, _Mouth]:
    """A phone that was dialled by a member, and what says anything for that one from then on."""
    dials = _contexts(household.identity("car"))[0]
    dials.keylog_filename = str(log)
    phone = _End(_contexts(household.identity("phone"))[1])
    come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
    car = dials.wrap_bio(come, go)
    phone.connection_made(phone.wire)
    while not phone.proved:
        with suppress(ssl.SSLWantReadError):
            car.do_handshake()
        phone.feed(go.read())
        come.write(phone.wire.taken())
    said = (line.split() for line in log.read_text().splitlines())
    secret = next(words[2] for words in said if words[0] == "CLIENT_TRAFFIC_SECRET_0")
    cipher = car.cipher()
    assert cipher is not None
    return phone, _Mouth(cipher[0], bytes.fromhex(secret))


@pytest.mark.parametrize("reads", [True, False])
def test_who_asks_for_keys_and_does_not_read_is_cut(
    make_household: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: bool
) -> None:
    """Each asking is answered, by OpenSSL itself: nothing was said that a limit of writing would have seen."""
    monkeypatch.setattr("hearthway.mesh.links.tls._PILED_MAX_BYTES", 64 * 1024)
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        phone, mouth = _up(household, tmp_path / "keys")
        answered = 0
        for _ in range(8):
            phone.feed(b"".join(mouth.asks_for_keys() for _ in range(1000)))
            if reads:
                answered += len(phone.wire.taken())
        phone.feed(mouth.says(DATA, b"heard"))
        if reads:
            assert answered > 2 * 64 * 1024
            assert phone.got == [b"heard"]
            assert not phone.ended
        else:
            assert phone.wire.how == "abort"
            assert phone.ended == [None]
            assert len(phone.wire.kept) < 128 * 1024

    asyncio.run(scenario())


@pytest.mark.parametrize(("kind", "content"), [(DATA, b""), (ALERT, b"\1\x5a")])
def test_records_that_say_nothing_end_it_soon_and_are_no_end_that_was_said(
    make_household: Any, tmp_path: Path, kind: int, content: bytes
) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        phone, mouth = _up(household, tmp_path / "keys")
        phone.feed(mouth.says(kind, content) + mouth.says(DATA, b"heard"))
        assert phone.got == [b"heard"]  # the control: one alone is let be
        for _ in range(40):
            phone.feed(mouth.says(kind, content))
        assert phone.got == [b"heard"]
        assert isinstance(phone.ended[0], ssl.SSLError)

    asyncio.run(scenario())


def test_half_an_asking_holds_up_nothing_that_is_said(make_household: Any, tmp_path: Path) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        phone, mouth = _up(household, tmp_path / "keys")
        phone.feed(mouth.says(HANDSHAKE, ASKS_FOR_KEYS[:3]))
        phone.say(b"answer")
        assert b"answer" not in phone.wire.kept
        assert len(phone.wire.taken()) > len(b"answer")
        phone.feed(mouth.says(DATA, b"between its halves"))
        assert not phone.got
        assert isinstance(phone.ended[0], ssl.SSLError)

    asyncio.run(scenario())
