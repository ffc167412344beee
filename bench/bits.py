"""Whether every runtime of students gives the reference's bits, and whether a fault of one unit would be noticed.

    python bench/bits.py [--models 10000] [--runtimes cpu,...] [--data DIR --split NAME --student FILE ...]

Random students of legal shape, seeded, two inputs each, until every form of the table and every edge of its integers was
reached: both ends of int8, zero under relu, ties of the rounding, the ends of int32. Compared are the bytes of all
outputs, their types and shapes. `chromium` is the page's JavaScript and module in a real browser. Then each runtime runs again with its fault planted (ties rounded down): it has to
differ. With --data, all utterances of CLINC150 that are there (or of part NAME) go through FILE, the shipped students
where none is named, and where a runtime cuts texts itself its tokens are compared with Python's. The last line is JSON for scripts/bench. Exit 1 where a byte differs, a fault is not noticed, or
something was not reached.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is loaded

import msgspec
import numpy as np

from hearthway.distill.language.datasets import clinc, clinc_parts
from hearthway.records.errors import HearthwayError, InputError
from hearthway.student import header as h
from hearthway.student import reference
from hearthway.student.format import Student, read
from hearthway.student.forms import FORMS
from hearthway.student.legal import INT32_MAX
from hearthway.student.tokens import Tokenizer

if TYPE_CHECKING:
    from bench._ends import finish, refused, started
    from bench._runtimes import RUNTIMES, CutsTexts, Job, Outputs, Runs, by_reference
    from bench._students import random_input, random_student
else:  # its own folder is on the path
    from _ends import finish, refused, started
    from _runtimes import RUNTIMES, CutsTexts, Job, Outputs, Runs, by_reference
    from _students import random_input, random_student

SHIPPED = Path(__file__).resolve().parent.parent / "src" / "hearthway" / "student" / "data"
INPUTS = 2  # of a random student
AT_ONCE = 200  # students
FAULTY = 1000  # students that a planted fault has to be noticed in
EDGES = ("127", "-128", "0 under relu", "tie", "int32's end")
TEXTS_AT_ONCE = 500


def jobs(seed: int, models: range) -> list[Job]:
    """Random students with inputs; the same for the same numbers."""
    made: list[Job] = []
    for number in models:
        rng = np.random.default_rng((seed, number))
        student = random_student(rng)
        made.append((student, [random_input(rng, student) for _ in range(INPUTS)]))
    return made


def differing(wanted: Sequence[Outputs], got: Sequence[Outputs]) -> tuple[int, int]:
    """(bytes compared, bytes that differ; all of an output whose type or shape differs)."""
    total = wrong = 0
    for right, other in zip(wanted, got, strict=True):
        for name, value in right.items():
            total += value.nbytes
            twin = other.get(name)
            if twin is None or (twin.dtype, twin.shape) != (value.dtype, value.shape):
                wrong += value.nbytes
            else:
                wrong += int((bytes_of(value) != bytes_of(twin)).sum())
        wrong += sum(other[name].nbytes for name in other.keys() - right.keys())
    return total, wrong


def bytes_of(value: Any) -> Any:
    """As they lie in memory."""
    return np.frombuffer(value.tobytes(), np.uint8)


def reached(student: Student, given: Any) -> Iterator[str]:
    """Forms and edges that one run touches."""
    values = reference.trace(student, given)
    for node in student.header.nodes:
        tensors = {field: student.tensors[name] for field, name in h.tensors_of(node)}
        yield form_of(node, set(tensors))
        value = values[node.name]
        relu = getattr(node, "relu", False)
        if value.dtype == np.int8 and not isinstance(node, h.Embedding | h.Concat):
            yield from ("127",) * bool((value == 127).any())
            yield from ("-128",) * bool((value == -128).any())
            yield from ("0 under relu",) * bool(relu and (value == 0).any())
        taken = [values[name] for name in h.inputs_of(node)]
        wide, product, shift = before_rounding(node, taken, tensors)
        if wide is not None:
            yield from ("int32's end",) * bool((np.abs(wide) == INT32_MAX).any())
        if product is not None:
            half = np.int64(1) << (np.asarray(shift, np.int64) - 1)
            yield from ("tie",) * bool(((product & (2 * half - 1)) == half).any())


def before_rounding(
    node: h.Node, taken: list[Any], tensors: dict[str, Any]
) -> tuple[Any, Any, Any]:
    """(sums or None, product or None, shift) of an operator."""
    if isinstance(node, h.Add):
        a, b = (x.astype(np.int64) * m for x, m in zip(taken, node.multipliers, strict=True))
        return None, a + b, node.shift
    if isinstance(node, h.Conv1d | h.Dense):
        bare = msgspec.structs.replace(node, rescale=None, relu=False)
        wide = reference.apply(bare, taken, tensors).astype(np.int64)
    elif isinstance(node, h.Pool) and node.how == "sum":
        wide = taken[0].sum(axis=0, dtype=np.int64)
        tensors = {"rescale": tensors["rescale"][:, len(taken[0]) - 1]}
    elif isinstance(node, h.Requantise):
        wide = taken[0].astype(np.int64)
    else:
        return None, None, None
    if "rescale" not in tensors:
        return wide, None, None
    m, s = tensors["rescale"].astype(np.int64)
    return wide, wide * m, s


def form_of(node: h.Node, fields: set[str]) -> str:
    """The name of a form in the table printed."""
    op = type(node).__struct_config__.tag
    how = getattr(node, "how", "")
    return " ".join(filter(None, (str(op), how, "+".join(sorted(fields)))))


ALL_FORMS = tuple(
    " ".join(filter(None, (form.op, form.how, "+".join(sorted(form.tensors))))) for form in FORMS
)


def random_models(
    models: int, seed: int, runtimes: dict[str, Runs]
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """A row a runtime, and how many runs reached each form and edge."""
    rows = {name: _row("random students", name) for name in runtimes}
    touched: Counter[str] = Counter()
    for start in range(0, models, AT_ONCE):
        part = jobs(seed, range(start, min(models, start + AT_ONCE)))
        for student, inputs in part:
            for given in inputs:
                touched.update(set(reached(student, given)))
        wanted = by_reference(part)
        for name, run in runtimes.items():
            _compare(rows[name], wanted, run, part)
    return list(rows.values()), touched


def _row(case: str, runtime: str) -> dict[str, Any]:
    return {"case": case, "runtime": runtime, "inputs": 0, "bytes": 0, "differing": 0, "s": 0.0}


def _compare(
    row: dict[str, Any], wanted: list[list[Outputs]], run: Runs, part: Sequence[Job]
) -> None:
    begun = time.monotonic()
    got = run(part, faulty=False)
    row["s"] += time.monotonic() - begun
    total, wrong = differing([*chain.from_iterable(wanted)], [*chain.from_iterable(got)])
    row["inputs"] += sum(len(inputs) for _, inputs in part)
    row["bytes"] += total
    row["differing"] += wrong


def planted(models: int, seed: int, runtimes: dict[str, Runs]) -> dict[str, int]:
    """Students of the first FAULTY in which each runtime's fault shows."""
    part = jobs(seed, range(min(models, FAULTY)))
    wanted = by_reference(part)
    return {
        name: sum(
            differing(right, other)[1] > 0
            for right, other in zip(wanted, run(part, faulty=True), strict=True)
        )
        for name, run in runtimes.items()
    }


