"""`hearthway pair`: on the home, let a device in; on a device, join."""

from __future__ import annotations

from pathlib import Path

import click

from hearthway.app.config import load_config
from hearthway.app.control import Control
from hearthway.records.errors import InputError

from .common import data_option, node


@click.command("pair")
@click.argument("address", required=False)
@click.argument("code", required=False)
@data_option
def command(address: str | None, code: str | None, data: Path | None) -> None:
    """On the home node, without arguments: show a code that lets one device in.

    On the device that joins: ADDRESS (host:port) and CODE, as the home shows them. Both nodes must be up.
    """
    paths = node(data, "home" if address is None else None)
    role = str(load_config(paths.config).node.role)
    with Control(paths.socket) as control:
        if address is None:
            if role != "home":
                raise InputError(
                    "Codes are shown on the home node.",
                    "Run `hearthway pair` there, then `hearthway pair ADDRESS CODE` here.",
                )
            offer = control.ask("pair-open")
            click.echo(f"code {offer['code'][:3]} {offer['code'][3:]}   at {offer['address']}")
            click.echo(
                f"On the device that joins: hearthway pair {offer['address']} {offer['code']}"
            )
            click.echo("Good for one device, five tries and ten minutes.")
            return
        if code is None:
            code = click.prompt("The code that the home shows", type=str)
        answer = control.ask("pair", address=address, code=code)
    click.echo(f"paired: this {role} belongs to the household {answer['household']!r}")
