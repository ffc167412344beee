"""A household to be attacked: home, phone and car as real processes, two members whose software is hostile, and Anna's data.

Eve is a child with a phone; the second car is nobody's. Both have keys and certificates as any member, and no node runs.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.ports import free_port

from hearthway.app.config import Config, MapTable, MeshTable, NodeTable, WebTable, save_config
from hearthway.app.control import Control
from hearthway.app.launch import NodeProcess, stop_all
from hearthway.app.paths import NodePaths, private_dir
from hearthway.mesh.state.hlc import Hlc
from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.certificates import request
from hearthway.mesh.trust.devicekeys import device_key, keep_device
from hearthway.mesh.trust.identity import HouseholdRoot, create_household
from hearthway.records.codec import pack
from hearthway.records.household import PersonKind, Role
from hearthway.records.messages import Surface
from hearthway.records.signals import Fix
from hearthway.records.tasks import NavigationTarget, Task

from .fuzz_corpus import NOW_S, VICTIM

ROOT = Path(__file__).resolve().parents[2]
ROLES = ("home", "phone", "car")
ROGUES = {"phone-eve": "phone", "car-rogue": "car"}
START_S = 40.0
# A frame of a megabyte is held some three times while it is opened, 0.1 to 0.4 s long: now and then a look falls on one.
KEPT_LOOKS, KEPT_LOOK_S = 10, 0.1
# What a node writes about its own dealings, whoever caused them.
_BOOKS = frozenset({"meta", "cursors", "commands", "sqlite_sequence"})
_COVERED = (
    "envelope",
    "sessions",
    "lanes",
    "hearing",
    "answering",
    "greeting",
    "gate",
    "relay",
    "stream",
)


@dataclass
class Attacked:
    """One `hearthway up`, and what stood in its store before."""

    name: str
    paths: NodePaths
    port: int
    process: NodeProcess
    before: dict[str, set[str]] = field(default_factory=dict)

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """One control request."""
        with Control(self.paths.socket, 30.0) as control:
            return control.ask(do, **fields)

    def memory_mb(self, field: str) -> float:
        """Resident memory: `VmRSS` now, `VmHWM` the most there ever was."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(x.split()[1]) for x in status.splitlines() if x.startswith(field)) / 1024

    def has_register(self, key: str) -> bool:
        """Is it in its store?"""
        return any(f"'key': '{key}'" in row for row in dump(self.paths.database)["registers"])

    def faults(self) -> list[str]:
        """Lines of its log and of standard error that tell of a fault of ours."""
        found = []
        for file in (self.paths.log, Path(f"{self.paths.log}.1"), self.paths.root / "stderr.txt"):
            with suppress(OSError):
                for line in file.read_text().splitlines():
                    if (
                        '"level": "error"' in line
                        or "Traceback" in line
                        or "Error" in line.split(":")[0]
                    ):
                        found.append(line[:300])
        return found

    def changed(self) -> list[str]:
        """What others did to what is not theirs: rows that went, and new ones in somebody else's name."""
        after, found = dump(self.paths.database), []
        for table, rows in self.before.items():
            found += [
                f"{self.name} lost {table}: {row[:200]}" for row in sorted(rows - after[table])
            ]
            for row in sorted(after[table] - rows):
                theirs = table == "registers" and not any(r in row for r in ROGUES)
                told_by_car = (
                    self.name == "phone" and "car-rogue" in row
                )  # about her, to her own phone
                if theirs or (f"'person': '{VICTIM}'" in row and not told_by_car):
                    found.append(f"{self.name} has in {table}: {row[:200]}")
        return found


