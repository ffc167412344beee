"""Shutting a listening server so that nobody who was just being let in stays in."""

from __future__ import annotations

import asyncio


async def shut(server: asyncio.Server) -> None:
    """Stop listening. Whoever was being accepted still reaches the server's callback, which has to turn it away.

    A server closed between an accept and its transport leaves that connection open for ever: CPython 3.11 then
    fails an assertion in `Server._attach` and forgets the socket.
    """
    loop = asyncio.get_running_loop()
    for listener in server.sockets:
        loop.remove_reader(listener.fileno())
    try:
        await asyncio.sleep(0)  # in this turn the transports of those already accepted are made
    finally:
        server.close()
