"""What a household costs when nothing happens, and what an hour of driving costs, beside bare zenoh and mosquitto.

Idle: home, car, phone and venue as real `hearthway up` processes, each in a network namespace of its own; beside them,
in the same minute, three bare zenoh processes (mutual TLS, same lease, same number of peers, one subscriber each).

The hour: 3,600 seconds of a car's signals (four a second), said to the car's node as an adapter says them, `--speed`
times as fast; nodes run on the real clock. Twice: "wire", where the phone knows nobody yet and only takes them in, as
the other side does (paho over TLS with certificates, QoS 1, one message a second, a mosquitto in the household's place,
a second paho that decodes them); and "thinking", where the phone has its person's history, stores the drive and works
out where it goes: nobody else does that. Between the two the phone learns the history, everybody is idle, and the phone
is started again. What an hour costs by passing, whatever is said, is in the idle rows: 3,600 times CPU and wake-ups a second.

CPU and wake-ups (voluntary context switches) are of all threads, bytes of the namespace's interface, headers included.
RSS is as on a machine that keeps bytecode: compiling at each start costs a node 6 MB.
Needs network namespaces. `--data` is taken and not needed. Without mosquitto or paho-mqtt their rows are absent.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from hearthway.app.config import Config, ReplayTable
from hearthway.app.control import open_control
from hearthway.app.drive import NODES, Drive, DriveOptions
from hearthway.app.loopback import Loopback
from hearthway.app.namespaces import Lan
from hearthway.atlas.store import Atlas
from hearthway.mesh.links.zenoh_config import LEASE_MS
from hearthway.mesh.trust.certificates import request
from hearthway.mesh.trust.identity import create_household, device_key, keep_device
from hearthway.synthetic.drives import DrivePool
from hearthway.synthetic.household import SyntheticHousehold, generate
from hearthway.synthetic.settings import Settings

try:
    from bench._ends import started
except ModuleNotFoundError:  # started as a script: bench/ itself is on the path
    from _ends import started  # type: ignore[no-redef, import-not-found, unused-ignore]

BARE = ("bare-a", "bare-b", "bare-c")
ROLES = {"car": "bare-a", "phone": "bare-b", "home": "bare-c"}  # who does the same work over there
HOUR_S = 3600
UNITS = (("CPU", "CPU-s"), ("wake-ups", "wake-ups"), ("sent", "bytes"), ("RSS", "MB"))
SETTLE_S = 8.0
NEEDED = "apt-get install mosquitto && pip install paho-mqtt"
PEERS = Path(__file__).with_name("idle_peers.py")


@dataclass
class Reading:
    """One process and its namespace at one moment."""

    at_s: float
    cpu_s: float
    wakeups: int
    rss_mb: float
    threads: int
    sent: int

    @classmethod
    def of(cls, pid: int, lan: Lan, name: str) -> Reading:
        """Now."""
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        wakeups = threads = 0
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):  # a thread may end while we look
                fields = (task / "status").read_text().split("voluntary_ctxt_switches:")
                wakeups += int(fields[1].split()[0])
                threads += 1
        status = Path(f"/proc/{pid}/status").read_text()
        rss_kb = int(status.split("VmRSS:")[1].split()[0])
        ticks = int(stat[11]) + int(stat[12])
        sent = lan.counters(name).interfaces["eth0"].tx_bytes
        cpu_s = ticks / os.sysconf("SC_CLK_TCK")
        return cls(time.monotonic(), cpu_s, wakeups, rss_kb / 1024, threads, sent)


class Idle(Drive):
    """The drive's four nodes, looked at while they do nothing, and while the car drives for an hour."""

    idle_s = 60.0
    speed = 100.0
    with_hour = True
    rows: list[dict[str, Any]]

    async def measure(self) -> list[dict[str, Any]]:
        """All rows."""
        self.rows = []
        with self._lan() as lan, tempfile.TemporaryDirectory() as folder:
            if not isinstance(lan, Lan):
                raise SystemExit(f"No network namespaces here: {lan.why}")
            keys = bare_keys(Path(folder), lan)
            try:
                await self._start(lan)
                await self._pair(lan)
                if self.with_hour:
                    ours = await self._hour(lan)
                    theirs = await asyncio.to_thread(self._mosquitto, keys, lan)
                    self._wire_rows(ours, theirs)
                await self._import()
                with bare_zenoh(keys, lan) as bare:
                    await self._idle(lan, bare)
                await self._phone_again(lan)
                if self.with_hour:
                    self._thinking_rows(await self._hour(lan))
            finally:
                for task in self._listeners:
                    task.cancel()
                for process in self._nodes.values():
                    await asyncio.to_thread(process.stop)
        return self.rows

    @contextlib.contextmanager
    def _lan(self) -> Iterator[Lan | Loopback]:
        with Lan.create((*NODES, *BARE)) as lan:
            yield lan

    def _readings(self, lan: Lan) -> dict[str, Reading]:
        return {name: Reading.of(node.pid, lan, name) for name, node in self._nodes.items()}

    async def _idle(self, lan: Lan, bare: dict[str, int]) -> None:
        await asyncio.sleep(SETTLE_S)

        def look() -> dict[str, Reading]:
            return self._readings(lan) | {n: Reading.of(pid, lan, n) for n, pid in bare.items()}

        first = look()
        await asyncio.sleep(self.idle_s)
        last = look()
        theirs = [_rates(first[name], last[name]) for name in BARE]
        usual = {key: sorted(one[key] for one in theirs)[1] for key in theirs[0]}
        for name in NODES:
            ours = _rates(first[name], last[name])
            for metric, unit in (
                ("CPU", "% of a core"),
                ("wake-ups", "1/s"),
                ("RSS", "MB"),
                ("threads", "threads"),
                ("sent", "bytes/s"),
            ):
                peer = "bare zenoh" if name != "venue" else ""
                other = usual[metric] if name != "venue" else None
                self.rows.append(row(f"idle {name}", metric, unit, ours[metric], peer, other))

    def _config(self, name: str, lan: Lan | Loopback) -> Config:
        return replace(super()._config(name, lan), replay=ReplayTable(synthetic=True))

    async def _hour(self, lan: Lan) -> dict[str, dict[str, float]]:
        first = self._readings(lan)
        reader, writer = await open_control(self._nodes["car"].paths.socket)
        due_s = time.monotonic()
        for signals in ticks_of(self._household):
            writer.write(json.dumps({"do": "sense", "signals": signals}).encode() + b"\n")
            if not json.loads(await reader.readline())["ok"]:
                raise RuntimeError("the car refused its signals")
            due_s += 1 / self.speed
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        writer.close()
        await asyncio.sleep(1.0)
        last = self._readings(lan)
        return {name: _spent(first[name], last[name]) for name in NODES}

    def _thinking_rows(self, ours: dict[str, dict[str, float]]) -> None:
        start_s = self._household.drive.ticks[0][0]
        file = self._nodes["phone"].paths.database
        with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as db:
            wanted = "SELECT count(DISTINCT time_s) FROM fixes WHERE time_s >= ?"
            stored = float(db.execute(wanted, (start_s,)).fetchone()[0])
        self.rows.append(row("hour thinking phone", "stored", "seconds", stored, "", None))
        for metric, unit in UNITS:
            mine = ours["phone"][metric]
            self.rows.append(row("hour thinking phone", metric, unit, mine, "", None))

    async def _phone_again(self, lan: Lan) -> None:
        """The phone after a restart, with all it learned."""
        phone = self._nodes["phone"]
        await asyncio.to_thread(phone.stop)
        phone.start()
        await phone.ready()
        for name, others in (("phone", ["home", "car"]), ("car", ["phone"])):
            await self._nodes[name].ask("await-peers", roles=others)
        await asyncio.sleep(SETTLE_S)
        now = Reading.of(phone.pid, lan, "phone")
        self.rows.append(row("idle phone, started again", "RSS", "MB", now.rss_mb, "", None))

    def _mosquitto(self, keys: dict[str, Path], lan: Lan) -> dict[str, dict[str, float]]:
        if shutil.which("mosquitto") is None or not _has_paho():
            print(f"mosquitto's rows are absent: {NEEDED}", file=sys.stderr)
            return {}
        ticks = ticks_of(self._household)
        with tempfile.TemporaryDirectory() as folder:
            return mosquitto_hour(Path(folder), keys, lan, ticks, self.speed)

    def _wire_rows(
        self, ours: dict[str, dict[str, float]], theirs: dict[str, dict[str, float]]
    ) -> None:
        names = {"car": "paho, sending", "phone": "paho, receiving", "home": "mosquitto"}
        for name, peer in names.items():
            for metric, unit in UNITS:
                other = theirs.get(name, {}).get(metric)
                given = peer if other is not None else ""
                self.rows.append(
                    row(f"hour wire {name}", metric, unit, ours[name][metric], given, other)
                )
        for metric, unit in UNITS[:3]:
            total = sum(ours[name][metric] for name in names)
            other = sum(theirs[name][metric] for name in names) if theirs else None
            peer = "paho + mosquitto + paho" if theirs else ""
            self.rows.append(row("hour wire all three", metric, unit, total, peer, other))


