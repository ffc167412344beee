"""Who a node is: the household's root (P-256), its devices' certificates, and the checks on both.

A certificate says CN = device id, OU = role, O = household id. Addresses stand in the SAN for other
programs' sake only: phones roam, so nodes never identify one another by address but by the root's
signature, the CN, and the roster.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hearthway.records.errors import IdentityError, WireError
from hearthway.records.household import HouseholdPerson

from .certificates import (
    ECDSA,
    PAIR,
    certificate_key,
    check_certificate,
    check_dates,
    host_of,
    key_usage,
    load_certificate,
    load_private,
    new_key,
    private_pem,
    request,
    request_key,
    spki,
    subject_name,
)
from .epochs import ROOT, new_epoch_key, unwrap, wrap
from .keyfiles import private_dir, read_private, write_private
from .roster import Member, Revoked, Roster, check_device, open_roster, sign_roster

DEVICE_DAYS = 30
ROOT_DAYS = 3650
RENEW_WITHIN_S = 10 * 86_400.0
CLOCK_SKEW_S = 3600.0  # devices' clocks differ; a certificate is good an hour before it was made


class HouseholdRoot:
    """The household's key: admits devices and signs the roster. Lives on the home, and nowhere else."""

    def __init__(
        self,
        keys: Path,
        key: ec.EllipticCurvePrivateKey,
        certificate: x509.Certificate,
        roster: Roster,
        epoch_key: bytes,
    ) -> None:
        self._keys = keys
        self._key = key
        self._certificate = certificate
        self._roster = roster
        self._epoch_key = epoch_key

    @classmethod
    def load(cls, keys: Path, now_s: float) -> HouseholdRoot:
        """The root kept in `keys`; IdentityError when it is missing, open to others, or does not fit together."""
        step = "This is the home's job: run this there, or restore the home from its backup."
        key = load_private(
            read_private(
                keys / "root.key",
                missing=f"There is no household root in {keys}.",
                next_step=step,
            ),
            "The household root",
        )
        certificate = load_certificate(
            read_private(
                keys / "root.pem",
                missing=f"The root's certificate is missing from {keys}.",
                next_step=step,
                secret=False,
            ),
            "The root's certificate",
        )
        check_dates(certificate, now_s, "The household's root certificate")
        if spki(certificate_key(certificate, "The root")) != spki(key.public_key()):
            raise IdentityError(f"The root's key and certificate in {keys} do not match.", step)
        roster = _read_roster(keys, certificate)
        root = cls(keys, key, certificate, roster, unwrap(roster, ROOT, key))
        if not roster.keys:
            root._keep(roster.members, revoked=roster.revoked)  # founded before there were epochs
        return root

    @property
    def certificate_pem(self) -> bytes:
        """The root's certificate: what devices trust."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def certificate_der(self) -> bytes:
        """The same, DER: hashed into pairing."""
        return self._certificate.public_bytes(serialization.Encoding.DER)

    @property
    def household_id(self) -> str:
        """Random, stays for the household's life."""
        return self._roster.household_id

    @property
    def roster(self) -> Roster:
        """Who belongs to the household now."""
        return self._roster

    @property
    def signed_roster(self) -> bytes:
        """The roster as members get it."""
        return sign_roster(self._roster, self._key)

    def sign(
        self, csr_pem: bytes, device_id: str, role: str, now_s: float, addresses: Sequence[str] = ()
    ) -> bytes:
        """A device certificate (PEM, 30 days) for the request's key; its own subject is ignored."""
        check_device(device_id, role)
        key = request_key(csr_pem)
        start = datetime.fromtimestamp(now_s - CLOCK_SKEW_S, UTC)
        names: list[x509.GeneralName] = [x509.DNSName(device_id), x509.DNSName("localhost")]
        for text in sorted({"127.0.0.1", "::1", *(host_of(a) for a in addresses if a)}):
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(text)))
            except ValueError:
                if text and text.isascii():
                    names.append(x509.DNSName(text))
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject_name(device_id, role, self.household_id))
            .issuer_name(self._certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(datetime.fromtimestamp(now_s, UTC) + timedelta(days=DEVICE_DAYS))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage(root=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
                ),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)

    def admit(
        self,
        csr_pem: bytes,
        device_id: str,
        role: str,
        now_s: float,
        address: str,
        *,
        person: HouseholdPerson | None = None,
    ) -> tuple[bytes, Member]:
        """Sign the request and put the device (and whose it is) on the roster; a taken id needs the same key.

        IdentityError for a revoked key: a device that was put out comes back with a new one.
        """
        public_key = spki(request_key(csr_pem))
        if any(r.public_key == public_key for r in self._roster.revoked):
            raise IdentityError(
                f"{device_id} was revoked: its key is not trusted any more.",
                "If you have it back and trust it, delete its keys directory and pair it anew.",
            )
        known = self._roster.member(device_id)
        if known is not None and known.public_key != public_key:
            raise IdentityError(
                f'Another device of this household is called "{device_id}".',
                "Choose another id with --name.",
            )
        pem = self.sign(csr_pem, device_id, role, now_s, (address,))
        member = Member(
            device_id=device_id,
            role=role,
            address=address,
            public_key=public_key,
            person=person.person_id if person else "",
        )
        others = [m for m in self._roster.members if m.device_id != device_id]
        people = [p for p in self._roster.people if not person or p.person_id != person.person_id]
        self._keep([*others, member], people=[*people, *([person] if person else [])])
        return pem, member

    def revoke(self, device_id: str) -> Roster:
        """Take a device off the roster and turn the epoch: whoever has the new roster seals nothing to it."""
        gone = self._roster.member(device_id)
        if gone is None:
            raise IdentityError(
                f'No device of this household is called "{device_id}".',
                "`hearthway status` lists them.",
            )
        put_out = Revoked(device_id=device_id, public_key=gone.public_key)
        self._keep(
            [m for m in self._roster.members if m.device_id != device_id],
            revoked=[*self._roster.revoked, put_out],
        )
        return self._roster

    def enrol(self, device_id: str, role: str, now_s: float, address: str) -> None:
        """Make the home itself a device of its household, its keys beside the root's."""
        key = _own_key(self._keys)
        pem, _ = self.admit(request(key, device_id), device_id, role, now_s, address)
        keep_device(self._keys, key, pem, self.certificate_pem, self.signed_roster)

    def _keep(
        self,
        members: Sequence[Member],
        *,
        people: Sequence[HouseholdPerson] | None = None,
        revoked: Sequence[Revoked] | None = None,
    ) -> None:
        """The next roster on disk; the epoch turns when somebody was put out."""
        epoch, key = self._roster.epoch, self._epoch_key
        if revoked is not None:
            epoch, key = epoch + 1, new_epoch_key()
        roster = msgspec.structs.replace(
            self._roster,
            serial=self._roster.serial + 1,
            members=tuple(sorted(members, key=lambda m: m.device_id)),
            people=self._roster.people
            if people is None
            else tuple(sorted(people, key=lambda p: p.person_id)),
            revoked=self._roster.revoked if revoked is None else tuple(revoked),
            epoch=epoch,
            keys=wrap(key, self.household_id, epoch, spki(self._key.public_key()), members),
        )
        write_private(self._keys / "roster.bin", sign_roster(roster, self._key))
        self._roster, self._epoch_key = roster, key


