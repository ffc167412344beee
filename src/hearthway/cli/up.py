"""`hearthway up`: run this device's node until it is stopped."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import click
import msgspec

from hearthway.app.config import (
    Config,
    MeshTable,
    NodeTable,
    VenueTable,
    WebTable,
    load_config,
    save_config,
    validated,
)
from hearthway.app.control import running
from hearthway.app.node import Node, open_node
from hearthway.app.paths import NodePaths, data_root, private_dir
from hearthway.app.wiping import erase_node, is_handed_down
from hearthway.records.errors import ConfigError
from hearthway.records.household import Role


def _first_config(
    paths: NodePaths,
    role: str,
    name: str | None,
    listen: str | None,
    web: str | None,
    venue: tuple[str, str] | None,
) -> None:
    node_id = name or role
    config = Config(node=NodeTable(id=node_id, role=Role(role)))
    if listen:
        config = msgspec.structs.replace(config, mesh=MeshTable(listen=listen))
    if web:
        table = WebTable(listen=web, token=secrets.token_urlsafe(18))
        config = msgspec.structs.replace(config, web=table)
    if venue:
        config = msgspec.structs.replace(config, venue=VenueTable(osm_id=venue[0], name=venue[1]))
    validated(config, "The command line")  # before it is written: a first start is not half done
    private_dir(paths.root)
    save_config(paths, config)


@click.command("up")
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), help="The node's directory."
)
@click.option(
    "--role",
    type=click.Choice([str(r) for r in Role]),
    help="What this device is; for its first start.",
)
@click.option("--name", help="The device's id in the household; by default its role.")
@click.option(
    "--listen", metavar="HOST:PORT", help="Where other nodes reach it; for its first start."
)
@click.option(
    "--web",
    metavar="HOST:PORT",
    help="Serve the page and take OwnTracks there; for its first start.",
)
@click.option("--venue", nargs=2, metavar="OSM_ID NAME", help="For a venue: which POI it is.")
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
    """Run this device's node. The first start needs --role; afterwards node.toml says everything.

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
    if not paths.config.exists():
        if role is None:
            raise ConfigError(
                f"There is no node in {data} yet.",
                "Say what this device is: --role phone, car, home or venue.",
            )
        _first_config(paths, role, name, listen, web, venue)
    elif role is not None and str(load_config(paths.config).node.role) != role:
        raise ConfigError(
            f"{paths.config} says this device is a {load_config(paths.config).node.role}.",
            "Leave out --role.",
        )
    node = open_node(paths)
    if node.config.web.listen != "off":
        _add_page(node)
    if node.config.ask.voice != "off":
        from hearthway.app.ask.voice import VoiceService

        node.services.append(VoiceService(node))
    if node.config.satellite.mic != "off":
        from hearthway.app.ask.satellite import SatelliteService

        node.services.append(SatelliteService(node))

    def up() -> None:
        click.echo(f"{node.config.node.id} is up ({node.config.node.role}); Ctrl-C ends it")
        if node.config.web.listen != "off":
            click.echo(f"its page: http://{node.config.web.listen}/")

    try:
        asyncio.run(node.run(leash=leash, up=None if leash else up))
    finally:
        # No loop and no thread is left that could write to it, unless this was a second start beside it.
        if is_handed_down(paths) and not running(paths.socket):
            erase_node(paths)


def _add_page(node: Node) -> None:
    try:
        from hearthway.web.service import page_service
    except ModuleNotFoundError as why:
        raise ConfigError(
            f"The page needs {why.name}, which is not installed.",
            "Run `pip install 'hearthway[web]'`.",
        ) from None
    node.services.append(page_service(node))
