"""Whom nobody sees directly, and who is somewhere else now: real `hearthway up` nodes on links that are cut and addresses that change.

The relay between the namespaces cuts two nodes from one another; a third sees both. A whole drive goes through it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from hearthway.app.config import Config, MapTable, MeshTable, NodeTable, save_config
from hearthway.app.drive import NODES, Drive, DriveOptions
from hearthway.app.launch import NodeProcess, stop_all
from hearthway.app.loopback import Loopback
from hearthway.app.namespaces import SUBNET, Lan, LanPlan
from hearthway.app.paths import NodePaths, private_dir
from hearthway.atlas.store import Atlas
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.records.household import Role
from hearthway.synthetic.drives import DrivePool
from hearthway.synthetic.household import SyntheticHousehold, generate
from hearthway.synthetic.settings import Settings

pytestmark = [pytest.mark.netns, pytest.mark.timeout(180)]
RELAY = Path(__file__).with_name("relay.py")
CAPTURE = Path(__file__).parents[1] / "e2e" / "capture_main.py"
SEND = """
import socket, sys
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
link.sendto(sys.argv[2].encode(), (sys.argv[1], 7998))
"""


class Wire:
    """The relay's program: what it cuts, nobody else carries."""

    def __init__(self, lan: Lan, names: tuple[str, ...]) -> None:
        for index in range(len(names)):
            _run(lan.at_switch(["ip", "link", "set", f"p{index}", "nomaster"]))
        program = [sys.executable, "-I", "-S", str(RELAY), "0", "0", "1", *names]
        self._process = subprocess.Popen(
            lan.at_switch(program), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._line()

    def tell(self, words: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()
        self._line()

    def close(self) -> None:
        self._process.communicate(timeout=5)

    def _line(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline()


def _run(argv: list[str]) -> None:
    subprocess.run(argv, check=True, timeout=10)


async def _until(
    seen: Callable[[], Awaitable[bool]], limit_s: float, what: str = "it did not come about"
) -> float:
    """Seconds until it holds."""
    begun_s = time.monotonic()
    while not await seen():
        assert time.monotonic() - begun_s < limit_s, what
        await asyncio.sleep(0.1)
    return time.monotonic() - begun_s


async def _peers(node: NodeProcess) -> dict[str, dict[str, Any]]:
    return {peer["node"]: peer for peer in (await node.ask("status"))["peers"]}


# a drive through a neighbour ------------------------------------------------------------------------------------------


class Apart(Drive):
    """A drive of nodes of which two do not see one another."""

    cut: tuple[str, str]
    relay: str
    pcap: Path
    memory: dict[str, bytes]
    settings: dict[str, object]
    back_s = -1.0

    @contextmanager
    def _lan(self) -> Iterator[Lan | Loopback]:
        with super()._lan() as lan:
            assert isinstance(lan, Lan)
            self._wire = Wire(lan, NODES)
            self._lan_now = lan
            capture = subprocess.Popen(
                lan.at_switch([sys.executable, "-I", "-S", str(CAPTURE), str(self.pcap)]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert capture.stdout is not None
            assert capture.stdout.readline() == "ready\n"
            try:
                yield lan
            finally:
                capture.communicate(timeout=20)
                self._wire.close()

    async def _import(self) -> None:
        a, b = self.cut
        self._wire.tell(f"cut {a} {b}")

        async def through() -> bool:
            peers = [(await _peers(self._nodes[n]))[m] for n, m in ((a, b), (b, a))]
            return all(peer["alive"] and peer["via"] == self.relay for peer in peers)

        await _until(through, 15.0, f"{a} and {b} were never reached through {self.relay}")
        argv = [sys.executable, "-I", "-S", "-c", SEND]
        to = self._lan_now.address(self.relay)
        _run(self._lan_now.command("phone", [*argv, to, "kvartz-planted"]))
        nodes = {n: self._nodes[n] for n in ("phone", "car", "home")}
        await nodes["phone"].ask("set", key="Setting.Relayed", value="kvartz-setting")
        await _agreed(nodes, "Setting.Relayed", "kvartz-setting")
        self.settings = await _settings(nodes, "Setting.Relayed")
        await super()._import()

    async def _receipts(self) -> None:
        self.memory = {
            name: await asyncio.to_thread(_memory, node.pid) for name, node in self._nodes.items()
        }
        await super()._receipts()
        a, b = self.cut
        assert (await _peers(self._nodes[a]))[b]["via"] == self.relay  # until the end
        self._wire.tell(f"heal {a} {b}")

        async def direct() -> bool:
            peers = [(await _peers(self._nodes[n]))[m] for n, m in ((a, b), (b, a))]
            return all(peer["alive"] and not peer["via"] for peer in peers)

        self.back_s = await _until(direct, 20.0, "the direct way was not taken")


def _memory(pid: int) -> bytes:
    """What a process holds, apart from files that are mapped."""
    parts = []
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw.. \S+ \S+ \d+\s*(\S*)", line)
            if found is None or found[3].startswith("/"):
                continue
            begin, end = int(found[1], 16), int(found[2], 16)
            with contextlib.suppress(OSError, OverflowError):
                memory.seek(begin)
                parts.append(memory.read(end - begin))
    return b"\0".join(parts)


@pytest.fixture(scope="module")
def family() -> SyntheticHousehold:
    """The household that drives."""
    atlas = Atlas.bundled()
    try:
        return generate(Settings(), atlas, atlas, DrivePool.bundled(), atlas.place_name)
    finally:
        atlas.close()


@pytest.fixture(scope="module", params=["car", pytest.param("home", marks=pytest.mark.slow)])
def apart(
    request: pytest.FixtureRequest,
    bridged: LanPlan,
    family: SyntheticHousehold,
    tmp_path_factory: pytest.TempPathFactory,
) -> Apart:
    """Phone and home through the car; phone and car, at two sites, through the home, which is at both."""
    folder, said = tmp_path_factory.mktemp("apart"), list[str]()
    made = Apart(DriveOptions(data=folder / "drive"), family, said.append)
    made.relay, made.pcap = request.param, folder / "drive.pcap"
    made.cut = ("phone", "home") if made.relay == "car" else ("phone", "car")
    asyncio.run(made.run())
    assert made.result.suggestions, said
    return made


def _verified(folder: Path) -> str:
    argv = [sys.executable, "-m", "hearthway", "receipts", "verify", "--data", str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def test_a_drive_goes_on_through_the_neighbour(apart: Apart) -> None:
    """The suggestion reached the car, the home countersigned phone and car, a setting reached everybody."""
    assert {r["node"] for r in apart.result.receipts} == {"phone", "car", "home"}
    assert len(apart.result.suggestions) == 1
    said = _verified(apart.pcap.parent / "drive")
    for node in ("phone", "car", "home"):
        assert f"{node:8} verified: 1 receipt, witnessed up to entry 1" in said, said
    assert apart.settings == dict.fromkeys(("phone", "car", "home"), "kvartz-setting")
    assert 0 <= apart.back_s < 10.0
    print(f"the direct way was back after {apart.back_s:.1f} s")


def test_nothing_of_it_can_be_read_on_the_wire(apart: Apart) -> None:
    data = apart.pcap.read_bytes()
    assert len(data) > 500_000
    for word in (*_ids(apart), b"Suggestion.Show", b"Receipt.Head", b"kvartz-setting"):
        assert word not in data
    assert b"kvartz-planted" in data  # the control: a datagram from phone to the relay


def test_the_home_that_hands_a_suggestion_on_never_holds_it(apart: Apart) -> None:
    """Its memory, while it runs: no place of the suggestion; the car's memory holds each, by the same search."""
    if apart.relay != "home":
        pytest.skip("the car is shown the suggestion")
    for word in _ids(apart):
        assert word in apart.memory["car"]
        assert word not in apart.memory["home"]
    assert b"kvartz-setting" in apart.memory["home"]  # the control: what it may know is found


def _ids(apart: Apart) -> list[bytes]:
    """What the suggestion named."""
    found = [o["poi"]["osm_id"].encode() for s in apart.result.suggestions for o in s["options"]]
    assert found
    return found


# another address ------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _up(lan: Lan, folder: Path, *names: str) -> AsyncIterator[dict[str, NodeProcess]]:
    """A paired household; all but the home hear on every address that they have."""
    nodes = {}
    for name in names:
        paths = NodePaths(private_dir(folder / name))
        host = lan.address(name) if name == "home" else "0.0.0.0"
        config = Config(
            node=NodeTable(id=name, role=Role(name)),
            mesh=MeshTable(listen=f"{host}:7447"),
            map=MapTable(atlas="none"),
        )
        save_config(paths, config)
        nodes[name] = NodeProcess(name, paths, lan.command)
    try:
        for node in nodes.values():
            node.start()
        await asyncio.gather(*(node.ready() for node in nodes.values()))
        for name in names[1:]:
            offer = await nodes["home"].ask("pair-open", port=7448)
            await nodes[name].ask("pair", address=offer["address"], code=offer["code"])
        await _together(nodes, 20.0)
        yield nodes
    finally:
        await asyncio.to_thread(stop_all, list(nodes.values()))


async def _together(nodes: dict[str, NodeProcess], limit_s: float) -> float:
    """Until each reaches each; seconds."""

    async def all_there() -> bool:
        there = [await _peers(node) for node in nodes.values()]
        return all(len(p) == len(nodes) - 1 and all(x["alive"] for x in p.values()) for p in there)

    return await _until(all_there, limit_s, "the household was not together again")


def _address(node: NodeProcess, whose: str) -> str:
    """Where the list of devices on that node says it is."""
    member = DeviceIdentity.load(node.paths.keys, time.time()).roster.member(whose)
    return member.address if member is not None else ""


def _move(lan: Lan, name: str, number: int) -> str:
    """Another address on the same link, and the old one gone."""
    new = f"{SUBNET}.{number}"
    for words in ("-4 addr flush dev eth0", f"addr add {new}/24 dev eth0"):
        _run(lan.command(name, ["ip", *words.split()]))
    return f"{new}:7447"


async def _noticed(node: NodeProcess, whose: str, new: str) -> None:
    """Until it misses that peer, or has it at its new address without ever missing it; else "together" is the past."""

    async def seen() -> bool:
        return not (await _peers(node))[whose]["alive"] or _address(node, whose) == new

    await _until(seen, 10.0, f"{whose} was neither missed nor seen elsewhere")


async def _settings(nodes: dict[str, NodeProcess], key: str) -> dict[str, object]:
    found = {}
    for name, node in nodes.items():
        registers = (await node.ask("get", key=key))["registers"]
        found[name] = registers[0]["value"] if registers else None
    return found


async def _agreed(nodes: dict[str, NodeProcess], key: str, value: str) -> None:
    async def agreed() -> bool:
        return set((await _settings(nodes, key)).values()) == {value}

    await _until(agreed, 10.0, f"{key} did not reach everybody")


READER = """
import socket, sys, time
listener = socket.create_server((sys.argv[1], 7999))
print("ready", flush=True)
wire, _ = listener.accept()
while sys.argv[2] == "reads" and wire.recv(65536):
    pass
time.sleep(20)
"""
WRITER = """
import socket, subprocess, sys, time
from types import SimpleNamespace
from hearthway.mesh.links.stream import _unheard_s
wire = socket.create_connection((sys.argv[1], 7999))
seen = SimpleNamespace(get_extra_info=lambda _: wire)
wire.send(b"x")
time.sleep(0.2)
print(_unheard_s(seen))
wire.setblocking(False)
if sys.argv[2] == "reads":
    subprocess.run(["ip", "-4", "addr", "flush", "dev", "eth0"], check=True)
    wire.send(b"x")
else:
    try:
        while wire.send(bytes(65536)):
            pass
    except BlockingIOError:
        pass
begun_s, worst_s = time.monotonic(), 0.0
while time.monotonic() - begun_s < 4.0:
    worst_s = max(worst_s, _unheard_s(seen) or 0.0)
    time.sleep(0.01)
print(worst_s)
"""


@pytest.mark.parametrize(("reader", "dead"), [("reads", True), ("full", False)])
def test_a_wire_without_its_own_address_is_dead_and_a_full_one_is_not(
    plan: LanPlan, reader: str, dead: bool
) -> None:
    """As the kernel says of both for 4 s: on neither is anything under way, and only the full one answers probes."""
    with Lan.create(("home", "phone"), plan=plan) as lan:
        argv = [sys.executable, "-I", "-S", "-c", READER, lan.address("home"), reader]
        other = subprocess.Popen(lan.command("home", argv), stdout=subprocess.PIPE, text=True)
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "ready\n"
            argv = [sys.executable, "-c", WRITER, lan.address("home"), reader]
            done = subprocess.run(
                lan.command("phone", argv), capture_output=True, text=True, timeout=20, check=True
            )
        finally:
            other.kill()
            other.communicate(timeout=5)
        well, worst_s = done.stdout.split()
        assert well == "None"
        assert (float(worst_s) > 3.0) == dead, done.stdout


def test_a_phone_in_another_network_is_found_and_the_list_says_where(
    plan: LanPlan, tmp_path: Path
) -> None:
    """Then the car comes back from elsewhere: it knows only old addresses, and so do they of it."""

    async def main(lan: Lan) -> None:
        async with _up(lan, tmp_path, "home", "car", "phone") as nodes:
            assert _address(nodes["car"], "phone") == f"{lan.address('phone')}:7447"
            new = await asyncio.to_thread(_move, lan, "phone", 77)
            await _noticed(nodes["home"], "phone", new)
            assert (await nodes["home"].ask("status"))["healthy"]
            took_s = await _together(nodes, 10.0)
            print(f"together again {took_s:.1f} s after it was missed")

            async def listed() -> bool:
                return all(_address(node, "phone") == new for node in nodes.values())

            await _until(listed, 10.0, "the list does not say where the phone is")
            await nodes["phone"].ask("set", key="Setting.Roamed", value="far")
            await _agreed(nodes, "Setting.Roamed", "far")

            await asyncio.to_thread(nodes["car"].stop)
            newer = await asyncio.to_thread(_move, lan, "phone", 78)
            await _noticed(nodes["home"], "phone", newer)
            car = await asyncio.to_thread(_move, lan, "car", 79)
            assert _address(nodes["car"], "phone") == new  # all that it knows is over
            nodes["car"].start()
            await nodes["car"].ready()
            took_s = await _together(nodes, 15.0)
            print(f"the car, elsewhere too, is with them {took_s:.1f} s after its start")

            async def both() -> bool:
                places = [(_address(n, "phone"), _address(n, "car")) for n in nodes.values()]
                return set(places) == {(f"{SUBNET}.78:7447", car)}

            await _until(both, 10.0, "the lists do not agree")
            await nodes["car"].ask("set", key="Setting.Roamed", value="farther")
            await _agreed(nodes, "Setting.Roamed", "farther")

    with Lan.create(("home", "car", "phone"), plan=plan) as lan:
        asyncio.run(main(lan))
