"""What a household is made of: roles, devices, people, and the owner's rules about what crosses between them."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Role(StrEnum):
    """What a node does in a household. A venue is never a member: it only has the role of its own process."""

    PHONE = "phone"
    CAR = "car"
    HOME = "home"
    VENUE = "venue"


class PersonKind(StrEnum):
    """What somebody is in the household. Guests stay for a time, and get only what is granted to them."""

    ADULT = "adult"
    CHILD = "child"
    GUEST = "guest"


class HouseholdPerson(Struct, frozen=True, kw_only=True):
    """Somebody of the household, by the random id that stays; `until_s` ends a guest's stay (0: no end)."""

    person_id: str
    kind: PersonKind
    until_s: float = 0.0


class Party(Struct, frozen=True, kw_only=True):
    """One end of a crossing: a device, its role, and the person it belongs to ("" for one that all share).

    A phone is never shared. `alone`: the household has one phone at most and never listed anybody, so that
    everything in it belongs to one and the same (see `Roster.alone`).
    """

    role: str
    device_id: str = ""
    person: str = ""
    kind: str = ""  # of that person; "" for a shared device
    alone: bool = False


class Device(Struct, frozen=True, kw_only=True):
    """A member of the household: CN of its certificate, role, and the P-256 public key (SPKI DER)."""

    device_id: str
    role: Role
    public_key: bytes = b""


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The owner lets `keys` (globs over dotted keys) go from one role to others for one purpose.

    `whose`: the people whose devices may get it beside shared ones: "own" (the person it is about), "adults",
    "family" (adults and children) or "everyone" (guests too). `precision`: "exact", "500m" or "city".
    `by`: whose devices may say it, in the same words; "" where the owner did not say (see `policy.rules.said_by`).
    """

    id: str
    keys: tuple[str, ...]
    sender: str  # role
    receivers: tuple[str, ...]  # roles
    purpose: str
    whose: str = "own"
    precision: str = "exact"
    by: str = ""


class CollectRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nodes of the roles `at` may sense or store signals of these keys. What no such rule names is dropped there."""

    id: str
    keys: tuple[str, ...]
    at: tuple[str, ...]


class TrainRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signals of these keys and records of these kinds may enter a model. What no such rule names never does."""

    id: str
    keys: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


class KeepRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signals of these keys and records of these kinds are deleted after so many days. Of several the shortest holds."""

    id: str
    days: int
    keys: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


class Decision(Struct, frozen=True, kw_only=True):
    """A crossing may happen: by which rule (or grant), and how precisely."""

    rule: str
    precision: str = "exact"


class Consent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`giver` lets `receiver` have these keys about the giver for one purpose, until then (Unix seconds; 0: revoked only).

    It counts once the receiver has accepted it: nobody is made to hold another's data.
    """

    giver: str  # person ids
    receiver: str
    keys: tuple[str, ...]
    purpose: str
    until_s: float = 0.0


class ConsentWord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one device of a person said about a consent: "give", "accept" or "revoke".

    `consent` is the packed Consent; ECDSA P-256 by the device's key over the packed rest (see `mesh.consent`).
    """

    consent_id: str
    word: str
    consent: bytes  # empty where it is revoked
    device_id: str
    time_s: float
    signature: bytes


class Peer(Struct, frozen=True, kw_only=True):
    """Liveness of another node, as seen from here. `via` names the node that relays to it, if one does."""

    device_id: str
    role: str
    alive: bool
    since_s: float
    detail: str = ""
    via: str = ""