def dump(database: Path) -> dict[str, set[str]]:
    """Every row, with whose it is; without a node's own book-keeping."""
    found: dict[str, set[str]] = {}
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30.0)) as db:
        people = dict(db.execute("SELECT person_no, person_id FROM persons").fetchall())
        db.row_factory = sqlite3.Row
        tables = [n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            if table in _BOOKS or table.startswith("sqlite_"):
                continue
            rows = set()
            for row in db.execute(f"SELECT * FROM {table}"):  # names from the schema
                shown = dict(row)
                if "person_no" in shown and table != "persons":
                    shown["person"] = people[shown.pop("person_no")]
                if table == "registers":
                    shown.pop("seq")
                    shown["node"] = Hlc.decode(shown["hlc"]).node
                rows.add(repr(shown))
            found[table] = rows
    return found


class FuzzHousehold:
    """Made below `root`; `with` starts and stops the processes."""

    def __init__(self, root: Path, *, coverage: bool = False) -> None:
        self.root, self._coverage = root, coverage
        self.nodes: dict[str, Attacked] = {}
        for role in ROLES:
            paths, port = NodePaths(private_dir(root / role)), free_port()
            save_config(
                paths,
                Config(
                    node=NodeTable(id=role, role=Role(role)),
                    mesh=MeshTable(listen=f"127.0.0.1:{port}"),
                    map=MapTable(atlas="none"),
                    web=WebTable(listen=f"127.0.0.1:{free_port()}")
                    if role == "phone"
                    else WebTable(),
                ),
            )
            process = NodeProcess(role, paths, self._wrap)
            self.nodes[role] = Attacked(role, paths, port, process)
        self._found()
        self._live()

    def keys(self, device: str) -> Path:
        """The directory of a device's keys."""
        return self.nodes[device].paths.keys if device in self.nodes else self.root / device

    def _wrap(self, name: str, command: Sequence[str]) -> list[str]:
        words = list(command)
        if self._coverage:
            at = words.index("-m")
            rc = self.root / "coveragerc"
            sources = "\n".join(f"  */hearthway/mesh/*/{name}.py" for name in _COVERED)
            rc.write_text(
                f"[run]\nbranch = True\nparallel = True\ndata_file = {self.root}/.coverage\n"
                f"concurrency = thread\ninclude =\n{sources}\n"
            )
            words[at:at] = ["-m", "coverage", "run", f"--rcfile={rc}"]
        return words

    def _found(self) -> None:
        """As if all had been paired."""
        now_s = time.time()
        home = self.nodes["home"]
        root: HouseholdRoot = create_household(home.paths.keys, "Fuzzed", now_s)
        root.enrol("home", "home", now_s, f"127.0.0.1:{home.port}")
        devices = {"phone": "phone", "car": "car", **ROGUES}
        made = {}
        for device, role in devices.items():
            keys = private_dir(self.keys(device))
            key = device_key(keys)
            address = f"127.0.0.1:{self.nodes[device].port}" if device in self.nodes else ""
            pem, _ = root.admit(request(key, device), device, role, now_s, address)
            made[device] = (keys, key, pem)
        root.add_person(VICTIM, PersonKind.ADULT)
        root.add_person("eve", PersonKind.CHILD)
        root.assign("phone", VICTIM)
        root.assign("phone-eve", "eve")
        for keys, key, pem in made.values():
            keep_device(keys, key, pem, root.certificate_pem, root.signed_roster)
        (home.paths.keys / "roster.bin").write_bytes(root.signed_roster)

    def _live(self) -> None:
        """Anna's life so far."""
        surface = Surface(
            suggestion_id="a" * 32,
            person=VICTIM,
            time_s=NOW_S,
            utc_offset_s=7200,
            lines=("Dinner at eight",),
            osm_ids=("node/1",),
        )
        for name, node in self.nodes.items():
            with Store.open(node.paths.database, node_id=name) as store:
                store.add_person("Anna" if name == "phone" else VICTIM, VICTIM)
                fixes = [
                    Fix(time_s=NOW_S + 60 * n, lat=60.1 + n / 1e4, lon=24.9) for n in range(50)
                ]
                store.add_fixes(VICTIM, fixes, "phone")
                task = Task(
                    task_id="anna-task",
                    person=VICTIM,
                    time_s=NOW_S,
                    content=NavigationTarget(name="Forum", lat=60.1, lon=24.9),
                    holder="phone",
                    version=1,
                    holders=("phone", "car"),
                )
                moment = Hlc(int(NOW_S * 1000), 1, name)
                store.put_register(
                    "Task.anna-task", pack(task), Hlc(1, 0, "phone"), person_id=VICTIM, time_s=NOW_S
                )
                store.put_register(f"Device.{name}.name", pack(name), moment)
                store.put_register("Setting.theirs", pack(1.0), Hlc(int(NOW_S * 1000), 1, "home"))
                store.add_event("surface", VICTIM, NOW_S, pack(surface), suggestion_id="a" * 32)

    def __enter__(self) -> FuzzHousehold:
        for node in self.nodes.values():
            node.process.start()
        deadline = time.monotonic() + START_S
        for node in self.nodes.values():
            while True:
                with suppress(Exception):
                    node.ask("ping")
                    break
                if time.monotonic() > deadline or not node.process.alive():
                    raise RuntimeError(f"{node.name} did not start: {node.process.said()}")
                time.sleep(0.05)
        self.nodes["home"].ask("await-peers", roles=["phone", "car"])
        self.nodes["phone"].ask("await-peers", roles=["home", "car"])
        time.sleep(1.0)  # replicas of the three meet
        for node in self.nodes.values():
            node.before = dump(node.paths.database)
        return self

    def __exit__(self, *_: object) -> None:
        stop_all([node.process for node in self.nodes.values()])

    def rogue(self, device: str, target: str, frames: int, seed: int) -> subprocess.Popen[str]:
        """One storm, as a process."""
        node = self.nodes[target]
        words = [str(self.keys(device)), target, f"127.0.0.1:{node.port}", str(frames), str(seed)]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.attack.fuzz_rogue", *words],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kept_mb(self) -> dict[str, float]:
        """Resident memory of each node without what the frame it works on just then takes: the least of a second's looks."""
        looks = []
        for _ in range(KEPT_LOOKS):
            looks.append({name: node.memory_mb("VmRSS") for name, node in self.nodes.items()})
            time.sleep(KEPT_LOOK_S)
        return {name: min(look[name] for look in looks) for name in self.nodes}

    def storm(self, frames: int, seed: int = 1) -> list[dict[str, Any]]:
        """So many frames at every node, three quarters from the member that the rules let say more."""
        shares = {
            "home": (("phone-eve", 0.5), ("car-rogue", 0.5)),
            "phone": (("car-rogue", 0.75), ("phone-eve", 0.25)),
            "car": (("phone-eve", 0.75), ("car-rogue", 0.25)),
        }
        found = []
        for turn in (0, 1):
            running = [
                self.rogue(shares[t][turn][0], t, int(frames * shares[t][turn][1]), seed + turn)
                for t in ROLES
            ]
            try:
                for process in running:
                    out, err = process.communicate(timeout=3600)
                    if process.returncode:
                        raise RuntimeError(f"a storm ended: {err[-2000:]}")
                    found.append(json.loads(out.splitlines()[-1]))
            finally:
                for process in running:
                    process.kill()
        return found

    def serves(self) -> None:
        """The positive control: everybody healthy, and home, phone and car reach one another."""
        self.nodes["home"].ask("await-peers", roles=["phone", "car"])
        self.nodes["phone"].ask("await-peers", roles=["home", "car"])
        for node in self.nodes.values():
            deadline = time.monotonic() + 15.0
            while not (status := node.ask("status"))["healthy"]:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{node.name}: {status}")
                time.sleep(0.1)
