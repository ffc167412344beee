"""`hearthway why ID`: why it was said, and each node's receipt; `why --silent TIME`: why nothing was."""

from __future__ import annotations

from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import click
import msgspec

from hearthway.app.collecting import rules_of
from hearthway.app.config import load_config
from hearthway.app.hindsight import came_of, hindsight_lines, look_back, moment_of
from hearthway.app.maps import open_atlas
from hearthway.app.offline import opened, stored_receipts
from hearthway.app.owner import stored_owner
from hearthway.app.paths import NodePaths
from hearthway.app.witness import receipt_lines
from hearthway.assist.deeds import Became
from hearthway.assist.explain import became_lines, why
from hearthway.assist.moment import render
from hearthway.records.ask import ASKED
from hearthway.records.errors import HearthwayError, InputError, MapError
from hearthway.records.household import Role
from hearthway.records.life import LIFE_MODEL
from hearthway.records.receipts import Receipt
from hearthway.records.suggestion import Suggestion

from .common import data_option, json_option, nodes, phone, write_json


@click.command("why")
@click.argument("suggestion_id", metavar="[ID]", required=False)
@click.option(
    "--silent", metavar="TIME", help='Why nothing was said then: "2025-11-14 18:45", local time.'
)
@data_option
@json_option
def command(
    suggestion_id: str | None, silent: str | None, data: Path | None, json_to: Path | None
) -> None:
    """Why a suggestion was made and what it used. Without ID: the suggestions that are stored."""
    if silent is not None:
        if silent.startswith("-"):  # the next option was taken for it
            raise InputError("--silent needs a time.", 'As in: --silent "2025-11-14 18:45".')
        if suggestion_id is not None:
            raise InputError("An ID and --silent were both given.", "Ask for one of them.")
        _silent(silent, data, json_to)
        return
    listed: list[Suggestion] = []
    for paths in nodes(data):
        with opened(paths) as (store, _):
            for person in store.persons():
                listed += store.suggestions(person.person_id)
    if suggestion_id is None:
        _list(listed, json_to)
        return
    suggestion, receipts = _meant(suggestion_id, listed, nodes(data))
    became = () if suggestion is None else _came_of(suggestion, data)
    if json_to is not None:
        found = {"suggestion": suggestion, "came_of_it": became, "receipts": receipts}
        write_json(found, json_to)
        return
    if suggestion is not None:
        for line in [*render(suggestion), "", *why(suggestion)]:
            click.echo(line)
        for line in became_lines(became, suggestion):
            click.echo(line)
    elif not receipts[0].suggestion_id.startswith(ASKED):
        click.echo("The suggestion itself was erased by the owner.")
    for receipt in receipts:
        click.echo("")
        for line in receipt_lines(receipt):
            click.echo(line)


def _came_of(suggestion: Suggestion, data: Path | None) -> tuple[Became, ...]:
    """By the life of the phone that said it, where that is here."""
    for paths in nodes(data):
        config = load_config(paths.config)
        if config.node.role is not Role.PHONE:
            continue
        with opened(paths) as (store, _):
            if store.model(suggestion.person, LIFE_MODEL) is None:
                continue
            try:
                atlas = open_atlas(config.map)
            except MapError:
                atlas = None  # gone: what came of it is in the life
            with closing(atlas) if atlas else nullcontext():
                return came_of(store, suggestion, atlas)
    return ()


def _meant(
    beginning: str, listed: list[Suggestion], found: list[NodePaths]
) -> tuple[Suggestion | None, list[Receipt]]:
    """The one suggestion or question whose id begins so, with its receipts; InputError where there is none, or several."""
    fitting = {s.suggestion_id: s for s in listed if s.suggestion_id.startswith(beginning)}
    receipts = [receipt for paths in found for receipt in stored_receipts(paths, beginning)]
    ids = {*fitting, *(receipt.suggestion_id for receipt in receipts)}
    if not ids or not beginning:
        raise InputError(
            f"No suggestion {beginning!r} is stored here.", "`hearthway why` lists them."
        )
    if len(ids) > 1:
        raise InputError(
            f"Several suggestions or questions begin with {beginning!r}.", "Give more of the id."
        )
    return fitting.get(ids.pop()), receipts


def _list(listed: list[Suggestion], json_to: Path | None) -> None:
    if json_to is not None:
        rows: list[Any] = [msgspec.to_builtins(one) for one in listed]
        write_json(rows, json_to)
        return
    if not listed:
        raise HearthwayError(
            "No suggestion is stored here.",
            "`hearthway why --silent TIME` tells why none was made then; `hearthway drive` shows a first one.",
        )
    for one in listed:
        click.echo(f"{one.suggestion_id[:12]}  {one.headline}")


def _silent(when: str, data: Path | None, json_to: Path | None) -> None:
    from hearthway.app.ranking import ranker_of

    paths, config = phone(data)
    atlas = open_atlas(config.map)
    with closing(atlas) if atlas else nullcontext(), opened(paths) as (store, _):
        owner = stored_owner(store, paths, config.node.id)
        if owner is None:
            raise InputError(
                "This phone holds nobody's history.",
                "`hearthway import FILE --person NAME` adds one.",
            )
        at_s = moment_of(when, store, owner)
        seen = look_back(
            store, owner, config, atlas, rules_of(paths), at_s, ranker=ranker_of(paths)
        )
    if json_to is not None:
        write_json(seen, json_to)
        return
    for line in hindsight_lines(seen):
        click.echo(line)
