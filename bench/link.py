"""The mesh as `app` uses it (sessions, seal, rules on), beside what others send messages with, in one run on loopback.

    python bench/link.py --data ../shared/data [--rounds 7] [--seconds 0.4]

Two processes a system, phone to car, kept up for the whole run; rounds alternate between the systems and the median is
shown. Throughput is what the receiver counted between its first and last message; CPU is of both processes, without
a broker's, and holds on a busy machine, where rates and p99 do not. Peers: bare zenoh with mutual TLS,
paho-mqtt with mosquitto and TLS, nats-py with nats-server and TLS, pyzmq with CURVE, an asyncio TLS stream. A peer
that is not installed has no row; standard error says how to get it. Commands are measured as a running node carries them
out: one whose repeat does no harm, and one that is carried out at most once, whose beginning is on the disk first. The
latter stands beside the bare stream and, for equal work, beside one whose receiver writes as many bytes into a file that
was prepared as ours is, and flushes them, before it answers ("stream+disk"); `--disk` says on which disk (default: the temporary directory's).
`--data` is not needed. The last line is JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import multiprocessing
import os
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

try:
    from bench._ends import started
except ModuleNotFoundError:  # started as a script: bench/ itself is on the path
    from _ends import started  # type: ignore[no-redef, import-not-found, unused-ignore]

SIZES = (64, 4096)
ASKS = 1000  # a p99 is then the tenth slowest, not the third
INSTALL = {
    "mosquitto": "apt-get install mosquitto && pip install paho-mqtt",
    "nats": "apt-get install nats-server && pip install nats-py",
    "zmq": "pip install pyzmq",
}
SYSTEMS = ("ours", "ours reliable", "zenoh", "mosquitto", "nats", "zmq", "stream")
ASKED = {
    "ours": ("ask", "command", "once"),
    "ours reliable": (),
    "stream": ("ask", "flushed"),
}  # the others: "ask"
NOTE_BYTES, NOTES = 32, 32_768  # what our journal writes of a command, and has room for
KEY, PURPOSE = "Replay.Bench", "replay"


def quantile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Counter:
    """What a receiver saw: how many, between which moments."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.count, self.first, self.last = 0, 0.0, 0.0

    def one(self) -> None:
        self.last = time.perf_counter()
        if not self.count:
            self.first = self.last
        self.count += 1

    def seen(self) -> tuple[int, float, float]:
        return self.count, self.last - self.first, time.process_time()


# -- ours --------------------------------------------------------------------------------------------


async def _ours(name: str, folder: Path, pipe: Any, *, reliable: bool) -> None:
    from hearthway.mesh.links.relay import RelayLink
    from hearthway.mesh.links.zenoh_link import ZenohLink
    from hearthway.mesh.policy.rules import Rules, default_rules
    from hearthway.mesh.state.journal import StoredJournal
    from hearthway.mesh.state.store import Store
    from hearthway.mesh.trust.identity import DeviceIdentity
    from hearthway.mesh.wire.node import MeshNode

    identity = DeviceIdentity.load(folder / name, time.time())
    link = RelayLink(ZenohLink(identity, listen=identity.address, now_s=time.time()))
    rules = Rules.parse(default_rules(), "default")
    store = Store.open(folder / f"{name}.db", node_id=name)
    journal = StoredJournal(store, folder / f"{name}.notes", time.time)
    node = MeshNode(identity, link, rules, time.time, journal=journal)
    counter = Counter()
    node.subscribe(KEY, bytes, lambda _m, _b: counter.one())
    node.serve("Replay.Echo", bytes, lambda _m, body: body, repeatable=True)
    node.serve("Replay.Once", bytes, lambda _m, body: body)
    await node.open()
    await node.wait_ready(["car" if name == "phone" else "phone"], 20.0)

    async def send(size: int, seconds: float) -> None:
        body, sent, start = b"x" * size, 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            for _ in range(16):
                await node.publish(KEY, body, PURPOSE, reliable=reliable)
            sent += 16

    async def asks(size: int, how: Callable[..., Any], key: str = "Replay.Echo") -> list[float]:
        body, took = b"x" * size, []
        for _ in range(ASKS):
            start = time.perf_counter()
            await how("car", key, body, PURPOSE, bytes, 5.0)
            took.append(time.perf_counter() - start)
        return took

    pipe.send("up")
    while (order := await asyncio.to_thread(pipe.recv))[0] != "stop":
        if order[0] == "send":
            await send(order[1], order[2])
            pipe.send(None)
        elif order[0] == "ask":
            pipe.send(await asks(order[1], node.request))
        elif order[0] == "command":
            pipe.send(await asks(order[1], node.command))
        elif order[0] == "once":
            pipe.send(await asks(order[1], node.command, "Replay.Once"))
        elif order[0] == "reset":
            counter.reset()
            pipe.send(None)
        else:
            pipe.send(counter.seen())
    await node.close()
    journal.close()
    store.close()


