"""Keys, requests and certificates of a household: made, read, and checked. All P-256, all X.509 v3."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hearthway.records.errors import IdentityError

from .roster import check_device

ECDSA = ec.ECDSA(hashes.SHA256())
PAIR = "Run `hearthway pair` on this device, with a code shown by the home."
AGAIN = (
    "Run `hearthway pair` on the home, and `hearthway pair ADDRESS CODE` here."
    " This device keeps its id, its data and its receipts."
)
COME_BACK = "What is on this device stays. To come back: `hearthway pair` on the home, `hearthway pair ADDRESS CODE` here."


@dataclass(frozen=True)
class Subject:
    """What a household certificate says about its holder."""

    device_id: str
    role: str
    household_id: str


def new_key() -> ec.EllipticCurvePrivateKey:
    """A fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS#8 PEM, unencrypted: the file's mode guards it."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def spki(key: ec.EllipticCurvePublicKey) -> bytes:
    """SubjectPublicKeyInfo, DER."""
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def load_private(pem: bytes, what: str) -> ec.EllipticCurvePrivateKey:
    """A P-256 private key from PEM; IdentityError when it is something else."""
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise IdentityError(f"{what} is not a readable private key.", PAIR) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise IdentityError(f"{what} is not a P-256 key.", PAIR)
    return key


def load_certificate(data: bytes, what: str) -> x509.Certificate:
    """A certificate from PEM or DER; IdentityError when it is neither."""
    try:
        if data.startswith(b"-----"):
            return x509.load_pem_x509_certificate(data)
        return x509.load_der_x509_certificate(data)
    except (ValueError, TypeError, x509.InvalidVersion):
        raise IdentityError(f"{what} is not a readable certificate.", PAIR) from None


def certificate_key(certificate: x509.Certificate, what: str) -> ec.EllipticCurvePublicKey:
    """The certificate's P-256 public key; IdentityError for any other kind."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise IdentityError(f"{what} does not hold a P-256 key.", PAIR)
    return key


def subject_of(certificate: x509.Certificate) -> Subject:
    """CN, OU and O; IdentityError unless each stands there exactly once."""

    def one(oid: x509.ObjectIdentifier) -> str:
        found = certificate.subject.get_attributes_for_oid(oid)
        if len(found) != 1:
            raise IdentityError("A certificate does not name one device, role and household.", PAIR)
        return str(found[0].value)

    return Subject(
        one(NameOID.COMMON_NAME),
        one(NameOID.ORGANIZATIONAL_UNIT_NAME),
        one(NameOID.ORGANIZATION_NAME),
    )


def check_certificate(
    certificate: x509.Certificate, root: x509.Certificate, now_s: float, what: str
) -> Subject:
    """The subject, once the root's signature, household, dates and use hold; else IdentityError."""
    try:
        certificate.verify_directly_issued_by(root)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        raise IdentityError(f"{what} was not issued by this household's root.", PAIR) from None
    subject = subject_of(certificate)
    household = root.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    if [str(a.value) for a in household] != [subject.household_id]:
        raise IdentityError(f"{what} belongs to another household.", PAIR)
    check_device(subject.device_id, subject.role)
    check_dates(certificate, now_s, what)
    try:
        if certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise IdentityError(f"{what} is a root's, not a device's.", PAIR)
    except x509.ExtensionNotFound:
        raise IdentityError(f"{what} does not say what it may be used for.", PAIR) from None
    return subject


def check_dates(certificate: x509.Certificate, now_s: float, what: str) -> None:
    """IdentityError when expired or not yet valid."""
    starts_s = certificate.not_valid_before_utc.timestamp()
    ends_s = certificate.not_valid_after_utc.timestamp()
    if now_s > ends_s:
        raise IdentityError(f"{what} expired on {_day(ends_s)}.", AGAIN)
    if now_s < starts_s:
        raise IdentityError(
            f"{what} is valid only from {_day(starts_s)}, and this device's clock says {_day(now_s)}.",
            "Set the clock of this device.",
        )


def _day(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M UTC")


def verify(public_key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> bool:
    """Is this the holder's signature over `data`?"""
    try:
        public_key.verify(signature, data, ECDSA)
    except InvalidSignature:
        return False
    return True


def request(key: ec.EllipticCurvePrivateKey, device_id: str) -> bytes:
    """A certificate signing request (PEM): proof of the key, nothing more."""
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device_id)]))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


def request_key(csr_pem: bytes) -> ec.EllipticCurvePublicKey:
    """The P-256 key that a signing request proves; IdentityError when it does not."""
    step = "Pair again with the same version of Hearthway on both devices."
    try:
        csr = x509.load_pem_x509_csr(csr_pem)
        key, signed = csr.public_key(), csr.is_signature_valid
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.InvalidVersion):
        raise IdentityError("The certificate request does not decode.", step) from None
    if not signed:
        raise IdentityError("The certificate request is not signed by its own key.", step)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise IdentityError("The certificate request is not for a P-256 key.", step)
    return key


def host_of(address: str) -> str:
    """The host of "host:port", or the address itself."""
    host, _, port = address.rpartition(":")
    return (host if host and port.isdigit() else address).strip("[]")


def subject_name(device_id: str, role: str, household_id: str) -> x509.Name:
    """CN, OU and O of a device."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, device_id),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, household_id),
        ]
    )


def key_usage(*, root: bool) -> x509.KeyUsage:
    """A root signs certificates, a device signs messages."""
    return x509.KeyUsage(
        digital_signature=not root,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=root,
        crl_sign=root,
        encipher_only=False,
        decipher_only=False,
    )
