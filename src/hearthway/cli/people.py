"""`hearthway people`: who is in the household, and whose each device is."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from hearthway.app.control import Control
from hearthway.app.paths import NodePaths
from hearthway.records.errors import HearthwayError, InputError

from .common import data_option, json_option, node, write_json

KINDS = ("adult", "child", "guest")
ERASED_S = 60.0  # a node ends within seconds; a large database takes longer to overwrite
_kind = click.option("--kind", type=click.Choice(KINDS), required=True, help="What they are here.")
_until = click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]),
    help="For a guest: when the stay ends, in local time; a day alone is that day's end.",
)
_yes = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group("people", invoke_without_command=True)
@data_option
@json_option
@click.pass_context
def command(context: click.Context, data: Path | None, json_to: Path | None) -> None:
    """Who is in the household, by the random ids that their phones gave them; names stay on their phones.

    Without a command: list them. Adding, changing and removing is done on the home.
    """
    if context.invoked_subcommand is not None:
        return
    with Control(node(data, "home").socket) as control:
        found = control.ask("people")
    if json_to is not None:
        write_json(found, json_to)
        return
    for line in _lines(found):
        click.echo(line)


def _lines(found: dict[str, Any]) -> list[str]:
    lines = []
    for one in found["people"]:
        name = f" ({one['name']})" if one["name"] else ""
        mine = ", this phone's owner" if one["person"] == found["owner"] else ""
        until = ""
        if one["until_s"]:
            until = f" until {datetime.fromtimestamp(one['until_s'], UTC):%Y-%m-%d %H:%M} UTC"
        devices = ", ".join(one["devices"]) or "no device"
        lines.append(f"{one['person']}{name}: {one['kind']}{until}{mine}; {devices}")
    lines += [f"{one['device']} ({one['role']}): nobody's" for one in found["nobodys"]]
    for one in found["asked"]:
        lines.append(
            f"{one['device']} says that it is {one['person']}'s. If that is so:"
            f" hearthway people add {one['person']} --kind adult (or child, guest)"
        )
    return lines or ["nobody is listed yet"]


@command.command()
@click.argument("person")
@_kind
@_until
@data_option
@json_option
def add(
    person: str, kind: str, until: datetime | None, data: Path | None, json_to: Path | None
) -> None:
    """On the home: take PERSON in, with the devices that say they are theirs."""
    done = _ask(data, "people-add", person=person, kind=kind, **_end(kind, until))
    devices = ", ".join(done["devices"]) or "no device yet"
    _say(done, json_to, f"{done['person']} is {_a(kind)} of the household; {devices}")


@command.command(name="set")
@click.argument("person")
@_kind
@_until
@data_option
@json_option
def set_(
    person: str, kind: str, until: datetime | None, data: Path | None, json_to: Path | None
) -> None:
    """On the home: say what PERSON is from now on."""
    done = _ask(data, "people-set", person=person, kind=kind, **_end(kind, until))
    _say(done, json_to, f"{done['person']} is {_a(kind)} of the household")


@command.command()
@click.argument("person")
@_yes
@data_option
@json_option
def remove(
    person: str,
    yes: bool,  # click's callback form
    data: Path | None,
    json_to: Path | None,
) -> None:
    """On the home: PERSON leaves. Their devices are put out; every other node erases what it holds about them."""
    if not yes and not click.confirm(
        f"Put {person} and all their devices out, and erase what is about them on the others?",
        err=True,
    ):
        raise click.Abort
    done = _ask(data, "people-remove", person=person)
    devices = ", ".join(done["devices"]) or "none"
    _say(done, json_to, f"{done['person']} has left; devices put out: {devices}")


@command.command()
@click.argument("device")
@click.argument("person", required=False)
@click.option("--shared", is_flag=True, help="It belongs to nobody: all share it.")
@click.option(
    "--erase",
    is_flag=True,
    help="For the home itself, where it is somebody's: erase what it holds about them first.",
)
@data_option
@json_option
def assign(
    device: str,
    person: str | None,
    shared: bool,  # click's callback form
    erase: bool,
    data: Path | None,
    json_to: Path | None,
) -> None:
    """On the home: DEVICE, which is nobody's, belongs to PERSON.

    One that is somebody's holds what is theirs, so it is not made another's: `hearthway people hand-down` on it first.
    """
    if shared == bool(person):
        raise InputError("Whose is it?", "Name a person, or say --shared.")
    done = _ask(data, "people-assign", device=device, person=person or "", erase=erase)
    _say(done, json_to, f"{device} belongs to {done['person'] or 'nobody: all share it'}")


@command.command(name="hand-down")
@click.option(
    "--export",
    "target",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write everything held here about its owner there first, as `hearthway export` does.",
)
@click.option("--no-export", is_flag=True, help="Nothing is to be kept.")
@_yes
@data_option
@json_option
def hand_down(
    target: Path | None,
    no_export: bool,  # click's callback form
    yes: bool,
    data: Path | None,
    json_to: Path | None,
) -> None:
    """On a phone or car that somebody else is to have: erase it, and take it out of the household.

    Its history, what was learned, receipts, keys, grants and consents given on it go; rules and addresses stay. Then
    it is started and paired as on its first day, whoever it is for.
    """
    if no_export == (target is not None):
        raise InputError(
            "Everything that this device holds is erased.",
            "Say --export DIR to have it as files first, or --no-export.",
        )
    paths = node(data, "phone")
    with Control(paths.socket) as control:
        files = [] if target is None else _export(paths, control.ask("people"), target)
        if not yes and not click.confirm("Erase everything on this device?", err=True):
            raise click.Abort
        done = control.ask("people-hand-down")
    _until_erased(paths)
    line = "it is erased and in no household; `hearthway up` and `hearthway pair` begin anew"
    _say({**done, "files": files}, json_to, f"{done['device']}: {line}")


def _export(paths: NodePaths, found: dict[str, Any], target: Path) -> list[str]:
    """What is held here about the owner; nobody's device holds nothing that is one person's alone."""
    from hearthway.app.config import load_config
    from hearthway.app.offline import export_everywhere

    me = load_config(paths.config).node.id
    mine = next((one["person"] for one in found["people"] if me in one["devices"]), "")
    owner = found["owner"] or mine
    if not owner:
        raise InputError(
            "This device is nobody's, so there is no person whose data could be exported.",
            "Say --no-export, or run `hearthway export PERSON` before.",
        )
    return [str(file) for file, _ in export_everywhere([paths], owner, target)]


def _until_erased(paths: NodePaths) -> None:
    from hearthway.app.wiping import is_handed_down

    for _ in range(int(ERASED_S / 0.05)):
        if not is_handed_down(paths):
            return
        time.sleep(0.05)
    raise HearthwayError(
        f"{paths.root} is not erased yet: its node has not ended.",
        "Stop it and run `hearthway up`: it erases before anything else.",
    )


@command.command()
@_yes
@data_option
@json_option
def leave(
    yes: bool,  # click's callback form
    data: Path | None,
    json_to: Path | None,
) -> None:
    """On your phone: leave the household, with all your devices. Your phone keeps your data and works alone.

    Every other node erases what it holds about you. `hearthway export` before or after gives you your data as files.
    """
    if not yes and not click.confirm(
        "Leave the household with all your devices? What is yours stays on this phone.", err=True
    ):
        raise click.Abort
    with Control(node(data, "phone").socket) as control:
        done = control.ask("people-leave")
    _say(
        done, json_to, f"left; devices put out: {', '.join(done['devices'])}. Your data stays here"
    )


def _ask(data: Path | None, do: str, **fields: Any) -> dict[str, Any]:
    from hearthway.app.config import load_config

    paths = node(data, "home")
    if load_config(paths.config).node.role.value != "home":
        raise InputError(
            "Who is in the household is decided at the home.",
            "Run this on the home node. `hearthway people` lists them here as well.",
        )
    with Control(paths.socket) as control:
        return control.ask(do, **fields)


def _say(done: dict[str, Any], json_to: Path | None, line: str) -> None:
    if json_to is not None:
        write_json(done, json_to)
    else:
        click.echo(line)


def _end(kind: str, until: datetime | None) -> dict[str, float]:
    if until is None:
        return {}
    if kind != "guest":
        raise InputError("Only a guest's stay has an end.", "Leave out --until.")
    if until.hour == until.minute == 0:
        until = until.replace(hour=23, minute=59, second=59)
    return {"until_s": until.timestamp()}


def _a(kind: str) -> str:
    return "an adult" if kind == "adult" else f"a {kind}"
