"""Real processes: drives that many tests look at, and what becomes of their processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hearthway.app.namespaces import Lan

LIMIT_S = 110.0  # a drive takes about 20 s on a quiet machine


@dataclass
class Done:
    """A finished command."""

    code: int
    out: str
    err: str

    def refuses(self, *words: str, code: int = 2) -> None:
        """It ended with `code`, one sentence that has these words, a next step, and no traceback."""
        said = f"{self.out}{self.err}"
        assert self.code == code, said
        assert "Traceback" not in said
        assert "hearthway: " in self.err, said
        assert "  -> " in self.err, said
        for word in words:
            assert word in said, said


@dataclass
class Driven:
    """A finished drive: its JSON, what it printed, where its nodes' data stands."""

    result: dict[str, Any]
    out: str
    data: Path

    @property
    def person(self) -> str:
        return str(self.result["suggestions"][0]["person"])

    @property
    def comparable(self) -> str:
        """Everything but measured values, as two equal runs must have it."""
        kept = {key: value for key, value in self.result.items() if key != "measured"}
        kept["receipts"] = [
            {key: value for key, value in receipt.items() if key != "measured"}
            for receipt in kept["receipts"]
        ]
        return json.dumps(kept, sort_keys=True)


def start(*words: str, **environment: str) -> subprocess.Popen[str]:
    """`hearthway WORDS` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "hearthway", *words],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], limit_s: float = LIMIT_S) -> Done:
    """What it said; killed where it takes too long."""
    try:
        out, err = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        pytest.fail(f"it took more than {limit_s:.0f} s:\n{out}\n{err}")
    return Done(process.returncode, out, err)


Hearthway = Callable[..., Done]


@pytest.fixture(scope="session")
def hearthway() -> Hearthway:
    """hearthway("status", ...): run a verb to its end."""

    def run(*words: str, **environment: str) -> Done:
        return finish(start(*words, **environment))

    return run


def drive(data: Path, *words: str, **environment: str) -> Driven:
    """A whole drive."""
    file = data.with_name(f"{data.name}.json")
    done = finish(start("drive", "--data", str(data), "--json", str(file), *words, **environment))
    assert done.code == 0, f"{done.out}\n{done.err}"
    assert "Traceback" not in done.out + done.err
    return Driven(json.loads(file.read_bytes()), done.out, data)


@pytest.fixture(scope="session")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Driven:
    """The drive that most tests look at. They read it; those that change something take `copied`."""
    return drive(tmp_path_factory.mktemp("e2e") / "first", PYTHONHASHSEED="0")


@pytest.fixture(scope="session")
def driven_with_sink(tmp_path_factory: pytest.TempPathFactory, isolated: None) -> Driven:
    """The same drive once more: another hash seed, and a default route into a sink."""
    return drive(tmp_path_factory.mktemp("e2e") / "sink", "--sink", PYTHONHASHSEED="4242")


@pytest.fixture
def copied(driven: Driven, tmp_path: Path) -> Driven:
    """A copy of the drive's data that a test may change."""
    data = tmp_path / "copy"
    shutil.copytree(driven.data, data)
    return Driven(driven.result, driven.out, data)


@pytest.fixture(scope="session")
def isolated() -> None:
    """Skips where the machine has no namespaces; fails in CI."""
    plan = Lan.plan()
    if not plan.possible:
        reason = f"{plan.why}. {plan.next_step}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


# processes --------------------------------------------------------------------------------------------------------


def _processes() -> dict[int, tuple[int, str]]:
    """Parent and start time of every process that runs."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            found[int(entry.name)] = (int(fields[1]), fields[19])
    return found


def family(pid: int) -> dict[int, str]:
    """Every descendant of `pid`, with its start time."""
    every = _processes()
    found: dict[int, str] = {}
    wanted = {pid}
    while wanted:
        wanted = {
            one for one, (parent, _) in every.items() if parent in wanted and one not in found
        }
        found |= {one: every[one][1] for one in wanted}
    return found


def left_of(members: dict[int, str], within_s: float) -> list[str]:
    """Command lines of those that still run after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while True:
        every = _processes()
        left = [one for one, born in members.items() if every.get(one, (0, ""))[1] == born]
        if not left or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    lines = []
    for one in left:
        try:
            lines.append(Path(f"/proc/{one}/cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return lines


def wait_for(condition: Callable[[], bool], within_s: float) -> None:
    """Until it holds."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within_s:.0f} s")
        time.sleep(0.05)


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """started("up", ...): a process that is gone when the test ends."""
    running: list[subprocess.Popen[str]] = []

    def run(*words: str, **environment: str) -> subprocess.Popen[str]:
        running.append(start(*words, **environment))
        return running[-1]

    yield run
    for process in running:
        if process.poll() is None:
            process.terminate()
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


class Processes:
    """What becomes of a drive's processes."""

    family = staticmethod(family)
    left_of = staticmethod(left_of)
    wait_for = staticmethod(wait_for)


@pytest.fixture(scope="session")
def processes() -> Processes:
    """The tools above, without an import between tests."""
    return Processes()


@pytest.fixture(scope="session")
def new_drive() -> Callable[..., Driven]:
    """new_drive(data, "--drill", ...): a whole drive of a test's own."""
    return drive
