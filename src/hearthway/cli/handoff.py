"""`hearthway handoff`: running tasks, where they are, and moving one to another node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hearthway.app.control import Control
from hearthway.records.errors import InputError

from .common import data_option, json_option, node, write_json


@click.command("handoff")
@click.argument("task", required=False)
@click.option("--to", help="Move it to this node, or to the one node of this role.")
@click.option("--done", is_flag=True, help="It is over.")
@click.option(
    "--navigate",
    nargs=3,
    type=(str, float, float),
    metavar="NAME LAT LON",
    help="Start a task: on the way to this place.",
)
@data_option
@json_option
def command(
    task: str | None,
    to: str | None,
    done: bool,
    navigate: tuple[str, float, float] | None,
    data: Path | None,
    json_to: Path | None,
) -> None:
    """List running tasks; or move TASK (its first letters do) to another node, or end it.

    A navigation target, a conversation or a suggestion that waits for its answer also goes along by itself: to
    the car when the drive begins, back to the phone when it ends.
    """
    if (to or done) and not task:
        raise InputError("Which task?", "`hearthway handoff` lists them with their ids.")
    if to and done:
        raise InputError("A task is moved or ended, not both.", "Leave out --to or --done.")
    with Control(node(data, "phone").socket, 30.0) as control:
        found: Any
        if navigate is not None:
            name, lat, lon = navigate
            found = control.ask("task-start", name=name, lat=lat, lon=lon)
        elif task and to:
            found = control.ask("task-hand", id=task, to=to)
        elif task and done:
            found = control.ask("task-done", id=task)
        else:
            found = control.ask("tasks")["tasks"]
            if task:
                found = [one for one in found if one["id"].startswith(task)]
    if json_to is not None:
        write_json(found, json_to)
        return
    for one in found if isinstance(found, list) else [found]:
        state = "over" if one["done"] else f"at {one['holder']}"
        click.echo(f"{one['id']}  {one['kind']:12} {state:16} {one['title']}")
    if found == []:
        click.echo("nothing runs")
