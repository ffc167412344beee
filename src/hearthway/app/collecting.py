"""What a node may take in at all: the owner's rules at the source, before anything is stored, learned or shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.records.errors import InputError
from hearthway.records.household import Role
from hearthway.records.signals import Fix, Signal
from hearthway.sense.catalogue import PHONE_POSITION, row_of

from .paths import NodePaths, write_private


def rules_of(paths: NodePaths) -> Rules:
    """The owner's rules of a node; the defaults are written down at its first start."""
    if not paths.rules.exists():
        write_private(paths.rules, default_rules().encode())
    return Rules.load(paths.rules)


def may_collect(rules: Rules, role: Role, key: str) -> bool:
    """May a node of that role take in signals of this key? Keys nobody knows pass: `normalise` refuses them in words."""
    return row_of(key) is None or rules.collects(key, role)


def collected(rules: Rules, role: Role, signals: Iterable[Signal]) -> list[Signal]:
    """The signals a node of that role may take in."""
    return [s for s in signals if may_collect(rules, role, s.key)]


def collected_fixes(
    rules: Rules, role: Role, fixes: Iterable[Fix], stem: str = PHONE_POSITION
) -> Iterator[Fix]:
    """Fixes as far as a node of that role may take them in; none where it may not have positions."""
    if not collects_positions(rules, role, stem):
        return
    speed = rules.collects(f"{stem}.Speed", role)
    accuracy = rules.collects(f"{stem}.Accuracy", role)
    for fix in fixes:
        if speed and accuracy:
            yield fix
        else:
            yield msgspec.structs.replace(
                fix,
                speed_mps=fix.speed_mps if speed else None,
                accuracy_m=fix.accuracy_m if accuracy else None,
            )


def collects_positions(rules: Rules, role: Role, stem: str = PHONE_POSITION) -> bool:
    """May a node of that role have both halves of a position?"""
    return all(rules.collects(f"{stem}.{axis}", role) for axis in ("Latitude", "Longitude"))


def check_positions(rules: Rules, role: Role) -> None:
    """InputError where the owner's rules collect no positions: then a history would be taken in for nothing."""
    if not collects_positions(rules, role):
        raise InputError(
            "Your rules collect no positions here, so a history cannot be taken in.",
            f'Name "{PHONE_POSITION}.*" in a [[collect]] of rules.toml; `hearthway rules explain` says more.',
        )


def left_out(before: int, after: int) -> str:
    """A clause for people of so many signals; empty where nothing was left out."""
    count = before - after
    return f"; {count:,} left out: your rules do not collect them" if count else ""
