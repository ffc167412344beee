"""A snapshot is one moment of the whole file, made beside writers, and never half there."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from hearthway.mesh.state.database import Database
from hearthway.mesh.state.store import Store
from hearthway.records.errors import StoreError


def test_a_snapshot_is_whole_private_and_of_one_moment(tmp_path: Path) -> None:
    """Pairs of events are written in one transaction: a snapshot holds both of a pair or none."""
    steps: list[tuple[int, int]] = []
    stop = threading.Event()
    with Store.open(tmp_path / "node.db", node_id="phone") as store:
        for number in range(200):
            store.add_event("bulk", "a", float(number), bytes(50_000))

        def write() -> None:
            number = 0.0
            while not stop.is_set():
                with store.database.transaction(durable=False):
                    store.add_event("left", "a", number, b"x" * 5_000)
                    store.add_event("right", "a", number, b"x" * 5_000)
                number += 1.0

        writer = threading.Thread(target=write)
        writer.start()
        try:
            store.snapshot_to(tmp_path / "copy.db", lambda done, pages: steps.append((done, pages)))
        finally:
            stop.set()
            writer.join()
    assert steps
    assert steps[-1][0] == steps[-1][1]
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    assert sorted(one.name for one in tmp_path.glob("copy*")) == ["copy.db"]
    with Store.open(tmp_path / "copy.db", node_id="phone") as copy:
        assert len(copy.events("bulk")) == 200
        assert len(copy.events("left")) == len(copy.events("right"))
        assert copy.database.problems() == []


def test_a_failed_snapshot_leaves_the_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(tmp_path / "node.db", node_id="phone") as store:
        store.add_person("Anna")
        store.snapshot_to(tmp_path / "copy.db")
        before = (tmp_path / "copy.db").read_bytes()
        monkeypatch.setattr(Database, "_copy", _full)
        with pytest.raises(StoreError, match="cannot be written"):
            store.snapshot_to(tmp_path / "copy.db")
        monkeypatch.undo()
        with pytest.raises(StoreError, match="cannot be written"):
            store.snapshot_to(tmp_path / "nowhere" / "copy.db")
    assert (tmp_path / "copy.db").read_bytes() == before
    assert not (tmp_path / "copy.db.part").exists()


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")
