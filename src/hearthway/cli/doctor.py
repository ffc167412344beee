"""`hearthway doctor`: what keeps a node from its household, and the one thing to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from hearthway.app.doctor import Finding, examine

from .common import data_option, json_option, nodes, write_json


@click.command("doctor")
@data_option
@json_option
def command(data: Path | None, json_to: Path | None) -> None:
    """Examine each node found here: settings, storage, certificate, clock, port, addresses, firewall, peers, positions.

    Names the first cause, for what follows it may only be its effect. Exit code 1 when something is wrong.
    """
    reports: list[dict[str, Any]] = []
    for paths in nodes(data):
        if json_to is None:
            click.echo(f"{paths.root.name}:")
        found = examine(paths, _say if json_to is None else _quiet)
        cause = next((finding for finding in found if not finding.ok), None)
        reports.append(
            {
                "node": paths.root.name,
                "cause": None if cause is None else msgspec.to_builtins(cause),
                "findings": msgspec.to_builtins(found),
            }
        )
        if json_to is None:
            if cause is None:
                click.echo("  nothing wrong was found")
            else:
                click.echo(f"the cause ({cause.cause}): {cause.problem}")
                click.echo(f"  -> {cause.next_step}")
    if json_to is not None:
        write_json(reports, json_to)
    if any(report["cause"] for report in reports):
        raise SystemExit(1)


def _say(finding: Finding) -> None:
    click.echo(f"  {'ok   ' if finding.ok else 'WRONG'} {finding.checked}")


def _quiet(_: Finding) -> None:
    """A program reads the result."""