# -- the others --------------------------------------------------------------------------------------


def _zenoh(name: str, folder: Path, pipe: Any, ports: dict[str, int]) -> None:
    import zenoh

    from hearthway.mesh.links.zenoh_config import zenoh_config
    from hearthway.mesh.trust.identity import DeviceIdentity

    identity = DeviceIdentity.load(folder / name, time.time())
    own, other = ports[f"zenoh-{name}"], ports[f"zenoh-{'car' if name == 'phone' else 'phone'}"]
    config: dict[str, Any] = zenoh_config(identity, f"127.0.0.1:{own}")
    config["connect"] = {"endpoints": [f"tls/127.0.0.1:{other}"]}
    config.pop("access_control", None)
    session = zenoh.open(zenoh.Config.from_json5(json.dumps(config)))
    counter, answered = Counter(), threading.Event()
    held: list[Any] = []
    if name == "car":
        held.append(session.declare_subscriber("bench/put", lambda _s: counter.one()))
        held.append(
            session.declare_queryable("bench/ask", lambda q: q.reply("bench/ask", q.payload))
        )
    putter = session.declare_publisher("bench/put")

    def send(size: int, seconds: float) -> None:
        body, start = b"x" * size, time.perf_counter()
        while time.perf_counter() - start < seconds:
            for _ in range(16):
                putter.put(body)

    def ask(body: bytes) -> None:
        answered.clear()
        for _ in session.get("bench/ask", payload=body, timeout=5.0):
            pass

    time.sleep(2.0)
    _serve(pipe, counter, send, ask)
    session.close()  # type: ignore[no-untyped-call]


