"""What the kernel and the interpreter saw of traffic towards the internet, for receipts.

Two witnesses. The kernel counts bytes per interface and, per network namespace, sends for which no route existed
(`OutNoRoutes`, which also covers native code). The interpreter's audit events name what Python code tried to reach.
Neither ever counts household traffic: what cannot be told apart from it reads None, "not measurable here".
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections import deque
from itertools import count
from pathlib import Path

from msgspec import Struct

NAMESPACE_VARIABLE = (
    "HEARTHWAY_NETNS"  # set by Lan.command: the namespace that belongs to this node alone
)

# Addresses that never leave the household's own links. Python's is_private would also admit 192.0.2.0/24 and
# carrier NAT (100.64.0.0/10), which are not ours.
_HOUSEHOLD_V4 = tuple(
    ipaddress.IPv4Network(net)
    for net in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/4",
        "255.255.255.255/32",
        "0.0.0.0/32",
    )
)
_HOUSEHOLD_V6 = tuple(
    ipaddress.IPv6Network(net) for net in ("::1/128", "::/128", "fe80::/10", "fc00::/7", "ff00::/8")
)
# Names that no household resolver passes on: RFC 6762 (.local), RFC 8375 (.home.arpa), RFC 6761 (.localhost).
_HOUSEHOLD_SUFFIXES = (".local", ".home.arpa", ".localhost", ".lan", ".internal")
_ROUTE_UP, _ROUTE_REJECT = 0x0001, 0x0200  # RTF_UP, RTF_REJECT of linux/route.h
_SEEN_KEPT = 20


class InterfaceCounters(Struct, frozen=True, kw_only=True):
    """One interface's bytes and packets since it was made (source: /proc/net/dev)."""

    rx_bytes: int
    rx_packets: int
    tx_bytes: int
    tx_packets: int


class Counters(Struct, frozen=True, kw_only=True):
    """One network namespace at one moment."""

    interfaces: dict[str, InterfaceCounters]
    outward: tuple[str, ...]  # interfaces with a route to addresses outside the household
    household: tuple[str, ...]  # interfaces (not lo) with a route to household addresses
    outward_elsewhere: (
        bool  # a further routing table (VPN, Android) leads out, by an interface not named in /proc
    )
    no_route: int  # sends the kernel refused for want of a route, since the namespace was made


class InternetReading(Struct, frozen=True, kw_only=True):
    """Since start(); the first three fields go into a receipt's `Measured`. None reads "not measurable here"."""

    internet_bytes: int | None
    internet_refused: int | None
    how: str
    attempts: int = 0
    seen: tuple[str, ...] = ()


