"""Mutation score: of small faults planted one at a time in a module, how many do its own fast tests notice?

    python bench/mutation.py --module grants --sample 200 --seed 1

`mutants.py` makes the faults. Nothing on disk is changed. One process collects a module's tests once, notes which of
them run which line, and forks for every fault: the child swaps the changed function's code into the loaded module
and runs the tests that reach it, quick ones first, until one fails; a changed constant is swapped as well. What only
an import can change (fields of a class) is run in a process that imports the changed module in place of the real
one. Hypothesis draws few examples
there, the same ones each time. With `--confirm` what survives meets every test once more, imported and with all
examples; `--verify` does the same for some of those that were noticed, so that it shows if a fault counted only by
the way it was planted. A child out of CPU time was noticed; one that merely waits too long is tried again.

Faults that cannot be noticed, because they mean the same, stand in EQUIVALENT with the reason, and are not counted.
`--data` is not needed. The last line is JSON; `theirs` is the share that is asked for (90 %).
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import gc
import importlib.abc
import importlib.util
import io
import json
import os
import random
import re
import resource
import select
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from bench._ends import started
    from bench._equivalent import EQUIVALENT
    from bench.mutants import Mutant, mutants, plant
else:  # run as a script, which finds what lies beside it
    from _ends import started
    from _equivalent import EQUIVALENT
    from mutants import Mutant, mutants, plant

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "hearthway"
PARTS = ("student", "mesh")  # where modules are looked for
WANTED = 90.0
EXAMPLES = 10  # drawn at most from a law, before whatever survives meets them all
CALLS = 300  # of a function in one test that are looked at: later ones seldom run another line
# module -> the tests that have to notice
TESTS: dict[str, tuple[str, ...]] = {
    "grants": (
        "tests/mesh/test_grants.py",
        "tests/attack/test_grants.py",
        "tests/cli/test_grant.py",
    ),
    "rules": ("tests/mesh/test_rules.py", "tests/mesh/test_rules_[c-oq-z]*.py"),
    "rules_file": ("tests/mesh/test_rules.py", "tests/mesh/test_rules_[c-oq-z]*.py"),
    "precision": ("tests/mesh/test_precision.py",),
    "consent": ("tests/mesh/test_consent*.py",),
    "consent_table": ("tests/mesh/test_consent*.py",),
    "replica": (
        "tests/mesh/test_replica.py",
        "tests/mesh/test_replica_limits.py",
        "tests/mesh/test_replica_merge.py",
    ),
    "replica_sync": ("tests/mesh/test_replica_wire*.py",),
    "hlc": ("tests/mesh/test_hlc*.py",),
    "registers": (
        "tests/mesh/test_regist*.py",
        "tests/mesh/test_store.py",
    ),
    "reference": ("tests/student/test_reference.py", "tests/student/test_legal.py"),
    "cpu": ("tests/student/test_cpu*.py", "tests/student/test_legal_edges.py"),
    "legal": ("tests/student/test_legal*.py", "tests/student/test_format.py"),
    "forms": ("tests/student/test_legal*.py", "tests/student/test_reference.py"),
    "tokens": ("tests/student/test_tokens.py", "tests/student/test_legal_edges.py"),
    "answer": ("tests/student/test_answer.py", "tests/student/test_paths.py"),
}
# tests of the clock on the wall, which a loaded machine fails, and long ones that tell little more than the rest
LEFT_OUT = "not flipped_bit and not structure_aware and not random_bytes and not microseconds and not quick and not long_run"
# (module, changed line as it reads, what is done) -> why nobody can notice


class Verdict(NamedTuple):
    """What became of one fault: the test that noticed it, or ""."""

    noticed: str
    cpu_s: float


# -- in a child ---------------------------------------------------------------------------------------


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives the changed module when it is imported, and leaves every other to the usual finders."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self._name, self._path, self._tree = name, path, tree

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.util.spec_from_file_location(fullname, self._path, loader=self)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._tree, str(self._path), "exec"), module.__dict__)


class _Watch:
    """Hears what pytest reports."""

    def __init__(self, took: dict[str, float] | None = None) -> None:
        self.failed: list[str] = []
        self.took: dict[str, float] = {}
        self._known = took

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self._known is not None:  # a fault that never ends is noticed soon
            most_cpu_s = max(1.0, 5 * self._known.get(nodeid, 0.0))
            signal.setitimer(signal.ITIMER_PROF, most_cpu_s)

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.took[report.nodeid] = round(self.took.get(report.nodeid, 0.0) + report.duration, 4)
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append(f"collecting {report.nodeid}")


def _quiet() -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    sys.stdout = sys.stderr = io.StringIO()


def _arguments(module: str) -> list[str]:
    args = [
        "-x",
        "-q",
        "-m",
        "not slow",
        "-k",
        LEFT_OUT,
        "-p",
        "no:cacheprovider",
        "-o",
        "timeout=0",
    ]
    args += ["-W", "ignore::pytest.PytestAssertRewriteWarning", f"--rootdir={ROOT}"]
    return [*args, "--capture=sys", "-c", str(ROOT / "pyproject.toml"), *_tests(module)]


def _file(module: str) -> Path:
    """Where the module stands."""
    return next(file for part in PARTS for file in (PACKAGE / part).rglob(f"{module}.py"))


def _name(module: str) -> str:
    """How it is imported."""
    return ".".join(("hearthway", *_file(module).relative_to(PACKAGE).with_suffix("").parts))


def _tests(module: str) -> list[str]:
    found = [str(p) for pattern in TESTS[module] for p in sorted(ROOT.glob(pattern))]
    if not found:
        raise SystemExit(f"There are no tests for {module}: {', '.join(TESTS[module])}")
    return found


def _few_examples(most: int) -> None:
    """Hypothesis from now on: no shrinking, nothing remembered, the same draws every time."""
    import hypothesis

    phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
    hypothesis.settings.register_profile(
        "mutation",
        phases=phases,
        database=None,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        max_examples=most,
    )
    hypothesis.settings.load_profile("mutation")


def _limit_examples(item: Any, most: int) -> None:
    """What a test sets by itself is cut as well."""
    import hypothesis

    plain = getattr(item, "obj", None)
    plain = getattr(plain, "__func__", plain)
    own = getattr(plain, "_hypothesis_internal_use_settings", None)
    if plain is not None and own is not None and own.max_examples > most:
        plain._hypothesis_internal_use_settings = hypothesis.settings(own, max_examples=most)


def forked(work: Callable[[], Any], cpu_s: float, wall_s: float) -> tuple[Any, float]:
    """(what `work` gives in a child, its CPU seconds). "out of CPU time", "waits" or "died" where it gives nothing."""
    read, write = os.pipe()
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        answer: Any = "died"
        try:
            os.close(read)
            os.setpgid(0, 0)
            limit = int(cpu_s) + 1
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
            for one in (signal.SIGXCPU, signal.SIGPROF):
                signal.signal(one, signal.SIG_DFL)
            answer = work()
        finally:
            with os.fdopen(write, "w") as pipe:
                json.dump(answer, pipe)
            os._exit(0)  # whatever happens: never back into the parent's code
    os.close(write)
    text, late = "", False
    with os.fdopen(read) as pipe:
        while True:
            left_s = begin + wall_s - time.monotonic()
            if left_s <= 0.0 or not select.select([pipe], [], [], left_s)[0]:
                late = True
                break
            if not (some := os.read(pipe.fileno(), 1 << 16)):
                break
            text += some.decode()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    spent_s = usage.ru_utime + usage.ru_stime
    if text:
        return json.loads(text), spent_s
    if late:
        return "waits", spent_s
    spent = os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGPROF)
    return ("out of CPU time" if spent else "died"), spent_s


def imported(module: str, tree: ast.Module | None, first: str = "") -> Any:
    """In a child that knows nothing of Hearthway yet: every test, with all its examples. [failed, durations]"""
    import pytest

    _quiet()
    if tree is not None:
        sys.meta_path.insert(0, _Finder(_name(module), _file(module), tree))
    _few_examples(100)
    watch = _Watch()

    class Order:
        def pytest_collection_modifyitems(self, items: list[Any]) -> None:
            items.sort(key=lambda item: item.nodeid != first)

    done = pytest.main(_arguments(module), plugins=[watch, Order()])
    failed = watch.failed or (["pytest itself"] if done else [])
    return [failed, watch.took]


# -- the process that has everything loaded -----------------------------------------------------------


class Loaded:
    """Runs inside pytest, in place of its loop: forks once a fault. Talks to its parent in lines of JSON."""

    def __init__(
        self, module: str, chosen: Sequence[Mutant], source: str, pipe: Any, budget_s: float
    ) -> None:
        self._name, self._chosen, self._source, self._budget_s = module, chosen, source, budget_s
        self._pipe = pipe
        self._path = str(_file(module))
        self._ran: dict[str, set[int]] = {}
        self._took: dict[str, float] = {}
        self._eager: Counter[str] = Counter()  # how many faults a test noticed

    def pytest_runtestloop(self, session: Any) -> bool:
        from _pytest.main import pytest_runtestloop as usual

        self._usual, self._session, self._items = usual, session, list(session.items)
        for item in self._items:
            _limit_examples(item, EXAMPLES)
        ran, _ = forked(self._traced, 600.0, 900.0)
        found, spent_s = forked(lambda: self._run(self._items), 300.0, 600.0)
        if isinstance(ran, str) or isinstance(found, str) or found[0]:
            self._say({"broken": [ran if isinstance(ran, str) else "", found]})
            return True
        self._ran = {name: set(lines) for name, lines in ran.items()}
        self._took = found[1]
        self._say({"tests": len(self._items), "clean_cpu_s": spent_s})
        gc.collect()
        gc.freeze()  # what is shared with the children stays shared
        end = time.monotonic() + self._budget_s
        for n, mutant in enumerate(self._chosen):
            if time.monotonic() > end:
                break
            self._say({"n": n, **self._judge(n, mutant, spent_s)})
        return True

    def _say(self, what: dict[str, Any]) -> None:
        self._pipe.write(json.dumps(what) + "\n")
        self._pipe.flush()

    def _judge(self, n: int, mutant: Mutant, clean_cpu_s: float) -> dict[str, Any]:
        first, last = mutant.lines
        reached = [
            item
            for item in self._items
            if not mutant.function
            or not self._ran.get(item.nodeid, set()).isdisjoint(range(first, last + 1))
        ]
        if not reached:
            return {"noticed": "", "cpu_s": 0.0, "reached": 0}
        # quick ones first, and those that have noticed much
        reached.sort(
            key=lambda i: (self._took.get(i.nodeid, 0.0) + 0.005) / (1 + self._eager[i.nodeid])
        )

        def work() -> Any:
            return self._run(reached, mutant)

        needs_s = sum(self._took.get(i.nodeid, 0.0) for i in reached)
        most_s = 5.0 + 5 * needs_s
        answer, spent_s = forked(work, most_s, 5 * most_s)
        if answer == "waits":  # once more: the machine may have been busy
            answer, spent_s = forked(work, most_s, 15 * most_s)
        if answer == "cannot":
            return {"import": True}
        failed = answer if isinstance(answer, str) else answer[0][0] if answer[0] else ""
        if failed in self._took:
            self._eager[failed] += 1
        return {"noticed": failed, "cpu_s": spent_s, "reached": len(reached)}

    def _run(self, items: list[Any], mutant: Mutant | None = None) -> Any:
        _quiet()
        if mutant is not None and not self._swap(mutant):
            return "cannot"
        watch = _Watch(self._took if mutant else None)
        self._session.config.pluginmanager.register(watch)
        self._own_folder()
        self._session.items[:] = items
        with contextlib.suppress(self._session.Failed):
            self._usual(self._session)
        return [watch.failed, watch.took]

    def _own_folder(self) -> None:
        base = Path(tempfile.mkdtemp())
        self._session.config._tmp_path_factory._basetemp = base

    def _swap(self, mutant: Mutant) -> bool:
        """Put the changed code into the function that is loaded; False where that cannot be done."""
        changed = compile(plant(self._source, mutant), self._path, "exec")
        module = sys.modules[_name(self._name)]
        if not mutant.function:
            return _swap_values(module, changed)
        made = dict(_codes(changed))
        loaded = _function(module, mutant.function)
        if loaded is None or mutant.function not in made:
            return False
        try:
            loaded.__code__ = made[mutant.function]
        except ValueError:  # another number of names from around it
            return False
        return True

    def _traced(self) -> dict[str, list[int]]:
        """Which lines of the module each test runs, its fixtures included."""
        import pytest

        ran: dict[str, set[int]] = {}
        lines: set[int] = set()
        calls: Counter[CodeType] = Counter()

        def inside(frame: Any, event: str, _: Any) -> Any:
            lines.add(frame.f_lineno)
            return inside

        def outside(frame: Any, event: str, _: Any) -> Any:
            if frame.f_code.co_filename != self._path:
                return None
            lines.add(frame.f_lineno)
            calls[frame.f_code] += 1
            return inside if calls[frame.f_code] <= CALLS else None

        class Trace:
            @pytest.hookimpl(wrapper=True)
            def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:
                nonlocal lines
                lines = ran.setdefault(item.nodeid, set())
                calls.clear()
                threading.settrace(outside)
                sys.settrace(outside)
                try:
                    return (yield)
                finally:
                    sys.settrace(None)

        _quiet()
        self._session.config.pluginmanager.register(Trace())
        self._session.config.option.maxfail = 0  # slower than a test may demand
        self._own_folder()
        with contextlib.suppress(self._session.Failed):
            self._usual(self._session)
        return {name: sorted(found) for name, found in ran.items()}


def _swap_values(module: ModuleType, changed: CodeType) -> bool:
    """Give the loaded module, and whoever has them from it, the values that the changed one works out at import.

    False where no plain value differs: it is a class that changed, or a function.
    """
    made = ModuleType(module.__name__)
    made.__dict__.update(__package__=module.__package__, __file__=module.__file__)
    exec(changed, made.__dict__)
    plain = (int, float, str, bytes, tuple, list, dict, set, frozenset, re.Pattern, type(None))
    differ = False
    for name, now in list(vars(module).items()):
        new = vars(made).get(name)
        if name.startswith("__") or not isinstance(now, plain) or new == now:
            continue
        differ = True
        for other in list(sys.modules.values()):
            if getattr(other, "__dict__", {}).get(name) is now:
                setattr(other, name, new)
    return differ


def _codes(code: CodeType, depth: int = 0) -> Iterator[tuple[str, CodeType]]:
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield one.co_qualname, one
            yield from _codes(one, depth + 1)


def _function(module: ModuleType, qualified: str) -> FunctionType | None:
    found: Any = module
    for part in qualified.split("."):
        found = vars(found).get(part)
        if found is None:
            return None
    found = getattr(found, "fget", None) or getattr(found, "__func__", found)
    while hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    return found if isinstance(found, FunctionType) else None


# -- counting -----------------------------------------------------------------------------------------


def _preload() -> None:
    """What every test needs, so that a fork finds it there; nothing of Hearthway."""
    import anyio  # noqa: F401
    import biscuit_auth  # noqa: F401
    import blockbuster  # noqa: F401
    import click.testing  # noqa: F401
    import cryptography.x509  # noqa: F401
    import hypothesis.strategies  # noqa: F401
    import msgspec  # noqa: F401
    import numpy  # noqa: F401
    import pytest  # noqa: F401


def judged(
    module: str, chosen: Sequence[Mutant], source: str, budget_s: float
) -> Iterator[dict[str, Any]]:
    """The lines of a `Loaded` process: first about the tests without a fault, then one for each fault."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read)
            import pytest

            pipe = os.fdopen(write, "w")
            _quiet()
            _few_examples(EXAMPLES)
            pytest.main(
                _arguments(module), plugins=[Loaded(module, chosen, source, pipe, budget_s)]
            )
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as lines:
        for line in lines:
            yield json.loads(line)
    os.waitpid(child, 0)


