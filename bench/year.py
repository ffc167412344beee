"""What a life costs the phone that keeps it: one signal, ninety days, a year; memory, and what grows.

    python bench/year.py --data ../shared/data

Two kinds of lives, each taken in as a phone takes them live, fix by fix: stored, learned from, and looked at every five
seconds of event time while somebody moves (`hearthway.app.brain`; the bundled map; venues told no waits). *synthetic*: a
year of one adult of the generator's household; nobody lived it. *raw*: every `*raw*.csv.gz` under DIR (with --split NAME
only those whose name holds NAME), as far as ninety days with fixes, or scaled up to them where there are fewer (the row's
case says which). The peer of a quarter is the one before: what is bounded does not grow with it. *nurse*: up to three years of
`_lives` without a map, backtested (`hearthway backtest`); the peer is what as many days would cost at the rate of the fewest.
At the end a real
`hearthway up` phone starts on the year that was kept, and its resident memory is read after it has looked at it.
CPU is of the process, storing included. The last line is JSON for scripts/bench.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from hearthway.app.brain import Brain
from hearthway.app.config import Config, MapTable, MeshTable, NodeTable, save_config
from hearthway.app.equipment import brain_for
from hearthway.app.launch import NodeProcess
from hearthway.app.paths import NodePaths, private_dir
from hearthway.atlas.store import Atlas
from hearthway.learn.backtest import backtest
from hearthway.mesh.state.store import Store
from hearthway.records.errors import HearthwayError, InputError
from hearthway.records.household import Role
from hearthway.records.localtime import DAY_S, local_day, utc_offset_s
from hearthway.records.signals import Fix, Signal
from hearthway.sense.catalogue import normalise
from hearthway.synthetic.drives import DrivePool
from hearthway.synthetic.household import generate
from hearthway.synthetic.settings import Settings

if TYPE_CHECKING:
    from bench._ends import finish, refused, started
    from bench._given import collected, is_history
    from bench._lives import begun
else:  # run as a script, its own folder is on the path
    from _ends import finish, refused, started
    from _given import collected, is_history
    from _lives import begun

NODE = "phone"
DAYS = 90
QUARTERS = 4
YEAR_WEEKS = 52
LIMITS = {"90 days": 60.0, "one signal": 1.0, "resident": 120.0, "a year": 5.0}
SETTLE_S = 6.0
BACKTESTED = 90, 360, 1080  # days
Item = Fix | Signal


def synthetic_year(seed: int) -> list[Item]:
    """One adult's fixes and car signals of 52 weeks, in time order."""
    atlas = Atlas.bundled()
    settings = Settings(seed=seed, weeks=YEAR_WEEKS)
    household = generate(settings, atlas, atlas, DrivePool.bundled(), atlas.place_name)
    member = household.person(household.driver_id)
    signals: Iterable[Item] = [normalise(signal) for signal in member.car_signals]
    fixes: Iterable[Item] = member.fixes
    return list(heapq.merge(signals, fixes, key=lambda item: item.time_s))


def first_days(fixes: Iterable[Fix], days: int) -> Iterator[Fix]:
    """The fixes of the first `days` days that have any."""
    seen: set[int] = set()
    for fix in fixes:
        seen.add(local_day(fix.time_s, utc_offset_s(fix.lat, fix.lon, fix.time_s)))
        if len(seen) > days:
            return
        yield fix


class Walk:
    """One life through a brain, and what it cost so far."""

    def __init__(self, store: Store, name: str, atlas: Atlas) -> None:
        config = Config(node=NodeTable(id=NODE, role=Role.PHONE))
        self.brain: Brain = brain_for(store, store.add_person(name), config, atlas)
        self.store = store
        self.took_ms: list[float] = []
        self.days: set[int] = set()
        self.cpu_s = 0.0

    def take(self, items: Iterable[Item]) -> None:
        """One at a time, as they come in."""
        for item in items:
            fix = item if isinstance(item, Fix) else None
            if fix is not None:
                offset_s = utc_offset_s(fix.lat, fix.lon, fix.time_s)
                self.days.add(local_day(fix.time_s, offset_s))
            cpu_s, begun_s = time.process_time(), time.perf_counter()
            if fix is not None:
                self.brain.observe([fix], [], NODE)
            elif isinstance(item, Signal):
                self.brain.observe([], [item], item.source)
            self.took_ms.append(1000 * (time.perf_counter() - begun_s))
            if self.brain.due(item.time_s):
                self.brain.propose(self.brain.look(item.time_s))
            self.cpu_s += time.process_time() - cpu_s

    def quarter(self) -> dict[str, float]:
        """What it is now: CPU, and the size of what is learned and what is stored."""
        path = self.store.path
        files = [path, path.with_name(path.name + "-wal")]
        return {
            "CPU-s": self.cpu_s,
            "learned, MB": len(self.brain.life.dump() + self.brain.memory.dump()) / 1e6,
            "stored, MB": sum(f.stat().st_size for f in files if f.exists()) / 1e6,
            "resident, MB": resident_mb(os.getpid()),
        }


