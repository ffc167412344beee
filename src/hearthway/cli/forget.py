"""`hearthway forget PERSON|PLACE|RANGE`: erase it, and all that was learned from it, on every node found here."""

from __future__ import annotations

from pathlib import Path

import click

from hearthway.app.offline import forget_everywhere, relearn_everywhere, scope_of, still_near
from hearthway.records.count import count_of, kinds_of
from hearthway.records.forgetting import ForgetReport

from .common import data_option, json_option, nodes, write_json


@click.command("forget")
@click.argument("what")
@click.option("--person", "of", metavar="NAME", help="For a place or a time: only this person's.")
@click.option(
    "--radius",
    "radius_m",
    type=click.FloatRange(10, 100_000),
    default=200.0,
    show_default=True,
    help="Metres around a place.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_option
@json_option
def command(
    what: str, of: str | None, radius_m: float, yes: bool, data: Path | None, json_to: Path | None
) -> None:  # click's callback form
    """WHAT is a person's name, a place as "LAT,LON" or by its learned id or label (home, work), or a time as
    "2025-11-01..2025-11-14": days or instants like 2025-11-01T18:00, by the clock of where that person was, or
    with a zone of their own (2025-11-01T18:00Z).

    Afterwards the models equal those learned without it, and no free page or log holds it. Nodes that are not
    in reach are told when they are. It cannot be undone.
    """
    found = nodes(data)
    scope, words = scope_of(found, what, of, radius_m)
    if not yes and not click.confirm(f"Erase {words} for good?", err=True):
        raise click.Abort
    reports = forget_everywhere(found, scope)
    if json_to is not None:
        write_json(reports, json_to)
    else:
        _tell(reports)  # before what may still fail: it is erased, whatever comes of the rest
    relearn_everywhere(found)
    near = still_near(found, scope)
    if near and json_to is None:
        click.echo(
            "What lies beyond the radius was kept: the ways that lead there may still tell of a stay near it."
            " Known near it:"
        )
        for line in near:
            click.echo(f"  {line}")
        click.echo("  -> Forgotten as days, it takes the ways along.")


def _tell(reports: dict[str, ForgetReport]) -> None:
    for name, report in reports.items():
        removed = kinds_of(dict(sorted(report.counts.items())))
        click.echo(
            f"{name:8} erased {removed or 'nothing'}; {count_of(len(report.erased), 'receipt')} erased by the owner"
        )
        if not report.clean:
            click.echo(
                "  the file is busy or the disk is full: its free pages are wiped when the node starts next"
            )