def _tls(folder: Path, name: str, *, server: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(folder / name / "ca.pem")
    context.load_cert_chain(folder / name / "device.pem", folder / name / "device.key")
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _mosquitto(name: str, folder: Path, pipe: Any, ports: dict[str, int]) -> None:
    import paho.mqtt.client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion

    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.tls_set_context(_tls(folder, name))
    counter, answered, ready = Counter(), threading.Event(), threading.Event()

    def heard(_c: Any, _u: Any, message: Any) -> None:
        if message.topic == "put":
            counter.one()
        elif message.topic == "ask":
            client.publish("answer", message.payload)
        else:
            answered.set()

    def connected(*_: Any) -> None:
        topics = ("put", "ask") if name == "car" else ("answer",)
        client.subscribe([(topic, 0) for topic in topics])
        ready.set()

    client.on_message, client.on_connect = heard, connected
    client.connect("127.0.0.1", ports["mosquitto"])
    client.loop_start()
    ready.wait(10.0)
    time.sleep(0.5)

    def send(size: int, _seconds: float) -> None:
        body = b"x" * size
        for _ in range(2000):  # its queue is unbounded, so not by time
            client.publish("put", body)

    def ask(body: bytes) -> None:
        answered.clear()
        client.publish("ask", body)
        answered.wait(5.0)

    _serve(pipe, counter, send, ask)
    client.loop_stop()


async def _nats(name: str, folder: Path, pipe: Any, ports: dict[str, int]) -> None:
    import nats

    client = await nats.connect(f"tls://127.0.0.1:{ports['nats']}", tls=_tls(folder, name))
    counter = Counter()

    async def put(_m: Any) -> None:
        counter.one()

    async def echo(message: Any) -> None:
        await message.respond(message.data)

    if name == "car":
        await client.subscribe("put", cb=put, pending_bytes_limit=2**30, pending_msgs_limit=2**22)
        await client.subscribe("ask", cb=echo)
    await client.flush()

    async def send(size: int, seconds: float) -> None:
        body, start = b"x" * size, time.perf_counter()
        while time.perf_counter() - start < seconds:
            for _ in range(16):
                await client.publish("put", body)
        await client.flush()

    await _serve_async(pipe, counter, send, lambda body: client.request("ask", body, timeout=5.0))
    await client.close()


def _zmq(name: str, folder: Path, pipe: Any, ports: dict[str, int]) -> None:
    import zmq

    context = zmq.Context()
    keys = json.loads((folder / "zmq.json").read_text())

    def curve(one: Any) -> Any:
        one.curve_publickey = keys[name][0].encode()
        one.curve_secretkey = keys[name][1].encode()
        if name == "car":
            one.curve_server = True
        else:
            one.curve_serverkey = keys["car"][0].encode()
        return one

    counter = Counter()
    if name == "car":
        pull, rep = curve(context.socket(zmq.PULL)), curve(context.socket(zmq.REP))
        pull.bind(f"tcp://127.0.0.1:{ports['zmq-put']}")
        rep.bind(f"tcp://127.0.0.1:{ports['zmq-ask']}")

        def hear() -> None:
            while True:
                pull.recv()
                counter.one()

        def answer() -> None:
            while True:
                rep.send(rep.recv())

        for target in (hear, answer):
            threading.Thread(target=target, daemon=True).start()
        _serve(pipe, counter, lambda _n, _s: None, lambda _b: None)
        return
    push, req = curve(context.socket(zmq.PUSH)), curve(context.socket(zmq.REQ))
    push.connect(f"tcp://127.0.0.1:{ports['zmq-put']}")
    req.connect(f"tcp://127.0.0.1:{ports['zmq-ask']}")

    def send(size: int, seconds: float) -> None:
        body, start = b"x" * size, time.perf_counter()
        while time.perf_counter() - start < seconds:
            for _ in range(16):
                push.send(body)

    def ask(body: bytes) -> None:
        req.send(body)
        req.recv()

    _serve(pipe, counter, send, ask)


async def _stream(name: str, folder: Path, pipe: Any, ports: dict[str, int]) -> None:
    """A bare asyncio mutual-TLS stream with a length in front: what a request costs at least."""
    counter = Counter()
    context = _tls(folder, name, server=name == "car")
    notes, noted = os.open(folder / f"{name}.flushed", os.O_RDWR | os.O_CREAT, 0o600), 0
    os.write(notes, bytes(NOTES * NOTE_BYTES))
    os.fsync(notes)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal noted
        with contextlib.suppress(asyncio.IncompleteReadError, asyncio.CancelledError):
            while head := await reader.readexactly(5):
                body = await reader.readexactly(int.from_bytes(head[1:], "big"))
                if head[:1] == b"p":
                    counter.one()
                    continue
                if (
                    head[:1] == b"f"
                ):  # in the loop's thread: one asks here, and a thread would cost it
                    os.pwrite(notes, b"n" * NOTE_BYTES, noted % NOTES * NOTE_BYTES)
                    os.fdatasync(notes)
                    noted += 1
                writer.write(head + body)

    if name == "car":
        await asyncio.start_server(serve, "127.0.0.1", ports["stream"], ssl=context)
        await _serve_async(pipe, counter, None, None)
        return
    while True:
        try:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", ports["stream"], ssl=context, server_hostname=""
            )
            break
        except OSError:
            await asyncio.sleep(0.1)

    async def send(size: int, seconds: float) -> None:
        body, start = b"p" + size.to_bytes(4, "big") + b"x" * size, time.perf_counter()
        while time.perf_counter() - start < seconds:
            for _ in range(16):
                writer.write(body)
            await writer.drain()

    async def ask(body: bytes, kind: bytes = b"a") -> None:
        writer.write(kind + len(body).to_bytes(4, "big") + body)
        await reader.readexactly(5 + len(body))

    await _serve_async(pipe, counter, send, ask, lambda body: ask(body, b"f"))


