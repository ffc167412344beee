"""Ed25519 keys for statements: a node's receipts, the witness's countersignatures, a venue's waits."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hearthway.records.errors import IdentityError

from .keyfiles import read_private, write_private


def signing_key(path: Path) -> Ed25519PrivateKey:
    """The key in `path` (32 raw bytes, 0600), made where there is none; IdentityError when it is not usable."""
    if not path.exists():
        write_private(path, Ed25519PrivateKey.generate().private_bytes_raw())
    data = read_private(path, missing=f"{path} is missing.", next_step="Pair this device again.")
    try:
        return Ed25519PrivateKey.from_private_bytes(data)
    except ValueError:
        raise IdentityError(
            f"{path} holds no signing key.",
            "Bring it back from a backup; a new key would have to be enrolled again.",
        ) from None


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """The raw 32 bytes of the public key."""
    return key.public_key().public_bytes_raw()


def signed_by(key: bytes, signature: bytes, data: bytes) -> bool:
    """Did the holder of `key` sign `data`? Malformed keys and signatures are a plain no."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True
