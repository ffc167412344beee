"""`hearthway status`: who is there, how well, and what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hearthway.app.config import load_config
from hearthway.app.control import Control
from hearthway.records.errors import ConfigError

from .common import data_option, json_option, nodes, write_json


@click.command("status")
@data_option
@json_option
def command(data: Path | None, json_to: Path | None) -> None:
    """Each node found here: is it up, paired and healthy, and whom does it reach."""
    found: list[dict[str, Any]] = []
    for paths in nodes(data):
        config = load_config(paths.config)
        state: dict[str, Any] = {
            "node": config.node.id,
            "role": str(config.node.role),
            "data": str(paths.root),
        }
        try:
            with Control(paths.socket, 5.0) as control:
                state |= {"up": True, **control.ask("status")}
        except ConfigError:
            state |= {"up": False, "next": f"Start it with `hearthway up --data {paths.root}`."}
        found.append(state)
    if json_to is not None:
        write_json(found, json_to)
        return
    for state in found:
        click.echo(_line(state))
        if state.get("problem"):
            click.echo(f"  {state['problem']}")
        if state.get("next") and not state.get("healthy"):
            click.echo(f"  -> {state['next']}")
        for peer in state.get("peers", []):
            click.echo(
                f"  {peer['node']:12} {peer['role']:6} {'there' if peer['alive'] else 'not there'}"
            )


def _line(state: dict[str, Any]) -> str:
    if not state["up"]:
        return f"{state['node']} ({state['role']}): not running"
    if state["role"] == "venue":
        return f"{state['node']} (venue): up, serving its wait"
    if not state["paired"]:
        return f"{state['node']} ({state['role']}): up, not paired"
    return (
        f"{state['node']} ({state['role']}): up, {'healthy' if state['healthy'] else 'NOT healthy'}"
    )