def _serve(
    pipe: Any,
    counter: Counter,
    send: Callable[[int, float], None],
    ask: Callable[[bytes], None],
) -> None:
    pipe.send("up")
    while (order := pipe.recv())[0] != "stop":
        if order[0] == "send":
            send(order[1], order[2])
            pipe.send(None)
        elif order[0] == "ask":
            took = []
            for _ in range(ASKS):
                start = time.perf_counter()
                ask(b"x" * order[1])
                took.append(time.perf_counter() - start)
            pipe.send(took)
        elif order[0] == "reset":
            counter.reset()
            pipe.send(None)
        else:
            pipe.send(counter.seen())


async def _serve_async(
    pipe: Any, counter: Counter, send: Any, ask: Any, flushed: Any = None
) -> None:
    pipe.send("up")
    while (order := await asyncio.to_thread(pipe.recv))[0] != "stop":
        if order[0] == "send":
            await send(order[1], order[2])
            pipe.send(None)
        elif order[0] in ("ask", "flushed"):
            took, how = [], ask if order[0] == "ask" else flushed
            for _ in range(ASKS):
                start = time.perf_counter()
                await how(b"x" * order[1])
                took.append(time.perf_counter() - start)
            pipe.send(took)
        elif order[0] == "reset":
            counter.reset()
            pipe.send(None)
        else:
            pipe.send(counter.seen())


def _process(system: str, name: str, folder: str, ports: dict[str, int], pipe: Any) -> None:
    path = Path(folder)
    if system in ("ours", "ours reliable"):
        at = path / system.replace(" ", "-")
        asyncio.run(_ours(name, at, pipe, reliable=system != "ours"))
    elif system in ("nats", "stream"):
        asyncio.run({"nats": _nats, "stream": _stream}[system](name, path / "ours", pipe, ports))
    elif system == "zmq":
        _zmq(name, path, pipe, ports)
    else:
        {"zenoh": _zenoh, "mosquitto": _mosquitto}[system](name, path / "ours", pipe, ports)


# -- the run -----------------------------------------------------------------------------------------


