"""`hearthway stops`: what is on the way to where the car is driving."""

from __future__ import annotations

from pathlib import Path

import click

from hearthway.app.control import Control

from .common import data_option, json_option, node, write_json

KINDS = ("food", "charger", "shop", "parking")


@click.command("stops")
@click.argument("kind", type=click.Choice(KINDS), default="food")
@data_option
@json_option
def command(kind: str, data: Path | None, json_to: Path | None) -> None:
    """What is on the way to the car's navigation target, the smallest detour first.

    The detours are computed in the car or on the driver's phone, wherever they are there sooner; it says where.
    """
    with Control(node(data, "car").socket, 30.0) as control:
        found = control.ask("stops", kind=kind)
    if json_to is not None:
        write_json(found, json_to)
        return
    if not found["stops"]:
        click.echo(f"nothing on the way to {found['target']}")
        return
    for stop in found["stops"]:
        estimate = "" if stop["on_road"] else ", estimated off the map"
        click.echo(
            f"{stop['detour_s'] / 60:5.1f} min detour, there in {stop['reach_s'] / 60:.0f} min  "
            f"{stop['name']} ({stop['kind']}{estimate})"
        )
    click.echo(f"computed by {found['computed_by']} in {found['took_ms']:.0f} ms")
    for device, why in sorted(found["not_asked"].items()):
        click.echo(f"{device} was not asked: {why}")
