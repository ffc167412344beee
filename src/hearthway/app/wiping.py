"""A device that is handed down is erased before it is anybody else's: what of it stays is what kind of device it is.

The marker says that it is to be erased, so that a crash on the way leaves no half: whoever opens the node finishes.
"""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

import msgspec

from hearthway.records.errors import ConfigError

from .config import Config, MapTable, NodeTable, load_config, save_config
from .paths import NodePaths, write_private

MARKER = "handed-down"
_CHUNK_BYTES = 1 << 20


def is_handed_down(paths: NodePaths) -> bool:
    """Is this node's directory to be erased before it is used again?"""
    return (paths.root / MARKER).exists()


def mark_handed_down(paths: NodePaths) -> None:
    """From now on, also after a crash: nothing here is used any more, and all of it goes."""
    write_private(paths.root / MARKER, b"")


def erase_node(paths: NodePaths) -> None:
    """Erase keys, database, notes of commands, logs and what the settings say of a person; ConfigError where a file does not go.

    The rules, the address it listens at and the atlas stay. The page's password becomes another.
    """
    try:
        for path in _held(paths):
            if path.is_dir():
                for file in path.rglob("*"):
                    if file.is_file():
                        _overwrite(file)
                shutil.rmtree(path)
            else:
                _overwrite(path)
                path.unlink()
        save_config(paths, _of_nobody(load_config(paths.config)))
        (paths.root / MARKER).unlink(missing_ok=True)
    except OSError as why:
        raise ConfigError(
            f"This device is handed down and not erased yet: {why.filename or paths.root}: {why.strerror}.",
            "Give this user permission to delete it, then run `hearthway up`: it finishes.",
        ) from None


def _held(paths: NodePaths) -> list[Path]:
    """The keys first: without them nothing new comes in."""
    named = [paths.keys, paths.models, paths.root / ".backup", paths.root / "stderr.txt"]
    found = [path for path in named if path.exists()]
    for stem in (paths.database.name, paths.log.name, paths.commands.name):
        found += sorted(paths.root.glob(f"{stem}*"))
    return found


def _overwrite(path: Path) -> None:
    """Zeros in its place, as deleted pages are wiped; what a flash disk keeps aside is its encryption's to guard."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        for start in range(0, size, _CHUNK_BYTES):
            file.write(bytes(min(_CHUNK_BYTES, size - start)))
        file.flush()
        os.fsync(file.fileno())


def _of_nobody(config: Config) -> Config:
    web = config.web
    if web.token:  # whoever had the device knows the old one
        web = msgspec.structs.replace(web, token=secrets.token_urlsafe(18))
    return Config(
        node=NodeTable(id=config.node.id, role=config.node.role),
        mesh=config.mesh,
        map=MapTable(atlas=config.map.atlas),
        web=web,
        venue=config.venue,
        replay=config.replay,
    )
