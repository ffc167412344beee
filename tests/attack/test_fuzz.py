"""Mutated frames through live sockets after authentication: a share by default, 100,000 a node in the whole check.

The storm itself is `bench/fuzz.py`: home, phone and car as real processes, two hostile members as others.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARE = 1_000  # frames a node
WHOLE = 100_000
GROWTH_MB = 40.0  # in all, at the highest moment
# In the second half of a storm, for 10,000 frames. Measured 1.3 at most in four storms at three nodes, where a heap that
# tears with every read of a stream grew by 2.3.
GROWTH_LATE_MB = 2.0
AGAIN_MB = 8.0  # a second storm at the same nodes; measured 7.0 at most
MOST_S = 15.0  # a question amid the storm is answered by then
# Percent of branches that a storm must reach. What it does not: revocations and epochs that end, a roster newer than
# ours, full queues (test_wire has them), sending, and checks behind others, such as sizes that a stream refuses before.
REACHED = {
    "envelope": 85.0,
    "sessions": 75.0,
    "lanes": 65.0,
    "hearing": 70.0,
    "answering": 65.0,
    "greeting": 85.0,
    "relay": 75.0,
}

GREETINGS = {
    "anew", "twice", "overtaken", "older", "flood", "anew_when_looked_up", "anew_meanwhile",
    "over_when_looked_up", "useless_when_looked_up", "cut_when_looked_up",
}  # fmt: skip


def _storm(*words: str, limit_s: float) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench" / "fuzz.py"), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])["found"]
    return found


def _held(found: dict[str, Any], frames: int) -> None:
    assert found["crashed"] == []
    assert found["unwell"] == ""  # healthy, and home, phone and car still reach one another
    for name, node in found["nodes"].items():
        assert node["frames"] >= frames, name
        assert node["changed"] == [], (
            name
        )  # nothing that is somebody else's was altered or invented
        assert node["faults"] == [], name  # no traceback, no handler that broke
        assert node["peak_mb"] - node["rss_mb"][0][0] < GROWTH_MB, name
    for rogue in found["rogues"]:
        assert rogue["greetings"], rogue  # at least one of `fuzz_greetings.py`
        assert rogue["accepted"] == {}, rogue
        assert rogue["slowest_answer_s"] < MOST_S, rogue
        # the control: the same things unmutated are taken where the rules let them, before and after
        assert rogue["controls"] == {"before": True, "after": True}, rogue
        assert rogue["answers"].get("taken", 0) + rogue["answers"]["refused"] > 0
    for name, settings in found["settings"].items():
        assert {"before", "after"} <= set(settings), name


def test_a_share_of_the_storm_changes_and_breaks_nothing() -> None:
    _held(_storm("--frames", str(SHARE), "--seed", "7", limit_s=110.0), SHARE)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_frames_a_node_and_the_branches_they_reach() -> None:
    found = _storm("--frames", str(WHOLE), "--storms", "2", "--coverage", "20000", limit_s=3500.0)
    _held(found, 2 * WHOLE)
    greeted: dict[str, set[str]] = {name: set() for name in found["nodes"]}
    for rogue in found["rogues"]:
        greeted[rogue["target"]] |= rogue["greetings"].keys()
    assert all(steps == GREETINGS for steps in greeted.values()), greeted
    for name, node in found["nodes"].items():
        first, second = node["rss_mb"]
        assert len(first) == len(second) > 2, name
        assert all(mb < GROWTH_LATE_MB for mb in node["growth_mb"]), (name, node)
        assert max(second) - max(first) < AGAIN_MB, (name, node)
    assert found["coverage"]["faults"] == []
    for module, percent in REACHED.items():
        assert found["coverage"]["modules"][module]["percent"] >= percent, module
