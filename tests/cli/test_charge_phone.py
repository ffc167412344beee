"""`hearthway charge plan` without typed values: what the phone knows, each with its source and age, and what it does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.context.test_tomorrow import DAY_S, HOUR_S, MONDAY_S, WORK, Driver, feed

from hearthway.app.config import ChargingTable, Config, NodeTable, save_config
from hearthway.app.paths import NodePaths, private_dir
from hearthway.context.life import Life
from hearthway.mesh.state.calendar import Change, keep
from hearthway.mesh.state.store import Store
from hearthway.records.calendar import CalendarEntry
from hearthway.records.household import Role
from hearthway.records.life import LIFE_MODEL
from hearthway.records.signals import Signal
from hearthway.sense.catalogue import CAPACITY, SOC

Hearthway = Callable[..., Any]
EVENING_S = MONDAY_S + 42 * DAY_S - 6 * HOUR_S
NOW = "2026-02-15T18:00"  # that evening
TARIFF = """\
zone = "Europe/Helsinki"
currency = "EUR"
buy = 0.30

[[window]]
from = "22:00"
to = "07:00"
buy = 0.10
"""


@pytest.fixture(scope="module")
def commuter() -> bytes:
    life, driver = Life("ada"), Driver(None)
    feed(life, driver.days(42))
    feed(life, driver.rest(EVENING_S - HOUR_S))
    return life.dump()


def made_phone(root: Path, table: ChargingTable, life: bytes | None, *told: str) -> Path:
    """A phone that is not running, whose car told those half an hour and three days ago."""
    paths = NodePaths(private_dir(root / "phone"))
    (paths.root / "tariff.toml").write_text(TARIFF)
    save_config(paths, Config(node=NodeTable(id="phone", role=Role.PHONE), charging=table))
    with Store.open(paths.database, node_id="phone") as store:
        store.add_person("Ada", "ada")
        if life is not None:
            store.put_model("ada", LIFE_MODEL, EVENING_S - HOUR_S, life)
        words = {
            SOC: Signal(key=SOC, value=35.0, time_s=EVENING_S - 1800.0, source="car"),
            CAPACITY: Signal(key=CAPACITY, value=58.0, time_s=EVENING_S - 1801.0, source="car"),
        }
        store.add_signals("ada", [words[key] for key in told])
    return paths.root


SET = ChargingTable(tariff="tariff.toml", charger_kw=11.0, target_pct=80.0)


def test_nothing_is_typed_and_all_is_shown(
    hearthway: Hearthway, tmp_path: Path, commuter: bytes
) -> None:
    root = made_phone(tmp_path, SET, commuter, SOC, CAPACITY)
    done = hearthway("charge", "plan", "--data", root, "--now", NOW)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    rows = [line.split(maxsplit=1) for line in lines[:5]]
    assert [name for name, _ in rows] == ["charge", "battery", "departure", "tariff", "charger"]
    assert [row[1].split("  ")[-1].strip() for row in rows] == [
        "car, 30 min ago",
        "car, 30 min ago",
        "the first trip of Mondays (6 of 6)",
        "node.toml",
        "node.toml",
    ]
    assert lines[-1].startswith("80 % by 00:45 (departure 08:0")


def test_each_may_be_typed_instead(hearthway: Hearthway, tmp_path: Path, commuter: bytes) -> None:
    root = made_phone(tmp_path, SET, commuter, SOC, CAPACITY)
    typed = ("--charge", "70", "--departure", "06:00", "--target", "90", "--charger", "3.7")
    done = hearthway("charge", "plan", "--data", root, "--now", NOW, *typed, "--json")
    told = json.loads(done.out)
    used = {one["name"]: one for one in told["used"]}
    assert {name: one["source"] for name, one in used.items()} == {
        "charge": "given",
        "battery": "car",
        "departure": "given",
        "tariff": "node.toml",
        "charger": "given",
    }
    assert used["battery"]["age_s"] == pytest.approx(1801.0)
    assert told["departure"] == "2026-02-16T06:00:00+02:00"
    assert told["slots"][-1]["charge_pct"] == pytest.approx(90.0)


def test_the_calendar_is_asked(hearthway: Hearthway, tmp_path: Path, commuter: bytes) -> None:
    root = made_phone(tmp_path, SET, commuter, SOC, CAPACITY)
    start_s = EVENING_S + 10 * HOUR_S
    entry = CalendarEntry(
        uid="u",
        occurs_s=start_s,
        start_s=start_s,
        end_s=start_s + HOUR_S,
        title="Early",
        lat=WORK[0],
        lon=WORK[1],
        read_s=EVENING_S - 2 * HOUR_S,
    )
    with Store.open(root / "node.db", node_id="phone") as store:
        change = Change(uid="u", whole=True, entries=(entry,), version=(0, 0.0))
        keep(store, "ada", [change], mirrors="", unread=(), now_s=EVENING_S)
    done = hearthway("charge", "plan", "--data", root, "--now", NOW)
    assert done.code == 0, done.err
    (line,) = (line for line in done.out.splitlines() if line.startswith("  departure"))
    assert line.endswith("the calendar's next way, 2 h ago")
    assert "03:4" in line


def test_on_a_day_off_it_need_not_be_ready_for_work(
    hearthway: Hearthway, tmp_path: Path, commuter: bytes
) -> None:
    root = made_phone(tmp_path, SET, commuter, SOC, CAPACITY)
    start_s = EVENING_S + 6 * HOUR_S
    monday = int((start_s + 2 * HOUR_S) // DAY_S)
    entry = CalendarEntry(
        uid="u",
        occurs_s=start_s,
        start_s=start_s,
        end_s=start_s + DAY_S,
        title="Holiday",
        all_day=True,
        calendar="Finland",
        off=(monday, monday),
    )
    with Store.open(root / "node.db", node_id="phone") as store:
        keep(store, "ada", [Change(uid="u", whole=True, entries=(entry,), version=(0, 0.0))])
        store.put_model("ada", LIFE_MODEL, EVENING_S - HOUR_S, commuter)  # keep has dropped it
    done = hearthway("charge", "plan", "--data", root, "--now", NOW)
    assert done.code == 0, done.err
    (line,) = (line for line in done.out.splitlines() if line.startswith("  departure"))
    assert "11:00" in line
    assert line.endswith("the first trip of free days (6 of 11)")


@pytest.mark.parametrize(
    ("table", "life", "told", "says"),
    [
        (SET, True, (SOC,), ("What the battery holds", "--battery KWH")),
        (SET, False, (SOC, CAPACITY), ("When the car must be ready", "--departure HH:MM")),
        (SET, False, (), ("How full the battery is", "--charge PCT")),
        (ChargingTable(), True, (SOC, CAPACITY), ("The tariff and what the charger gives", "--tariff FILE --charger KW, or set charging.tariff and charging.charger_kw")),
        (ChargingTable(charger_kw=11.0), True, (SOC, CAPACITY), ("The tariff is", "--tariff FILE,")),
        (ChargingTable(tariff="gone.toml", charger_kw=11.0), True, (SOC, CAPACITY), ("There is no file", "gone.toml")),
    ],
)  # fmt: skip
def test_what_is_unknown_is_named_with_what_to_give(
    hearthway: Hearthway,
    tmp_path: Path,
    commuter: bytes,
    table: ChargingTable,
    life: bool,
    told: tuple[str, ...],
    says: tuple[str, ...],
) -> None:
    root = made_phone(tmp_path, table, commuter if life else None, *told)
    if not life:
        with Store.open(root / "node.db", node_id="phone") as store:
            store.put_model("ada", LIFE_MODEL, EVENING_S - HOUR_S, Life("ada").dump())
    if not told:
        root = made_phone(tmp_path / "other", table, Life("ada").dump())
    hearthway("charge", "plan", "--data", root, "--now", NOW).refuses(*says)


def test_without_any_phone_it_says_what_to_give(hearthway: Hearthway, tmp_path: Path) -> None:
    done = hearthway("charge", "plan", "--charge", "30", "--charger", "11")
    done.refuses("Not given: --tariff FILE, --battery KWH, --departure HH:MM", "name the phone")


def test_of_a_phone_on_which_nobody_lives_the_settings_count(
    hearthway: Hearthway, tmp_path: Path
) -> None:
    paths = NodePaths(private_dir(tmp_path / "phone"))
    (paths.root / "tariff.toml").write_text(TARIFF)
    save_config(paths, Config(node=NodeTable(id="phone", role=Role.PHONE), charging=SET))
    typed = ("--charge", "35", "--battery", "58", "--now", NOW)
    done = hearthway("charge", "plan", "--data", paths.root, "--departure", "07:10", *typed)
    assert done.code == 0, done.err
    assert "80 % by 00:45 (departure 07:10)" in done.out
    hearthway("charge", "plan", "--data", paths.root, *typed).refuses("Nobody lives on this phone")


def test_another_kind_of_node_is_refused(hearthway: Hearthway, tmp_path: Path) -> None:
    paths = NodePaths(private_dir(tmp_path / "car"))
    save_config(paths, Config(node=NodeTable(id="car", role=Role.CAR)))
    hearthway("charge", "plan", "--data", paths.root).refuses("is a car")