def _rates(first: Reading, last: Reading) -> dict[str, float]:
    for_s = last.at_s - first.at_s
    return {
        "CPU": (last.cpu_s - first.cpu_s) / for_s * 100,
        "wake-ups": (last.wakeups - first.wakeups) / for_s,
        "RSS": last.rss_mb,
        "threads": float(last.threads),
        "sent": (last.sent - first.sent) / for_s,
    }


def _spent(first: Reading, last: Reading) -> dict[str, float]:
    return {
        "CPU": last.cpu_s - first.cpu_s,
        "wake-ups": float(last.wakeups - first.wakeups),
        "RSS": last.rss_mb,
        "sent": float(last.sent - first.sent),
    }


def ticks_of(household: SyntheticHousehold) -> list[list[dict[str, Any]]]:
    """The hour's seconds, each with its signals, as JSON has them."""
    import msgspec

    by_time: dict[float, list[dict[str, Any]]] = {}
    for signal in hour(household):
        by_time.setdefault(signal.time_s, []).append(msgspec.to_builtins(signal))
    return list(by_time.values())


def hour(household: SyntheticHousehold) -> list[Any]:
    """3,600 seconds of the car's signals: its drive, again and again."""
    drive = household.drive.ticks
    start_s, length_s = drive[0][0], len(drive)
    made = []
    for second in range(HOUR_S):
        _, signals = drive[second % length_s]
        made += [replace(signal, time_s=start_s + second) for signal in signals]
    return made


