"""`hearthway import FILE --person NAME`: a location history into the phone."""

from __future__ import annotations

from pathlib import Path

import click

from hearthway.app.collecting import rules_of
from hearthway.app.config import load_config
from hearthway.app.control import Control, running
from hearthway.app.personal import import_file
from hearthway.mesh.state.store import Store

from .common import data_option, json_option, node, write_json


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--person", required=True, metavar="NAME", help="Whose history it is.")
@data_option
@json_option
def command(file: Path, person: str, data: Path | None, json_to: Path | None) -> None:
    """Take a history (Google's Records.json or Timeline.json, GPX, CSV, OwnTracks .rec, GeoLife .plt, a recording;
    packed or not) into this phone.

    What is stored already stays; the same fix twice is kept once. The file itself is not changed.
    """
    paths = node(data, "phone")
    if running(paths.socket):
        with Control(paths.socket, 3600.0) as control:
            found = control.ask("import", file=str(file.resolve()), name=person)
    else:
        config = load_config(paths.config)
        with Store.open(paths.database, node_id=config.node.id) as store:
            found = import_file(store, file, person, None, rules_of(paths))
    if json_to is not None:
        write_json(found, json_to)
        return
    click.echo(found["read"])
    click.echo(f"{found['fixes']:,} fixes are new, {found['duplicates']:,} were there already")
    if "places" in found:
        click.echo(f"learned: {found['places']} places, {found['trips']} trips")