def _by_import(module: str, source: str, mutant: Mutant, first: str, clean_cpu_s: float) -> Verdict:
    tree = plant(source, mutant)
    most_s = max(30.0, 10 * clean_cpu_s)
    answer, spent_s = forked(lambda: imported(module, tree, first), most_s, 10 * most_s)
    failed = answer if isinstance(answer, str) else answer[0][0] if answer[0] else ""
    return Verdict(failed, spent_s)


def score(
    module: str, sample: int, seed: int, budget_s: float, verify: int, confirm: bool
) -> dict[str, Any]:
    """Plants faults in one module and counts what was noticed; prints the survivors."""
    source = _file(module).read_text(encoding="utf-8")
    begin, before = time.monotonic(), os.times()
    made = mutants(source)
    every = [m for m in made if (module, m.text, m.what) not in EQUIVALENT]
    size = sample if 0 < sample < len(every) else len(every)
    chosen = random.Random(seed).sample(
        every, size
    )  # in no order, so that a budget cuts no part off
    verdicts: dict[int, Verdict] = {}
    by_import: list[int] = []
    started, clean_cpu_s = begin, 0.0
    for said in judged(module, chosen, source, budget_s):
        if "broken" in said:
            raise SystemExit(
                f"The tests of {module} fail without any fault: {str(said['broken'])[:300]}"
            )
        if "tests" in said:
            started, clean_cpu_s = time.monotonic(), said["clean_cpu_s"]
            print(
                f"{module}: {len(made)} mutants, {len(made) - len(every)} mean the same, {size} chosen;"
                f" {said['tests']} tests take {clean_cpu_s:.1f} CPU s without a fault",
                flush=True,
            )
        elif "import" in said:
            by_import.append(said["n"])
        elif said["noticed"]:
            verdicts[said["n"]] = Verdict(said["noticed"], said["cpu_s"])
        else:
            if confirm and said["reached"]:
                by_import.append(said["n"])
            verdicts[said["n"]] = Verdict("", said["cpu_s"])
            why = "survived" if said["reached"] else "no test reaches it"
            m = chosen[said["n"]]
            print(f"  {why}  {module}.py:{m.line}  {m.what}  |  {m.text}", flush=True)
    fast_s, fast_cpu_s = time.monotonic() - started, sum(v.cpu_s for v in verdicts.values())
    tried = set(verdicts)
    first = ""
    noticed = sorted(n for n in tried if verdicts[n].noticed)
    checked = random.Random(seed).sample(noticed, min(verify, len(noticed)))
    disagree = 0
    for n in sorted(by_import):
        if time.monotonic() - started > 2 * budget_s:
            break
        m = chosen[n]
        verdicts[n] = _by_import(module, source, m, first, clean_cpu_s)
        first = verdicts[n].noticed or first
        how = "noticed after all" if n in tried else "survived an import"
        if bool(verdicts[n].noticed) == (n in tried):
            print(f"  {how}  {module}.py:{m.line}  {m.what}  |  {m.text}", flush=True)
    for n in checked:
        m = chosen[n]
        if not _by_import(module, source, m, verdicts[n].noticed, clean_cpu_s).noticed:
            disagree += 1
            verdicts[n] = Verdict("", 0.0)
            print(f"  survives an import  {module}.py:{m.line}  {m.what}  |  {m.text}", flush=True)
    killed = sum(bool(v.noticed) for v in verdicts.values())
    after = os.times()
    cpu_s = sum(after[:4]) - sum(before[:4])
    return {
        "module": module,
        "made": len(made),
        "equivalent": len(made) - len(every),
        "planted": len(verdicts),
        "killed": killed,
        "timeouts": sum(v.noticed in ("out of CPU time", "waits") for v in verdicts.values()),
        "score": round(100.0 * killed / len(verdicts), 1) if verdicts else 0.0,
        "swapped": len(tried),
        "swapped_per_s": round(len(tried) / fast_s, 1),
        "swapped_per_cpu_s": round(len(tried) / max(fast_cpu_s, 0.01), 1),
        "verified": len(checked),
        "disagree": disagree,
        "seconds": round(time.monotonic() - begin, 1),
        "cpu_s": round(cpu_s, 1),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every module asked for reaches the share that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", help="not needed here")
    parser.add_argument(
        "--module", action="append", choices=sorted(TESTS), help="default: all there are"
    )
    parser.add_argument("--sample", type=int, default=0, help="so many mutants a module; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--budget", type=float, default=3600.0, help="seconds a module, and as many for imports"
    )
    parser.add_argument(
        "--verify", type=int, default=10, help="so many noticed ones are planted by import as well"
    )
    parser.add_argument(
        "--confirm", action="store_true", help="what survives meets every test once more, by import"
    )
    given = parser.parse_args(arguments)
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT / "src"))
    memory = Path("/dev/shm")  # where there is one, files of tests cost no disk
    folder = tempfile.mkdtemp(dir=memory if memory.is_dir() else None)
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    try:
        _preload()
        found = []
        for module in given.module or TESTS:
            one = score(module, given.sample, given.seed, given.budget, given.verify, given.confirm)
            print(json.dumps(one), flush=True)
            found.append(one)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    rows = [
        {
            "case": f"{one['module']}, {one['planted']} of {one['made']} mutants,"
            f" {one['equivalent']} equivalent",
            "metric": "mutation score",
            "unit": "%",
            "ours": one["score"],
            "peer": "target",
            "theirs": WANTED,
            "ratio": round(one["score"] / WANTED, 3),
        }
        for one in found
    ]
    print(json.dumps({"bench": "mutation", "rows": rows}))
    return 0 if all(one["score"] >= WANTED for one in found) else 1


if __name__ == "__main__":
    started(main)
