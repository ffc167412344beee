"""The peer of bench/offload.py: the same tasks by plain RPC over one TLS stream, without rules, seal or fallback.

_offload_peer.py serve ADDRESS CERT KEY      computes in a process of its own
_offload_peer.py ask ADDRESS CERT            a line {"stops": N, "seed": S} on standard input is a task
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench._offload_node import compute, say, task_of
else:  # run as a script, its own folder is on the path
    from _offload_node import compute, say, task_of

PORT = 7600


async def _read(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(4), "little"))


def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(len(data).to_bytes(4, "little") + data)


async def serve(address: str, cert: str, key: str) -> None:
    """Until it is killed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1) as pool:
        await loop.run_in_executor(pool, compute, task_of(1, 1))

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                _write(writer, await loop.run_in_executor(pool, compute, await _read(reader)))
                await writer.drain()

        server = await asyncio.start_server(answer, address, PORT, ssl=context)
        say(event="up")
        await server.serve_forever()


async def ask(address: str, cert: str) -> None:
    """Until standard input ends."""
    context = ssl.create_default_context(cafile=cert)
    context.check_hostname = False
    reader, writer = await asyncio.open_connection(address, PORT, ssl=context)
    say(event="up")
    while line := await asyncio.to_thread(sys.stdin.readline):
        do = json.loads(line)
        data = task_of(do["stops"], do["seed"])
        begun_s = time.monotonic()
        _write(writer, data)
        await writer.drain()
        output = await _read(reader)
        say(took_s=time.monotonic() - begun_s, bytes=len(data) + len(output))
    writer.close()


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    asyncio.run((serve if what == "serve" else ask)(*words))
