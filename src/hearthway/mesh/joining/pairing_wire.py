"""What both sides of pairing say: bounded frames, the transcript of all of them, and the keys they end with.

Before the keys are confirmed only random, hashed and sealed bytes travel: neither the household nor the device
can be told from another, nor from itself the last time, because both hashes are salted anew each run.

    home   -> greeting {version, salt, salted hash of the root}
    device -> offer    {version, which secret, salt, salted hash of its key, SPAKE2 A}
    home   -> frame    {SPAKE2 B}
    device -> frame    HMAC
    home   -> frame    HMAC, or a refusal (a number) and the attempts left
    device -> sealed   {request, device id, role, address, person}
    home   -> sealed   {certificate, root certificate, roster}, or why not
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct
from spake2 import SPAKEError
from spake2.ed25519_basic import NotOnCurve

from hearthway.records import codec
from hearthway.records.errors import WireError

VERSION = 2
FRAME_MAX_BYTES = 512 * 1024  # a full roster is the largest thing that is sent
OFFER_MAX_BYTES = 1024  # from whoever has proved nothing yet
SALT_BYTES = 16
STEP_S = 5.0
TOTAL_S = 20.0
_LABEL = b"hearthway pairing 2\0"
_SHARE_BYTES = 33  # a side's letter and a point of Ed25519
_NONCE = bytes(12)  # each direction's key seals exactly one message

T = TypeVar("T")


class Refusal(IntEnum):
    """Why the home goes no further, before anything is sealed."""

    NONE = 0
    CODE = 1
    LOCKED = 2
    EXPIRED = 3
    USED = 4
    REPLAYED = 5
    VERSION = 6


class Greeting(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: int
    salt: bytes
    root: bytes  # salted hash


class Offer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: int
    secret: int  # which one: 0 the digits, 1 the QR's
    salt: bytes
    key: bytes  # salted hash
    share: bytes


class Frame(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    content: bytes
    refused: int = Refusal.NONE
    attempts_left: int = -1


class Application(Struct, frozen=True, kw_only=True):
    """Sealed. Fields of a newer device are passed over."""

    request: bytes
    device_id: str
    role: str
    address: str
    person: str = ""  # the owner's id; empty for a device that all share


class Admission(Struct, frozen=True, kw_only=True):
    """Sealed. `declined` says why there is no certificate."""

    certificate: bytes = b""
    root: bytes = b""
    roster: bytes = b""
    declined: str = ""
    next_step: str = ""


class Wire:
    """Bounded frames over a stream, and the transcript of all of them."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, step_s: float = STEP_S
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._step_s = step_s
        self._hash = hashlib.sha256(_LABEL)

    @property
    def transcript(self) -> bytes:
        """SHA-256 over every frame so far, lengths included."""
        return self._hash.digest()

    async def send(self, record: object) -> None:
        data = codec.pack(record)
        framed = len(data).to_bytes(4, "big") + data
        self._hash.update(framed)
        self._writer.write(framed)
        async with asyncio.timeout(self._step_s):
            await self._writer.drain()

    async def receive(self, kind: type[T], limit_bytes: int = OFFER_MAX_BYTES) -> T:
        """The next record; WireError when it is too large or something else, TimeoutError when too slow."""
        async with asyncio.timeout(self._step_s):
            head = await self._reader.readexactly(4)
            size = int.from_bytes(head, "big")
            if size > limit_bytes:
                raise WireError(
                    f"The other side sent a frame of {size} bytes.", "Is that address Hearthway's?"
                )
            data = await self._reader.readexactly(size)
        self._hash.update(head + data)
        return codec.unpack(data, kind)

    async def receive_greeting(self) -> Greeting:
        """The home's first frame; a greeting of version 0 and the other version's number where it speaks another."""
        async with asyncio.timeout(self._step_s):
            head = await self._reader.readexactly(4)
            size = int.from_bytes(head, "big")
            if size > OFFER_MAX_BYTES:
                raise WireError(
                    f"The other side sent a frame of {size} bytes.", "Is that address Hearthway's?"
                )
            data = await self._reader.readexactly(size)
        self._hash.update(head + data)
        if data[:1] == b"\x93" and data[1:2] and VERSION != data[1] < 0x80:
            return Greeting(data[1], b"", b"")  # another version: its other fields may be anything
        return codec.unpack(data, Greeting)

    def abort(self) -> None:
        """Cut the connection now."""
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._step_s):
                await self._writer.wait_closed()


@dataclass(frozen=True)
class Keys:
    """What both sides derive: equal if and only if secret, identities and transcript are."""

    confirm_device: bytes
    confirm_home: bytes
    to_home: bytes
    to_device: bytes
    transcript: bytes

    @classmethod
    def derive(cls, shared: bytes, transcript: bytes) -> Keys:
        raw = HKDF(hashes.SHA256(), 128, transcript, _LABEL).derive(shared)
        return cls(raw[:32], raw[32:64], raw[64:96], raw[96:], transcript)

    def device_proof(self) -> bytes:
        return hmac.digest(self.confirm_device, b"device" + self.transcript, "sha256")

    def home_proof(self) -> bytes:
        return hmac.digest(self.confirm_home, b"home" + self.transcript, "sha256")

    def seal_to_home(self, record: Application) -> Frame:
        return Frame(_seal(self.to_home, self.transcript, record))

    def open_at_home(self, frame: Frame) -> Application:
        return _unseal(self.to_home, self.transcript, plain(frame), Application)

    def seal_to_device(self, record: Admission) -> Frame:
        return Frame(_seal(self.to_device, self.transcript, record))

    def open_at_device(self, frame: Frame) -> Admission:
        return _unseal(self.to_device, self.transcript, plain(frame), Admission)


def _seal(key: bytes, transcript: bytes, record: object) -> bytes:
    return ChaCha20Poly1305(key).encrypt(_NONCE, codec.pack(record), transcript)


def _unseal(key: bytes, transcript: bytes, sealed: bytes, kind: type[T]) -> T:
    try:
        return codec.unpack(ChaCha20Poly1305(key).decrypt(_NONCE, sealed, transcript), kind)
    except InvalidTag:
        raise WireError("A sealed message was altered on the way.", "Pair again.") from None


def salted(what: bytes, salt: bytes, digest: bytes) -> bytes:
    """The identity that is shown for `digest` this once: SHA-256 over its use, the salt and itself."""
    return hashlib.sha256(_LABEL + what + b"\0" + salt + digest).digest()


def plain(frame: Frame) -> bytes:
    """The content of a frame that says nothing else; WireError when it does."""
    if frame != Frame(frame.content):
        raise WireError("A frame says more than it should.", "Pair again.")
    return frame.content


def run_spake(side: Any, share: bytes) -> tuple[bytes, bytes]:
    """(our share, what both then know)."""
    return side.start(), finish_spake(side, share)


def finish_spake(side: Any, share: bytes) -> bytes:
    """What both sides know if their secrets are equal; WireError for what is no share."""
    wrong = WireError("The other side's key share is not valid.", "Pair again.")
    if len(share) != _SHARE_BYTES:  # the package only asserts it
        raise wrong
    try:
        return bytes(side.finish(share))
    except (SPAKEError, NotOnCurve, ValueError):
        raise wrong from None
