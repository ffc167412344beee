"""A key that the rules do not let be collected stands nowhere: no store, no model, no page, no wire, no file."""

from __future__ import annotations

import asyncio
import json
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from hearthway.app.brain import Brain
from hearthway.app.collecting import collected_fixes, may_collect
from hearthway.app.keeping import Keeping
from hearthway.app.personal import import_file
from hearthway.app.recording import fix_signals, write_recording
from hearthway.assist.settings import GateSettings
from hearthway.context.life import Life
from hearthway.mesh.policy.rules import Rules, template
from hearthway.mesh.state.store import Store
from hearthway.records.errors import HearthwayError, InputError, StoreError
from hearthway.records.household import Role
from hearthway.records.life import LIFE_MODEL
from hearthway.records.signals import Fix, Signal
from hearthway.sense.catalogue import ALTITUDE, CAPACITY, OUTSIDE, normalise

ANNA = {"phone": ("anna", "adult")}
ODOMETER = "Vehicle.TraveledDistance"
PLANTED = 1234567.125  # metres on the odometer; stored where it is collected
FAMILY = template("family")
_IN_COLLECT = f'    "{ODOMETER}",\n    "Vehicle.Powertrain.TractionBattery.*",\n'
WITHOUT = FAMILY.replace(_IN_COLLECT, '    "Vehicle.Powertrain.TractionBattery.*",\n')


def stands_in(folder: Path) -> list[str]:
    """Files that hold the planted value, as text or as a number."""
    forms = (str(PLANTED).encode(), struct.pack(">d", PLANTED), struct.pack("<d", PLANTED))
    return sorted(
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if file.is_file() and any(form in file.read_bytes() for form in forms)
    )


def sensed(value: float = PLANTED) -> list[dict[str, Any]]:
    now_s = time.time()
    return [
        {"key": key, "value": v, "time_s": now_s, "unit": unit, "source": "car"}
        for key, v, unit in (
            (ODOMETER, value, "m"),
            ("Vehicle.Speed", 30.0, "km/h"),
            ("Vehicle.Powertrain.TractionBattery.StateOfCharge.Current", 51.5, "percent"),
        )
    ]


def history(path: Path) -> Path:
    """A few fixes of Anna's."""
    rows = [f"{60.17 + n / 1e4},{24.94},2026-01-0{n + 1} 12:00:00,anna" for n in range(5)]
    path.write_text("lat,lng,datetime,uid\n" + "\n".join(rows) + "\n")
    return path


def recording(path: Path) -> Path:
    """A recording that holds the planted value."""
    lines = [{**line, "time_s": 1_760_000_000.0 + n} for n, line in enumerate(sensed())]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_the_rules_of_this_test_differ_in_one_key() -> None:
    limits = Rules.parse(WITHOUT, "test")
    for role in ("phone", "car"):
        assert not limits.collects(ODOMETER, role)
        assert Rules.parse(FAMILY, "test").collects(ODOMETER, role)
        assert limits.collects("Vehicle.Speed", role)


