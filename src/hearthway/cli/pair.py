"""`hearthway pair`: on the home, let a device in; on a device, join."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from hearthway.app.config import load_config
from hearthway.app.control import Control
from hearthway.records.errors import InputError, PairingError

from .common import data_option, node

KINDS = ("adult", "child", "guest")


@click.command("pair")
@click.argument("address", required=False)
@click.argument("code", required=False)
@click.option("--for", "kind", type=click.Choice(KINDS), help="At home: whose device it will be.")
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]),
    help="At home, for a guest: when the stay ends, in local time; a day alone is that day's end.",
)
@click.option("--no-qr", is_flag=True, help="At home: the digits only.")
@data_option
def command(
    address: str | None,
    code: str | None,
    kind: str | None,
    until: datetime | None,
    no_qr: bool,  # click's callback form
    data: Path | None,
) -> None:
    """On the home node, without ADDRESS: show a code and a QR that let one device in.

    On the device that joins: the text of the QR (in quotes), or ADDRESS (host:port; several with commas) and
    CODE. Both nodes must be up.
    """
    paths = node(data, "home" if address is None else None)
    role = str(load_config(paths.config).node.role)
    with Control(paths.socket) as control:
        if address is None:
            if role != "home":
                raise InputError(
                    "Codes are shown on the home node.",
                    "Run `hearthway pair` there, then `hearthway pair ADDRESS CODE` here.",
                )
            _invite(control, kind, until, qr=not no_qr)
            return
        if kind or until:
            raise InputError("--for and --until are said at home.", "Leave them out here.")
        if address.startswith("hearthway:"):
            answer = control.ask("pair", text=address)
        else:
            if code is None:
                code = click.prompt("The code that the home shows", type=str)
            answer = control.ask("pair", address=address, code=code)
    click.echo(f"paired: this {role} belongs to the household {answer['household']!r}")


def _invite(control: Control, kind: str | None, until: datetime | None, *, qr: bool) -> None:
    asked = control.ask("pair-state")
    if kind is None and asked["people"] and sys.stdin.isatty() and sys.stdout.isatty():
        kind = click.prompt(
            "Whose device is it? A shared one, such as a car, has no person",
            type=click.Choice([*KINDS, "shared"]),
            default="shared",
        )
    fields: dict[str, Any] = {}
    if kind not in (None, "shared"):
        fields["kind"] = kind
    if until is not None:
        if until.hour == until.minute == 0:
            until = until.replace(hour=23, minute=59, second=59)
        fields["until_s"] = until.timestamp()
    offer = control.ask("pair-open", **fields)
    if wrong := offer["before"].get("wrong"):
        times = "once" if wrong == 1 else f"{wrong} times"
        click.echo(f"The code before this one was tried {times} with wrong digits.")
        click.echo("If that was not you, somebody in your network is guessing.")
    if qr:
        click.echo(qr_code(offer["text"]) or "(A QR code needs `pip install 'hearthway[qr]'`.)")
        click.echo(f"On the device that joins: hearthway pair '{offer['text']}'")
    places = ", ".join(offer["addresses"])
    click.echo(f"code {offer['code'][:3]} {offer['code'][3:]}   at {places}")
    joined = ",".join(offer["addresses"])
    click.echo(f"On the device that joins: hearthway pair {joined} {offer['code']}")
    click.echo("Good for one device, five tries and ten minutes.")
    if sys.stdin.isatty() and sys.stdout.isatty():
        _wait(control)


def _wait(control: Control) -> None:
    """Say how it goes until the door is closed; Ctrl-C leaves the code as it is."""
    import time

    click.echo("Waiting for the device; Ctrl-C leaves the code open.")
    wrong = 0
    while True:
        door = control.ask("pair-state")["door"]
        if door.get("wrong", 0) != wrong:
            wrong = door["wrong"]
            click.echo(f"{wrong} wrong of 5: mistyped, or somebody is guessing.")
        state = door.get("state", "expired")
        if state == "used":
            click.echo("paired: `hearthway status` shows it.")
            return
        if state == "locked":
            raise PairingError(
                "Five wrong codes were tried, so this code is locked.",
                "`hearthway pair` makes a new one; if the tries were not yours, use the QR code only.",
            )
        if state != "open":
            raise PairingError("The code has expired.", "`hearthway pair` makes a new one.")
        time.sleep(0.5)


def qr_code(text: str) -> str:
    """`text` as a QR code of half blocks, for a terminal; empty where the extra `qr` is not installed."""
    import io

    try:
        import segno
    except ModuleNotFoundError:
        return ""

    out = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(out, border=2, compact=True)
    return out.getvalue().rstrip("\n")
