"""The worker process: its limits, its queue, and what becomes of tasks that do not behave."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from hearthway.app import worker_main
from hearthway.app.worker import OTHERS_MAX, OWN_MAX, Worker, _Waiting
from hearthway.app.worker_wire import CONTENTS_MAX, Ended, Run
from hearthway.records.errors import MeshError
from hearthway.records.offload import OUTPUT_MAX_BYTES, Job

HERE = Path(__file__).parent


@contextlib.asynccontextmanager
async def working(factory: str = "hogs:jobs", **options: Any) -> AsyncIterator[Worker]:
    worker = Worker(factory, "x", **options)
    # -I leaves out where the tests lie
    at = worker._command.index("-I")
    program = f"import sys; sys.path.insert(0, {str(HERE)!r}); sys.argv[0:1] = ['worker']; "
    worker._command[at : at + 3] = [
        "-c",
        program + "from hearthway.app.worker_main import main; main()",
    ]
    assert worker._command[0] == sys.executable
    try:
        yield worker
    finally:
        await worker.close()


async def run(worker: Worker, kind: str, data: bytes = b"", **how: Any) -> Ended:
    limits = {"cpu_s": 5.0, "within_s": 10.0, "own": True} | how
    ended, _ = await worker.run(Job(kind, "x"), data, **limits)
    return ended


def go(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def started(worker: Worker) -> int:
    for _ in range(1_000):
        if worker.pid is not None:
            return worker.pid
        await asyncio.sleep(0.01)
    raise AssertionError("it does not start")


def test_it_computes_one_after_the_other_in_a_process_of_its_own() -> None:
    async def main() -> None:
        async with working() as worker:
            assert worker.pid is None
            first, second = await run(worker, "pid"), await run(worker, "pid")
            assert first.output == second.output == str(worker.pid).encode()
            assert worker.pid != os.getpid()
            assert (await run(worker, "echo", b"a" * OUTPUT_MAX_BYTES)).output[:1] == b"a"
            pid = worker.pid or 0
        assert pid
        assert not alive(pid)

    go(main)


@pytest.mark.parametrize(
    ("kind", "data", "why"),
    [
        ("memory", b"900000000", "more memory"),
        ("huge", str(OUTPUT_MAX_BYTES + 1).encode(), "too large"),
        ("refuse", b"", "no input"),
        ("raise_", b"", "ZeroDivisionError"),
        ("die", b"", "ended amid it"),
        ("nothing", b"", "no such nothing"),
    ],
)
def test_what_a_task_breaks_it_breaks_for_itself(kind: str, data: bytes, why: str) -> None:
    async def main() -> None:
        async with working() as worker:
            ended = await run(worker, kind, data)
            assert why in ended.why
            assert "secret" not in ended.why
            assert ended.output == b""
            assert (await run(worker, "memory", b"1000000")).output == b"1000000"  # the control

    go(main)


def test_cpu_has_an_end_and_the_next_task_its_own() -> None:
    async def main() -> None:
        async with working() as worker:
            assert "more CPU" in (await run(worker, "spin", b"30", cpu_s=0.05, within_s=60.0)).why
            for _ in range(3):
                ended = await run(worker, "spin", b"0.1", cpu_s=0.2, within_s=60.0)
                assert ended.output == b"spun"
            pid = worker.pid
            ended = await run(worker, "stubborn", cpu_s=0.05, within_s=60.0)
            assert "ended amid it: it took more CPU than it may" in ended.why  # the kernel's end
            assert (await run(worker, "echo", b"f")).output == b"f"
            assert worker.pid != pid

    go(main)


def test_the_kernels_limit_goes_by_the_kernels_own_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a quota ticks count twice what a process takes; one that lived long was ended for less than it may."""

    async def main() -> None:
        async with working() as worker:
            left_s = float((await run(worker, "limit", cpu_s=5.0)).output)
            assert 5.0 <= left_s <= 4 * 5.0 + 2.0

    go(main)
    ticks_s, precise_s = 500.0, 250.0
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr("time.clock_gettime", lambda _: ticks_s)
    monkeypatch.setattr("time.process_time", lambda: precise_s)
    monkeypatch.setattr(worker_main, "_limit", lambda what, most: limits.append((what, most)))
    monkeypatch.setattr("signal.setitimer", lambda *_: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    one = worker_main._Worker({Job("echo", "x"): bytes}, lambda *_: bytes, 1, 1)
    one._output(Run(1, Job("echo", "x"), b"", 60.0))
    assert dict(limits)[resource.RLIMIT_CPU] > ticks_s + 60.0
    one._running = 1
    one._spent(0, None)  # the timer went by ticks: sixty of them are no sixty seconds yet
    precise_s += 60.0
    with pytest.raises(worker_main.SpentError):
        one._spent(0, None)


def test_what_takes_too_long_is_ended_also_where_it_uses_nothing() -> None:
    async def main() -> None:
        async with working() as worker:
            begun_s = time.monotonic()
            assert "longer" in (await run(worker, "sleep", b"30", within_s=0.2)).why
            assert time.monotonic() - begun_s < 8.0
            assert (await run(worker, "echo", b"b")).output == b"b"

    go(main)


def test_what_is_called_off_gives_way_and_the_process_goes_on() -> None:
    async def main() -> None:
        async with working() as worker:
            await run(worker, "echo")
            pid = worker.pid
            for kind in ("spin", "sleep"):
                long = asyncio.create_task(run(worker, kind, b"20", cpu_s=30.0))
                await asyncio.sleep(0.2)
                next_one = asyncio.create_task(run(worker, "echo", b"c"))
                begun_s = time.monotonic()
                long.cancel()
                assert (await next_one).output == b"c"
                assert time.monotonic() - begun_s < 5.0
            assert worker.pid == pid

    go(main)


def test_what_waits_and_is_called_off_never_runs() -> None:
    async def main() -> None:
        async with working() as worker:
            first = asyncio.create_task(run(worker, "sleep", b"0.3"))
            await asyncio.sleep(0.05)
            second = asyncio.create_task(run(worker, "die"))
            await asyncio.sleep(0.05)
            second.cancel()
            assert (await first).output == b"slept"
            assert (await run(worker, "echo", b"d")).output == b"d"

    go(main)


def test_others_wait_behind_its_own_and_only_so_many() -> None:
    async def main() -> None:
        order: list[str] = []
        async with working() as worker:

            async def named(name: str, *, own: bool) -> None:
                await run(worker, "sleep", b"0.05", own=own)
                order.append(name)

            first = asyncio.create_task(named("first", own=True))
            await asyncio.sleep(0.02)
            others = [asyncio.create_task(named("other", own=False)) for _ in range(OTHERS_MAX)]
            await asyncio.sleep(0.02)
            with pytest.raises(MeshError, match="enough"):
                await run(worker, "echo", own=False)
            own = [asyncio.create_task(named("own", own=True)) for _ in range(3)]
            await asyncio.gather(first, *others, *own)
            assert order == ["first", *["own"] * 3, *["other"] * OTHERS_MAX]
            many = [asyncio.create_task(run(worker, "sleep", b"0.01")) for _ in range(OWN_MAX + 5)]
            ends = await asyncio.gather(*many, return_exceptions=True)
            assert 1 <= sum(isinstance(end, MeshError) for end in ends) <= 5

    go(main)


def test_the_loop_goes_on_while_it_computes() -> None:
    async def main() -> None:
        async with working() as worker:
            await run(worker, "echo")
            busy = asyncio.create_task(run(worker, "spin", b"0.5"))
            turns = 0
            while not busy.done():
                await asyncio.sleep(0.005)
                turns += 1
            assert turns > 10

    go(main)


def test_it_ends_when_it_rests_and_starts_again() -> None:
    async def main() -> None:
        async with working(rests_s=0.1) as worker:
            await run(worker, "echo")
            pid = worker.pid
            assert pid is not None
            for _ in range(200):
                if not alive(pid):
                    break
                await asyncio.sleep(0.02)
            assert not alive(pid)
            assert (await run(worker, "echo", b"e")).output == b"e"

    go(main)


def test_a_task_that_was_killed_with_its_process_says_so() -> None:
    async def main() -> None:
        async with working() as worker:
            await run(worker, "echo")
            long = asyncio.create_task(run(worker, "sleep", b"20"))
            await asyncio.sleep(0.2)
            assert worker.pid is not None
            os.kill(worker.pid, 9)
            assert "ended amid it: it was killed" in (await long).why
            assert "ended amid it: status 3" in (await run(worker, "die")).why

    go(main)


def test_what_was_called_off_does_not_take_the_next_one_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The look whether it gave way comes while the next one, already its turn, waits for the process to be there."""
    monkeypatch.setattr("hearthway.app.worker.HALT_S", 0.2)

    async def main() -> None:
        async with working() as worker:
            before = await run(worker, "pid")
            long = asyncio.create_task(run(worker, "sleep", b"20"))
            await asyncio.sleep(0.1)
            jobs = worker.jobs

            async def late() -> tuple[Job, ...]:
                await asyncio.sleep(0.6)
                return await jobs()

            monkeypatch.setattr(worker, "jobs", late)
            long.cancel()
            assert (await run(worker, "pid")).output == before.output

    go(main)


def test_a_process_that_was_killed_just_when_it_was_done_does_not_get_the_next_one() -> None:
    async def main() -> None:
        async with working() as worker:
            before = await run(worker, "pid")
            end = asyncio.get_running_loop().create_future()
            late = _Waiting(Job("sleep", "x"), b"", 1.0, 1.0, 0.0, end, b"")
            worker._now = late  # its end lies in the pipe
            worker._kill_if(late)
            worker._now = None
            ended = await run(worker, "pid")
            assert ended.why == ""
            assert ended.output != before.output

    go(main)


@pytest.mark.parametrize("task", [False, True])
def test_whoever_had_it_started_and_went_leaves_it_to_the_next(task: bool) -> None:
    """He called off, or his wire was cut, while it read its map."""

    async def main() -> None:
        async with working("hogs:slowly") as worker:
            asked = run(worker, "echo", b"f") if task else worker.jobs()
            first = asyncio.ensure_future(asked)
            pid = await started(worker)
            first.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await first
            assert Job("echo", "x") in await worker.jobs()
            assert (await run(worker, "echo", b"g")).output == b"g"
            assert worker.pid == pid

    go(main)


def test_it_ends_when_it_rests_also_where_it_only_said_what_it_can() -> None:
    async def main() -> None:
        async with working(rests_s=0.1) as worker:
            assert await worker.jobs()
            pid = worker.pid
            assert pid is not None
            for _ in range(200):
                if not alive(pid):
                    break
                await asyncio.sleep(0.02)
            assert not alive(pid)

    go(main)


@pytest.mark.parametrize("starting", [False, True])
def test_after_its_end_nobody_starts_it_again(starting: bool) -> None:
    """Others still ask while a node ends: nothing may be left over."""

    async def main() -> None:
        async with working("hogs:slowly") as worker:
            asked = asyncio.ensure_future(worker.jobs())
            pid = await started(worker)
            if not starting:
                assert await asked
            await worker.close()
            await asyncio.gather(asked, return_exceptions=True)
            assert not alive(pid)
            with pytest.raises(MeshError, match="ending"):
                await worker.jobs()
            assert "ending" in (await run(worker, "echo")).why
            assert worker.pid is None

    go(main)


def test_one_that_does_not_start_says_so() -> None:
    async def main() -> None:
        worker = Worker("no.such.module:jobs", "x")
        with pytest.raises(MeshError, match="does not start"):
            await worker.jobs()
        ended, _ = await worker.run(Job("echo", "x"), b"", cpu_s=1.0, within_s=5.0, own=True)
        assert "does not start" in ended.why
        await worker.close()

    go(main)


def test_content_goes_over_once_and_again_where_it_was_dropped() -> None:
    async def main() -> None:
        async with working() as worker:

            async def with_content(name: str, content: bytes) -> Ended:
                ended, _ = await worker.run(
                    Job("made", name), b"-", cpu_s=5.0, within_s=10.0, own=True, content=content
                )
                return ended

            assert (await with_content("a", b"A")).output == b"A-1"
            assert (await with_content("a", b"A")).output == b"A-1"  # not made anew
            assert "no such made" in (await run(worker, "made")).why
            for number in range(3 * CONTENTS_MAX):
                wanted = f"B-{number + 2}".encode()
                assert (await with_content(f"b{number}", b"B")).output == wanted
            assert (await with_content("a", b"A")).output == b"A-26"
            for _ in range(2):
                assert "no content" in (await with_content("c", b"bad")).why
            assert (await with_content("c", b"C")).output == b"C-27"
            assert worker.pid is not None
            os.kill(worker.pid, 9)
            assert "ended" in (await with_content("c", b"C")).why
            assert (await with_content("c", b"C")).output == b"C-1"  # a new process

    go(main)
