"""Which artefact serves each task on this node: the household's order taken, checked here, tried, and taken back.

Every step is one replaced file (`TASK.standing`) behind artefacts that are on the disk already, so whatever ends the node
leaves an artefact that works: a new one serves only when it was checked, tried and that is written down.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from hearthway.records import codec
from hearthway.records.errors import HearthwayError, StoreError, WireError
from hearthway.records.releases import TASK, TASKS_MAX, WORDS_MAX, Order, Release

from .artefacts import Artefacts, ChangedFileError, intact
from .disk import Disk, disk_error, replace_file

Check = Callable[
    [str, bytes, bytes], None
]  # task, artefact, golden; UnfitError where it does not work
SUFFIX = ".standing"
STANDING_MAX_BYTES = 512 * 1024
TRIES_MAX = 3  # a node that ends so often while it tries an artefact is ended by it
REFUSED_MAX = 8


class UnfitError(HearthwayError):
    """An artefact does not work on this node."""


class Refused(Struct, frozen=True, array_like=True):
    """An artefact that does not work here, and why."""

    identity: str
    why: str


class Standing(Struct, frozen=True, kw_only=True):
    """What this node keeps of a task. Identities; "" is the student that Hearthway ships.

    `tried` counts the trials of `serves` that were begun and not ended well: until it is 0, `before` does the work.
    """

    household_id: str = ""
    number: int = 0
    order: bytes = b""  # as the root signed it
    serves: str = ""
    before: str = ""
    tried: int = 0
    staged: str = ""  # checked here and kept
    refused: tuple[Refused, ...] = ()

    def why_not(self, identity: str) -> str:
        """Why that artefact does not work here; "" where nothing is known against it."""
        return next((one.why for one in self.refused if one.identity == identity), "")

    def in_use(self) -> tuple[str, ...]:
        """What works on the task, and what does so where that is not here or was changed."""
        first = self.before if self.tried else self.serves
        return tuple(dict.fromkeys((first, self.before, "")))


class Shelf:
    """Blocking; `settle` by one thread at a time, the rest by any."""

    def __init__(
        self,
        folder: Path,
        check: Check,
        shipped: Callable[[str], bytes | None],
        opened: Callable[[bytes], Order],
        disk: Disk | None = None,
    ) -> None:
        """`shipped(task)`: what Hearthway brings along; `opened`: `open_order` of this household. StoreError where it cannot be read."""
        self._disk = disk or Disk()
        self.artefacts = Artefacts(folder, self._disk)
        self._check = check
        self._shipped = shipped
        self._lock = threading.RLock()
        self._standing: dict[str, Standing] = {}
        self._orders: dict[str, Order] = {}
        self.spoilt: list[str] = []  # tasks whose files said nothing that can be used
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            if TASK.fullmatch(path.stem) is not None:
                self._open(path, opened)

    def _open(self, path: Path, opened: Callable[[bytes], Order]) -> None:
        try:
            standing = _standing_in(path)
            self._orders[path.stem] = opened(standing.order)
            self._standing[path.stem] = standing
        except OSError as why:
            raise disk_error(why, path) from None
        except HearthwayError:  # the shipped one serves, and the order comes again from others
            self.spoilt.append(path.stem)

    # what is known ---------------------------------------------------------------------------------------------

    def tasks(self) -> list[str]:
        """Tasks about which something was ordered."""
        return sorted(self._orders)

    def order(self, task: str) -> Order | None:
        """The newest order."""
        return self._orders.get(task)

    def standing(self, task: str) -> Standing:
        """How this node stands with it."""
        return self._standing.get(task, Standing())

    def known(self) -> dict[str, int]:
        """The number of the newest order by task."""
        return {task: order.number for task, order in list(self._orders.items())}

    def signed_after(self, known: dict[str, int]) -> tuple[bytes, ...]:
        """Orders that are newer than those, as they were signed."""
        found = [(task, one) for task, one in sorted(self._standing.items()) if one.order]
        return tuple(one.order for task, one in found if one.number > known.get(task, 0))

    def serving(self, task: str) -> str:
        """The identity of what works on it; "" for the shipped one."""
        return self.standing(task).in_use()[0]

    def wanted(self) -> list[tuple[str, Release]]:
        """By task, the releases that are ordered, not here, and not known to fail here."""
        found = []
        for task, order in sorted(self._orders.items()):
            standing = self.standing(task)
            for one in (order.serves, order.next):
                if one is None or standing.why_not(one.identity):
                    continue
                if not self.artefacts.has(one.identity):
                    found.append((task, one))
        return found

    def load(self, task: str) -> tuple[str, bytes] | None:
        """What works on the task: (identity, bytes as they were hashed now); None where not even one is shipped."""
        for identity in self.standing(task).in_use():
            try:
                data = self.artefacts.read(identity) if identity else self._shipped(task)
            except StoreError:
                continue  # changed: it is gone now and stands among the wanted; or it cannot be read
            if data is not None:
                return identity, data
        return None

    # what changes ----------------------------------------------------------------------------------------------

    def take(self, order: Order, signed: bytes) -> bool:
        """Keep an order if it is newer than what is known of its task; False for an older one, or the same again."""
        with self._lock:
            known = self.standing(order.task)
            if order.household_id != known.household_id:
                known = Standing(household_id=order.household_id)
            if order.number <= known.number:
                return False
            if order.task not in self._orders and len(self._orders) >= TASKS_MAX:
                raise WireError(f"{TASKS_MAX} tasks have a model; {order.task} is one too many.")
            self.artefacts.make()
            taken = msgspec.structs.replace(known, number=order.number, order=signed, refused=())
            self._keep(order.task, taken)
            self._orders[order.task] = order
        return True

    def admit(self, data: bytes, order: Order, signed: bytes) -> bool:
        """An artefact that came as a file, and the order that names it."""
        with self._lock:
            self.artefacts.put(data)
            return self.take(order, signed)

    def settle(self, task: str) -> bool:
        """Do what the order wants as far as it can be done here; True when another artefact serves than before.

        Safe to call at any time, and after any end.
        """
        order, was = self._orders[task], self.serving(task)
        if self.standing(task).tried:
            self._try(task, order)
        wanted = order.serves.identity if order.serves else ""
        standing = self.standing(task)
        if (
            wanted != standing.serves
            and not standing.why_not(wanted)
            and (order.serves is None or self._checked(task, order.serves))
        ):
            self._turn(task, order, wanted)
        if order.next is not None and not self.standing(task).why_not(order.next.identity):
            self._checked(task, order.next)
        self._prune()
        return self.serving(task) != was

    def fail(self, task: str, identity: str, why: str) -> bool:
        """What serves did not work in use: the one before serves from now on. False where it does not serve any more."""
        with self._lock:
            standing = self.standing(task)
            if not identity or standing.tried or standing.serves != identity:
                return False
            self._back(task, why)
        return True

    def _checked(self, task: str, release: Release) -> bool:
        """Is it here and was it found to work? It is written down either way."""
        if self.standing(task).staged == release.identity and self.artefacts.has(release.identity):
            return True
        try:
            data = self.artefacts.read(release.identity)
        except ChangedFileError:
            return False  # it is fetched again
        if data is None:
            return False
        try:
            self._check(task, data, release.golden)
        except UnfitError as why:
            self._refuse(task, release.identity, str(why))
            return False
        with self._lock:
            staged = msgspec.structs.replace(self.standing(task), staged=release.identity)
            self._keep(task, staged)
        return True

    def _turn(self, task: str, order: Order, identity: str) -> None:
        with self._lock:
            standing = self.standing(task)
            self._keep(
                task,
                msgspec.structs.replace(
                    standing,
                    serves=identity,
                    before=standing.before if standing.tried else standing.serves,
                    tried=1 if identity else 0,
                ),
            )
        if identity:
            self._try(task, order)

    def _try(self, task: str, order: Order) -> None:
        """Once more in its place; the count stands on the disk before it runs."""
        standing = self.standing(task)
        if standing.tried > TRIES_MAX:
            self._back(task, f"The node ended {TRIES_MAX} times while it was tried.")
            return
        with self._lock:
            self._keep(task, msgspec.structs.replace(standing, tried=standing.tried + 1))
        golden = next(
            (one.golden for one in order.releases() if one.identity == standing.serves), b""
        )
        try:
            data = self.artefacts.read(standing.serves)
        except ChangedFileError:
            data = None
        if data is None:
            self._back(task, "")  # nothing against it: it is fetched again
            return
        try:
            self._check(task, data, golden)
        except UnfitError as why:
            self._back(task, str(why))
            return
        except StoreError:  # not tried: the node did not end over it
            with self._lock:
                self._keep(task, msgspec.structs.replace(self.standing(task), tried=standing.tried))
            raise
        with self._lock:
            self._keep(task, msgspec.structs.replace(self.standing(task), tried=0))

    def _back(self, task: str, why: str) -> None:
        with self._lock:
            standing = self.standing(task)
            if why:
                self._refuse(task, standing.serves, why)
            self._keep(
                task,
                msgspec.structs.replace(
                    self.standing(task), serves=standing.before, before="", tried=0
                ),
            )

    def _refuse(self, task: str, identity: str, why: str) -> None:
        with self._lock:
            standing = self.standing(task)
            others = [one for one in standing.refused if one.identity != identity]
            refused = (*others, Refused(identity, why[:WORDS_MAX]))[-REFUSED_MAX:]
            staged = "" if standing.staged == identity else standing.staged
            self._keep(task, msgspec.structs.replace(standing, refused=refused, staged=staged))

    def _prune(self) -> None:
        with self._lock:
            keep = {one.identity for order in self._orders.values() for one in order.releases()}
            for standing in self._standing.values():
                keep |= {standing.serves, standing.before}
            self.artefacts.prune(keep)

    def _keep(self, task: str, standing: Standing) -> None:
        replace_file(self._disk, self.artefacts.folder / f"{task}{SUFFIX}", codec.pack(standing))
        self._standing[task] = standing


def _standing_in(path: Path) -> Standing:
    """What a file of it says; WireError where that is nothing, OSError where it cannot be read."""
    if path.stat().st_size > STANDING_MAX_BYTES:
        raise WireError(f"{path} is too long.")
    return codec.unpack(path.read_bytes(), Standing)


def kept(
    folder: Path,
    task: str,
    shipped: Callable[[str], bytes | None],
    opened: Callable[[bytes], Order],
) -> Iterator[tuple[str, bytes]]:
    """(identity, bytes) of what works on the task, then what does where that is unfit, by the files of a node that may be running.

    As `Shelf.load`, but nothing is mended or removed: the folder is another's.
    """
    try:
        standing = _standing_in(folder / f"{task}{SUFFIX}")
        opened(standing.order)
    except (OSError, HearthwayError):
        standing = Standing()
    for identity in standing.in_use():
        data = intact(folder, identity) if identity else shipped(task)
        if data is not None:
            yield identity, data
