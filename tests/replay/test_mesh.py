"""The recorded day over the in-memory mesh: home, car and phone as they ship, in one process."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hearthway.app.config import Config, MapTable, MeshTable, NodeTable, ReplayTable, save_config
from hearthway.app.control import Control, open_control, running
from hearthway.app.node import Node, open_node
from hearthway.app.paths import NodePaths, private_dir
from hearthway.app.recording import fix_signals, write_recording
from hearthway.atlas.store import Atlas
from hearthway.mesh.links.link import Link
from hearthway.mesh.links.memory import MemoryHub
from hearthway.mesh.policy.rules import template
from hearthway.mesh.trust.certificates import request
from hearthway.mesh.trust.identity import (
    DeviceIdentity,
    HouseholdRoot,
    create_household,
    device_key,
    keep_device,
)
from hearthway.records.household import Role
from hearthway.records.signals import Fix, Signal
from hearthway.records.suggestion import Suggestion
from hearthway.sense.catalogue import CAR_POSITION, HOUSE, PRESENCE, ROOM
from hearthway.synthetic.household import SyntheticHousehold

DAYS = 32  # from a Monday on: the next is a Friday
ROLES = ("home", "car", "phone")


def _admit(root: HouseholdRoot, folder: Path) -> None:
    """Car and phone as if paired; every node knows the whole roster."""
    now_s = time.time()
    root.enrol("home", Role.HOME, now_s, "127.0.0.1:1")
    for number, name in enumerate(("car", "phone"), start=2):
        keys = private_dir(folder / name / "keys")
        key = device_key(keys)
        address = f"127.0.0.1:{number}"
        pem, _ = root.admit(request(key, name), name, name, now_s, address)
        keep_device(keys, key, pem, root.certificate_pem, root.signed_roster)
    for name in ROLES:
        (folder / name / "keys" / "roster.bin").write_bytes(root.signed_roster)


def _node(folder: Path, name: str, hub: MemoryHub) -> Node:
    """A node as `hearthway up` makes it, on the in-memory wire."""
    paths = NodePaths(private_dir(folder / name))
    config = Config(
        node=NodeTable(id=name, role=Role(name)),
        mesh=MeshTable(listen="127.0.0.1:1"),
        map=MapTable(atlas="bundled" if name == "phone" else "none"),
        replay=ReplayTable(clock=True, synthetic=True),
    )
    save_config(paths, config)
    node = open_node(paths)

    def link(identity: DeviceIdentity) -> Link:
        return hub.link(identity.device_id, identity.role)

    node.link = link  # type: ignore[method-assign]  # the seam: the wire alone is another
    return node


@asynccontextmanager
async def household(folder: Path, hub: MemoryHub) -> AsyncIterator[dict[str, Node]]:
    """Three nodes up and ready for one another; all of them gone afterwards."""
    root = create_household(private_dir(folder / "home" / "keys"), "Test", time.time())
    _admit(root, folder)
    nodes = {name: _node(folder, name, hub) for name in ROLES}
    tasks = [asyncio.create_task(node.run(), name=name) for name, node in nodes.items()]
    try:
        for node in nodes.values():
            async with asyncio.timeout(20.0):
                while not await asyncio.to_thread(running, node.paths.socket):
                    for task in tasks:
                        if task.done():
                            task.result()
                    await asyncio.sleep(0.02)
        for name, node in nodes.items():
            others = [other for other in ROLES if other != name]
            await ask(node, "await-peers", roles=others)
        yield nodes
    finally:
        for node in nodes.values():
            node.stop()
        await asyncio.gather(*tasks)


async def ask(node: Node, do: str, **fields: Any) -> dict[str, Any]:
    """One control request, as the command line makes it."""

    def call() -> dict[str, Any]:
        with Control(node.paths.socket, 60.0) as control:
            return control.ask(do, **fields)

    return await asyncio.to_thread(call)


async def replay(
    nodes: dict[str, Node],
    lived: SyntheticHousehold,
    folder: Path,
    trouble: Callable[[], Awaitable[None]] | None = None,
) -> list[dict[str, Any]]:
    """Import the driver's history, play the drive, and what the phone said until its end.

    `trouble` is made when the phone has looked at the situation ten times.
    """
    member = lived.person(lived.driver_id)
    history, drive = folder / "history.jsonl", folder / "drive.jsonl.gz"
    signals = [s for f in member.fixes for s in fix_signals(f, member.person_id, "phone")]
    signals = sorted([*signals, *member.car_signals], key=lambda signal: signal.time_s)
    write_recording(history, signals)
    write_recording(drive, [s for _, batch in lived.drive.ticks for s in batch])
    await ask(
        nodes["phone"], "import", file=str(history), name=member.name, person_id=member.person_id
    )
    said: list[dict[str, Any]] = []
    streams = {}
    for name in ("phone", "car"):
        reader, writer = await open_control(nodes[name].paths.socket)
        writer.write(b'{"do": "events"}\n')
        await reader.readline()
        streams[name] = reader, writer
    try:
        await ask(nodes["car"], "replay", file=str(drive))
        looks = 0
        while trouble is not None and looks < 10:
            event = msgspec.json.decode(await streams["phone"][0].readline())
            looks += event["event"] == "situation"
        if trouble is not None:
            await trouble()
        async with asyncio.timeout(90.0):
            while msgspec.json.decode(await streams["car"][0].readline())["event"] != "replay-end":
                pass
        await ask(nodes["phone"], "ping")
        await ask(nodes["phone"], "stop")
        while line := await streams["phone"][0].readline():
            event = msgspec.json.decode(line)
            if event["event"] == "suggestion":
                said.append(event["record"])
    finally:
        for _, writer in streams.values():
            writer.close()
    return said


@pytest.mark.anyio
async def test_three_nodes_in_one_process_say_what_the_bare_path_says(
    tmp_path: Path, rehearse: Callable[..., Any], lived: SyntheticHousehold
) -> None:
    """The mesh, its rules, lock-step and clock add nothing and lose nothing: the same bytes."""
    async with household(tmp_path, MemoryHub(seed=3)) as nodes:
        said = await replay(nodes, lived, tmp_path)
    assert [msgspec.convert(one, Suggestion) for one in said] == rehearse().suggestions


@pytest.mark.anyio
async def test_a_slow_and_lossy_wire_changes_nothing(
    tmp_path: Path, rehearse: Callable[..., Any], lived: SyntheticHousehold
) -> None:
    """A replay asks for reliable frames, so loss of the others and latency do not reach the result."""
    async with household(tmp_path, MemoryHub(seed=5, loss=0.3, latency_s=0.004)) as nodes:
        said = await replay(nodes, lived, tmp_path)
    assert [one["suggestion_id"] for one in said] == [
        one.suggestion_id for one in rehearse().suggestions
    ]


@pytest.mark.anyio
async def test_a_phone_that_is_lost_and_returns_is_waited_for(
    tmp_path: Path, rehearse: Callable[..., Any], lived: SyntheticHousehold
) -> None:
    """Cut in the middle of the replay, with ticks and acknowledgements under way: the same bytes all the same."""
    hub = MemoryHub(seed=7, latency_s=0.003)
    notes: list[str] = []

    async def cut() -> None:
        reader, writer = await open_control(NodePaths(tmp_path / "car").socket)
        writer.write(b'{"do": "events"}\n')
        await reader.readline()
        for _ in range(2):
            hub.cut("car", "phone")
            while "out of reach" not in (notes or [""])[-1]:
                event = msgspec.json.decode(await asyncio.wait_for(reader.readline(), 10.0))
                notes.append(event.get("text", ""))
            hub.heal("car", "phone")
            while notes[-1] != "the phone is back":
                event = msgspec.json.decode(await asyncio.wait_for(reader.readline(), 10.0))
                notes.append(event.get("text", ""))
        writer.close()

    async with household(tmp_path, hub) as nodes:
        said = await replay(nodes, lived, tmp_path, cut)
    assert [msgspec.convert(one, Suggestion) for one in said] == rehearse().suggestions
    assert len([note for note in notes if "out of reach" in note]) == 2


@pytest.fixture
def coming_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[list[Any], list[Any]]]:
    """(what a phone has kept of a month and an evening, the last drive home): nobody is in, and the house is cold."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "bench"))
    quiet = import_module("quiet")
    atlas = Atlas.bundled()
    life = quiet._lives.begun("parent", atlas, 1)
    begin_s = life.now_s
    life.live(DAYS, quiet=False)
    leg = quiet.OWN_DAYS["home_ready"][1]["parent"](life)
    atlas.close()
    items = list(life.items(begin_s, leg.end_s))
    yield (
        [i for i in items if i.time_s < leg.start_s],
        [i for i in items if i.time_s >= leg.start_s],
    )
    for name in ("quiet", "_lives", "_house"):
        del sys.modules[name]


