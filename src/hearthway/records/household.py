"""What a household is made of: roles, devices, rules."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Role(StrEnum):
    """What a node does in a household. A venue is never a member: it only has the role of its own process."""

    PHONE = "phone"
    CAR = "car"
    HOME = "home"
    VENUE = "venue"


class Device(Struct, frozen=True, kw_only=True):
    """A member of the household: CN of its certificate, role, and the P-256 public key (SPKI DER)."""

    device_id: str
    role: Role
    public_key: bytes = b""


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The owner lets `keys` (globs over dotted keys) go from one role to others for one purpose."""

    id: str
    keys: tuple[str, ...]
    sender: str  # role
    receivers: tuple[str, ...]  # roles
    purpose: str


class Peer(Struct, frozen=True, kw_only=True):
    """Liveness of another node, as seen from here."""

    device_id: str
    role: str
    alive: bool
    since_s: float
    detail: str = ""
