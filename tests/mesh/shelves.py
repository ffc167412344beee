"""Artefacts, orders and disks for the tests of the shelf."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from pathlib import Path

from hearthway.mesh.state.artefacts import Artefacts
from hearthway.mesh.state.disk import Disk
from hearthway.mesh.state.shelf import Shelf, UnfitError
from hearthway.records import codec
from hearthway.records.releases import PIECE_BYTES, Order, Release, pieces_of

TASK, HOUSEHOLD = "ask", "ours"
SHIPPED = b"the one that came along"
SIZE = 2 * PIECE_BYTES + 777  # three pieces


class KilledError(BaseException):
    """The process ends here: nothing may handle it."""


class KillingDisk(Disk):
    """Ends the node at its `at`th operation: before it (which is after the one before), or in the middle of it."""

    def __init__(self, at: int, when: str) -> None:
        self.count, self._at, self._when = 0, at, when

    def _do(self, whole: Callable[[], None], half: Callable[[], None] | None = None) -> None:
        self.count += 1
        if self.count != self._at:
            whole()
            return
        if self._when == "within" and half is not None:
            half()
        raise KilledError

    def write(self, path: Path, data: bytes) -> None:
        half = data[: len(data) // 2]
        self._do(lambda: Disk.write(self, path, data), lambda: Disk.write(self, path, half))

    def append(self, path: Path, at: int, data: bytes) -> None:
        half = data[: len(data) // 2]
        self._do(
            lambda: Disk.append(self, path, at, data), lambda: Disk.append(self, path, at, half)
        )

    def settle(self, path: Path) -> None:
        self._do(lambda: Disk.settle(self, path))

    def rename(self, path: Path, to: Path) -> None:
        self._do(lambda: Disk.rename(self, path, to))

    def remove(self, path: Path) -> None:
        self._do(lambda: Disk.remove(self, path))


def artefact(seed: int, size: int = SIZE) -> bytes:
    """Bytes that nobody looks into."""
    return random.Random(seed).randbytes(size)


def release(data: bytes, name: str = "a model", serial: int = 1, golden: bytes = b"") -> Release:
    """What an order says of them."""
    return Release(
        identity=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        name=name,
        serial=serial,
        pieces=pieces_of(data),
        golden=golden,
    )


def order(
    number: int, serves: Release | None = None, following: Release | None = None, task: str = TASK
) -> Order:
    """An order without a signature: `opened` reads it."""
    return Order(household_id=HOUSEHOLD, task=task, number=number, serves=serves, next=following)


def opened(signed: bytes) -> Order:
    """As `open_order`, but for the signature."""
    return codec.unpack(signed, Order)


def works(task: str, data: bytes, golden: bytes) -> None:
    """A check that everything passes."""


def fails(*bad: bytes) -> Callable[[str, bytes, bytes], None]:
    """A check that these do not pass."""

    def check(task: str, data: bytes, golden: bytes) -> None:
        if data in bad:
            raise UnfitError("It answers other bits here.")

    return check


def shelf(
    folder: Path,
    check: Callable[[str, bytes, bytes], None] = works,
    disk: Disk | None = None,
) -> Shelf:
    """A node's shelf, as it is opened at its start."""
    return Shelf(folder, check, lambda task: SHIPPED, opened, disk)


def fetch(artefacts: Artefacts, wanted: Release, data: bytes) -> None:
    """All pieces that are missing, from somebody who has it."""
    for index in range(artefacts.begin(wanted), wanted.count):
        assert artefacts.add(wanted, index, data[index * PIECE_BYTES : (index + 1) * PIECE_BYTES])
    assert artefacts.finish(wanted)


def live(node: Shelf, orders: list[Order], have: dict[str, bytes]) -> None:
    """What a node does with orders that it hears, one after the other; again and again if it was ended."""
    for one in orders:
        node.take(one, codec.pack(one))
        node.settle(one.task)
        for task, wanted in node.wanted():
            if wanted.identity in have:
                fetch(node.artefacts, wanted, have[wanted.identity])
                node.settle(task)
