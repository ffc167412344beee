"""`hearthway grant`: let a device or an app read or write one thing, at some hours, for a time."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from hearthway.app.control import Control
from hearthway.records.errors import InputError

from .common import data_option, json_option, node, nodes, write_json


@click.group("grant")
def command() -> None:
    """Let a guest's device or an app do one thing that the rules do not give it, for a time."""


class _Give(click.Command):
    """Reading or writing, and for whom, is a part of the command line: it is refused before anything is asked."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        if ctx.params["operation"] is None:
            raise InputError("To read, or to write?", "Say --read or --write.")
        if bool(ctx.params["to"]) == ctx.params["app"]:
            raise InputError("For whom?", "Say --to DEVICE, or --app.")
        return rest


@command.command(cls=_Give)
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@click.option("--read", "operation", flag_value="read", help="It may read these keys.")
@click.option("--write", "operation", flag_value="write", help="It may write these keys.")
@click.option("--to", metavar="DEVICE", help="The one device that may use it.")
@click.option("--app", is_flag=True, help="For an app on the home itself; no device can use it.")
@click.option(
    "--hours", metavar="08:00-20:00", help="Only between these, on the household's clock."
)
@click.option("--until", required=True, metavar="2026-12-01", help="Its last day, or day and time.")
@click.option(
    "--zone", metavar="Europe/Helsinki", help="The household's time zone. Default: the home's."
)
@data_option
@json_option
def give(
    keys: tuple[str, ...],
    operation: str | None,
    to: str | None,
    app: bool,
    hours: str | None,
    until: str,
    zone: str | None,
    data: Path | None,
    json_to: Path | None,
) -> None:
    """On the home: grant KEY... (such as Home.Climate.*), to read or to write.

    The device gets it by itself as soon as it is reached; the letters printed are for bringing it there by hand.
    """
    with Control(node(data, "home").socket) as control:
        given = control.ask(
            "grant-give",
            keys=list(keys),
            operation=operation,
            to=to,
            app=app,
            hours=_hours(hours),
            until=until,
            zone=zone,
        )
    _show([given], json_to, letters=True)


@command.command("list")
@data_option
@json_option
def list_(data: Path | None, json_to: Path | None) -> None:
    """The grants kept on each node here: on the home all that it gave."""
    found: list[dict[str, Any]] = []
    for paths in nodes(data):
        with Control(paths.socket) as control:
            found += control.ask("grant-list")["grants"]
    _show(found, json_to)


@command.command()
@click.argument("grant_id", metavar="ID")
@click.option("--force", is_flag=True, help="Also when the home's list does not have it.")
@data_option
def revoke(grant_id: str, force: bool, data: Path | None) -> None:
    """On the home: take grant ID back, and every one that was narrowed from it."""
    with Control(node(data, "home").socket) as control:
        control.ask("grant-revoke", id=grant_id, force=force)
    click.echo(
        f"revoked {grant_id}: nodes in reach know it now, the others when they hear of any node"
    )


@command.command()
@click.argument("token", metavar="TOKEN")
@data_option
def keep(token: str, data: Path | None) -> None:
    """On the device it is for: keep TOKEN, to be used by itself. - reads it from standard input."""
    with Control(node(data, "phone").socket) as control:
        _show([control.ask("grant-keep", token=_text(token))], None)


@command.command()
@click.argument("key", metavar="KEY")
@click.option("--from", "sender", default="home", show_default=True, help="Which node to ask.")
@data_option
@json_option
def read(key: str, sender: str, data: Path | None, json_to: Path | None) -> None:
    """On the device it is for: the latest value of KEY, by a grant that is kept here."""
    with Control(node(data, "phone").socket) as control:
        found = control.ask("grant-read", key=key, **{"from": sender})
    if json_to is not None:
        write_json(found, json_to)
        return
    value = "unknown" if found["value"] is None else f"{found['value']} {found['unit']}".rstrip()
    click.echo(f"{found['key']}  {value}  ({found['source']}, {found['age_s']:.0f} s ago)")


@command.command()
@click.argument("grant_id", metavar="ID")
@data_option
def drop(grant_id: str, data: Path | None) -> None:
    """Remove grant ID from this device. On the home: revoke it first, or it still counts."""
    with Control(node(data).socket) as control:
        control.ask("grant-drop", id=grant_id)
    click.echo(f"dropped {grant_id}")


@command.command()
@click.argument("token", metavar="TOKEN")
@click.option("--key", "keys", multiple=True, help="Only this key or pattern, of those it has.")
@click.option("--hours", metavar="09:00-18:00", help="Only between these.")
@click.option("--until", metavar="2026-11-30", help="End earlier.")
@json_option
def narrow(
    token: str, keys: tuple[str, ...], hours: str | None, until: str | None, json_to: Path | None
) -> None:
    """Anywhere, offline: a narrower grant made of TOKEN, to pass on. - reads it from standard input."""
    from hearthway.mesh.policy.grants import attenuate, end_s, from_text, said, to_text

    given = from_text(_text(token))
    zone = said(given).zone
    narrower = attenuate(
        given, keys=keys, hours=_hours(hours), until_s=end_s(until, zone) if until else 0.0
    )
    _show([{"token": to_text(narrower), "state": ""}], json_to, letters=True)


@command.command()
@click.argument("token", metavar="TOKEN")
@json_option
def show(token: str, json_to: Path | None) -> None:
    """What TOKEN says, in words. - reads it from standard input."""
    _show([{"token": _text(token), "state": ""}], json_to)


def _text(token: str) -> str:
    return sys.stdin.read(100_000) if token == "-" else token  # noqa: S105 - "-" is no secret


def _hours(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    first, dash, last = text.replace("–", "-").partition("-")
    if not dash:
        raise InputError(f'"{text}" are no hours.', "Write them as 08:00-20:00.")
    return first.strip(), last.strip()


def _show(found: list[dict[str, Any]], json_to: Path | None, *, letters: bool = False) -> None:
    from hearthway.mesh.policy.grants import from_text, said, words

    rows = []
    for one in found:
        what = said(from_text(one["token"]))
        rows.append(
            {
                "id": what.grant_id,
                "says": words(what),
                "state": one["state"],
                "operation": what.operation,
                "holder": what.holder,
                "until_s": what.until_s,
                "household_key": what.public_key.hex(),
                "token": one["token"],
            }
        )
    if json_to is not None:
        write_json(rows, json_to)
        return
    for row in rows:
        state = f"  [{row['state']}]" if row["state"] else ""
        click.echo(f"{row['id']}  {row['says'][0]}{state}")
        for line in row["says"][1:]:
            click.echo(f"{'':{len(row['id'])}}  {line}")
        if letters:
            click.echo(row["token"])
    if not rows:
        click.echo("no grants")