@pytest.mark.parametrize(
    ("car_rules", "phone_rules", "expected"),
    [(FAMILY, FAMILY, True), (WITHOUT, FAMILY, False), (FAMILY, WITHOUT, False)],
)
def test_what_a_car_senses_stands_nowhere_unless_collected(
    household: Any,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    car_rules: str,
    phone_rules: str,
    expected: bool,
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    for name, text in (("car", car_rules), ("phone", phone_rules)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rules.toml").write_text(text)

    async def main() -> None:
        async with household(people=ANNA, phone="phone", car="car") as nodes:
            file = history(outside / "anna.csv")
            await nodes.ask("phone", "import", file=str(file), name="Anna", person_id="anna")
            heard: list[Signal] = []
            nodes["phone"].mesh.on_signals(lambda meta, batch: heard.extend(batch))
            await nodes.ask("car", "sense", signals=sensed())
            phone = nodes["phone"]
            await nodes.until(lambda: "Vehicle.Speed" in phone.latest)
            store = phone.store
            await nodes.until(lambda: any(s.value == 51.5 for s in store.signals("anna")))
            assert (ODOMETER in phone.latest) == expected
            assert any(s.key == ODOMETER for s in store.signals("anna")) == expected
            assert struct.pack(">d", PLANTED) not in phone.brain.life.dump() or expected
            if car_rules == WITHOUT:  # not on the wire, and not in what the car remembers either
                assert not any(s.key == ODOMETER for s in heard)
                assert ODOMETER not in nodes["car"].latest

    asyncio.run(main())
    assert bool(stands_in(tmp_path)) == expected


def test_an_import_takes_what_the_rules_let(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = recording(tmp_path_factory.mktemp("outside") / "day.jsonl")
    for text, expected in ((WITHOUT, False), (FAMILY, True)):
        folder = tmp_path / str(expected)
        folder.mkdir()
        with Store.open(folder / "node.db", node_id="phone") as store:
            found = import_file(store, file, "Anna", None, Rules.parse(text, "test"))
            assert found["signals"] == (3 if expected else 2)
            assert ("1 left out" in found["read"]) != expected
        assert bool(stands_in(folder)) == expected


def test_a_history_is_refused_where_no_positions_are_collected(tmp_path: Path) -> None:
    file = history(tmp_path / "anna.csv")
    none = Rules.parse(FAMILY.replace('    "Person.Location.*",\n', ""), "test")
    with Store.open(tmp_path / "node.db", node_id="phone") as store:
        with pytest.raises(InputError, match="collect no positions") as caught:
            import_file(store, file, "Anna", None, none)
        assert caught.value.next_step
        assert store.persons() == []
        assert import_file(store, file, "Anna", None, Rules.parse(FAMILY, "test"))["fixes"] == 5


def test_speed_and_accuracy_are_collected_for_themselves() -> None:
    fix = Fix(time_s=1.0, lat=60.0, lon=24.0, accuracy_m=5.0, speed_mps=2.0)
    strict = Rules.parse(template("strict"), "strict")
    (bare,) = collected_fixes(strict, Role.PHONE, [fix])
    assert bare == Fix(time_s=1.0, lat=60.0, lon=24.0)
    assert list(collected_fixes(Rules.parse(FAMILY, "f"), Role.PHONE, [fix])) == [fix]
    assert list(collected_fixes(strict, Role.HOME, [fix])) == []
    lone = Rules.parse(template("strict").replace('    "Person.Location.Longitude",\n', ""), "t")
    assert list(collected_fixes(lone, Role.PHONE, [fix])) == []


def test_the_phones_own_sensors_are_held_to_the_rules(household: Any, tmp_path: Path) -> None:
    (tmp_path / "phone").mkdir()
    (tmp_path / "phone" / "rules.toml").write_text(
        FAMILY.replace('    "Person.Location.*",\n    "Person.Phone.Battery",\n', "")
    )

    async def main() -> None:
        async with household(people=ANNA, phone="phone") as nodes:
            phone = nodes["phone"]
            phone.adopt("Anna")
            fix = Fix(time_s=time.time(), lat=60.17, lon=24.94)
            battery = Signal(key="Person.Phone.Battery", value=50.0, time_s=fix.time_s)
            await phone.take_own([fix], [battery])
            assert list(phone.store.fixes(phone.owner.person_id)) == []
            assert not phone.track
            (tmp_path / "phone" / "rules.toml").write_text(FAMILY)
            await nodes.ask("phone", "use-rules")  # the control, at once
            await phone.take_own([fix], [battery])
            assert list(phone.store.fixes(phone.owner.person_id)) == [fix]

    asyncio.run(main())


# learning -------------------------------------------------------------------------------------------------------


def brain(store: Store, rules: Rules | None) -> Brain:
    return Brain(
        store,
        store.persons()[0],
        pois=None,
        roads=None,
        name_of=None,
        settings=GateSettings(),
        synthetic=False,
        rules=rules,
    )


def test_what_may_not_be_learned_from_enters_no_model(tmp_path: Path) -> None:
    odometer = Signal(key=ODOMETER, value=PLANTED, time_s=1_760_000_100.0, unit="m", source="car")
    fixes = [Fix(time_s=1_760_000_000.0 + n * 60, lat=60.17, lon=24.94) for n in range(60)]
    no_fix = Rules.parse(FAMILY.replace('kinds = ["fix", "answer"]', 'kinds = ["answer"]'), "t")
    with Store.open(tmp_path / "node.db", node_id="phone") as store:
        store.add_person("Anna", "anna")
        store.add_fixes("anna", fixes, "test")
        store.add_signals("anna", [odometer])
        everything = brain(store, None)
        everything.snapshot()
        assert everything.life.state.last is not None
        nothing = brain(store, no_fix)  # the snapshot learned under other rules is not used
        assert nothing.life.state.last is None
        assert len(list(store.fixes("anna"))) == 60  # stored they stay
        nothing.observe([Fix(time_s=1_760_009_000.0, lat=60.2, lon=24.9)], [], "test")
        assert nothing.life.state.last is None
        nothing.rebuild()
        assert nothing.life.state.last is None
        again = brain(store, None)
        assert again.life.state.last is not None
        assert again.life.state.last.time_s == 1_760_009_000.0


def test_a_life_learned_by_another_version_is_learned_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixes = [Fix(time_s=1_760_000_000.0 + n * 60, lat=60.17, lon=24.94) for n in range(60)]
    with Store.open(tmp_path / "node.db", node_id="phone") as store:
        store.add_person("Anna", "anna")
        store.add_fixes("anna", fixes, "test")
        with monkeypatch.context() as earlier:
            earlier.setattr("hearthway.app.brain.LIFE_VERSION", 1)
            old = brain(store, None)
            old.life.state.version = 1
            old.snapshot()
        held = store.model("anna", LIFE_MODEL)
        assert held is not None
        with pytest.raises(StoreError, match="version 1"):
            Life.load(held.data)
        new = brain(store, None)  # started by this version: no error, and nothing lost
        assert new.life.state.stays == 1
        new.snapshot()
        held = store.model("anna", LIFE_MODEL)
        assert held is not None
        assert Life.load(held.data).dump() == new.life.dump()


def test_the_outside_temperature_and_the_batterys_size_are_kept(tmp_path: Path) -> None:
    told = [
        Signal(key=OUTSIDE, value=-4.0, time_s=1_760_000_100.0, source="car"),
        Signal(key=CAPACITY, value=52.0, time_s=1_760_000_100.0, source="car"),
    ]
    with Store.open(tmp_path / "node.db", node_id="phone") as store:
        store.add_person("Anna", "anna")
        brain(store, None).observe([], told, "car")
        battery = brain(store, None).life.state.battery  # as after a restart
        assert (battery.air_c, battery.air_source) == (-4.0, "car")
        assert battery.range.capacity_kwh == 52.0
        without = Rules.parse(FAMILY.replace('    "Vehicle.Exterior.AirTemperature",\n', ""), "t")
        assert brain(store, without).life.state.battery.air_c is None


def test_the_same_temperature_is_kept_again_on_the_way_and_not_while_parked(
    tmp_path: Path,
) -> None:
    start_s = 1_760_000_000.0
    with Store.open(tmp_path / "node.db", node_id="phone") as store:
        store.add_person("Anna", "anna")
        phone = brain(store, None)

        def minutes(first: int, last: int, north: float) -> None:
            for n in range(first, last):
                time_s = start_s + 60.0 * n
                fix = Fix(time_s=time_s, lat=60.17 + north * (n - first), lon=24.94)
                cold = Signal(key=OUTSIDE, value=-4.0, time_s=time_s, source="car")
                phone.observe([fix], [cold], "car")

        def kept() -> int:
            return sum(signal.key == OUTSIDE for signal in store.signals("anna"))

        minutes(0, 180, 0.0)
        parked = kept()
        minutes(180, 220, 0.005)
        assert parked <= 2  # once, and once before the stay was certain
        assert kept() == parked + 3  # about each quarter of an hour
        assert phone.life.state.battery.air_time_s > start_s + 60.0 * 200


def test_a_signal_that_may_not_be_learned_from_does_not_change_what_is_known(
    tmp_path: Path,
) -> None:
    key = f'    "{ODOMETER}",\n]\nkinds'
    assert key in FAMILY
    no_odometer = Rules.parse(FAMILY.replace(key, "]\nkinds"), "test")
    digests = []
    for number, (rules, signals) in enumerate(
        ((no_odometer, True), (no_odometer, False), (None, True))
    ):
        with Store.open(tmp_path / f"{number}.db", node_id="phone") as store:
            store.add_person("Anna", "anna")
            if signals:
                store.add_signals(
                    "anna",
                    [
                        Signal(key=ODOMETER, value=PLANTED + n, time_s=1e9 + n * 60, unit="m")
                        for n in range(3)
                    ],
                )
            digests.append(brain(store, rules).model_digest())
    assert digests[0] == digests[1]


# keeping --------------------------------------------------------------------------------------------------------


def test_a_running_node_deletes_what_it_keeps_no_longer_and_says_so(
    household: Any, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")

    async def main() -> None:
        async with household(people=ANNA, phone="phone", car="car") as nodes:
            file = history(outside / "anna.csv")  # of early 2026
            await nodes.ask("phone", "import", file=str(file), name="Anna", person_id="anna")
            phone = nodes["phone"]
            assert phone.brain.life.state.last is not None
            assert "retention" not in await nodes.ask("phone", "status")
            (tmp_path / "phone" / "rules.toml").write_text(
                FAMILY + '\n[[keep]]\nid = "days"\nkinds = ["fix"]\ndays = 1\n'
            )
            await nodes.ask("phone", "use-rules")
            await nodes.until(lambda: phone.part(Keeping).status() != {})
            await nodes.until(lambda: phone.brain.life.state.last is None)  # learned again
            status = await nodes.ask("phone", "status")
            assert status["retention"]["deleted"] == {"fixes": 5}
            assert list(phone.store.fixes("anna")) == []
            # what is taken in later and is too old goes at the next start
            await nodes.ask("phone", "import", file=str(file), name="Anna", person_id="anna")
            assert len(list(phone.store.fixes("anna"))) == 5
            await nodes.down("phone")
            await nodes.up("phone")
            assert list(nodes["phone"].store.fixes("anna")) == []
            with pytest.raises(HearthwayError):
                await nodes.ask("phone", "nothing-of-the-kind")

    asyncio.run(main())
    assert b'"deleted": {"fixes": 5}' in (tmp_path / "phone" / "node.log").read_bytes().replace(
        b'{"fixes":5}', b'{"fixes": 5}'
    )


def test_a_recording_keeps_what_was_told_beside_each_position(tmp_path: Path) -> None:
    """Written after the coordinates, of the same instant: speed and accuracy are that fix's own."""
    fixes = [
        Fix(
            time_s=1e9 + 60.0 * i,
            lat=60.1 + i / 1e3,
            lon=24.9,
            accuracy_m=5.0 + i,
            speed_mps=2.0 * i,
        )
        for i in range(4)
    ]
    file = tmp_path / "day.jsonl"
    write_recording(file, [s for fix in fixes for s in fix_signals(fix, "", "phone")])
    with Store.open(tmp_path / "node.db", node_id="phone") as store:
        found = import_file(store, file, "Anna", None, Rules.parse(FAMILY, "test"))
        assert list(store.fixes(found["person_id"])) == fixes


def test_a_recording_is_taken_in_without_asking_again_for_every_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules once a key each time it is read; each reading is put in order when it is looked at and when it is kept."""
    fixes = [Fix(time_s=1e9 + 60.0 * i, lat=60.1 + i / 1e3, lon=24.9) for i in range(40)]
    sold = Signal(key=ODOMETER, value=PLANTED, time_s=1e9, unit="m", source="car")
    file = tmp_path / "day.jsonl"
    count = write_recording(file, [sold, *(s for f in fixes for s in fix_signals(f, "", "phone"))])
    asked: list[str] = []
    ordered: list[str] = []

    def ask(rules: Rules, role: Role, key: str) -> bool:
        asked.append(key)
        return may_collect(rules, role, key)

    def order(signal: Signal) -> Signal:
        ordered.append(signal.key)
        return normalise(signal)

    monkeypatch.setattr("hearthway.app.personal.may_collect", ask)
    monkeypatch.setattr("hearthway.app.personal.normalise", order)
    with Store.open(tmp_path / "node.db", node_id="phone") as store:
        found = import_file(store, file, "Anna", None, Rules.parse(FAMILY, "test"))
        assert (found["fixes"], found["signals"]) == (40, 1)
    assert len(asked) == 2 * len(set(asked)) == 6
    assert len(ordered) == 2 * count


def test_heights_are_kept_sparsely_where_they_may_be_learned_from(tmp_path: Path) -> None:
    start_s = 1_760_000_000.0

    def told(name: str, rules: Rules | None) -> tuple[int, float | None]:
        with Store.open(tmp_path / f"{name}.db", node_id="phone") as store:
            store.add_person("Anna", "anna")
            phone = brain(store, rules)
            for second in range(400):
                time_s, height_m = start_s + second, max(0.0, 0.5 * (second - 200))
                fix = Fix(time_s=time_s, lat=60.17 + 1.5e-4 * second, lon=24.94)
                signal = Signal(key=ALTITUDE, value=height_m, time_s=time_s, source="car")
                phone.observe([fix], [signal], "car")
            kept = sum(signal.key == ALTITUDE for signal in store.signals("anna"))
            again = brain(store, rules).life.state.battery.heights  # as after a restart
            assert again == phone.life.state.battery.heights
            return kept, again.told_m

    kept, height_m = told("learns", Rules.parse(FAMILY, "test"))
    assert 50 <= kept <= 60  # of 400: each 2 m, and each minute on the level
    assert height_m == pytest.approx(99.5, abs=2.0)
    line = f'    "{ALTITUDE}",\n'
    assert line in FAMILY
    assert told("not", Rules.parse(FAMILY.replace(line, ""), "test")) == (0, None)