def utterances(data: Path, split: str) -> list[str]:
    """The texts of CLINC150's parts that are there, or of one with its out-of-scope ones; InputError where it is absent."""
    file = next(iter(sorted(data.rglob("clinc150/data_full.json"))), None)
    if file is None:
        raise InputError(f"There is no clinc150/data_full.json in {data}.", "Give its folder.")
    folder = file.parent.parent
    if split:
        return [one.text for one in clinc(folder, split)]
    return [text for part in clinc_parts(folder).values() for text in part]


def as_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row as all benches write it: the reference differs in nothing from itself."""
    case = f"{row['case']}, {row['runtime']}"
    told = {"case": case, "metric": "bytes that differ", "unit": "bytes", "ours": row["differing"]}
    return row | told | {"peer": "reference", "theirs": 0, "ratio": None}


def texts_through(
    path: Path, texts: Sequence[str], runtimes: dict[str, Runs]
) -> list[dict[str, Any]]:
    """A row a runtime for a student that takes text."""
    student = read(path)
    given = student.header.input
    if not isinstance(given, h.TextInput):
        return []
    tokenizer = Tokenizer(given, student.tensors[given.vocabulary])
    rows = {name: _row(f"{path.name}, CLINC150", name) for name in runtimes}
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        part = [(student, [tokenizer.ids(t) for t in texts[start : start + TEXTS_AT_ONCE]])]
        wanted = by_reference(part)
        for name, run in runtimes.items():
            _compare(rows[name], wanted, run, part)
    cut = [
        _tokens(f"{path.name}, tokens", name, run, student, tokenizer, texts)
        for name, run in runtimes.items()
        if isinstance(run, CutsTexts)
    ]
    return [*rows.values(), *cut]


def _tokens(
    case: str,
    name: str,
    run: CutsTexts,
    student: Student,
    tokenizer: Tokenizer,
    texts: Sequence[str],
) -> dict[str, Any]:
    """A row of ids and places, as four int32 a token."""
    row = _row(case, name)
    begun = time.monotonic()
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        part = texts[start : start + TEXTS_AT_ONCE]
        for text, cut in zip(part, run.tokens(student, part), strict=True):
            wanted = {"tokens": np.array(tokenizer.tokens(text), np.int32)}
            total, wrong = differing([wanted], [{"tokens": np.array(cut, np.int32)}])
            row["inputs"] += 1
            row["bytes"] += total
            row["differing"] += wrong
    row["s"] = time.monotonic() - begun
    return row


def main() -> int:
    """Compare, print; 1 where something differs, 2 where it cannot be run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runtimes", default=",".join(RUNTIMES))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--split", default="", help="a part of CLINC150; all that are there")
    parser.add_argument("--student", type=Path, action="append", default=[])
    options = parser.parse_args()
    names = options.runtimes.split(",")
    if options.models < 1 or options.seed < 0 or not set(names) <= set(RUNTIMES):
        parser.error(f"--models begins at 1, --seed at 0; runtimes: {', '.join(RUNTIMES)}")
    try:
        return _run(options, names)
    except HearthwayError as error:
        return refused(error)


