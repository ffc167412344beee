"""Three nodes over 20 ms each way and 1 % loss: killed, stopped, cut off, and what the others notice of it.

`bench/churn.py` does it and measures; here stands what must hold. First the relay itself: is it late, does it lose?
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hearthway.app.namespaces import Lan, LanPlan

pytestmark = [pytest.mark.netns, pytest.mark.timeout(240)]
CHURN = Path(__file__).resolve().parents[2] / "bench" / "churn.py"
RELAY = Path(__file__).with_name("relay.py")
NOTICED_S, HEALED_S, PUT_MS = 2.5, 1.5, 10.0
ECHO = """
import socket
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
link.bind(("0.0.0.0", 9000))
print("ready", flush=True)
while True:
    data, peer = link.recvfrom(2000)
    link.sendto(data, peer)
"""
MANY = """
import select, socket, sys, time
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
took = []
def hear(wait_s):
    while select.select([link], [], [], wait_s)[0]:
        took.append(time.monotonic() - float(link.recv(2000)))
for n in range(1500):
    link.sendto(repr(time.monotonic()).encode(), (sys.argv[1], 9000))
    hear(0.001 if n % 5 == 4 else 0)
hear(0.5)
took.sort()
print(len(took), took[0] if took else -1, took[len(took) // 2] if took else -1)
"""
Tell = Callable[[str], str]


@pytest.fixture
def relayed(bridged: LanPlan) -> Iterator[tuple[Lan, Tell]]:
    """Two nodes and the relay between them, late by 20 ms each way, losing 1 %."""
    with Lan.create(("phone", "car"), plan=bridged) as lan:
        for port in ("p0", "p1"):
            argv = lan.at_switch(["ip", "link", "set", port, "nomaster"])
            subprocess.run(argv, check=True, timeout=5)
        program = [sys.executable, "-I", "-S", str(RELAY), "20", "0.01", "5", "phone", "car"]
        process = subprocess.Popen(
            lan.at_switch(program), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdin is not None
        assert process.stdout is not None

        def tell(words: str) -> str:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(words + "\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        try:
            assert process.stdout.readline() == "ready\n"
            yield lan, tell
        finally:
            process.communicate(timeout=5)
    assert process.returncode == 0


def _many(lan: Lan) -> tuple[int, float, float]:
    argv = lan.command("phone", [sys.executable, "-I", "-S", "-c", MANY, lan.address("car")])
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=True)
    back, least_s, middle_s = done.stdout.split()
    return int(back), float(least_s), float(middle_s)


def test_the_relay_is_as_late_and_as_lossy_as_it_says(relayed: tuple[Lan, Tell]) -> None:
    lan, tell = relayed
    echo = subprocess.Popen(
        lan.command("car", [sys.executable, "-I", "-S", "-c", ECHO]), stdout=subprocess.PIPE
    )
    try:
        assert echo.stdout is not None
        echo.stdout.readline()
        back, least_s, middle_s = _many(lan)
        assert 1500 - 75 < back < 1500 - 10  # 1 % twice: 30 are lost, give or take
        assert 0.040 <= least_s < 0.045
        assert middle_s < 0.060
        tell("cut car")
        assert _many(lan)[0] == 0
        tell("heal car")
        assert _many(lan)[0] > 1400
        tell("cut car phone")
        assert _many(lan)[0] == 0
        passed = dict(part.split("=") for part in tell("tally").split())
        assert 30 < int(passed["lost"]) < 130
        assert int(passed["cut"]) > 2000
    finally:
        echo.kill()
        echo.communicate()


@pytest.fixture(scope="module")
def churned(
    bridged: LanPlan, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., dict[str, Any]]:
    """churned("--cycles", "100"): what the program measured."""

    def run(*words: str, limit_s: float = 200.0) -> dict[str, Any]:
        out = tmp_path_factory.mktemp("churn") / "out.json"
        argv = [sys.executable, str(CHURN), "--out", str(out), *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=limit_s, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        print(done.stdout.splitlines()[-1])  # the JSON line with p95 and worst
        result: dict[str, Any] = json.loads(out.read_bytes())
        assert "Traceback" not in "".join(result["stderr"].values())
        return result

    return run


@pytest.fixture(scope="module")
def once(churned: Callable[..., dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Each fault once, by its name."""
    return {cycle["fault"]: cycle for cycle in churned()["cycles"]}


@pytest.mark.parametrize("fault", ["kill", "stop", "cut"])
def test_a_peer_that_vanishes_is_noticed_and_heals(
    once: dict[str, dict[str, Any]], fault: str
) -> None:
    seen = once[fault]
    assert 0 <= seen["noticed_s"] <= NOTICED_S
    assert 0 <= seen["healed_s"] <= HEALED_S
    assert seen["unanswered"] == []
    assert seen["answered"] == 6
    assert seen["worst_put_ms"] <= PUT_MS, seen["put_kind"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_hundred_faults_leave_no_deadlock_and_no_leak(
    churned: Callable[..., dict[str, Any]],
) -> None:
    result = churned("--cycles", "100", "--seed", "11", limit_s=1700)
    cycles = result["cycles"]
    assert len(cycles) == 100
    assert {cycle["fault"] for cycle in cycles} == {"kill", "stop", "cut"}
    for cycle in cycles:
        assert cycle["answered"] == 6, cycle  # no deadlock: every request, in every direction
        assert 0 <= cycle["noticed_s"] <= NOTICED_S, cycle
        assert cycle["worst_put_ms"] <= PUT_MS, cycle
    healed = sorted(cycle["healed_s"] for cycle in cycles)
    assert healed[0] >= 0, "one never healed"
    assert healed[-1] <= HEALED_S
    _no_leak(result["home"])


def _no_leak(held: list[dict[str, float]]) -> None:
    """What the home holds after the last cycles beside what it held after the first ten."""
    early, late = held[5:15], held[-10:]
    # threads: two pools of bounded size fill as they are used
    for key, allowed in (("threads", 6), ("fds", 6), ("tasks", 4), ("rss_mb", 12)):
        grown = min(one[key] for one in late) - min(one[key] for one in early)
        assert grown <= allowed, f"{key} grew by {grown}"


def test_a_leak_would_be_found() -> None:
    """The control of the check above."""
    held = [
        {"threads": 20, "fds": 30, "tasks": 9, "rss_mb": 60 + 0.3 * number} for number in range(100)
    ]
    with pytest.raises(AssertionError, match="rss_mb grew"):
        _no_leak(held)
