"""Handoff and borrowed position, between real nodes on loopback: how long, and is anything ever lost.

    python bench/handoff.py --data ../shared/data [--handoffs 100] [--kills 10]

Home, phone and car run as `hearthway up` and are paired as a person would. A handoff is timed from the request on
the holder's control socket to the receiver's acknowledged, stored task. Then the receiver is killed (SIGKILL)
at a random moment of a handoff: afterwards the task must be held by exactly one node. At last the car's positions
stop while its speed goes on: timed until the car shows the phone's. `--data` is not needed: nothing is read.
The peer of the times is the limit asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from hearthway.app.config import Config, MapTable, MeshTable, NodeTable, save_config
from hearthway.app.launch import NodeProcess, stop_all
from hearthway.app.paths import NodePaths, private_dir
from hearthway.records.errors import HearthwayError
from hearthway.records.household import Role

try:
    from bench._ends import started
except ModuleNotFoundError:  # started as a script: bench/ itself is on the path
    from _ends import started  # type: ignore[no-redef, import-not-found, unused-ignore]

LIMIT_MS, TAKEOVER_S = 300.0, 2.0
ROLES = ("home", "phone", "car")


def free_port() -> int:
    """A port with two free ones beside it: pairing and the stream take the next."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port < 65_000:
            return port


def node(root: Path, role: str) -> NodeProcess:
    """A node's directory and its process."""
    paths = NodePaths(private_dir(root / role))
    save_config(
        paths,
        Config(
            node=NodeTable(id=role, role=Role(role)),
            mesh=MeshTable(listen=f"127.0.0.1:{free_port()}"),
            map=MapTable(atlas="none"),
        ),
    )
    return NodeProcess(role, paths, lambda _, command: list(command))


async def household(root: Path) -> dict[str, NodeProcess]:
    """Home, phone and car, up and paired; somebody lives on the phone."""
    nodes = {role: node(root, role) for role in ROLES}
    for one in nodes.values():
        one.start()
    for one in nodes.values():
        await one.ready()
    for role in ("phone", "car"):
        offer = await nodes["home"].ask("pair-open", port=free_port())
        await nodes[role].ask("pair", address=offer["address"], code=offer["code"])
    history = root / "history.csv"
    start_s = int(time.time()) - 86_400
    rows = [f"{start_s + 60 * n},60.17,24.94" for n in range(40)]
    history.write_text("\n".join(["time,lat,lon", *rows]) + "\n")
    await nodes["phone"].ask("import", file=str(history), name="Anna")
    for role in ROLES:
        await nodes[role].ask("await-peers", roles=[other for other in ROLES if other != role])
    return nodes


async def handoffs(nodes: dict[str, NodeProcess], count: int) -> list[float]:
    """Milliseconds of each handoff, to and fro."""
    task = await nodes["phone"].ask("task-start", name="Forum", lat=60.1696, lon=24.9384)
    took = []
    for n in range(count):
        giver, taker = ("phone", "car") if n % 2 == 0 else ("car", "phone")
        started = time.monotonic()
        await nodes[giver].ask("task-hand", id=task["id"], to=taker)
        took.append((time.monotonic() - started) * 1000.0)
        held = (await nodes[taker].ask("status"))["tasks"]
        if [one["id"] for one in held] != [task["id"]]:
            raise SystemExit(f"handoff {n} lost the task: {held}")
    return took


async def kills(nodes: dict[str, NodeProcess], count: int, rng: random.Random) -> int:
    """How many of the tasks are held by exactly one node after the receiver was killed under way."""
    sound = 0
    for n in range(count):
        task = await nodes["phone"].ask("task-start", name=f"Target {n}", lat=60.0, lon=25.0)
        giving = asyncio.create_task(nodes["phone"].ask("task-hand", id=task["id"], to="car"))
        await asyncio.sleep(rng.random() * 0.02)
        nodes["car"].kill()
        nodes["car"].start()
        await nodes["car"].ready()
        with suppress(HearthwayError):
            await giving
        await nodes["car"].ask("await-peers", roles=["phone"])
        await nodes["phone"].ask("await-peers", roles=["car"])
        holders: list[str] = []
        for _ in range(100):  # the next contact settles who holds it
            holders = []
            for role in ("phone", "car"):
                status: dict[str, Any] = await nodes[role].ask("status")
                holders += [role for one in status["tasks"] if one["id"] == task["id"]]
            if len(holders) == 1:
                break
            await asyncio.sleep(0.1)
        sound += len(holders) == 1
        if holders:
            await nodes[holders[0]].ask("task-done", id=task["id"])
    return sound


