"""Four nodes on one machine, each in its own network namespace: one private link, no default route.

    switch namespace: bridge ── p0 ─── eth0 phone      every namespace is held by a process that reads a pipe from
                             ├─ p1 ─── eth0 car        us: when we end, however we end, it reads end-of-file and
                             └─ ...                     goes, and with it the namespace, the links and the switch.
    sink namespace (for proofs): n0 ─── out0 phone, ...

The sink is joined by a link of its own, with the gateway's link address fixed beforehand, so that not even ARP
crosses it: every frame there is a leak, and household traffic never touches it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec import Struct

from hearthway.app.commands import Tools, finish_all, next_line, refusal_of, start_with_input
from hearthway.app.counters import NAMESPACE_VARIABLE, Counters, own_namespace_id
from hearthway.app.loopback import (
    LanKind,
    Loopback,
    SinkEntry,
    checked_names,
    counters_at,
    index_of,
)
from hearthway.records.errors import ConfigError, MeshError

__all__ = ["Lan", "LanKind", "LanPlan", "Loopback", "SinkEntry", "open_lan"]

SUBNET = "10.77.0"  # isolated, so it clashes with nothing; /24
_GATEWAY = "169.254.77.1"  # the sink's, reached on-link
_GATEWAY_MAC = "02:68:77:00:00:01"

# In a fresh namespace: no IPv6 (an idle link would speak by itself), and no forwarding whatever the host does.
_QUIET = (
    "for f in /proc/sys/net/ipv6/conf/all/disable_ipv6 /proc/sys/net/ipv6/conf/default/disable_ipv6; do "
    "if [ -e $f ]; then echo 1 > $f; fi; done; echo 0 > /proc/sys/net/ipv4/ip_forward; "
)
_HOLD = f"set -e; {_QUIET} echo ready; exec cat > /dev/null 2>&1"
# Without a bridge the switch routes, and answers every ARP request itself, by default up to 0.8 s late.
_HOLD_ROUTED = (
    f"set -e; {_QUIET} cd /proc/sys/net/ipv4; echo 1 > ip_forward; echo 1 > conf/all/proxy_arp; "
    "echo ready; exec cat > /dev/null 2>&1"
)
_HOLD_SINK = f'set -e; {_QUIET} exec "$@"'
_PROMPT = "for f in /proc/sys/net/ipv4/neigh/p*/proxy_delay; do echo 0 > $f; done"
_PROBE_VETH = f"set -e; {_QUIET} ip link add e0 type veth peer name p0"
_PROBE_BRIDGE = "set -e; ip link add b0 type bridge"


class LanPlan(Struct, frozen=True, kw_only=True):
    """What this machine allows. Where that is loopback only, `why` is the reason and `next_step` what would help."""

    kind: LanKind
    why: str = ""
    next_step: str = ""
    bridge: bool = True  # False: the switch routes between its ports instead

    @property
    def possible(self) -> bool:
        """True where nodes can have namespaces of their own."""
        return self.kind is not LanKind.LOOPBACK


class Lan:
    """One namespace a node and a switch between them, gone when closed or when this process ends."""

    namespaces = True
    why = ""

    def __init__(self, names: Sequence[str], plan: LanPlan, *, sink: bool) -> None:
        self.names = checked_names(names)
        self.plan_used = plan
        self.kind = plan.kind
        self._tools = Tools.find()
        self._holders: dict[str, subprocess.Popen[str]] = {}
        self._marks: dict[str, str] = {}
        self._with_sink = sink

    @staticmethod
    def plan() -> LanPlan:
        """What this machine allows, found by trying it in a throw-away namespace (about 30 ms)."""
        if not sys.platform.startswith("linux"):
            return LanPlan(kind=LanKind.LOOPBACK, why="network namespaces exist on Linux only")
        try:
            tools = Tools.find()
        except ConfigError as error:
            why = error.message.rstrip(".")
            return LanPlan(kind=LanKind.LOOPBACK, why=why, next_step=error.next_step)
        reasons = []
        for kind in (LanKind.ROOT, LanKind.USER):
            if kind is LanKind.ROOT and os.geteuid() != 0:
                reasons.append("not root")
                continue
            start = tools.unshare(user=kind is LanKind.USER)
            refusal = refusal_of([*start, tools.sh, "-c", _PROBE_VETH], tools)
            if not refusal:
                no_bridge = refusal_of([*start, tools.sh, "-c", _PROBE_BRIDGE], tools)
                return LanPlan(kind=kind, bridge=not no_bridge)
            reasons.append(f"{kind.value} refused: {refusal.removeprefix('unshare: ')}")
        step = (
            "Run as root, or allow unprivileged user namespaces (sysctl user.max_user_namespaces, "
            "kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)."
        )
        return LanPlan(kind=LanKind.LOOPBACK, why="; ".join(reasons), next_step=step)

    @classmethod
    def why_not(cls) -> str:
        """'' where namespaces are possible, else the reason; plan() also knows the next step."""
        return cls.plan().why

    @classmethod
    def create(
        cls, names: Sequence[str], *, sink: bool = False, plan: LanPlan | None = None
    ) -> Lan:
        """Build the link, nodes joined and up; MeshError with the reason where this machine does not allow it."""
        plan = plan or cls.plan()
        if not plan.possible:
            raise MeshError(
                f"This machine does not allow network namespaces: {plan.why}.", plan.next_step
            )
        lan = cls(names, plan, sink=sink)
        try:
            lan._build()
        except BaseException:
            lan.close()
            raise
        return lan

    def address(self, name: str) -> str:
        """The node's IPv4 address on the private link."""
        return f"{SUBNET}.{index_of(self.names, name) + 1}"

    def prefix(self, name: str) -> list[str]:
        """What to put before a command: it becomes that process, in the node's namespace, marked as its own."""
        index_of(self.names, name)
        enter = self._enter(name)
        return [*enter, self._tools.env, f"{NAMESPACE_VARIABLE}={self._marks[name]}"]

    def command(self, name: str, argv: Sequence[str]) -> list[str]:
        """`argv` run inside the node's namespace."""
        return [*self.prefix(name), *argv]

    def at_switch(self, argv: Sequence[str]) -> list[str]:
        """`argv` run in the switch's namespace, where every frame of the link passes: port p0 is the first name's."""
        return [*self._enter("switch"), *argv]

    def cut(self, name: str) -> None:
        """Pull the node's cable, at the switch: its routes stay, as with a real cable, so nothing looks like a leak."""
        self._ip("switch", [f"link set p{index_of(self.names, name)} down"])

    def join(self, name: str) -> None:
        """Put the node's cable back."""
        self._ip("switch", self._port_batch(name))

    def counters(self, name: str) -> Counters:
        """The node's namespace as the kernel counts it."""
        index_of(self.names, name)
        return counters_at(Path(f"/proc/{self._pid(name)}/net"))

    def sink_packets(self) -> int | None:
        """Packets that arrived in the sink (the kernel's count); None without a sink."""
        if not self._with_sink:
            return None
        seen = counters_at(Path(f"/proc/{self._pid('sink')}/net")).interfaces
        return sum(seen[f"n{index}"].rx_packets for index in range(len(self.names)))

    def sink_log(self) -> tuple[SinkEntry, ...]:
        """Who sent what where into the sink; empty without a sink."""
        if not self._with_sink:
            return ()
        holder = self._holders["sink"]
        if holder.stdin is None or holder.poll() is not None:
            raise MeshError("The sink's process has ended.", "Start the drive again.")
        try:
            holder.stdin.write("tally\n")
            holder.stdin.flush()
            rows = json.loads(next_line(holder))
        except (OSError, ValueError) as error:
            raise MeshError("The sink's process does not answer.", "Try again.") from error
        return tuple(
            SinkEntry(
                name=self.names[int(port[1:])],
                destination=destination,
                protocol=protocol,
                port=to_port,
                packets=packets,
            )
            for port, destination, protocol, to_port, packets in rows
        )

    def close(self) -> None:
        """End every holder, and with them namespaces and links; safe to call twice."""
        for holder in self._holders.values():
            with contextlib.suppress(OSError):
                if holder.stdin:
                    holder.stdin.close()
        for holder in self._holders.values():
            try:
                holder.wait(timeout=2)
            except subprocess.TimeoutExpired:
                holder.kill()
                holder.wait(timeout=2)
            if holder.stdout:
                holder.stdout.close()
        self._holders.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ---- building

    def _build(self) -> None:
        tools = self._tools
        hold_switch = _HOLD if self.plan_used.bridge else _HOLD_ROUTED
        self._start(
            "switch", [*tools.unshare(user=self.kind is LanKind.USER), tools.sh, "-c", hold_switch]
        )
        self._ready("switch")
        # unprivileged: the others must be born inside the switch's user namespace to be wired to it
        born = [] if self.kind is LanKind.ROOT else self._enter("switch")
        if self._with_sink:
            program = [sys.executable, "-I", "-S", str(Path(__file__).with_name("sink.py"))]
            hold = [tools.sh, "-c", _HOLD_SINK, "sh", *program]
            self._start("sink", [*born, *tools.unshare(user=False), *hold])
        for name in self.names:
            self._start(name, [*born, *tools.unshare(user=False), tools.sh, "-c", _HOLD])
        for name in self.names:
            self._ready(name)
            self._marks[name] = own_namespace_id(self._pid(name))
        if self._with_sink:
            self._ready("sink")
        self._ip("switch", self._switch_batch())
        if not self.plan_used.bridge:
            finish_all([start_with_input([*self._enter("switch"), tools.sh, "-c", _PROMPT], "")])
        nodes = [self._ip_start(name, self._node_batch(name)) for name in self.names]
        finish_all(nodes)
        self._ip("switch", [line for name in self.names for line in self._port_batch(name)])
        if self._with_sink:
            self._ip("sink", [f"link set n{index} up" for index in range(len(self.names))])

    def _switch_batch(self) -> list[str]:
        batch = ["link set lo up"]
        if self.plan_used.bridge:
            batch += ["link add br0 type bridge", "link set br0 up"]
        else:
            batch += [f"addr add {SUBNET}.254/32 dev lo"]
        for index, name in enumerate(self.names):
            batch.append(f"link add p{index} type veth peer name eth0 netns {self._pid(name)}")
            if self.plan_used.bridge:
                batch.append(f"link set p{index} master br0")
        return batch

    def _port_batch(self, name: str) -> list[str]:
        port = f"p{index_of(self.names, name)}"
        batch = [f"link set {port} up"]
        if (
            not self.plan_used.bridge
        ):  # the kernel drops the route with the port, so joining adds it again
            batch.append(f"route replace {self.address(name)}/32 dev {port}")
        return batch

    def _node_batch(self, name: str) -> list[str]:
        batch = [
            "link set lo up",
            f"addr add {self.address(name)}/24 dev eth0",
            "link set eth0 up",
            "route add 224.0.0.0/4 dev eth0",  # multicast stays on the link, also beside a default route
        ]
        if self._with_sink:
            port = f"n{index_of(self.names, name)}"
            batch += [
                f"link add out0 type veth peer name {port} address {_GATEWAY_MAC} netns {self._pid('sink')}",
                "link set out0 up",
                f"neigh add {_GATEWAY} lladdr {_GATEWAY_MAC} dev out0 nud permanent",
                f"route add default via {_GATEWAY} dev out0 onlink",
            ]
        return batch

    def _start(self, name: str, argv: list[str]) -> None:
        # a session of its own: Ctrl-C in the terminal reaches the nodes, not the ground they stand on
        self._holders[name] = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def _ready(self, name: str) -> None:
        said = next_line(self._holders[name])
        if said != "ready":
            raise MeshError(
                f"The network namespace of {name} could not be made: {said or 'its holder ended'}.",
                "Use `hearthway drive --loopback`.",
            )

    def _pid(self, name: str) -> int:
        holder = self._holders.get(name)
        if holder is None or holder.poll() is not None:
            raise MeshError(f"The network namespace of {name} is gone.", "Start the drive again.")
        return holder.pid

    def _enter(self, name: str) -> list[str]:
        user = ["-U", "--preserve-credentials"] if self.kind is LanKind.USER else []
        return [self._tools.nsenter, "-t", str(self._pid(name)), *user, "-n", "--"]

    def _ip(self, name: str, batch: list[str]) -> None:
        finish_all([self._ip_start(name, batch)])

    def _ip_start(self, name: str, batch: list[str]) -> subprocess.Popen[str]:
        argv = [*self._enter(name), self._tools.ip, "-batch", "-"]
        return start_with_input(argv, "\n".join(batch) + "\n")


def open_lan(names: Sequence[str], *, sink: bool = False) -> Lan | Loopback:
    """Namespaces where this machine allows them, else loopback with the reason in `.why`."""
    plan = Lan.plan()
    if not plan.possible:
        return Loopback(names, plan.why)
    return Lan.create(names, sink=sink, plan=plan)
