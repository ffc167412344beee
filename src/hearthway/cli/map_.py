"""`hearthway map`: build the atlas a household carries, and look into one."""

from __future__ import annotations

from pathlib import Path

import click

from hearthway.app.config import MapTable
from hearthway.app.maps import open_atlas
from hearthway.records.errors import MapError

from .common import json_option, write_json


@click.group("map")
def command() -> None:
    """The map: POIs, hours and roads, from an OpenStreetMap extract."""


@command.command()
@click.argument("extract", type=click.Path(path_type=Path))
@click.argument("atlas", type=click.Path(path_type=Path), required=False)
@json_option
def build(extract: Path, atlas: Path | None, json_to: Path | None) -> None:
    """Build ATLAS (default: beside EXTRACT, ending in .atlas) from EXTRACT, an .osm.pbf file."""
    from hearthway.atlas.build import build as build_atlas

    target = atlas or extract.with_name(
        extract.name.removesuffix(".pbf").removesuffix(".osm") + ".atlas"
    )
    report = build_atlas(extract, target, lambda line: click.echo(line, err=True))
    if json_to is not None:
        write_json(report, json_to)
        return
    click.echo(f"{target}: use it with `--map {target}` or as [map] atlas in node.toml")
    show_summary(target)


@command.command()
@click.argument("atlas", type=click.Path(path_type=Path), required=False)
@json_option
def show(atlas: Path | None, json_to: Path | None) -> None:
    """What ATLAS holds; without it, the bundled map of central Helsinki."""
    if json_to is not None:
        opened = open_atlas(MapTable(atlas=str(atlas) if atlas else "bundled"))
        if opened is None:
            raise MapError("There is no atlas of that name.", "Give a file.")
        write_json(
            {"name": opened.name, "attribution": opened.attribution, **opened.summary()}, json_to
        )
        return
    show_summary(atlas)


def show_summary(atlas: Path | None) -> None:
    """Name, licence and counts of an atlas, for people."""
    opened = open_atlas(MapTable(atlas=str(atlas) if atlas else "bundled"))
    if opened is None:
        raise MapError("There is no atlas of that name.", "Give a file.")
    click.echo(f"{opened.name}  {opened.attribution}")
    for kind, count in opened.summary().items():
        click.echo(f"  {kind:18} {count:,}")
    opened.close()
