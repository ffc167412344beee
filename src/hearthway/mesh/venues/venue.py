"""A venue's word: typed or counted, signed by its own key, checked against the key the person followed.

A venue is no member of the household. Its statement comes over a link of its own, is worth nothing without the
followed key, and whatever is wrong with it makes the wait unknown, with the reason.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.signing import public_bytes, signed_by
from hearthway.records.codec import pack, unpack
from hearthway.records.errors import InputError, MeshError, WireError
from hearthway.records.receipts import Disclosure
from hearthway.records.venue import (
    Followed,
    SignedForecast,
    SignedWait,
    Told,
    Wait,
    WaitStatement,
)

from .forecast import verify_forecast
from .venue_link import check_address, fetch_wait

CODE_PREFIX = "hearthway-venue:"
SKEW_S = 120.0  # two tablets' clocks may differ by this much
VALID_S = 30 * 60.0  # how long a typed wait holds unless the operator says otherwise
MAX_WAIT_MIN = 24 * 60.0
MAX_VALID_S = 24 * 3600.0
_CHECK_BYTES = 3


class _Code(Struct, frozen=True, array_like=True):
    """What a code carries, as short as it can be."""

    version: int
    osm_id: str
    name: str
    address: str
    key: bytes


def sign_wait(key: Ed25519PrivateKey, statement: WaitStatement) -> SignedWait:
    """The statement signed by the venue's key; InputError when it says something impossible."""
    wrong = _absurd(statement)
    if wrong:
        raise InputError(f"This wait cannot be published: {wrong}.", "Type minutes from 0 to 1440.")
    data = pack(statement)
    return SignedWait(statement=data, key=public_bytes(key), signature=key.sign(data))


def verify(
    signed: SignedWait, followed: Followed, now_s: float, last_serial: int | None = None
) -> Wait:
    """The wait as it may be shown at `now_s`; minutes None and `why` when anything is wrong with it."""
    if signed.key != followed.key:
        return unknown(followed, "signed by another key than the one you follow")
    if not signed_by(followed.key, signed.signature, signed.statement):
        return unknown(followed, "the signature does not fit")
    try:
        statement = unpack(signed.statement, WaitStatement)
    except WireError:
        return unknown(followed, "the statement does not decode")
    if statement.osm_id != followed.osm_id:
        return unknown(followed, f"it speaks about {statement.osm_id}, another place")
    wrong = _absurd(statement)
    if wrong:
        return unknown(followed, wrong)
    if statement.issued_s > now_s + SKEW_S:
        return unknown(followed, "dated in the future")
    if now_s >= statement.valid_until_s:
        return unknown(followed, f"expired {_minutes(now_s - statement.valid_until_s)} ago")
    if last_serial is not None and statement.serial < last_serial:
        return unknown(followed, "an older statement was sent again")
    return Wait(
        osm_id=followed.osm_id,
        minutes=statement.wait_min,
        age_s=max(0.0, now_s - statement.issued_s),
        source="told by the place",
    )


def unknown(followed: Followed, why: str) -> Wait:
    """A wait that reads "unknown", and why."""
    return Wait(osm_id=followed.osm_id, why=why)


def ask(store: Store, followed: Followed, now_s: float, timeout_s: float) -> Told:
    """Fetch, verify and remember the serial; never raises for what the venue or its link does wrong.

    Blocks up to `timeout_s`. Check the owner's rules before, put `disclosure(followed)` into the receipt after.
    """
    try:
        data, more = fetch_wait(followed.address, followed.key, followed.osm_id, timeout_s)
        if not data:
            return Told(wait=unknown(followed, "the place says nothing right now"))
        signed = unpack(data, SignedWait)
        ahead = None if more is None else unpack(more, SignedForecast)
    except WireError:
        return Told(wait=unknown(followed, "the answer does not decode"))
    except (MeshError, InputError) as why:
        return Told(wait=unknown(followed, why.message.rstrip(".")))
    wait = verify(signed, followed, now_s, store.last_serial(followed.osm_id))
    if wait.minutes is None:
        return Told(wait=wait)
    statement = unpack(signed.statement, WaitStatement)
    forecast = None if ahead is None else verify_forecast(ahead, followed, statement)
    if isinstance(forecast, str):
        return Told(wait=unknown(followed, forecast))
    store.saw_serial(followed.osm_id, statement.serial)
    return Told(wait=wait, forecast=forecast)


def disclosure(followed: Followed) -> Disclosure:
    """What asking told the venue: everything it could learn, nothing more is sent, and all of it sealed."""
    host = followed.address.rpartition(":")[0]
    return Disclosure(
        peer=f"{followed.name} ({followed.osm_id}) at {followed.address}",
        learned=(
            "that some device in reach of its network asked for the wait at this time",
            f"the address that device has on the link to {host}",
        ),
    )


# --- the code a person follows ----------------------------------------------------------------


def encode_code(followed: Followed) -> str:
    """`hearthway-venue:...`, for a QR code or for typing; capitals and blanks do not matter when read."""
    check_address(followed.address)
    if len(followed.key) != 32:
        raise InputError("A venue's key has 32 bytes.", "Make the code on the venue's own node.")
    data = pack(_Code(1, followed.osm_id, followed.name, followed.address, followed.key))
    text = base64.b32encode(data + _check(data)).decode().rstrip("=").lower()
    return CODE_PREFIX + text


def parse_code(text: str) -> Followed:
    """The venue in a code; InputError on a typing mistake or an address that is not nearby."""
    mistake = InputError(
        "This is not a venue's code, or a character of it is wrong.",
        f"It starts with {CODE_PREFIX} and stands on the venue's screen: scan it or type it again.",
    )
    plain = "".join(text.split()).lower()
    if not plain.startswith(CODE_PREFIX) or len(plain) > 1000:
        raise mistake
    body = plain.removeprefix(CODE_PREFIX).replace("-", "").upper()
    try:
        data = base64.b32decode(body + "=" * (-len(body) % 8))
        payload, check = data[:-_CHECK_BYTES], data[-_CHECK_BYTES:]
        if check != _check(payload):
            raise mistake
        code = unpack(payload, _Code)
    except (binascii.Error, ValueError, WireError):
        raise mistake from None
    if code.version != 1:
        raise InputError(
            f"This venue's code has the form {code.version}; this Hearthway knows form 1.",
            "Update Hearthway.",
        )
    if len(code.key) != 32 or not code.osm_id or not code.name:
        raise mistake
    check_address(code.address)
    return Followed(osm_id=code.osm_id, name=code.name, address=code.address, key=code.key)


def _check(data: bytes) -> bytes:
    return hashlib.sha256(b"hearthway-venue-code-1\x00" + data).digest()[:_CHECK_BYTES]


def _absurd(statement: WaitStatement) -> str:
    """What is impossible about a statement; empty when it may be true."""
    if not 0.0 <= statement.wait_min <= MAX_WAIT_MIN:  # NaN is caught as well
        return f"a wait of {statement.wait_min:g} minutes is absurd"
    if not (math.isfinite(statement.issued_s) and math.isfinite(statement.valid_until_s)):
        return "its times are absurd"
    if not 0.0 < statement.valid_until_s - statement.issued_s <= MAX_VALID_S:
        return "it is valid for an absurd time"
    if statement.serial < 0:
        return "its serial is absurd"
    return ""


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
