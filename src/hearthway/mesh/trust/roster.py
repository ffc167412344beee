"""Who belongs to the household, signed by its root: what every node checks its peers against."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from hearthway.records import codec
from hearthway.records.errors import IdentityError, WireError
from hearthway.records.household import HouseholdPerson, Party, PersonKind, Role

from .routers import Router

DEVICE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
MEMBER_ROLES = (Role.PHONE, Role.CAR, Role.HOME)
ROSTER_MAX_BYTES = 256 * 1024
_CONTEXT = b"hearthway roster 1\0"
_NOTICE = b"hearthway revoked 1\0"
_LEAST_FIRST = (PersonKind.GUEST, PersonKind.CHILD, PersonKind.ADULT)


class Member(Struct, frozen=True, kw_only=True):
    """A device of the household: where it listens ("host:port", may be empty) and its public key (SPKI DER).

    `person` is the id of whom it belongs to; empty for a device that all share.
    """

    device_id: str
    role: str
    address: str
    public_key: bytes
    person: str = ""


class Revoked(Struct, frozen=True, kw_only=True):
    """A device (or router) that was put out, by id and key: it stays listed, so that no older roster lets it in again.

    `proof` is the root's signature over exactly this, so that the device can be told without being shown the roster.
    """

    device_id: str
    public_key: bytes
    proof: bytes = b""


class WrappedKey(Struct, frozen=True, kw_only=True):
    """The epoch's key, sealed to one member (see `epochs`)."""

    device_id: str
    sealed: bytes


class Roster(Struct, frozen=True, kw_only=True):
    """All members. A higher `serial` replaces a lower one. `epoch` grows with every revocation; `keys` holds its key.

    `revoked`, `left` (people who left, by id) and `revoked_grants` only grow: a node takes no roster that lacks
    what it knows.
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
    left: tuple[str, ...] = ()
    revoked_grants: tuple[str, ...] = ()  # by id
    routers: tuple[Router, ...] = ()

    def router(self, name: str) -> Router | None:
        """The router of that name, or None."""
        return next((r for r in self.routers if r.name == name), None)

    def member(self, device_id: str) -> Member | None:
        """The member of that id, or None."""
        return next((m for m in self.members if m.device_id == device_id), None)

    def person(self, person_id: str) -> HouseholdPerson | None:
        """Somebody of the household, or None."""
        return next((p for p in self.people if p.person_id == person_id), None)

    def party(self, device_id: str, now_s: float) -> Party | None:
        """That device as an end of a crossing; None when it is no member or its guest's stay is over.

        A phone is never a device that all share: one that belongs to nobody gets only what keeps the household
        together. Only in a household that is `alone`, with one phone and nobody listed ever, is it everybody's.
        """
        member = self.member(device_id)
        if member is None:
            return None
        person = self.person(member.person) if member.person else None
        if member.person and person is None:
            return None  # somebody who left the household
        if person is not None and person.until_s and now_s >= person.until_s:
            return None
        kind = str(person.kind) if person is not None else ""
        return Party(
            role=member.role,
            device_id=device_id,
            person=member.person,
            kind=kind,
            alone=self.alone(),
        )

    def alone(self) -> bool:
        """Has the household one phone at most, and nobody listed, ever? Then whose device is whose is not asked."""
        return not self.people and not self.left and len(self.by_role(Role.PHONE)) <= 1

    def gone(self) -> frozenset[str]:
        """People who left and did not come back: what is about them is erased on the others' devices."""
        return frozenset(self.left) - {p.person_id for p in self.people}

    def is_revoked(self, public_key: bytes) -> bool:
        """Was the device with this key (SPKI DER) put out?"""
        return any(r.public_key == public_key for r in self.revoked)

    def notice(self, public_key: bytes) -> bytes:
        """What tells a device that it was put out, and nothing else about the household; b"" when it was not."""
        found = next((r for r in self.revoked if r.public_key == public_key and r.proof), None)
        return b"" if found is None else codec.pack(_Notice(self.household_id, found))

    def by_role(self, role: str) -> tuple[Member, ...]:
        """All members with that role, in order of their ids."""
        return tuple(m for m in self.members if m.role == role)


