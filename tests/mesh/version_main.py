"""A node of another version in a process of its own, for tests: `version_main.py KEYS DATABASE next|previous`.

next      speaks versions 2 and 3 of the wire, says a field more in greetings, frames, registers and messages, and
          keeps a database of schema 3
previous  knows no replicas, and keeps a database of schema 1
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from msgspec import Struct

from hearthway.app.membership import CLAIM, Claim, Claimed
from hearthway.mesh.links.zenoh_link import ZenohLink
from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.mesh.state import database
from hearthway.mesh.state.replica import Replica
from hearthway.mesh.state.replica_sync import ReplicaSync
from hearthway.mesh.state.schema import MIGRATIONS
from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.mesh.wire import envelope
from hearthway.mesh.wire.node import MeshNode
from hearthway.records import codec

SAYS_MORE = [
    "Hello",
    "Frame",
    "Head",
    "Pull",
    "Change",
    "Burial",
    "Changes",
    "Claim",
    "Claimed",
    "Signal",
]


def say(*words: object) -> None:
    """One line, at once."""
    print(*words, flush=True)


class Newer:
    """Encodes records with a field that version 2 does not know."""

    def __init__(self, encoder: Any) -> None:
        self._encoder = encoder

    def encode(self, record: object) -> bytes:
        """The bytes of a later version."""
        found: bytes = self._encoder.encode(_newer(record))
        return found


def _newer(record: Any) -> Any:
    if isinstance(record, list | tuple):
        return [_newer(one) for one in record]
    if not isinstance(record, Struct) or type(record).__name__ not in SAYS_MORE:
        return record
    fields = {name: _newer(getattr(record, name)) for name in record.__struct_fields__}
    if record.__struct_config__.array_like:
        return [*fields.values(), {"of": "version 3"}]
    return {**fields, "of_version_3": ["x", 3]}


def pose_as_next() -> None:
    """Be the next version from here on."""
    codec._ENCODER = Newer(codec._ENCODER)  # type: ignore[assignment]
    envelope._ENCODER = Newer(envelope._ENCODER)  # type: ignore[assignment]
    third = ("ALTER TABLE registers ADD COLUMN of_version_3 TEXT NOT NULL DEFAULT 'x'",)
    vars(database).update(MIGRATIONS=(*MIGRATIONS, third), SCHEMA_VERSION=len(MIGRATIONS) + 1)


def pose_as_previous(path: Path) -> None:
    """A database as the previous version left it."""
    if not path.exists():
        golden = Path(__file__).parents[1] / "golden" / "store_v1.sql"
        db = sqlite3.connect(path)
        db.executescript(golden.read_text())
        db.execute("INSERT OR REPLACE INTO meta VALUES ('node_id', ?)", (b"phone",))
        db.commit()
        db.close()


async def main(keys: Path, path: Path, version: str) -> None:
    """Obeys lines on standard input: "set KEY VALUE", "held", "claim DEVICE"; until it ends."""
    now = time.time
    identity = await asyncio.to_thread(DeviceIdentity.load, keys, now())
    rules = Rules.parse(default_rules(), "default")
    link = ZenohLink(identity, listen=identity.address, now_s=now())
    versions = (2, 3) if version == "next" else (2, 2)
    mesh = MeshNode(identity, link, rules, now, versions=versions)
    mesh.serve(CLAIM, Claim, lambda _, claim: Claimed(confirmed=claim.person_id == "p1"))
    mesh.on_signals(lambda meta, signals: say("heard", *(s.key for s in signals)))
    mesh.on_peer(lambda device_id, ready: say("peer", device_id, ready))
    store = sync = None
    if version == "next":
        store = await asyncio.to_thread(Store.open, path, node_id=identity.device_id)
        sync = ReplicaSync(Replica(store, now), mesh, lambda: rules, now)
    await mesh.open()
    say("open")
    while line := (await asyncio.to_thread(sys.stdin.readline)).split():
        if line[0] == "set" and sync is not None:
            await sync.set(line[1], line[2].encode())
            say("done")
        elif line[0] == "held" and store is not None:
            say("held", *(f"{r.key}={r.value.decode()}" for r in store.registers()))
        elif line[0] == "claim":
            await mesh.wait_ready([line[1]], 10.0)  # it may see us a moment before we see it
            got = await mesh.request(
                line[1], CLAIM, Claim(person_id="p1"), "household", Claimed, 10.0
            )
            say("claimed", got.confirmed)
    if sync is not None and store is not None:
        await sync.close()
        store.close()
    await mesh.close()


if __name__ == "__main__":
    if sys.argv[3] == "next":
        pose_as_next()
    else:
        pose_as_previous(Path(sys.argv[2]))
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