def is_household_address(host: str) -> bool:
    """True where packets to this literal address stay on the household's own links; ValueError if not an address."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return any(address in net for net in _HOUSEHOLD_V6)
        address = address.ipv4_mapped
    return any(address in net for net in _HOUSEHOLD_V4)


def is_household_host(host: str) -> bool:
    """As is_household_address, and True for names that are resolved without asking outside the household."""
    try:
        return is_household_address(host)
    except ValueError:
        name = host.rstrip(".").lower()
        if name in ("", "localhost", "<broadcast>", socket.gethostname().lower()):
            return True
        return "." not in name or name.endswith(_HOUSEHOLD_SUFFIXES)


def read_counters(proc_net: Path = Path("/proc/self/net")) -> Counters:
    """The counters of the namespace that `proc_net` (/proc/PID/net) shows; OSError or ValueError without Linux /proc."""
    interfaces = {}
    for line in (proc_net / "dev").read_text().splitlines()[2:]:
        name, _, rest = line.partition(":")
        field = [int(value) for value in rest.split()]
        interfaces[name.strip()] = InterfaceCounters(
            rx_bytes=field[0], rx_packets=field[1], tx_bytes=field[8], tx_packets=field[9]
        )
    outward: set[str] = set()
    household: set[str] = set()
    for interface, net in _routes(proc_net):
        (household if _inside_household(net) else outward).add(interface)
    household.discard("lo")
    outward.discard("lo")
    return Counters(
        interfaces=interfaces,
        outward=tuple(sorted(outward)),
        household=tuple(sorted(household)),
        outward_elsewhere=_outward_elsewhere(proc_net),
        no_route=_no_route(proc_net),
    )


def _inside_household(net: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    if isinstance(net, ipaddress.IPv4Network):
        return any(net.subnet_of(ours) for ours in _HOUSEHOLD_V4)
    return any(net.subnet_of(ours) for ours in _HOUSEHOLD_V6)


def _routes(
    proc_net: Path,
) -> list[tuple[str, ipaddress.IPv4Network | ipaddress.IPv6Network]]:
    """The main table's usable routes as (interface, destination)."""
    found: list[tuple[str, ipaddress.IPv4Network | ipaddress.IPv6Network]] = []
    for line in (proc_net / "route").read_text().splitlines()[1:]:
        part = line.split()
        if int(part[3], 16) & (_ROUTE_UP | _ROUTE_REJECT) == _ROUTE_UP:
            # the kernel prints the address as a number in the machine's own byte order
            destination = int(part[1], 16).to_bytes(4, sys.byteorder)
            mask = int(part[7], 16).to_bytes(4, sys.byteorder)
            prefix = int.from_bytes(mask, "big").bit_count()
            found.append((part[0], ipaddress.IPv4Network((destination, prefix))))
    six = proc_net / "ipv6_route"
    for line in six.read_text().splitlines() if six.exists() else ():
        part = line.split()
        if int(part[8], 16) & (_ROUTE_UP | _ROUTE_REJECT) == _ROUTE_UP:
            net = ipaddress.IPv6Network((bytes.fromhex(part[0]), int(part[1], 16)))
            found.append((part[9], net))
    return found


def _outward_elsewhere(proc_net: Path) -> bool:
    """True where an IPv4 table beside main and local has a usable route beyond the household.

    /proc/net/route shows the main table only, fib_trie all of them: a leaf `|-- 0.0.0.0`, then its `/0 scope type`.
    """
    trie = proc_net / "fib_trie"
    if not trie.exists():
        return False
    table = leaf = ""
    for line in trie.read_text().splitlines():
        part = line.split()
        if not line.startswith(" "):
            table = line.rstrip(":")
        elif part[0] == "|--":
            leaf = part[1]
        elif part[0].startswith("/") and part[2] == "UNICAST" and table not in ("Main", "Local"):
            net = ipaddress.IPv4Network(leaf + part[0], strict=False)
            if not _inside_household(net):
                return True
    return False


def _no_route(proc_net: Path) -> int:
    """IPv4 and IPv6 OutNoRoutes: one per UDP send or TCP connect answered ENETUNREACH (measured, tests/netns)."""
    keys, values = [
        line.split() for line in (proc_net / "snmp").read_text().splitlines() if line[:3] == "Ip:"
    ]
    total = int(values[keys.index("OutNoRoutes")])
    six = proc_net / "snmp6"
    for line in six.read_text().splitlines() if six.exists() else ():
        if line.startswith("Ip6OutNoRoutes"):
            total += int(line.split()[1])
    return total


class _Attempts:
    """What Python code tried to reach outside the household. Audit hooks cannot be removed: one a process."""

    def __init__(self) -> None:
        self._numbers = count(1)  # next() is atomic, += is not
        self.total = 0
        self.seen: deque[str] = deque(maxlen=_SEEN_KEPT)

    def hook(self, event: str, args: tuple[object, ...]) -> None:
        if not event.startswith("socket."):
            return
        target = _outside_target(event, args)
        if target:
            self.total = next(self._numbers)
            self.seen.append(target)


