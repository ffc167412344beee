"""Is an address on a network that this machine itself is on: reached without a router and without a tunnel?

By the kernel's own routes (proc(5), net/route and net/ipv6_route): the most specific one that leads there must have no
gateway, and its interface must be a link with neighbours. Where that cannot be read the answer is no.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

_UP, _GATEWAY, _REJECT = 0x1, 0x2, 0x200  # linux/route.h
_POINTOPOINT, _NOARP = 0x10, 0x80  # linux/if.h: tunnels, and modems that reach no neighbour
_REMEMBERED_S = 5.0
_REMEMBERED_MAX = 256
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Route(Struct, frozen=True):
    """One route of this machine; `direct`: no gateway."""

    network: _Network
    interface: str
    direct: bool


class Nearby:
    """Answers for some seconds without reading again. `proc` and `sys` are where the kernel tells."""

    def __init__(self, proc: Path = Path("/proc/net"), sys: Path = Path("/sys/class/net")) -> None:
        self._proc, self._sys = proc, sys
        self._known: dict[str, tuple[float, bool]] = {}

    def __call__(self, host: str) -> bool:
        """Is that address (as a socket names its peer) on a network of our own?"""
        now_s = time.monotonic()
        asked_s, near = self._known.get(host, (-_REMEMBERED_S, False))
        if now_s - asked_s >= _REMEMBERED_S:
            near = self._look(host)
            if len(self._known) >= _REMEMBERED_MAX:
                self._known.clear()
            self._known[host] = (now_s, near)
        return near

    def _look(self, host: str) -> bool:
        plain, _, zone = host.removeprefix("::ffff:").partition("%")
        try:
            address = ipaddress.ip_address(plain)
        except ValueError:
            return False
        if address.is_loopback:
            return True
        if address.is_link_local and address.version == 6:  # it says by which interface
            return self._has_neighbours(zone)
        return self._is_direct(address)

    def _is_direct(self, address: _Address) -> bool:
        fitting = [route for route in self._routes(address.version) if address in route.network]
        longest = max((route.network.prefixlen for route in fitting), default=0)
        best = [route for route in fitting if route.network.prefixlen == longest]
        return bool(best) and all(r.direct and self._has_neighbours(r.interface) for r in best)

    def _routes(self, version: int) -> list[Route]:
        name, read = ("route", _ipv4) if version == 4 else ("ipv6_route", _ipv6)
        try:
            return list(read((self._proc / name).read_text("ascii")))
        except (OSError, ValueError, IndexError):
            return []

    def _has_neighbours(self, interface: str) -> bool:
        """No tunnel: neither point to point nor without neighbours, nor made by a program (tun(4), both kinds)."""
        if not interface or "/" in interface:
            return False
        here = self._sys / interface
        try:
            flags = int((here / "flags").read_text("ascii"), 16)
        except (OSError, ValueError):
            return False
        return not flags & (_POINTOPOINT | _NOARP) and not (here / "tun_flags").exists()


def _ipv4(text: str) -> Iterator[Route]:
    for line in text.splitlines()[1:]:
        name, network, _, flags_hex, _, _, _, mask = line.split()[:8]
        flags = int(flags_hex, 16)
        if flags & _UP and not flags & _REJECT:
            there, bits = (int.from_bytes(bytes.fromhex(n), "little") for n in (network, mask))
            yield Route(
                ipaddress.IPv4Network((there, bits.bit_count())), name, not flags & _GATEWAY
            )


def _ipv6(text: str) -> Iterator[Route]:
    for line in text.splitlines():
        network, length, *_, flags_hex, name = line.split()
        flags = int(flags_hex, 16)
        if flags & _UP and not flags & _REJECT:
            found = ipaddress.IPv6Network((int(network, 16), int(length, 16)))
            yield Route(found, name, not flags & _GATEWAY)
