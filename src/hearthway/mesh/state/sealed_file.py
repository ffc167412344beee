"""A file that only a recovery phrase opens, written and read in chunks: its size is bounded by the disk alone.

    "HEARTHBK", version, scrypt's log2 n, r, p, salt (16), key check (16), SHA-256 of all this (8)
    chunk, chunk, ..., last chunk     each 1 MiB of content, ChaCha20-Poly1305

A chunk's nonce is its number and whether it is the last, and the head is authenticated with each: chunks that
are changed, cut off, left out or put elsewhere do not open. The key check tells a wrong phrase from a damaged
file before anything is read.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from collections.abc import Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from hearthway.records.errors import InputError

MAGIC = b"HEARTHBK"
VERSION = 1
CHUNK_BYTES = 1 << 20
_TAG_BYTES = 16
_HEAD = struct.Struct(">8sBBBB16s16s")
_SUM_BYTES = 8
_LOG2_N, _R, _P = 15, 8, 1  # 32 MiB, about 0.1 s; the phrase alone has 128 bits
_LOG2_N_MAX, _R_MAX, _P_MAX = 20, 16, 4
_KDF_MAX_BYTES = 256 * 1024 * 1024  # 128 n r: a foreign file must not make us take all memory
_LABEL = b"hearthway backup 1\0"
_DAMAGED = "Use another copy of it, or an older backup."


def _keys(entropy: bytes, salt: bytes, log2_n: int, r: int, p: int) -> tuple[bytes, bytes]:
    """(the key, the value that shows it)."""
    stretched = Scrypt(salt, 32, 1 << log2_n, r, p).derive(entropy)
    both = HKDF(hashes.SHA256(), 48, salt, _LABEL).derive(stretched)
    return both[:32], both[32:]


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


class SealedWriter:
    """Writes content under a phrase's entropy; nothing counts before `finish`."""

    def __init__(self, file: BinaryIO, entropy: bytes) -> None:
        salt = secrets.token_bytes(16)
        key, check = _keys(entropy, salt, _LOG2_N, _R, _P)
        head = _HEAD.pack(MAGIC, VERSION, _LOG2_N, _R, _P, salt, check)
        self._head = head + hashlib.sha256(head).digest()[:_SUM_BYTES]
        self._cipher = ChaCha20Poly1305(key)
        self._file = file
        self._number = 0
        self._rest = bytearray()
        file.write(self._head)

    def write(self, data: bytes) -> None:
        """The next content."""
        self._rest += data
        while len(self._rest) > CHUNK_BYTES:  # a full one waits: it may be the last
            self._chunk(bytes(self._rest[:CHUNK_BYTES]), last=False)
            del self._rest[:CHUNK_BYTES]

    def finish(self) -> None:
        """The last chunk: without it the file does not open."""
        self._chunk(bytes(self._rest), last=True)
        self._rest.clear()

    def _chunk(self, content: bytes, *, last: bool) -> None:
        nonce = _nonce(self._number, last=last)
        self._file.write(self._cipher.encrypt(nonce, content, self._head))
        self._number += 1


class SealedReader:
    """Reads what `SealedWriter` wrote; InputError for a wrong phrase or a changed byte, each in its own words."""

    def __init__(self, file: BinaryIO, entropy: bytes, name: str) -> None:
        self._name = name
        self._file = file
        self._head = head = read_head(file, name)
        _, _, log2_n, r, p, salt, check = _HEAD.unpack(head[: _HEAD.size])
        key, found = _keys(entropy, salt, log2_n, r, p)
        if not hmac.compare_digest(found, check):
            raise InputError(
                f"The recovery phrase does not open {name}.",
                "It is the phrase of another backup: each backup that was made without --phrase-file has its own.",
            )
        self._cipher = ChaCha20Poly1305(key)
        self._content = self._chunks()
        self._rest = bytearray()

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes of content; InputError where there are fewer."""
        while len(self._rest) < size:
            self._rest += next(self._content, b"") or self._ended()
        data = bytes(self._rest[:size])
        del self._rest[:size]
        return data

    def ends(self) -> None:
        """InputError unless everything was read."""
        if self._rest or next(self._content, b""):
            raise InputError(f"{self._name} holds more than it says.", _DAMAGED)

    def _ended(self) -> bytes:
        raise InputError(f"{self._name} holds less than it says.", _DAMAGED)

    def _chunks(self) -> Iterator[bytes]:
        number = 0
        chunk = self._file.read(CHUNK_BYTES + _TAG_BYTES)
        while True:
            after = self._file.read(CHUNK_BYTES + _TAG_BYTES)
            try:
                content = self._cipher.decrypt(_nonce(number, last=not after), chunk, self._head)
            except InvalidTag:
                raise InputError(
                    f"{self._name} is damaged or cut off after {number} MiB. The phrase is right.",
                    _DAMAGED,
                ) from None
            yield content
            if not after:
                return
            chunk, number = after, number + 1


def read_head(file: BinaryIO, name: str) -> bytes:
    """The checked head, no phrase needed; InputError when it is no backup, a newer one, or damaged."""
    head = file.read(_HEAD.size + _SUM_BYTES)
    if head[: len(MAGIC)] != MAGIC:
        raise InputError(f"{name} is not a backup of Hearthway.", "Name the backup file.")
    if len(head) > len(MAGIC) and head[len(MAGIC)] > VERSION:
        raise InputError(f"{name} was made by a newer Hearthway.", "Update Hearthway here.")
    fields, found = head[: _HEAD.size], head[_HEAD.size :]
    if hashlib.sha256(fields).digest()[:_SUM_BYTES] != found:
        raise InputError(f"The beginning of {name} is damaged.", _DAMAGED)
    _, version, log2_n, r, p, _, _ = _HEAD.unpack(fields)
    if not (
        version == VERSION
        and 1 <= log2_n <= _LOG2_N_MAX
        and 1 <= r <= _R_MAX
        and 1 <= p <= _P_MAX
        and 128 * (1 << log2_n) * r <= _KDF_MAX_BYTES
    ):
        raise InputError(f"The beginning of {name} is damaged.", _DAMAGED)
    return head
