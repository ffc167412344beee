"""A node that lets others compute for it: where it is soonest, within the owner's rules, and never at the price of the answer.

`mesh.offload` decides; this carries out: it asks helpers for their terms, sends, computes here, calls off, learns.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hearthway.mesh.offload.course import (
    Answer,
    Ask,
    CallOff,
    Compared,
    Compute,
    Course,
    GiveUp,
    Step,
)
from hearthway.mesh.offload.placement import HERE, Choice, Helper, Placement, Weights, Wish
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import HearthwayError, MeshError, WireError
from hearthway.records.household import Role
from hearthway.records.offload import (
    ASK_TERMS,
    INPUT_MAX_BYTES,
    PURPOSE,
    RUN,
    STOP,
    Job,
    OffloadResult,
    OffloadTask,
    StopTask,
    Terms,
)
from hearthway.records.understanding import Understanding

from .offload_contents import Contents
from .offload_jobs import FACTORY, KINDS, STUDENT, spec_of, texts_asked, understood_of
from .part import Part
from .worker import Worker

if TYPE_CHECKING:
    from .node import Node

TERMS_TIMEOUT_S = 10.0  # asked beside a task, never waited for
CPU_MAX_S = 60.0
ASK_WITHIN_S = 3.0  # longer nobody waits who asked aloud
HELPERS = (Role.PHONE, Role.HOME)


@dataclass(frozen=True)
class Done:
    """What came out, who computed it, and how long it took all in all."""

    output: bytes
    by: str  # device id
    took_s: float
    choice: Choice


def _untold(device_id: str) -> None:
    """Of what is nobody's there is no receipt."""


@dataclass
class _Under:
    """A task under way."""

    task: OffloadTask
    wish: Wish
    about: str
    choice: Choice
    end: asyncio.Future[Done]
    begun_s: float
    heard: asyncio.Queue[Callable[[Course, float], list[Step]]]
    work: dict[str, asyncio.Task[None]]
    here: Callable[[bytes], bytes] | None  # this node's own computing, where it needs no worker
    sent: Callable[[str], None]


