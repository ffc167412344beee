"""The recorded day over the in-memory mesh: home, car and phone as they ship, in one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hearthway.app.config import Config, MapTable, MeshTable, NodeTable, ReplayTable, save_config
from hearthway.app.control import Control, open_control, running
from hearthway.app.node import Node, open_node
from hearthway.app.paths import NodePaths, private_dir
from hearthway.app.recording import fix_signals, write_recording
from hearthway.mesh.links.link import Link
from hearthway.mesh.links.memory import MemoryHub
from hearthway.mesh.trust.certificates import request
from hearthway.mesh.trust.identity import (
    DeviceIdentity,
    HouseholdRoot,
    create_household,
    device_key,
    keep_device,
)
from hearthway.records.household import Role
from hearthway.records.suggestion import Suggestion
from hearthway.synthetic.household import SyntheticHousehold

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
