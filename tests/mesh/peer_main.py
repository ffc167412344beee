"""A node in a process of its own, for tests: `peer_main.py KEYS`. It prints a line a thing that happens."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from hearthway.mesh.links.zenoh_link import ZenohLink
from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.mesh.wire.node import MeshNode


def say(*words: object) -> None:
    """One line, at once."""
    print(*words, flush=True)


async def main(keys: Path) -> None:
    """Be up until standard input ends."""
    identity = DeviceIdentity.load(keys, time.time())
    link = ZenohLink(identity, listen=identity.address, now_s=time.time())
    node = MeshNode(identity, link, Rules.parse(default_rules(), "default"), time.time)
    node.on_peer(lambda device_id, ready: say("peer", device_id, ready))
    node.serve("Receipt.Head", str, lambda _m, head: head.upper(), reply_key="Receipt.Countersign")
    node.subscribe("Replay.*", int, lambda meta, n: say("got", meta.sender, n))
    await node.open()
    say("open")
    await asyncio.to_thread(sys.stdin.read)
    await node.close()
    say("closed")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
