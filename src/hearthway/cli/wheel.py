"""`hearthway wheel`: who drives, said on their phone, or on the car itself."""

from __future__ import annotations

from pathlib import Path

import click

from hearthway.app.control import Control

from .common import data_option, node


@click.command("wheel")
@click.option("--car", default="", help="Which car, where the household has several.")
@click.option(
    "--driver",
    metavar="PERSON",
    default="",
    help="On the car itself: this adult drives, by an id as `hearthway people` lists it.",
)
@data_option
def command(car: str, driver: str, data: Path | None) -> None:
    """Say on this phone that its owner drives: the car then tells of the drive to nobody else's phone.

    Needed only where phones of several people are with the car. The phone must be on a network that the car is on too;
    elsewhere, or where the car does not see that, say it on the car with --driver.
    """
    if driver:
        with Control(node(data, "car").socket, 30.0) as control:
            told = control.ask("wheel", person=driver)
        click.echo(f"{told['driver']} drives")
        return
    with Control(node(data, "phone").socket, 30.0) as control:
        told = control.ask("wheel", car=car)
    click.echo(f"{told['car']} knows that you drive")
