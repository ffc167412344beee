"""Who belongs to the household, signed by its root: what every node checks its peers against."""

from __future__ import annotations

import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from hearthway.records import codec
from hearthway.records.errors import IdentityError, WireError
from hearthway.records.household import HouseholdPerson, Party, Role

DEVICE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
MEMBER_ROLES = (Role.PHONE, Role.CAR, Role.HOME)
ROSTER_MAX_BYTES = 256 * 1024
_CONTEXT = b"hearthway roster 1\0"


class Member(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device of the household: where it listens ("host:port", may be empty) and its public key (SPKI DER).

    `person` is the id of whom it belongs to; empty for a device that all share.
    """

    device_id: str
    role: str
    address: str
    public_key: bytes
    person: str = ""


class Revoked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device that was put out, by id and key: it stays listed, so that no older roster lets it in again."""

    device_id: str
    public_key: bytes


class WrappedKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The epoch's key, sealed to one member (see `epochs`)."""

    device_id: str
    sealed: bytes


class Roster(Struct, frozen=True, kw_only=True):
    """All members. A higher `serial` replaces a lower one. `epoch` grows with every revocation; `keys` holds its key.

    Fields of a newer Hearthway are passed over, so that two versions live together during an upgrade; the
    bytes the root signed are kept and handed on as they are.
    """

    household_id: str
    name: str
    serial: int
    members: tuple[Member, ...]
    people: tuple[HouseholdPerson, ...] = ()
    revoked: tuple[Revoked, ...] = ()
    epoch: int = 0
    keys: tuple[WrappedKey, ...] = ()
    grant_key: bytes = b""  # Ed25519, raw: whose capability tokens count

    def member(self, device_id: str) -> Member | None:
        """The member of that id, or None."""
        return next((m for m in self.members if m.device_id == device_id), None)

    def person(self, person_id: str) -> HouseholdPerson | None:
        """Somebody of the household, or None."""
        return next((p for p in self.people if p.person_id == person_id), None)

    def party(self, device_id: str, now_s: float) -> Party | None:
        """That device as an end of a crossing; None when it is no member or its guest's stay is over."""
        member = self.member(device_id)
        if member is None:
            return None
        person = self.person(member.person) if member.person else None
        if member.person and person is None:
            return None  # somebody who left the household
        if person is not None and person.until_s and now_s >= person.until_s:
            return None
        kind = str(person.kind) if person is not None else ""
        return Party(role=member.role, device_id=device_id, person=member.person, kind=kind)

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
