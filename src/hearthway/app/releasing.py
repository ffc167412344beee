"""The home's office for students: what the household serves its tasks with, signed by its root, turned over together.

A release is spread first. When every listed device has checked it, or a day has passed, the order turns it over: at once
where the order arrives, and where a device was away, when it is back.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from hearthway.mesh.trust.artefacts import Trusted, check_artefact, stated
from hearthway.mesh.trust.identity import HouseholdRoot
from hearthway.mesh.trust.orders import sign_order
from hearthway.mesh.wire.node import MeshNode
from hearthway.records import codec
from hearthway.records.artefact import (
    SIGNATURE_MAX_BYTES,
    SUFFIX,
    ArtefactStatement,
    SignedArtefact,
)
from hearthway.records.errors import IdentityError, InputError
from hearthway.records.releases import (
    ARTEFACT_MAX_BYTES,
    STAGED,
    TASK,
    Order,
    Release,
    Staged,
    pieces_of,
)

from .config import load_config
from .control_server import ControlServer
from .model_check import ChildCheck
from .model_words import SHORT
from .models import Models
from .node import Node
from .part import Part

log = logging.getLogger("hearthway.models")
Request = dict[str, Any]
ABSENT_S = 86_400.0  # so long a device that is away holds the others up
SHIPPED = "shipped"


class Releasing(Part):
    """The home only: the root is here."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self.golden = ChildCheck().golden
        self._reports: dict[tuple[str, str], Staged] = {}  # (task, device), as last heard
        self._ordering = asyncio.Lock()  # one order after the other
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def verbs(self, control: ControlServer) -> None:
        control.on("model-add", self._add)
        control.on("model-use", self._use)
        control.on("model-back", self._back)
        control.on("models", self._list)

    async def starting(self) -> None:
        self._models.settled = self._consider_soon

    def mesh_started(self, mesh: MeshNode) -> None:
        mesh.serve(STAGED, Staged, self._staged)

    async def stopping(self) -> None:
        for timer in self._timers.values():
            timer.cancel()

    @property
    def _models(self) -> Models:
        return self.node.part(Models)

    # asked by whoever is at the home -------------------------------------------------------------------------------

    async def _add(self, request: Request) -> Request:
        path, task = Path(str(request.get("file", ""))), str(request.get("task") or "")
        data, signed = await asyncio.to_thread(_files, path)
        if request.get("own"):
            statement, publisher = self._own(task, data, path), ""
        else:
            statement, publisher = await asyncio.to_thread(self._signed, path, data, signed)
        if task and task != statement.task:
            raise InputError(
                f"{path.name} was signed for {statement.task}, not for {task}.", "Leave out --task."
            )
        golden = await asyncio.to_thread(self.golden, statement.task, data)
        release = Release(
            identity=statement.identity,
            size_bytes=len(data),
            name=statement.name,
            serial=statement.serial,
            pieces=pieces_of(data),
            golden=golden,
            publisher=publisher,
        )
        async with self._ordering:
            now = self._order(statement.task)
            _refuse_older(now, release)
            await self._give(replace(now, next=release), data)
        return self._row(statement.task)

    def _own(self, task: str, data: bytes, path: Path) -> ArtefactStatement:
        if TASK.fullmatch(task) is None:
            raise InputError("For which task is it?", "Say --task ask, for example.")
        name, now = path.name.removesuffix(path.suffix)[:80], self._order(task)
        before = [one.serial for one in (now.serves, now.next) if one and not one.publisher]
        serial = max(int(self.node.wall.now_s()), *(one + 1 for one in before), 0)
        return stated(task=task, data=data, name=name, serial=serial)

    def _signed(self, path: Path, data: bytes, signed: bytes) -> tuple[ArtefactStatement, str]:
        """What its signer states, and whose key that is; IdentityError where nobody trusted here stands by it."""
        if not signed:
            raise InputError(
                f"There is no {path.name}{SUFFIX}, so nobody stands by {path.name}.",
                "If you made it, or know who did: add it with --own --task TASK, and the household stands by it.",
            )
        key = codec.unpack(signed, SignedArtefact).key.hex()
        named = load_config(self.node.paths.config).models.publishers
        trusted = Trusted.of(
            self.node.paired().identity, frozenset(bytes.fromhex(one) for one in named)
        )
        if key and key not in named:
            raise IdentityError(
                f"{path.name} is signed by a publisher whom you do not follow: {key}",
                "If its maker gave you this very key another way, write it into `publishers` of [models] in node.toml.",
            )
        return check_artefact(data, signed, trusted), key

    async def _use(self, request: Request) -> Request:
        task, wanted = str(request.get("task", "")), str(request.get("model") or "")
        async with self._ordering:
            now = self._known(task)
            release = _meant(now, wanted)
            await self._give(_turned(now, release))
        return self._row(task)

    async def _back(self, request: Request) -> Request:
        task = str(request.get("task", ""))
        async with self._ordering:
            now = self._known(task)
            if now.next is not None:
                await self._give(replace(now, next=None))
            elif now.returns:
                await self._give(_turned(now, now.before))
            else:
                raise InputError(
                    f"There is nothing before what serves {task}.", "`hearthway models` lists them."
                )
        return self._row(task)

    async def _list(self, _: Request) -> Request:
        tasks = (await self._models.rows())["models"]
        return {"models": [{**row, **self._beside(row["task"])} for row in tasks]}

    # orders ------------------------------------------------------------------------------------------------------

    def _order(self, task: str) -> Order:
        """The newest order about a task, or one that changes nothing yet."""
        known = self._models.shelf.order(task)
        household = self.node.paired().identity.household_id
        return known or Order(household_id=household, task=task, number=0)

    def _known(self, task: str) -> Order:
        if self._models.shelf.order(task) is None:
            raise InputError(
                f"The household was given no model for {task[:40]!r}.",
                "`hearthway models` lists them.",
            )
        return self._order(task)

    async def _give(self, order: Order, data: bytes = b"") -> None:
        """Sign, keep, and tell everybody in reach. A restored home's clock says more than it remembers."""
        number = max(order.number + 1, int(self.node.wall.now_s() * 1000))
        order = replace(order, number=number)
        shelf = self._models.shelf

        def keep() -> None:
            signed = sign_order(order, HouseholdRoot.open(self.node.paths.keys))
            if data:
                shelf.admit(data, order, signed)
            else:
                shelf.take(order, signed)

        await asyncio.to_thread(keep)
        log.info("ordered", extra={"fields": {"task": order.task, "number": number}})
        self._models.ordered()

    async def _staged(self, meta: Any, report: Staged) -> None:
        if report.task not in self._models.shelf.known():
            raise InputError("Nothing was ordered about that task.", "It was ignored.")
        self._reports[report.task, meta.sender] = report
        self._consider_soon(report.task)

    def _consider_soon(self, task: str) -> None:
        self.node.spawn(self._consider(task), "models")

    async def _consider(self, task: str) -> None:
        """Turn over what is spread when everybody has it: none has a reason against it, none is waited for."""
        async with self._ordering:
            order = self._models.shelf.order(task)
            if order is None or order.next is None or self.node.mesh is None:
                return
            waits, against = self._waits_for(order)
            if against:
                return
            left_s = order.number / 1000 + ABSENT_S - self.node.wall.now_s()
            own = self._models.shelf.standing(task).staged == order.next.identity
            if own and (not waits or left_s <= 0.0):
                await self._give(_turned(order, order.next))
            elif task not in self._timers and left_s > 0.0:
                self._timers[task] = asyncio.get_running_loop().call_later(
                    left_s + 1.0, self._a_day_later, task
                )

    def _a_day_later(self, task: str) -> None:
        self._timers.pop(task, None)
        self._consider_soon(task)

    def _waits_for(self, order: Order) -> tuple[list[str], list[str]]:
        """Devices that have not checked what is spread, and those on which it does not work."""
        if order.next is None or self.node.mesh is None:
            return [], []
        waits, against = [], []
        for member in self.node.mesh.identity.roster.members:
            device = member.device_id
            if device == self.node.config.node.id:
                report = self._models.report(order.task)
            else:
                report = self._reports.get((order.task, device), Staged(task=order.task, number=0))
            if report.number == order.number and report.problem:
                against.append(device)
            elif report.number != order.number or report.staged != order.next.identity:
                waits.append(device)
        return waits, against

    # what is shown -----------------------------------------------------------------------------------------------

    def _row(self, task: str) -> Request:
        return {**self._models.row(task), **self._beside(task)}

    def _beside(self, task: str) -> Request:
        order = self._models.shelf.order(task)
        if order is None:
            return {"nodes": [], "waits_for": []}
        waits, _ = self._waits_for(order)
        nodes = [
            {"node": device, "serves": one.serves, "staged": one.staged, "problem": one.problem}
            for (about, device), one in sorted(self._reports.items())
            if about == task and one.number == order.number
        ]
        return {"nodes": nodes, "waits_for": waits}


