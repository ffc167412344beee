"""How a question to a venue is sealed: whoever listens learns neither the venue nor the place nor the answer.

Both sides make an X25519 key for one question; the venue signs the exchange with the key people follow. So the
asker stays anonymous, the answer comes from the followed venue or not at all, nothing recorded can be opened
later or sent again, and even the signature travels sealed (it would tell which venue it is).

    asker -> venue   "hwv" version, X25519 key                                         36 bytes
    venue -> asker   "hwv" version, X25519 key, sealed Ed25519 over the two keys      116 bytes
    asker -> venue   sealed place id, padded                                          144 bytes
    venue -> asker   length, sealed answer, padded to whole blocks of 1,024 bytes

Behind the answer, where an asker of before reads padding, parts may follow: a kind, a length, that many bytes. An asker
passes over the kinds it does not know, so what a place says can grow without a version of the link. Blocks are large
enough that a place with such parts sends as much as one without.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hearthway.mesh.trust.signing import signed_by
from hearthway.records.errors import InputError, MeshError, WireError

VERSION = 1
MAGIC = b"hwv"
HEAD = MAGIC + bytes([VERSION])
_TAG_BYTES = 16
ASK_HELLO_BYTES = len(HEAD) + 32
VENUE_HELLO_BYTES = len(HEAD) + 32 + 64 + _TAG_BYTES
_QUESTION_PLAIN_BYTES = 128
QUESTION_BYTES = _QUESTION_PLAIN_BYTES + _TAG_BYTES
ASKING_BYTES = ASK_HELLO_BYTES + QUESTION_BYTES  # all that is ever sent to a venue
ANSWER_MAX_BYTES = 4096
_BLOCK_BYTES = 1024
PART_FORECAST = 1
ANSWER_SEALED_MAX_BYTES = ANSWER_MAX_BYTES + _BLOCK_BYTES + _TAG_BYTES
_CONTEXT = b"hearthway venue link 1\0"
_NONCE = bytes(12)  # each key seals one message


class Asker:
    """The asking side of one question; made anew for each."""

    def __init__(self, venue_key: bytes) -> None:
        """`venue_key` is the followed venue's Ed25519 key, raw."""
        self._venue_key = venue_key
        self._own = X25519PrivateKey.generate()
        self.hello = HEAD + self._own.public_key().public_bytes_raw()

    def question(self, venue_hello: bytes, osm_id: str) -> bytes:
        """The sealed question; WireError on bytes that are no venue's, MeshError where another key signed them."""
        head, signed = venue_hello[: len(HEAD) + 32], venue_hello[len(HEAD) + 32 :]
        if not head.startswith(MAGIC) or len(head) <= len(MAGIC):
            raise WireError("It does not speak as a venue does.")
        if head[: len(HEAD)] != HEAD:
            raise MeshError(
                f"It speaks version {head[len(MAGIC)]} of the venue's link, not {VERSION}.",
                "Update Hearthway on both sides.",
            )
        transcript = _transcript(self.hello, head)
        self._keys = _Keys(self._own, head[len(HEAD) :], transcript)
        signature = _unseal(self._keys.hello, signed, transcript)
        if not signed_by(self._venue_key, signature, _CONTEXT + transcript):
            raise MeshError(
                "It is signed by another key than the one you follow.",
                "Scan its code again, from the place's own screen.",
            )
        plain = _padded(osm_id.encode(), _QUESTION_PLAIN_BYTES)
        if len(plain) != _QUESTION_PLAIN_BYTES:
            raise InputError(f"{osm_id[:40]!r}... is no place's id.", "Follow the venue again.")
        return _seal(self._keys.question, plain, transcript)

    def answer(self, sealed: bytes) -> tuple[bytes, dict[int, bytes]]:
        """What the venue says, and further parts by kind; WireError where it was changed, cut or is another exchange's."""
        plain = _unseal(self._keys.answer, sealed, self._keys.transcript)
        content = _unpadded(plain)
        return content, _parts(plain[2 + len(content) :])


