"""A node's worker process as the node sees it: started when it is needed, one task at a time, ended when it rests.

The node's own tasks go before others', of which only so many wait. A task that outlives its time, or breaks the
process, ends with its reason; the next one has a new process. Nothing here holds up the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from dataclasses import dataclass

from hearthway.mesh.offload.estimate import Line
from hearthway.records.codec import unpack
from hearthway.records.errors import HearthwayError, MeshError
from hearthway.records.offload import Job

from .worker_wire import (
    CONTENTS_MAX,
    LENGTH_BYTES,
    MESSAGE_MAX_BYTES,
    Ended,
    FromWorker,
    Halt,
    Ready,
    Run,
    framed,
)

OTHERS_MAX = 4  # tasks of other nodes that wait here
OWN_MAX = 32
RESTS_S = 120.0  # then the process ends: a phone at rest holds none
START_S = 30.0
HALT_S = 1.0
MEMORY_MB = 256  # that a task may take beside what the worker holds
ENDS = {
    -signal.SIGXCPU: "it took more CPU than it may",
    -signal.SIGKILL: "it was killed; is there memory left?",
}


@dataclass
class _Waiting:
    job: Job
    input: bytes
    cpu_s: float
    within_s: float
    since_s: float
    end: asyncio.Future[tuple[Ended, float]]
    content: bytes


class Worker:
    """One process at most; `factory` is "module:function", called there with `spec`."""

    def __init__(
        self, factory: str, spec: str, *, memory_mb: int = MEMORY_MB, rests_s: float = RESTS_S
    ) -> None:
        self._command = [sys.executable, "-I", "-m", "hearthway.app.worker_main", factory, spec]
        self._command.append(str(memory_mb))
        self._rests_s = rests_s
        self._process: Process | None = None
        self._killed: Process | None = None  # it may still have said that it was done
        self._known: tuple[Job, ...] = ()
        self._queues: tuple[deque[_Waiting], deque[_Waiting]] = deque(), deque()  # own, others'
        self._now: _Waiting | None = None
        self._begun_s = 0.0
        self._number = 0
        self._takes: dict[Job, Line] = {}
        self._contents: dict[Job, bool] = {}  # what the process has got
        self._turns: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._starts: asyncio.Task[None] | None = None
        self._closed = False
        self._resting: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return None if self._process is None else self._process.pid

    @property
    def waiting_s(self) -> float:
        """How long what was taken on before will take, as far as such tasks were seen."""
        left_s = sum(self._takes_s(one) for queue in self._queues for one in queue)
        if self._now is not None:
            left_s += max(0.0, self._takes_s(self._now) - (time.monotonic() - self._begun_s))
        return left_s

    async def jobs(self) -> tuple[Job, ...]:
        """What it computes; MeshError where it does not start. It starts on where whoever asked first is gone."""
        if self._closed:
            raise MeshError("This node is ending.", "Ask another, or ask again later.")
        if self._starts is None or self._starts.done():
            self._starts = asyncio.create_task(self._started(), name="worker starts")
            self._starts.add_done_callback(_heard)
        await asyncio.shield(self._starts)
        return self._known

    async def _started(self) -> None:
        async with self._starting:
            process = self._process
            if process is None or process is self._killed or process.returncode is not None:
                await self._start()
        if self._turns is None or self._turns.done():
            self._rest_later()

    async def run(
        self,
        job: Job,
        data: bytes,
        *,
        cpu_s: float,
        within_s: float,
        own: bool,
        content: bytes = b"",
    ) -> tuple[Ended, float]:
        """(its end, seconds that it waited before). MeshError where too much waits. Cancelled, it is called off.

        `content` is what the job's identity is the hash of, for a job that comes with it.
        """
        queue = self._queues[0 if own else 1]
        if len(queue) >= (OWN_MAX if own else OTHERS_MAX):
            raise MeshError("This node has enough to compute.", "Ask it again later.")
        end = asyncio.get_running_loop().create_future()
        one = _Waiting(job, data, cpu_s, within_s, time.monotonic(), end, content)
        queue.append(one)
        if self._turns is None or self._turns.done():
            self._turns = asyncio.create_task(self._take_turns(), name="worker")
        try:
            return await one.end
        except asyncio.CancelledError:
            if one is self._now and self._begun_s > one.since_s:
                self._call_off(one)
            elif one in queue:
                queue.remove(one)
            raise

    async def close(self) -> None:
        """End it for good; what waits is called off."""
        self._closed = True
        if self._resting is not None:
            self._resting.cancel()
        running = [one for one in (self._turns, self._starts) if one is not None]
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for queue in self._queues:
            while queue:
                queue.popleft().end.cancel()
        await self._end()

    # -- inside --------------------------------------------------------------------------------

    def _takes_s(self, one: _Waiting) -> float:
        line = self._takes.get(one.job)
        return 0.0 if line is None else line.at(float(len(one.input))) or 0.0

    async def _take_turns(self) -> None:
        if self._resting is not None:
            self._resting.cancel()
        while one := next((queue.popleft() for queue in self._queues if queue), None):
            if one.end.done():
                continue
            self._now, waited_s = one, time.monotonic() - one.since_s
            try:
                ended = await self._done(one)
            except asyncio.CancelledError:
                one.end.cancel()
                raise
            finally:
                self._now = None
            if ended.why:
                self._contents.pop(one.job, None)  # it may not have come so far
            else:
                self._takes.setdefault(one.job, Line()).learn(float(len(one.input)), ended.took_s)
            if not one.end.done():
                one.end.set_result((ended, waited_s))
        self._rest_later()

    async def _done(self, one: _Waiting) -> Ended:
        try:
            await self.jobs()
        except HearthwayError as why:
            return Ended(0, why=why.message)
        if one.end.done():  # called off while it started
            return Ended(0, why="it was called off")
        self._number += 1
        self._begun_s = time.monotonic()
        try:
            async with asyncio.timeout(one.within_s + HALT_S):
                return await self._spoken(
                    Run(self._number, one.job, one.input, one.cpu_s, self._lacking(one))
                )
        except TimeoutError:
            await self._end()
            return Ended(0, why="it took longer than it was of use")
        except (EOFError, OSError, HearthwayError):
            return Ended(0, why=f"the worker ended amid it: {await self._broke()}")

    def _lacking(self, one: _Waiting) -> bytes:
        """Its content, where the worker has not got it any more: both count alike."""
        if not one.content:
            return b""
        had = self._contents.pop(one.job, False)
        self._contents[one.job] = True
        while len(self._contents) > CONTENTS_MAX:
            self._contents.pop(next(iter(self._contents)))
        return b"" if had else one.content

    async def _spoken(self, run: Run) -> Ended:
        process = self._process
        if process is None or process.stdin is None:
            raise EOFError
        process.stdin.write(framed(run))
        await process.stdin.drain()
        message = await self._read(process)
        if not isinstance(message, Ended) or message.number != run.number:
            raise EOFError
        return message

    async def _read(self, process: Process) -> Ready | Ended:
        if process.stdout is None:
            raise EOFError
        size = int.from_bytes(await process.stdout.readexactly(LENGTH_BYTES), "little")
        if size > MESSAGE_MAX_BYTES:
            raise EOFError
        data = await process.stdout.readexactly(size)
        return unpack(data, FromWorker)  # type: ignore[arg-type]  # a union of structs is a kind

    def _call_off(self, one: _Waiting) -> None:
        process, number = self._process, self._number
        if process is None or process.stdin is None or process.returncode is not None:
            return
        with contextlib.suppress(OSError, RuntimeError):
            process.stdin.write(framed(Halt(number)))
        asyncio.get_running_loop().call_later(HALT_S, self._kill_if, one)

    def _kill_if(self, one: _Waiting) -> None:
        """A task that does not heed its end takes the process with it; the one after it, which may still wait, does not."""
        if self._now is one and self._process is not None:
            self._killed = self._process
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _start(self) -> None:
        await self._end()
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True
            )
        except OSError as why:
            raise MeshError(
                f"The worker does not start: {why.strerror}.", "Is there memory left?"
            ) from None
        self._process, self._contents = process, {}
        try:
            async with asyncio.timeout(START_S):
                message = await self._read(process)
        except (EOFError, OSError, TimeoutError, HearthwayError):
            await self._end()
            raise MeshError(
                "The worker does not start.", "Does `hearthway check` find the map?"
            ) from None
        if isinstance(message, Ready):
            self._known = message.jobs

    def _rest_later(self) -> None:
        if self._resting is not None:
            self._resting.cancel()
        self._resting = asyncio.get_running_loop().call_later(self._rests_s, self._rest)

    def _rest(self) -> None:
        if self._turns is None or self._turns.done():
            self._turns = asyncio.create_task(self._rested(), name="worker rests")

    async def _rested(self) -> None:
        async with self._starting:
            await self._end()
        if any(self._queues):  # asked for meanwhile
            await self._take_turns()

    async def _broke(self) -> str:
        """What became of the process, for people; there is none after."""
        process, code = self._process, None
        if process is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HALT_S):
                    code = await process.wait()
        await self._end()
        if code is None:
            return "what it said was no message"
        return ENDS.get(code, f"signal {-code}" if code < 0 else f"status {code}")

    async def _end(self) -> None:
        process, self._process = self._process, None
        self._killed = None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        if process.stdin is not None:
            process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HALT_S * 5):
                await process.wait()


def _heard(starts: asyncio.Task[None]) -> None:
    """That it does not start was for whoever asked; he may be gone."""
    if not starts.cancelled():
        starts.exception()
