"""What may stand in the household's list as an address: every node dials it."""

from __future__ import annotations

import re

from hearthway.records.errors import IdentityError

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[?[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9._-]{1,15})?\]?")


def check_address(text: str) -> None:
    """IdentityError unless it is "host:port"."""
    host, _, port = text.rpartition(":")
    if _HOST.fullmatch(host) is None or not _is_port(port):
        raise IdentityError(
            f"{text[:80]!r} is no address of a device.",
            "Write it as host:port, such as 192.168.4.9:7447.",
        )


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536