def _run(options: argparse.Namespace, names: Sequence[str]) -> int:
    texts = utterances(options.data, options.split) if options.data else []
    files = options.student or sorted(SHIPPED.glob("*.student"))
    with ExitStack() as stack:
        runtimes = {name: stack.enter_context(RUNTIMES[name]()) for name in names}
        rows, touched = random_models(options.models, options.seed, runtimes)
        noticed = planted(options.models, options.seed, runtimes)
        for path in files if texts else []:
            rows += texts_through(path, texts, runtimes)
    for row in rows:
        print(
            f"{row['case']:32} {row['runtime']:10} {row['inputs']:7} inputs {row['bytes']:11} bytes"
            f" {row['differing']:9} differing  {row['s']:7.1f} s"
        )
    for name, count in noticed.items():
        print(f"a tie rounded down in {name}: noticed in {count} of {min(options.models, FAULTY)}")
    missed = [name for name in (*ALL_FORMS, *EDGES) if not touched[name]]
    for name in (*ALL_FORMS, *EDGES):
        print(f"  reached in {touched[name]:6} runs: {name}")
    finish("bits", [as_row(row) for row in rows], noticed=noticed, missed=missed)
    wrong = any(row["differing"] for row in rows) or not all(noticed.values()) or missed
    return 1 if wrong else 0


if __name__ == "__main__":
    started(main)
