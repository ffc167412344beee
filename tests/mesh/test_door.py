"""A door that closes while somebody is being let in. Those of streams and of the control socket stand with their tests."""

from __future__ import annotations

import asyncio
import gc
import socket
import time
from contextlib import suppress
from typing import Any

import pytest

from hearthway.mesh.joining.pairing_home import PairingServer

pytestmark = pytest.mark.usefixtures("no_blocking")


@pytest.mark.parametrize("turns", range(8))
def test_whoever_connects_while_pairing_closes_is_let_go(make_household: Any, turns: int) -> None:
    """However far it had come: nothing of it stays open."""
    root = make_household(home="home").root

    async def scenario() -> None:
        server = PairingServer(root, host="127.0.0.1", port=0, code="123456", now=time.time)
        await server.open()
        host, _, port = server.address.rpartition(":")
        with socket.create_connection((host, int(port)), 1.0) as wire:
            for _ in range(turns):
                await asyncio.sleep(0)
            await server.close()
            await asyncio.sleep(0.02)
            with suppress(ConnectionResetError):
                while wire.recv(1024):  # a greeting may have gone out
                    pass

    asyncio.run(scenario())
    gc.collect()  # what was left open would warn here
