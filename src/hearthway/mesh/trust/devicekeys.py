"""The files of a device's identity: its key, its certificate, the root it trusts, the signed roster."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from hearthway.records.errors import IdentityError, WireError

from .certificates import (
    PAIR,
    certificate_key,
    load_certificate,
    load_private,
    new_key,
    private_pem,
    spki,
)
from .keyfiles import private_dir, read_private, write_private
from .roster import (
    Roster,
    open_notice,
    open_roster,
)


def device_key(keys: Path) -> ec.EllipticCurvePrivateKey:
    """This device's key, made and kept on first use, so that pairing again keeps the identity.

    A key that was revoked is never trusted again: a device that knows makes itself a new one.
    """
    key = own_key(private_dir(keys))
    if not was_revoked(keys, spki(key.public_key())):
        return key
    fresh = new_key()
    # Without a certificate this reads as "not paired"; the next step makes it so before the key is gone.
    (keys / "device.pem").unlink(missing_ok=True)
    write_private(keys / "device.key", private_pem(fresh))
    (keys / "revoked.bin").unlink(missing_ok=True)
    return fresh


def was_revoked(keys: Path, public_key: bytes) -> bool:
    """Does a roster or notice kept here, signed by the root trusted here, say so?"""
    if not (keys / "ca.pem").exists():
        return False
    try:
        root = load_certificate((keys / "ca.pem").read_bytes(), "The household's root certificate")
        roster, _ = read_roster(keys, root)
        if roster.is_revoked(public_key):
            return True
        notice = read_private(keys / "revoked.bin", missing="", next_step="")
        revoked = open_notice(notice, roster.household_id, certificate_key(root, "The root"))
    except (IdentityError, WireError):
        return False
    return revoked.public_key == public_key


def keep_device(
    keys: Path,
    key: ec.EllipticCurvePrivateKey,
    certificate_pem: bytes,
    ca_pem: bytes,
    signed_roster: bytes,
) -> None:
    """Write what pairing gave; the certificate comes last, so that a crash reads as "not paired"."""
    write_private(keys / "device.key", private_pem(key))
    write_private(keys / "ca.pem", ca_pem)
    write_private(keys / "roster.bin", signed_roster)
    write_private(keys / "device.pem", certificate_pem)


def own_key(keys: Path) -> ec.EllipticCurvePrivateKey:
    path = keys / "device.key"
    if path.exists():
        return load_private(read_private(path, missing="", next_step=PAIR), "This device's key")
    key = new_key()
    write_private(path, private_pem(key))
    return key


def read_roster(keys: Path, root: x509.Certificate) -> tuple[Roster, bytes]:
    data = read_private(
        keys / "roster.bin",
        missing=f"The household's list of devices is missing from {keys}.",
        next_step=PAIR,
    )
    try:
        return open_roster(data, certificate_key(root, "The household's root")), data
    except WireError as why:
        raise IdentityError(
            f"The household's list of devices in {keys} is damaged: {why.message}", PAIR
        ) from None
