"""`hearthway backtest`: what would have been said on a person's own past days, and how well it was foreseen."""

from __future__ import annotations

from contextlib import closing, nullcontext
from pathlib import Path

import click

from hearthway.app.collecting import rules_of
from hearthway.app.config import MapTable
from hearthway.app.dial import replay_dials
from hearthway.app.maps import atlas_for, open_atlas
from hearthway.app.offline import opened
from hearthway.app.paths import data_root, write_private
from hearthway.app.ranking import ranker_of
from hearthway.app.speaker import each_dial
from hearthway.assist.settings import Dial
from hearthway.atlas.store import Atlas
from hearthway.learn.backtest import BacktestReport, backtest, backtest_file, report_lines
from hearthway.learn.dials import from_log
from hearthway.learn.regions import Region
from hearthway.learn.report_page import report_page
from hearthway.mesh.state.place_words import place_words
from hearthway.records.errors import InputError
from hearthway.records.page import MapShapes
from hearthway.web.shapes import MAX_POINTS, MapDrawer

from .common import (
    counted,
    data_option,
    dial_option,
    json_option,
    map_option,
    not_over,
    page_option,
    phone,
    uncounted,
    write_json,
)

STREET_POINTS = 60_000  # of all maps on a page: about 400 kB


@click.command("backtest")
@click.argument("history", required=False, type=click.Path(path_type=Path))
@map_option
@dial_option
@data_option
@json_option
@page_option
def command(
    history: Path | None,
    map_file: Path | None,
    dial: str,
    data: Path | None,
    json_to: Path | None,
    html_to: Path | None,
) -> None:
    """Walk forward through HISTORY, or through what this phone holds: each trip from what came before it only.

    With a map it also tells what quiet, normal and eager would each have meant on these days.
    """
    if history is not None:
        run(history, map_file, json_to, dial=dial, html_to=html_to)
        return
    _apart(None, map_file, json_to, html_to)
    paths, config = phone(data)
    table = (
        config.map
        if map_file is None
        else MapTable(atlas=str(atlas_for(map_file, data_root() / "maps")))
    )
    atlas = open_atlas(table)
    with closing(atlas) if atlas else nullcontext(), opened(paths) as (store, _):
        people = store.persons()
        if not people:
            raise InputError(
                "This phone holds nobody's history.",
                "`hearthway import FILE --person NAME` adds one.",
            )
        rules, ranker = rules_of(paths), ranker_of(paths)
        report = backtest(
            {person.name: (lambda one=person.person_id: store.fixes(one)) for person in people},  # type: ignore[misc]  # mypy sees no type for the default
            pois=atlas,
            roads=atlas,
            # By all that is held, as `hearthway dial` does; a file has positions alone.
            replayed={
                person.name: (
                    lambda one=person: (
                        replay_dials(  # type: ignore[misc]  # mypy sees no type for the default
                            store, one, config, atlas, rules, counted(), ranker=ranker
                        ).dials
                    )
                )
                for person in people
                if atlas
            },
            dial=dial,
            logs={
                person.name: from_log(
                    store.suggestions(person.person_id),
                    store.answers(person.person_id),
                    dial=Dial(dial),
                )
                for person in people
            },
            words={person.name: place_words(store, person.person_id) for person in people},
            source="what this phone holds",
            progress=counted(),
        )
    tell(report, json_to, html_to, atlas)


def run(
    history: Path,
    map_file: Path | None,
    json_to: Path | None,
    *,
    dial: str,
    html_to: Path | None = None,
) -> None:
    """Backtest a history file: import into a temporary life, then walk forward."""
    _apart(history, map_file, json_to, html_to)
    atlas = (
        None
        if map_file is None
        else open_atlas(MapTable(atlas=str(atlas_for(map_file, data_root() / "maps"))))
    )
    with closing(atlas) if atlas else nullcontext():
        report = backtest_file(
            history,
            pois=atlas,
            roads=atlas,
            speakers=each_dial(atlas) if atlas else None,
            dial=dial,
            progress=counted(),
        )
    tell(report, json_to, html_to, atlas)


def tell(
    report: BacktestReport,
    json_to: Path | None,
    html_to: Path | None = None,
    atlas: Atlas | None = None,
) -> None:
    """The report, for people, and where asked for programs and as a page, with the streets of `atlas`."""
    uncounted()
    if html_to is not None:
        write_private(html_to, report_page(report, _streets(report, atlas)).encode())
    if json_to is not None:
        write_json(report, json_to)
    if str(json_to) != "-":
        for line in report_lines(report):
            click.echo(line)


def _streets(report: BacktestReport, atlas: Atlas | None) -> dict[Region, MapShapes] | None:
    """What the map has in each region that the page draws; None without a map."""
    if atlas is None:
        return None
    regions = {one for person in report.people if person.map for one in person.map.regions}
    most = min(MAX_POINTS, STREET_POINTS // max(1, len(regions)))
    with closing(MapDrawer(atlas.path)) as drawer:
        return {
            region: drawer.whole(region.south, region.west, region.north, region.east, most)
            for region in regions
        }


def _apart(
    history: Path | None, map_file: Path | None, json_to: Path | None, html_to: Path | None
) -> None:
    """No result is written over a file it is made from, or over the other result."""
    not_over(html_to, history, map_file, json_to)
    not_over(json_to, history, map_file)
