"""A node that computes for others: under its own rules, within its own limits, in a process of its own.

What a task may see is asked of this node's rules too, key by key. A task that is asked for twice runs once.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

from hearthway.mesh.wire.gate import denied
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import HearthwayError, InputError
from hearthway.records.offload import (
    ASK_TERMS,
    INPUT_MAX_BYTES,
    KEYS_MAX,
    PURPOSE,
    RESULT,
    RUN,
    STOP,
    TASK_ID_CHARS,
    TERMS,
    WITHIN_MAX_S,
    Job,
    OffloadResult,
    OffloadTask,
    StopTask,
    Terms,
)
from hearthway.records.signals import Signal

from .condition import Condition
from .offload_contents import Contents
from .offload_jobs import FACTORY, spec_of
from .part import Part
from .worker import Worker

if TYPE_CHECKING:
    from .node import Node

CPU_MAX_S = 10.0  # of one task
_TASKS_MAX = 32  # under way; each has its place in the worker's short queue, or joins one
_Running = asyncio.Task[OffloadResult]


class Lending(Part):
    """On phone and home."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        config = node.config
        self.condition = Condition(config.offload, node.clock.now_s)
        self.worker = Worker(FACTORY, spec_of(config.map))
        self.contents = Contents(node)
        self._mesh: MeshNode | None = None
        self._running: dict[tuple[str, str], _Running] = {}
        self._done: dict[str, int] = {}

    def mesh_started(self, mesh: MeshNode) -> None:
        self._mesh = mesh
        mesh.serve(ASK_TERMS, type(None), self._asked, reply_key=TERMS)
        mesh.serve(RUN, OffloadTask, self._run, reply_key=RESULT)
        mesh.subscribe(STOP, StopTask, self._stop)

    def sensed(self, signals: list[Signal]) -> None:
        self.condition.hear(signals)

    def peer_changed(self, device_id: str, alive: bool) -> None:  # the mesh's callback form
        if not alive:
            for (sender, _), running in list(self._running.items()):
                if sender == device_id:
                    running.cancel()

    def status(self) -> dict[str, Any]:
        why_not = self.condition.why_not()
        return {
            "computes_for": [
                {"node": node, "tasks": count} for node, count in sorted(self._done.items())
            ],
            "computes_for_others": not why_not,
            "computes_why_not": why_not,
        }

    async def stopping(self) -> None:
        for running in list(self._running.values()):
            running.cancel()
        await self.worker.close()

    async def terms(self) -> Terms:
        """What this node would compute now; its worker is started to know what it can."""
        condition, why_not = self.condition, self.condition.why_not()
        jobs: tuple[Job, ...] = ()
        if not why_not:
            jobs = (*await self.worker.jobs(), *await self.contents.jobs())
        return Terms(
            why_not=why_not,
            jobs=jobs,
            waiting_s=self.worker.waiting_s,
            battery_pct=condition.battery_pct(),
            on_battery=condition.on_battery(),
            heat_c=condition.heat_c(),
            watts=self.node.config.offload.watts or None,
        )

    async def _asked(self, _: Any, __: None) -> Terms:
        return await self.terms()

    async def _run(self, meta: Any, task: OffloadTask) -> OffloadResult:
        self._check(meta, task)
        at = (meta.sender, task.task_id)
        running = self._running.get(at)
        if running is None:
            if len(self._running) >= _TASKS_MAX:
                return OffloadResult(why_not="it has enough to compute", terms=await self.terms())
            running = asyncio.create_task(self._computed(meta.sender, task), name="computes")
            self._running[at] = running
            running.add_done_callback(lambda _: self._running.pop(at, None))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            if running.cancelled():
                return OffloadResult(why_not="it was called off")
            raise

    def _check(self, meta: Any, task: OffloadTask) -> None:
        """InputError for what is no task; RuleDeniedError where a key of it may not have come here."""
        if (
            not 0 < len(task.task_id) <= TASK_ID_CHARS
            or len(task.input) > INPUT_MAX_BYTES
            or len(task.keys) > KEYS_MAX
            or not 0.0 < task.within_s < float("inf")
        ):
            raise InputError("That is no task.", "Are both nodes on the same version?")
        mesh, own = self._mesh, self.node.config.node
        if mesh is None or not mesh.takes(task.keys, meta.sender, PURPOSE, about=meta.about):
            named = ", ".join(task.keys)
            raise denied(f"a task made of {named}", meta.sender_role, own.role, PURPOSE)

    async def _computed(self, sender: str, task: OffloadTask) -> OffloadResult:
        why_not = self.condition.why_not()
        if why_not:
            return OffloadResult(why_not=why_not, terms=await self.terms())
        within_s = min(task.within_s, WITHIN_MAX_S)
        begun_s = time.monotonic()
        try:
            content = await self.contents.content(task.job)
            if not content and task.job not in await self.worker.jobs():
                raise InputError(f"It has not the same {task.job.kind}.")
            ended, _ = await self.worker.run(
                task.job,
                task.input,
                cpu_s=min(CPU_MAX_S, within_s),
                within_s=within_s,
                own=False,
                content=content,
            )
        except HearthwayError as why:
            return OffloadResult(why_not=why.message, terms=await self.terms())
        if not ended.why:
            self._done[sender] = self._done.get(sender, 0) + 1
        return OffloadResult(
            output=ended.output,
            why_not=ended.why,
            waited_s=max(0.0, time.monotonic() - begun_s - ended.took_s),
            took_s=ended.took_s,
            cpu_s=ended.cpu_s,
            terms=await self.terms(),
        )

    def _stop(self, meta: Any, word: StopTask) -> None:
        running = self._running.get((meta.sender, word.task_id))
        if running is not None:
            with contextlib.suppress(RuntimeError):
                running.cancel()
