"""`--help` is cheap and complete."""

from __future__ import annotations

import compileall
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

import hearthway as package
from hearthway.cli.main import VERBS, cli

HEAVY = ("asyncio", "numpy", "starlette", "zenoh", "sqlite3", "msgspec", "ssl", "rustworkx")
RUNS = 10


def _cpu_s(*words: str) -> float:
    """User and system seconds of one run of Python."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True, timeout=30)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, json; sys.argv = ['hearthway', '--help']\n"
        "from hearthway.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: print('\\n' + json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert "hearthway.cli.main" in loaded
    assert not [name for name in HEAVY if name in loaded]
    assert not [name for name in loaded if name.startswith("hearthway.cli.") and name[14:] in VERBS]


ASKS = [
    "ask",
    "status",
    "stops",
    "wheel",
    "handoff",
    "compute",
    "consent",
    "grant",
    "people",
    "revoke",
    "venue",
    "models",
    "rules",
    "pair",
]
READS = ["receipts", "answer", "export", "forget"]


@pytest.mark.parametrize(
    ("verbs", "spared"),
    [
        (
            ASKS,
            ("asyncio", "ssl", "sqlite3", "cryptography", "zenoh", "numpy", "hearthway.context"),
        ),
        (
            READS,
            ("asyncio", "ssl", "cryptography.x509", "zenoh", "numpy", "hearthway.assist.engine"),
        ),
        (["why"], ("asyncio", "ssl", "cryptography.x509", "zenoh", "numpy")),
    ],
    ids=["asks a node", "reads a store", "why"],
)
def test_a_verb_loads_what_it_works_with(verbs: list[str], spared: tuple[str, ...]) -> None:
    """One that asks a node needs a socket; one that reads a store no network, no certificate and no thinking."""
    code = (
        "import importlib, sys\n"
        "for verb in sys.argv[1:]: importlib.import_module(f'hearthway.cli.{verb}')\n"
        "print('\\n'.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *verbs], capture_output=True, text=True, check=True, timeout=30
    )
    loaded = done.stdout.split()
    assert "click" in loaded
    assert not [name for name in spared if name in loaded]


def test_help_needs_at_most_six_times_bare_python() -> None:
    """CPU of both, side by side, as medians: a busy machine slows both."""
    compileall.compile_dir(str(Path(package.__file__).parent), quiet=2)
    ours, bare = [], []
    for _ in range(RUNS):
        ours.append(_cpu_s("-m", "hearthway", "--help"))
        bare.append(_cpu_s("-c", "pass"))
    ratio = sorted(ours)[RUNS // 2] / sorted(bare)[RUNS // 2]
    print(f"hearthway --help: {ratio:.1f} x bare Python")
    assert ratio <= 6.0


def _commands(command: click.Command, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    if not isinstance(command, click.Group):
        return [path]
    below = [_commands(command.commands[name], (*path, name)) for name in command.commands]
    return [path, *(one for many in below for one in many)]


EVERY = [
    path
    for verb in VERBS
    for command in [cli.get_command(click.Context(cli), verb)]
    if command is not None
    for path in _commands(command, (verb,))
]


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_verb_explains_itself(hearthway: Callable[..., Any], path: tuple[str, ...]) -> None:
    """And every option of it."""
    done = hearthway(*path, "--help")
    assert done.code == 0
    assert done.out.startswith("Usage: ")
    command: Any = cli.get_command(click.Context(cli), path[0])
    for name in path[1:]:
        command = command.commands[name]
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, f"{' '.join(path)} {parameter.opts[0]}"


def test_help_lists_every_verb(hearthway: Callable[..., Any]) -> None:
    done = hearthway("--help")
    for verb, (_, text) in VERBS.items():
        assert f"  {verb} " in done.out
        assert text.split()[0] in done.out
    assert hearthway("-h").out == done.out
    assert hearthway("--version").out.strip().startswith("hearthway")


@pytest.mark.parametrize(
    ("typed", "meant"), [("dirve", "drive"), ("recipts", "receipts"), ("forgot", "forget")]
)
def test_an_unknown_verb_is_met_with_the_nearest(
    hearthway: Callable[..., Any], typed: str, meant: str
) -> None:
    hearthway(typed).refuses(f"Did you mean {meant!r}?", codes=(2,))


def test_a_verb_nobody_means(hearthway: Callable[..., Any]) -> None:
    hearthway("xyzzy").refuses("hearthway --help", codes=(2,))
