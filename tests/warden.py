"""Children of a test that end with it, also where the test run is killed: a process of its own kills whatever of them is left.

python tests/warden.py    reads lines "PID START" until its standard input ends, then kills these with all below them
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

PROC = Path("/proc")
ROUNDS = 5  # a process that starts others while it is being killed is looked at again


class Warden:
    """Holds the pipe whose end tells the other process that this one is gone, however it went."""

    def __init__(self) -> None:
        # A session of its own: what kills the test run's group, or a Ctrl-C, must not reach it.
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, start_new_session=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._process.communicate()

    def bind(self, pid: int) -> None:
        """From now on that process, and what it starts, ends with this one; without /proc nothing does."""
        pipe, parent = self._process.stdin, _seen(pid)
        if pipe is not None and parent is not None:
            pipe.write(f"{pid} {parent[1]}\n".encode())
            pipe.flush()


def _seen(pid: int) -> tuple[int, str] | None:
    """(parent, when it started in ticks since the boot: of two processes of one id another) of a process; None where there is none."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), fields[19]


def _below(pids: set[int]) -> set[int]:
    """These and all that descend from them."""
    parents = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (seen := _seen(int(entry.name))) is not None:
            parents[int(entry.name)] = seen[0]
    found, more = set(pids), True
    while more:
        fresh = {pid for pid, parent in parents.items() if parent in found} - found
        found, more = found | fresh, bool(fresh)
    return found


def _main() -> None:
    held = [line.split() for line in sys.stdin]
    for _ in range(ROUNDS):
        alive = {int(pid) for pid, start in held if (_seen(int(pid)) or ("", ""))[1] == start}
        if not alive:
            return
        for pid in _below(alive):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    _main()
