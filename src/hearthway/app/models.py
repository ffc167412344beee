"""The students of this node: which one serves each task, and the household's orders about them, taken and carried out.

A node at rest does nothing here: it wakes when an order, a piece or a peer comes. What an order names is fetched, checked
in a process of its own, tried, and only then serves; every step can be cut (`mesh/state/shelf.py`).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hearthway
from hearthway.mesh.state.shelf import Check, Shelf
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import HearthwayError, InputError, StoreError
from hearthway.records.household import Role
from hearthway.records.releases import (
    PIECE,
    PIECE_BYTES,
    PURPOSE,
    STAGED,
    TASK,
    Piece,
    PieceWanted,
    Release,
    Staged,
)

from .control_server import ControlServer
from .model_check import ChildCheck
from .model_fetch import PIECE_TIMEOUT_S, Fetcher
from .model_orders import OrderBook
from .model_words import row_of
from .part import Part

if TYPE_CHECKING:
    from .node import Node

log = logging.getLogger("hearthway.models")
Request = dict[str, Any]
REPORT_S = 10.0  # a word that was lost as two nodes met is said again within it, and counts once
AGAIN_S = (
    5.0,
    30.0,
    120.0,
    600.0,
)  # after nobody in reach gave a piece, or the disk did not take it
SHIPPED = Path(hearthway.__file__).parent / "student" / "data"


class Models(Part):
    """Phone, car and home. `load`, `watch`, `failed` and `by_identity` are for whoever runs a student."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._shelf: Shelf | None = None
        self._trouble: dict[str, HearthwayError] = {}
        self.check: Check = ChildCheck()
        self.fetcher = Fetcher(self._ask_piece, self._sources)
        self.orders = OrderBook(node, lambda: self.shelf, self.ordered, self._later, self._trouble)
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._fetching: tuple[str, asyncio.Task[None]] | None = None
        self._again: asyncio.TimerHandle | None = None
        self._tries = 0
        self._missed: dict[str, int] = {}  # by artefact, how often nobody had it
        self._reporting: set[str] = set()
        self._told: dict[str, Staged] = {}  # what the home was told in this contact
        self._watchers: list[tuple[str, Callable[[], None]]] = []
        self.settled: Callable[[str], None] = lambda task: (
            None
        )  # the home's: it counts itself as well

    # for whoever runs a student ----------------------------------------------------------------------------------

    def load(self, task: str) -> tuple[str, bytes] | None:
        """(identity, bytes) of what works on the task, hashed at this read; None where there is none. Blocking."""
        found = self.shelf.load(task)
        if found is None or found[0] != self.shelf.serving(task):
            self._lost()
        return found and (found[0] or hashlib.sha256(found[1]).hexdigest(), found[1])

    def by_identity(self, identity: str) -> bytes | None:
        """The artefact of that name, if it is here and unchanged. Blocking; StoreError where it was changed."""
        try:
            found = self.shelf.artefacts.read(identity)
        except StoreError:
            self._lost()
            raise
        if found is None:
            for path in sorted(SHIPPED.glob("*.student")):
                data = path.read_bytes()
                if hashlib.sha256(data).hexdigest() == identity:
                    return data
        return found

    def watch(self, task: str, changed: Callable[[], None]) -> None:
        """Call back when another student serves the task."""
        self._watchers.append((task, changed))

    async def failed(self, task: str, identity: str, why: str) -> None:
        """That student did not work in use: the one before it serves from now on, and the household hears of it."""
        if await asyncio.to_thread(self.shelf.fail, task, identity, why):
            self._changed(task)
            self._wake.set()

    def _lost(self) -> None:
        """A file was changed on this disk, or cannot be read: it is fetched again. By any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    # the part --------------------------------------------------------------------------------------------------

    @property
    def shelf(self) -> Shelf:
        """What is known and kept here, open while the node runs."""
        if self._shelf is None:
            raise HearthwayError("The node is not running.")
        return self._shelf

    async def starting(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._shelf = await asyncio.to_thread(
            Shelf, self.node.paths.models, self.check, shipped, self.orders.opened
        )
        for task in self._shelf.spoilt:
            log.warning("what was known of a model was spoilt", extra={"fields": {"task": task}})
        self.node.spawn(self._work(), "models")
        if self._shelf.tasks():
            self._wake.set()

    def mesh_started(self, mesh: MeshNode) -> None:
        self.orders.mesh_started(mesh)
        mesh.serve(PIECE, PieceWanted, self._give, reply_key=PIECE)
        self._wake.set()

    def peer_changed(self, device_id: str, alive: bool) -> None:  # the mesh's callback form
        mesh = self.node.mesh
        if alive and mesh is not None and device_id in mesh.ready(Role.HOME):
            self._told.clear()
        self.orders.peer_changed(device_id, alive=alive)

    def verbs(self, control: ControlServer) -> None:
        control.on("models", self.rows)

    def status(self) -> Request:
        rows = [] if self._shelf is None else [self.row(task) for task in self._shelf.tasks()]
        return {"models": rows} if rows else {}

    def row(self, task: str) -> Request:
        """How one task stands here, for people and programs."""
        return row_of(self.shelf, task, self._trouble.get(task), self.fetcher.lied)

    async def rows(self, _: Request | None = None) -> Request:
        """Every task that has a model."""
        brought = {path.stem for path in SHIPPED.glob("*.student")}
        return {"models": [self.row(task) for task in sorted(brought | {*self.shelf.tasks()})]}

    # what others ask ----------------------------------------------------------------------------------------------

    async def _give(self, meta: Any, wanted: PieceWanted) -> Piece:
        named = {one.identity for _, one in self._named()}
        data = None
        if wanted.identity in named and 0 <= wanted.index < 2**16:
            self.orders.allow(meta.sender, PIECE_BYTES)
            data = await asyncio.to_thread(
                self.shelf.artefacts.piece, wanted.identity, wanted.index
            )
        if data is None:
            raise InputError("That model is not here.", "Ask another node.")
        return Piece(data=data)

    def _named(self) -> list[tuple[str, Release]]:
        orders = ((task, self.shelf.order(task)) for task in self.shelf.tasks())
        return [(task, one) for task, order in orders if order for one in order.releases()]

    def ordered(self) -> None:
        """An order is new here: it is told to everybody in reach, and carried out."""
        self._tries = 0
        if self._again is not None:
            self._again.cancel()
            self._again = None
        self._wake.set()

    # what is done here ---------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        """Sleeps until something came. A fetch goes on beside, so that a newer order is carried out meanwhile."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            self.orders.tell()
            for task in self.shelf.tasks():
                await self._settle(task)
            self._fetch_next()

    async def _settle(self, task: str) -> None:
        try:
            changed = await asyncio.to_thread(self.shelf.settle, task)
            self._trouble.pop(task, None)
        except StoreError as why:
            self._trouble[task] = why
            self._later()
            return
        if changed:
            self._changed(task)
        self.settled(task)
        self.node.spawn(self._report(task), "models")

    def _changed(self, task: str) -> None:
        serves = self.shelf.serving(task)
        log.info("another model serves", extra={"fields": {"task": task, "model": serves[:12]}})
        self.node.control.emit("model", task=task, serves=serves)
        for wanted, changed in self._watchers:
            if wanted == task:
                changed()

    def _fetch_next(self) -> None:
        wanted = self.shelf.wanted()
        names = {one.identity for _, one in wanted}
        self.fetcher.forget(names)
        if self._fetching is not None:
            identity, running = self._fetching
            if running.done():
                self._fetching = None
            elif identity in names:
                return
            else:
                running.cancel()
                self._fetching = None
        mesh = self.node.mesh
        if wanted and mesh is not None and self._sources():
            self._missed = {one: n for one, n in self._missed.items() if one in names}
            task, release = min(wanted, key=lambda one: self._missed.get(one[1].identity, 0))
            running = asyncio.create_task(self._fetch(task, release), name="model")
            self._fetching = (release.identity, running)

    async def _fetch(self, task: str, release: Release) -> None:
        try:
            whole = await self.fetcher.fetch(self.shelf.artefacts, release)
        except StoreError as why:
            self._trouble[task], whole = why, False
        except HearthwayError as why:
            log.warning("not fetched", extra={"fields": {"task": task, "problem": why.message}})
            whole = False
        except asyncio.CancelledError:
            self._wake.set()  # nothing was wanted any more: perhaps since it has just become whole
            self._back_again(task, release.identity)
            raise
        if whole:
            self._tries = 0
            self._back_again(task, release.identity)
            asyncio.get_running_loop().call_soon(self._wake.set)
            return
        missed = self._missed[release.identity] = self._missed.get(release.identity, 0) + 1
        others = {one.identity for _, one in self.shelf.wanted()} - {release.identity}
        if any(self._missed.get(one, 0) < missed for one in others):  # they need not wait for it
            asyncio.get_running_loop().call_soon(self._wake.set)
        else:
            self._later()

    def _back_again(self, task: str, identity: str) -> None:
        """What serves was lost and is whole again: another did its work meanwhile, and whoever took that hears of it."""
        if self.shelf.serving(task) == identity and self.shelf.artefacts.has(identity):
            self._changed(task)

    def _later(self) -> None:
        """Once more, ever less often, while something is wanted; whoever comes makes it sooner."""
        if self._again is None:
            pause_s = AGAIN_S[min(self._tries, len(AGAIN_S) - 1)]
            self._again = asyncio.get_running_loop().call_later(pause_s, self._once_more)

    def _once_more(self) -> None:
        self._again = None
        self._tries += 1
        self._wake.set()

    async def _ask_piece(self, device_id: str, wanted: PieceWanted) -> Piece:
        mesh = self.node.paired()
        return await mesh.request(device_id, PIECE, wanted, PURPOSE, Piece, PIECE_TIMEOUT_S)

    def _sources(self) -> list[str]:
        """Everybody in reach, the home first."""
        mesh = self.node.mesh
        if mesh is None:
            return []
        home = mesh.ready(Role.HOME)
        return home + [
            one for one, peer in sorted(mesh.peers().items()) if peer.alive and one not in home
        ]

    async def _report(self, task: str) -> None:
        """The home hears how it stands here, where that is news to it."""
        mesh = self.node.mesh
        if mesh is None or task in self._reporting:
            return
        self._reporting.add(task)
        try:
            for home in mesh.ready(Role.HOME):
                while self._told.get(task) != (report := self.report(task)):
                    await mesh.command(home, STAGED, report, PURPOSE, type(None), REPORT_S)
                    self._told[task] = report
        except HearthwayError as why:
            log.debug("not reported", extra={"fields": {"why": why.message}})
            if "does not answer" not in why.message:  # as an older Hearthway says
                self._later()
        finally:
            self._reporting.discard(task)

    def report(self, task: str) -> Staged:
        """How this node stands with the newest order about a task."""
        standing, order = self.shelf.standing(task), self.shelf.order(task)
        meant = None if order is None else order.next or order.serves
        problem = standing.why_not(meant.identity) if meant else ""
        return Staged(
            task=task,
            number=standing.number,
            staged=standing.staged,
            serves=self.shelf.serving(task),
            problem=problem,
        )

    async def stopping(self) -> None:
        if self._again is not None:
            self._again.cancel()
        if self._fetching is not None:
            self._fetching[1].cancel()
            await asyncio.gather(self._fetching[1], return_exceptions=True)


def shipped(task: str) -> bytes | None:
    """The student that Hearthway brings along for a task; None where it brings none."""
    path = SHIPPED / f"{task}.student"
    return path.read_bytes() if TASK.fullmatch(task) and path.is_file() else None
