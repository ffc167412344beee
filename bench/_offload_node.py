"""A node of bench/offload.py in its own process: `_offload_node.py DIR`, as `hearthway up` runs it, over Zenoh and TLS.

In the car, a line of JSON on standard input is a task; when it begins and its end are lines of JSON on standard output. End of
input ends it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hearthway.app.ask.voice import VoiceService
from hearthway.app.node import Node, open_node
from hearthway.app.offload import Offloading, pinned
from hearthway.app.offload_jobs import DETOURS, FACTORY, DetoursAsked, detours_asked, spec_of
from hearthway.app.paths import NodePaths
from hearthway.app.worker import Worker
from hearthway.app.worker_wire import Ended
from hearthway.atlas.store import Atlas
from hearthway.mesh.offload.placement import HERE, Choice, Placement, Weights
from hearthway.records.codec import pack, unpack
from hearthway.records.errors import HearthwayError
from hearthway.records.offload import Job

KEYS = ("Vehicle.CurrentLocation.Latitude", "Vehicle.CurrentLocation.Longitude", "Task.Target")


PLACES: dict[str | None, Callable[[Choice], Choice]] = {
    "here": pinned(HERE),
    "phone": pinned("phone"),
    "phone, or here": lambda choice: replace(choice, where="phone", beside=None, here_after_s=0.2),
}


def task_of(stops: int, seed: int) -> bytes:
    """So many random stops on the bundled map, between two random points."""
    south, west, north, east = Atlas.bundled().bounds
    rng = random.Random(seed)

    def point() -> tuple[float, float]:
        return rng.uniform(south, north), rng.uniform(west, east)

    return detours_asked(point(), point(), [point() for _ in range(stops)])


_ATLAS: list[Atlas] = []


def compute(data: bytes) -> bytes:
    """One task, on the bundled map."""
    if not _ATLAS:
        _ATLAS.append(Atlas.bundled())
    asked = unpack(data, DetoursAsked)
    return pack(_ATLAS[0].detours(asked.a, asked.b, asked.vias))


def say(**fields: Any) -> None:
    """One line, at once."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


class Counting(Worker):
    """It says whether it rests, and what CPU its last task took."""

    cpu_s = 0.0

    @property
    def rests(self) -> bool:
        """Is nothing under way, nothing called off that has not yet given way, and does nothing wait?"""
        return self._now is None and not any(self._queues)

    async def run(self, job: Job, data: bytes, **words: Any) -> tuple[Ended, float]:
        """As a worker does."""
        ended, waited_s = await super().run(job, data, **words)
        self.cpu_s = ended.cpu_s
        return ended, waited_s


def under_way() -> bool:
    """Does this node or a helper still compute a task of its own, to be compared or learned of?"""
    return any(task.get_name().startswith("task at ") for task in asyncio.all_tasks())


class Asker:
    """The car's side: what is measured teaches nothing unless the placement itself chose."""

    def __init__(self, node: Node) -> None:
        self._part = node.part(Offloading)
        self._part.worker = self._worker = Counting(FACTORY, spec_of(node.config.map))
        self._learning = self._part.placement
        self._scratch = Placement(Weights(), random.Random(1))

    async def ask(self, do: dict[str, Any]) -> dict[str, Any]:
        """One task: where it went, how long it took, what came out. It begins when the one before is over on both sides, also where that was only compared."""
        job = await self._part.job(DETOURS)
        while not self._worker.rests or under_way():  # noqa: ASYNC110 - neither tells anybody, and both are what ships
            await asyncio.sleep(0.002)
        say(event="begun")
        where = do.get("where")
        self._part.placement = self._learning if where is None else self._scratch
        place = PLACES.get(where)
        data = task_of(do["stops"], do["seed"])
        begun_s = time.monotonic()
        try:
            done = await self._part.run(
                job,
                data,
                size=float(do["stops"]),
                within_s=do["within_s"],
                keys=KEYS,
                place=place,
            )
        except HearthwayError as why:
            return {"ok": False, "why": str(why), "took_s": time.monotonic() - begun_s}
        finally:
            self._part.placement = self._learning
        return {
            "ok": True,
            "took_s": time.monotonic() - begun_s,
            "by": done.by,
            "cpu_s": self._worker.cpu_s,  # of the last one that ended in here
            "where": done.choice.where or "here",
            "beside": done.choice.beside,
            "p95_s": dict(done.choice.p95_s),
            "not": dict(done.choice.why_not),
            "digest": hashlib.sha256(done.output).hexdigest(),
            "bytes": len(data) + len(done.output),
        }


async def main(data: Path) -> None:
    """Be up until standard input ends."""
    node = open_node(NodePaths(data))
    if node.config.ask.voice != "off":
        node.services.append(VoiceService(node))
    up = asyncio.Event()
    running = asyncio.create_task(node.run(up=up.set))
    waiting = asyncio.create_task(up.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    say(event="up")
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    asker = Asker(node) if data.name == "car" else None
    while line := await reader.readline():
        do = json.loads(line)
        if do["do"] == "reach":
            await node.paired().wait_ready([do["who"]], 20.0)
            say(event="reached")
        elif asker is not None:
            say(**await asker.ask(do))
    node.stop()
    await running


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
