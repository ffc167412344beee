"""`hearthway setting [KEY [VALUE]]`: what the whole household has set, the same on every node."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from hearthway.app.config import load_config
from hearthway.app.control import Control, running
from hearthway.app.state import get_offline, parsed, set_offline
from hearthway.records.errors import InputError

from .common import data_option, json_option, node, write_json

PREFIX = "Setting."


@click.command("setting")
@click.argument("key", required=False, default="")
@click.argument("value", required=False)
@data_option
@json_option
def command(key: str, value: str | None, data: Path | None, json_to: Path | None) -> None:
    """List the household's settings, show those that begin with KEY, or set KEY to VALUE.

    Keys begin with "Setting.", such as Setting.Home.Arrival.Temperature. VALUE: a number, true, false or a text.
    """
    if key and not key.startswith(PREFIX):
        raise InputError(f"{key} is no setting.", f"Settings begin so: {PREFIX}{key}")
    paths = node(data, "phone")
    config = load_config(paths.config)
    if value is not None:
        if running(paths.socket):
            with Control(paths.socket) as control:
                control.ask("set", key=key, value=parsed(value))
        else:
            set_offline(paths, config, key, parsed(value), time.time)
        click.echo(f"{key} = {parsed(value)}")
        return
    if running(paths.socket):
        with Control(paths.socket) as control:
            found: list[dict[str, Any]] = control.ask("get", key=key or PREFIX)["registers"]
    else:
        found = get_offline(paths, config, key or PREFIX, time.time())
    if json_to is not None:
        write_json(found, json_to)
        return
    for one in found:
        click.echo(_line(one))
    if not found:
        click.echo(f"Nothing is set{f' under {key}' if key else ' yet'}.")


def _line(one: dict[str, Any]) -> str:
    value = one["value"]
    text = ("true" if value else "false") if isinstance(value, bool) else value
    age = "age unknown" if one["age_s"] is None else f"{_ago(one['age_s'])} ago"
    line = f"{one['key']} = {text}  ({age}, by {one['source']})"
    return f"{line}  STALE: not to be relied on" if one["stale"] else line


def _ago(seconds: float) -> str:
    for unit, size in (("days", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