def _files(path: Path) -> tuple[bytes, bytes]:
    """An artefact and what stands beside it (empty where nothing does); InputError where it can be none."""
    beside = path.with_name(path.name + SUFFIX)
    if path.exists() and not path.is_file():  # whoever opens a pipe waits without end
        raise InputError(f"{path} is not a file.", "Name another.")
    try:
        with path.open("rb") as file:
            data = file.read(ARTEFACT_MAX_BYTES + 1)
        signed = b""
        if beside.is_file():
            with beside.open("rb") as file:
                signed = file.read(SIGNATURE_MAX_BYTES + 1)
    except OSError as why:
        raise InputError(f"{path} cannot be read: {why.strerror}.", "Name another file.") from None
    if not 0 < len(data) <= ARTEFACT_MAX_BYTES:
        raise InputError(
            f"{path} is no model: one has up to {ARTEFACT_MAX_BYTES >> 20} MiB.",
            "Name another file.",
        )
    return data, signed


def _refuse_older(now: Order, release: Release) -> None:
    """InputError for what serves or spreads already, and for an older word of the same signer."""
    for one in (now.next, now.serves):
        if one is None:
            continue
        if one.identity == release.identity:
            raise InputError(
                f"{one.name} ({one.identity[:SHORT]}) is the household's already.",
                "`hearthway models` shows where it is.",
            )
        if one.publisher == release.publisher and release.serial <= one.serial:
            raise InputError(
                f"{release.name} is older than {one.name}, which the household has from the same signer.",
                f"`hearthway models back {now.task}` returns to the one before.",
            )


def _meant(now: Order, wanted: str) -> Release | None:
    """The release that the owner names by the beginning of its identity; None for the shipped one."""
    if wanted == SHIPPED:
        return None
    if not wanted:
        if now.next is None:
            raise InputError(f"Nothing is being spread for {now.task}.", "Name one, or `shipped`.")
        return now.next
    found = [one for one in now.releases() if one.identity.startswith(wanted)]
    if len(found) != 1:
        raise InputError(
            f"{wanted[:40]!r} is none of the models of {now.task}."
            if not found
            else f"{wanted!r} fits several.",
            "`hearthway models --json` lists them; write more of the identity, or `shipped`.",
        )
    return found[0]


def _turned(now: Order, release: Release | None) -> Order:
    """Another one serves, and what served is what `back` returns to."""
    same = (now.serves and now.serves.identity) == (release and release.identity)
    if same:
        return replace(now, next=None)
    return replace(now, serves=release, next=None, before=now.serves, returns=True)
