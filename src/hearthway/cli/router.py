"""`hearthway router`: what carries the household's sealed frames between two sites."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hearthway.app.control import Control

from .common import data_option, json_option, node, write_json


@click.group("router", invoke_without_command=True)
@data_option
@json_option
@click.pass_context
def command(context: click.Context, data: Path | None, json_to: Path | None) -> None:
    """Routers between sites: a machine that two sites reach, and that reads nothing of what it carries.

    Without a command: list them. Adding and removing is done on the home.
    """
    if context.invoked_subcommand is not None:
        return
    with Control(node(data, "home").socket) as control:
        found = control.ask("routers")
    if json_to is not None:
        write_json(found, json_to)
        return
    for router in found["routers"]:
        click.echo(router_line(router))
        if router["file_old"]:
            click.echo(
                f"  its file is older than the list of devices: hearthway router add {router['name']}"
            )
    if not found["routers"]:
        click.echo("no router is listed")


def router_line(router: dict[str, Any]) -> str:
    """One router for people."""
    state = "carries" if router["up"] else router["problem"] or "not in use"
    return f"router {router['name']} at {', '.join(router['addresses'])}: {state}"


@command.command()
@click.argument("name")
@click.option(
    "--address",
    "addresses",
    metavar="HOST:PORT",
    multiple=True,
    help="Where nodes reach it; once for each site.",
)
@click.option(
    "--listen",
    metavar="HOST:PORT",
    help="Where it listens, if not at the first address's port on its whole machine.",
)
@data_option
@json_option
def add(
    name: str,
    addresses: tuple[str, ...],
    listen: str | None,
    data: Path | None,
    json_to: Path | None,
) -> None:
    """On the home: list the router NAME and write its file, which the machine that runs it needs.

    Again for one that is listed: its file is written anew, with a certificate for another 365 days and for the devices
    of now; what is not said stays as it was.
    """
    with Control(node(data, "home").socket) as control:
        done = control.ask("router-add", name=name, addresses=list(addresses), listen=listen)
    if json_to is not None:
        write_json(done, json_to)
        return
    click.echo(f"router {name} is listed; its file (secret, 0600): {done['file']}")
    click.echo(f"On its machine: hearthway router run {Path(done['file']).name}")


@command.command()
@click.argument("name")
@data_option
@json_option
def remove(name: str, data: Path | None, json_to: Path | None) -> None:
    """On the home: the router NAME is trusted no more, by no node that hears of it."""
    with Control(node(data, "home").socket) as control:
        done = control.ask("router-remove", name=name)
    if json_to is not None:
        write_json(done, json_to)
        return
    click.echo(
        f"router {name} is out: nodes in reach have dropped it, the others do as they hear of it"
    )


@command.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--leash", is_flag=True, hidden=True, help="End when standard input ends.")
def run(file: Path, leash: bool) -> None:  # click's callback form
    """Be the router of FILE, which the home wrote, until Ctrl-C. No node is needed here."""
    import asyncio

    from hearthway.app.router_up import load_router, run_router

    router = load_router(file)

    def up() -> None:
        click.echo(f"router {router.name} is up at {router.listen}; Ctrl-C ends it")

    asyncio.run(run_router(router, leash=leash, up=up))
