"""Is an address one of this machine or of a network of one's own?"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from hearthway.records.errors import ConfigError


def is_own(host: str) -> bool:
    """True for loopback, private and link-local addresses; False for names, whatever they lead to, but localhost."""
    try:
        address = ip_address("127.0.0.1" if host == "localhost" else host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    address = address if mapped is None else mapped
    private = address.is_private or address.is_link_local
    return address.is_loopback or (private and not address.is_unspecified)


def is_here(host: str) -> bool:
    """Is it this machine itself?"""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def checked_url(url: str) -> tuple[str, int, str, bool]:
    """(host, port, path, is this machine) of an endpoint; ConfigError unless it is http on an own address."""
    try:
        found = urlsplit(url)
        host, port = found.hostname or "", found.port or 80
    except ValueError:
        found, host, port = urlsplit(""), "", 0
    if found.scheme != "http" or not is_own(host):
        raise ConfigError(
            f"ask.model_url {url!r} is not on your own network.",
            'Write an address, not a name, as in "http://127.0.0.1:11434/v1".',
        )
    return host, port, found.path.rstrip("/"), is_here(host)