def resident_mb(pid: int) -> float:
    """VmRSS of a process."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


def row(
    case: str, metric: str, unit: str, ours: float, peer: str = "", theirs: float | None = None
) -> dict[str, Any]:
    """One line of the table."""
    return {
        "case": case,
        "metric": metric,
        "unit": unit,
        "ours": round(ours, 4),
        "peer": peer,
        "theirs": None if theirs is None else round(theirs, 4),
        "ratio": round(ours / theirs, 4) if theirs else None,
    }


def walked(folder: Path, items: Path, name: str, quarters: int) -> list[dict[str, float]]:
    """In this process: the whole life; a reading after each quarter, the last with the signals' times."""
    readings = []
    with Store.open(NodePaths(folder).database, node_id=NODE) as store:
        walk = Walk(store, name, Atlas.bundled())
        size = max(1, -(-count(items) // quarters))
        part: list[Item] = []
        for item in read_items(items):
            part.append(item)
            if len(part) == size:
                walk.take(part)
                readings.append(walk.quarter())
                part = []
        walk.take(part)
        walk.brain.snapshot()
        readings.append(walk.quarter())
    took = sorted(walk.took_ms)
    readings[-1] |= {
        "median, ms": statistics.median(took),
        "p99, ms": took[int(0.99 * (len(took) - 1))],
        "days": float(len(walk.days)),
        "signals": float(len(took)),
    }
    return readings


def write_items(path: Path, items: Iterable[Item]) -> int:
    """One JSON line each; how many."""
    written = 0
    with path.open("wb") as file:
        for item in items:
            kind = b"F" if isinstance(item, Fix) else b"S"
            file.write(kind + msgspec.json.encode(item) + b"\n")
            written += 1
    return written


def read_items(path: Path) -> Iterator[Item]:
    """What `write_items` wrote."""
    fix, signal = msgspec.json.Decoder(Fix), msgspec.json.Decoder(Signal)
    with path.open("rb") as file:
        for line in file:
            yield fix.decode(line[1:]) if line[:1] == b"F" else signal.decode(line[1:])


def count(path: Path) -> int:
    """Lines of a file."""
    with path.open("rb") as file:
        return sum(1 for _ in file)


def in_a_process(folder: Path, items: Path, name: str, quarters: int) -> list[dict[str, float]]:
    """`walked` in a process of its own, so that its memory is a phone's and not the generator's."""
    given = "--walk", str(folder), str(items), name, str(quarters)
    readings: list[dict[str, float]] = in_its_own_process(*given)
    return readings


def in_its_own_process(*given: str) -> Any:
    """What this script says when it is called so."""
    command = [sys.executable, __file__, *given]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(
            f"A life could not be taken in: {done.stderr.strip()[-300:]}", "Read the message above."
        )
    return json.loads(done.stdout.splitlines()[-1])


def nurse(days: int, seed: int) -> list[Fix]:
    """The fixes of so many days."""
    life = begun("shift", Atlas.bundled(), seed)
    life.live(days, quiet=False)
    first_s = life.monday_s()
    items = life.items(first_s, first_s + (days + 2) * DAY_S)
    return [item for item in items if isinstance(item, Fix)]


def backtested(items: Path) -> dict[str, float]:
    """In this process: what a backtest of these fixes costs."""
    read = [item for item in read_items(items) if isinstance(item, Fix)]
    before_mb = resident_mb(os.getpid())
    told = backtest({"nurse": lambda: iter(read)})
    return {
        "fixes": float(len(read)),
        "CPU-s": told.measured.cpu_s,
        "grown, MB": resident_mb(os.getpid()) - before_mb,
    }


def rows_of_backtests(scratch: Path, seed: int) -> list[dict[str, Any]]:
    """Each of these lives beside the shortest."""
    rows: list[dict[str, Any]] = []
    shortest: dict[str, float] = {}
    for days in BACKTESTED:
        items = scratch / f"nurse-{days}"
        write_items(items, nurse(days, seed))
        cost: dict[str, float] = in_its_own_process("--backtest", str(items))
        shortest = shortest or cost
        case = f"backtest of a nurse, {days} days, {cost['fixes']:.0f} fixes"
        as_many = days / BACKTESTED[0]
        peer = f"{BACKTESTED[0]} days, times the days"
        rows += [
            row(case, "CPU", "s", cost["CPU-s"], peer, as_many * shortest["CPU-s"]),
            row(
                case,
                "memory for it",
                "MB",
                cost["grown, MB"],
                peer,
                as_many * shortest["grown, MB"],
            ),
        ]
    return rows


def when_started(folder: Path) -> float:
    """Resident MB of a real phone that starts on what `folder` keeps."""
    config = Config(
        node=NodeTable(id=NODE, role=Role.PHONE),
        mesh=MeshTable(listen="127.0.0.1:0"),
        map=MapTable(atlas="bundled"),
    )
    save_config(NodePaths(folder), config)
    process = NodeProcess(NODE, NodePaths(folder), lambda _, command: list(command))
    process.start()
    try:
        import asyncio  # here: a process that only walks a life is measured without it

        asyncio.run(process.ready())
        time.sleep(SETTLE_S)
        return resident_mb(process.pid)
    finally:
        process.stop()


def rows_of(case: str, readings: list[dict[str, float]]) -> list[dict[str, Any]]:
    """Rows of one life."""
    last = readings[-1]
    scaled_s = last["CPU-s"] * DAYS / last["days"]
    said = f"{case}, {last['days']:.0f} days, {last['signals']:.0f} signals"
    rows = [
        row(said, "90 days", "CPU-s", scaled_s, "limit", LIMITS["90 days"]),
        row(said, "one signal, median", "ms", last["median, ms"], "limit", LIMITS["one signal"]),
        row(said, "one signal, p99", "ms", last["p99, ms"]),
        row(
            said,
            "learned, a year of days",
            "MB",
            last["learned, MB"] * 365 / last["days"],
            "limit",
            LIMITS["a year"],
        ),
    ]
    if len(readings) >= QUARTERS:
        rows += grown(case, readings)
    return rows


def grown(case: str, readings: list[dict[str, float]]) -> list[dict[str, Any]]:
    """Each quarter beside the one before it."""
    rows = []
    for number in range(1, QUARTERS):
        then, now = readings[number - 1], readings[number]
        before_s = readings[number - 2]["CPU-s"] if number > 1 else 0.0
        name = f"{case}, quarter {number + 1}"
        peer = f"quarter {number}"
        rows.append(
            row(name, "CPU", "s", now["CPU-s"] - then["CPU-s"], peer, then["CPU-s"] - before_s)
        )
        rows += [
            row(name, what, unit, now[key], peer, then[key])
            for what, unit, key in (
                ("learned", "MB", "learned, MB"),
                ("stored", "MB", "stored, MB"),
                ("resident", "MB", "resident, MB"),
            )
        ]
    return rows


def measured(data: Path, split: str, seed: int) -> list[dict[str, Any]]:
    """All rows; InputError where there is no raw life."""
    rows: list[dict[str, Any]] = []
    raw = sorted(p for p in data.glob("**/*raw*.csv*") if is_history(p, split))
    if not raw:
        raise InputError(
            f"No *raw*.csv.gz with {split!r} in its name is under {data}.",
            "Give --data the folder with raw GPS histories, and --split a part of a name that is there.",
        )
    with tempfile.TemporaryDirectory() as scratch:
        items = Path(scratch) / "items"
        for path in raw:
            fixes = collected(path)
            for uid in fixes.people():
                write_items(items, first_days(fixes.of(uid), DAYS))
                folder = private_dir(Path(scratch) / f"raw-{len(rows)}")
                case = f"raw {path.name.split('.csv')[0]}/{uid}"
                rows += rows_of(case, in_a_process(folder, items, "raw", 1))
        rows += rows_of_backtests(Path(scratch), seed)
        folder = private_dir(Path(scratch) / "year")
        write_items(items, synthetic_year(seed))
        rows += rows_of("synthetic", in_a_process(folder, items, "synthetic", QUARTERS))
        rows.append(
            row(
                "synthetic, a phone started on the year",
                "resident",
                "MB",
                when_started(folder),
                "limit",
                LIMITS["resident"],
            )
        )
    return rows


def main() -> int:
    """Measures and prints."""
    if sys.argv[1:2] == ["--walk"]:
        folder, items, name, quarters = sys.argv[2:]
        print(json.dumps(walked(Path(folder), Path(items), name, int(quarters))))
        return 0
    if sys.argv[1:2] == ["--backtest"]:
        print(json.dumps(backtested(Path(sys.argv[2]))))
        return 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    try:
        rows = measured(given.data, given.split, given.seed)
    except HearthwayError as why:
        return refused(why)
    for each in rows:
        print(*(str(each[key]) for key in each if each[key] not in (None, "")), sep="  ")
    finish("year", rows)
    return 0


if __name__ == "__main__":
    started(main)
