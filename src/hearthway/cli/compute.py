"""`hearthway compute`: a function of the household's, run where its answer is there soonest."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import click

from hearthway.app.control import Control
from hearthway.app.paths import write_private
from hearthway.records.errors import InputError
from hearthway.records.offload import INPUT_MAX_BYTES, WITHIN_MAX_S

from .common import data_option, json_option, node, not_over, write_json

BESIDE_S = 60.0  # a worker may have to start first


@click.command("compute")
@click.argument("name")
@click.option(
    "--input",
    "input_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True, allow_dash=True),
    default="-",
    help="What it is given; `-`: standard input.",
)
@click.option(
    "--made-of",
    "made_of",
    metavar="KEY",
    multiple=True,
    help="A key of the rules that the input was made of. Without one it stays in the car.",
)
@click.option(
    "--deadline-s",
    type=click.FloatRange(0.0, WITHIN_MAX_S, min_open=True),
    default=2.0,
    show_default=True,
    help="How long its answer is of use, in seconds.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where its answer goes; default: standard output.",
)
@data_option
@json_option
def command(
    name: str,
    input_file: Path,
    made_of: tuple[str, ...],
    deadline_s: float,
    out: Path | None,
    data: Path | None,
    json_to: Path | None,
) -> None:
    """Run NAME (such as function.speeds), a function that the household stands by, on a running car.

    It is computed in the car or on a node that the rules let have the input, wherever it is there sooner; it says where.
    """
    not_over(out, json_to)
    given = _read(input_file)
    with Control(node(data, "car").socket, deadline_s + BESIDE_S) as control:
        found = control.ask(
            "compute",
            name=name,
            input=base64.b64encode(given).decode(),
            made_of=list(made_of),
            within_s=deadline_s,
        )
    if json_to is not None:
        write_json(found, json_to)
    output = base64.b64decode(found["output"])
    if out is not None:
        write_private(out, output)
    elif json_to is None:
        sys.stdout.buffer.write(output)
    click.echo(f"computed by {found['computed_by']} in {found['took_ms']:.0f} ms", err=True)
    for device, why in sorted(found["not_asked"].items()):
        click.echo(f"{device} was not asked: {why}", err=True)


def _read(file: Path) -> bytes:
    if str(file) == "-":
        given = sys.stdin.buffer.read(INPUT_MAX_BYTES + 1)
    else:
        with file.open("rb") as opened:
            given = opened.read(INPUT_MAX_BYTES + 1)
    if len(given) > INPUT_MAX_BYTES:
        raise InputError(f"An input has at most {INPUT_MAX_BYTES >> 20} MiB.", "Give less.")
    return given
