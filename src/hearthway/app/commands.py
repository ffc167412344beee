"""Short-lived helper commands: found, bounded in time, never left behind."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
from collections.abc import Sequence

from msgspec import Struct

from hearthway.records.errors import ConfigError, MeshError

_TIMEOUT_S = 10.0
_NEED_IP = "Install iproute2 and util-linux (Debian: apt install iproute2 util-linux)."


class Tools(Struct, frozen=True):
    """Absolute paths: an ordinary user's PATH often lacks the sbin folders."""

    ip: str
    unshare_program: str
    nsenter: str
    sh: str
    env: str
    path: str

    @classmethod
    def find(cls) -> Tools:
        """All of them; ConfigError naming what is missing."""
        path = os.pathsep.join(
            [os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/bin", "/bin"]
        )
        names = ("ip", "unshare", "nsenter", "sh", "env")
        found = [shutil.which(name, path=path) or "" for name in names]
        missing = [name for name, where in zip(names, found, strict=True) if not where]
        if missing:
            raise ConfigError(f"On this machine {', '.join(missing)} is missing.", _NEED_IP)
        ip, unshare, nsenter, sh, env = found
        return cls(ip, unshare, nsenter, sh, env, path)

    def unshare(self, *, user: bool) -> list[str]:
        """The prefix that gives a command a network namespace, and a user namespace where asked."""
        as_root = ["-U", "-r"] if user else []
        return [self.unshare_program, *as_root, "-n", "--"]


def refusal_of(argv: list[str], tools: Tools) -> str:
    """'' where the command succeeds, else the last line of what it said."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
            env={**os.environ, "PATH": tools.path},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]


def next_line(holder: subprocess.Popen[str]) -> str:
    """The next line a process says, bounded in time; '' once it ended."""
    if holder.stdout is None:
        return ""
    ready, _, _ = select.select([holder.stdout], [], [], _TIMEOUT_S)
    return holder.stdout.readline().strip() if ready else "no answer in time"


def start_with_input(argv: list[str], text: str) -> subprocess.Popen[str]:
    """Start a command and give it its whole input, so that it ends whatever becomes of us."""
    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if process.stdin:
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(text)  # a few hundred bytes: it cannot block
        process.stdin = None
    return process


def finish_all(processes: Sequence[subprocess.Popen[str]]) -> None:
    """Wait for all, then MeshError for the first that failed."""
    said = [_outcome(process) for process in processes]
    for words in said:
        if words:
            raise MeshError(
                f"The private link could not be set up: {words}.",
                "Use `hearthway drive --loopback`.",
            )


def _outcome(process: subprocess.Popen[str]) -> str:
    """'' where it succeeded, else what it said."""
    try:
        _, said = process.communicate(timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return "it took too long"
    return " ".join(said.split()) or "no reason given" if process.returncode else ""
