"""Large histories: peak memory and CPU of a whole backtest, beside Python's own csv and json on the same file.

    python bench/history.py [--mb 1000] [--gzip]

The history is synthetic and seeded (one person, a fix every 5 s at rest and every 2 s on the way, days with work, home
and evenings out, so that stays and trips exist), written to a temporary directory and removed: as CSV of `--mb`, and as Google's
Records.json of a tenth of it, as `json.load` needs many times a file's size. `--data` is taken for
scripts/bench and not used. The last line is JSON for scripts/bench.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from math import hypot
from pathlib import Path

try:
    from bench._ends import started
except ModuleNotFoundError:  # started as a script: bench/ itself is on the path
    from _ends import started  # type: ignore[no-redef, import-not-found, unused-ignore]

FIRST_DAY = datetime(2010, 1, 4, tzinfo=UTC)
HOME, WORK = (60.17, 24.94), (60.22, 24.81)
DAY_S, REST_S, WAY_S = 86_400, 5, 2
SPEED_MPS = 12.0


def day(
    rng: random.Random, places: list[tuple[float, float]]
) -> Iterator[tuple[int, float, float]]:
    """(second, lat, lon) of one day."""
    stops = [(8 * 3600 + rng.randint(-900, 900), WORK)]
    if rng.random() < 0.4:
        stops.append((18 * 3600 + rng.randint(-1800, 1800), rng.choice(places)))
    stops += [(20 * 3600 + rng.randint(-1800, 1800), HOME), (DAY_S, HOME)]
    now, here = 0, HOME
    for leave, there in stops:
        while now < leave:
            yield now, here[0] + rng.gauss(0, 3e-5), here[1] + rng.gauss(0, 6e-5)
            now += REST_S
        way_m = hypot((there[0] - here[0]) * 111e3, (there[1] - here[1]) * 55e3)
        last = max(60, int(way_m / SPEED_MPS)) if there != here else 0
        for step in range(0, last, WAY_S):
            part = step / last
            yield (
                now + step,
                here[0] + part * (there[0] - here[0]),
                here[1] + part * (there[1] - here[1]),
            )
        now, here = now + last, there


def csv_line(lat: float, lon: float, time: str) -> str:
    """One row."""
    return f"{lat:.6f},{lon:.6f},{time},001\n"


def record(lat: float, lon: float, time: str) -> str:
    """One point as Takeout writes it, with the comma before it."""
    point = {
        "latitudeE7": round(lat * 1e7),
        "longitudeE7": round(lon * 1e7),
        "accuracy": 13,
        "activity": [{"activity": [{"type": "STILL", "confidence": 100}], "timestamp": time}],
        "source": "WIFI",
        "timestamp": time.replace(" ", "T") + "Z",
    }
    return ", " + json.dumps(point, indent=2)


WRITERS: dict[str, tuple[str, Callable[[float, float, str], str], str]] = {
    "csv": ("lat,lng,datetime,uid\n", csv_line, ""),
    "json": ('{"locations": [{}', record, "]}"),  # an empty point spares asking which is the first
}


def write_history(target: Path, size_mb: float, form: str) -> int:
    """A synthetic history of about `size_mb` (gzipped where the name ends so); the points written."""
    rng = random.Random(1)
    places = [
        (HOME[0] + rng.uniform(-0.08, 0.08), HOME[1] + rng.uniform(-0.15, 0.15)) for _ in range(20)
    ]
    head, write, tail = WRITERS[form]
    size, rows, date = 0, 0, FIRST_DAY
    with gzip.open(target, "wb", 6) if target.suffix == ".gz" else target.open("wb") as out:
        out.write(head.encode())
        while size < size_mb * 1e6:
            text = f"{date:%Y-%m-%d}"
            lines = [
                write(lat, lon, f"{text} {s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}")
                for s, lat, lon in day(rng, places)
                if s < DAY_S
            ]
            size += out.write("".join(lines).encode())
            rows += len(lines)
            date += timedelta(days=1)
        out.write(tail.encode())
    return rows


def cost_of(words: list[str]) -> tuple[float, float]:
    """(peak RSS in MB, CPU seconds) of a process; CalledProcessError where it fails."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), words)
    peak = used.ru_maxrss / 1024.0 if sys.platform != "darwin" else used.ru_maxrss / 1024.0**2
    return round(peak, 1), round(used.ru_utime + used.ru_stime, 1)


def read_bare(path: Path) -> None:
    """The peer: every row through Python's csv module, or the whole through its json, and nothing else."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open(newline="") as file:
        if ".json" in path.suffixes:
            json.load(file)
            return
        for _ in csv.reader(file):
            pass


def measure(form: str, size_mb: float, packed: bool) -> tuple[list[dict[str, object]], bool]:
    """The rows of one form, and whether every point was backtested."""
    with tempfile.TemporaryDirectory(prefix="hearthway-bench-") as scratch:
        file = Path(scratch) / f"history.{form}{'.gz' if packed else ''}"
        rows = write_history(file, size_mb, form)
        print(
            f"{rows:,} synthetic points, {size_mb:g} MB of {form}, {file.stat().st_size / 1e6:.0f} MB on disk"
        )
        ours_mb, ours_s = cost_of(
            [sys.executable, "-m", "hearthway", "drive", str(file), "--json", f"{scratch}/out.json"]
        )
        peer_mb, peer_s = cost_of([sys.executable, __file__, "--read-bare", str(file)])
        report = json.loads((Path(scratch) / "out.json").read_bytes())
    fixes = sum(person["fixes"] for person in report["people"])
    print(f"{fixes:,} fixes backtested: {ours_mb} MB at most, {ours_s} CPU s")
    name = {"csv": "CSV", "json": "Records.json"}[form]
    peer = {"csv": "bare csv module reading", "json": "json.load of"}[form] + " the same file"
    found = [("peak memory", "MB", ours_mb, peer_mb), ("whole backtest", "CPU s", ours_s, peer_s)]
    result: list[dict[str, object]] = [
        {
            "case": f"{size_mb:g} MB of {name}{', gzip' if packed else ''}, {rows} rows (synthetic)",
            "metric": metric,
            "unit": unit,
            "ours": ours,
            "peer": peer,
            "theirs": theirs,
            "ratio": round(ours / theirs, 2) if theirs else None,
        }
        for metric, unit, ours, theirs in found
    ]
    return result, fixes == rows


def main() -> int:
    """Generate, measure both, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--mb", type=float, default=1000.0)
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--read-bare", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read_bare is not None:
        read_bare(options.read_bare)
        return 0
    rows, whole = [], True
    for form, size_mb in (("csv", options.mb), ("json", options.mb / 10.0)):
        found, all_there = measure(form, size_mb, options.gzip)
        rows += found
        whole &= all_there
    print(json.dumps({"bench": "history", "rows": rows}))
    return 0 if whole else 1


if __name__ == "__main__":
    started(main)
