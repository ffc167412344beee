"""`hearthway venue`: a restaurant's tablet says its wait; a phone follows the venues its person chose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hearthway.app.control import Control

from .common import data_option, json_option, node, write_json

NUMBER = click.IntRange(1, 2**53 - 1)


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
    """On the venue's node: the wait now is MINUTES, whatever its own count says."""
    with Control(node(data, "venue").socket) as control:
        control.ask("wait", minutes=minutes, valid_min=valid_min)
    click.echo(f"said: {minutes:g} min")


@command.command()
@click.argument("size", type=click.IntRange(1, 100))
@click.option("--seated", is_flag=True, help="They sit down at once.")
@data_option
def arrive(size: int, seated: bool, data: Path | None) -> None:
    """On the venue's node: a party of SIZE comes, and waits for a table."""
    with Control(node(data, "venue").socket) as control:
        party = control.ask("arrive", size=size, seated=seated)["party"]
    click.echo(f"party {party} of {size} {'sits' if seated else 'waits'}")


@command.command()
@click.argument("party", type=NUMBER)
@data_option
def seat(party: int, data: Path | None) -> None:
    """On the venue's node: PARTY, which waits, sits down."""
    with Control(node(data, "venue").socket) as control:
        control.ask("seat", party=party)
    click.echo(f"party {party} sits")


@command.command()
@click.argument("party", type=NUMBER)
@data_option
def leave(party: int, data: Path | None) -> None:
    """On the venue's node: PARTY leaves its table, or gives up waiting."""
    with Control(node(data, "venue").socket) as control:
        seated = control.ask("leave", party=party)["seated"]
    click.echo(f"party {party} left {'its table' if seated else 'the queue'}")


@command.command()
@json_option
@data_option
def queue(json_to: Path | None, data: Path | None) -> None:
    """On the venue's node: who waits, who sits, and which wait is expected."""
    with Control(node(data, "venue").socket) as control:
        seen = control.ask("queue")
    if json_to is not None:
        write_json(seen, json_to)
        return
    for word in ("waiting", "seated"):
        click.echo(f"{word}: {len(seen[word])}")
        for one in seen[word]:
            click.echo(f"  party {one['party']} of {one['size']}, {one['since_min']} min")
    for line in _expected(seen):
        click.echo(line)


def _expected(seen: dict[str, Any]) -> list[str]:
    lines = ["told to guests: the wait you typed"] if seen["typed"] else []
    if seen["unknown"]:
        return [*lines, f"expected wait: unknown ({seen['unknown']})"]
    return [
        *lines,
        "expected wait of a party of two (8 in 10 lie between):",
        *(
            f"  in {at['in_min']:>2} min  {at['wait_min']:>3} min ({at['low_min']}-{at['high_min']})"
            for at in seen["ahead"]
        ),
    ]


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