def free_port() -> int:
    """A port on loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def household(folder: Path) -> None:
    """A phone and a car of one household, in directories of their own."""
    from hearthway.mesh.trust.certificates import request
    from hearthway.mesh.trust.identity import create_household, device_key, keep_device

    now_s = time.time()
    root = create_household(folder / "root", "Bench", now_s)
    for name in ("phone", "car"):
        key = device_key(folder / name)
        pem, _ = root.admit(request(key, name), name, name, now_s, f"127.0.0.1:{free_port()}")
        keep_device(folder / name, key, pem, root.certificate_pem, root.signed_roster)
    for name in ("phone", "car"):
        (folder / name / "roster.bin").write_bytes(root.signed_roster)


def present(system: str) -> bool:
    """Can this system run here?"""
    programs = {"mosquitto": "mosquitto", "nats": "nats-server"}
    modules = {"mosquitto": "paho", "nats": "nats", "zmq": "zmq"}
    found = (system not in programs or shutil.which(programs[system], path=_PATH) is not None) and (
        system not in modules or importlib.util.find_spec(modules[system]) is not None
    )
    if not found:
        print(f"{system} is not installed: {INSTALL[system]}", file=sys.stderr)
    return found


_PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/bin"


def brokers(
    folder: Path, ports: dict[str, int], systems: list[str]
) -> list[subprocess.Popen[bytes]]:
    """The servers that the peers need."""
    keys = folder / "ours" / "car"
    started: list[subprocess.Popen[bytes]] = []
    commands: list[list[str]] = []
    if "mosquitto" in systems:
        (folder / "mosquitto.conf").write_text(
            f"listener {ports['mosquitto']} 127.0.0.1\nallow_anonymous true\nuser root\n"
            f"cafile {keys}/ca.pem\ncertfile {keys}/device.pem\nkeyfile {keys}/device.key\n"
            "require_certificate true\nmax_queued_messages 0\n"
        )
        program = shutil.which("mosquitto", path=_PATH) or "mosquitto"
        commands.append([program, "-c", str(folder / "mosquitto.conf")])
    if "nats" in systems:
        program = shutil.which("nats-server", path=_PATH) or "nats-server"
        commands.append(
            [
                *(program, "-a", "127.0.0.1", "-p", str(ports["nats"]), "--tls", "--tlsverify"),
                *("--tlscert", f"{keys}/device.pem", "--tlskey", f"{keys}/device.key"),
                *("--tlscacert", f"{keys}/ca.pem"),
            ]
        )
    if "zmq" in systems:
        import zmq

        pairs = {n: [k.decode() for k in zmq.curve_keypair()] for n in ("phone", "car")}
        (folder / "zmq.json").write_text(json.dumps(pairs))
    quiet = subprocess.DEVNULL
    started.extend(subprocess.Popen(c, stdout=quiet, stderr=quiet) for c in commands)
    time.sleep(1.0)
    return started


class Ends:
    """Both processes of one system."""

    def __init__(self, system: str, folder: Path, ports: dict[str, int]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipes: dict[str, Any] = {}
        self.processes = []
        for name in ("car", "phone"):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_process, args=(system, name, str(folder), ports, theirs), daemon=True
            )
            process.start()
            self.pipes[name] = ours
            self.processes.append(process)
        for pipe in self.pipes.values():
            if not pipe.poll(40.0):
                raise SystemExit(f"{system} did not come up.")
            pipe.recv()

    def do(self, name: str, *order: Any) -> Any:
        """An order and its result."""
        self.pipes[name].send(order)
        if not self.pipes[name].poll(120.0):
            raise SystemExit(f"{name} did not finish {order}.")
        return self.pipes[name].recv()

    def rate(self, size: int, seconds: float) -> tuple[float, float]:
        """Messages a second as the receiver counted them, and CPU us a message of both processes together."""
        self.do("car", "reset")
        cpu_s = -sum(self.do(name, "seen")[2] for name in ("car", "phone"))
        self.do("phone", "send", size, seconds)
        before = -1
        while True:
            count, span_s, _ = self.do("car", "seen")
            if count == before:
                cpu_s += sum(self.do(name, "seen")[2] for name in ("car", "phone"))
                return ((count - 1) / span_s if count > 1 else 0.0), cpu_s / max(1, count) * 1e6
            before = count
            time.sleep(0.15)

    def stop(self) -> None:
        """Both gone."""
        for pipe in self.pipes.values():
            pipe.send(("stop",))
        for process in self.processes:
            process.join(8.0)
            if process.is_alive():
                process.kill()


def rule_check_us() -> float:
    """One decision of the default rules, about a person, between two parties; the best of 5."""
    from hearthway.mesh.policy.rules import Rules, default_rules
    from hearthway.records.household import Party

    rules = Rules.parse(default_rules(), "default")
    phone = Party(role="phone", device_id="phone", person="anna", kind="adult")
    car = Party(role="car", device_id="car")
    keys = [f"Vehicle.CurrentLocation.{n}" for n in ("Latitude", "Longitude")] + ["Vehicle.Speed"]
    best = 1e9
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(2000):
            for key in keys:
                rules.decide(key, car, phone, "anticipate", "anna")
        best = min(best, (time.perf_counter() - start) / (2000 * len(keys)))
    return best * 1e6


def measure(systems: list[str], rounds: int, seconds: float, folder: Path) -> dict[str, Any]:
    """Every figure of every round: (system, what, size) -> values."""
    ports = {
        name: free_port()
        for name in (
            "mosquitto",
            "nats",
            "zmq-put",
            "zmq-ask",
            "stream",
            "zenoh-phone",
            "zenoh-car",
        )
    }
    for name in ("ours", "ours-reliable"):
        household(folder / name)
    started = brokers(folder, ports, systems)
    ends: dict[str, Ends] = {}
    found: dict[Any, list[float]] = {}
    try:
        for system in systems:
            ends[system] = Ends(system, folder, ports)
        for n in range(rounds):
            for size in SIZES:
                for system in systems if n % 2 == 0 else systems[::-1]:
                    one = ends[system]
                    rate, cpu_us = one.rate(size, seconds)
                    found.setdefault((system, "rate", size), []).append(rate)
                    found.setdefault((system, "cpu", size), []).append(cpu_us)
                    for what in ASKED.get(system, ("ask",)):
                        took = one.do("phone", what, size)
                        for share in (0.5, 0.99):
                            found.setdefault((system, what, size, share), []).append(
                                quantile(took, share) * 1e6
                            )
    finally:
        for one in ends.values():
            one.stop()
        for server in started:
            server.terminate()
            server.wait(5.0)
    return {key: statistics.median(values) for key, values in found.items()}


def rows(found: dict[Any, float], systems: list[str]) -> list[dict[str, Any]]:
    """Ours beside each peer."""
    out = []

    def row(
        case: str, metric: str, unit: str, ours: float, peer: str, theirs: float | None
    ) -> None:
        out.append(
            {
                "case": case,
                "metric": metric,
                "unit": unit,
                "ours": round(ours, 2),
                "peer": peer,
                "theirs": None if theirs is None else round(theirs, 2),
                "ratio": round(ours / theirs, 3) if theirs else None,
            }
        )

    for size in SIZES:
        for mine in [s for s in systems if s.startswith("ours")]:
            for peer in systems:
                if not peer.startswith("ours"):
                    case = f"{size} B" + (", reliable" if mine != "ours" else "")
                    row(
                        case, "messages", "1/s", found[mine, "rate", size],
                        peer, found[peer, "rate", size],
                    )  # fmt: skip
                    row(case, "cpu", "us", found[mine, "cpu", size], peer, found[peer, "cpu", size])
        for share, name in ((0.5, "p50"), (0.99, "p99")):
            for peer in systems:
                if not peer.startswith("ours"):
                    row(
                        f"{size} B", f"request {name}", "us", found["ours", "ask", size, share],
                        peer, found[peer, "ask", size, share],
                    )  # fmt: skip
            for what, case, peer, theirs in (
                ("command", "", "stream", "ask"),
                ("once", ", at most once", "stream", "ask"),
                ("once", ", at most once", "stream+disk", "flushed"),
            ):
                if {"ours", "stream"} <= set(systems):
                    row(
                        f"{size} B{case}", f"command {name}", "us", found["ours", what, size, share],
                        peer, found["stream", theirs, size, share],
                    )  # fmt: skip
    row("rules", "one check", "us", rule_check_us(), "limit", 5.0)
    return out


def main() -> int:
    """Measure, print a table, and JSON as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="not needed here")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.4)
    parser.add_argument("--only", help="these systems, with commas: " + ", ".join(SYSTEMS))
    parser.add_argument("--disk", help="a directory on the disk to measure")
    args = parser.parse_args()
    systems = [s for s in SYSTEMS if present(s) and (not args.only or s in args.only.split(","))]
    with tempfile.TemporaryDirectory(dir=args.disk) as folder:
        result = rows(measure(systems, args.rounds, args.seconds, Path(folder)), systems)
    for one in result:
        print(
            f"{one['case']:22} {one['metric']:12} {one['ours']:>12} {one['unit']:4} {one['peer']:10} {one['theirs']!s:>12} x{one['ratio']}"
        )
    print(json.dumps({"bench": "link", "rows": result}))
    return 0


if __name__ == "__main__":
    started(main)
