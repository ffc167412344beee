"""Mutated frames at every node of a running household, through the live socket, after authentication.

    python bench/fuzz.py --data ignored [--frames 100000] [--seed 1] [--storms 1] [--coverage 20000]

Home, phone and car are `hearthway up` processes on loopback. Two members whose software is hostile (a child's phone
and a second car, with valid keys, streams and sessions) send each of them `--frames` frames: wrong content under
good seals, wrong seals, greetings, link and relay words, lists of devices, repeats (`tests/attack/fuzz_*.py`). Every
1,000 frames a member greets as no honest one does: anew, twice, too often, or otherwise than it was asked.
10,000 frames or more come in ten parts, and the resident memory that each node keeps is looked at after each: `growth` is
what the second half added to the most, for each 10,000 frames. `peak` is the kernel's own mark of the most there ever was. With `--storms 2` the same nodes go through it again.
With `--coverage` so many more go to nodes under coverage.py, and the branches of the decoders are counted.
Settings are compared afterwards row by row; `--data` is not used. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

try:
    from bench._ends import started
except ModuleNotFoundError:  # started as a script: bench/ itself is on the path
    from _ends import started  # type: ignore[no-redef, import-not-found, unused-ignore]

PARTS, SAMPLED_FROM = 10, 10_000  # of a storm; a shorter one shows nothing about growth
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.attack.fuzz_household import ROGUES, FuzzHousehold  # noqa: E402  (the checkout is no package)


def row(case: str, metric: str, unit: str, ours: float) -> dict[str, Any]:
    """One line of the result; nobody else's figure stands beside these."""
    return {
        "case": case, "metric": metric, "unit": unit, "ours": ours,
        "peer": "", "theirs": None, "ratio": None,
    }  # fmt: skip


def _samples(
    household: FuzzHousehold, frames: int, seed: int
) -> tuple[list[dict[str, Any]], dict[str, list[float]]]:
    """One storm in parts: what the rogues said, and each node's MB before the first part and after each."""
    parts = PARTS if frames >= SAMPLED_FROM else 1
    rogues: list[dict[str, Any]] = []
    rss = {name: [mb] for name, mb in household.kept_mb().items()}
    for part in range(parts):
        rogues += household.storm(-(-frames // parts), seed + 2 * part)
        if any(not node.process.alive() for node in household.nodes.values()):
            break
        for name, mb in household.kept_mb().items():
            rss[name].append(mb)
    return rogues, rss


def growth_mb(rss_mb: list[float], frames: int) -> float | None:
    """What the second half of a storm added to the most that was seen, MB for 10,000 frames; None where it was not
    looked at on the way. Of the most: pages go back to the system and come again.
    """
    if len(rss_mb) != PARTS + 1:
        return None
    half = PARTS // 2 + 1
    return (max(rss_mb[half:]) - max(rss_mb[:half])) / (frames / 2 / 10_000)


def storm(frames: int, seed: int, storms: int = 1) -> dict[str, Any]:
    """The figures of so many storms at every node, one after the other."""
    with tempfile.TemporaryDirectory() as root, FuzzHousehold(Path(root)) as household:
        began = time.monotonic()
        rogues: list[dict[str, Any]] = []
        seen: dict[str, list[list[float]]] = {name: [] for name in household.nodes}
        for number in range(storms):
            said, rss = _samples(household, frames, seed + 1000 * number)
            rogues += said
            for name, mb in rss.items():
                seen[name].append([round(one, 1) for one in mb])
        spent_s = time.monotonic() - began
        crashed = [name for name, node in household.nodes.items() if not node.process.alive()]
        unwell = ""
        if not crashed:
            try:
                household.serves()
            except Exception as why:  # noqa: BLE001 - whatever it is, it is the result
                unwell = f"{type(why).__name__}: {why}"
        settings = {
            name: sorted(
                when
                for when in ("before", "after")
                for rogue in ROGUES
                if node.has_register(f"Setting.{when}-{rogue}")
            )
            for name, node in household.nodes.items()
        }
        found = {
            name: {
                "frames": sum(r["frames"] for r in rogues if r["target"] == name),
                "rss_mb": seen[name],
                "peak_mb": None if name in crashed else round(node.memory_mb("VmHWM"), 1),
                "growth_mb": [growth_mb(mb, frames) for mb in seen[name]],
                "faults": node.faults(),
                "changed": node.changed(),
            }
            for name, node in household.nodes.items()
        }
    return {
        "nodes": found,
        "rogues": rogues,
        "crashed": crashed,
        "unwell": unwell,
        "settings": settings,
        "spent_s": round(spent_s, 1),
    }


def covered(frames: int, seed: int) -> dict[str, Any]:
    """Branch coverage of the decoders while they are attacked; per module: percent, and branches never taken."""
    with tempfile.TemporaryDirectory() as root:
        with FuzzHousehold(Path(root), coverage=True) as household:
            household.storm(frames, seed)
            faults = [f for node in household.nodes.values() for f in node.faults()]
        rc = f"--rcfile={root}/coveragerc"
        tool = [sys.executable, "-m", "coverage"]
        subprocess.run([*tool, "combine", "-q", rc], cwd=root, check=True)
        out = Path(root) / "coverage.json"
        subprocess.run([*tool, "json", "-q", rc, "-o", str(out)], cwd=root, check=True)
        files = json.loads(out.read_text())["files"]
    modules = {}
    for path, file in sorted(files.items()):
        counts = file["summary"]
        modules[Path(path).stem] = {
            "percent": round(100 * counts["covered_branches"] / max(1, counts["num_branches"]), 1),
            "branches": counts["num_branches"],
            "missed": [f"{a}->{b}" for a, b in file["missing_branches"]],
        }
    return {"modules": modules, "faults": faults}


def main() -> int:
    """Storm, and print what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", help="not used")
    parser.add_argument("--frames", type=int, default=100_000, help="at each node")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--storms", type=int, default=1, help="so often, at the same nodes")
    parser.add_argument("--coverage", type=int, default=0, help="so many more under coverage.py")
    given = parser.parse_args()
    found = storm(given.frames, given.seed, given.storms)
    rows = []
    for name, node in found["nodes"].items():
        rogues = [r for r in found["rogues"] if r["target"] == name]
        accepted = sum(sum(r["accepted"].values()) for r in rogues) + len(node["changed"])
        rows += [
            row(name, "frames", "", node["frames"]),
            row(name, "accepted", "", accepted),
            row(name, "crashed", "", int(name in found["crashed"])),
            row(name, "faults_in_log", "", len(node["faults"])),
            row(name, "rss_before", "MB", node["rss_mb"][0][0]),
            *(row(name, "rss_after", "MB", mb[-1]) for mb in node["rss_mb"]),
            *(row(name, "peak", "MB", mb) for mb in [node["peak_mb"]] if mb is not None),
            *(
                row(name, "growth", "MB/10k", round(mb, 2))
                for mb in node["growth_mb"]
                if mb is not None
            ),
            row(name, "slowest_answer", "s", max(r["slowest_answer_s"] for r in rogues)),
        ]
    if given.coverage:
        found["coverage"] = covered(given.coverage, given.seed)
        rows += [
            row(module, "branch_coverage", "%", figures["percent"])
            for module, figures in found["coverage"]["modules"].items()
        ]
    for one in rows:
        with suppress(BrokenPipeError):
            print(f"{one['case']:10} {one['metric']:18} {one['ours']} {one['unit']}")
    print(json.dumps({"bench": "fuzz", "rows": rows, "found": found}))
    return 0


if __name__ == "__main__":
    started(main)
