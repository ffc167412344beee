"""A node holds what its role needs now: phones' thinking is no part of a home or a car, nor of a phone at rest."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hearthway.app.config import Config, NodeTable, save_config
from hearthway.app.launch import NodeProcess
from hearthway.app.paths import NodePaths, private_dir
from hearthway.app.recording import fix_signals, write_recording
from hearthway.records.household import Role
from hearthway.records.signals import Fix

HEAVY = (
    *("numpy", "tzfpy", "opening_hours", "hearthway.atlas.store", "hearthway.app.phone"),
    *("hassil", "yaml", "home_assistant_intents", "hearthway.app.ask.desk"),
)
PROGRAM = """
import sys
from pathlib import Path
from hearthway.app.config import Config, NodeTable, save_config
from hearthway.app.node import open_node
from hearthway.app.paths import NodePaths, private_dir
from hearthway.records.household import Role
paths = NodePaths(private_dir(Path(sys.argv[1])))
save_config(paths, Config(node=NodeTable(id="one", role=Role(sys.argv[2]))))
print(type(open_node(paths)).__name__, *sorted(set(sys.modules) & set(sys.argv[3:])))
"""


def _loaded(tmp_path: Path, role: str) -> str:
    argv = [sys.executable, "-c", PROGRAM, str(tmp_path / role), role, *HEAVY]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("role", ["home", "car", "venue"])
def test_others_do_not_carry_what_only_a_phone_thinks_with(tmp_path: Path, role: str) -> None:
    assert _loaded(tmp_path, role) == f"{role.capitalize()}Node"


def test_a_phone_at_rest_has_its_map_and_no_numbers_library(tmp_path: Path) -> None:
    """The control: the names are those that would be seen."""
    assert _loaded(tmp_path, "phone").split() == [
        "PhoneNode",
        "hearthway.app.phone",
        "hearthway.atlas.store",
    ]


def test_a_way_is_searched_without_the_numbers_library() -> None:
    """A phone in a pocket has 11 MB less; the control: the page's map, once drawn, loads it."""
    program = (
        "import sys; from hearthway.atlas.store import BUNDLED, Atlas; "
        "print(Atlas.bundled().route((60.17, 24.94), (60.18, 24.95)).on_road, 'numpy' in sys.modules); "
        "from hearthway.web.shapes import MapDrawer; MapDrawer(BUNDLED); print('numpy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["True", "False", "True"]


def test_a_page_nobody_looks_at_draws_no_map() -> None:
    program = "import sys, hearthway.web.service as it; print(it.__name__, 'numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["hearthway.web.service", "False"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_numpy_starts_no_threads_of_its_own() -> None:
    program = """
import contextlib, sys
from hearthway.__main__ import main
sys.argv = ["hearthway", "--help"]
with contextlib.suppress(SystemExit):
    main()
import numpy
from pathlib import Path
print(Path("/proc/self/status").read_text().split("Threads:")[1].split()[0])
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")},
    )
    assert done.stdout.split()[-1] == "1"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


RESTING = ("numpy", "tzfpy", "opening_hours")  # as their shared libraries are named
RESTING_MAX_MB = 80.0


def _life(file: Path) -> None:
    """Three weeks between two places in Helsinki, a fix a minute."""
    start_s, fixes = 1_790_000_000.0, []
    for minute in range(21 * 1440):
        at_work = 480 <= minute % 1440 < 960
        lat, lon = (60.1708, 24.9375) if at_work else (60.1921, 24.9458)
        time_s = start_s + 60.0 * minute
        fixes += fix_signals(Fix(time_s=time_s, lat=lat, lon=lon, accuracy_m=10.0), "", "phone")
    write_recording(file, fixes)


def _libraries(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


def _rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


@pytest.mark.anyio
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_phone_that_knows_a_life_rests_as_light(tmp_path: Path) -> None:
    """As its process is: right after it learned three weeks, and when it was started again."""
    file = tmp_path / "history.jsonl"
    _life(file)
    paths = NodePaths(private_dir(tmp_path / "phone"))
    save_config(paths, Config(node=NodeTable(id="phone", role=Role.PHONE)))
    phone = NodeProcess("phone", paths, lambda _, command: list(command))
    for again in (False, True):
        phone.start()
        try:
            await phone.ready()
            if not again:
                await phone.ask("import", file=str(file), name="Aino", person_id="aino")
            maps = _libraries(phone.pid)
            assert "zenoh" in maps, "the control: libraries are seen by their names"
            assert [name for name in RESTING if f"/{name}" in maps] == []
            assert _rss_mb(phone.pid) <= RESTING_MAX_MB
        finally:
            await asyncio.to_thread(phone.stop)