# bare zenoh --------------------------------------------------------------------------------------------------------


def bare_keys(folder: Path, lan: Lan) -> dict[str, Path]:
    """Three certificates of one root."""
    root = create_household(folder / "root", "Bare", time.time())
    found = {}
    for name, role in zip(BARE, ("car", "phone", "home"), strict=True):
        keys = found[name] = folder / name
        key = device_key(keys)
        address = f"{lan.address(name)}:7447"
        pem, _ = root.admit(request(key, name), name, role, time.time(), address)
        keep_device(keys, key, pem, root.certificate_pem, root.signed_roster)
    return found


@contextlib.contextmanager
def bare_zenoh(keys: dict[str, Path], lan: Lan) -> Iterator[dict[str, int]]:
    """Their process ids."""
    running = []
    try:
        for name in BARE:
            others = [f"tls/{lan.address(other)}:7447" for other in BARE if other != name]
            config = {
                "mode": "peer",
                "listen": {"endpoints": [f"tls/{lan.address(name)}:7447"]},
                "connect": {"endpoints": others},
                "scouting": {"multicast": {"enabled": False}},
                "transport": {
                    "shared_memory": {"enabled": False},
                    "link": {
                        "protocols": ["tls"],
                        "tx": {"lease": LEASE_MS},
                        "tls": {
                            "root_ca_certificate": str(keys[name] / "ca.pem"),
                            "enable_mtls": True,
                            "listen_private_key": str(keys[name] / "device.key"),
                            "listen_certificate": str(keys[name] / "device.pem"),
                            "connect_private_key": str(keys[name] / "device.key"),
                            "connect_certificate": str(keys[name] / "device.pem"),
                            "verify_name_on_connect": False,
                        },
                    },
                },
            }
            running.append(_child(lan, name, "bare", json.dumps(config)))
        yield dict(zip(BARE, (process.pid for process in running), strict=True))
    finally:
        for process in running:
            _end(process)


