"""`hearthway export PERSON`: everything held about a person, on every node found here."""

from __future__ import annotations

from pathlib import Path

import click

from hearthway.app.offline import export_everywhere
from hearthway.records.count import kinds_of

from .common import data_option, nodes


@click.command("export")
@click.argument("person")
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("hearthway-export"),
    show_default=True,
    help="Directory for one JSON file a node.",
)
@data_option
def command(person: str, target: Path, data: Path | None) -> None:
    """Write everything held about PERSON as JSON, one file a node (0600)."""
    for file, counts in export_everywhere(nodes(data), person, target):
        click.echo(f"{file}: {kinds_of(counts) or 'nothing'}")
