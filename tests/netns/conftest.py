"""Real namespaces, or a reason and what to install."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from hearthway.app.namespaces import Lan, LanPlan

NAMES = ("phone", "car", "home", "venue")
Run = Callable[..., str]


@pytest.fixture(scope="session")
def plan() -> LanPlan:
    """What this machine allows; skips where it allows nothing, fails in CI."""
    found = Lan.plan()
    if not found.possible:
        reason = f"{found.why}. {found.next_step}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def bridged(plan: LanPlan) -> LanPlan:
    """The plan where the switch is a bridge, whose place a relay can take; skips where the kernel has none."""
    if not plan.bridge:
        pytest.skip(
            "the relay takes the place of a bridge, and this kernel has none: `modprobe bridge` as root loads it, "
            "after `apt-get install linux-modules-extra-$(uname -r)` where it is not there"
        )
    return plan


@pytest.fixture(scope="module")
def lan(plan: LanPlan) -> Iterator[Lan]:
    """Four nodes, no default route."""
    with Lan.create(NAMES, plan=plan) as built:
        yield built


@pytest.fixture
def sink_lan(plan: LanPlan) -> Iterator[Lan]:
    """Four nodes, each with a default route into a sink that has seen nothing yet."""
    with Lan.create(NAMES, sink=True, plan=plan) as built:
        yield built


@pytest.fixture
def run() -> Run:
    """run(lan, name, python code, *args) -> stdout of that code inside the node's namespace."""

    def run_in(lan: Lan, name: str, code: str, *args: str) -> str:
        argv = lan.command(name, [sys.executable, "-I", "-S", "-c", code, *args])
        done = subprocess.run(argv, capture_output=True, text=True, timeout=15, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run_in
