"""Zones from a child process are those of this process, cell by cell, and a child that cannot run costs nothing but memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.app import zones
from hearthway.records import localtime

# Regions with borders in them: Finland and Estonia; the Alps; the date line; a pole.
BORDERS = [(2960, 1220), (2320, 440), (-860, 8900), (4490, 100)]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    localtime.look_up_by(localtime.here)
    localtime._zone_of_cell.cache_clear()


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(BORDERS), st.integers(0, zones.SIDE - 1), st.integers(0, zones.SIDE - 1))
def test_every_cell_has_the_zone_it_has_here(near: tuple[int, int], north: int, east: int) -> None:
    cell = near[0] // zones.SIDE * zones.SIDE + north, near[1] // zones.SIDE * zones.SIDE + east
    if abs(cell[0]) > zones.LAT_MAX or abs(cell[1]) > zones.LON_MAX:
        return  # off the globe: asked of this process by `zone_of`
    assert zones.zone_of(*cell) == localtime.here(*cell)


def test_a_border_is_where_it_is() -> None:
    """The control: the regions above do hold more than one zone."""
    assert isinstance(zones._region(2320 // zones.SIDE, 440 // zones.SIDE), tuple)


def test_the_boundaries_are_not_loaded_by_who_asks_a_child() -> None:
    program = (
        "import sys; from hearthway.app.zones import in_a_child; from hearthway.records import localtime\n"
        "in_a_child(); print(localtime.zone_at(60.17, 24.94), 'tzfpy' in sys.modules)\n"
        "localtime.look_up_by(localtime.here); localtime.zone_at(61.5, 23.8); print('tzfpy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["Europe/Helsinki", "False", "True"]


@pytest.mark.parametrize("script", ["exit 3", "echo nonsense", 'echo \'[["A", "B"], [0]]\''])
def test_without_a_child_it_looks_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    broken = tmp_path / "python"
    broken.write_text(f"#!/bin/sh\n{script}\n")
    broken.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(broken))
    zones._region.cache_clear()
    try:
        assert zones.zone_of(3009, 1247) == localtime.here(3009, 1247) == "Europe/Helsinki"
    finally:
        zones._region.cache_clear()
