"""Ports of loopback for whoever is started by a test and listens only later.

Below those that the kernel gives to whoever connects: one of them may be another's before the node listens.
"""

from __future__ import annotations

import itertools
import os
import socket
from contextlib import suppress

STEP = (
    4  # a node takes the next one for its streams; the two after it are free for what a test adds
)
FROM, SPAN = 20_000, 12_000
# Processes of one run of tests begin far apart: what one has given away and nobody listens on yet, another would find free.
BESIDE = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
OF = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
NEXT = itertools.count(os.getpid() * 16 + SPAN // OF // STEP * STEP * BESIDE, STEP)


def free_port() -> int:
    """A port of loopback that was free a moment ago; no other call in this process is given it or the three after it."""
    while True:
        port = FROM + next(NEXT) % SPAN
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def free_address() -> str:
    """An address on loopback with such a port."""
    return f"127.0.0.1:{free_port()}"
