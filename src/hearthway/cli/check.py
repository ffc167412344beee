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
    if config is not None and not config.exists():
        raise ConfigError(f"There is no file {config}.", "Check the name.")
    found = [NodePaths(config.parent)] if config is not None else nodes(data)
    wrong = 0
    for paths in found:
        file = config if config is not None else paths.config
        problems, notes = _problems(paths, file), _notes(paths)
        wrong += len(problems)
        click.echo(f"{file}: {'fine' if not problems else f'{len(problems)} to mend'}")
        for why in problems:
            click.echo(f"  {why.message}")
            if why.next_step:
                click.echo(f"  -> {why.next_step}")
        for what, next_step in notes:
            click.echo(f"  {what}")
            click.echo(f"  -> {next_step}")
    if wrong:
        raise ConfigError(f"{wrong} to mend.", "Each line above says how.")


def _notes(paths: NodePaths) -> list[tuple[str, str]]:
    """What is no mistake and means something else than it once did: a sentence, and what to write."""
    try:
        open_to = Rules.load(paths.rules).orders_by_default() if paths.rules.exists() else []
    except HearthwayError:
        return []  # said as a problem
    return [_note(paths, rule.id) for rule in open_to]


def _note(paths: NodePaths, rule: str) -> tuple[str, str]:
    what = (
        f"{paths.rules}: by the rule {rule} adults' devices alone order;"
        " it does not say by whom, and a child's phone once ordered by such a rule too."
    )
    next_step = (
        f'Add by = "adults" to [[rule]] {rule} to keep that, or by = "family" to let children order,'
        " and apply it on every device."
    )
    return what, next_step


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
