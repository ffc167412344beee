"""What a call of a student costs in each runtime, one text at a time and many at once, in one run.

    OPENBLAS_NUM_THREADS=1 python bench/runtimes.py [--student FILE] [--texts N] [--runtimes reference,cpu,wasm,chromium]

FILE is a student that takes text; where none is named one with random numbers in a trained one's shape is made. Its inputs are
5 to 15 random tokens, seeded, the same for all. p50 and p90 are of single calls, in Chromium of means of ten (its clock has
steps of 0.1 ms); "batched" is a text's share of a call with 20 of them, the least (whatever else runs comes between
in a longer call), where a runtime has such a call. "start"
is reading the file until the first call can be made; in wasmtime compiling the module comes once a process on top. The last
line is JSON for scripts/bench.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hearthway.records.errors import HearthwayError, InputError
from hearthway.student import cpu, reference, wasm
from hearthway.student import header as h
from hearthway.student.format import Student, read

if TYPE_CHECKING:
    from bench._browser import Browser
    from bench._ends import started
    from bench._text_student import text_student
else:  # its own folder is on the path
    from _browser import Browser
    from _ends import started
    from _text_student import text_student

RUNTIMES = ("reference", "cpu", "wasm", "chromium")
WARM = 20  # calls before those that count
BATCH = 20
Row = dict[str, Any]


def timed(act: Callable[..., Any], *given_to: Any) -> tuple[float, Any]:
    """(ms, what it gave)."""
    begun = time.perf_counter()
    given = act(*given_to)
    return (time.perf_counter() - begun) * 1000, given


def row(name: str, start_ms: float, single_ms: Sequence[float], batched_ms: float | None) -> Row:
    """One line of the table; times in ms."""
    p50, p90 = np.percentile(single_ms, (50, 90))
    return {"runtime": name, "p50": p50, "p90": p90, "batched": batched_ms, "start": start_ms}


def measured(name: str, student: Student, inputs: Sequence[Any]) -> Row:
    """A runtime's row."""
    if name == "chromium":
        with Browser() as browser:
            return row(name, *browser.times_ms(student, inputs))
    if name == "reference":
        singles = [timed(reference.run, student, one)[0] for one in inputs]
        return row(name, 0.0, singles[WARM:], None)
    runtime: Any
    if name == "wasm":
        wasm.shipped()
        start_ms, runtime = timed(wasm.Runtime, student)
    else:
        start_ms, runtime = timed(cpu.Runtime, student)
    singles = [timed(runtime.run, one)[0] for one in inputs]
    batched_ms: float | None = None
    if name == "wasm":
        parts = [inputs[at : at + BATCH] for at in range(WARM, len(inputs), BATCH)]
        batched_ms = min(timed(runtime.run_all, x)[0] / len(x) for x in parts)
    return row(name, start_ms, singles[WARM:], batched_ms)


def drawn(student: Student, count: int) -> list[Any]:
    """Inputs of 5 to 15 tokens; InputError where the student takes no text."""
    if not isinstance(student.header.input, h.TextInput):
        raise InputError("The student takes no text.", "Give one that does.")
    rng = np.random.default_rng(1)
    tokens, most = student.plan.values[h.INPUT].bound, student.header.input.steps_max
    lengths = np.minimum(rng.integers(5, 16, count), most)
    return [rng.integers(0, tokens, n).astype(np.int32) for n in lengths]


def main() -> int:
    """Measure, print; 2 where it cannot be run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--student", type=Path)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--runtimes", default=",".join(RUNTIMES))
    options = parser.parse_args()
    names = options.runtimes.split(",")
    if options.texts < 2 * WARM or not set(names) <= set(RUNTIMES):
        parser.error(f"--texts begins at {2 * WARM}; runtimes: {', '.join(RUNTIMES)}")
    try:
        made = options.student or text_student(np.random.default_rng(1))
        student = read(made)
        compiling_ms, _ = timed(wasm.shipped)
        rows = [measured(name, student, drawn(student, options.texts)) for name in names]
    except HearthwayError as error:
        print(f"runtimes: {error}", file=sys.stderr)
        return 2
    print(f"{student.size} bytes, {options.texts} texts, load {os.getloadavg()[0]:.1f}; ms")
    print(f"{'runtime':10} {'p50':>8} {'p90':>8} {'batched':>8} {'start':>8}")
    for one in rows:
        batched = "" if one["batched"] is None else f"{one['batched']:.3f}"
        print(
            f"{one['runtime']:10} {one['p50']:8.3f} {one['p90']:8.3f} {batched:>8} {one['start']:8.1f}"
        )
    print(f"wasmtime compiles the module in {compiling_ms:.0f}")
    print(json.dumps({"bench": "runtimes", "bytes": student.size, "rows": rows}))
    return 0


if __name__ == "__main__":
    started(main)
