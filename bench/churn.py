"""Three nodes over 20 ms and 1 % loss; one is killed, stopped or cut off again and again: noticed, healed, answered when?

Each node is a process in a network namespace of its own and publishes 20 signals a second and reliable records
throughout. Every wait is measured from outside (monotonic time is one for all namespaces):

    noticed   from the fault until both others say that the peer is gone
    healed    from its return (the cable is back, the process goes on, or is up and open again) until something put
              after that has arrived from it at both others, and from both others at it
    answered  requests between all three, in all directions, afterwards
    put       the longest time a publish held its caller, on all nodes, throughout; a put that took long only because the
              machine let the thread not run (it waited for nothing) is counted apart

Needs root, or unprivileged user namespaces, and a bridge. `--data` is taken and not needed.
"""

from __future__ import annotations

import argparse
import json
import queue
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hearthway.app.namespaces import Lan
from hearthway.mesh.trust.certificates import request
from hearthway.mesh.trust.identity import create_household, device_key, keep_device

if TYPE_CHECKING:
    from bench._ends import started
    from bench._wire import Relay
else:
    from _ends import started
    from _wire import Relay

HERE = Path(__file__).resolve().parent.parent / "tests" / "netns"
NODE = HERE / "node_main.py"
NAMES = ("phone", "car", "home")
FAULTS = ("kill", "stop", "cut")
CUT_S = 5.0
GIVE_UP_S = 20.0
PUT_MAX_MS = 10.0


@dataclass
class Cycle:
    """One fault and what became of it; seconds, -1 where it never came."""

    fault: str
    victim: str
    away_s: float = 0.0
    noticed_s: float = -1.0
    healed_s: float = -1.0
    answered: int = 0
    unanswered: list[str] = field(default_factory=list)
    ask_ms: list[float] = field(default_factory=list)
    slow_puts: int = 0
    worst_put_ms: float = 0.0  # of those that waited for something
    worst_put_seen_ms: float = 0.0  # also of those that were only not let run
    put_kind: str = ""
    noticed_by: dict[str, float] = field(default_factory=dict)
    healed_by: dict[str, float] = field(default_factory=dict)  # "to < from"


