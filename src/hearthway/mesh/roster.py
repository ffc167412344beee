"""Who belongs to the household, signed by its root: what every node checks its peers against."""

from __future__ import annotations

import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from hearthway.records import codec
from hearthway.records.errors import IdentityError, WireError
from hearthway.records.household import Role

DEVICE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
MEMBER_ROLES = (Role.PHONE, Role.CAR, Role.HOME)
ROSTER_MAX_BYTES = 256 * 1024
_CONTEXT = b"hearthway roster 1\0"


class Member(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device of the household: where it listens ("host:port", may be empty) and its public key (SPKI DER)."""

    device_id: str
    role: str
    address: str
    public_key: bytes


class Roster(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All members. A higher `serial` replaces a lower one."""

    household_id: str
    name: str
    serial: int
    members: tuple[Member, ...]

    def member(self, device_id: str) -> Member | None:
        """The member of that id, or None."""
        return next((m for m in self.members if m.device_id == device_id), None)

    def by_role(self, role: str) -> tuple[Member, ...]:
        """All members with that role, in order of their ids."""
        return tuple(m for m in self.members if m.role == role)


class _SignedRoster(Struct, frozen=True, array_like=True):
    roster: bytes
    signature: bytes


def check_device(device_id: str, role: str) -> None:
    """IdentityError unless the id can stand in a certificate and a key, and the role may be a member's."""
    if DEVICE_ID.fullmatch(device_id) is None:
        raise IdentityError(
            f'"{device_id}" cannot be a device id.',
            "Use 1-40 small letters, digits and dashes, such as phone-anna.",
        )
    if role not in {str(r) for r in MEMBER_ROLES}:
        raise IdentityError(
            f'"{role}" is not a role of a household member.', "Use phone, car or home."
        )


def sign_roster(roster: Roster, root_key: ec.EllipticCurvePrivateKey) -> bytes:
    """The roster's bytes with the root's signature: what is kept on disk and sent to members."""
    body = codec.pack(roster)
    return codec.pack(
        _SignedRoster(body, root_key.sign(_CONTEXT + body, ec.ECDSA(hashes.SHA256())))
    )


def open_roster(data: bytes, root_public_key: ec.EllipticCurvePublicKey) -> Roster:
    """The roster in `data`; WireError unless the household's root signed it."""
    if len(data) > ROSTER_MAX_BYTES:
        raise WireError("The household's list of devices is too large.", "Pair this device again.")
    signed = codec.unpack(data, _SignedRoster)
    try:
        root_public_key.verify(
            signed.signature, _CONTEXT + signed.roster, ec.ECDSA(hashes.SHA256())
        )
    except InvalidSignature:
        raise WireError(
            "The household's list of devices is not signed by its root.",
            "Pair this device again; if it comes back, a device of the household is not yours.",
        ) from None
    return codec.unpack(signed.roster, Roster)
