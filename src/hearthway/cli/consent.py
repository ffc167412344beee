"""`hearthway consent`: let another person of the household have something about oneself, by the word of both."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from hearthway.app.control import Control

from .common import data_option, json_option, node, write_json


@click.group("consent")
def command() -> None:
    """What one person lets another of the household have about them. Both agree; either takes it back at once.

    A rule must let it as well: `hearthway rules explain KEY` says what is missing.
    """


def _ask(data: Path | None, do: str, **fields: Any) -> dict[str, Any]:
    with Control(node(data, "phone").socket) as control:
        return control.ask(do, **fields)


@command.command("give")
@click.option("--to", "to", required=True, metavar="PERSON", help="Who may have it: name or id.")
@click.option(
    "--key",
    "keys",
    multiple=True,
    required=True,
    help="A key, or several with *: Person.Location.*",
)
@click.option("--purpose", required=True, help="What for: a purpose of the rules, such as share.")
@click.option(
    "--days", type=click.FloatRange(min=0.01, max=3650), help="For so long; else until revoked."
)
@click.option("--for", "child", metavar="CHILD", help="Give it for a child of the household.")
@data_option
@json_option
def give(
    to: str,
    keys: tuple[str, ...],
    purpose: str,
    days: float | None,
    child: str | None,
    data: Path | None,
    json_to: Path | None,
) -> None:  # click's callback form
    """Let somebody have these keys about you. It counts once they accept it on their phone."""
    fields = {"to": to, "keys": list(keys), "purpose": purpose, "days": days, "for": child}
    told = _ask(data, "consent-give", **fields)
    if json_to is not None:
        write_json(told, json_to)
        return
    click.echo(f"given: {told['id']}; it counts when {told['receiver']} accepts it")


@command.command("accept")
@click.argument("consent_id")
@data_option
def accept(consent_id: str, data: Path | None) -> None:
    """Take what somebody lets you have; its id may be shortened."""
    told = _ask(data, "consent-accept", id=consent_id)
    click.echo(f"accepted: {told['id']}")


@command.command("revoke")
@click.argument("consent_id")
@data_option
def revoke(consent_id: str, data: Path | None) -> None:
    """Take it back, as giver or receiver. Nodes in reach hear of it at once, the others when they meet one."""
    told = _ask(data, "consent-revoke", id=consent_id)
    click.echo(f"revoked: {told['id']}")


@command.command("list")
@data_option
@json_option
def show(data: Path | None, json_to: Path | None) -> None:
    """Every consent of the household that this node has heard of, and whether it is in force."""
    told = _ask(data, "consents")["consents"]
    if json_to is not None:
        write_json(told, json_to)
        return
    if not told:
        click.echo("nobody has given any")
    for one in told:
        consent = one["consent"]
        until = ""
        if consent["until_s"]:
            until = f", until {datetime.fromtimestamp(consent['until_s'], UTC):%Y-%m-%d %H:%M} UTC"
        click.echo(
            f"{one['consent_id']}  {one['state']}: {consent['giver']} lets {consent['receiver']} have"
            f" {', '.join(consent['keys'])} for {consent['purpose']}{until}"
        )
