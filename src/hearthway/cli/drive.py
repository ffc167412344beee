"""`hearthway drive`: the main job, on a synthetic household or on a person's own history."""

from __future__ import annotations

import asyncio
import shlex
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from hearthway.app.drive import Drive, DriveOptions, DriveResult
from hearthway.app.paths import data_root, find_nodes
from hearthway.records.count import count_of
from hearthway.records.errors import HearthwayError, InputError

from .common import dial_option, json_option, map_option, write_json

LIFE = """
On your own life:
  hearthway drive HISTORY                     backtest a Google, OwnTracks, GPX or CSV history: nothing leaves this machine
  hearthway drive HISTORY --map CITY.osm.pbf  the same, with the places around
  hearthway up --role phone --web 0.0.0.0:8080   take live positions from a real phone (OwnTracks, HTTP)
"""


def _speed(_: click.Context, __: click.Parameter, value: str) -> float:
    if value == "max":
        return 0.0
    try:
        speed = float(value)
    except ValueError:
        speed = 0.0
    if not 1 <= speed <= 10_000:
        raise click.BadParameter('"max", or how many times real time: 1 to 10000.')
    return speed


@click.command("drive")
@click.argument("history", required=False, type=click.Path(path_type=Path))
@map_option
@click.option(
    "--synthetic",
    type=click.IntRange(0),
    metavar="SEED",
    help="Seed of the synthetic household (default 1).",
)
@click.option("--seed", type=click.IntRange(0), metavar="SEED", help="The same as --synthetic.")
@click.option(
    "--speed",
    default="max",
    callback=_speed,
    show_default=True,
    help="1 is real time; max is as fast as it goes.",
)
@click.option(
    "--dinner",
    metavar="HH:MM",
    default="18:45",
    show_default=True,
    help="When this household dines out, on average.",
)
@click.option(
    "--hours",
    multiple=True,
    metavar="OSM_ID=HOURS",
    help="Correct a POI's opening hours, as in node/1=Mo-Su 10:00-12:00.",
)
@click.option(
    "--driver",
    type=click.Choice(["a", "b"]),
    default="a",
    show_default=True,
    help="Whose phone rides along.",
)
@click.option(
    "--at", "drive_at", metavar="HH:MM", help="What if the same drive started at this time?"
)
@click.option("--ate-before", is_flag=True, help="What if the driver had dined before?")
@click.option(
    "--to",
    "destination",
    type=click.Choice(["usual", "new"]),
    default="usual",
    show_default=True,
    help="What if it led somewhere never visited?",
)
@click.option(
    "--rules",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Rules of the owner instead of the defaults.",
)
@dial_option
@click.option(
    "--drill",
    type=click.Choice(["phone", "home"]),
    help="kill -9 this node between situation and suggestion, and start it again.",
)
@click.option(
    "--sink",
    is_flag=True,
    help="Give the nodes a default route into a sink, and count what arrives there.",
)
@click.option(
    "--ask", is_flag=True, help="Ask the household twelve questions afterwards: hearthway ask."
)
@click.option(
    "--page",
    "page_port",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="Show the phone's page at 127.0.0.1:PORT (implies --loopback) and stay until Ctrl-C.",
)
@click.option("--loopback", is_flag=True, help="Do not use network namespaces.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the four nodes live (emptied first).",
)
@json_option
def command(**given: Any) -> None:
    """A drive at dinnertime on four real nodes, and the moment with its receipt.

    With HISTORY: a walk-forward backtest on that location history (Google's Records.json or Timeline.json, GPX, CSV
    `lat,lng,datetime,uid`, OwnTracks .rec, GeoLife .plt; packed or not). Each trip is predicted only from what came before it.
    """
    if given["history"] is not None:
        from .backtest import run

        _only_with_a_household()
        run(given["history"], given["map_file"], given["json_to"], dial=given["dial"])
        return
    result = _drive(given)
    if given["json_to"] is not None:
        write_json(result, given["json_to"])


WITH_HISTORY = ("history", "map_file", "dial", "json_to")


def _only_with_a_household() -> None:
    """With a history, an option of the synthetic drive would change nothing: say so instead."""
    context = click.get_current_context()
    for option in context.command.params:
        name = option.name or ""
        given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if given and name not in WITH_HISTORY:
            raise InputError(
                f"{option.opts[0]} belongs to the synthetic drive; a history has none of it.",
                "Leave out either the option or the history.",
            )


