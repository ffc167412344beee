"""A node's shelf: which order counts, what a disk that refuses leaves, and what is kept of a part."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.mesh.state.disk import Disk, disk_error
from hearthway.mesh.state.shelf import STANDING_MAX_BYTES, TRIES_MAX
from hearthway.records import codec
from hearthway.records.errors import StoreError, WireError
from hearthway.records.releases import PIECE_BYTES, TASKS_MAX, Order

from .shelves import (
    SHIPPED,
    TASK,
    artefact,
    fails,
    fetch,
    live,
    opened,
    order,
    release,
    shelf,
    works,
)

A, B = artefact(1), artefact(2)
FIRST, SECOND = release(A, "a"), release(B, "b")
HAVE = {FIRST.identity: A, SECOND.identity: B}


class Refusing(Disk):
    """A disk that refuses whatever is written, while `refuses`."""

    def __init__(self, code: int) -> None:
        self.code, self.refuses = code, False

    def write(self, path: Path, data: bytes) -> None:
        if self.refuses:
            raise disk_error(OSError(self.code, "no"), path)
        super().write(path, data)

    def append(self, path: Path, at: int, data: bytes) -> None:
        if self.refuses:
            super().append(path, at, data[:10])  # some of it came through
            raise disk_error(OSError(self.code, "no"), path)
        super().append(path, at, data)


@settings(max_examples=60, deadline=None)
@given(numbers=st.permutations(range(1, 7)), again=st.lists(st.integers(1, 6), max_size=6))
def test_whatever_order_orders_come_in_the_newest_counts(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], again: list[int]
) -> None:
    node = shelf(tmp_path_factory.mktemp("models"))
    told = {n: order(n, serves=FIRST if n % 2 else SECOND) for n in range(1, 7)}
    highest = 0
    for number in [*numbers, *again]:
        one = told[number]
        assert node.take(one, codec.pack(one)) == (number > highest)
        highest = max(highest, number)
        assert node.known() == {TASK: highest}
    node = shelf(node.artefacts.folder)
    assert node.known() == {TASK: 6}
    assert node.signed_after({TASK: 5}) == (codec.pack(told[6]),)
    assert node.signed_after({TASK: 6}) == ()


def test_a_device_that_joins_another_household_begins_anew(tmp_path: Path) -> None:
    node = shelf(tmp_path / "models")
    live(node, [order(10, serves=FIRST)], HAVE)
    theirs = Order(household_id="theirs", task=TASK, number=3, serves=SECOND)
    assert node.take(theirs, codec.pack(theirs))
    assert node.load(TASK) == ("", SHIPPED)  # nothing of the first household's
    live(node, [theirs], HAVE)
    assert node.load(TASK) == (SECOND.identity, B)


def test_there_is_an_end_to_tasks(tmp_path: Path) -> None:
    node = shelf(tmp_path / "models")
    for number in range(TASKS_MAX):
        one = order(1, task=f"t{number}")
        assert node.take(one, codec.pack(one))
    with pytest.raises(WireError, match="one too many"):
        node.take(order(1, task="more"), b"")
    again = order(2, task="t0")  # the control: those that are known go on
    assert node.take(again, codec.pack(again))


@pytest.mark.parametrize(
    ("code", "words"), [(errno.ENOSPC, "Free some space"), (errno.EACCES, "permission")]
)
def test_a_disk_that_refuses_is_said_and_nothing_changes(
    tmp_path: Path, code: int, words: str
) -> None:
    disk = Refusing(code)
    node = shelf(tmp_path / "models", disk=disk)
    live(node, [order(1, serves=FIRST)], HAVE)
    before = node.standing(TASK)
    disk.refuses = True
    following = order(2, serves=FIRST, following=SECOND)
    with pytest.raises(StoreError) as refused:
        node.take(following, codec.pack(following))
    assert words in refused.value.next_step
    assert node.standing(TASK) == before
    disk.refuses = False
    node.take(following, codec.pack(following))
    disk.refuses = True
    with pytest.raises(StoreError):
        fetch(node.artefacts, SECOND, B)
    assert list((tmp_path / "models").glob("*.part")) == []  # it takes no room that others need
    assert node.load(TASK) == (FIRST.identity, A)
    disk.refuses = False
    live(node, [order(3, serves=SECOND)], HAVE)
    assert node.load(TASK) == (SECOND.identity, B)
    assert shelf(tmp_path / "models").load(TASK) == (SECOND.identity, B)


def test_what_is_known_of_a_task_and_spoilt_leaves_the_shipped_one(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    live(shelf(folder), [order(1, serves=FIRST)], HAVE)
    file = folder / f"{TASK}.standing"
    good = file.read_bytes()
    for bad in (b"", good[:-1], b"\xff" * 100, bytes(STANDING_MAX_BYTES + 1)):
        file.write_bytes(bad)
        node = shelf(folder)
        assert node.spoilt == [TASK]
        assert node.load(TASK) == ("", SHIPPED)
        live(node, [order(1, serves=FIRST)], HAVE)  # heard again
        assert node.load(TASK) == (FIRST.identity, A)
    file.write_bytes(good)
    assert shelf(folder).spoilt == []  # the control


@pytest.mark.parametrize("kept", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, 2 * PIECE_BYTES + 9, 10**6])
def test_of_a_part_what_is_right_counts(tmp_path: Path, kept: int) -> None:
    """Whatever is in the file, also more than there should be, or something else from a place on."""
    artefacts = shelf(tmp_path / "models").artefacts
    artefacts.make()
    part = tmp_path / "models" / f"{FIRST.identity}.part"
    for data in ((A + b"0" * 10**6)[:kept], (A[: kept // 2] + b"?" * 10**6)[:kept]):
        part.write_bytes(data)
        same = 0
        while data[: (same + 1) * PIECE_BYTES] == A[: (same + 1) * PIECE_BYTES] and same < 3:
            same += 1
        assert artefacts.begin(FIRST) <= same
        assert artefacts.begin(FIRST) >= min(3, same) - (same == 3 and len(data) > len(A))
        fetch(artefacts, FIRST, A)
        assert artefacts.read(FIRST.identity) == A


def test_what_does_not_work_is_not_fetched_or_tried_again_until_it_is_said_again(
    tmp_path: Path,
) -> None:
    node = shelf(tmp_path / "models", fails(B))
    live(node, [order(1, serves=FIRST), order(2, serves=SECOND)], HAVE)
    assert node.load(TASK) == (FIRST.identity, A)
    assert node.wanted() == []
    assert "other bits" in node.standing(TASK).why_not(SECOND.identity)
    assert "other bits" in shelf(tmp_path / "models").standing(TASK).why_not(SECOND.identity)
    assert opened(node.standing(TASK).order).serves == SECOND
    healthy = shelf(tmp_path / "models")
    live(healthy, [order(3, serves=SECOND)], HAVE)
    assert healthy.load(TASK) == (SECOND.identity, B)


def test_that_it_could_not_be_tried_is_no_end_of_the_node(tmp_path: Path) -> None:
    """No process could be started, again and again: that is no word against the artefact."""
    busy: list[bool] = []

    def check(task: str, data: bytes, golden: bytes) -> None:
        if busy and data == B:
            raise StoreError("A model could not be tried.")
        busy.append(True)

    node = shelf(tmp_path / "models", works)
    live(node, [order(1, serves=FIRST)], HAVE)
    node = shelf(tmp_path / "models", check)
    node.take(order(2, serves=SECOND), codec.pack(order(2, serves=SECOND)))
    fetch(node.artefacts, SECOND, B)
    for _ in range(2 * TRIES_MAX):
        with pytest.raises(StoreError):
            node.settle(TASK)
        assert node.load(TASK) == (FIRST.identity, A)
        node = shelf(tmp_path / "models", check)
    busy.clear()
    node = shelf(tmp_path / "models", works)
    assert node.settle(TASK)
    assert node.load(TASK) == (SECOND.identity, B)


def test_a_folder_that_is_gone_is_made_again_and_what_it_held_fetched(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    node = shelf(folder)
    live(node, [order(1, serves=FIRST)], HAVE)
    shutil.rmtree(folder)
    assert not node.settle(TASK)
    assert node.load(TASK) == ("", SHIPPED)
    assert node.wanted() == [(TASK, FIRST)]
    fetch(node.artefacts, FIRST, A)
    assert node.load(TASK) == (FIRST.identity, A)
    live(node, [order(2, serves=SECOND)], HAVE)
    assert shelf(folder).load(TASK) == (SECOND.identity, B)