# mosquitto ---------------------------------------------------------------------------------------------------------


def mosquitto_hour(
    folder: Path, keys: dict[str, Path], lan: Lan, ticks: list[list[dict[str, Any]]], speed: float
) -> dict[str, dict[str, float]]:
    """What sender, receiver and broker spent on the same hour at the same speed."""
    file, broker_keys = folder / "ticks.json", folder / "broker"
    file.write_text(json.dumps(ticks))
    shutil.copytree(keys["bare-c"], broker_keys)
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener 8883 {lan.address('bare-c')}\nallow_anonymous true\nrequire_certificate true\nuser root\n"
        f"cafile {broker_keys}/ca.pem\ncertfile {broker_keys}/device.pem\nkeyfile {broker_keys}/device.key\n"
    )
    broker = subprocess.Popen(
        lan.command("bare-c", ["mosquitto", "-c", str(config)]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    running = []
    try:
        time.sleep(1.0)
        words = (lan.address("bare-c"), str(file), str(speed))
        running.append(_child(lan, "bare-b", "receive", str(keys["bare-b"]), *words))
        running.append(_child(lan, "bare-a", "send", str(keys["bare-a"]), *words))
        pids = {"car": running[1].pid, "phone": running[0].pid, "home": broker.pid}
        first = {name: Reading.of(pid, lan, ROLES[name]) for name, pid in pids.items()}
        sender = running[1]
        if sender.stdin is None or sender.stdout is None:
            raise RuntimeError("the sender has no pipes")
        sender.stdin.write("go\n")
        sender.stdin.flush()
        sender.stdout.readline()
        time.sleep(1.0)
        last = {name: Reading.of(pid, lan, ROLES[name]) for name, pid in pids.items()}
        said, _ = running.pop(0).communicate(timeout=20)
        if int(said) != len(ticks):
            raise RuntimeError(f"{said} of {len(ticks)} messages came through mosquitto")
        return {name: _spent(first[name], last[name]) for name in pids}
    finally:
        for process in running:
            _end(process)
        broker.terminate()
        broker.wait(10)


def _has_paho() -> bool:
    return importlib.util.find_spec("paho") is not None


# processes ---------------------------------------------------------------------------------------------------------


def _child(lan: Lan, name: str, *words: str) -> subprocess.Popen[str]:
    """One of the peers, in a namespace; it has said "ready"."""
    process = subprocess.Popen(
        lan.command(name, [sys.executable, str(PEERS), *words]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    if process.stdout is None or process.stdout.readline() != "ready\n":
        raise RuntimeError(f"{words[0]} did not start")
    return process


def _end(process: subprocess.Popen[str]) -> None:
    try:
        process.communicate(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def row(
    case: str, metric: str, unit: str, ours: float, peer: str, theirs: float | None
) -> dict[str, Any]:
    """One line of the table; the ratio is ours to theirs: below 1 we cost less."""
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


def main() -> int:
    """Measures and prints; 2 where the machine has no namespaces."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="not needed here")
    parser.add_argument("--idle-s", type=float, default=60.0)
    parser.add_argument("--speed", type=float, default=100.0, help="how much faster the hour goes")
    parser.add_argument("--no-hour", action="store_true", help="only the idle rows")
    given = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # people's machines keep it
    plan = Lan.plan()
    if not plan.possible:
        print(f"No network namespaces here: {plan.why}. {plan.next_step}", file=sys.stderr)
        return 2
    atlas = Atlas.bundled()
    try:
        household = generate(Settings(), atlas, atlas, DrivePool.bundled(), atlas.place_name)
    finally:
        atlas.close()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "drive"
        bench = Idle(DriveOptions(data=data), household, lambda line: print(line, file=sys.stderr))
        bench.idle_s, bench.speed, bench.with_hour = given.idle_s, given.speed, not given.no_hour
        rows = asyncio.run(bench.measure())
    for each in rows:
        print(*(str(each[key]) for key in each if each[key] is not None), sep="  ")
    print(json.dumps({"bench": "idle", "rows": rows}))
    return 0


if __name__ == "__main__":
    started(main)
