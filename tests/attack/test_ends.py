"""Ports that are taken, nodes that are killed, disks that are full while a drive runs."""

from __future__ import annotations

import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens at."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


def _settings(paths: Any, table: str, port: int) -> None:
    text = paths.config.read_text()
    lines, inside = [], False
    for line in text.splitlines():
        if line.startswith("["):
            inside = line == f"[{table}]"
        if inside and line.startswith("listen"):
            line = f'listen = "127.0.0.1:{port}"'
        lines.append(line)
    paths.config.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("role", "table"), [("home", "mesh"), ("phone", "web"), ("venue", "venue")]
)
def test_a_taken_port_is_named(
    new_node: Callable[..., Any], cli: Any, taken: int, role: str, table: str
) -> None:
    node = new_node(role)
    _settings(node.paths, table, taken)
    done = cli("up", "--data", node.paths.root)
    done.refuses(str(taken))
    assert "port" in done.err


def test_the_same_node_twice(household: Any, cli: Any) -> None:
    cli("up", "--data", household.home.paths.root).refuses("running already", "--data")
    household.serves()


@pytest.mark.parametrize(
    "words",
    [
        ("up", "--role", "phone", "--listen", "nonsense"),
        ("up", "--role", "phone", "--web", "127.0.0.1:99999"),
        ("up", "--role", "phone", "--name", "A B"),
    ],
)
def test_a_first_start_with_a_slip_leaves_nothing_behind(
    tmp_path: Path, cli: Any, words: tuple[str, ...]
) -> None:
    cli(*words, "--data", tmp_path / "new").refuses()
    assert not (tmp_path / "new").exists()


def test_json_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path, cli: Any) -> None:
    file = tmp_path / "h.csv"
    file.write_text("lat,lng,datetime\n60,25,2020-01-01 00:00:00\n")
    done = cli("drive", file, "--json", tmp_path / "missing" / "out.json")
    done.refuses("no directory")
    assert "points read" not in done.out


def _nodes(data: Path) -> dict[str, int]:
    """Pids of the `hearthway up` processes below `data`."""
    found = {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().decode().split("\0")
            if "--leash" in words and str(data) in words[words.index("--data") + 1]:
                found[Path(words[words.index("--data") + 1]).name] = int(entry.name)
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kill_9_of_any_node_at_any_moment_of_a_drive(tmp_path: Path, cli: Any) -> None:
    rng = random.Random(7)
    for turn in range(6):
        data = tmp_path / f"drive{turn}"
        drive = subprocess.Popen(
            [sys.executable, "-m", "hearthway", "drive", "--data", str(data)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        said: list[str] = []
        learned = -1
        if drive.stdout is None:
            pytest.fail("no output")
        for line in drive.stdout:
            said.append(line)
            if "phone learned" in line:
                learned = int(line.split(" from ")[1].split()[0])
                break
        time.sleep(rng.uniform(0.0, 6.0))
        victim = rng.choice(["phone", "car", "home"])
        with suppress(KeyError, ProcessLookupError):
            os.kill(_nodes(data)[victim], signal.SIGKILL)
        out, err = drive.communicate(timeout=100)
        assert "Traceback" not in "".join(said) + out + err
        if drive.returncode:
            assert "  -> " in err
        assert not _nodes(data), "a node outlived the drive"
        done = cli("receipts", "verify", "--data", data)
        assert done.code == 0, (victim, done.said)
        assert _fixes(data / "phone") >= learned, "acknowledged fixes are gone"


def _fixes(phone: Path) -> int:
    with closing(sqlite3.connect(phone / "node.db")) as db:
        return int(db.execute("SELECT count(*) FROM fixes").fetchone()[0])


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk needs root to be mounted")
def test_a_drive_on_a_disk_that_is_full_says_so(tmp_path: Path, cli: Any) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)], check=False
    )
    if mounted.returncode:
        pytest.skip("tmpfs cannot be mounted here")
    try:
        done = cli("drive", "--data", disk / "x", limit_s=100.0)
        done.refuses()
        assert not _nodes(disk)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)
