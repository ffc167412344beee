"""`hearthway up`: run this device's node until it is stopped."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hearthway.app.config import Config, NodeTable, load_config, save_config
from hearthway.app.config_change import change_config, with_changes
from hearthway.app.control import refuse_running, running
from hearthway.app.household import list_home_at
from hearthway.app.node import Node, open_node
from hearthway.app.paths import NodePaths, data_root, private_dir, write_private
from hearthway.app.wiping import erase_node, is_handed_down
from hearthway.records.errors import ConfigError, HearthwayError
from hearthway.records.household import Role

if TYPE_CHECKING:
    from hearthway.web.service import PageService


def _said(
    role: Role, listen: str | None, web: str | None, venue: tuple[str, str] | None, token: str
) -> dict[tuple[str, str], str]:
    """What the command line sets, by table and key; ConfigError for what does not fit the role."""
    found: dict[tuple[str, str], str] = {}
    if listen is not None:
        found["venue" if role is Role.VENUE else "mesh", "listen"] = listen
    if web is not None:
        found["web", "listen"] = web
        found["web", "token"] = token or secrets.token_urlsafe(18)
    if venue:
        if role is not Role.VENUE:
            raise ConfigError(f"A {role} is no place to eat at.", "Leave out --venue.")
        found["venue", "osm_id"], found["venue", "name"] = venue
    return found


def _first_config(
    paths: NodePaths,
    role: Role,
    name: str | None,
    listen: str | None,
    web: str | None,
    venue: tuple[str, str] | None,
) -> None:
    if role is Role.VENUE and venue is None:
        raise ConfigError(
            "A venue says which place it is.",
            'Add --venue with its POI, as in --venue node/123 "Name".',
        )
    config = Config(node=NodeTable(id=name or str(role), role=role))
    config = with_changes(config, _said(role, listen, web, venue, ""))
    private_dir(paths.root)
    save_config(paths, config)


def _take_in(
    paths: NodePaths,
    role: str | None,
    name: str | None,
    listen: str | None,
    web: str | None,
    venue: tuple[str, str] | None,
) -> list[str]:
    """What is said to a node that is there already stands in its node.toml, a line each; ConfigError for what cannot."""
    config = load_config(paths.config)
    is_one = config.node.role
    if role not in (None, str(is_one)):
        raise ConfigError(f"{paths.config} says this device is a {is_one}.", "Leave out --role.")
    if name not in (None, config.node.id):
        raise ConfigError(
            f"This node is {config.node.id!r} for good: its keys and receipts go by that name.",
            "Leave out --name, or start another node with another --data.",
        )
    changes = _said(is_one, listen, web, venue, config.web.token)
    if not changes:
        return []
    refuse_running(paths)
    lines = change_config(paths, config, changes)
    if listen is not None and is_one is Role.HOME:
        address = list_home_at(paths.keys, load_config(paths.config), time.time())
        if address:
            lines.append(f"the household's list: the home is at {address} from now on")
    return lines


def _put_back(paths: NodePaths, config: bytes | None) -> None:
    """As it stood before a start that failed, with what was said to it."""
    if config is None:
        paths.config.unlink(missing_ok=True)
        return
    write_private(paths.config, config)
    known = load_config(paths.config)
    if known.node.role is Role.HOME:
        list_home_at(paths.keys, known, time.time())


@click.command("up")
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), help="The node's directory."
)
@click.option(
    "--role",
    type=click.Choice([str(r) for r in Role]),
    help="What this device is; for its first start.",
)
@click.option(
    "--name", help="The device's id in the household, for its first start; by default its role."
)
@click.option(
    "--listen", metavar="HOST:PORT", help="Where other nodes reach it; kept in node.toml."
)
@click.option(
    "--web",
    metavar="HOST:PORT",
    help="Serve the page and take OwnTracks there; kept in node.toml.",
)
@click.option(
    "--venue",
    nargs=2,
    metavar="OSM_ID NAME",
    help="For a venue: which POI it is; kept in node.toml.",
)
@click.option("--leash", is_flag=True, hidden=True, help="End when standard input ends.")
def command(
    data: Path | None,
    role: str | None,
    name: str | None,
    listen: str | None,
    web: str | None,
    venue: tuple[str, str] | None,
    leash: bool,  # click's callback form
) -> None:
    """Run this device's node. The first start needs --role; afterwards node.toml says everything, and
    an option that says otherwise is written into it, unless the node does not start with it.

    Ctrl-C ends it cleanly. Everything it keeps stands in one directory (0700).
    """
    if data is None:
        if role is None:
            found = sorted(data_root().glob("*/node.toml"))
            if len(found) != 1:
                raise ConfigError("Which node?", "Say --role for a first start, or --data DIR.")
            data = found[0].parent
        else:
            data = data_root() / (name or role)
    paths = NodePaths(data)
    new = not paths.root.exists()
    stood, lines = None, list[str]()
    if paths.config.exists():
        stood = paths.config.read_bytes()
        lines = _take_in(paths, role, name, listen, web, venue)
    elif role is None:
        raise ConfigError(
            f"There is no node in {data} yet.",
            "Say what this device is: --role phone, car, home or venue.",
        )
    else:
        _first_config(paths, Role(role), name, listen, web, venue)
    was_up: list[bool] = []
    try:
        _run(paths, lines, leash=leash, was_up=was_up)
    except HearthwayError:
        if new and not was_up:  # all in it was made by this start, and might contradict the next
            shutil.rmtree(paths.root, ignore_errors=True)
        elif not was_up and (lines or stood is None):
            _put_back(paths, stood)
        raise


def _run(paths: NodePaths, lines: Sequence[str], *, leash: bool, was_up: list[bool]) -> None:
    """The node, until it ends; `was_up` is filled once it is, and `lines` say what is another way from now on."""
    node = open_node(paths)
    page = _add_page(node) if node.config.web.listen != "off" else None
    if node.config.ask.voice != "off":
        from hearthway.app.ask.voice import VoiceService

        node.services.append(VoiceService(node))
    if node.config.satellite.mic != "off":
        from hearthway.app.ask.satellite import SatelliteService

        node.services.append(SatelliteService(node))

    def up() -> None:
        was_up.append(True)
        for line in lines:
            click.echo(line)
        if leash:
            return
        click.echo(f"{node.config.node.id} is up ({node.config.node.role}); Ctrl-C ends it")
        if page is not None:
            click.echo(f"its page: {page.url}")  # with the port that a 0 became

    try:
        asyncio.run(node.run(leash=leash, up=up))
    finally:
        # No loop and no thread is left that could write to it, unless this was a second start beside it.
        if is_handed_down(paths) and not running(paths.socket):
            erase_node(paths)


def _add_page(node: Node) -> PageService:
    try:
        from hearthway.web.service import page_service
    except ModuleNotFoundError as why:
        raise ConfigError(
            f"The page needs {why.name}, which is not installed.",
            "Run `pip install 'hearthway[web]'`.",
        ) from None
    page = page_service(node)
    node.services.append(page)
    return page
