"""A node that is told to end while it learns ends at once, and the next start learns all of it."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from hearthway.app import brain as brains
from hearthway.app.brain import Brain, EndedError
from hearthway.app.config import Config, MapTable, MeshTable, NodeTable, save_config
from hearthway.app.equipment import brain_for
from hearthway.app.node import Node, open_node
from hearthway.app.paths import NodePaths, private_dir
from hearthway.app.phone import PhoneNode
from hearthway.mesh.state.store import Store
from hearthway.records.household import Role
from hearthway.records.life import LIFE_MODEL
from hearthway.records.signals import Fix

MONDAY_S = 1_709_510_400.0
CONFIG = Config(
    version=1,
    node=NodeTable(id="phone", role=Role.PHONE),
    mesh=MeshTable(listen="127.0.0.1:0"),
    map=MapTable(atlas="none"),
)


def days(count: int) -> list[Fix]:
    """From home to work and back."""
    return [
        Fix(time_s=MONDAY_S + n * 600.0, lat=60.2 if n // 60 % 2 else 60.3, lon=24.9)
        for n in range(count * 144)
    ]


@pytest.fixture
def paths(tmp_path: Path) -> NodePaths:
    found = NodePaths(private_dir(tmp_path / "phone"))
    save_config(found, CONFIG)
    with Store.open(found.database, node_id="phone") as store:
        store.add_person("Anna", "anna")
        store.add_fixes("anna", days(10), "test")
    return found


def learned(paths: NodePaths) -> str:
    with Store.open(paths.database, node_id="phone") as store:
        return brain_for(store, store.person("anna"), CONFIG, None).model_digest()


def slowly(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Learning takes its time from now on; set once it has begun."""
    feed, begun = brains.feed, threading.Event()

    def slow(*given: Any) -> Any:
        begun.set()
        time.sleep(0.05)
        return feed(*given)

    monkeypatch.setattr(brains, "feed", slow)
    return begun


def test_a_start_that_learns_ends_when_it_is_told_to(
    paths: NodePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, begun = learned(paths), slowly(monkeypatch)
    node, was_up = open_node(paths), []

    async def main() -> float:
        running = asyncio.create_task(node.run(up=lambda: was_up.append(True)))
        await asyncio.to_thread(begun.wait, 20.0)
        told_s = time.monotonic()
        node.stop()
        await running
        return time.monotonic() - told_s

    assert asyncio.run(main()) < 2.0  # of the 72 that are left
    assert not was_up
    assert not paths.socket.exists()
    monkeypatch.undo()
    assert learned(paths) == wanted


def test_one_that_ends_with_late_fixes_leaves_learning_to_the_next_start(
    paths: NodePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = open_node(paths)
    assert isinstance(node, PhoneNode)
    late = Fix(time_s=MONDAY_S + 90.0, lat=60.2005, lon=24.9)

    async def main() -> float:
        up = asyncio.Event()
        running = asyncio.create_task(Node.run(node, up=up.set))
        await up.wait()
        await node.take_own([late], [])
        slowly(monkeypatch)
        told_s = time.monotonic()
        node.stop()
        await running
        return time.monotonic() - told_s

    assert asyncio.run(main()) < 4.0
    monkeypatch.undo()
    found = learned(paths)
    with Store.open(paths.database, node_id="phone") as store:
        assert late.time_s in [fix.time_s for fix in store.fixes("anna")]
        brain = brain_for(store, store.person("anna"), CONFIG, None)
        brain.rebuild()
        assert brain.model_digest() == found


def test_what_was_half_learned_is_never_kept(
    paths: NodePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, ended = learned(paths), False
    with Store.open(paths.database, node_id="phone") as store:
        brain: Brain = brain_for(store, store.person("anna"), CONFIG, None, ends=lambda: ended)
        brain.snapshot()
        store.add_fixes("anna", [Fix(time_s=MONDAY_S + 95.0, lat=60.2, lon=24.9)], "late")
        ended = True
        for _ in range(2):
            with pytest.raises(EndedError):
                brain.rebuild()
            with pytest.raises(EndedError):
                brain.snapshot()
        assert store.model("anna", LIFE_MODEL) is None
        ended = False
        brain.snapshot()
        assert brain.model_digest() != wanted
    assert learned(paths) == brain.model_digest()
