"""Every need is one folder here, with its `NEED` in `need.py`. They are found by looking: nothing lists them."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from hearthway.assist.shape import AnyNeed, Need
from hearthway.assist.silences import SILENCES


@cache
def found() -> tuple[AnyNeed, ...]:
    """The needs of this installation, by name; TypeError for a folder that is none."""
    names = sorted(module.name for module in iter_modules(__path__) if module.ispkg)
    needs = tuple(_need(name) for name in names)
    owner: dict[str, str] = {}
    for need in needs:
        for topic in need.topics:
            if owner.setdefault(topic, need.name) != need.name:
                raise TypeError(
                    f'The needs {owner[topic]} and {need.name} both have the topic "{topic}". '
                    "Give one of them another: what was said is remembered by its topic."
                )
    return needs


def _need(name: str) -> AnyNeed:
    need = getattr(import_module(f"{__name__}.{name}.need"), "NEED", None)
    if not isinstance(need, Need) or need.name != name:
        raise TypeError(
            f'needs/{name}/need.py has no NEED named "{name}". '
            "Make it a hearthway.assist.shape.Need with the folder's name."
        )
    return need


def of_topic(topic: str) -> AnyNeed | None:
    """The need that speaks of `topic`; None where it has been removed since."""
    return next((need for need in found() if topic in need.topics), None)


def silence_words() -> dict[str, dict[str, str]]:
    """Code -> {"" for the gate, else the need's name: its words}, the gate's first."""
    table = {code: {"": words} for code, words in SILENCES.items()}
    for need in found():
        for code, words in need.silences.items():
            table.setdefault(code, {})[need.name] = words
    return table