async def takeover(nodes: dict[str, NodeProcess]) -> float:
    """Seconds from the car's last own position until it shows the phone's."""

    async def car(*, position: bool) -> None:
        now_s = time.time()
        signals = [{"key": "Vehicle.Speed", "value": 30.0, "time_s": now_s, "unit": "km/h"}]
        if position:
            signals += [
                {
                    "key": f"Vehicle.CurrentLocation.{name}",
                    "value": value,
                    "time_s": now_s,
                    "unit": "degrees",
                }
                for name, value in (("Latitude", 60.17), ("Longitude", 24.94))
            ]
        await nodes["car"].ask("sense", signals=signals)

    async def phone() -> None:
        now_s = time.time()
        signals = [
            {
                "key": f"Person.Location.{name}",
                "value": value,
                "time_s": now_s,
                "unit": "degrees",
                "source": "phone",
            }
            for name, value in (("Latitude", 60.18), ("Longitude", 24.95))
        ]
        await nodes["phone"].ask("sense", signals=signals)

    for _ in range(3):
        await phone()
        await car(position=True)
        await asyncio.sleep(1.0)
    await phone()
    await car(position=True)
    lost = time.monotonic()
    said = lost
    while time.monotonic() - lost < 10.0:
        shown = (await nodes["car"].ask("status"))["position"]
        if shown and shown["lent"] and shown["source"] == "phone":
            return time.monotonic() - lost
        if time.monotonic() - said >= 1.0:  # the car's other signals go on, every second
            said += 1.0
            await car(position=False)
            await phone()
        await asyncio.sleep(0.02)
    return float("inf")


async def measure(root: Path, count: int, killed: int) -> list[dict[str, Any]]:
    """All rows."""
    nodes = await household(root)
    try:
        took = sorted(await handoffs(nodes, count))
        sound = await kills(nodes, killed, random.Random(1))
        late = await takeover(nodes)
    finally:
        await asyncio.to_thread(stop_all, list(nodes.values()))

    def row(
        case: str, metric: str, unit: str, ours: float, peer: str, theirs: float
    ) -> dict[str, Any]:
        return {
            "case": case,
            "metric": metric,
            "unit": unit,
            "ours": round(ours, 3),
            "peer": peer,
            "theirs": theirs,
            "ratio": round(ours / theirs, 3) if theirs else None,
        }

    return [
        row("handoff", "p50", "ms", took[len(took) // 2], "limit", LIMIT_MS),
        row("handoff", "p95", "ms", took[int(0.95 * (len(took) - 1))], "limit", LIMIT_MS),
        row("handoff", "worst", "ms", took[-1], "limit", LIMIT_MS),
        row("receiver killed", "tasks held by exactly one", "count", sound, "tasks", killed),
        row("position lost", "shown from the phone after", "s", late, "limit", TAKEOVER_S),
    ]


def main() -> int:
    """Prints what it does to standard error, the JSON line to standard output."""
    parse = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parse.add_argument("--data", type=Path, help="not needed: nothing is read")
    parse.add_argument("--handoffs", type=int, default=100)
    parse.add_argument("--kills", type=int, default=10)
    given = parse.parse_args()
    with tempfile.TemporaryDirectory() as root:
        rows = asyncio.run(measure(Path(root), given.handoffs, given.kills))
    for one in rows:
        print(f"{one['case']:16} {one['metric']:28} {one['ours']} {one['unit']}", file=sys.stderr)
    print(json.dumps({"bench": "handoff", "rows": rows}))
    return 0


if __name__ == "__main__":
    started(main)
