"""The plan of a car that is plugged in: made by what the phone knows, kept, made anew, and dropped; by a clock of the test's own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace
from tests.context.test_tomorrow import DAY_S, HOUR_S, MONDAY_S, Driver, feed

from hearthway.app import charge_plan
from hearthway.app.charge_known import CarKnown, Known, known_at
from hearthway.app.charge_plan import Asked, Made, made, made_apart
from hearthway.app.charge_watch import ChargePlans, plugged
from hearthway.app.config import ChargingTable, Config, NodeTable, save_config
from hearthway.app.control import Control
from hearthway.app.node import open_node
from hearthway.app.paths import NodePaths, private_dir
from hearthway.app.phone import PhoneNode
from hearthway.cli.status import lines_of
from hearthway.context.life import Life
from hearthway.mesh.state.store import Store
from hearthway.records.charging import Car
from hearthway.records.errors import ConfigError, HearthwayError, InputError
from hearthway.records.household import Role
from hearthway.records.signals import Signal, Value
from hearthway.sense.catalogue import CAPACITY, CHARGING, PLUGGED, PRICE, SOC

TARIFF = """\
zone = "Europe/Helsinki"
currency = "EUR"
buy = 0.30

[[window]]
from = "22:00"
to = "07:00"
buy = 0.10
"""
EVENING_S = MONDAY_S + 42 * DAY_S - 6 * HOUR_S  # a Sunday, 18:00 in Helsinki
MONDAY_8_S = EVENING_S + 14 * HOUR_S


class Clock:
    def __init__(self) -> None:
        self.now = EVENING_S

    def now_s(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def commuter() -> bytes:
    life, driver = Life("ada"), Driver(None)
    feed(life, driver.days(42))
    feed(life, driver.rest(EVENING_S))
    return life.dump()


class Phone:
    """A phone of a commuter, with what its car tells."""

    def __init__(self, root: Path, store: Store, life: Life, **table: Any) -> None:
        self.paths = NodePaths(private_dir(root / "phone"))
        self.tariff = self.paths.root / "tariff.toml"
        self.tariff.write_text(TARIFF)
        settings: dict[str, Any] = {
            "tariff": "tariff.toml",
            "charger_kw": 11.0,
            "target_pct": 80.0,
        } | table
        config = Config(
            node=NodeTable(id="phone", role=Role.PHONE), charging=ChargingTable(**settings)
        )
        save_config(self.paths, config)
        node = open_node(self.paths)
        assert isinstance(node, PhoneNode)
        self.node, self.clock, self.life = node, Clock(), life
        node.clock, node._store = self.clock, store
        node.in_turn = asyncio.to_thread  # type: ignore[method-assign, assignment]  # nothing else is in its queue
        node.brain = SimpleNamespace(life=life)  # type: ignore[assignment]  # what the plan asks of it
        self.plans = node.part(ChargePlans)

    def tell(self, key: str, value: Value) -> None:
        signal = Signal(key=key, value=value, time_s=self.clock.now, source="car")
        self.node.latest[key] = signal
        self.life.observe_signal(signal)

    def later(self, hours: float) -> None:
        self.clock.now += hours * HOUR_S
        self.look()

    def look(self) -> None:
        asyncio.run(self.plans.look())

    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = self.plans.status().get("charging", {})
        return found


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """What was planned, in this process: how the child does it is a test of its own."""
    asked: list[Asked] = []

    async def here(one: Asked) -> Made:
        asked.append(one)
        return made(one)

    monkeypatch.setattr(charge_plan, "made_apart", here)
    return asked


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "node.db", node_id="phone") as store:
        yield store


@pytest.fixture
def phone(tmp_path: Path, store: Store, commuter: bytes, counted: list[Asked]) -> Phone:
    found = Phone(tmp_path, store, Life.load(commuter))
    found.tell(CAPACITY, 58.0)
    found.tell(SOC, 35.0)
    found.tell(PLUGGED, True)
    return found


def test_a_plugged_car_has_a_plan_from_what_the_phone_knows(
    phone: Phone, counted: list[Asked]
) -> None:
    phone.look()
    (asked,) = counted
    assert (asked.car.charge_pct, asked.car.battery_kwh, asked.car.target_pct) == (35.0, 58.0, 80.0)
    assert asked.departure_s == pytest.approx(MONDAY_8_S, abs=120.0)
    assert phone.told()["words"].startswith("80 % by 00:45 (departure 08:0")
    state = {"up": True, "paired": True, "healthy": True, "node": "phone", "role": "phone"}
    lines = lines_of(state | phone.plans.status())
    assert any(line.startswith("  charging plan: 80 % by 00:45") for line in lines)
    planned = phone.plans.planned()
    assert planned is not None
    assert planned.begin_s == EVENING_S + 4 * HOUR_S
    assert planned.ready_s == EVENING_S + 6.75 * HOUR_S


def test_it_stands_while_all_goes_as_planned(phone: Phone, counted: list[Asked]) -> None:
    phone.look()
    for _ in range(5):
        phone.later(1.0)  # until 23:00: an hour of it is charged, and the car is silent
    assert phone.plans.made is not None
    expected_pct = phone.plans.made.pct_at(phone.clock.now)
    assert expected_pct > 50.0
    phone.tell(SOC, expected_pct - 1.0)
    phone.look()
    assert len(counted) == 1
    phone.tell(SOC, 35.0)  # nothing was charged after all
    phone.later(0.1)
    assert len(counted) == 2


@pytest.mark.parametrize(("pct", "anew"), [(36.5, 1), (38.0, 2)])
def test_a_charge_off_the_plan_is_planned_anew(
    phone: Phone, counted: list[Asked], pct: float, anew: int
) -> None:
    phone.look()
    phone.tell(SOC, pct)
    phone.later(0.5)
    assert len(counted) == anew


def test_a_told_price_is_planned_anew_where_it_is_another_than_planned(
    phone: Phone, counted: list[Asked]
) -> None:
    phone.look()
    phone.tell(PRICE, 0.30)
    phone.later(0.1)
    assert len(counted) == 1
    phone.tell(PRICE, 0.02)
    phone.later(0.1)
    assert len(counted) == 2
    planned = phone.plans.planned()
    assert planned is not None
    assert planned.begin_s == pytest.approx(phone.clock.now)
    assert phone.plans.made is not None
    assert phone.plans.made.buy_at(EVENING_S + 1.5 * HOUR_S) == 0.30, "it holds for its own hour"
    phone.later(0.1)
    assert len(counted) == 2


def test_a_price_in_another_unit_is_left_out_and_said(phone: Phone, counted: list[Asked]) -> None:
    phone.tell(PRICE, 30.0)
    phone.look()
    assert "another unit" in phone.told()["notes"][0]
    assert phone.told()["words"].startswith("80 % by 00:45")
    phone.later(0.1)
    assert len(counted) == 1


def test_a_tariff_that_changes_or_goes_under_way_counts_at_once(
    phone: Phone, counted: list[Asked]
) -> None:
    phone.look()
    phone.tariff.write_text(TARIFF.replace("22:00", "20:00"))
    phone.later(0.1)
    assert phone.told()["words"].startswith("80 % by 22:45")
    phone.tariff.unlink()
    phone.later(0.1)
    assert "There is no file" in phone.told()["problem"]
    assert any("charging plan: none." in line for line in lines_of({
        "up": True, "paired": True, "healthy": True, "node": "p", "role": "phone",
    } | phone.plans.status()))  # fmt: skip
    phone.later(0.1)
    assert len(counted) == 3, "it is not tried again before anything changed"
    phone.tariff.write_text(TARIFF)
    phone.later(0.1)
    assert phone.told()["words"].startswith("80 % by 00:45")


def test_a_table_of_told_prices_beside_it_counts_too(phone: Phone, counted: list[Asked]) -> None:
    phone.tariff.write_text('zone = "Europe/Helsinki"\ncurrency = "EUR"\nprices = "p.csv"\n')
    prices = phone.paths.root / "p.csv"

    def until(hours: int, cheap: int) -> None:
        rows = ["time,buy"]
        for n in range(hours):
            begin_s = EVENING_S + n * HOUR_S
            price = 0.01 if n == cheap else 0.3
            rows.append(f"{_iso(begin_s)},{price}")
        prices.write_text("\n".join(rows) + "\n")

    until(6, 1)
    phone.look()
    assert "The tariff has no price for" in phone.told()["problem"]
    assert "Give an earlier departure, prices until then" in phone.told()["next"]
    until(15, 9)
    phone.later(0.1)
    planned = phone.plans.planned()
    assert planned is not None
    assert phone.plans.made is not None
    assert phone.plans.made.buy_at(EVENING_S + 9.5 * HOUR_S) == 0.01


def _iso(time_s: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(time_s, UTC).isoformat()


def test_a_tariff_of_another_zone_is_said_and_the_times_are_the_cars(phone: Phone) -> None:
    phone.tariff.write_text(TARIFF.replace("Europe/Helsinki", "Europe/Berlin"))
    phone.look()
    assert phone.told()["words"].startswith("80 % by 01:45 (departure 08:0")  # 23:00 in Helsinki
    assert phone.told()["notes"] == [
        "The tariff goes by Europe/Berlin; times here are of Europe/Helsinki."
    ]


def test_a_house_that_is_metered_each_minute_is_no_new_plan_each_minute(
    tmp_path: Path, store: Store, commuter: bytes, counted: list[Asked]
) -> None:
    phone = Phone(tmp_path, store, Life.load(commuter), house="house.csv")
    rows = [f"{_iso(EVENING_S - n * HOUR_S)},500,0" for n in range(10 * 24, 0, -1)]
    house = phone.paths.root / "house.csv"
    house.write_text("time,load_w,pv_w\n" + "\n".join(rows) + "\n")
    for key, value in ((CAPACITY, 58.0), (SOC, 35.0), (PLUGGED, True)):
        phone.tell(key, value)
    phone.look()
    assert "words" in phone.told()
    for minute in range(1, 30):
        with house.open("a") as file:
            file.write(f"{_iso(EVENING_S + 60.0 * minute)},500,0\n")
        phone.later(1 / 60)
    assert len(counted) == 2


@pytest.mark.parametrize(
    ("key", "says"),
    [(CAPACITY, "What the battery holds is not known"), (SOC, "How full the battery is")],
)
def test_what_no_car_told_is_said(
    tmp_path: Path, store: Store, commuter: bytes, key: str, says: str
) -> None:
    life = Life.load(commuter)
    phone = Phone(tmp_path, store, life)
    phone.tell(PLUGGED, True)
    for other in {CAPACITY, SOC} - {key}:
        phone.tell(other, 50.0)
    if key == SOC:
        life.state.battery.soc_pct = None
    phone.look()
    assert says in phone.told()["problem"]
    assert "hearthway charge plan --" in phone.told()["next"]


def test_a_life_without_habits_needs_a_departure(
    tmp_path: Path, store: Store, counted: list[Asked]
) -> None:
    phone = Phone(tmp_path, store, Life("ada"))
    for key, value in ((CAPACITY, 58.0), (SOC, 35.0), (PLUGGED, True)):
        phone.tell(key, value)
    phone.look()
    assert phone.told()["problem"].startswith("When the car must be ready is not known")
    assert counted == []


def test_unplugged_or_forgotten_it_is_gone(phone: Phone) -> None:
    phone.look()
    asyncio.run(phone.plans.forgotten())
    assert phone.told() == {}
    phone.look()
    phone.tell(PLUGGED, False)
    phone.later(0.1)
    assert phone.told() == {}
    assert phone.plans.planned() is None


def test_after_the_departure_it_is_planned_for_the_next(phone: Phone, counted: list[Asked]) -> None:
    phone.look()
    phone.clock.now = MONDAY_8_S + 2 * HOUR_S
    phone.look()
    assert len(counted) == 2
    assert counted[1].departure_s == pytest.approx(MONDAY_8_S + DAY_S, abs=120.0)


def _word(key: str, value: bool, time_s: float) -> Signal:
    return Signal(key=key, value=value, time_s=time_s)


@pytest.mark.parametrize(
    ("words", "now_s", "is_in"),
    [
        ((), 0.0, None),
        ((_word(PLUGGED, True, 0.0),), 3600.0, True),
        ((_word(PLUGGED, True, 0.0),), 90_000.0, None),
        ((_word(PLUGGED, True, 0.0), _word(CHARGING, False, 9.0)), 10.0, True),
        ((_word(PLUGGED, False, 0.0), _word(CHARGING, True, 9.0)), 10.0, True),
        ((_word(PLUGGED, False, 9.0), _word(CHARGING, True, 0.0)), 10.0, False),
        ((_word(CHARGING, True, 0.0),), 10.0, True),
        ((_word(CHARGING, False, 0.0),), 10.0, False),
    ],
)
def test_the_cable_tells_else_the_charging(
    words: tuple[Signal, ...], now_s: float, is_in: bool | None
) -> None:
    assert plugged({one.key: one for one in words}, now_s) is is_in


def test_what_was_stored_before_a_restart_still_counts(phone: Phone) -> None:
    phone.node.latest.clear()
    phone.look()
    assert phone.told() == {}
    phone.life.observe_signal(_word(CHARGING, True, phone.clock.now))
    phone.look()
    assert "words" in phone.told()


def test_a_cable_that_was_in_before_a_restart_is_in(phone: Phone, store: Store) -> None:
    """A car that waits for the cheap hours does not charge, sleeps, and tells nothing anew."""
    store.add_person("Ada", "ada")
    began_s = phone.clock.now - 3 * HOUR_S
    told = [_word(CHARGING, True, began_s), _word(CHARGING, False, began_s + 60.0)]
    store.add_signals("ada", [_word(PLUGGED, True, began_s), *told])
    phone.node.latest.clear()
    phone.look()
    assert "words" in phone.told()
    phone.tell(PLUGGED, False)
    phone.look()
    assert phone.told() == {}


def test_what_was_forgotten_of_a_cable_is_not_remembered(phone: Phone, store: Store) -> None:
    store.add_person("Ada", "ada")
    store.add_signals("ada", [_word(PLUGGED, True, phone.clock.now)])
    phone.node.latest.clear()
    phone.look()
    assert "words" in phone.told()
    with store.database.transaction() as db:
        db.execute("DELETE FROM signals")
    asyncio.run(phone.plans.forgotten())
    phone.look()
    assert phone.told() == {}


def test_without_a_tariff_nothing_is_watched(tmp_path: Path, store: Store) -> None:
    spawned: list[str] = []
    for tariff, expected in (("", []), ("tariff.toml", ["charging plan"])):
        phone = Phone(tmp_path / (tariff or "none"), store, Life("ada"), tariff=tariff)

        def spawn(work: Any, name: str) -> None:
            work.close()
            spawned.append(name)

        phone.node.spawn = spawn  # type: ignore[method-assign]
        asyncio.run(phone.plans.starting())
        assert spawned == expected


# --- the process of its own


def _asked(tariff: Path) -> Asked:
    car = Car(battery_kwh=58.0, charge_pct=35.0, target_pct=80.0, full_pct=80.0, charger_kw=11.0)
    return Asked(tariff=str(tariff), car=car, departure_s=MONDAY_8_S, now_s=EVENING_S)


def test_a_process_that_ends_again_plans_the_same(tmp_path: Path) -> None:
    tariff = tmp_path / "tariff.toml"
    tariff.write_text(TARIFF)
    apart = asyncio.run(made_apart(_asked(tariff)))
    assert apart == made(_asked(tariff))


def test_its_refusals_are_those_of_the_plan(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file") as missing:
        asyncio.run(made_apart(_asked(tmp_path / "none.toml")))
    assert missing.value.next_step == "Check the name."


def test_without_the_solver_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tariff = tmp_path / "tariff.toml"
    tariff.write_text(TARIFF)
    program = "import sys; sys.modules['highspy'] = None; from hearthway.app.charge_plan import main; main()"
    monkeypatch.setattr("hearthway.app.charge_plan._COMMAND", (sys.executable, "-c", program))
    with pytest.raises(ConfigError, match="HiGHS"):
        asyncio.run(made_apart(_asked(tariff)))


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("import os; os._exit(9)", "was ended"),
        ("import sys; sys.stdin.buffer.read(); sys.stdout.buffer.write(b'x' * 9)", "was ended"),
        ("import time; time.sleep(60)", "within"),
    ],
)
def test_a_process_that_fails_is_no_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, says: str
) -> None:
    monkeypatch.setattr("hearthway.app.charge_plan._COMMAND", (sys.executable, "-c", program))
    monkeypatch.setattr("hearthway.app.charge_plan.PATIENCE_S", 1.0)
    with pytest.raises(HearthwayError, match=says):
        asyncio.run(made_apart(_asked(tmp_path / "tariff.toml")))


def test_the_node_itself_holds_no_solver() -> None:
    program = (
        "import sys; import hearthway.app.phone, hearthway.app.charge_watch; "
        "print(*sorted({'highspy', 'numpy', 'scipy', 'hearthway.app.charge_plan', 'hearthway.app.tariffs'} & set(sys.modules)))"
    )
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == ""


def test_the_command_line_asks_a_phone_that_runs(household: Any, commuter: bytes) -> None:
    """Over its control socket, with the price that only its memory holds."""

    async def main() -> None:
        async with household(people={"phone": ("ada", "adult")}, phone="phone") as nodes:
            phone = nodes["phone"]
            nothing = await asyncio.to_thread(known_at, phone.paths, phone.config, EVENING_S)
            assert nothing == CarKnown()
            phone.brain = SimpleNamespace(life=Life.load(commuter), snapshot=lambda: None)
            phone.latest[PRICE] = Signal(
                key=PRICE, value=0.2, time_s=EVENING_S - 60.0, source="home"
            )
            known = await asyncio.to_thread(known_at, phone.paths, phone.config, EVENING_S)
            assert known.price == Known(value=0.2, source="home", age_s=60.0)
            assert known.departure is not None
            assert known.zone == "Europe/Helsinki"

    asyncio.run(main())


def test_a_running_phone_says_its_plan(household: Any, commuter: bytes, tmp_path: Path) -> None:
    """The whole way: the solver's own process, the control socket, and whoever asks."""

    async def main() -> None:
        async with household(people={"phone": ("ada", "adult")}, phone="phone") as nodes:
            phone = nodes["phone"]
            (phone.paths.root / "tariff.toml").write_text(TARIFF)
            table = ChargingTable(tariff="tariff.toml", charger_kw=11.0, target_pct=80.0)
            phone.config = replace(phone.config, charging=table)
            phone.clock = Clock()
            life = Life.load(commuter)
            phone.brain = SimpleNamespace(life=life, snapshot=lambda: None)
            for key, value in ((CAPACITY, 58.0), (SOC, 35.0), (PLUGGED, True)):
                phone.latest[key] = Signal(key=key, value=value, time_s=EVENING_S, source="car")
                life.observe_signal(phone.latest[key])
            await phone.part(ChargePlans).look()
            state = await asyncio.to_thread(_status, phone.paths)
            assert state["charging"]["words"].startswith("80 % by 00:45 (departure 08:0")

    asyncio.run(main())


def _status(paths: NodePaths) -> dict[str, Any]:
    with Control(paths.socket, 10.0) as control:
        return control.ask("status")
