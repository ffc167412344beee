"""A place's own word about its wait: signed by the venue's key, valid for a while, about nobody."""

from __future__ import annotations

from msgspec import Struct


class WaitStatement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator typed. `wait_min` holds from `issued_s` until `valid_until_s` (Unix seconds)."""

    osm_id: str
    name: str
    wait_min: float
    issued_s: float
    valid_until_s: float
    serial: int


class SignedWait(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`statement` is the canonical bytes of a WaitStatement; Ed25519 over them by `key`."""

    statement: bytes
    key: bytes
    signature: bytes


class Followed(Struct, frozen=True, kw_only=True):
    """A venue the person chose to follow: its key came by QR or code, never by trust on first use."""

    osm_id: str
    name: str
    address: str  # host:port on a link of its own
    key: bytes


class Wait(Struct, frozen=True, kw_only=True):
    """A wait as it may be shown: None minutes reads "unknown", and `why` says why."""

    osm_id: str
    minutes: float | None = None
    age_s: float | None = None
    source: str = ""
    why: str = ""