class Offloading(Part):
    """On whoever borrows a processor: the car."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        table = node.config.offload
        self.placement = Placement(
            Weights(s_per_joule=table.s_per_joule), random.SystemRandom()
        )  # no helper can know which answers are checked
        self.worker = Worker(FACTORY, spec_of(node.config.map))
        self._contents = Contents(node)
        self._mesh: MeshNode | None = None
        self._asking: set[str] = set()
        self._done: dict[str, int] = {}
        self._bytes: dict[str, int] = {}

    def mesh_started(self, mesh: MeshNode) -> None:
        self._mesh = mesh

    def peer_changed(self, device_id: str, alive: bool) -> None:  # the mesh's callback form
        if alive:
            self.placement.came(device_id)

    def status(self) -> dict[str, Any]:
        return {
            "computed_by": [
                {"node": node, "tasks": count, "bytes": self._bytes.get(node, 0)}
                for node, count in sorted(self._done.items())
            ]
        }

    async def stopping(self) -> None:
        await self.worker.close()

    async def job(self, kind: str) -> Job:
        """What this node itself would compute of that kind; MeshError where it has none."""
        for job in await self.worker.jobs():
            if job.kind == kind:
                return job
        raise MeshError(f"This node has nothing to compute {kind} with.", "Has it a map?")

    async def understand(
        self,
        identity: str,
        texts: Sequence[str],
        *,
        keys: Sequence[str],
        about: str = "",
        within_s: float = ASK_WITHIN_S,
        here: Callable[[bytes], bytes] | None = None,
        sent: Callable[[str], None] = _untold,
    ) -> tuple[Done, list[Understanding]]:
        """What that student understands of each text, computed where it is soonest; MeshError, `here` and `sent` as in `run`."""
        asked = texts_asked(texts)
        size = float(sum(map(len, texts)))
        done = await self.run(
            Job(STUDENT, identity),
            asked,
            size=size,
            within_s=within_s,
            keys=keys,
            about=about,
            here=here,
            sent=sent,
        )
        return done, understood_of(asked, done.output)

    async def run(
        self,
        job: Job,
        data: bytes,
        *,
        size: float,
        within_s: float,
        keys: Sequence[str],
        about: str = "",
        place: Callable[[Choice], Choice] | None = None,
        here: Callable[[bytes], bytes] | None = None,
        sent: Callable[[str], None] = _untold,
    ) -> Done:
        """The task's answer within `within_s`; MeshError with the reason where nobody had it by then.

        `keys` are the signals that `data` was made of, `about` whose they are: only a device that may have them is
        asked. `place` may put another choice for the one that was made (a measurement does). `here` computes on this node, in a
        thread of the caller's process instead of the worker: for what costs less than handing it over. `sent` is told which device is
        given the input, in time for a receipt: it is given it as well where this node answers first, or nobody does.
        """
        wish = Wish(job, size, len(data), within_s)
        waiting_s = self.worker.waiting_s if here is None else 0.0
        own = Terms(waiting_s=waiting_s, watts=self.node.config.offload.watts or None)
        self.placement.told(HERE, own, time.monotonic())
        choice = self.placement.place(wish, self._helpers(keys, about), time.monotonic())
        if place is not None:
            choice = place(choice)
        under = _Under(
            OffloadTask(
                task_id=secrets.token_hex(8),
                job=job,
                input=data,
                within_s=within_s,
                keys=tuple(keys),
            ),
            wish,
            about,
            choice,
            asyncio.get_running_loop().create_future(),
            time.monotonic(),
            asyncio.Queue(),
            {},
            here,
            sent,
        )
        course = Course(choice, within_s, under.begun_s, KINDS[job.kind].same)
        self.node.spawn(self._follow(course, under), f"{job.kind} task")
        try:
            return await under.end
        finally:
            under.end.cancel()  # whoever asked is gone: so is the task

    # -- who is there --------------------------------------------------------------------------

    def _helpers(self, keys: Sequence[str], about: str) -> dict[str, Helper]:
        mesh, now_s = self._mesh, time.monotonic()
        if mesh is None:
            return {}
        found: dict[str, Helper] = {}
        for device_id in (d for role in HELPERS for d in mesh.ready(role)):
            lets = mesh.lets((RUN, *keys), device_id, PURPOSE, about=about)
            rtt_s = mesh.quality(device_id).rtt_s or 0.0
            found[device_id] = Helper(rtt_s, "" if lets else "the owner's rules keep it from there")
            if lets and not self.placement.knows_terms(device_id, now_s):
                self._ask_terms(mesh, device_id)
        return found

    def _ask_terms(self, mesh: MeshNode, device_id: str) -> None:
        async def ask() -> None:
            try:
                terms = await mesh.request(
                    device_id, ASK_TERMS, None, PURPOSE, Terms, TERMS_TIMEOUT_S
                )
                self.placement.told(device_id, terms, time.monotonic())
            except HearthwayError:
                self.placement.missed(device_id, time.monotonic())
            finally:
                self._asking.discard(device_id)

        if device_id not in self._asking:
            self._asking.add(device_id)
            self.node.spawn(ask(), "terms of a helper")

    # -- a task on its way -----------------------------------------------------------------------

    async def _follow(self, course: Course, under: _Under) -> None:
        try:
            steps = course.begin(time.monotonic())
            while True:
                for step in steps:
                    self._carry_out(step, under)
                if course.over or under.end.cancelled():
                    return
                steps = await self._next(course, under)
        finally:
            for where in list(under.work):
                self._call_off(where, under)
            if not under.end.done():
                under.end.set_exception(MeshError("The task was ended.", "Ask for it again."))

    async def _next(self, course: Course, under: _Under) -> list[Step]:
        """What is heard next, or that time went on."""
        due_s = course.next_s
        heard = asyncio.ensure_future(under.heard.get())
        waits: set[asyncio.Future[Any]] = {heard}
        if not under.end.done():
            waits.add(under.end)
        try:
            await asyncio.wait(
                waits,
                timeout=None if due_s is None else max(0.0, due_s - time.monotonic()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            now_s = time.monotonic()
            return heard.result()(course, now_s) if heard.done() else course.at(now_s)
        finally:
            heard.cancel()

    def _carry_out(self, step: Step, under: _Under) -> None:
        match step:
            case Ask(device):
                self._begin(device, self._there(device, under), under)
            case Compute():
                self._begin(HERE, self._here(under), under)
            case CallOff(where):
                self._call_off(where, under)
            case Compared(device, same):
                self.placement.compared(under.wish.job, device, same=same)
                if not same:
                    self.node.note(
                        f"{device} computed {under.wish.job.kind} otherwise than this node: it is asked no more "
                        "until this node is started again; look at that device"
                    )
            case Answer(output, by) if not under.end.done():
                node = by or self.node.config.node.id
                self._done[node] = self._done.get(node, 0) + 1
                took_s = time.monotonic() - under.begun_s
                under.end.set_result(Done(output, node, took_s, under.choice))
            case GiveUp(why) if not under.end.done():
                under.end.set_exception(
                    MeshError(f"The task was not done within {under.wish.within_s:g} s: {why}.")
                )

    def _begin(self, where: str, work: Coroutine[Any, Any, None], under: _Under) -> None:
        under.work[where] = asyncio.create_task(work, name=f"task at {where or 'this node'}")

    def _call_off(self, where: str, under: _Under) -> None:
        work = under.work.pop(where, None)
        if work is None or work.done():
            return
        work.cancel()
        if where != HERE and self._mesh is not None:
            word = StopTask(task_id=under.task.task_id)
            self.node.spawn(
                self._mesh.publish(STOP, word, PURPOSE, reliable=True, to=where), "call off"
            )

    async def _here(self, under: _Under) -> None:
        wish, output, why = under.wish, None, ""
        if under.here is not None:
            under.heard.put_nowait(await self._in_process(wish, under.here, under.task.input))
            return
        try:
            content = await self._contents.content(wish.job)
            ended, _ = await self.worker.run(
                wish.job,
                under.task.input,
                cpu_s=CPU_MAX_S,
                within_s=wish.within_s,
                own=True,
                content=content,
            )
            why = ended.why
            if not why:
                output = ended.output
                self.placement.learn_here(wish, ended.took_s)
        except HearthwayError as error:
            why = error.message
        under.heard.put_nowait(lambda course, now_s: course.computed(output, why, now_s))

    async def _in_process(
        self, wish: Wish, here: Callable[[bytes], bytes], data: bytes
    ) -> Callable[[Course, float], list[Step]]:
        begun_s = time.monotonic()
        try:
            output = await asyncio.to_thread(here, data)
        except HearthwayError as error:
            why = error.message
            return lambda course, now_s: course.computed(None, why, now_s)
        self.placement.learn_here(wish, time.monotonic() - begun_s)
        return lambda course, now_s: course.computed(output, "", now_s)

    async def _there(self, device_id: str, under: _Under) -> None:
        output, why = None, ""
        try:
            output, why = await self._asked(device_id, under)
        except HearthwayError as error:
            why = error.message
            self.placement.missed(device_id, time.monotonic())
        under.heard.put_nowait(lambda course, now_s: course.heard(output, why, now_s))

    async def _asked(self, device_id: str, under: _Under) -> tuple[bytes | None, str]:
        mesh, task, wish = self._mesh, under.task, under.wish
        if mesh is None or len(task.input) > INPUT_MAX_BYTES:
            return None, "there is nobody to send it to"
        if not mesh.lets(task.keys, device_id, PURPOSE, about=under.about, count=True):
            return None, "the owner's rules keep it from there"
        rtt_s = mesh.quality(device_id).rtt_s or 0.0
        begun_s = time.monotonic()
        under.sent(device_id)
        result = await mesh.request(
            device_id,
            RUN,
            task,
            PURPOSE,
            OffloadResult,
            wish.within_s,
            about=under.about,
        )
        now_s = time.monotonic()
        self.placement.told(device_id, result.terms, now_s)
        if result.why_not:
            return None, result.why_not
        try:
            KINDS[wish.job.kind].check(task.input, result.output)
        except WireError as error:
            self.placement.distrust(device_id, "it answered what cannot be an answer")
            return None, error.message
        self._bytes[device_id] = (
            self._bytes.get(device_id, 0) + len(task.input) + len(result.output)
        )
        self.placement.learn(
            wish,
            device_id,
            compute_s=_seconds(result.took_s),
            waited_s=_seconds(result.waited_s),
            total_s=now_s - begun_s,
            rtt_s=min(rtt_s, now_s - begun_s),
            back_bytes=len(result.output),
            now_s=now_s,
            chosen=under.choice.where == device_id,
        )
        return result.output, ""


def _seconds(told: float) -> float:
    """What a helper says of itself, as far as it can be."""
    return told if 0.0 <= told < 1e6 else 0.0


def pinned(where: str) -> Callable[[Choice], Choice]:
    """For a measurement: that device alone (HERE: this node alone), whatever is known of it."""

    def put(choice: Choice) -> Choice:
        return replace(choice, where=where, beside=None, here_after_s=1e9, counts=True)

    return put
