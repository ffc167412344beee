"""`hearthway places`: the places of a life, and what their owner says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hearthway.app.config import load_config
from hearthway.app.control import Control, running
from hearthway.app.places import act_offline, place_lines
from hearthway.records.count import count_of
from hearthway.records.errors import InputError
from hearthway.records.household import Role

from .common import data_option, json_option, node, write_json

TIMEOUT_S = 600.0  # a long history may have to be learned again
_person = click.option(
    "--person", metavar="NAME", help="Whose. A phone keeps its owner's places only."
)
_place = click.argument("place_id", metavar="ID")
_clear = click.option("--clear", is_flag=True, help="Take it back: habit says it again.")


@click.group("places", invoke_without_command=True)
@_person
@data_option
@json_option
@click.pass_context
def command(
    context: click.Context, person: str | None, data: Path | None, json_to: Path | None
) -> None:
    """Where this phone's owner stays again and again, found from the history; nothing is typed in.

    Without a command: list them. ID is a place's id there, its name, or home or work. What you say is kept on this
    phone, and survives learning anew.
    """
    if context.invoked_subcommand is not None:
        return
    found = _ask(data, {"what": "list", "person": person})
    if json_to is not None:
        write_json(found, json_to)
        return
    for line in place_lines(found["places"]):
        click.echo(line)
    if not found["places"]:
        click.echo("no place yet: a stay of 20 minutes makes one")


@command.command()
@_place
@click.argument("name", required=False)
@_clear
@_person
@data_option
@json_option
def name(
    place_id: str,
    name: str | None,
    clear: bool,  # click's callback form
    person: str | None,
    data: Path | None,
    json_to: Path | None,
) -> None:
    """Call a place NAME, wherever it is spoken of. An empty NAME or --clear takes the name back."""
    if clear and name:
        raise InputError("A name and --clear were given.", "Give one of the two.")
    if name is None and not clear:
        raise InputError("No name was given.", "Say it behind the id; --clear takes a name back.")
    done = _ask(
        data,
        {
            "what": "name",
            "id": place_id,
            "name": name or "",
            "clear": clear or not name,
            "person": person,
        },
    )
    given = f"is called {done['name']}" if done["name"] else "has no name of yours any more"
    _say(done, json_to, f"{done['id']} {given}")


@command.command()
@_place
@_clear
@_person
@data_option
@json_option
def home(
    place_id: str,
    clear: bool,  # click's callback form
    person: str | None,
    data: Path | None,
    json_to: Path | None,
) -> None:
    """This place is home, whatever habit says, until --clear or until you say it of another."""
    _lived("home", place_id, clear, person, data, json_to)


@command.command()
@_place
@_clear
@_person
@data_option
@json_option
def work(
    place_id: str,
    clear: bool,  # click's callback form
    person: str | None,
    data: Path | None,
    json_to: Path | None,
) -> None:
    """This place is work, whatever habit says, until --clear or until you say it of another."""
    _lived("work", place_id, clear, person, data, json_to)


@command.command()
@_place
@click.argument("into", metavar="INTO")
@_person
@data_option
@json_option
def merge(
    place_id: str, into: str, person: str | None, data: Path | None, json_to: Path | None
) -> None:
    """Make the place ID a part of INTO, which keeps its id; at most 2 km apart."""
    done = _ask(data, {"what": "merge", "id": place_id, "into": into, "person": person})
    _say(
        done,
        json_to,
        f"{place_id} is a part of {done['id']} now, with {count_of(done['visits'], 'visit')}",
    )


@command.command()
@_place
@_person
@data_option
@json_option
def split(place_id: str, person: str | None, data: Path | None, json_to: Path | None) -> None:
    """Make two places of ID, where its stays form two clusters; the one with more stays keeps the id."""
    done = _ask(data, {"what": "split", "id": place_id, "person": person})
    _say(
        done,
        json_to,
        f"{done['new']} is a place of its own now, {done['apart_m']} m from {done['id']}",
    )


def _lived(
    kind: str,
    place_id: str,
    clear: bool,
    person: str | None,
    data: Path | None,
    json_to: Path | None,
) -> None:
    done = _ask(data, {"what": kind, "id": place_id, "clear": clear, "person": person})
    said = f"{done['id']} is {kind} until you say otherwise"
    _say(done, json_to, f"habit says again what {done['id']} is" if clear else said)


def _ask(data: Path | None, request: dict[str, Any]) -> dict[str, Any]:
    paths = node(data, "phone")
    role = load_config(paths.config).node.role
    if role is not Role.PHONE:
        raise InputError(
            f"{paths.root.name} is a {role.value}: it knows nobody's places.",
            "Run this on the phone, or name its directory with --data DIR.",
        )
    if not running(paths.socket):
        return act_offline(paths, request)
    with Control(paths.socket, TIMEOUT_S) as control:
        return control.ask("places", **request)


def _say(done: dict[str, Any], json_to: Path | None, line: str) -> None:
    if json_to is not None:
        write_json(done, json_to)
    else:
        click.echo(line)
