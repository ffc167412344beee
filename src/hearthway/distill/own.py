"""Whose data a student may be taught from. Personal data need a rule of their owner for training, and stay on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING

from hearthway.records.errors import InputError, RuleDeniedError

if TYPE_CHECKING:
    from hearthway.mesh.policy.rules import Rules

    from .recipe import Source


class Origin(StrEnum):
    """What a source is made of."""

    PUBLIC = "public"
    SYNTHETIC = "synthetic"
    PERSONAL = "personal"


def check_sources(sources: Iterable[Source], rules: Rules | None) -> tuple[str, ...]:
    """Ids of the rules that let personal sources be learned from; RuleDeniedError where none does.

    `rules` is None where no node's data directory was named: then nothing personal may be used.
    """
    used = []
    for source in sources:
        if source.origin is not Origin.PERSONAL:
            continue
        if not source.key:
            raise InputError(
                f"The personal source {source.name!r} says no `key`.",
                'Add the key by which your rules know it, such as key = "Person.Asked".',
            )
        if rules is None:
            raise RuleDeniedError(
                f"{source.name!r} is personal, and no rules were named that let it be learned from.",
                "Name the node whose rules hold with --data DIR, or leave the source out.",
            )
        rule = rules.trained_by(key=source.key)
        if not rule:
            raise RuleDeniedError(
                f"Your rules do not let {source.key} be learned from, so {source.name!r} is not used.",
                f'Add it to a [[train]] table (keys = ["{source.key}"]), or leave the source out.',
            )
        used.append(rule)
    return tuple(used)


def check_teacher(sources: Iterable[Source], *, where: str, this_machine: bool) -> None:
    """RuleDeniedError where a teacher at `where`, an endpoint, would be told personal data and is another machine."""
    personal = [source.name for source in sources if source.origin is Origin.PERSONAL]
    if personal and not this_machine:
        raise RuleDeniedError(
            f"{', '.join(personal)}: personal data are told to no teacher on another machine, and {where} is one.",
            "Run the teacher on this machine (http://127.0.0.1:PORT), or leave the source out.",
        )
