"""The household's key, one an epoch: every payload's seal needs it, and each revocation turns the epoch.

The root draws 32 random bytes an epoch and seals them to each member's key, and to its own (ECIES: an ephemeral
P-256 key, ECDH with the certificate's key, HKDF-SHA256, ChaCha20-Poly1305). The sealed copies stand in the
signed roster, so whoever has the roster has the key if it is a member, and only then.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hearthway.records.errors import IdentityError

from .certificates import COME_BACK, PAIR
from .roster import Member, Roster, WrappedKey

KEY_BYTES = 32
_POINT_BYTES = 65  # uncompressed P-256
_NONCE = bytes(12)  # each derived key seals exactly one message
ROOT = ""  # the root's own copy; no device has this id
_INFO = b"hearthway epoch 1\0"


def new_epoch_key() -> bytes:
    """32 random bytes."""
    return secrets.token_bytes(KEY_BYTES)


def wrap(
    key: bytes, household_id: str, epoch: int, root: bytes, members: Iterable[Member]
) -> tuple[WrappedKey, ...]:
    """The epoch's key sealed to the root (its SPKI) and each member; IdentityError for an unusable public key."""
    holders = [(ROOT, root), *sorted((m.device_id, m.public_key) for m in members)]
    return tuple(
        WrappedKey(device_id=holder, sealed=_seal(key, _info(household_id, epoch, holder), public))
        for holder, public in holders
    )


def unwrap(roster: Roster, device_id: str, private: ec.EllipticCurvePrivateKey) -> bytes:
    """The key of the roster's epoch; IdentityError when it holds none for this device, or not for this key."""
    if not roster.keys and not roster.epoch:
        return bytes(KEY_BYTES)  # a household founded before there were epochs: its root mends that
    wrapped = next((k for k in roster.keys if k.device_id == device_id), None)
    if wrapped is None:
        raise IdentityError(f"{device_id} was taken out of the household.", COME_BACK)
    point, sealed = wrapped.sealed[:_POINT_BYTES], wrapped.sealed[_POINT_BYTES:]
    try:
        ephemeral = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        shared = private.exchange(ec.ECDH(), ephemeral)
        info = _info(roster.household_id, roster.epoch, device_id)
        key = ChaCha20Poly1305(_derive(shared, point, info)).decrypt(_NONCE, sealed, info)
    except (ValueError, InvalidTag):
        raise IdentityError(
            "The household's key was sealed to another key than this device's.", PAIR
        ) from None
    if len(key) != KEY_BYTES:
        raise IdentityError("The household's key has a wrong length.", PAIR)
    return key


def _seal(key: bytes, info: bytes, spki: bytes) -> bytes:
    try:
        public = serialization.load_der_public_key(spki)
    except ValueError:
        public = None
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
        raise IdentityError("A member's key is not a P-256 key.", PAIR)
    ephemeral = ec.generate_private_key(ec.SECP256R1())
    point = ephemeral.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    shared = ephemeral.exchange(ec.ECDH(), public)
    return point + ChaCha20Poly1305(_derive(shared, point, info)).encrypt(_NONCE, key, info)


def _info(household_id: str, epoch: int, device_id: str) -> bytes:
    return _INFO + b"\0".join((household_id.encode(), str(epoch).encode(), device_id.encode()))


def _derive(shared: bytes, point: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), KEY_BYTES, point, info).derive(shared)
