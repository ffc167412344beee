"""`hearthway wheel`: this phone's owner drives."""

from __future__ import annotations

from pathlib import Path

import click

from hearthway.app.control import Control

from .common import data_option, node


@click.command("wheel")
@click.option("--car", default="", help="Which car, where the household has several.")
@data_option
def command(car: str, data: Path | None) -> None:
    """Say on this phone that its owner drives: the car then tells of the drive to nobody else's phone.

    Needed only where phones of several people are in the car's reach.
    """
    with Control(node(data, "phone").socket, 30.0) as control:
        told = control.ask("wheel", car=car)
    click.echo(f"{told['car']} knows that you drive")
