"""An update that is ended at any step leaves a model that works: every operation on the disk, before and within it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hearthway.mesh.state.shelf import TRIES_MAX, Shelf
from hearthway.records.releases import Order

from .shelves import (
    SHIPPED,
    TASK,
    KilledError,
    KillingDisk,
    artefact,
    fails,
    live,
    order,
    release,
    shelf,
    works,
)

A, B, C = artefact(1), artefact(2), artefact(3)
FIRST, SECOND, THIRD = release(A, "a"), release(B, "b"), release(C, "c")
HAVE = {FIRST.identity: A, SECOND.identity: B, THIRD.identity: C}
WORKING = {SHIPPED, A, B}  # C does not work here
STORY = [
    order(1, following=FIRST),
    order(2, serves=FIRST),
    order(3, serves=FIRST, following=SECOND),
    order(4, serves=SECOND),
    order(5, serves=SECOND, following=THIRD),
    order(6, serves=THIRD),  # turned over all the same
    order(7, serves=FIRST),  # the owner takes it back
    order(8),  # to what was shipped
    order(9, serves=SECOND),
]
ENDS = [SHIPPED, A, A, B, B, B, A, SHIPPED, B]


@pytest.fixture(autouse=True)
def _no_power_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process is ended here, not the machine: what was written is there without waiting for the disk."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def served(node: Shelf) -> bytes:
    found = node.load(TASK)
    assert found is not None
    return found[1]


def test_undisturbed_each_order_is_carried_out(tmp_path: Path) -> None:
    """The control: what the story gives when nothing ends it."""
    node = shelf(tmp_path / "models", fails(C))
    for one, wanted in zip(STORY, ENDS, strict=True):
        live(node, [one], HAVE)
        assert served(node) == wanted
    assert node.standing(TASK).tried == 0
    names = {path.name for path in (tmp_path / "models").iterdir()}
    assert names == {f"{TASK}.standing", f"{SECOND.identity}.student"}  # the rest is pruned


def steps() -> int:
    """How many operations the story is."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        disk = KillingDisk(0, "before")
        live(shelf(Path(folder) / "models", fails(C), disk), STORY, HAVE)
        return disk.count


STEPS = steps()


@pytest.mark.parametrize("when", ["before", "within"])
def test_ended_at_any_step_a_model_works(tmp_path: Path, when: str) -> None:
    assert STEPS > 80  # the control: there is something to end
    for at in range(1, STEPS + 1):
        folder = tmp_path / f"{when}-{at}"
        told: list[Order] = []
        node = shelf(folder, fails(C), KillingDisk(at, when))
        was = SHIPPED
        with contextlib.suppress(KilledError):
            for one in STORY:
                was = served(node)
                told.append(one)
                live(node, [one], HAVE)
            pytest.fail("nothing ended it")
        again = shelf(folder, fails(C))
        target = ENDS[len(told) - 1]
        assert served(again) in {was, target}, (when, at)
        live(again, told, HAVE)  # it goes on where it was
        assert served(again) == target, (when, at)
        live(again, STORY, HAVE)
        assert served(again) == ENDS[-1], (when, at)
        left = [path.name for path in folder.iterdir() if path.suffix in (".new", ".part")]
        assert left == [], (when, at)


@pytest.mark.parametrize("when", ["before", "within"])
def test_ended_twice_in_a_row_a_model_works(tmp_path: Path, when: str) -> None:
    """Whatever the first end left, the second comes while that is being mended."""
    for at in range(1, STEPS + 1, 11):
        for then in range(1, 30, 7):
            folder = tmp_path / f"{when}-{at}-{then}"
            for disk in (KillingDisk(at, when), KillingDisk(then, when)):
                with contextlib.suppress(KilledError):
                    live(shelf(folder, fails(C), disk), STORY, HAVE)
                assert served(shelf(folder, fails(C))) in WORKING
            again = shelf(folder, fails(C))
            live(again, STORY, HAVE)
            assert served(again) == ENDS[-1]


def ends_the_node(bad: bytes, looks: list[int]) -> Callable[[str, bytes, bytes], None]:
    """Whoever tries it is ended by it."""

    def check(task: str, data: bytes, golden: bytes) -> None:
        if data == bad:
            looks.append(1)
            raise KilledError

    return check


def test_a_model_that_ends_the_node_is_not_tried_for_ever(tmp_path: Path) -> None:
    """While it is tried the one before works; after some ends it is left."""
    folder, looks = tmp_path / "models", list[int]()
    live(shelf(folder), STORY[:3], HAVE)
    ended = 0
    for _ in range(TRIES_MAX + 5):
        node = shelf(folder, ends_the_node(B, looks))
        assert served(node) == A
        try:
            live(node, [order(4, serves=SECOND)], HAVE)
        except KilledError:
            ended += 1
    assert ended == TRIES_MAX
    assert len(looks) == TRIES_MAX  # the staged one was checked by the first shelf
    assert served(shelf(folder)) == A
    assert "ended" in shelf(folder).standing(TASK).why_not(SECOND.identity)
    healthy = shelf(folder, works)  # the owner says it once more, and it works now
    live(healthy, [order(5, serves=SECOND)], HAVE)
    assert served(healthy) == B
