"""Records <-> bytes: MessagePack on the wire and in the store, with one canonical form to hash and compare."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from .errors import WireError

T = TypeVar("T")

_ENCODER = msgspec.msgpack.Encoder(order="deterministic")
_JSON = msgspec.json.Encoder(order="deterministic")


@lru_cache(maxsize=128)
def _decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(kind)


def pack(record: object) -> bytes:
    """Canonical MessagePack: equal records give equal bytes (sets and dicts sorted)."""
    return _ENCODER.encode(record)


def unpack(data: bytes, kind: type[T]) -> T:
    """The record in `data`, validated against `kind`; WireError when it does not fit."""
    try:
        return _decoder(kind).decode(data)  # type: ignore[no-any-return]  # the cache erases T
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
