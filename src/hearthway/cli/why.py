"""`hearthway why ID`: why it was said, and each node's receipt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from hearthway.app.offline import opened, stored_receipts
from hearthway.app.witness import receipt_lines
from hearthway.assist.explain import why
from hearthway.assist.moment import render
from hearthway.records.errors import HearthwayError, InputError
from hearthway.records.receipts import Receipt
from hearthway.records.suggestion import Suggestion

from .common import data_option, json_option, nodes, write_json


@click.command("why")
@click.argument("suggestion_id", metavar="[ID]", required=False)
@data_option
@json_option
def command(suggestion_id: str | None, data: Path | None, json_to: Path | None) -> None:
    """Why a suggestion was made and what it used. Without ID: the suggestions that are stored."""
    suggestion: Suggestion | None = None
    listed: list[Suggestion] = []
    receipts: list[Receipt] = []
    for paths in nodes(data):
        with opened(paths) as (store, _):
            for person in store.persons():
                listed += store.suggestions(person.person_id)
            if suggestion_id is None:
                continue
            try:
                suggestion = store.suggestion(suggestion_id)
            except InputError:
                continue
    if suggestion_id is None:
        _list(listed, json_to)
        return
    wanted = suggestion.suggestion_id if suggestion else suggestion_id
    for paths in nodes(data):
        receipts += stored_receipts(paths, wanted)
    if suggestion is None and not receipts:
        raise InputError(
            f"No suggestion {suggestion_id} is stored here.", "`hearthway why` lists them."
        )
    if json_to is not None:
        write_json({"suggestion": suggestion, "receipts": receipts}, json_to)
        return
    if suggestion is not None:
        for line in [*render(suggestion), "", *why(suggestion)]:
            click.echo(line)
    else:
        click.echo("The suggestion itself was erased by the owner.")
    for receipt in receipts:
        click.echo("")
        for line in receipt_lines(receipt):
            click.echo(line)


def _list(listed: list[Suggestion], json_to: Path | None) -> None:
    if json_to is not None:
        rows: list[Any] = [msgspec.to_builtins(one) for one in listed]
        write_json(rows, json_to)
        return
    if not listed:
        raise HearthwayError(
            "No suggestion is stored here.", "Run `hearthway drive` for a first one."
        )
    for one in listed:
        click.echo(f"{one.suggestion_id[:12]}  {one.headline}")
