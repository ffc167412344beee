"""One OwnTracks POST, from its parts to a delivery. Framework-free: the web layer owns the socket and the token."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error

from msgspec import Struct

from .errors import SenderError
from .mapping import Reading, read

_NAME = re.compile(r"[^\x00-\x1f\x7f/+#]{1,64}")


class Credentials(Struct, frozen=True, kw_only=True):
    """HTTP Basic user and password; empty where none came."""

    user: str = ""
    password: str = ""


class Delivery(Struct, frozen=True, kw_only=True):
    """Whose phone, which device, and what it said."""

    person: str
    device: str
    reading: Reading


def credentials(authorization: str) -> Credentials:
    """User and password of an `Authorization: Basic` header; empty ones where it is absent or broken."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return Credentials()
    try:
        user, _, password = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (Base64Error, ValueError):
        return Credentials()
    return Credentials(user=user, password=password)


def receive(
    body: bytes,
    *,
    now_s: float,
    query_user: str = "",
    query_device: str = "",
    header_user: str = "",
    header_device: str = "",
    basic_user: str = "",
) -> Delivery:
    """A body with what HTTP says of its sender: `?u=&d=`, then `X-Limit-U`/`X-Limit-D`, then the Basic user, then the
    message's own topic. Raises what `mapping.read` raises, and SenderError without a usable name.
    """
    person = query_user or header_user or basic_user
    device = query_device or header_device
    if not person:
        person, device = _topic(read(body, now_s=now_s, source="", person="").topic, device)
    device = device or "phone"
    if not _NAME.fullmatch(person) or not _NAME.fullmatch(device):
        raise SenderError(
            "The message does not say whose it is.",
            "Set the user in the OwnTracks app, or end the address with ?u=NAME&d=phone.",
        )
    reading = read(body, now_s=now_s, source=f"owntracks/{person}/{device}", person=person)
    return Delivery(person=person, device=device, reading=reading)


def _topic(topic: str, device: str) -> tuple[str, str]:
    """User and device of "owntracks/user/device"; the placeholder topic of HTTP mode names nobody."""
    parts = topic.split("/")
    if len(parts) < 3 or parts[0] != "owntracks" or parts[1] == "http":
        return "", device
    return parts[1], device or parts[2]
