"""`hearthway calendar`: what this phone holds of a person's calendar, and which places it knows."""

from __future__ import annotations

from pathlib import Path

import click
from msgspec.structs import replace

from hearthway.app.calendar import calendar_lines, coming
from hearthway.app.clock import SystemClock
from hearthway.app.owner import stored_owner
from hearthway.app.paths import NodePaths
from hearthway.mesh.state.store import Store
from hearthway.records.count import count_of
from hearthway.records.errors import InputError
from hearthway.records.life import Person
from hearthway.records.localtime import zone_at

from .common import data_option, json_option, phone, write_json


@click.command("calendar")
@click.option("--person", metavar="NAME", help="Whose. Default: whose phone it is.")
@click.option(
    "--days", type=click.IntRange(1, 366), default=7, show_default=True, help="How far ahead."
)
@data_option
@json_option
def command(person: str | None, days: int, data: Path | None, json_to: Path | None) -> None:
    """What the calendar on this phone has next. `hearthway import FILE.ics --person NAME` brings it in.

    An entry whose place is unknown is never spoken of. Days off are told as well (`hearthway import FILE.ics --holidays`).
    """
    paths, config = phone(data)
    with Store.open(paths.database, node_id=config.node.id) as store:
        whose = _whose(store, paths, config.node.id, person)
        fix = store.last_fix(whose.person_id)
        zone = None if fix is None else zone_at(fix.lat, fix.lon)
        found = coming(store, whose, SystemClock().now_s(), days, zone, off=None)
    if json_to is not None:
        # The store keeps two calendars' events of one UID apart by a key of its own.
        write_json([replace(one, uid=one.uid.partition("\n")[0]) for one in found], json_to)
        return
    for line in calendar_lines(found, (0.0, 0.0) if fix is None else (fix.lat, fix.lon)):
        click.echo(line)
    if not found:
        click.echo(f"nothing in the next {count_of(days, 'day') if days > 1 else 'day'}")


def _whose(store: Store, paths: NodePaths, node_id: str, name: str | None) -> Person:
    """Who is named, else whose phone it is."""
    if name is not None:
        return store.person(name)
    owner = stored_owner(store, paths, node_id)
    if owner is None:
        raise InputError(
            "Nobody lives on this phone yet.", "Run `hearthway import FILE --person NAME`."
        )
    return owner