def _outside_target(event: str, args: tuple[object, ...]) -> str:
    """The host outside the household that an audit event is about, else ''."""
    host: object = None
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        sock, address = args[0], args[1]
        family = getattr(sock, "family", None)
        if family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple) and address:
            host = address[0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = args[0]
        if isinstance(host, bytes):
            host = host.decode("ascii", "replace")
        if isinstance(host, str) and _is_literal(host):
            return ""  # nothing is asked of anybody; the connect that follows counts
    if isinstance(host, str) and not is_household_host(host):
        return host
    return ""


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


_installed: list[_Attempts] = []


def _attempts() -> _Attempts:
    if not _installed:
        attempts = _Attempts()
        _installed.append(attempts)
        sys.addaudithook(attempts.hook)
    return _installed[0]


class InternetWatch:
    """A node's own witness of what it sent, or tried to send, to the internet."""

    def __init__(
        self, attempts: _Attempts, baseline: Counters | None, *, own: bool, proc_net: Path
    ) -> None:
        self._attempts = attempts
        self._first_attempt = attempts.total
        self._baseline = baseline
        self._own = own
        self._proc_net = proc_net

    @classmethod
    def start(
        cls, *, own_namespace: bool | None = None, proc_net: Path = Path("/proc/self/net")
    ) -> InternetWatch:
        """Count from now on. `own_namespace`: this network namespace holds this node alone (None: ask Lan's mark)."""
        own = _marked_as_own() if own_namespace is None else own_namespace
        return cls(_attempts(), _try_read(proc_net), own=own, proc_net=proc_net)

    def read(self) -> InternetReading:
        """Bytes towards the internet and refused attempts since start(); never raises."""
        attempts = self._attempts.total - self._first_attempt
        seen = tuple(self._attempts.seen)[-attempts:] if attempts else ()
        before, now = self._baseline, _try_read(self._proc_net)
        if before is None or now is None:
            how = "this system shows no kernel counters; attempts are those of this node's Python code"
            return InternetReading(
                internet_bytes=None,
                internet_refused=attempts,
                how=how,
                attempts=attempts,
                seen=seen,
            )
        outward = tuple(sorted({*before.outward, *now.outward}))
        byte_count, bytes_how = self._bytes(before, now, outward)
        refused = attempts
        refused_how = (
            "attempts are those of this node's Python code, refused or not: the kernel's count "
            "of refusals is shared with the rest of the machine"
        )
        if self._own:
            refused = now.no_route - before.no_route
            refused_how = "refused: the kernel's OutNoRoutes of this node's namespace"
            if not outward and attempts > refused:
                # a name lookup stopped at a local resolver moves no kernel counter, yet was an attempt
                refused = attempts
                refused_how = "refused: attempts of this node's Python code (the kernel saw fewer)"
        return InternetReading(
            internet_bytes=byte_count,
            internet_refused=refused,
            how=f"{bytes_how}; {refused_how}",
            attempts=attempts,
            seen=seen,
        )

    def _bytes(
        self, before: Counters, now: Counters, outward: tuple[str, ...]
    ) -> tuple[int | None, str]:
        if before.outward_elsewhere or now.outward_elsewhere:
            return None, "bytes: not measurable here, a further routing table leads out"
        if not outward:
            return 0, "bytes: no interface has a route beyond the household"
        names = ", ".join(outward)
        if not self._own:
            return (
                None,
                f"bytes: not measurable here, {names} is shared with the rest of the machine",
            )
        mixed = sorted({*before.household, *now.household} & set(outward))
        if mixed:
            return (
                None,
                f"bytes: not measurable here, {', '.join(mixed)} carries household traffic too",
            )
        sent = 0
        for name in outward:
            if name in now.interfaces:
                start = before.interfaces.get(name)
                sent += now.interfaces[name].tx_bytes - (start.tx_bytes if start else 0)
        return sent, f"bytes: the kernel's counter of {names}"


def own_namespace_id(pid: int | str = "self") -> str:
    """The kernel's name of a process's network namespace (net:[INODE]); '' where there is none."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net")  # noqa: PTH115  # it is not a path, pathlib would mangle it
    except OSError:
        return ""


def _marked_as_own() -> bool:
    mark = os.environ.get(NAMESPACE_VARIABLE, "")
    return bool(mark) and mark == own_namespace_id()


def _try_read(proc_net: Path) -> Counters | None:
    try:
        return read_counters(proc_net)
    except (OSError, ValueError, IndexError):
        return None
