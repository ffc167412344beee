"""Nodes of one machine on loopback, where namespaces are not possible; and what both kinds of link share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Self

from msgspec import Struct

from hearthway.app.counters import Counters, read_counters
from hearthway.records.errors import ConfigError, MeshError

_MOST_NAMES = 100
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


class LanKind(StrEnum):
    """How nodes on one machine are joined."""

    ROOT = "network namespaces"
    USER = "network namespaces in a user namespace"
    LOOPBACK = "loopback"


class SinkEntry(Struct, frozen=True, kw_only=True):
    """Packets of one node towards one destination outside the link, as the sink saw them."""

    name: str
    destination: str
    protocol: str
    port: int
    packets: int


class Loopback:
    """The Lan interface where namespaces are not possible; `why` says so."""

    kind = LanKind.LOOPBACK
    namespaces = False

    def __init__(self, names: Sequence[str], why: str) -> None:
        self.names = checked_names(names)
        self.why = why

    def address(self, name: str) -> str:
        """127.0.0.1 for every node: ports tell them apart."""
        index_of(self.names, name)
        return "127.0.0.1"

    def prefix(self, name: str) -> list[str]:
        """Nothing: a command runs as it is."""
        index_of(self.names, name)
        return []

    def command(self, name: str, argv: Sequence[str]) -> list[str]:
        """The command unchanged."""
        return [*self.prefix(name), *argv]

    def cut(self, name: str) -> None:
        """Raises MeshError: loopback has no cable."""
        raise MeshError(f"There is no cable to cut on loopback: {self.why}.")

    def join(self, name: str) -> None:
        """Raises MeshError: loopback has no cable."""
        raise MeshError(f"There is no cable to join on loopback: {self.why}.")

    def counters(self, name: str) -> Counters:
        """The whole machine's counters; MeshError where the system shows none."""
        index_of(self.names, name)
        return counters_at(Path("/proc/self/net"))

    def sink_packets(self) -> int | None:
        """None: not measurable on loopback."""
        return None

    def sink_log(self) -> tuple[SinkEntry, ...]:
        """Empty: loopback has no sink."""
        return ()

    def close(self) -> None:
        """Nothing to undo."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def checked_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names, fit for a link; ConfigError otherwise."""
    bad = [name for name in names if not _NAME.fullmatch(name) or name in ("switch", "sink")]
    if bad or len(set(names)) != len(names) or not 1 <= len(names) <= _MOST_NAMES:
        raise ConfigError(
            f"Node names must be 1 to {_MOST_NAMES} different short words, not {', '.join(names) or 'none'}.",
            "Use lower-case letters, digits and hyphens; switch and sink are taken.",
        )
    return tuple(names)


def index_of(names: tuple[str, ...], name: str) -> int:
    """Where a name stands; ConfigError for an unknown one."""
    if name not in names:
        raise ConfigError(
            f"There is no node {name} on this link.", f"Use one of {', '.join(names)}."
        )
    return names.index(name)


def counters_at(proc_net: Path) -> Counters:
    """The counters below /proc/PID/net; MeshError where the system shows none."""
    try:
        return read_counters(proc_net)
    except (OSError, ValueError, IndexError) as error:
        raise MeshError(
            "This system shows no network counters.", "Counters need Linux and /proc."
        ) from error
