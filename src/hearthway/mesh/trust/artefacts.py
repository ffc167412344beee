"""Signatures over students: a file is loaded when the household's root, or a publisher whom the owner named, stands by it.

A publisher is nobody before its key was put into a node's settings: there is no trust on first use.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hearthway.records import codec
from hearthway.records.artefact import (
    NAME_MAX,
    SIGNATURE_MAX_BYTES,
    TASK_MAX,
    ArtefactStatement,
    SignedArtefact,
)
from hearthway.records.errors import IdentityError, WireError

from .certificates import ECDSA, certificate_key
from .identity import DeviceIdentity
from .root import HouseholdRoot
from .signing import public_bytes, signed_by

_CONTEXT = b"hearthway artefact 1\0"
_TASK = re.compile(r"[a-z][a-z0-9_.]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ASK_FOR_ANOTHER = "Nothing of it is used. Distil it again, or fetch it from who made it."


@dataclass(frozen=True)
class Trusted:
    """Whose word counts here: the household's root, and publishers by their raw Ed25519 keys."""

    household_id: str = ""
    root: ec.EllipticCurvePublicKey | None = None
    publishers: frozenset[bytes] = frozenset()

    @classmethod
    def of(cls, identity: DeviceIdentity, publishers: frozenset[bytes] = frozenset()) -> Trusted:
        """What a node of a household trusts."""
        root = certificate_key(identity.root, "The household's root")
        return cls(identity.household_id, root, publishers)


def stated(*, task: str, data: bytes, name: str, serial: int) -> ArtefactStatement:
    """The statement about a file's bytes, before anybody signs it."""
    return ArtefactStatement(
        task=task,
        identity=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        name=name,
        serial=serial,
    )


def sign_for_household(statement: ArtefactStatement, root: HouseholdRoot) -> bytes:
    """The packed `SignedArtefact` of the household's root."""
    body = codec.pack(msgspec.structs.replace(statement, household_id=root.household_id))
    signature = root.sign_statement(_CONTEXT, body)
    return codec.pack(SignedArtefact(statement=body, signature=signature))


def sign_as_publisher(statement: ArtefactStatement, key: Ed25519PrivateKey) -> bytes:
    """The packed `SignedArtefact` of a publisher."""
    body = codec.pack(statement)
    return codec.pack(
        SignedArtefact(statement=body, signature=key.sign(_CONTEXT + body), key=public_bytes(key))
    )


def open_statement(signed: bytes, trusted: Trusted) -> ArtefactStatement:
    """What was signed; IdentityError unless somebody trusted here signed it, WireError where it is nothing of the kind."""
    if len(signed) > SIGNATURE_MAX_BYTES:
        raise WireError("The signature of a student is too long to be one.", _ASK_FOR_ANOTHER)
    record = codec.unpack(signed, SignedArtefact)
    if not _signs(record, trusted):
        raise IdentityError(
            "The student is not signed by this household, nor by a publisher named in its settings.",
            _ASK_FOR_ANOTHER,
        )
    statement = codec.unpack(record.statement, ArtefactStatement)
    if bool(record.key) == bool(statement.household_id) or (
        statement.household_id and statement.household_id != trusted.household_id
    ):
        raise IdentityError("The student was signed for another household.", _ASK_FOR_ANOTHER)
    if not _plausible(statement):
        raise WireError("What was signed about a student makes no sense.", _ASK_FOR_ANOTHER)
    return statement


def check_artefact(data: bytes, signed: bytes, trusted: Trusted) -> ArtefactStatement:
    """The statement about exactly these bytes; IdentityError where they are not those that were signed."""
    statement = open_statement(signed, trusted)
    if (len(data), hashlib.sha256(data).hexdigest()) != (statement.size_bytes, statement.identity):
        raise IdentityError(
            f"The file is not the student that was signed as {statement.name!r}: its content differs.",
            _ASK_FOR_ANOTHER,
        )
    return statement


def _signs(record: SignedArtefact, trusted: Trusted) -> bool:
    data = _CONTEXT + record.statement
    if record.key:
        return record.key in trusted.publishers and signed_by(record.key, record.signature, data)
    if trusted.root is None:
        return False
    try:
        trusted.root.verify(record.signature, data, ECDSA)
    except InvalidSignature:
        return False
    return True


def _plausible(statement: ArtefactStatement) -> bool:
    return (
        len(statement.task) <= TASK_MAX
        and _TASK.fullmatch(statement.task) is not None
        and _SHA256.fullmatch(statement.identity) is not None
        and len(statement.name) <= NAME_MAX
        and statement.size_bytes > 0
        and statement.serial >= 0
    )
