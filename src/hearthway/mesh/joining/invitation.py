"""What the home shows and a device takes: six digits for people to type, or a text for a QR code.

    hearthway:pair?v=2&a=192.168.4.10:7448&s=...&r=...

`a` may stand several times: tried in turn. `s` is 128 random bits instead of six digits, and `r` the hash of
the household's root, so a device that took the QR notices a machine in the middle at its first frame.
"""

from __future__ import annotations

import base64
import random
import secrets
from urllib.parse import parse_qsl, urlencode

from msgspec import Struct

from hearthway.records.errors import PairingError

CODE_DIGITS = 6
SECRET_BYTES = 16
SCHEME = "hearthway:"
_PREFIX = "hearthway:pair?"
_VERSION = "2"
_HASH_BYTES = 32
_TEXT_MAX = 2000
_ADDRESSES_MAX = 8
_AGAIN = "Show a new one with `hearthway pair` on the home, and take the whole text."


class Invitation(Struct, frozen=True, kw_only=True):
    """Where the home pairs ("host:port", tried in turn) and the secret that lets one device in.

    `root_hash` (SHA-256 of the root certificate) is empty where only digits were typed.
    """

    addresses: tuple[str, ...]
    secret: bytes
    root_hash: bytes = b""

    @property
    def which(self) -> int:
        """0: the digits; 1: the long secret of a QR code."""
        return 1 if self.root_hash else 0


def new_code(rng: random.Random | None = None) -> str:
    """Six digits, each code equally likely; a seeded `rng` is for tests only."""
    source = rng if rng is not None else secrets.SystemRandom()
    return f"{source.randrange(10**CODE_DIGITS):0{CODE_DIGITS}d}"


def is_code(text: str) -> bool:
    """Six ASCII digits?"""
    return len(text) == CODE_DIGITS and text.isascii() and text.isdigit()


def typed(address: str, code: str) -> Invitation:
    """From what a person typed: one address or several with commas, and the code with or without spaces."""
    code = code.replace(" ", "").replace("-", "")
    if not is_code(code):
        raise PairingError("A pairing code has six digits.", "Type the code that the home shows.")
    return Invitation(addresses=_addresses(address.split(",")), secret=code.encode())


def invitation_text(invitation: Invitation) -> str:
    """What a QR code of this invitation says."""
    fields = [("v", _VERSION), *(("a", address) for address in invitation.addresses)]
    fields += [("s", _encode(invitation.secret)), ("r", _encode(invitation.root_hash))]
    return _PREFIX + urlencode(fields, safe=":[]")


def read_invitation(text: str) -> Invitation:
    """The invitation in a QR code's text; PairingError says what is wrong with it."""
    text = text.strip()
    if len(text) > _TEXT_MAX or not text.startswith(_PREFIX):
        raise PairingError("That is not the text of a pairing QR code.", _AGAIN)
    try:
        fields = parse_qsl(text[len(_PREFIX) :], strict_parsing=True, max_num_fields=32)
    except ValueError:
        raise PairingError("The QR code's text is cut or damaged.", _AGAIN) from None
    single = dict(fields)
    if single.get("v") != _VERSION:
        raise PairingError(
            "The QR code is of another version of Hearthway.", "Update both to the same version."
        )
    secret, root_hash = _decode(single.get("s", "")), _decode(single.get("r", ""))
    if len(secret) != SECRET_BYTES or len(root_hash) != _HASH_BYTES:
        raise PairingError("The QR code's text is cut or damaged.", _AGAIN)
    addresses = _addresses([value for name, value in fields if name == "a"])
    return Invitation(addresses=addresses, secret=secret, root_hash=root_hash)


def _addresses(texts: list[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(text.strip() for text in texts if text.strip()))[:_ADDRESSES_MAX]
    if not found:
        raise PairingError("There is no address to pair at.", "Write it as the home shows it.")
    for address in found:
        host, _, port = address.rpartition(":")
        if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise PairingError(
                f"{address} has no port.", "Write it as the home shows it: host:port."
            )
    return found


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b""
