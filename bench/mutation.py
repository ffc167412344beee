"""Mutation score: of small faults planted one at a time in a module, how many do its own fast tests notice?

    python bench/mutation.py --module grants --sample 200 --seed 1

Mutants are made from the syntax tree: comparisons turned, `and` and `or` swapped, conditions negated, constants
moved, returns and statements dropped, arguments dropped, operators swapped. Nothing on disk is changed: a process
with the test libraries loaded forks once a mutant, compiles the changed module in place of the real one, and runs
pytest in it until the first failure. A mutant that runs out of time is killed too. Mutants that cannot be noticed,
because they mean the same, stand in EQUIVALENT with the reason, and are not counted.

`--data` is not needed. The last line is JSON; `theirs` is the share that is asked for (90 %).
"""

from __future__ import annotations

import argparse
import ast
import importlib.abc
import importlib.util
import io
import json
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
MESH = ROOT / "src" / "hearthway" / "mesh"
WANTED = 90.0
# module -> the tests that have to notice
TESTS: dict[str, tuple[str, ...]] = {
    "grants": (
        "tests/mesh/test_grants.py",
        "tests/attack/test_grants.py",
        "tests/cli/test_grant.py",
    ),
    "tokens": ("tests/app/test_granting.py",),
    "rules": ("tests/mesh/test_rules*.py",),
    "rules_file": ("tests/mesh/test_rules*.py",),
    "precision": ("tests/mesh/test_precision.py",),
    "consent": ("tests/mesh/test_consent*.py",),
    "replica": ("tests/mesh/test_replica*.py",),
    "replica_sync": ("tests/mesh/test_replica*.py",),
    "hlc": ("tests/mesh/test_hlc*.py",),
    "registers": (
        "tests/mesh/test_regist*.py",
        "tests/mesh/test_store.py",
        "tests/mesh/test_replica*.py",
    ),
}
# long tests that tell little more about a fault than the rest does
LEFT_OUT = "not flipped_bit and not structure_aware and not random_bytes and not partitions"
# (module, changed line as it reads, what is done) -> why nobody can notice
EQUIVALENT: dict[tuple[str, str, str], str] = {}
_COMPARE: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_BINARY: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


class Mutant(NamedTuple):
    """One fault that can be planted: the how-manieth node of the tree, and which change of it."""

    line: int
    what: str
    text: str  # the line as it stands in the file
    node: int
    choice: int


def mutants(source: str) -> list[Mutant]:
    """Every fault this script knows how to plant, in the order of the file."""
    lines = source.splitlines()
    found = [
        Mutant(line := getattr(node, "lineno", 0), what, lines[line - 1].strip(), number, choice)
        for number, node in enumerate(_nodes(ast.parse(source)))
        for choice, what in enumerate(_choices(node))
    ]
    return sorted(found, key=lambda m: m.line)


def plant(source: str, mutant: Mutant) -> ast.Module:
    """The module's tree with that fault."""
    tree = ast.parse(source)
    _apply(tree, _nodes(tree)[mutant.node], mutant.choice)
    return ast.fix_missing_locations(tree)


def _nodes(tree: ast.Module) -> list[ast.AST]:
    skipped = _skipped(tree)
    return [node for node in ast.walk(tree) if id(node) not in skipped]


def _skipped(tree: ast.Module) -> set[int]:
    """Docstrings, annotations, type-checking blocks, and the words of messages: no behaviour to test."""
    out: set[int] = set()

    def skip(node: ast.AST | None) -> None:
        if node is not None:
            out.update(id(n) for n in ast.walk(node))

    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skip(node)  # a docstring
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            skip(node.returns)
            for one in node.decorator_list:
                skip(one)
        elif isinstance(node, ast.arg | ast.AnnAssign):
            skip(node.annotation)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            skip(node)
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            for argument in node.exc.args:
                skip(argument)  # what the sentence says; that it is raised is tested
        elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith("log."):
            skip(node)
        elif isinstance(node, ast.ClassDef):
            for keyword in node.keywords:
                skip(keyword)  # frozen, kw_only: the type checker's
        elif isinstance(node, ast.Import | ast.ImportFrom):
            skip(node)
    return out


