"""Is an address one of this machine or of a network of one's own? What people say, and what is learned from, goes nowhere else."""

from __future__ import annotations

import re
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from msgspec import Struct

from hearthway.records.errors import InputError, RuleDeniedError

# Without 169.254.0.0/16: no router gives such an address, and machines in a data centre answer there.
OWN = tuple(
    ip_network(net)
    for net in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)
SHAPE = "Write it as http://ADDRESS:PORT/v1; https and passwords are not taken."


class Where(Struct, frozen=True, kw_only=True):
    """A server on one's own network by its address; `host` is what it was called."""

    address: str
    port: int
    path: str
    host: str

    @property
    def here(self) -> bool:
        """Is it this machine itself?"""
        return is_here(self.address)

    @property
    def words(self) -> str:
        """As a person, and HTTP, names it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_own(host: str) -> bool:
    """True for loopback, private and IPv6 link-local addresses; False for names, whatever they lead to, but localhost."""
    address = _address(host)
    return address is not None and any(
        address.version == net.version and address in net for net in OWN
    )


def is_here(host: str) -> bool:
    """True for this machine itself."""
    address = _address(host)
    return address is not None and address.is_loopback


def at_address(url: str) -> Where:
    """The server of a URL that names an own address; InputError for a name, another address, and what is no URL."""
    where = _parsed(url)
    if not is_own(where.host):
        raise InputError(f"{where.host} is no address of your own network.", SHAPE)
    return where


def looked_up(url: str) -> Where:
    """The same by a name or an address, looked up once; RuleDeniedError where a name leads beyond one's own network."""
    where = _parsed(url)
    try:
        found = sorted(
            {
                str(info[4][0])
                for info in socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)
            }
        )
    except (OSError, UnicodeError) as why:
        raise InputError(f"{where.host} is not known here: {why}.", SHAPE) from None
    beyond = [address for address in found if not is_own(address)]
    if beyond or not found:
        told = "" if beyond == [where.host] else f" ({', '.join(beyond)})"
        raise RuleDeniedError(
            f"{where.host}{told} is beyond the household: it is told nothing.",
            "Name a server on this machine or at a private address of your own network.",
        )
    return Where(address=found[0], port=where.port, path=where.path, host=where.host)


def _parsed(url: str) -> Where:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", 80 if parts.port is None else parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", 0
    plain = (host + parts.path).isascii() and not parts.query and not parts.fragment
    if parts.scheme != "http" or not host or not port or parts.username is not None or not plain:
        shown = re.sub(r"//.*@", "//…@", url, flags=re.DOTALL)  # never a password
        raise InputError(f"{shown!r} is no endpoint of a household.", SHAPE)
    address = "127.0.0.1" if host == "localhost" else host
    return Where(address=address, port=port, path=parts.path.rstrip("/"), host=host)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """As a number; one of IPv4 in IPv6's form is the same machine as without it."""
    try:
        found = ip_address("127.0.0.1" if host == "localhost" else host.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return found if mapped is None else mapped
