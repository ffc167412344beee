"""`hearthway import FILE --person NAME`: a location history or a calendar into the phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hearthway.app.calendar import is_calendar
from hearthway.app.collecting import rules_of
from hearthway.app.control import Control, running
from hearthway.app.owner import listed_in, stored_owner, stored_roster, to_import_for
from hearthway.app.personal import import_calendar_offline, import_file
from hearthway.mesh.state.store import Store

from .common import data_option, json_option, phone, write_json


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--person",
    required=True,
    metavar="NAME",
    help="Whose it is: the phone's owner; the first one becomes it.",
)
@data_option
@json_option
def command(file: Path, person: str, data: Path | None, json_to: Path | None) -> None:
    """Take a history (Google's Records.json or Timeline.json, GPX, CSV, OwnTracks .rec, GeoLife .plt, a recording;
    packed or not) or a calendar (.ics) into this phone.

    What is stored already stays; the same fix twice is kept once. Of a calendar the newer version of an entry
    counts. The file itself is not changed.
    """
    paths, config = phone(data)
    if running(paths.socket):
        with Control(paths.socket, 3600.0) as control:
            found = control.ask("import", file=str(file.absolute()), name=person)
    else:
        with Store.open(paths.database, node_id=config.node.id) as store:
            owner = stored_owner(store, paths, config.node.id)
            listed = listed_in(stored_roster(paths), config.node.id)
            person, person_id = to_import_for(owner, person, None, listed)
            if is_calendar(file):
                found = import_calendar_offline(store, file, person, config, rules_of(paths))
            else:
                found = import_file(store, file, person, person_id, rules_of(paths))
    if json_to is not None:
        write_json(found, json_to)
        return
    if is_calendar(file):
        click.echo(_calendar_words(found))
        return
    click.echo(found["read"])
    click.echo(f"{found['fixes']:,} fixes are new, {found['duplicates']:,} were there already")
    if "places" in found:
        click.echo(f"learned: {found['places']} places, {found['trips']} trips")


def _calendar_words(found: dict[str, Any]) -> str:
    count = found["entries"]
    words = f"{count:,} {'entry' if count == 1 else 'entries'} kept"
    for key, text in (
        ("older", "left as they are: newer here already"),
        ("gone", "no longer in this calendar, and gone"),
        ("unreadable", "left out: not readable"),
    ):
        if found[key]:
            words += f"; {found[key]:,} {text}"
    unknown = found["place_unknown"]
    return f"{words}\nto come: {found['coming']:,}, of which {unknown:,} without a known place"