def _choices(node: ast.AST) -> list[str]:  # one entry for every change `_apply` can make
    match node:
        case ast.Compare(ops=[op]) if type(op) in _COMPARE:
            name = type(op).__name__
            return [f"{name} becomes {to.__name__}" for to in _COMPARE[type(op)]]
        case ast.BoolOp():
            swapped = "or" if isinstance(node.op, ast.And) else "and"
            return [
                f"all joined by {swapped}",
                *(f"part {n + 1} dropped" for n in range(len(node.values))),
            ]
        case ast.UnaryOp(op=ast.Not()):
            return ["not dropped"]
        case ast.BinOp() if type(node.op) in _BINARY:
            return [f"{type(node.op).__name__} becomes {_BINARY[type(node.op)].__name__}"]
        case ast.Constant(value=bool()):
            return ["turned over"]
        case ast.Constant(value=int() | float()):
            return ["one more", "one less"]
        case ast.Constant(value=str() | bytes()) if node.value:
            return ["emptied"]
        case ast.If() | ast.While() | ast.IfExp():
            return ["condition turned over"]
        case ast.Return() if node.value is not None and not _is_none(node.value):
            return ["returns None"]
        case ast.Call() if len(node.args) + len(node.keywords) > 1:
            count = len(node.args) + len(node.keywords)
            return [f"argument {n + 1} dropped" for n in range(count)]
        case ast.Expr(value=ast.Call() | ast.Await()):
            return ["statement dropped"]
        case ast.AugAssign() | ast.Raise() | ast.Delete():
            return ["statement dropped"]
        case ast.Assign() if not isinstance(node.targets[0], ast.Name):
            return ["statement dropped"]
        case ast.Break() | ast.Continue():
            return ["statement dropped"]
        case ast.comprehension() if node.ifs:
            return ["filter dropped"]
    return []


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _apply(tree: ast.Module, node: ast.AST, choice: int) -> None:
    match node:
        case ast.Compare():
            node.ops = [_COMPARE[type(node.ops[0])][choice]()]
        case ast.BoolOp():
            if choice == 0:
                node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            else:
                del node.values[choice - 1]
                if len(node.values) == 1:
                    _replace(tree, node, node.values[0])
        case ast.UnaryOp():
            _replace(tree, node, node.operand)
        case ast.BinOp():
            node.op = _BINARY[type(node.op)]()
        case ast.Constant(value=bool()):
            node.value = not node.value
        case ast.Constant(value=int() | float() as number):
            node.value = number + 1 if choice == 0 else -1
        case ast.Constant():
            node.value = "" if isinstance(node.value, str) else b""
        case ast.If() | ast.While() | ast.IfExp():
            node.test = ast.UnaryOp(op=ast.Not(), operand=node.test)
        case ast.Return():
            node.value = ast.Constant(value=None)
        case ast.Call():
            if choice < len(node.args):
                del node.args[choice]
            else:
                del node.keywords[choice - len(node.args)]
        case ast.comprehension():
            node.ifs = []
        case _:
            _replace(tree, node, ast.Pass())


