"""Records <-> bytes: MessagePack on the wire and in the store, with one canonical form to hash and compare."""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar

import msgspec

from .errors import WireError

T = TypeVar("T")

_ENCODER = msgspec.msgpack.Encoder(order="deterministic")
_JSON = msgspec.json.Encoder(order="deterministic")


_DECODERS: dict[Any, msgspec.msgpack.Decoder[Any]] = {}  # one a record kind: a fixed, small set


def _decoder(kind: type[T]) -> msgspec.msgpack.Decoder[T]:
    decoder = _DECODERS[kind] = msgspec.msgpack.Decoder(kind)
    return decoder


def pack(record: object) -> bytes:
    """Canonical MessagePack: equal records give equal bytes (sets and dicts sorted)."""
    return _ENCODER.encode(record)


def unpack(data: bytes, kind: type[T]) -> T:
    """The record in `data`, validated against `kind`; WireError when it does not fit."""
    try:
        decoder: msgspec.msgpack.Decoder[T] = _DECODERS.get(kind) or _decoder(kind)
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as why:
        raise WireError(
            f"A {kind.__name__} does not decode: {why}.",
            "Are both nodes on the same version? `hearthway status` shows it.",
        ) from None


def to_json(record: object) -> bytes:
    """Canonical JSON, for programs and for people."""
    return _JSON.encode(record)


def digest(record: object, *, size: int = 16) -> str:
    """Hex BLAKE2b of the canonical bytes: the id of whatever is named by its content."""
    data = record if isinstance(record, bytes) else pack(record)
    return hashlib.blake2b(data, digest_size=size).hexdigest()
