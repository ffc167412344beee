"""`hearthway rules`: what may leave which node, to whom, for what; and check a file before it is used."""

from __future__ import annotations

from pathlib import Path

import click

from hearthway.mesh.rules import PURPOSES, Rules, default_rules

from .common import data_option, json_option, nodes, write_json


@click.command("rules")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--default",
    "show_default",
    is_flag=True,
    help="Print the rules Hearthway starts with, as a file to edit.",
)
@data_option
@json_option
def command(
    file: Path | None, show_default: bool, data: Path | None, json_to: Path | None
) -> None:  # click's callback form
    """The rules of every node found here, or those of FILE. What no rule names stays where it is."""
    if show_default:
        click.echo(default_rules(), nl=False)
        return
    sources = [file] if file else [paths.rules for paths in nodes(data) if paths.rules.exists()]
    shown: dict[str, Rules] = {}
    for source in sources:
        shown[str(source)] = Rules.load(source)
    if json_to is not None:
        write_json({name: rules.rules for name, rules in shown.items()}, json_to)
        return
    before: str | None = None
    for name, rules in shown.items():
        click.echo(name)
        text = "\n".join(
            f"  {rule.id:24} {rule.sender} -> {', '.join(rule.receivers)}: {', '.join(rule.keys)}"
            f"  (to {PURPOSES[rule.purpose]})"
            for rule in rules.rules
        )
        click.echo("  the same" if text == before else text)
        before = text
