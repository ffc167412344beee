"""A router's process: no node, no database, no key of the household; one file that the home wrote."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from hearthway.mesh.links.router import Router
from hearthway.mesh.links.router_config import (
    FILE_MAX_BYTES,
    RouterFile,
    check_router_dates,
    read_router,
)
from hearthway.records.errors import InputError


def load_router(path: Path) -> RouterFile:
    """The router's file at `path`, good for now; InputError says what is wrong with it."""
    try:
        if path.stat().st_mode & 0o077:
            raise InputError(
                f"{path} can be read by other users of this machine.",
                f"Close it with `chmod 600 {path}`; if others had access, remove this router and add it anew.",
            )
        with path.open("rb") as file:
            data = file.read(FILE_MAX_BYTES + 1)
    except OSError as why:
        raise InputError(
            f"{path} cannot be read: {why.strerror}.",
            "Copy the file here that `hearthway router add` wrote on the home.",
        ) from None
    found = read_router(data)
    check_router_dates(found, time.time())
    return found


async def run_router(file: RouterFile, *, leash: bool, up: Callable[[], None]) -> None:
    """Until a signal, or (with `leash`) the end of standard input; `up` is called once it listens."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    def moved() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            loop.remove_reader(sys.stdin.fileno())
            stop.set()

    if leash:
        loop.add_reader(sys.stdin.fileno(), moved)
    router = Router(file)
    try:
        await router.open()
        up()
        await stop.wait()
    finally:
        await router.close()
