"""A node's worker: `worker_main MODULE:FUNCTION SPEC MEMORY_MB`, a process that computes one task after the other.

FUNCTION(SPEC) gives the jobs it has, {Job: callable(bytes) -> bytes}, and MODULE.made(job, content) one that comes with
its content, such as a student's or a function's file; the last few of those stay. Each task has its CPU seconds and so much memory more than the
worker has when it begins; whatever it breaks, it breaks in here. The end of standard input ends it, also amid a task.
"""

from __future__ import annotations

import logging
import math
import os
import queue
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import FrameType

from msgspec import msgpack

from hearthway.records.errors import HearthwayError
from hearthway.records.offload import OUTPUT_MAX_BYTES, Job

from .worker_wire import (
    CONTENTS_MAX,
    LENGTH_BYTES,
    Ended,
    Halt,
    Ready,
    Run,
    ToWorker,
    framed,
    read_exactly,
    write_all,
)

Computes = Callable[[bytes], bytes]
Jobs = Mapping[Job, Computes]
Made = Callable[[Job, bytes], Computes]
NICE = 5  # the node itself goes first
_RUNS_MAX = 64
_TICKS_CLOCK = -8  # Linux: this process's CPUCLOCK_PROF, which RLIMIT_CPU and ITIMER_PROF go by
_TICKS = 4  # where a quota throttles a process, ticks counted 9.9 s of it for 5.0


class HaltedError(BaseException):
    """Raised amid a task that is not needed any more; no Exception, so that no task swallows it."""


class SpentError(BaseException):
    """Raised amid a task that has used its CPU seconds; where it does not give way, the kernel ends the process."""


class _Worker:
    def __init__(self, jobs: Jobs, made: Made, memory_bytes: int, out: int) -> None:
        self._jobs, self._made = jobs, made
        self._with_content: dict[Job, Computes] = {}
        self._memory_bytes = memory_bytes
        self._out = out
        self._runs: queue.Queue[Run] = queue.Queue(_RUNS_MAX)
        self._lock = threading.Lock()
        self._running: int | None = None
        self._cpu_end_s = 0.0  # of the task that runs, on the precise clock
        self._halted: set[int] = set()
        self._main = threading.main_thread().ident or 0
        signal.signal(signal.SIGUSR1, self._halt_here)
        signal.signal(signal.SIGPROF, self._spent)

    def serve(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        write_all(self._out, framed(Ready(tuple(sorted(self._jobs)))))
        while True:
            run = self._runs.get()
            write_all(self._out, framed(self._ended(run)))

    def _listen(self) -> None:
        decoder = msgpack.Decoder(ToWorker)
        while True:
            head = read_exactly(0, LENGTH_BYTES)
            message = (
                decoder.decode(read_exactly(0, int.from_bytes(head, "little"))) if head else None
            )
            if isinstance(message, Run):
                self._runs.put(message)
            elif isinstance(message, Halt):
                with self._lock:
                    self._halted.add(message.number)
                    if self._running == message.number:
                        signal.pthread_kill(self._main, signal.SIGUSR1)
            else:
                os._exit(0)  # the node is gone

    def _halt_here(self, _: int, __: FrameType | None) -> None:
        if self._running is not None and self._running in self._halted:
            raise HaltedError

    def _spent(self, _: int, __: FrameType | None) -> None:
        if self._running is None:
            return
        if (left_s := self._cpu_end_s - time.process_time()) > 0:
            signal.setitimer(signal.ITIMER_PROF, max(left_s, 0.001))
            return
        raise SpentError

    def _ended(self, run: Run) -> Ended:
        begun_s, cpu_s = time.monotonic(), time.process_time()
        try:
            output, why = self._tried(run)
        except HaltedError:
            output, why = b"", "it was called off"
        except SpentError:
            output, why = b"", "it took more CPU than it may"
        finally:
            self._running = None
            signal.setitimer(signal.ITIMER_PROF, 0.0)
            self._halted.discard(run.number)
        took_s = time.monotonic() - begun_s
        return Ended(run.number, output, why, took_s, time.process_time() - cpu_s)

    def _tried(self, run: Run) -> tuple[bytes, str]:
        """(output, why there is none); HaltedError may come anywhere in here."""
        with self._lock:
            self._running = run.number
        if run.number in self._halted:
            raise HaltedError
        output, why = b"", ""
        try:
            output = self._output(run)
        except HearthwayError as error:
            why = error.message
        except MemoryError:
            why = "it took more memory than it may"
        except Exception as error:  # noqa: BLE001 - whatever a task raises is its own end and not the worker's
            why = f"it failed ({type(error).__name__})"
        with self._lock:
            self._running = None
        return output, why

    def _output(self, run: Run) -> bytes:
        _limit(resource.RLIMIT_AS, _address_space_bytes() + self._memory_bytes)
        _limit(resource.RLIMIT_CPU, math.ceil(_ticks_s() + _TICKS * run.cpu_s) + 1)
        self._cpu_end_s = time.process_time() + run.cpu_s
        signal.setitimer(signal.ITIMER_PROF, max(run.cpu_s, 0.001))
        output = self._computes(run)(run.input)  # what it is made of is another's too
        if len(output) > OUTPUT_MAX_BYTES:
            raise HearthwayError("What came out is too large to be sent.")
        return output

    def _computes(self, run: Run) -> Computes:
        found = self._jobs.get(run.job) or self._with_content.pop(run.job, None)
        if found is None and run.content:
            found = self._made(run.job, run.content)
        if found is None:
            raise HearthwayError(f"There is no such {run.job.kind} here.")
        if run.job not in self._jobs:
            self._with_content[run.job] = found  # the newest last
            while len(self._with_content) > 2 * CONTENTS_MAX:
                self._with_content.pop(next(iter(self._with_content)))
        return found


def _limit(what: int, most: int) -> None:
    """As far as whoever started this process allows it."""
    hard = resource.getrlimit(what)[1]
    resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _ticks_s() -> float:
    """CPU seconds that this process has used as its limit counts them; the precise count drifts from it for as long as it lives."""
    try:
        return time.clock_gettime(_TICKS_CLOCK)
    except OSError:
        return time.process_time()


def _address_space_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def main() -> None:
    """Serve until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's is the node's to answer
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICE)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # one task, one thread; read when numpy is loaded
    out = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints is no message
    logging.disable()
    where, spec, memory_mb = sys.argv[1:]
    module, name = where.split(":")
    found = import_module(module)
    _Worker(getattr(found, name)(spec), found.made, int(memory_mb) << 20, out).serve()


if __name__ == "__main__":
    main()
