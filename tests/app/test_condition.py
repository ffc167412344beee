"""Battery and heat: what is known, what is not, and that a limit does not flap."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.app.condition import AGAIN_C, AGAIN_PCT, Condition
from hearthway.app.config import OffloadTable
from hearthway.records.signals import Signal

TABLE = OffloadTable(battery_floor_pct=30.0, heat_max_c=60.0)
NOW_S = 1000.0


def battery(value: float, time_s: float = NOW_S) -> list[Signal]:
    return [Signal(key="Person.Phone.Battery", value=value, time_s=time_s, unit="percent")]


def made(sys_class: Path, table: OffloadTable = TABLE) -> Condition:
    return Condition(table, lambda: NOW_S, sys_class)


def zone(sys_class: Path, number: int, text: str) -> None:
    folder = sys_class / "thermal" / f"thermal_zone{number}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "temp").write_text(text)


def supply(sys_class: Path, **files: str) -> None:
    folder = sys_class / "power_supply" / "BAT0"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def test_what_nobody_says_is_unknown_and_limits_nothing(tmp_path: Path) -> None:
    condition = made(tmp_path)
    assert (condition.battery_pct(), condition.on_battery(), condition.heat_c()) == (None,) * 3
    assert condition.why_not() == ""


def test_the_warmest_zone_counts_and_nonsense_does_not(tmp_path: Path) -> None:
    for number, text in enumerate(("41000\n", "55500\n", "", "warm", "999000", "-274000")):
        zone(tmp_path, number, text)
    assert made(tmp_path).heat_c() == 55.5


def test_the_kernel_says_what_the_phone_did_not(tmp_path: Path) -> None:
    supply(tmp_path, type="Battery\n", capacity="64\n", status="Discharging\n")
    condition = made(tmp_path)
    assert (condition.battery_pct(), condition.on_battery()) == (64.0, True)
    condition.hear(battery(20.0))
    assert condition.battery_pct() == 20.0
    condition.hear(battery(90.0, NOW_S - 1.0))  # older
    assert condition.battery_pct() == 20.0
    stale = made(tmp_path)
    stale.hear(battery(20.0, NOW_S - 7200.0))
    assert stale.battery_pct() == 64.0


def test_it_spares_what_is_left_unless_it_charges(tmp_path: Path) -> None:
    supply(tmp_path, type="Battery", capacity="20", status="Discharging")
    assert "20 %" in made(tmp_path).why_not()
    supply(tmp_path, type="Battery", capacity="20", status="Charging")
    assert made(tmp_path).why_not() == ""


def test_its_owner_may_say_no(tmp_path: Path) -> None:
    assert "owner" in made(tmp_path, OffloadTable(lend=False)).why_not()


@given(st.lists(st.floats(30.0 - AGAIN_PCT, 30.0 + AGAIN_PCT - 0.01), min_size=1, max_size=60))
def test_a_battery_near_its_floor_does_not_flap(levels: list[float]) -> None:
    """Once refused for its battery, it refuses until the battery is clearly above."""
    condition = made(Path("/nowhere"))
    refused = False
    for number, level in enumerate(levels):
        condition.hear(battery(level, NOW_S - 100.0 + number))
        now = bool(condition.why_not())
        assert now or not refused
        refused = now
    condition.hear(battery(30.0 + AGAIN_PCT, NOW_S))
    assert condition.why_not() == ""


def test_heat_near_its_limit_does_not_flap(tmp_path: Path) -> None:
    condition = made(tmp_path)
    said = []
    for degrees in (59.0, 61.0, 59.0, 60.0 - AGAIN_C + 0.1, 60.0 - AGAIN_C - 0.1, 59.9):
        zone(tmp_path, 0, str(int(degrees * 1000)))
        said.append(bool(condition.why_not()))
    assert said == [False, True, True, True, False, False]
    zone(tmp_path, 0, "90000")
    assert "90 degrees" in condition.why_not()


@pytest.mark.parametrize("value", [-1.0, 101.0])
def test_a_battery_that_cannot_be_is_not_believed(tmp_path: Path, value: float) -> None:
    supply(tmp_path, type="Battery", capacity=str(value), status="Discharging")
    assert made(tmp_path).battery_pct() is None
