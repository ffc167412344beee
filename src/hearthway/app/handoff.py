"""Handoff: a running task goes from phone to car and back, persisted at both ends before either lets go.

The receiver stores the task, then acknowledges; only then the sender stores that it is gone. A word lost between
the two leaves it at both, and the next contact settles it: the higher version holds. So nothing is ever lost.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import secrets
from typing import TYPE_CHECKING, Any

import msgspec

from hearthway.assist.standing import STANDS_S
from hearthway.mesh.state.hlc import Hlc
from hearthway.mesh.trust.roster import DEVICE_ID
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.codec import pack, unpack
from hearthway.records.errors import HearthwayError, InputError
from hearthway.records.geo import valid_point
from hearthway.records.household import Role
from hearthway.records.messages import Surface
from hearthway.records.signals import Signal
from hearthway.records.tasks import (
    HOLDERS_MAX,
    TASK_OFFER,
    TASK_STATE,
    Content,
    Conversation,
    NavigationTarget,
    Task,
    Turn,
    WaitingSuggestion,
)
from hearthway.sense.catalogue import SPEED

from .control_server import ControlServer
from .part import Part

if TYPE_CHECKING:
    from .node import Node, Request

log = logging.getLogger("hearthway.handoff")
PREFIX = "Task."
TIMEOUT_S = 5.0
DRIVING_KMH = 8.0  # faster than one walks: the drive has begun
PARKED_S = 180.0  # of event time at rest: longer than a traffic light
TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}")
VERSION_MAX = 2**31  # more often than any task moves; it orders writes beside the settings' moments
TASKS_MAX, TASKS_MAX_BYTES = 500, 4 * 1024 * 1024  # of one other node, kept here
AGAIN_S = 30.0  # event time before a move that failed is tried once more


class Tasks(Part):
    """The tasks that this node holds, or held."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._mesh: MeshNode | None = None
        self._still_since: float | None = None
        self._tried_s: dict[str, float] = {}
        self._moving = False

    def mesh_started(self, mesh: MeshNode) -> None:
        self._mesh = mesh
        mesh.serve(TASK_OFFER, Task, self._offered, repeatable=True)  # its version orders it
        mesh.subscribe(TASK_STATE, Task, self._told)
        if self.node.config.node.role is Role.PHONE:
            mesh.on_signals(self._car_said)

    def verbs(self, control: ControlServer) -> None:
        control.on("tasks", self._list)
        control.on("task-start", self._start)
        control.on("task-say", self._say)
        control.on("task-hand", self._hand)
        control.on("task-done", self._finish)

    def status(self) -> dict[str, Any]:
        return {"tasks": [_shown(task) for task in self.held()]}

    def peer_changed(self, device_id: str, alive: bool) -> None:  # the mesh's callback form
        if alive and any(device_id in task.holders for task in self._all()):
            self.node.spawn(self._settle(device_id), "task handoff")

    # what is kept ----------------------------------------------------------------------------------------------

    def held(self) -> list[Task]:
        """Open tasks that are here now, oldest first."""
        me = self.node.config.node.id
        mine = [task for task in self._all() if task.holder == me and not task.done]
        return sorted(mine, key=lambda task: (task.time_s, task.task_id))

    def start(self, content: Content, person: str, time_s: float, task_id: str = "") -> Task:
        """A new task of `person`, held here and kept before this returns."""
        me = self.node.config.node.id
        task = Task(
            task_id=task_id or secrets.token_hex(6),
            person=person,
            time_s=time_s,
            content=content,
            holder=me,
            version=1,
            holders=(me,),
        )
        self._keep(task)
        self._end_earlier(task)
        return task

    def _end_earlier(self, task: Task) -> None:
        """Nobody is on the way to two places: a new target ends those of the same person that are held here."""
        if not isinstance(task.content, NavigationTarget):
            return
        for held in self.held():
            earlier = held.person == task.person and held.time_s < task.time_s
            if earlier and isinstance(held.content, NavigationTarget):
                self.finish(held.task_id)

    def finish(self, task_id: str) -> Task:
        """It is over; whoever held it hears so at the next contact. InputError when it is not held here."""
        task = self._held(task_id)
        over = msgspec.structs.replace(task, done=True, version=task.version + 1)
        self._keep(over)
        self._tell(over)
        return over

    def withdraw(self, suggestion_id: str, person: str) -> None:
        """That suggestion of `person` stands no more: where it waits here, it is over."""
        for task in self.held():
            content = task.content
            if (
                isinstance(content, WaitingSuggestion)
                and task.person == person
                and content.surface.suggestion_id == suggestion_id
            ):
                self.finish(task.task_id)

    async def hand(self, task_id: str, to: str) -> Task:
        """Move a task to a device (or the one device of a role) that is reached; MeshError leaves it here."""
        task, mesh = self._held(task_id), self._reach()
        ready = mesh.ready(to)
        if len(ready) != 1:
            raise InputError(
                f"{to} is not reached now." if not ready else f"{to} may be {', '.join(ready)}.",
                "`hearthway status` shows who is there; the task stays here.",
            )
        moved = msgspec.structs.replace(
            task,
            holder=ready[0],
            version=task.version + 1,
            holders=tuple(dict.fromkeys((*task.holders, ready[0])))[-HOLDERS_MAX:],
        )
        await mesh.command(
            ready[0], TASK_OFFER, moved, "handoff", type(None), TIMEOUT_S, about=task.person
        )
        await asyncio.to_thread(self._keep, moved)
        return moved

    def _keep(self, task: Task) -> bool:
        """Durable when this returns; False where something newer was known."""
        order = Hlc(task.version, 0, task.holder)  # no clock: the version orders a task's writes
        kept = self.node.store.put_register(
            PREFIX + task.task_id, pack(task), order, person_id=task.person, time_s=task.time_s
        )
        if kept:
            self.node.control.emit("task", **_shown(task))
        return kept

    def _all(self) -> list[Task]:
        return [unpack(row.value, Task) for row in self.node.store.registers(PREFIX)]

    def _held(self, task_id: str) -> Task:
        found = (
            [task for task in self.held() if task.task_id.startswith(task_id)] if task_id else []
        )
        if len(found) != 1:
            raise InputError(
                f"No task {task_id!r} is held here." if not found else f"{task_id!r} fits several.",
                "`hearthway handoff` lists the tasks and where they are.",
            )
        return found[0]

    def _reach(self) -> MeshNode:
        if self._mesh is None:
            raise InputError("This node is not paired yet.", "`hearthway pair` joins a household.")
        return self._mesh

    # from other nodes ------------------------------------------------------------------------------------------

    async def _offered(self, meta: Any, task: Task) -> None:
        """Kept, then acknowledged. A repeat of what is known is acknowledged again."""
        if task.holder != self.node.config.node.id or meta.sender not in task.holders:
            raise InputError("That task was meant for another node.", "Ask for it again.")
        self._check(meta, task)
        if await asyncio.to_thread(self._keep_from, meta.sender, task):
            self._end_earlier(task)
            if isinstance(task.content, WaitingSuggestion):
                self._show(task.content.surface)

    async def _told(self, meta: Any, task: Task) -> None:
        """Where a task is by now; only from a node that has held it, about one that was here."""
        if meta.sender not in task.holders or self.node.config.node.id not in task.holders:
            raise InputError("A node told of a task that was never its own.", "It was ignored.")
        self._check(meta, task)
        await asyncio.to_thread(self._keep_from, meta.sender, task)

    def _keep_from(self, sender: str, task: Task) -> bool:
        """As `_keep`; InputError where what is known of that task was never `sender`'s, or is another person's."""
        row = self.node.store.get_register(PREFIX + task.task_id)
        known = None if row is None else unpack(row.value, Task)
        if known is not None and (known.person != task.person or sender not in known.holders):
            raise InputError("A node spoke of a task that was never its own.", "It was refused.")
        if known is None and task.done:
            return False  # it was over before it was heard of, or went to make room
        if known is None or len(pack(task)) > len(pack(known)):
            self._make_room(sender, len(pack(task)))
        return self._keep(task)

    def _make_room(self, sender: str, size: int) -> None:
        """In that node's share of what is kept here: every look at the tasks reads them all.

        What is over goes for it, the oldest first; InputError where that is not enough.
        """
        count, total = self.node.store.size_of(PREFIX)
        if count < TASKS_MAX and total + size <= TASKS_MAX_BYTES:
            return
        kept = [(unpack(row.value, Task), row) for row in self.node.store.registers(PREFIX)]
        theirs = [(task, row) for task, row in kept if sender in task.holders]
        count, total = len(theirs), sum(len(row.value) for _, row in theirs)
        for task, row in sorted(theirs, key=lambda one: one[0].time_s):
            if count < TASKS_MAX and total + size <= TASKS_MAX_BYTES:
                return
            if task.done:
                self.node.store.drop_register(row.key)
                count, total = count - 1, total - len(row.value)
        if count >= TASKS_MAX or total + size > TASKS_MAX_BYTES:
            raise InputError(
                f"Too many tasks of {sender} are kept here.",
                "`hearthway handoff` lists them, and `hearthway handoff ID --done` ends one.",
            )

    def _check(self, meta: Any, task: Task) -> None:
        """InputError unless its order and its names can be some, and whoever tells of it may speak for its person."""
        names = (*task.holders, task.holder)
        if (
            not 0 < task.version <= VERSION_MAX
            or TASK_ID.fullmatch(task.task_id) is None
            or not 0 < len(task.holders) <= HOLDERS_MAX
            or not all(DEVICE_ID.fullmatch(name) for name in names)
            or not math.isfinite(task.time_s)
        ):
            raise InputError("That is no task.", "Are both nodes on the same version?")
        party = getattr(meta, "party", None)
        owner = None if party is None or party.alone or party.role != Role.PHONE else party.person
        known = self.node.store.get_register(PREFIX + task.task_id)
        if (
            getattr(meta, "about", task.person) != task.person
            or (owner is not None and task.person not in ("", owner))
            or (known is not None and known.person_id != task.person)
        ):
            raise InputError("A task came in another person's name.", "It was refused.")
        content = task.content
        if isinstance(content, WaitingSuggestion) and content.surface.person != task.person:
            raise InputError("A task came with another person's suggestion.", "It was refused.")

    async def _settle(self, device_id: str) -> None:
        """On contact: the other hears of every task that it has held. The higher version counts at both ends."""
        for task in await asyncio.to_thread(self._all):
            if device_id in task.holders:
                await self._reach().publish(
                    TASK_STATE, task, "handoff", reliable=True, to=device_id, about=task.person
                )

    def _tell(self, task: Task) -> None:
        mesh = self._mesh
        for other in task.holders:
            if mesh is not None and other != self.node.config.node.id and mesh.ready(other):
                self.node.spawn(self._settle(other), "task handoff")

    # by itself: tasks ride along -------------------------------------------------------------------------------

    def _car_said(self, meta: Any, signals: list[Signal]) -> None:
        """On the phone: the drive has begun, so what is held here goes to the car that is driven."""
        speed = _speed_kmh(signals)
        if speed is None or speed < DRIVING_KMH:
            return
        self._move_all(meta.sender, max(signal.time_s for signal in signals))

    def sensed(self, signals: list[Signal]) -> None:
        """In the car: at rest for a while, so what is held here goes back to its person's phone."""
        speed = _speed_kmh(signals)
        if speed is None or self.node.config.node.role is not Role.CAR:
            return
        time_s = max(signal.time_s for signal in signals)
        if speed > 0.5:
            self._still_since = None
            return
        if self._still_since is None:
            self._still_since = time_s
        if time_s - self._still_since >= PARKED_S:
            self._move_all("", time_s)

    def _move_all(self, to: str, time_s: float) -> None:
        if self._moving or self._mesh is None:
            return
        held = self.held()
        for task in held:
            if _over(task, time_s):
                self.finish(task.task_id)
        due = [
            task
            for task in held
            if not _over(task, time_s)
            and time_s - self._tried_s.get(task.task_id, -1e18) >= AGAIN_S
        ]
        if due:
            self._moving = True
            for task in due:
                self._tried_s[task.task_id] = time_s
            self.node.spawn(self._move(due, to), "task handoff")

    async def _move(self, tasks: list[Task], to: str) -> None:
        try:
            for task in tasks:
                target = to or self._phone_of(task.person)
                if target:
                    await self.hand(task.task_id, target)
        except HearthwayError as why:
            log.info("task stays", extra={"fields": {"why": type(why).__name__}})
        finally:
            self._moving = False

    def _phone_of(self, person: str) -> str:
        """The one phone of that person that is reached now, or ""."""
        mesh = self._reach()
        roster = mesh.identity.roster
        phones = [d for d in mesh.ready(Role.PHONE) if (m := roster.member(d)) is not None]
        own = [d for d in phones if (m := roster.member(d)) is not None and m.person == person]
        if not own and not roster.people:
            own = phones  # a household of one names nobody
        return own[0] if len(own) == 1 else ""

    def _show(self, surface: Surface) -> None:
        show = getattr(self.node, "show", None)
        if show is not None:
            show(surface)

    # verbs -----------------------------------------------------------------------------------------------------

    async def _list(self, _: Request) -> Request:
        tasks = await asyncio.to_thread(self._all)
        return {"tasks": [_shown(task) for task in tasks if not task.done]}

    async def _start(self, request: Request) -> Request:
        lat, lon = float(request["lat"]), float(request["lon"])
        name = " ".join(str(request.get("name", "")).split())[:200]
        if not valid_point(lat, lon) or not name:
            raise InputError(
                "A target needs a name and a point on the earth.",
                'Try `hearthway handoff --navigate "Forum" 60.169 24.938`.',
            )
        content = NavigationTarget(name=name, lat=lat, lon=lon)
        task = self.start(content, self._owner(), self.node.clock.now_s())
        return _shown(task)

    async def _say(self, request: Request) -> Request:
        """Go on with a conversation that is held here, or begin one."""
        turn = Turn(
            by_person=bool(request.get("by_person", True)),
            text=str(request["text"])[:4000],
            time_s=self.node.clock.now_s(),
        )
        if not request.get("id"):
            task = self.start(Conversation(turns=(turn,)), self._owner(), turn.time_s)
            return _shown(task)
        task = self._held(str(request["id"]))
        if not isinstance(task.content, Conversation):
            raise InputError(
                "That task is no conversation.", "`hearthway handoff` lists the tasks."
            )
        content = Conversation(turns=(*task.content.turns, turn)[-200:])
        task = msgspec.structs.replace(task, content=content, version=task.version + 1)
        self._keep(task)
        return _shown(task)

    async def _hand(self, request: Request) -> Request:
        return _shown(await self.hand(str(request.get("id", "")), str(request.get("to", ""))))

    async def _finish(self, request: Request) -> Request:
        return _shown(self.finish(str(request.get("id", ""))))

    def _owner(self) -> str:
        """Whose task it is: the phone's owner, or whoever drives the car."""
        owner = getattr(self.node, "owner", None)
        if owner is not None:
            return str(owner.person_id)
        driver = getattr(self.node, "driver", None)
        return str(driver()) if driver is not None else ""


def _over(task: Task, time_s: float) -> bool:
    """A suggestion of a drive that is long over does not come along with the next one."""
    content = task.content
    return isinstance(content, WaitingSuggestion) and time_s - content.surface.time_s >= STANDS_S


def _speed_kmh(signals: list[Signal]) -> float | None:
    speeds = [s.value for s in signals if s.key == SPEED and isinstance(s.value, int | float)]
    return abs(float(speeds[-1])) if speeds else None


def _shown(task: Task) -> dict[str, Any]:
    return {
        "id": task.task_id,
        "kind": task.kind,
        "title": task.title,
        "holder": task.holder,
        "version": task.version,
        "done": task.done,
    }
