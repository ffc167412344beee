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
from hearthway.records.count import count_of
from hearthway.records.errors import InputError

from .common import data_option, json_option, phone, write_json


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--person",
    required=True,
    metavar="NAME",
    help="Whose it is: the phone's owner; the first one becomes it.",
)
@click.option(
    "--holidays",
    is_flag=True,
    help="FILE is a calendar of days off: public holidays, or those of a school.",
)
@data_option
@json_option
def command(
    file: Path, person: str, holidays: bool, data: Path | None, json_to: Path | None
) -> None:
    """Take a history (Google's Records.json or Timeline.json, GPX, CSV, OwnTracks .rec, GeoLife .plt, a recording;
    packed or not) or a calendar (.ics) into this phone.

    What is stored already stays; the same fix twice is kept once. Of a calendar the newer version of an entry
    counts. The file itself is not changed.
    """
    if holidays and not is_calendar(file):
        raise InputError(f"{file} is no calendar.", "Give --holidays a file that ends in .ics.")
    paths, config = phone(data)
    if running(paths.socket):
        with Control(paths.socket, 3600.0) as control:
            found = control.ask("import", file=str(file.absolute()), name=person, holidays=holidays)
    else:
        with Store.open(paths.database, node_id=config.node.id) as store:
            owner = stored_owner(store, paths, config.node.id)
            listed = listed_in(stored_roster(paths), config.node.id)
            person, person_id = to_import_for(owner, person, None, listed)
            if is_calendar(file):
                found = import_calendar_offline(
                    store, file, person, config, rules_of(paths), holidays=holidays
                )
            else:
                found = import_file(store, file, person, person_id, rules_of(paths))
    if json_to is not None:
        write_json(found, json_to)
        return
    if is_calendar(file):
        click.echo(_calendar_words(found, holidays=holidays))
        return
    click.echo(found["read"])
    click.echo(
        f"{count_of(found['fixes'], 'fix is', 'fixes are')} new, {found['duplicates']:,} {'was' if found['duplicates'] == 1 else 'were'} there already"
    )
    if "places" in found:
        click.echo(
            f"learned: {count_of(found['places'], 'place')}, {count_of(found['trips'], 'trip')}"
        )


def _calendar_words(found: dict[str, Any], *, holidays: bool) -> str:
    count = found["entries"]
    words = f"{count_of(count, 'entry', 'entries')} kept"
    for key, text in (
        ("older", "left as they are: newer here already"),
        ("gone", "no longer in this calendar, and gone"),
        ("unreadable", "left out: not readable"),
        ("timed", "left out: not whole days"),
    ):
        if found[key]:
            words += f"; {found[key]:,} {text}"
    if found["learn"]:
        words += f"\ndays off known: {found['days_off']:,}; learned anew by them"
    if holidays:
        return words
    unknown = found["place_unknown"]
    return f"{words}\nto come: {found['coming']:,}, of which {unknown:,} without a known place"