def _replace(tree: ast.Module, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
                return
            if isinstance(value, list) and any(one is old for one in value):
                setattr(parent, name, [new if one is old else one for one in value])
                return


# -- running ------------------------------------------------------------------------------------------


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


def _tests(module: str) -> list[str]:
    found = [str(p) for pattern in TESTS[module] for p in sorted(ROOT.glob(pattern))]
    if not found:
        raise SystemExit(f"There are no tests for {module}: {', '.join(TESTS[module])}")
    return found


def _preload() -> None:
    """What every test needs, so that a fork finds it there; nothing of Hearthway."""
    import anyio  # noqa: F401
    import biscuit_auth  # noqa: F401
    import blockbuster  # noqa: F401
    import cryptography.x509  # noqa: F401
    import hypothesis.strategies  # noqa: F401
    import msgspec  # noqa: F401
    import numpy  # noqa: F401
    import pytest  # noqa: F401


def run(
    module: str, tree: ast.Module | None, timeout_s: float, order: dict[str, float]
) -> tuple[bool, dict[str, float], str]:
    """(did the tests pass, what each took, which failed) with this tree in the module's place, in a fork."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        os.setpgid(0, 0)
        signal.alarm(int(timeout_s) + 5)
        passed = False
        try:
            passed, took, failed = _in_fork(module, tree, order)
            os.write(write, json.dumps([took if tree is None else {}, failed]).encode()[:60_000])
        finally:
            os._exit(0 if passed else 1)  # whatever happens: never back into the parent's code
    os.close(write)
    end = time.monotonic() + timeout_s
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(read)
            return False, {}, "out of time"
        time.sleep(0.01)
    with os.fdopen(read, "rb") as pipe:
        took, failed = json.loads(pipe.read() or b'[{}, "died"]')
    return os.waitstatus_to_exitcode(status) == 0, took, failed


def _in_fork(
    module: str, tree: ast.Module | None, order: dict[str, float]
) -> tuple[bool, dict[str, float], str]:
    import hypothesis
    import pytest

    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    sys.stdout = sys.stderr = io.StringIO()
    if tree is not None:
        sys.meta_path.insert(0, _Finder(f"hearthway.mesh.{module}", MESH / f"{module}.py", tree))
    # A fault need not be shown at its smallest, which takes most of the time; and none is remembered for later.
    generate = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
    hypothesis.settings.register_profile(
        "mutation", phases=generate, database=None, derandomize=True
    )
    hypothesis.settings.load_profile("mutation")
    failed: list[str] = []
    took: dict[str, float] = {}

    class Watch:
        def pytest_runtest_logreport(self, report: Any) -> None:
            took[report.nodeid] = round(took.get(report.nodeid, 0.0) + report.duration, 3)
            if report.failed:
                failed.append(report.nodeid)

        def pytest_collectreport(self, report: Any) -> None:
            if report.failed:
                failed.append(f"collecting {report.nodeid}")

        def pytest_collection_modifyitems(self, items: list[Any]) -> None:
            items.sort(key=lambda item: order.get(item.nodeid, 0.0))  # the quick ones first

    args = ["-x", "-q", "-m", "not slow", "-k", LEFT_OUT, "-p", "no:cacheprovider"]
    args += ["-W", "ignore::pytest.PytestAssertRewriteWarning", f"--rootdir={ROOT}"]
    args += ["-c", str(ROOT / "pyproject.toml"), *_tests(module)]
    passed = pytest.main(args, plugins=[Watch()]) == 0
    return passed, took, failed[0] if failed else "import or collection"


def score(module: str, sample: int, seed: int, budget_s: float) -> dict[str, Any]:
    """Plants faults in one module and counts what was noticed; prints the survivors."""
    source = (MESH / f"{module}.py").read_text(encoding="utf-8")
    begin = time.monotonic()
    fine, order, failed = run(module, None, 300.0, {})
    if not fine:
        raise SystemExit(f"The tests of {module} fail without any fault: {failed}")
    clean_s = time.monotonic() - begin
    every = [m for m in mutants(source) if (module, m.text, m.what) not in EQUIVALENT]
    chosen = every
    if 0 < sample < len(every):
        chosen = sorted(random.Random(seed).sample(every, sample), key=lambda m: m.line)
    print(
        f"{module}: {len(every)} mutants, {len(chosen)} chosen;"
        f" {len(order)} tests take {clean_s:.1f} s without a fault",
        flush=True,
    )
    killed = survived = done = 0
    for mutant in random.Random(seed).sample(
        chosen, len(chosen)
    ):  # so that a budget cuts no part off
        if time.monotonic() - begin > budget_s:
            break
        done += 1
        passed, _, noticed = run(module, plant(source, mutant), max(10.0, clean_s * 3), order)
        if passed:
            survived += 1
            print(
                f"  {done:4} survived  {module}.py:{mutant.line}  {mutant.what}  |  {mutant.text}",
                flush=True,
            )
        else:
            killed += 1
            if noticed in order:
                order[noticed] = -float(done)  # what noticed one fault often notices the next
    return {
        "module": module,
        "made": len(every),
        "planted": done,
        "killed": killed,
        "survived": survived,
        "score": round(100.0 * killed / done, 1) if done else 0.0,
        "seconds": round(time.monotonic() - begin, 1),
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
    parser.add_argument("--budget", type=float, default=3600.0, help="seconds a module")
    given = parser.parse_args(arguments)
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT / "src"))
    _preload()
    modules = given.module or [m for m in TESTS if (MESH / f"{m}.py").exists()]
    rows = []
    for module in modules:
        found = score(module, given.sample, given.seed, given.budget)
        print(
            f"{module}: {found['killed']} of {found['planted']} noticed ({found['score']} %) in {found['seconds']} s"
        )
        rows.append(
            {
                "case": f"{module}, {found['planted']} of {found['made']} mutants",
                "metric": "mutation score",
                "unit": "%",
                "ours": found["score"],
                "peer": "asked for",
                "theirs": WANTED,
                "ratio": round(found["score"] / WANTED, 3),
            }
        )
    print(json.dumps({"bench": "mutation", "rows": rows}))
    return 0 if all(row["ours"] >= WANTED for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
