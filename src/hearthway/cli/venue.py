"""`hearthway venue`: a restaurant's tablet says its wait; a phone follows the venues its person chose."""

from __future__ import annotations

from pathlib import Path

import click

from hearthway.app.control import Control

from .common import data_option, node


@click.group("venue")
def command() -> None:
    """Waits told by the places themselves, signed with their own keys."""


@command.command()
@click.argument("minutes", type=click.FloatRange(0, 1440))
@click.option(
    "--valid", "valid_min", type=click.FloatRange(1, 1440), help="For how many minutes it holds."
)
@data_option
def wait(minutes: float, valid_min: float | None, data: Path | None) -> None:
    """On the venue's node: the wait now is MINUTES."""
    with Control(node(data, "venue").socket) as control:
        control.ask("wait", minutes=minutes, valid_min=valid_min)
    click.echo(f"said: {minutes:g} min")


@command.command()
@data_option
def code(data: Path | None) -> None:
    """On the venue's node: the code that guests follow, for a QR code or for typing."""
    with Control(node(data, "venue").socket) as control:
        click.echo(control.ask("code")["code"])


@command.command()
@click.argument("venue_code", metavar="CODE")
@data_option
def follow(venue_code: str, data: Path | None) -> None:
    """On the phone's node: follow the venue of CODE."""
    with Control(node(data, "phone").socket) as control:
        followed = control.ask("follow", code=venue_code)
    click.echo(f"following {followed['name']} ({followed['osm_id']})")
