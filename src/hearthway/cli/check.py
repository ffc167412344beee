"""`hearthway check`: settings, rules, keys and map of a node, without starting it."""

from __future__ import annotations

import time
from pathlib import Path

import click

from hearthway.app.config import load_config
from hearthway.app.maps import open_atlas
from hearthway.app.paths import NodePaths
from hearthway.mesh.policy.rules import Rules
from hearthway.records.errors import ConfigError, HearthwayError

from .common import data_option, nodes


@click.command("check")
@click.argument("config", required=False, type=click.Path(path_type=Path))
@data_option
def command(config: Path | None, data: Path | None) -> None:
    """Check CONFIG (a node.toml), or every node found here. Exit code 2 when something is wrong."""
    found = [NodePaths(config.parent)] if config is not None else nodes(data)
    wrong = 0
    for paths in found:
        file = config if config is not None else paths.config
        problems = _problems(paths, file)
        wrong += len(problems)
        click.echo(f"{file}: {'fine' if not problems else f'{len(problems)} to mend'}")
        for why in problems:
            click.echo(f"  {why.message}")
            if why.next_step:
                click.echo(f"  -> {why.next_step}")
    if wrong:
        raise ConfigError(f"{wrong} to mend.", "Each line above says how.")


def _problems(paths: NodePaths, file: Path) -> list[HearthwayError]:
    try:
        settings = load_config(file)
    except HearthwayError as why:
        return [why]
    found: list[HearthwayError] = []
    try:
        atlas = open_atlas(settings.map)
        if atlas is not None:
            atlas.close()
    except HearthwayError as why:
        found.append(why)
    if paths.rules.exists():
        try:
            Rules.load(paths.rules)
        except HearthwayError as why:
            found.append(why)
    if (paths.keys / "device.pem").exists():
        from hearthway.mesh.trust.identity import DeviceIdentity

        try:
            DeviceIdentity.load(paths.keys, time.time())
        except HearthwayError as why:
            found.append(why)
    return found
