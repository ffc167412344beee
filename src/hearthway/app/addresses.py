"""This machine's addresses, as other devices can call them."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct

from .config import split_address

_SIOCGIFADDR = 0x8915  # Linux: an interface's IPv4 address
_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104  # compared, not bound


def reachable(listen: str, towards: str = "") -> str:
    """`listen` as others can call it: a wildcard becomes this machine's address on the way to `towards`."""
    host, port = split_address(listen)
    if host not in _WILDCARDS:
        return listen
    target = split_address(towards)[0] if towards else "10.255.255.255"
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))  # a datagram socket sends nothing when it connects
            return f"{probe.getsockname()[0]}:{port}"
    except OSError:
        return f"127.0.0.1:{port}"


def own_addresses(listen: str) -> list[str]:
    """Every "host:port" that may lead to `listen` from another device, the likeliest first; never none."""
    host, port = split_address(listen)
    if host not in _WILDCARDS:
        return [listen]
    found = [reachable(listen)]
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):
                record = struct.pack("256s", name.encode()[:15])
                reply = fcntl.ioctl(asked.fileno(), _SIOCGIFADDR, record)
                found.append(f"{socket.inet_ntoa(reply[20:24])}:{port}")
    outward = [a for a in dict.fromkeys(found) if not a.startswith("127.")]
    return outward or found[:1]