class _Notice(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    household_id: str
    revoked: Revoked


class _SignedRoster(Struct, frozen=True, array_like=True):
    roster: bytes
    signature: bytes


class ForgetfulRosterError(WireError):
    """A newer roster lacks what this node knows: its sender, or the home behind it, has to hear ours."""


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


def roster_digest(data: bytes) -> bytes:
    """SHA-256 of what was signed: one roster, whatever its signature's bytes. WireError when it does not decode."""
    return hashlib.sha256(codec.unpack(data, _SignedRoster).roster).digest()


def prove_revoked(
    household_id: str, device_id: str, public_key: bytes, root_key: ec.EllipticCurvePrivateKey
) -> Revoked:
    """The record of a revocation, signed by the household's root."""
    plain = Revoked(device_id=device_id, public_key=public_key)
    words = _NOTICE + codec.pack(_Notice(household_id, plain))
    proof = root_key.sign(words, ec.ECDSA(hashes.SHA256()))
    return msgspec.structs.replace(plain, proof=proof)


def is_notice(data: bytes) -> bool:
    """Does it claim to be a notice of a revocation? Cheap; proves nothing."""
    try:
        codec.unpack(data, _Notice)
    except WireError:
        return False
    return True


def open_notice(
    data: bytes, household_id: str, root_public_key: ec.EllipticCurvePublicKey
) -> Revoked:
    """The revocation that a notice tells of; WireError unless that household's root signed it."""
    notice = codec.unpack(data, _Notice)
    plain = msgspec.structs.replace(notice.revoked, proof=b"")
    words = _NOTICE + codec.pack(_Notice(notice.household_id, plain))
    try:
        root_public_key.verify(notice.revoked.proof, words, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise WireError("A revocation is not signed by the household's root.") from None
    if notice.household_id != household_id:
        raise WireError("A revocation of another household.")
    return notice.revoked


def supersedes(newer: Roster, known: Roster) -> bool:
    """May `newer` take the place of `known`? Not when it has forgotten a revocation, a leaving or an epoch."""
    return newer.serial > known.serial and not forgets(newer, known)


def forgets(roster: Roster, known: Roster) -> bool:
    """Does it lack a revocation (also a grant's), a leaving or an epoch of `known`? So does one of a root from an older backup."""
    keys = {r.public_key for r in roster.revoked}
    return (
        roster.epoch < known.epoch
        or any(r.public_key not in keys for r in known.revoked)
        or not set(known.left) <= set(roster.left)
        or not set(known.revoked_grants) <= set(roster.revoked_grants)
    )


def merged(ours: Roster, theirs: Roster) -> Roster:
    """`ours` with what only `theirs` knows, where one root issued both on two branches.

    Whoever was put out on either branch stays out; where they differ about somebody's kind, the lesser counts.
    Serial, epoch and keys stay as in `ours`: the root turns them.
    """
    older, newer = sorted((ours, theirs), key=lambda r: r.serial)
    gone = ours.gone() | theirs.gone()
    revoked = {r.public_key: r for r in (*older.revoked, *newer.revoked)}
    members = {m.device_id: m for m in (*older.members, *newer.members)}
    routers = {r.name: r for r in (*older.routers, *newer.routers)}
    for member in members.values():
        if member.person in gone:  # admitted on one branch, its person gone on the other
            plain = Revoked(device_id=member.device_id, public_key=member.public_key)
            revoked.setdefault(member.public_key, plain)
    return msgspec.structs.replace(
        ours,
        name=newer.name,
        members=_in_order(m for m in members.values() if m.public_key not in revoked),
        people=_people(older, newer, gone),
        revoked=tuple(sorted(revoked.values(), key=lambda r: (r.device_id, r.public_key))),
        left=tuple(sorted({*ours.left, *theirs.left})),
        revoked_grants=tuple(sorted({*ours.revoked_grants, *theirs.revoked_grants})),
        routers=tuple(routers[n] for n in sorted(routers) if routers[n].public_key not in revoked),
    )


def _in_order(members: Iterable[Member]) -> tuple[Member, ...]:
    return tuple(sorted(members, key=lambda m: m.device_id))


def _people(older: Roster, newer: Roster, gone: frozenset[str]) -> tuple[HouseholdPerson, ...]:
    people: dict[str, HouseholdPerson] = {}
    for person in (*older.people, *newer.people):
        known = people.get(person.person_id, person)
        ends = [p.until_s for p in (known, person) if p.until_s]
        people[person.person_id] = HouseholdPerson(
            person_id=person.person_id,
            kind=min(known.kind, person.kind, key=_LEAST_FIRST.index),
            until_s=min(ends, default=0.0),
        )
    return tuple(people[p] for p in sorted(people) if p not in gone)