def _hours(given: tuple[str, ...]) -> dict[str, str]:
    corrections: dict[str, str] = {}
    for one in given:
        osm_id, equals, hours = one.partition("=")
        if not equals:
            raise InputError(
                f"--hours {one!r} has no =.", 'Write it like --hours "node/1=Mo-Su 10:00-22:00".'
            )
        corrections[osm_id.strip()] = hours.strip()
    return corrections


def _drive(given: dict[str, Any]) -> DriveResult:
    from hearthway.app.config import MapTable
    from hearthway.app.maps import atlas_for, open_atlas
    from hearthway.mesh.policy.rules import Rules
    from hearthway.synthetic.drives import DrivePool
    from hearthway.synthetic.household import generate
    from hearthway.synthetic.settings import Settings

    quiet = str(given["json_to"]) == "-"

    def say(line: str) -> None:
        click.echo(line, err=quiet)

    if (
        given["seed"] is not None
        and given["synthetic"] is not None
        and given["seed"] != given["synthetic"]
    ):
        raise InputError("--seed and --synthetic differ.", "Give one of them.")
    seed = next((s for s in (given["synthetic"], given["seed"]) if s is not None), 1)
    settings = Settings(
        seed=seed,
        dinner_mean=given["dinner"],
        driver=given["driver"],
        drive_at=given["drive_at"],
        ate_before=given["ate_before"],
        destination="new" if given["destination"] == "new" else None,
    )
    corrections = _hours(given["hours"])
    if given["rules"] is not None:
        Rules.load(given["rules"])  # a wrong file is refused before anything starts
    built = None
    if given["map_file"] is not None:
        say(f"map: {given['map_file']}")
        built = atlas_for(given["map_file"], data_root() / "maps").resolve()
    atlas = open_atlas(MapTable(atlas="bundled" if built is None else str(built)))
    if atlas is None:
        raise HearthwayError("There is no map.")
    with closing(atlas):
        atlas.with_hours(corrections)  # wrong ones are refused before anything starts
        # The life was lived by the hours as mapped; a correction changes what the phone knows tonight.
        household = generate(settings, atlas, atlas, DrivePool.bundled(), atlas.place_name)
        for line in household.describe():
            say(line)
        say(f"map: {atlas.name}, {atlas.attribution}")
        options = DriveOptions(
            data=given["data"] or data_root() / "drive",
            atlas=built,
            hours=corrections,
            speed=given["speed"],
            pause_s=2.5 if sys.stdout.isatty() and not quiet else 0.0,
            sink=given["sink"],
            isolate=not given["loopback"] and not given["page_port"],
            why_loopback="a browser must reach the page"
            if given["page_port"]
            else "asked for with --loopback",
            ask=given["ask"],
            page_port=given["page_port"] or 0,
            rules=given["rules"],
            drill=given["drill"] or "",
            dial=given["dial"],
        )
        result = asyncio.run(Drive(options, household, say).run())
    _close(result, options.data, say)
    return result


def _where(data: Path) -> str:
    """What a verb needs to be told to look at that drive; empty where it does so by itself."""
    looked_at = {paths.root.parent.resolve() for paths in find_nodes(data_root())}
    return "" if looked_at == {data.resolve()} else f" --data {shlex.quote(str(data))}"


def _close(result: DriveResult, data: Path, say: Any) -> None:
    if not result.suggestions:
        last = result.last_silence or {}
        reasons = ", ".join(f"{code} x{count}" for code, count in sorted(result.silences.items()))
        say(f"nothing was said: {last.get('words', 'no position reached the phone')}")
        if reasons:
            say(f"  reasons along the drive: {reasons}")
    if "sink_packets" in result.measured:
        say(f"sink: {count_of(result.measured['sink_packets'], 'packet')} to the internet")
    say(f"the drive took {result.measured['wall_s']:.1f} s; its nodes' data stands in {data}")
    for suggestion in result.suggestions[:1]:
        at = _where(data)
        say(
            f"  hearthway why {suggestion['suggestion_id'][:12]}{at}      hearthway receipts verify{at}"
        )
    say(LIFE.rstrip())
