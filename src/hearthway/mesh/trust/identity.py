"""Who a node is: a device's certificate, key and roster, and the checks on them. The root is in `root.py`.

A certificate says CN = device id, OU = role, O = household id. Addresses stand in the SAN for other
programs' sake only: phones roam, so nodes never identify one another by address but by the root's
signature, the CN, and the roster.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hearthway.records.errors import IdentityError, WireError

from .certificates import (
    COME_BACK,
    ECDSA,
    PAIR,
    certificate_key,
    check_certificate,
    check_dates,
    load_certificate,
    load_private,
    request,
    spki,
)
from .devicekeys import device_key as device_key
from .devicekeys import keep_device as keep_device
from .devicekeys import read_roster, was_revoked
from .epochs import unwrap
from .keyfiles import read_private, write_private
from .root import HouseholdRoot as HouseholdRoot
from .root import create_household as create_household
from .roster import (
    ForgetfulRosterError,
    Roster,
    is_notice,
    open_notice,
    open_roster,
    supersedes,
)

RENEW_WITHIN_S = 10 * 86_400.0


@dataclass(frozen=True)
class DeviceIdentity:
    """This node's place in the household: certificate, key, the one root it trusts, and the roster."""

    device_id: str
    role: str
    household_id: str
    keys: Path
    certificate: x509.Certificate
    root: x509.Certificate
    roster: Roster
    key: ec.EllipticCurvePrivateKey
    epoch_key: bytes  # of the roster's epoch

    @classmethod
    def load(cls, keys: Path, now_s: float) -> DeviceIdentity:
        """The identity in `keys`; IdentityError when missing, expired, foreign, or open to other users."""
        missing = f"This device belongs to no household yet: {keys} holds no keys."
        key = load_private(
            read_private(keys / "device.key", missing=missing, next_step=PAIR), "This device's key"
        )
        root = load_certificate(
            read_private(keys / "ca.pem", missing=missing, next_step=PAIR, secret=False),
            "The household's root certificate",
        )
        certificate = load_certificate(
            read_private(keys / "device.pem", missing=missing, next_step=PAIR, secret=False),
            "This device's certificate",
        )
        check_dates(root, now_s, "The household's root certificate")
        subject = check_certificate(certificate, root, now_s, "This device's certificate")
        if spki(certificate_key(certificate, "The certificate")) != spki(key.public_key()):
            raise IdentityError("This device's key and certificate do not match.", PAIR)
        if was_revoked(keys, spki(key.public_key())):
            raise IdentityError(f"{subject.device_id} was taken out of the household.", COME_BACK)
        roster, _ = read_roster(keys, root)
        return cls(
            subject.device_id,
            subject.role,
            subject.household_id,
            keys,
            certificate,
            root,
            roster,
            key,
            unwrap(roster, subject.device_id, key),
        )

    @property
    def epoch(self) -> int:
        """Which of the household's keys this node knows: grows with every revocation."""
        return self.roster.epoch

    @property
    def certificate_path(self) -> Path:
        """PEM of this device."""
        return self.keys / "device.pem"

    @property
    def key_path(self) -> Path:
        """PKCS#8 PEM, mode 0600."""
        return self.keys / "device.key"

    @property
    def ca_path(self) -> Path:
        """PEM of the one root this node trusts."""
        return self.keys / "ca.pem"

    @property
    def certificate_der(self) -> bytes:
        """What peers check this node by."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def address(self) -> str:
        """Where the roster says this node listens ("host:port"), or empty."""
        member = self.roster.member(self.device_id)
        return member.address if member else ""

    def renew_due(self, now_s: float) -> bool:
        """Is the certificate in its last ten days?"""
        return self.certificate.not_valid_after_utc.timestamp() - now_s < RENEW_WITHIN_S

    def sign(self, data: bytes) -> bytes:
        """ECDSA P-256 over SHA-256, DER."""
        return self.key.sign(data, ECDSA)

    def with_roster(self, signed: bytes) -> DeviceIdentity:
        """The same with a newer roster, kept on disk; WireError unless the root signed it; self when not newer.

        IdentityError, after keeping it, when this device is not on it any more. WireError for a newer one that
        lacks what this node knows (a revocation): the root was restored from an older backup, and has to hear
        ours first. On the home, which has the root, both become one (`HouseholdRoot.adopt`).
        A notice in its place (`check_notice`) is what a device that was put out is told.
        """
        if is_notice(signed):
            self.check_notice(signed)
            return self
        roster = open_roster(signed, certificate_key(self.root, "The household's root"))
        if roster.household_id != self.household_id:
            raise WireError("The list of devices is of another household.", PAIR)
        if (self.keys / "root.key").exists():
            root = HouseholdRoot.open(self.keys)
            current = root.adopt(signed)
        elif supersedes(roster, self.roster):
            write_private(self.keys / "roster.bin", signed)
            current = roster
        elif roster.serial > self.roster.serial:
            raise ForgetfulRosterError(
                "A newer list of devices lacks a revocation that this device knows of.",
                "Was the home restored from a backup? It takes the revocation in once they meet.",
            )
        else:
            return self
        if current == self.roster:
            return self
        return replace(self, roster=current, epoch_key=unwrap(current, self.device_id, self.key))

    def with_certificate(self, pem: bytes, now_s: float) -> DeviceIdentity:
        """The same with a renewed certificate, kept on disk; IdentityError unless it is this device's own."""
        what = "The renewed certificate"
        certificate = load_certificate(pem, what)
        subject = check_certificate(certificate, self.root, now_s, what)
        if (subject.device_id, subject.role) != (self.device_id, self.role) or spki(
            certificate_key(certificate, what)
        ) != spki(self.key.public_key()):
            raise IdentityError("The home gave a certificate that is not ours.", PAIR)
        if certificate.not_valid_after_utc <= self.certificate.not_valid_after_utc:
            return self
        write_private(self.keys / "device.pem", pem)
        return replace(self, certificate=certificate)

    def request(self) -> bytes:
        """A signing request (PEM) for this device's own key: what a renewal needs."""
        return request(self.key, self.device_id)

    def check_notice(self, notice: bytes) -> None:
        """IdentityError when the notice says that this device was put out; it is kept, so that a restart says so too.

        WireError when the household's root did not sign it.
        """
        revoked = open_notice(
            notice, self.household_id, certificate_key(self.root, "The household's root")
        )
        if revoked.public_key == spki(self.key.public_key()):
            write_private(self.keys / "revoked.bin", notice)
            raise IdentityError(f"{self.device_id} was taken out of the household.", COME_BACK)

    def signed_roster(self) -> bytes:
        """The roster as the root signed it."""
        return read_private(
            self.keys / "roster.bin", missing="The list of devices is missing.", next_step=PAIR
        )
