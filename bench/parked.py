"""What a longer lease saves while parked, and what it costs: wake-ups and bytes, and how late a vanished node is noticed.

Home, car and phone as real `hearthway up` processes, each in a network namespace of its own. The same nodes are looked
at awake, then with car and phone parked. A node that hangs (SIGSTOP) says nothing and its wire stays: only the lease
finds out. (One that is killed is noticed at once either way.) Needs network namespaces. `--data` is taken and not needed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hearthway.app.config import Config, MapTable, MeshTable, NodeTable, save_config
from hearthway.app.launch import NodeProcess, stop_all
from hearthway.app.namespaces import Lan
from hearthway.app.paths import NodePaths, private_dir
from hearthway.records.household import Role

try:
    from bench._ends import started
except ModuleNotFoundError:  # started as a script: bench/ itself is on the path
    from _ends import started  # type: ignore[no-redef, import-not-found, unused-ignore]

NAMES = ("home", "car", "phone")
SETTLE_S = 8.0
FORCE_S = 60.0  # the longer lease comes into force once a node has been quiet for 20 s


@dataclass
class Reading:
    """One process, all its threads, and its namespace at one moment."""

    at_s: float
    cpu_s: float
    wakeups: int
    sent: int

    @classmethod
    def of(cls, pid: int, lan: Lan, name: str) -> Reading:
        """Now."""
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        wakeups = 0
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):  # a thread may end while we look
                fields = (task / "status").read_text().split("\nvoluntary_ctxt_switches:")
                wakeups += int(fields[1].split()[0])
        cpu_s = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
        return cls(time.monotonic(), cpu_s, wakeups, lan.counters(name).interfaces["eth0"].tx_bytes)


def row(
    case: str, metric: str, unit: str, ours: float, peer: str, theirs: float | None
) -> dict[str, Any]:
    """One line of the table: parked beside awake."""
    ratio = round(ours / theirs, 2) if theirs else None
    known = None if theirs is None else round(theirs, 3)
    return {
        "case": case,
        "metric": metric,
        "unit": unit,
        "ours": round(ours, 3),
        "peer": peer,
        "theirs": known,
        "ratio": ratio,
    }


async def up(lan: Lan, folder: Path) -> dict[str, NodeProcess]:
    """Three nodes of one household."""
    nodes = {}
    for name in NAMES:
        paths = NodePaths(private_dir(folder / name))
        config = Config(
            node=NodeTable(id=name, role=Role(name)),
            mesh=MeshTable(listen=f"{lan.address(name)}:7447"),
            map=MapTable(atlas="none"),
        )
        save_config(paths, config)
        nodes[name] = NodeProcess(name, paths, lan.command)
        nodes[name].start()
    await asyncio.gather(*(node.ready() for node in nodes.values()))
    for name in NAMES[1:]:
        offer = await nodes["home"].ask("pair-open", port=7448)
        await nodes[name].ask("pair", address=offer["address"], code=offer["code"])
    for node in nodes.values():
        await node.ask("await-peers", roles=[r for r in NAMES if r != node.name])
    return nodes


async def quiet(
    nodes: dict[str, NodeProcess], lan: Lan, for_s: float
) -> dict[str, dict[str, float]]:
    """What each spends a second while nothing happens."""
    await asyncio.sleep(SETTLE_S)
    first = {name: Reading.of(node.pid, lan, name) for name, node in nodes.items()}
    await asyncio.sleep(for_s)
    spent = {}
    for name, node in nodes.items():
        now, then = Reading.of(node.pid, lan, name), first[name]
        took_s = now.at_s - then.at_s
        spent[name] = {
            "CPU, % of a core": 100 * (now.cpu_s - then.cpu_s) / took_s,
            "wake-ups, 1/s": (now.wakeups - then.wakeups) / took_s,
            "sent, bytes/s": (now.sent - then.sent) / took_s,
        }
    return spent


async def park(nodes: dict[str, NodeProcess], *, parked: bool) -> float:
    """Car and phone, until the lease is in force; seconds."""
    begun_s = time.monotonic()
    for name in ("car", "phone"):
        await nodes[name].ask("park", parked=parked)
    while time.monotonic() - begun_s < FORCE_S:
        states = [(await nodes[name].ask("status"))["parked"] for name in ("car", "phone")]
        if states == [parked, parked]:
            return time.monotonic() - begun_s
        await asyncio.sleep(0.2)
    raise RuntimeError("the lease never changed")


async def missed(nodes: dict[str, NodeProcess]) -> float:
    """Seconds until the home says that a car which hangs is gone; it is back afterwards."""
    os.kill(nodes["car"].pid, signal.SIGSTOP)
    begun_s = time.monotonic()
    try:
        await nodes["home"].ask("await-gone", node="car")
        return time.monotonic() - begun_s
    finally:
        os.kill(nodes["car"].pid, signal.SIGCONT)
        await nodes["home"].ask("await-peers", roles=["car", "phone"])


async def measured(idle_s: float) -> list[dict[str, Any]]:
    """All rows."""
    rows = []
    with Lan.create(NAMES) as lan, tempfile.TemporaryDirectory() as folder:
        nodes = await up(lan, Path(folder))
        try:
            awake = await quiet(nodes, lan, idle_s)
            force_s = await park(nodes, parked=True)
            parked = await quiet(nodes, lan, idle_s)
            parked_missed_s = await missed(nodes)
            await park(nodes, parked=True)  # a peer that came back was a sign of life
            back_s = await park(nodes, parked=False)
            await asyncio.sleep(SETTLE_S)  # a session opened anew is held on to for a moment
            awake_missed_s = await missed(nodes)
        finally:
            await asyncio.to_thread(stop_all, list(nodes.values()))
    for name in NAMES:
        for what, value in parked[name].items():
            metric, _, unit = what.partition(", ")
            rows.append(row(f"parked {name}", metric, unit, value, "awake", awake[name][what]))
    rows.append(row("car hangs", "noticed after", "s", parked_missed_s, "awake", awake_missed_s))
    rows.append(row("lease", "in force after", "s", force_s, "", None))
    rows.append(row("lease", "awake again after", "s", back_s, "", None))
    return rows


def main() -> int:
    """Measures and prints; 2 where the machine has no namespaces."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="not needed here")
    parser.add_argument("--idle-s", type=float, default=40.0)
    given = parser.parse_args()
    plan = Lan.plan()
    if not plan.possible:
        print(f"No network namespaces here: {plan.why}. {plan.next_step}", file=sys.stderr)
        return 2
    rows = asyncio.run(measured(given.idle_s))
    for each in rows:
        print(*(str(each[key]) for key in each if each[key] is not None), sep="  ")
    print(json.dumps({"bench": "parked", "rows": rows}))
    return 0


if __name__ == "__main__":
    started(main)