def create_household(keys: Path, household_name: str, now_s: float) -> HouseholdRoot:
    """A new household whose root is kept in `keys`; IdentityError where one is already."""
    if (keys / "root.key").exists():
        raise IdentityError(
            f"There is a household root in {keys} already.",
            "Use it, or choose another data directory for a second household.",
        )
    private_dir(keys)
    key = new_key()
    household_id = token_hex(8)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "Hearthway household root"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, household_id),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.fromtimestamp(now_s - CLOCK_SKEW_S, UTC))
        .not_valid_after(datetime.fromtimestamp(now_s, UTC) + timedelta(days=ROOT_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(root=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    epoch_key = new_epoch_key()
    roster = Roster(
        household_id=household_id,
        name=household_name,
        serial=1,
        members=(),
        epoch=1,
        keys=wrap(epoch_key, household_id, 1, spki(key.public_key()), ()),
    )
    # The key comes last: a crash before it leaves a directory that can simply be used again.
    write_private(keys / "root.pem", certificate.public_bytes(serialization.Encoding.PEM))
    write_private(keys / "roster.bin", sign_roster(roster, key))
    write_private(keys / "root.key", private_pem(key))
    return HouseholdRoot(keys, key, certificate, roster, epoch_key)


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
        roster = _read_roster(keys, root)
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

        IdentityError, after keeping it, when this device is not on it any more.
        """
        roster = open_roster(signed, certificate_key(self.root, "The household's root"))
        if roster.household_id != self.household_id:
            raise WireError("The list of devices is of another household.", PAIR)
        if roster.serial <= self.roster.serial:
            return self
        write_private(self.keys / "roster.bin", signed)
        return replace(self, roster=roster, epoch_key=unwrap(roster, self.device_id, self.key))

    def signed_roster(self) -> bytes:
        """The roster as the root signed it."""
        return read_private(
            self.keys / "roster.bin", missing="The list of devices is missing.", next_step=PAIR
        )


def device_key(keys: Path) -> ec.EllipticCurvePrivateKey:
    """This device's key, made and kept on first use, so that pairing again keeps the identity."""
    return _own_key(private_dir(keys))


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


def _own_key(keys: Path) -> ec.EllipticCurvePrivateKey:
    path = keys / "device.key"
    if path.exists():
        return load_private(read_private(path, missing="", next_step=PAIR), "This device's key")
    key = new_key()
    write_private(path, private_pem(key))
    return key


def _read_roster(keys: Path, root: x509.Certificate) -> Roster:
    data = read_private(
        keys / "roster.bin",
        missing=f"The household's list of devices is missing from {keys}.",
        next_step=PAIR,
    )
    try:
        return open_roster(data, certificate_key(root, "The household's root"))
    except WireError as why:
        raise IdentityError(
            f"The household's list of devices in {keys} is damaged: {why.message}", PAIR
        ) from None
