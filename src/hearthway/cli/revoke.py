"""`hearthway revoke DEVICE`: put a lost or sold device out of the household."""

from __future__ import annotations

from pathlib import Path

import click

from hearthway.app.control import Control
from hearthway.app.paths import NodePaths
from hearthway.records.errors import InputError

from .common import data_option, json_option, node, write_json


@click.command("revoke")
@click.argument("device")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_option
@json_option
def command(
    device: str,
    yes: bool,  # click's callback form
    data: Path | None,
    json_to: Path | None,
) -> None:
    """Put DEVICE (its id, as `hearthway status` lists it) out of the household, on the home or on an adult's phone.

    Every node that hears of it drops the device and seals everything under a new key, so that it reads nothing more,
    not through others either. What is on the device stays there. It cannot be undone; a device that comes back is
    paired anew.
    """
    paths = node(data, "home")
    if not yes:
        _check_listed(paths, device)  # nobody is asked about what there is not
        if not click.confirm(f"Put {device} out of the household for good?", err=True):
            raise click.Abort
    with Control(paths.socket) as control:
        done = control.ask("revoke", device=device)
    if json_to is not None:
        write_json(done, json_to)
        return
    click.echo(f"{device} is out: nodes in reach have dropped it, the others do as they hear of it")


def _check_listed(paths: NodePaths, device: str) -> None:
    with Control(paths.socket) as control:
        state = control.ask("status")
    listed = {state["node"], *(peer["node"] for peer in state.get("peers", []))}
    if state.get("paired") and device not in listed:
        raise InputError(
            f'No device of this household is called "{device}".', "`hearthway status` lists them."
        )
