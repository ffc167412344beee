"""Finds what keeps a node from its household, and names the one cause: checks in the order of cause and effect.

Each check says fine, or a problem with a next step. The first problem is the diagnosis: those after it may follow
from it. Works whether the node runs or not.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

from hearthway.mesh.links.probe import probe, probe_context
from hearthway.mesh.trust.certificates import load_certificate
from hearthway.mesh.trust.identity import RENEW_WITHIN_S, DeviceIdentity
from hearthway.mesh.trust.roster import Member
from hearthway.records.count import count_of
from hearthway.records.errors import HearthwayError
from hearthway.records.household import Role

from .config import Config, load_config, split_address
from .control import Control, running
from .health import FREE_MIN_MB, FREE_SOME, OFFSET_MAX_S, little_room
from .paths import NodePaths, start_with

CONNECT_S = 2.0
# A night and more: no rest is so long that no surer position comes on the day of it.
ROUGH_S = 43_200.0
ANYWHERE = ("0.0.0.0", "::")  # noqa: S104  # compared, not bound


class Finding(Struct, frozen=True, kw_only=True):
    """One check: `cause` is config, certificate, clock, port, address, firewall, peer, position, rules or storage."""

    cause: str
    checked: str
    ok: bool
    problem: str = ""
    next_step: str = ""


def _bad(cause: str, checked: str, problem: str, next_step: str) -> Finding:
    return Finding(cause=cause, checked=checked, ok=False, problem=problem, next_step=next_step)


def _fine(cause: str, checked: str) -> Finding:
    return Finding(cause=cause, checked=checked, ok=True)


class Doctor:
    """One node's examination. `now_s` is this machine's clock."""

    def __init__(self, paths: NodePaths, now_s: float) -> None:
        self._paths = paths
        self._now_s = now_s
        self._config: Config | None = None
        self._identity: DeviceIdentity | None = None
        self._runs = False
        self._silent: HearthwayError | None = None
        self._status: dict[str, Any] = {}

    async def examine(self, told: Callable[[Finding], None]) -> list[Finding]:
        """Every check that can be made, each told as it is done."""
        found: list[Finding] = []
        steps: list[Callable[[], Awaitable[list[Finding]]]] = [
            self._settings,
            self._ask,
            self._storage,
            self._running,
            self._certificate,
            self._clock,
            self._port,
            self._own_address,
            self._peers,
            self._positions,
        ]
        for step in steps:
            for finding in await step():
                found.append(finding)
                told(finding)
            if self._config is None:
                break  # nothing else can be looked at
        return found

    # this device -----------------------------------------------------------------------------------------------

    async def _settings(self) -> list[Finding]:
        try:
            self._config = await asyncio.to_thread(load_config, self._paths.config)
        except HearthwayError as why:
            return [_bad("config", "settings", why.message, why.next_step)]
        return [_fine("config", "settings")]

    async def _ask(self) -> list[Finding]:
        """What the node says of itself; nothing is found by that alone."""

        def ask() -> dict[str, Any]:
            with Control(self._paths.socket, 5.0) as control:
                return control.ask("status")

        try:
            self._runs = await asyncio.to_thread(running, self._paths.socket)
            self._status = await asyncio.to_thread(ask) if self._runs else {}
        except HearthwayError as why:  # it has been starting for long, or does not answer
            self._runs, self._silent = True, why
        return []

    async def _storage(self) -> list[Finding]:
        """Before all that a full disk may be the cause of: a node that does not start, a certificate not renewed."""
        storage = self._status.get("storage") or {}
        if storage.get("problem"):
            return [_bad("storage", "storage", storage["problem"], storage["next"])]
        database = self._paths.database
        if database.exists() and not os.access(database, os.R_OK | os.W_OK):
            problem = f"{database} cannot be read and written by this user."
            return [_bad("storage", "storage", problem, "Check its owner and mode.")]
        free_mb = (await asyncio.to_thread(shutil.disk_usage, self._paths.root)).free / 1e6
        if free_mb < FREE_MIN_MB:
            return [_bad("storage", "storage", little_room(free_mb), FREE_SOME)]
        return [_fine("storage", f"storage, {free_mb:.0f} MB free")]

    async def _running(self) -> list[Finding]:
        if not self._runs:
            return [
                _bad(
                    "peer",
                    "this node runs",
                    "This node is not running.",
                    start_with(self._paths.root),
                )
            ]
        if self._silent is not None:
            why = self._silent
            return [_bad("peer", "this node answers", why.message, why.next_step)]
        return [_fine("peer", "this node runs and answers")]

    async def _certificate(self) -> list[Finding]:
        keys = self._paths.keys
        if self._is_venue():
            return []
        if not self._paths.ever_paired():
            return [
                _fine("certificate", "not paired, which is nothing wrong: `hearthway pair` joins")
            ]
        pem = keys / "device.pem"
        if pem.exists():
            early = await asyncio.to_thread(self._not_yet_valid, pem)
            if early is not None:
                return [early]
        try:
            self._identity = await asyncio.to_thread(DeviceIdentity.load, keys, self._now_s)
        except HearthwayError as why:
            return [_bad("certificate", "certificate", why.message, why.next_step)]
        left_s = self._identity.certificate.not_valid_after_utc.timestamp() - self._now_s
        if left_s < RENEW_WITHIN_S / 2:
            return [
                _bad(
                    "certificate",
                    "certificate",
                    f"The certificate ends in {count_of(round(left_s / 86_400), 'day')} and was not renewed.",
                    "Bring this device into reach of the home: it is renewed by itself there.",
                )
            ]
        return [
            _fine("certificate", f"certificate, good for {count_of(round(left_s / 86_400), 'day')}")
        ]

    def _not_yet_valid(self, pem: Any) -> Finding | None:
        """A certificate from the future is a clock that is behind: nothing else makes one."""
        try:
            start_s = load_certificate(
                pem.read_bytes(), "This device's certificate"
            ).not_valid_before_utc.timestamp()
        except (HearthwayError, OSError):
            return None  # said by the next check
        if start_s <= self._now_s:
            return None
        return _bad(
            "clock",
            "clock",
            f"This device's clock is at least {(start_s - self._now_s) / 3600:.1f} h behind: "
            "its certificate was made later than now.",
            "Set the clock, then try again.",
        )

    async def _clock(self) -> list[Finding]:
        wrong = []
        heard = 0
        for peer in self._status.get("peers", []):
            offset_s = peer.get("clock_offset_s")
            heard += offset_s is not None
            if offset_s is not None and abs(offset_s) > OFFSET_MAX_S:
                wrong.append((peer["node"], float(offset_s)))
        if not heard:
            return []
        if len(wrong) == heard and heard > 1:
            return [
                _bad(
                    "clock",
                    "clock",
                    f"This device's clock is {-wrong[0][1]:+.0f} s away from every other node's.",
                    "Set this device's clock.",
                )
            ]
        if wrong:
            name, offset_s = wrong[0]
            return [
                _bad(
                    "clock",
                    "clocks",
                    f"The clocks of this device and {name} differ by {abs(offset_s):.0f} s.",
                    f"Set the clock of whichever is wrong: {name} is {'ahead' if offset_s > 0 else 'behind'}.",
                )
            ]
        return [_fine("clock", "clocks of the nodes in reach")]

    async def _port(self) -> list[Finding]:
        if self._config is None or self._is_venue():
            return []
        host, port = split_address(self._config.mesh.listen)
        target = "127.0.0.1" if host in ANYWHERE else host
        listens = await _connects(target, port)
        if self._status and listens != "" and not self._paths.ever_paired():
            return []  # nobody to listen for yet
        if self._status and listens != "":
            return [
                _bad(
                    "port",
                    f"port {port}",
                    f"This node runs, but nothing listens at {target}:{port} ({listens}).",
                    "Is mesh.listen an address of this machine? See node.log.",
                )
            ]
        if not self._status and listens == "":
            return [
                _bad(
                    "port",
                    f"port {port}",
                    f"Another program listens at {target}:{port}.",
                    "Stop it, or choose another port for mesh.listen.",
                )
            ]
        return [_fine("port", f"port {port}")]

    async def _own_address(self) -> list[Finding]:
        identity = self._identity
        if identity is None or not identity.address:
            return []
        host, port = split_address(identity.address)
        if self._config is not None and split_address(self._config.mesh.listen)[1] != port:
            return [
                _bad(
                    "address",
                    "own address",
                    f"The household calls this device at {identity.address}, but it listens at "
                    f"{self._config.mesh.listen}.",
                    f"Stop it and run `hearthway up --listen {self._config.mesh.listen}` once: it lists itself there."
                    if self._config.node.role is Role.HOME
                    else "Set mesh.listen back, or pair this device again.",
                )
            ]
        if not await asyncio.to_thread(_is_ours, host):
            return [
                _bad(
                    "address",
                    "own address",
                    f"The household calls this device at {identity.address}, which is no address of it now.",
                    "In another network it calls the others by itself; give it a fixed address at home.",
                )
            ]
        return [_fine("address", f"own address {identity.address}")]

    # the others ------------------------------------------------------------------------------------------------

    async def _peers(self) -> list[Finding]:
        identity = self._identity
        if identity is None:
            return []
        context = await asyncio.to_thread(probe_context, identity)
        reached = {p["node"]: p for p in self._status.get("peers", []) if p.get("alive")}
        found = []
        for member in identity.roster.members:
            if member.device_id == identity.device_id:
                continue
            if member.device_id in reached:
                via = reached[member.device_id].get("via")
                words = f"{member.device_id} is reached" + (f" through {via}" if via else "")
                found.append(_fine("peer", words))
                continue
            found.append(await self._peer(context, member))
        return found

    async def _peer(self, context: Any, member: Member) -> Finding:
        name, checked = member.device_id, f"{member.device_id} at {member.address or 'no address'}"
        host, port = split_address(member.address) if ":" in member.address else ("", 0)
        if not port:
            return _bad(
                "address",
                checked,
                f"The household knows no address of {name}.",
                f"Pair {name} again, or wait until it calls.",
            )
        why = await _connects(host, port)
        if why == "refused":
            return _bad(
                "peer",
                checked,
                f"The machine at {host} is there, but nothing listens at port {port}.",
                f"Start Hearthway on {name}. If it runs, a firewall there rejects port {port}.",
            )
        if why == "silent":
            return _bad(
                "firewall",
                checked,
                f"{host} does not answer at port {port}: nothing comes back, not even a refusal.",
                f"{name} is off or in another network, or a firewall drops port {port}: let TCP "
                f"{port} to {port + 2} in.",
            )
        if why:
            return _bad(
                "address",
                checked,
                f"There is no way to {host}: {why}.",
                "Are both in the same network? Check the address.",
            )
        health = await probe(context, name, member.address)
        if not health.ok:
            cause = "certificate" if "certificate" in health.problem else "address"
            cause = (
                "clock"
                if "clock" in health.next_step and "not valid yet" in health.problem
                else cause
            )
            return _bad(cause, checked, health.problem, health.next_step)
        if self._status:
            return _bad(
                "peer",
                checked,
                f"{name} answers and takes this device's certificate, but the two have no session.",
                f"Was this device revoked, or do versions differ? `hearthway status` on {name} says more.",
            )
        return _fine("peer", f"{checked} answers")

    # what it is told -------------------------------------------------------------------------------------------

    async def _positions(self) -> list[Finding]:
        """Positions too rough to see anybody move: usual for hours at rest, and wrong all day."""
        rough = self._status.get("rough")
        if not rough:
            return []
        if rough["sure_s"] is None and rough["lasts_s"] >= ROUGH_S:
            return [_bad("position", "positions", f"{rough['words']}.", rough["next"])]
        return [_fine("position", f"positions, for now rough: {rough['words']}")]

    def _is_venue(self) -> bool:
        return self._config is not None and self._config.node.role is Role.VENUE


async def _connects(host: str, port: int) -> str:
    """ "" when somebody listens; "refused", "silent", or the system's words."""
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return "silent"
    except ConnectionRefusedError:
        return "refused"
    except OSError as why:
        return why.strerror or str(why)
    writer.transport.abort()
    return ""


def _is_ours(host: str) -> bool:
    """Can this machine listen at that address?"""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe_socket:
            probe_socket.bind((host, 0))
    except OSError:
        return False
    return True


def examine(paths: NodePaths, told: Callable[[Finding], None]) -> list[Finding]:
    """Examine one node now; blocks for a few seconds at most a silent peer."""
    return asyncio.run(Doctor(paths, time.time()).examine(told))
