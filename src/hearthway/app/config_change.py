"""Settings that the command line gives, taken into node.toml as it stands: comments and everything else stay."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from hearthway.records.errors import ConfigError

from .config import Config, parse_config, validated
from .paths import NodePaths, write_private

Changes = Mapping[tuple[str, str], str]  # (table, key) -> text
SOURCE = "The command line"


def with_changes(config: Config, changes: Changes) -> Config:
    """`config` with those settings; ConfigError for a value that is not usable."""
    for (table, key), value in changes.items():
        kept = msgspec.structs.replace(getattr(config, table), **{key: value})
        config = msgspec.structs.replace(config, **{table: kept})
    return validated(config, SOURCE)


def change_config(paths: NodePaths, config: Config, changes: Changes) -> list[str]:
    """Write what of `changes` differs into node.toml; a line for each. ConfigError leaves the file as it is."""
    wanted = with_changes(config, changes)
    differ = {
        (table, key): value
        for (table, key), value in changes.items()
        if getattr(getattr(config, table), key) != value
    }
    if not differ:
        return []
    text = paths.config.read_text(encoding="utf-8")
    for (table, key), value in differ.items():
        text = _set(text, table, key, value)
    if not _says(text, wanted):
        settings = " and ".join(f"{table}.{key}" for table, key in differ)
        raise ConfigError(
            f"{paths.config} is written in a form that only you can change.",
            f"Set {settings} in it yourself, and leave the option out.",
        )
    write_private(paths.config, text.encode())
    return [
        f"{table}.{key} is {value} from now on (node.toml)"
        for (table, key), value in differ.items()
        if key != "token"
    ]


def _says(text: str, wanted: Config) -> bool:
    try:
        return parse_config(text, SOURCE) == wanted
    except ConfigError:
        return False


def _set(text: str, table: str, key: str, value: str) -> str:
    """`text` with that line changed or added, by the common form of TOML; `_says` finds what that was wrong for."""
    import tomli_w

    told = tomli_w.dumps({key: value}).strip()
    lines = text.splitlines()
    header = re.compile(rf"\s*\[\s*{table}\s*\]\s*(#.*)?")
    start = next((n for n, line in enumerate(lines) if header.fullmatch(line)), None)
    if start is None:
        return "\n".join([*lines, "", f"[{table}]", told]) + "\n"
    there = re.compile(rf"\s*{key}\s*=\s*(\"[^\"\\]*\"|'[^']*')\s*(#.*)?")
    for n in range(start + 1, len(lines)):
        if lines[n].lstrip().startswith("["):
            break
        found = there.fullmatch(lines[n])
        if found:
            lines[n] = told + (f"  {found[2]}" if found[2] else "")
            return "\n".join(lines) + "\n"
    lines.insert(start + 1, told)
    return "\n".join(lines) + "\n"
