"""`hearthway answer ID KIND`: what the person did with a suggestion."""

from __future__ import annotations

from pathlib import Path

import click

from hearthway.app.config import load_config
from hearthway.app.control import Control, running
from hearthway.app.offline import answer_offline
from hearthway.records.suggestion import AnswerKind

from .common import data_option, node


@click.command("answer")
@click.argument("suggestion_id", metavar="ID")
@click.argument(
    "kind", type=click.Choice([kind.value for kind in AnswerKind if kind is not AnswerKind.IGNORED])
)
@click.option(
    "--poi", "osm_id", default="", metavar="OSM_ID", help="Which of the options is meant."
)
@data_option
def command(suggestion_id: str, kind: str, osm_id: str, data: Path | None) -> None:
    """Answer a suggestion (its id may be shortened). Later ranking and timing learn from it.

    accept: going there. dismiss: not useful. not-now: ask another time. never-here: do not show that POI again.
    """
    paths = node(data, "phone")
    if running(paths.socket):
        with Control(paths.socket) as control:
            answered = control.ask("answer", id=suggestion_id, kind=kind, osm_id=osm_id)["id"]
    else:
        answered = answer_offline(paths, load_config(paths.config), suggestion_id, kind, osm_id)
    click.echo(f"{kind}: noted for {answered[:12]}")