class Answerer:
    """The venue's side of one question; WireError on whatever is no question to it."""

    def __init__(self, key: Ed25519PrivateKey, hello: bytes) -> None:
        if len(hello) != ASK_HELLO_BYTES or not hello.startswith(HEAD):
            raise WireError("No question to a venue begins so.")
        own = X25519PrivateKey.generate()
        head = HEAD + own.public_key().public_bytes_raw()
        transcript = _transcript(hello, head)
        self._keys = _Keys(own, hello[len(HEAD) :], transcript)
        self.hello = head + _seal(self._keys.hello, key.sign(_CONTEXT + transcript), transcript)

    def question(self, sealed: bytes) -> str:
        """The id of the place that is asked for."""
        plain = _unpadded(_unseal(self._keys.question, sealed, self._keys.transcript))
        try:
            return plain.decode()
        except UnicodeDecodeError:
            raise WireError("A place's id is text.") from None

    def answer(self, content: bytes, parts: Mapping[int, bytes] | None = None) -> bytes:
        """The sealed answer, `content` with its `parts` at most `ANSWER_MAX_BYTES`; WireError when it is longer."""
        more = b"".join(
            bytes([kind]) + len(part).to_bytes(2, "big") + part
            for kind, part in sorted((parts or {}).items())
        )
        if len(content) + len(more) > ANSWER_MAX_BYTES:
            raise WireError(f"An answer of {len(content) + len(more)} bytes is too long.")
        plain = _padded(content, _BLOCK_BYTES, more)
        return _seal(self._keys.answer, plain, self._keys.transcript)


class _Keys:
    """HKDF-SHA256 over the X25519 secret and both hellos: a key for each of the three sealed messages."""

    def __init__(self, own: X25519PrivateKey, theirs: bytes, transcript: bytes) -> None:
        try:
            shared = own.exchange(X25519PublicKey.from_public_bytes(theirs))
        except ValueError:  # too short, or a point that gives the same secret to everybody
            raise WireError("That is no X25519 key.") from None
        raw = HKDF(hashes.SHA256(), 96, transcript, _CONTEXT).derive(shared)
        self.hello, self.question, self.answer = raw[:32], raw[32:64], raw[64:]
        self.transcript = transcript


def _transcript(asker_hello: bytes, venue_head: bytes) -> bytes:
    return hashlib.sha256(_CONTEXT + asker_hello + venue_head).digest()


def _seal(key: bytes, plain: bytes, transcript: bytes) -> bytes:
    return ChaCha20Poly1305(key).encrypt(_NONCE, plain, transcript)


def _unseal(key: bytes, sealed: bytes, transcript: bytes) -> bytes:
    try:
        return ChaCha20Poly1305(key).decrypt(_NONCE, sealed, transcript)
    except (InvalidTag, ValueError):
        raise WireError("It was changed or cut on the way.") from None


def _padded(content: bytes, block_bytes: int, more: bytes = b"") -> bytes:
    """Length in front, zeros behind: how long it is tells nothing about what it is."""
    whole = len(content).to_bytes(2, "big") + content + more
    return whole + bytes(-len(whole) % block_bytes)


def _unpadded(plain: bytes) -> bytes:
    size = int.from_bytes(plain[:2], "big")
    if len(plain) < 2 + size:
        raise WireError("It was changed or cut on the way.")
    return plain[2 : 2 + size]


def _parts(rest: bytes) -> dict[int, bytes]:
    """What follows the answer, up to the zeros; the first of a kind counts. WireError on a part that is cut."""
    found: dict[int, bytes] = {}
    while len(rest) > 3 and rest[0]:
        size = int.from_bytes(rest[1:3], "big")
        if len(rest) < 3 + size:
            raise WireError("It was changed or cut on the way.")
        found.setdefault(rest[0], rest[3 : 3 + size])
        rest = rest[3 + size :]
    return found
