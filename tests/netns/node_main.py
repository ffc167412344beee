"""A node in a process of its own that never stops talking: `node_main.py KEYS`. Prints a JSON line a thing that happens.

It publishes a signal 20 times a second and a reliable record twice a second, and times every put. On standard input:
`since T` (when did something put after monotonic T arrive, by sender), `ask DEVICE`, `stats`, `stall` (a put that waits). End of input closes it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import zenoh

from hearthway.mesh.links.zenoh_link import ZenohLink
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.mesh.wire.envelope import Meta
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import HearthwayError
from hearthway.records.household import Role, Rule
from hearthway.records.signals import Signal

ROLES = (Role.PHONE, Role.CAR, Role.HOME)
EVERY_S = 0.05
RULES = Rules(
    Rule(id=f"test-{role}", keys=("Test.*",), sender=role, receivers=ROLES, purpose="share")
    for role in ROLES
)


def say(**fields: Any) -> None:
    """One line, at once, with when it happened."""
    who = threading.current_thread()
    aside = (
        {} if who is threading.main_thread() else {"thread": who.name}
    )  # handlers must not run there
    sys.stdout.write(json.dumps({"t": time.monotonic(), **fields, **aside}) + "\n")
    sys.stdout.flush()


class Talker:
    """One node and what it saw."""

    def __init__(self, node: MeshNode) -> None:
        self.node = node
        self._heard: deque[tuple[float, str, float]] = deque(maxlen=4000)
        self._worst: dict[str, float] = {}
        self._puts = self._slow = self._number = 0
        self.stall = False  # the control: the next put waits 30 ms
        node.on_peer(lambda device_id, ready: say(event="peer", peer=device_id, ready=ready))
        node.on_signals(self._hear)
        node.subscribe("Test.Reliable", float, self._hear_reliable)
        node.serve("Test.Ask", int, lambda _, n: n + 1, reply_key="Test.Answer")

    def _hear(self, meta: Meta, signals: list[Signal]) -> None:
        self._heard += [(time.monotonic(), meta.sender, float(s.value or 0.0)) for s in signals]

    def _hear_reliable(self, meta: Meta, sent_s: float) -> None:
        self._heard.append((time.monotonic(), meta.sender, sent_s))

    async def talk(self) -> None:
        """Publish for ever, whoever hears it."""
        due_s = time.monotonic()
        while True:
            self._number += 1
            now_s = time.monotonic()
            signal = Signal(key="Test.Signal", value=now_s, time_s=time.time())
            if self.stall:
                self.stall = False
                await self._timed("stalled", _stalled())
            await self._timed("signal", self.node.publish_signals([signal], "share"))
            if self._number % 10 == 0:
                record = self.node.publish("Test.Reliable", now_s, "share", reliable=True)
                await self._timed("reliable", record)
            due_s = max(due_s + EVERY_S, time.monotonic())
            await asyncio.sleep(due_s - time.monotonic())

    async def _timed(self, what: str, put: Any) -> None:
        """How long a put took, and whether this thread waited for something meanwhile (or was only not let run)."""
        before, begun_s = resource.getrusage(resource.RUSAGE_THREAD), time.monotonic()
        await put
        took_ms = (time.monotonic() - begun_s) * 1000
        waited = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw > before.ru_nvcsw
        self._puts += 1
        self._slow += took_ms > 10
        kind = f"{what}, waiting" if waited else what
        self._worst[kind] = max(self._worst.get(kind, 0.0), took_ms)

    def since(self, then_s: float) -> dict[str, float]:
        """When the first thing put after `then_s` arrived, by sender."""
        first: dict[str, float] = {}
        for at_s, sender, sent_s in self._heard:
            if sent_s >= then_s and sender not in first:
                first[sender] = at_s
        return first

    async def ask(self, device_id: str) -> None:
        """One request, and what became of it."""
        begun_s = time.monotonic()
        try:
            answer = await self.node.request(device_id, "Test.Ask", 41, "share", int, 3.0)
        except HearthwayError as why:
            say(event="asked", peer=device_id, ok=False, why=why.message)
            return
        took_ms = (time.monotonic() - begun_s) * 1000
        say(event="asked", peer=device_id, ok=answer == 42, took_ms=took_ms)

    def stats(self) -> None:
        """Puts since the last time, and what this process holds."""
        gc.collect()
        rss = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        say(
            event="stats",
            puts=self._puts,
            slow=self._slow,
            worst=self._worst,
            rss_mb=rss / 1e6,
            threads=len(list(Path("/proc/self/task").iterdir())),
            fds=len(list(Path("/proc/self/fd").iterdir())),
            tasks=len(asyncio.all_tasks()),
        )
        self._puts = self._slow = 0
        self._worst = {}


async def _stalled() -> None:
    time.sleep(0.03)  # noqa: ASYNC251 - as a put that blocks the event loop would


async def main(keys: Path) -> None:
    """Be up until standard input ends."""
    identity = DeviceIdentity.load(keys, time.time())
    link = ZenohLink(identity, listen=identity.address, now_s=time.time())
    talker = Talker(MeshNode(identity, link, RULES, time.time))
    await talker.node.open()
    say(event="open")
    talking = asyncio.create_task(talker.talk())
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while words := (await reader.readline()).decode().split():
        if words[0] == "since":
            say(event="since", first=talker.since(float(words[1])))
        elif words[0] == "ask":
            await talker.ask(words[1])
        elif words[0] == "stats":
            talker.stats()
        elif words[0] == "stall":
            talker.stall = True
    talking.cancel()
    await asyncio.gather(talking, return_exceptions=True)
    await talker.node.close()
    say(event="closed")


if __name__ == "__main__":
    if "RUST_LOG" in os.environ:
        zenoh.init_log_from_env_or("error")
    asyncio.run(main(Path(sys.argv[1])))
