"""What a call of a student costs in each runtime, one text at a time and many at once, in one run.

    python bench/runtimes.py [--data DIR [--split NAME]] [--student FILE] [--texts N] [--runtimes reference,cpu,wasm,chromium]

FILE is a student that takes text, by default the shipped one of questions. Its inputs are the first N of CLINC150's utterances in
DIR, mixed by a seed (of part NAME, else of all parts that are there); without DIR 5 to 15 random tokens, seeded. They are the same for all.
p50 and p90 are of single calls, in Chromium of means of ten (its clock has
steps of 0.1 ms); "batched" is a text's share of a call with 20 of them, the least (whatever else runs comes between
in a longer call), where a runtime has such a call. "start"
is reading the file until the first call can be made; in wasmtime compiling the module comes once a process on top. All
in one thread. The last line is JSON for scripts/bench; the peer of each runtime is the reference, where that is measured.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is loaded

import numpy as np

from hearthway.records.errors import HearthwayError, InputError
from hearthway.student import cpu, reference, wasm
from hearthway.student import header as h
from hearthway.student.format import Student, read
from hearthway.student.tokens import Tokenizer

if TYPE_CHECKING:
    from bench._browser import Browser
    from bench._ends import finish, refused, started
    from bench.bits import SHIPPED, utterances
else:  # its own folder is on the path
    from _browser import Browser
    from _ends import finish, refused, started
    from bits import SHIPPED, utterances

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


def drawn(student: Student, texts: Sequence[str], count: int) -> list[Any]:
    """So many inputs, of the texts where there are any, else of 5 to 15 tokens; InputError where the student takes no text or they are too few."""
    given = student.header.input
    if not isinstance(given, h.TextInput):
        raise InputError("The student takes no text.", "Give one that does.")
    rng = np.random.default_rng(1)
    if texts:
        if len(texts) < count:
            raise InputError(
                f"There are {len(texts)} texts, and {count} were asked for.",
                f"--texts {len(texts)} takes all.",
            )
        tokenizer = Tokenizer(given, student.tensors[given.vocabulary])
        return [tokenizer.ids(texts[at]) for at in rng.permutation(len(texts))[:count]]
    tokens, most = student.plan.values[h.INPUT].bound, given.steps_max
    lengths = np.minimum(rng.integers(5, 16, count), most)
    return [rng.integers(0, tokens, n).astype(np.int32) for n in lengths]


def as_rows(case: str, rows: Sequence[Row]) -> list[Row]:
    """As all benches write them: a row a runtime and figure, beside the reference's."""
    normal = next((one for one in rows if one["runtime"] == "reference"), {})
    told = []
    for one in rows:
        for metric in ("p50", "p90", "batched", "start"):
            ours, theirs = one[metric], normal.get(metric)
            if ours is None:
                continue
            what = {"case": f"{case}, {one['runtime']}", "metric": metric, "unit": "ms"}
            peer: Row = {"peer": "", "theirs": None, "ratio": None}
            if theirs:  # it has no calls of many texts, and nothing to start
                peer = {"peer": "reference", "theirs": theirs, "ratio": ours / theirs}
            told.append(what | {"ours": ours} | peer)
    return told


def main() -> int:
    """Measure, print; 2 where it cannot be run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--split", default="", help="a part of CLINC150; all that are there")
    parser.add_argument("--student", type=Path, default=SHIPPED / "ask.student")
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--runtimes", default=",".join(RUNTIMES))
    options = parser.parse_args()
    names = options.runtimes.split(",")
    if options.texts < 2 * WARM or not set(names) <= set(RUNTIMES):
        parser.error(f"--texts begins at {2 * WARM}; runtimes: {', '.join(RUNTIMES)}")
    try:
        student = read(options.student)
        texts = utterances(options.data, options.split) if options.data else []
        inputs = drawn(student, texts, options.texts)
        compiling_ms, _ = timed(wasm.shipped)
        rows = [measured(name, student, inputs) for name in names]
    except HearthwayError as error:
        return refused(error)
    kind = "utterances of CLINC150" if texts else "random texts"
    case = f"{options.student.name}, {options.texts} {kind}"
    print(f"{case}, {student.size} bytes, load {os.getloadavg()[0]:.1f}; ms")
    print(f"{'runtime':10} {'p50':>8} {'p90':>8} {'batched':>8} {'start':>8}")
    for one in rows:
        batched = "" if one["batched"] is None else f"{one['batched']:.3f}"
        print(
            f"{one['runtime']:10} {one['p50']:8.3f} {one['p90']:8.3f} {batched:>8} {one['start']:8.1f}"
        )
    print(f"wasmtime compiles the module in {compiling_ms:.0f}")
    finish("runtimes", as_rows(case, rows), bytes=student.size, compiling_ms=compiling_ms)
    return 0


if __name__ == "__main__":
    started(main)
