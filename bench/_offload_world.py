"""The world of bench/offload.py: two nodes in namespaces of their own, a slower car, and a wire with a delay and a rate."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from hearthway.app.config import AskTable, Config, MeshTable, NodeTable, save_config
from hearthway.app.namespaces import Lan
from hearthway.app.paths import NodePaths, private_dir
from hearthway.mesh.trust.certificates import request
from hearthway.mesh.trust.identity import create_household, device_key, keep_device
from hearthway.records.household import HouseholdPerson, PersonKind, Role

if TYPE_CHECKING or __package__:
    from bench._wire import Relay, Talking
else:
    from _wire import Relay, Talking

NAMES = ("phone", "car")
HERE = Path(__file__).resolve().parent
NODE = HERE / "_offload_node.py"
V1, V2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
PERIOD_US = 10_000  # short, so that a slower processor is slower and not now and then away
LIMIT_S = 60.0


class NoThrottleError(Exception):
    """This machine cannot make a slower processor; says why."""


class Throttle:
    """A control group whose processes get a share of one core, `cpu` of this machine; gone when closed.

    On one core alone: a quota is handed out to cores in pieces larger than itself, so of two threads on two cores one
    waits for what the other does not use, and a fifth of a core becomes less than that.
    """

    def __init__(self, name: str, share: float, cpu: int) -> None:
        self._cpu = cpu
        quota = int(PERIOD_US * share)
        self._v1 = (V1 / "cpu.cfs_quota_us").exists()
        root = V1 if self._v1 else V2
        self.path = root / f"hearthway-bench-{os.getpid()}-{name}"
        self._root = root
        try:
            if not self._v1:
                controllers = (V2 / "cgroup.controllers").read_text().split()
                if "cpu" not in controllers:
                    raise NoThrottleError("neither cgroup v1 with cpu nor v2 with cpu is here")
                (V2 / "cgroup.subtree_control").write_text("+cpu")
            self.path.mkdir()
            if self._v1:
                (self.path / "cpu.cfs_period_us").write_text(str(PERIOD_US))
                (self.path / "cpu.cfs_quota_us").write_text(str(quota))
            else:
                (self.path / "cpu.max").write_text(f"{quota} {PERIOD_US}")
            subprocess.run(
                [*self.prefix(), "true"], capture_output=True, timeout=LIMIT_S, check=True
            )
        except OSError as why:
            raise NoThrottleError(f"no control group can be made: {why}") from None
        except subprocess.SubprocessError as why:
            self.close()
            told = (getattr(why, "stderr", None) or b"").decode(errors="replace").strip()
            raise NoThrottleError(f"nothing can be run on one core alone: {told or why}") from None

    def prefix(self) -> list[str]:
        """What to put before a command: it runs in here."""
        enter = f'echo $$ > {self.path}/cgroup.procs && exec "$@"'
        return ["sh", "-c", enter, "sh", "taskset", "-c", str(self._cpu)]

    def measured_share(self) -> float:
        """The share that a busy process really gets."""
        program = (
            "import time; t=time.monotonic()\nwhile time.process_time() < .3: pass\n"
            "print(.3/(time.monotonic()-t))"
        )
        done = subprocess.run(
            [*self.prefix(), sys.executable, "-I", "-S", "-c", program],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=True,
        )
        return float(done.stdout)

    def kill_but(self, *keep: int) -> None:
        """Everything that was started in here, but these and what they started."""
        for word in (self.path / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError, ValueError):
                parent = int(Path(f"/proc/{word}/stat").read_text().rsplit(")", 1)[1].split()[1])
                if int(word) not in keep and parent not in keep:
                    os.kill(int(word), signal.SIGKILL)

    def close(self) -> None:
        """Its processes have ended."""
        for _ in range(100):
            try:
                self.path.rmdir()
            except OSError:
                time.sleep(0.02)
            else:
                return


class World:
    """Phone and car, paired; a context. `share`: of a core, for the car; None: neither is slowed.

    `owner`: whose phone it is; `voice`: where the car takes what a speech recogniser heard.
    """

    def __init__(self, share: float | None, *, owner: str = "", voice: str = "off") -> None:
        self.share = share
        self._owner, self._voice = owner, voice
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        stack = self._stack
        try:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self._groups: dict[str, Throttle] = {}
            if self.share is not None:
                cpus = sorted(os.sched_getaffinity(0))
                for name, share, cpu in (("car", self.share, cpus[0]), ("phone", 1.0, cpus[-1])):
                    group = stack.enter_context(contextlib.closing(Throttle(name, share, cpu)))
                    self._groups[name] = group
            self.lan = stack.enter_context(Lan.create(NAMES))
            self.relay = stack.enter_context(contextlib.closing(Relay(self.lan, NAMES)))
            household(self.folder, self.lan, self._owner, self._voice)
            self.phone = self.start("phone")
            self.car = self.start("car")
            self.reach()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in ("car", "phone"):
            node = getattr(self, name, None)
            if node is not None:
                node.close()
        self._stack.close()

    @property
    def slow(self) -> Throttle:
        """The car's."""
        return self._groups["car"]

    @property
    def whole(self) -> Throttle:
        """The phone's."""
        return self._groups["phone"]

    def start(self, name: str) -> Talking:
        """A node's process, up."""
        group = self._groups.get(name)
        argv = [
            *(group.prefix() if group is not None else ()),
            *self.lan.command(name, [sys.executable, str(NODE), str(self.folder / name)]),
        ]
        node = Talking(argv, self.folder / f"{name}.err")
        node.line()
        return node

    def reach(self) -> None:
        """Until the car reaches the phone."""
        self.car.say(json.dumps({"do": "reach", "who": "phone"}))
        self.car.line()

    def ask(
        self, stops: int, seed: int, where: str | None = None, within_s: float = LIMIT_S
    ) -> dict[str, Any]:
        """A task of the car's; `where`: here, phone, or where the car itself chooses."""
        self.begin(stops, seed, where, within_s)
        return self.end()

    def begin(self, stops: int, seed: int, where: str | None, within_s: float) -> None:
        """The same, under way and not waited for."""
        do = {"do": "task", "stops": stops, "seed": seed, "where": where, "within_s": within_s}
        self.car.say(json.dumps(do))
        self.car.line()

    def end(self) -> dict[str, Any]:
        """What became of it."""
        found: dict[str, Any] = json.loads(self.car.line())
        return found

    @contextlib.contextmanager
    def busy(self, on: bool) -> Iterator[None]:
        """Something else computes on the phone's one core meanwhile."""
        if not on:
            yield
            return
        spin = "import sys,threading\nthreading.Thread(target=lambda: (sys.stdin.read(), __import__('os')._exit(0))).start()\nwhile True: pass"
        hog = Talking([*self.whole.prefix(), sys.executable, "-I", "-S", "-c", spin])
        try:
            yield
        finally:
            hog.kill()


def household(folder: Path, lan: Lan, owner: str, voice: str) -> None:
    """Keys and settings of two devices of one household, at their addresses on the link."""
    root = create_household(private_dir(folder / "root"), "Offload", time.time())
    for name in NAMES:
        keys = private_dir(folder / name / "keys")
        key = device_key(keys)
        address = f"{lan.address(name)}:7447"
        whose = owner if name == "phone" else ""
        person = HouseholdPerson(person_id=whose, kind=PersonKind.ADULT) if whose else None
        pem, _ = root.admit(request(key, name), name, name, time.time(), address, person=person)
        keep_device(keys, key, pem, root.certificate_pem, root.signed_roster)
    for name in NAMES:
        (folder / name / "keys" / "roster.bin").write_bytes(root.signed_roster)
        save_config(
            NodePaths(folder / name),
            Config(
                node=NodeTable(id=name, role=Role(name)),
                mesh=MeshTable(listen=f"{lan.address(name)}:7447"),
                ask=AskTable(voice=voice if name == "car" else "off"),
            ),
        )