class Node:
    """One node's process; what it says is read as it comes."""

    def __init__(self, lan: Lan, name: str, keys: Path, errors: Path) -> None:
        self.name = name
        self._lan, self._keys, self._errors = lan, keys, errors
        self.said: queue.Queue[dict[str, Any]] = queue.Queue()
        self.peers: dict[str, list[tuple[float, bool]]] = {}

    def start(self) -> float:
        """Start it; the monotonic second at which it was open."""
        self.said, self.peers = queue.Queue(), {}
        with self._errors.open("ab") as errors:
            self.process = subprocess.Popen(
                self._lan.command(self.name, [sys.executable, str(NODE), str(self._keys)]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        threading.Thread(target=self._listen, args=(self.process, self.said), daemon=True).start()
        return float(self.hear("open")["t"])

    def tell(self, words: str) -> None:
        """A command."""
        if self.process.stdin is None:
            raise RuntimeError("the node has no input")
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()

    def hear(self, event: str, limit_s: float = GIVE_UP_S) -> dict[str, Any]:
        """The next thing of that kind it says."""
        while True:
            try:
                said = self.said.get(timeout=limit_s)
            except queue.Empty:
                raise RuntimeError(
                    f"{self.name} did not say {event}; {self._errors.read_text()[-2000:]}"
                ) from None
            if said["event"] == event:
                return said

    def ask(self, words: str, event: str) -> dict[str, Any]:
        """A command and its answer."""
        self.tell(words)
        return self.hear(event)

    def gone_at(self, peer: str, after_s: float) -> float | None:
        """When it first said, after that second, that the peer is gone."""
        return next((t for t, up in list(self.peers.get(peer, ())) if t > after_s and not up), None)

    def stop(self) -> None:
        """Let it close; killed where it does not."""
        try:
            self.process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise RuntimeError(f"{self.name} did not close within 15 s: a deadlock") from None

    def _listen(self, process: subprocess.Popen[str], said: queue.Queue[dict[str, Any]]) -> None:
        for line in process.stdout or ():
            if not line.startswith("{"):  # zenoh's log, where it was asked for
                with self._errors.with_suffix(".log").open("a") as log:
                    log.write(line)
                continue
            event = json.loads(line)
            if "thread" in event:
                raise RuntimeError(f"a handler ran aside: {line}")
            if event["event"] == "peer":
                self.peers.setdefault(event["peer"], []).append((event["t"], event["ready"]))
            else:
                said.put(event)


class Churn:
    """The three nodes and what is done to them."""

    def __init__(self, nodes: dict[str, Node], relay: Relay) -> None:
        self.nodes, self.relay = nodes, relay

    def together(self) -> float:
        """Seconds until everybody hears everybody; RuntimeError where that never comes."""
        begun_s = time.monotonic()
        if self._healed(begun_s, NAMES, {}) < 0:
            raise RuntimeError("the three nodes never found one another")
        return time.monotonic() - begun_s

    def control(self) -> None:
        """RuntimeError unless a put that waits is seen."""
        home = self.nodes["home"]
        home.tell("stall")
        time.sleep(0.5)
        if home.ask("stats", "stats")["worst"].get("stalled, waiting", 0.0) < 25.0:
            raise RuntimeError("a put that waits would not be seen")

    def cycle(self, fault: str, victim: str, rng: random.Random) -> Cycle:
        """One fault, its return and what was seen."""
        seen = Cycle(fault, victim)
        for node in self.nodes.values():
            node.ask("stats", "stats")
        begun_s = self._break(fault, victim)
        seen.noticed_s = self._noticed(victim, begun_s, seen.noticed_by)
        if fault == "cut":
            time.sleep(max(0.0, begun_s + CUT_S - time.monotonic()))
        else:
            time.sleep(rng.uniform(0.0, 2.0))
        back_s = self._mend(fault, victim)
        seen.away_s = back_s - begun_s
        seen.healed_s = self._healed(back_s, (victim,), seen.healed_by)
        self._answers(seen)
        self._puts(seen)
        return seen

    def _break(self, fault: str, victim: str) -> float:
        if fault == "cut":
            return float(self.relay.tell(f"cut {victim}"))
        number = signal.SIGKILL if fault == "kill" else signal.SIGSTOP
        begun_s = time.monotonic()
        self.nodes[victim].process.send_signal(number)
        return begun_s

    def _mend(self, fault: str, victim: str) -> float:
        node = self.nodes[victim]
        if fault == "cut":
            return float(self.relay.tell(f"heal {victim}"))
        if fault == "stop":
            back_s = time.monotonic()
            node.process.send_signal(signal.SIGCONT)
            return back_s
        node.process.communicate()
        return node.start()

    def _noticed(self, victim: str, begun_s: float, by: dict[str, float]) -> float:
        def seen() -> float | None:
            for node in self.nodes.values():
                at_s = node.gone_at(victim, begun_s)
                if node.name != victim and at_s is not None:
                    by[node.name] = at_s - begun_s
            return max(by.values()) if len(by) == len(NAMES) - 1 else None

        return _until(seen)

    def _healed(self, back_s: float, whose: tuple[str, ...], by: dict[str, float]) -> float:
        """Both ways with both others."""
        missing = {
            (here, there)
            for here in NAMES
            for there in NAMES
            if here != there and (here in whose or there in whose)
        }

        def seen() -> float | None:
            for here in sorted({here for here, _ in missing}):
                first = self.nodes[here].ask(f"since {back_s!r}", "since")["first"]
                for there in [t for h, t in missing if h == here and t in first]:
                    by[f"{here} < {there}"] = first[there] - back_s
                    missing.discard((here, there))
            return None if missing else max(by.values())

        return _until(seen)

    def _answers(self, seen: Cycle) -> None:
        for here in NAMES:
            for there in NAMES:
                if here == there:
                    continue
                answer = self.nodes[here].ask(f"ask {there}", "asked")
                if answer["ok"]:
                    seen.answered += 1
                    seen.ask_ms.append(answer["took_ms"])
                else:
                    seen.unanswered.append(f"{here} -> {there}: {answer.get('why')}")

    def _puts(self, seen: Cycle) -> None:
        for node in self.nodes.values():
            stats = node.ask("stats", "stats")
            seen.slow_puts += stats["slow"]
            for kind, took_ms in stats["worst"].items():
                away_ms = seen.away_s * 1000
                if seen.fault == "stop" and node.name == seen.victim and took_ms > away_ms - 20:
                    took_ms = max(0.0, took_ms - away_ms)  # stopped in the middle of a put
                seen.worst_put_seen_ms = max(seen.worst_put_seen_ms, took_ms)
                if kind.endswith("waiting") and took_ms > seen.worst_put_ms:
                    seen.worst_put_ms, seen.put_kind = took_ms, f"{kind}, of {node.name}"


def _until(seen: Callable[[], float | None]) -> float:
    """What `seen` gives once it gives something; -1 after a long time."""
    end_s = time.monotonic() + GIVE_UP_S
    while time.monotonic() < end_s:
        found = seen()
        if found is not None:
            return found
        time.sleep(0.02)
    return -1.0


@contextmanager
def household(folder: Path, lan: Lan) -> Iterator[dict[str, Path]]:
    """Keys of three devices of one household, at their addresses on the link."""
    root = create_household(folder / "root", "Churn", time.time())
    keys = {}
    for name in NAMES:
        keys[name] = folder / name
        key = device_key(keys[name])
        pem, _ = root.admit(
            request(key, name), name, name, time.time(), f"{lan.address(name)}:7447"
        )
        keep_device(keys[name], key, pem, root.certificate_pem, root.signed_roster)
    for path in keys.values():
        (path / "roster.bin").write_bytes(root.signed_roster)
    yield keys


@contextmanager
def standing(folder: Path, delay_ms: float, loss: float, seed: int) -> Iterator[Churn]:
    """Three nodes that hear one another through the relay; gone at the end, also a deadlocked one."""
    with Lan.create(NAMES) as lan, household(folder, lan) as keys:
        relay = Relay(lan, NAMES, delay_ms, loss, seed)
        nodes = {n: Node(lan, n, keys[n], folder / f"{n}.err") for n in NAMES}
        try:
            for node in nodes.values():
                node.start()
            churn = Churn(nodes, relay)
            churn.together()
            yield churn
            for node in nodes.values():
                node.stop()
        finally:
            for node in nodes.values():
                if hasattr(node, "process") and node.process.poll() is None:
                    node.process.kill()
                    node.process.communicate()
            relay.close()


def plan(faults: list[str], cycles: int, rng: random.Random) -> list[tuple[str, str]]:
    """Each fault once for 0 cycles, else so many at random; home is never killed: what it leaks is seen."""
    if not cycles:
        return [(fault, rng.choice(NAMES[:2])) for fault in faults]
    chosen = []
    for _ in range(cycles):
        fault = rng.choice(faults)
        chosen.append((fault, rng.choice(NAMES[:2] if fault == "kill" else NAMES)))
    return chosen


def measured(given: argparse.Namespace) -> dict[str, Any]:
    """Every cycle, and what the home held at the start and at the end."""
    rng = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        path = given.keep or Path(folder)
        with standing(path, given.delay_ms, given.loss, given.seed) as churn:
            churn.control()
            home = churn.nodes["home"]
            held = [home.ask("stats", "stats")]
            cycles = []
            for number, (fault, victim) in enumerate(plan(given.faults, given.cycles, rng)):
                seen = churn.cycle(fault, victim, rng)
                cycles.append(seen)
                held.append(home.ask("stats", "stats"))
                print(number, json.dumps(asdict(seen)), file=sys.stderr, flush=True)
            tally = churn.relay.tell("tally")
        said = {name: (path / f"{name}.err").read_text()[-2000:] for name in NAMES}
    kept = ("rss_mb", "threads", "fds", "tasks")
    return {
        "cycles": [asdict(cycle) for cycle in cycles],
        "home": [{key: one[key] for key in kept} for one in held],
        "relay": tally,
        "stderr": said,
    }


def rows(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The table: each wait by fault, and what the long-lived node holds more than at the start."""
    made = []
    for fault in FAULTS:
        cycles = [c for c in result["cycles"] if c["fault"] == fault]
        for metric in ("noticed_s", "healed_s"):
            values = sorted(c[metric] for c in cycles)
            if values:
                p95 = values[min(len(values) - 1, int(len(values) * 0.95))]
                name = metric.removesuffix("_s")
                for what, value in (
                    ("p50", values[len(values) // 2]),
                    ("p95", p95),
                    ("worst", values[-1]),
                ):
                    made.append(_row(f"{fault} x {len(values)}", f"{name} {what}", "s", value))
    cycles = result["cycles"]
    made.append(_row("all", "put worst", "ms", max(c["worst_put_ms"] for c in cycles)))
    seen = max(c["worst_put_seen_ms"] for c in cycles)
    made.append(_row("all", "put worst, machine's pauses included", "ms", seen))
    asked = sorted(ms for c in cycles for ms in c["ask_ms"])
    if asked:
        made.append(_row("all", "request p50", "ms", asked[len(asked) // 2]))
        made.append(_row("all", "request worst", "ms", asked[-1]))
    made.append(_row("all", "unanswered", "requests", sum(len(c["unanswered"]) for c in cycles)))
    held = result["home"]
    early = held[min(5, len(held) - 1)]
    made += [
        _row("home", f"{key} at the end less after 5", key, held[-1][key] - early[key])
        for key in ("rss_mb", "threads", "fds", "tasks")
    ]
    return made


def _row(case: str, metric: str, unit: str, ours: float) -> dict[str, Any]:
    return {
        "case": case,
        "metric": metric,
        "unit": unit,
        "ours": round(ours, 3),
        "peer": "",
        "theirs": None,
        "ratio": None,
    }


def main() -> int:
    """Measures and prints; 2 where the machine has no namespaces."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="not needed here")
    parser.add_argument("--cycles", type=int, default=0, help="0: each fault once")
    parser.add_argument("--faults", default=",".join(FAULTS), type=lambda text: text.split(","))
    parser.add_argument("--delay-ms", type=float, default=20.0, help="each way")
    parser.add_argument("--loss", type=float, default=0.01, help="share of packets, each way")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="every cycle as JSON")
    parser.add_argument(
        "--keep", type=Path, help="an empty folder for keys and what nodes say (RUST_LOG)"
    )
    given = parser.parse_args()
    lan = Lan.plan()
    if not lan.possible or not lan.bridge:
        print(f"No network namespaces here: {lan.why}. {lan.next_step}", file=sys.stderr)
        return 2
    result = measured(given)
    if given.out is not None:
        given.out.write_text(json.dumps(result))
    table = rows(result)
    for each in table:
        print(each["case"], each["metric"], each["ours"], each["unit"], sep="  ")
    print(json.dumps({"bench": "churn", "rows": table}))
    return 0


if __name__ == "__main__":
    started(main)