def _of_car(item: Any) -> list[Signal]:
    """What the car tells of a position; nothing else of that drive."""
    if not isinstance(item, Fix):
        return []
    at = {"Latitude": item.lat, "Longitude": item.lon}
    return [
        Signal(key=f"{CAR_POSITION}.{axis}", value=value, time_s=item.time_s, source="car")
        for axis, value in at.items()
    ]


def _of_house(item: Any) -> bool:
    return isinstance(item, Signal) and item.key.startswith(HOUSE)


def _of_phone(item: Any) -> list[Signal]:
    return fix_signals(item, "anna", "phone") if isinstance(item, Fix) else [item]


@pytest.mark.anyio
@pytest.mark.parametrize("let", [True, False])
async def test_a_cold_house_is_told_to_who_drives_there_if_a_rule_lets_it(
    tmp_path: Path, coming_home: tuple[list[Any], list[Any]], let: bool
) -> None:
    """Sensed at home, through its rules and the phone's, learned of, and said once on the way with source and age."""
    kept, driven = coming_home
    now_s = driven[0].time_s - 60.0
    house = [i for i in kept if _of_house(i)]
    latest = {signal.key: signal for signal in house}
    old = [i for i in kept if not _of_house(i) or i.time_s < now_s - 7200.0]  # nothing fresh of it
    learned = [signal for item in old for signal in _of_phone(item)]
    history, drive = tmp_path / "history.jsonl", tmp_path / "drive.jsonl.gz"
    write_recording(history, learned)
    write_recording(drive, [s for i in driven for s in _of_car(i)])
    if not let:
        text = template("family").replace('keys = ["Home.Climate.*"]', 'keys = ["Home.Never"]')
        (private_dir(tmp_path / "home") / "rules.toml").write_text(text)
    said: list[Suggestion] = []
    async with household(tmp_path, MemoryHub(seed=9)) as nodes:
        phone = nodes["phone"]
        await ask(phone, "import", file=str(history), name="Anna", person_id="anna")
        sensed = [{"key": s.key, "value": s.value, "time_s": now_s - 60.0} for s in latest.values()]
        await ask(nodes["home"], "sense", signals=sensed)
        for _ in range(1000):
            if PRESENCE in phone.latest:  # type: ignore[attr-defined]  # a phone has it
                break
            await asyncio.sleep(0.01)
        reader, writer = await open_control(nodes["car"].paths.socket)
        writer.write(b'{"do": "events"}\n')
        await ask(nodes["car"], "replay", file=str(drive))
        async with asyncio.timeout(60.0):
            while msgspec.json.decode(await reader.readline()).get("event") != "replay-end":
                pass
        writer.close()
        said = list(phone.store.suggestions("anna"))
    if not let:
        assert said == []
        return
    (word,) = said
    assert word.need == "home-ready"
    assert " (home, " in word.headline
    assert "if the heating starts now" in word.headline
    room = next(e for e in word.situation.evidence if e.key == ROOM)
    assert room.source == "home"
    assert room.age_s == pytest.approx(word.time_s - now_s + 60.0)
