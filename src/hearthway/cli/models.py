"""`hearthway models`: which student serves each task; add one to the household, turn over, go back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hearthway.app.control import Control
from hearthway.app.model_words import lines_of
from hearthway.records.errors import InputError

from .common import data_option, json_option, node, write_json


@click.group("models", invoke_without_command=True)
@data_option
@json_option
@click.pass_context
def command(context: click.Context, data: Path | None, json_to: Path | None) -> None:
    """Which model serves each task on this node, what is being spread, and what is wrong.

    Without a command: list them. What the household uses is decided at the home.
    """
    if context.invoked_subcommand is not None:
        return
    with Control(node(data, "home").socket) as control:
        found = control.ask("models")
    if json_to is not None:
        write_json(found, json_to)
        return
    lines = [line for row in found["models"] for line in lines_of(row)]
    for line in lines or ["no model is here yet"]:
        click.echo(line)


@command.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--own",
    is_flag=True,
    help="Nobody signed it, or that does not count: the household stands by it.",
)
@click.option("--task", default="", help="With --own: what it is for, such as ask.")
@data_option
@json_option
def add(
    file: Path,
    own: bool,  # click's callback form
    task: str,
    data: Path | None,
    json_to: Path | None,
) -> None:
    """On the home: give FILE, signed by its FILE.sig, to the household.

    It is tried here, spread to every device and tried there; when all have it, or after a day, it serves.
    """
    _ask(data, json_to, "model-add", file=str(file.resolve()), own=own, task=task)


@command.command()
@click.argument("task")
@click.argument("model", required=False)
@data_option
@json_option
def use(task: str, model: str | None, data: Path | None, json_to: Path | None) -> None:
    """On the home: MODEL (the beginning of its identity, or `shipped`) serves TASK now.

    Without MODEL: the one that is being spread, without waiting for devices that are away.
    """
    _ask(data, json_to, "model-use", task=task, model=model or "")


@command.command()
@click.argument("task")
@data_option
@json_option
def back(task: str, data: Path | None, json_to: Path | None) -> None:
    """On the home: what is being spread for TASK is not turned over; or else what served before serves again."""
    _ask(data, json_to, "model-back", task=task)


def _ask(data: Path | None, json_to: Path | None, do: str, **fields: Any) -> None:
    from hearthway.app.config import load_config

    paths = node(data, "home")
    if load_config(paths.config).node.role.value != "home":
        raise InputError(
            "Which model the household uses is decided at the home.",
            "Run this on the home node. `hearthway models` lists them here as well.",
        )
    with Control(paths.socket, 180.0) as control:
        row = control.ask(do, **fields)
    if json_to is not None:
        write_json(row, json_to)
        return
    for line in lines_of(row):
        click.echo(line)
