"""`hearthway dial [SETTING]`: how readily this phone speaks, what each setting would have meant here, and another one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, nullcontext
from datetime import UTC, datetime
from pathlib import Path

import click
from msgspec import Struct

from hearthway.app.collecting import rules_of
from hearthway.app.config import Config
from hearthway.app.config_change import change_config
from hearthway.app.control import Control, running
from hearthway.app.dial import DialDays, replay_dials
from hearthway.app.maps import open_atlas
from hearthway.app.offline import opened
from hearthway.app.owner import stored_owner
from hearthway.app.paths import NodePaths
from hearthway.app.ranking import ranker_of
from hearthway.assist.moment import plain
from hearthway.learn.dials import log_lines, shown
from hearthway.records.count import count_of
from hearthway.records.errors import ConfigError, HearthwayError, InputError

from .common import DIALS, counted, data_option, json_option, phone, uncounted, write_json

LEAST_DAYS = 5  # before that nothing is spoken of a habit: a share of such days tells nothing


class Told(Struct, frozen=True, kw_only=True):
    """For a program. `setting`: in force when this was asked; `wanted`: asked for; `enough`: do the days tell anything?

    `unknown`: why nothing was measured, where another setting was wanted all the same.
    """

    person: str
    setting: str
    wanted: str | None
    enough: bool
    measured: DialDays | None
    unknown: str = ""


@click.command("dial")
@click.argument("setting", required=False, type=click.Choice(DIALS))
@data_option
@json_option
def command(setting: str | None, data: Path | None, json_to: Path | None) -> None:
    """How readily this phone speaks, and how often, and how rightly, it would have spoken at each setting on its own past days.

    With SETTING that one is in force from then on, once the same has been shown, as far as anything is known to judge it by.
    Nothing leaves this phone, running or not.
    """
    paths, config = phone(data)
    if setting is not None and not os.access(paths.root, os.W_OK | os.X_OK):
        raise ConfigError(
            f"{paths.config} cannot be changed: no permission in {paths.root}.",
            f"`ls -ld {paths.root}` shows who may.",
        )
    try:
        told = _measured(paths, config, setting)
    except HearthwayError as why:  # a wish needs no past days
        if setting is None:
            raise
        told = Told(
            person="",
            setting=config.assist.dial,
            wanted=setting,
            enough=False,
            measured=None,
            unknown=why.message,
        )
    if json_to is not None:
        write_json(told, json_to)
    if str(json_to) != "-":
        for line in _lines(told):
            click.echo(line)
    if setting is not None:
        for line in _set(paths, config, setting):
            click.echo(line, err=str(json_to) == "-")


def _measured(paths: NodePaths, config: Config, wanted: str | None) -> Told:
    atlas = open_atlas(config.map)
    with closing(atlas) if atlas else nullcontext(), opened(paths) as (store, _):
        owner = stored_owner(store, paths, config.node.id)
        if owner is None or store.last_fix(owner.person_id) is None:
            raise InputError(
                f"The dial is at {config.assist.dial}. No life is known on this phone yet.",
                "`hearthway import FILE --person NAME` takes a history in; or use the phone for some weeks.",
            )
        found = replay_dials(
            store, owner, config, atlas, rules_of(paths), counted(), ranker=ranker_of(paths)
        )
    uncounted()
    return Told(
        person=owner.name or owner.person_id,
        setting=config.assist.dial,
        wanted=wanted,
        enough=found.days >= LEAST_DAYS,
        measured=found,
    )


def _lines(told: Told) -> Iterator[str]:
    found = told.measured
    if found is None:
        yield f"{told.unknown} So there is nothing to judge {told.wanted} by."
        return
    yield f"The dial of {plain(told.person)}'s phone is at {told.setting}."
    yield (
        f"On {count_of(found.days, 'day')}{_span(found)}, as far as this phone still holds them; "
        "each moment knew only what came before it:"
    )
    yield "  dial        times a day   said   came true or accepted"
    for one in found.dials:
        mark = ">" if one.dial == (told.wanted or told.setting) else " "
        often, right = f"{one.spoken_a_day:.2f}", shown(one)
        if not told.enough:
            often, right = "unknown", "unknown"
        yield f"{mark} {one.dial:<8}  {often:>13}  {one.spoken:5}   {right}"
    if not told.enough:
        yield f"  Fewer than {LEAST_DAYS} days tell nothing: until then hardly a habit is known to speak of."
    if found.places_on_map is None:
        yield "  This phone has no map, so whatever needs one is never said."
    elif found.places_on_map < found.places:
        are = "is" if found.places_on_map == 1 else "are"
        some = (
            f"{found.places_on_map} of these {found.places} places {are}"
            if found.places_on_map
            else f"None of these {found.places} places is"
            if found.places > 1
            else "The one place known is not"
        )
        yield f"  {some} on this phone's map: beyond it nothing that needs one is said."
    yield from log_lines(found.log)


def _span(found: DialDays) -> str:
    """By the calendar of UTC: for people, which days these were."""
    if found.since_s is None or found.until_s is None:
        return ""
    first, last = (datetime.fromtimestamp(s, UTC) for s in (found.since_s, found.until_s))
    return f" ({first.day} {first:%B %Y} to {last.day} {last:%B %Y})"


def _set(paths: NodePaths, config: Config, setting: str) -> Iterator[str]:
    """Into node.toml, then to the phone if it runs."""
    changed = change_config(paths, config, {("assist", "dial"): setting})
    yield from changed or [f"assist.dial is {setting} already (node.toml)"]
    if not running(paths.socket):
        return
    try:
        with Control(paths.socket) as control:
            control.ask("dial", setting=setting)
    except HearthwayError as why:
        raise ConfigError(
            f"node.toml has it, and the running phone could not be told: {why.message}",
            "Restart it: it reads node.toml when it starts.",
        ) from None
    yield "The running phone goes by it."
