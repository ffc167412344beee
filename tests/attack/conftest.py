"""Real nodes in processes of their own on loopback, to be attacked; afterwards they must still serve."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.ports import free_port

from hearthway.app.config import Config, MapTable, MeshTable, NodeTable, VenueTable, WebTable
from hearthway.app.config import save_config as save
from hearthway.app.control import Control
from hearthway.app.launch import NodeProcess, stop_all
from hearthway.app.paths import NodePaths, private_dir
from hearthway.records.household import Role

TOKEN = "a-token-for-tests-only"
START_S = 20.0
SETTLES_S = 10.0  # a new roster opens every session anew


@dataclass
class Running:
    """One `hearthway up`."""

    name: str
    paths: NodePaths
    mesh_port: int
    process: NodeProcess
    extra: dict[str, int] = field(default_factory=dict)

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        with Control(self.paths.socket, 30.0) as control:
            return control.ask(do, **fields)

    def up(self) -> None:
        """Start, and wait until it answers."""
        self.process.start()
        _ready(self)

    @property
    def rss_mb(self) -> float:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024.0
        return 0.0

    def said(self) -> str:
        log = self.paths.log.read_text() if self.paths.log.exists() else ""
        return self.process.said() + log


def make(root: Path, role: str, name: str = "") -> Running:
    """A node's directory and its process, not started yet."""
    name = name or role
    paths = NodePaths(private_dir(root / name))
    mesh, web, venue = free_port(), free_port(), free_port()
    save(
        paths,
        Config(
            node=NodeTable(id=name, role=Role(role)),
            mesh=MeshTable(listen=f"127.0.0.1:{mesh}"),
            map=MapTable(atlas="none"),
            web=WebTable(listen=f"127.0.0.1:{web}", token=TOKEN) if role == "phone" else WebTable(),
            venue=VenueTable(osm_id="node/1", name="Test", listen=f"127.0.0.1:{venue}")
            if role == "venue"
            else VenueTable(),
        ),
    )
    process = NodeProcess(name, paths, lambda _, command: list(command))
    return Running(name, paths, mesh, process, {"web": web, "venue": venue})


@dataclass
class Household:
    """Home, phone and car, paired; a venue apart."""

    root: Path
    home: Running
    phone: Running
    car: Running
    venue: Running

    def pair(self, node: Running) -> None:
        offer = self.home.ask("pair-open", port=free_port())
        node.ask("pair", address=offer["address"], code=offer["code"])

    def serves(self) -> None:
        """The positive control: every node answers, and home and phone reach each other."""
        self.home.ask("await-peers", roles=["phone"])
        self.phone.ask("await-peers", roles=["home"])
        for node in (self.home, self.phone):
            deadline = time.monotonic() + SETTLES_S
            while not (status := node.ask("status"))["healthy"]:
                if time.monotonic() > deadline:
                    pytest.fail(f"{node.name}: {status}")
                time.sleep(0.1)
            assert "Traceback" not in node.said()


@pytest.fixture(scope="session")
def household(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Household]:
    """Paired once for all tests; the car is paired and stopped again, for tests that change its keys."""
    root = tmp_path_factory.mktemp("attack")
    nodes = {role: make(root, role) for role in ("home", "phone", "car", "venue")}
    found = Household(root, nodes["home"], nodes["phone"], nodes["car"], nodes["venue"])
    try:
        for node in nodes.values():
            node.process.start()
        for node in nodes.values():
            _ready(node)
        found.pair(found.phone)
        found.pair(found.car)
        found.car.process.stop()
        found.serves()
        yield found
    finally:
        stop_all([node.process for node in nodes.values()])


def _ready(node: Running) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and node.process.alive():
        with suppress(Exception):
            node.ask("ping")
            return
        time.sleep(0.05)
    pytest.fail(f"{node.name} did not start: {node.process.said()}")


@pytest.fixture
def car_copy(household: Household, tmp_path: Path) -> Iterator[Running]:
    """The paired car's directory, to be damaged, and its process, not started."""
    target = tmp_path / "car"
    shutil.copytree(household.car.paths.root, target)
    paths = NodePaths(target)
    process = NodeProcess("car", paths, lambda _, command: list(command))
    running = Running("car", paths, household.car.mesh_port, process)
    try:
        yield running
    finally:
        stop_all([process])


@dataclass
class Done:
    """A finished command line."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err

    def refuses(self, *words: str) -> None:
        """A sentence and a next step on standard error, a code that is no success, and no traceback."""
        assert self.code not in (0, 70), self.said  # 70: a fault of ours
        assert "Traceback" not in self.said
        assert "hearthway: " in self.err, self.said
        assert "  -> " in self.err, self.said
        for word in words:
            assert word in self.said, self.said


Cli = Callable[..., Done]


@pytest.fixture(scope="session")
def cli() -> Cli:
    """cli("status", "--data", ...): a verb as a process, to its end."""

    def run(*words: object, limit_s: float = 60.0, **environment: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "hearthway", *map(str, words)],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_s,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@contextmanager
def _connection(port: int) -> Iterator[socket.socket]:
    link = socket.create_connection(("127.0.0.1", port), timeout=5.0)
    try:
        yield link
    finally:
        link.close()


@pytest.fixture(scope="session")
def send() -> Callable[..., bytes]:
    """send(port, b"...", wait_s=0.2): what came back; a connection that is cut gives b""."""

    def raw(port: int, data: bytes, wait_s: float = 0.3, *, half_close: bool = True) -> bytes:
        with suppress(OSError), _connection(port) as link:
            link.settimeout(wait_s)
            with suppress(OSError):
                link.sendall(data)
            if half_close:
                with suppress(OSError):
                    link.shutdown(socket.SHUT_WR)
            got = b""
            with suppress(OSError):
                while piece := link.recv(65536):
                    got += piece
            return got
        return b""

    return raw


@pytest.fixture
def new_node(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """new_node(role, name): a node that is gone when the test ends."""
    made: list[Running] = []

    def one(role: str, name: str = "") -> Running:
        made.append(make(tmp_path, role, name))
        return made[-1]

    yield one
    stop_all([node.process for node in made])


@pytest.fixture(scope="session")
def make_node() -> Callable[..., Running]:
    """make_node(root, role): a directory only; nothing is started."""
    return make
