"""The tutorial is run as it stands: real processes, a home directory of its own, one block after the other."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest
from tests.warden import Warden

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial" / "first-drive.md"
BLOCK = re.compile(r"^```sh([^\n]*)\n(.*?)^```$|^<!-- expect: (.*?) -->$", re.DOTALL | re.MULTILINE)
LIMIT_S = 110.0


class Step:
    """A shell block, and what its output must show."""

    def __init__(self, script: str, *, beside: bool) -> None:
        self.script = script
        self.beside = beside  # runs in a second terminal
        self.expected: list[str] = []


def steps() -> list[Step]:
    found: list[Step] = []
    for block in BLOCK.finditer(TUTORIAL.read_text(encoding="utf-8")):
        if block[3] is not None:
            found[-1].expected.append(block[3])
        else:
            found.append(Step(block[2], beside="second-terminal" in block[1]))
    return found


class Terminal:
    """What a person's shell keeps from one block to the next: directory, environment and variables."""

    def __init__(self, home: Path, warden: Warden) -> None:
        self.warden = warden
        self.home = home
        self.state = home / ".shell-state"
        self.state.touch()
        self.beside: list[subprocess.Popen[bytes]] = []
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "PYTEST_"))}
        self.env = {**kept, "HOME": str(home), "PATH": path}

    def run(self, step: Step, timeout_s: float) -> tuple[int, str]:
        script = f". {self.state}\nset -eo pipefail\n{step.script}\nset | grep '^ID=' > {self.state} || true"
        process = self._popen(script)
        try:
            said, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return process.returncode, said.decode()

    def _popen(self, script: str, *, session: bool = False) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=self.home,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=session,
        )
        self.warden.bind(process.pid)
        return process

    def start(self, step: Step) -> None:
        """A second terminal; the node is up when it answers `status`."""
        self.beside.append(self._popen(f"exec {step.script}", session=True))
        until = monotonic() + 20.0
        asked = Step("hearthway status", beside=False)
        while "): up" not in (said := self.run(asked, 20.0)[1]):
            assert monotonic() < until, said
            assert self.beside[-1].poll() is None, self.beside[-1].communicate()[0].decode()
            sleep(0.3)

    def end(self) -> list[tuple[int, str]]:
        """Ctrl-C in every second terminal: exit codes and what was said."""
        for process in self.beside:
            process.send_signal(signal.SIGINT)
        ended = []
        for process in self.beside:
            try:
                said, _ = process.communicate(timeout=10.0)
            except subprocess.TimeoutExpired:
                process.kill()
                said, _ = process.communicate()
            ended.append((process.returncode, said.decode()))
        self.beside.clear()
        return ended


@pytest.mark.skipif(shutil.which("bash") is None, reason="the tutorial is written for bash")
@pytest.mark.timeout(240)
def test_the_tutorial_works_as_it_stands(tmp_path: Path, warden: Warden) -> None:
    shutil.copy(TUTORIAL.with_name("synthetic-weeks.csv"), tmp_path)
    terminal = Terminal(tmp_path, warden)
    try:
        for step in steps():
            if step.beside:
                terminal.start(step)
                continue
            code, said = terminal.run(step, LIMIT_S)
            assert code == 0, f"{step.script}\n{said}"
            for pattern in step.expected:
                assert re.search(pattern, said), (
                    f"{pattern!r} is not in what\n{step.script}said:\n{said}"
                )
    finally:
        ended = terminal.end()
    assert [code for code, _ in ended] == [0] * len(ended), ended
    assert (tmp_path / "report.json").stat().st_mode & 0o777 == 0o600


def test_it_has_steps_with_expectations() -> None:
    found = steps()
    assert sum(bool(step.expected) for step in found) > 8
    assert sum(step.beside for step in found) == 1
