"""Three real nodes apart: random writes with wrong clocks and SIGKILL, then healed. How fast are they the same, and is any write lost?

`python bench/partition.py --runs 3 --writes 10000`. `--data DIR` is ignored: everything is made in a temporary directory.
A run founds a household, starts a process a node without a mesh (the partition), lets each write its share of
the writes (kill -9 at random moments and started again), opens the mesh everywhere and waits for equal hashes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

try:
    from bench._ends import started
except ModuleNotFoundError:  # started as a script: bench/ itself is on the path
    from _ends import started  # type: ignore[no-redef, import-not-found, unused-ignore]

NAMES = ("car", "home", "phone")
KEYS = 2_000
KILLS = 3  # a node and run
YEAR_S = 365.25 * 86_400.0
SKEWS_S = (3600.0, -3600.0, 10 * YEAR_S, -10 * YEAR_S, 0.0)
LIMIT_S = 180.0


# --- one node, in a process of its own ------------------------------------------------------------


async def node(directory: Path, name: str, listen: str, skew_s: float) -> None:
    """Obeys lines on standard input: "write N SEED", "join", "digest", "changes"."""
    from hearthway.mesh.links.zenoh_link import ZenohLink
    from hearthway.mesh.policy.rules import Rules, default_rules
    from hearthway.mesh.state.replica import Replica
    from hearthway.mesh.state.replica_sync import ReplicaSync
    from hearthway.mesh.state.store import Store
    from hearthway.mesh.trust.identity import DeviceIdentity
    from hearthway.mesh.wire.node import MeshNode

    identity = await asyncio.to_thread(DeviceIdentity.load, directory / name, time.time())
    store = Store.open(directory / f"{name}.db", node_id=name)
    replica = Replica(store, lambda: time.time() + skew_s)
    rules = Rules.parse(default_rules(), "default")
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := (await reader.readline()).decode().split():
        if line[0] == "write":
            rng = random.Random(int(line[2]))
            for number in range(int(line[1])):
                key, value = f"Setting.K{rng.randrange(KEYS)}", b"%d" % number
                hlc = replica.set(key, value, roster=identity.roster).hlc
                print("a", key, hlc.encode(), value.decode(), flush=True)
            print("done", flush=True)
        elif line[0] == "join":
            link = ZenohLink(identity, listen=listen, now_s=time.time())
            mesh = MeshNode(identity, link, rules, time.time)
            ReplicaSync(replica, mesh, lambda: rules, time.time)
            await mesh.open()
            print("joined", flush=True)
        elif line[0] == "digest":
            found = await asyncio.to_thread(replica.digest)
            print("digest", found.hex(), store.last_seq(), flush=True)
        elif line[0] == "held":
            for one in store.registers():
                print("h", one.key, one.hlc.encode(), one.value.decode(), flush=True)
            print("done", flush=True)


# --- the run --------------------------------------------------------------------------------------


class Process:
    """A node's process and what it acknowledged."""

    def __init__(self, directory: Path, name: str, listen: str, skew_s: float) -> None:
        self._start = [
            sys.executable,
            __file__,
            "--node",
            str(directory),
            name,
            listen,
            str(skew_s),
        ]
        self.acknowledged: list[tuple[str, str, str]] = []
        self._process: asyncio.subprocess.Process | None = None

    @property
    def process(self) -> asyncio.subprocess.Process:
        """The running process."""
        if self._process is None:
            raise RuntimeError("not started")
        return self._process

    async def start(self) -> None:
        """Start it (again)."""
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._start, stdin=pipe, stdout=pipe, limit=2**20
        )

    async def ask(self, text: str) -> list[list[str]]:
        """Every line up to the last of its answer; fewer where it was killed."""
        process = self.process
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("no pipes")
        process.stdin.write(text.encode() + b"\n")
        lines: list[list[str]] = []
        while (raw := await process.stdout.readline()).endswith(
            b"\n"
        ):  # a killed one tears its last
            line = raw.decode().split()
            if line[0] in ("done", "joined", "digest"):
                return [*lines, line]
            if line[0] == "a":
                self.acknowledged.append((line[1], line[2], line[3]))
            lines.append(line)
        return lines

    async def write(self, writes: int, seed: int) -> None:
        """All of them, through KILLS SIGKILLs at random moments."""
        rng, left = random.Random(seed), writes
        cuts = sorted(rng.randrange(1, writes) for _ in range(KILLS))
        for number, cut in enumerate([*cuts, writes + 1]):
            before = len(self.acknowledged)
            work = asyncio.create_task(self.ask(f"write {left} {seed + number}"))
            while (  # noqa: ASYNC110 - what is waited for is told by no event
                not work.done() and writes - left + len(self.acknowledged) - before < cut
            ):
                await asyncio.sleep(0.005)
            if not work.done():
                self.process.kill()
                await work
                await self.process.wait()
                await self.start()
            left -= len(self.acknowledged) - before
            if left <= 0:
                return

    async def end(self) -> None:
        """Kill it."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


def found(directory: Path) -> dict[str, str]:
    """A household of three; the address of each."""
    from hearthway.mesh.trust.certificates import request
    from hearthway.mesh.trust.identity import create_household, device_key, keep_device

    addresses = {}
    root = create_household(directory / "root", "Bench", time.time())
    for name in NAMES:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            addresses[name] = f"127.0.0.1:{probe.getsockname()[1]}"
        key = device_key(directory / name)
        pem, _ = root.admit(request(key, name), name, name, time.time(), addresses[name])
        keep_device(directory / name, key, pem, root.certificate_pem, root.signed_roster)
    for name in NAMES:
        (directory / name / "roster.bin").write_bytes(root.signed_roster)
    return addresses


async def run(writes: int, seed: int) -> dict[str, float]:
    """One partition and its healing; RuntimeError where nodes differ or a write is lost."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="hearthway-partition-") as name:
        directory = Path(name)
        addresses = await asyncio.to_thread(found, directory)
        nodes = [Process(directory, n, addresses[n], rng.choice(SKEWS_S)) for n in NAMES]
        try:
            for one in nodes:
                await one.start()
            began = time.monotonic()
            await asyncio.gather(
                *(one.write(writes // 3, seed * 100 + 10 * n) for n, one in enumerate(nodes))
            )
            wrote_s = time.monotonic() - began
            before = [int((await one.ask("digest"))[-1][2]) for one in nodes]
            began = time.monotonic()
            await asyncio.gather(*(one.ask("join") for one in nodes))
            while True:
                digests = [(await one.ask("digest"))[-1] for one in nodes]
                healed_s = time.monotonic() - began
                if len({d[1] for d in digests}) == 1:
                    break
                if healed_s > LIMIT_S:
                    raise RuntimeError(f"not the same after {healed_s:.0f} s: {digests}")
                await asyncio.sleep(0.02)
            merged = sum(int(d[2]) for d in digests) - sum(before)
            held = {x[1]: (x[2], x[3]) for x in await nodes[0].ask("held") if x[0] == "h"}
        finally:
            for one in nodes:
                await one.end()
    acknowledged = [write for one in nodes for write in one.acknowledged]
    lost = [w for w in acknowledged if held.get(w[0], ("", "")) < (w[1], w[2])]
    if lost:
        raise RuntimeError(f"{len(lost)} acknowledged writes are lost, such as {lost[0]}")
    return {
        "acknowledged": float(len(acknowledged)),
        "written a second": len(acknowledged) / wrote_s,
        "healed": healed_s,
        "merged a second": merged / healed_s,
    }


def main() -> int:
    """Runs and prints the rows; 1 where nodes differ or a write is lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="ignored: everything is made")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--writes", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--node", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.node:
        directory, name, listen, skew_s = options.node
        asyncio.run(node(Path(directory), name, listen, float(skew_s)))
        return 0
    results = []
    for number in range(options.runs):
        try:
            results.append(asyncio.run(run(options.writes, options.seed + number)))
        except RuntimeError as why:
            print(f"run {number}: {why}", file=sys.stderr)
            return 1
        print(f"run {number}: {results[-1]}", file=sys.stderr)
    case = f"{options.runs} runs of {options.writes} writes, {KILLS} kills a node"
    rows = [
        {
            "case": case,
            "metric": metric,
            "unit": unit,
            "ours": round(value, 3),
            "peer": None,
            "theirs": None,
            "ratio": None,
        }
        for metric, unit, value in (
            ("identical hashes", "runs", float(len(results))),
            ("acknowledged writes lost", "writes", 0.0),
            (
                "same everywhere after healing, median",
                "s",
                statistics.median(r["healed"] for r in results),
            ),
            ("same everywhere after healing, worst", "s", max(r["healed"] for r in results)),
            (
                "changes merged, median",
                "1/s",
                statistics.median(r["merged a second"] for r in results),
            ),
            (
                "durable writes of three nodes, median",
                "1/s",
                statistics.median(r["written a second"] for r in results),
            ),
        )
    ]
    print(json.dumps({"bench": "partition", "rows": rows}))
    return 0


if __name__ == "__main__":
    started(main)
