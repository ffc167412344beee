"""A test run that is killed leaves nothing behind of what it bound to itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import pytest

PROJECT = Path(__file__).parents[2]
RUN = """
import subprocess, sys, time
from tests.warden import Warden
with Warden() as warden:
    child = subprocess.Popen(
        ["bash", "-c", "sleep 300 & echo $! $$; wait"], stdout=subprocess.PIPE, start_new_session=True
    )
    pids = child.stdout.readline().decode().split()
    if sys.argv[1] == "bound":
        warden.bind(child.pid)
    print(*pids, flush=True)
    if sys.argv[2] == "killed":
        time.sleep(300)
"""


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("how", ["killed", "ends"])
@pytest.mark.parametrize("bound", ["bound", "free"])
def test_what_is_bound_ends_with_the_run(bound: str, how: str) -> None:
    """With what it started itself; the control: what is not bound goes on."""
    run = subprocess.Popen(
        [sys.executable, "-c", RUN, bound, how], cwd=PROJECT, stdout=subprocess.PIPE
    )
    assert run.stdout is not None
    pids = [int(pid) for pid in run.stdout.readline().split()]
    try:
        assert len(pids) == 2
        if how == "killed":
            assert all(map(_alive, pids))
            run.kill()
        run.communicate(timeout=20)
        until = monotonic() + (20.0 if bound == "bound" else 1.0)
        while any(map(_alive, pids)) and monotonic() < until:
            sleep(0.05)
        assert [_alive(pid) for pid in pids] == [bound == "free"] * 2
    finally:
        for pid in pids:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
