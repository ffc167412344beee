"""What a home senses reaches a phone by a rule alone, as old as it is, and is kept there to learn from."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from hearthway.app.brain import Brain
from hearthway.app.home import MAX_ITEMS
from hearthway.app.house import HouseHeard
from hearthway.assist.settings import GateSettings
from hearthway.context.items import MAX_THINGS
from hearthway.mesh.policy.rules import Rules, template
from hearthway.mesh.state.store import Store
from hearthway.records.errors import HearthwayError
from hearthway.records.signals import Fix, Signal
from hearthway.sense.catalogue import HEATING, PRESENCE, ROOM

BAG = "Home.Items.Sports_bag.Present"
ANNA = {"phone": ("anna", "adult")}
FAMILY = template("family")
RULE = '[[rule]]\nid = "climate-at-home"\n'
WITHOUT = FAMILY.replace(RULE + 'keys = ["Home.Climate.*"]', RULE + 'keys = ["Home.Never"]')


def told(age_s: float = 0.0, celsius: float = 16.4) -> list[dict[str, Any]]:
    now_s = time.time() - age_s
    return [
        {"key": ROOM, "value": celsius, "time_s": now_s, "unit": "celsius"},
        {"key": PRESENCE, "value": False, "time_s": now_s},
        {"key": BAG, "value": True, "time_s": now_s},
    ]


def history(path: Path) -> Path:
    rows = [f"{60.17 + n / 1e4},{24.94},2026-01-0{n + 1} 12:00:00,anna" for n in range(5)]
    path.write_text("lat,lng,datetime,uid\n" + "\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize(
    ("home_rules", "phone_rules"), [(FAMILY, FAMILY), (WITHOUT, FAMILY), (FAMILY, WITHOUT)]
)
def test_a_house_tells_a_phone_what_both_their_rules_let(
    household: Any, tmp_path: Path, home_rules: str, phone_rules: str
) -> None:
    assert WITHOUT != FAMILY
    for name, text in (("home", home_rules), ("phone", phone_rules)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rules.toml").write_text(text)

    async def main() -> None:
        async with household(people=ANNA, phone="phone") as nodes:
            file = history(tmp_path / "anna.csv")
            await nodes.ask("phone", "import", file=str(file), name="Anna", person_id="anna")
            phone, home = nodes["phone"], nodes["home"]
            done = await nodes.ask("home", "sense", signals=told(age_s=240.0))
            assert done["signals"] == 3
            await nodes.ask("home", "sense", signals=told()[1:2])  # the control comes after it
            if phone_rules == FAMILY:  # a phone that refuses one of a message refuses the message
                await nodes.until(lambda: PRESENCE in phone.latest)
            allowed = home_rules == phone_rules == FAMILY
            if allowed:
                await nodes.until(lambda: any(s.key == ROOM for s in phone.store.signals("anna")))
                assert 240.0 <= time.time() - phone.latest[ROOM].time_s < 300.0
                assert phone.latest[ROOM].source == "home"
                assert phone.latest[BAG].value is True
                assert phone.brain.life.state.house.room.value == 16.4
            assert (ROOM in phone.latest) is allowed
            counted = {c.rule for c in home.mesh.crossings() if c.key == ROOM}
            assert counted == ({""} if home_rules == WITHOUT else {"climate-at-home"})

    asyncio.run(main())


def test_a_phone_that_comes_back_hears_the_latest_with_its_age_and_nothing_stale(
    household: Any,
) -> None:
    async def main() -> None:
        async with household(people=ANNA, phone="phone") as nodes:
            await nodes.down("phone")
            await nodes.ask("home", "sense", signals=told(age_s=2000.0))  # a room's holds 1800 s
            await nodes.up("phone")
            phone = nodes["phone"]
            await nodes.reach("home", "phone")
            heard: list[Signal] = []
            phone.mesh.on_signals(lambda meta, batch: heard.extend(batch))
            await nodes.ask("home", "sense", signals=told(age_s=500.0)[:1])
            await nodes.until(lambda: any(s.key == ROOM for s in heard))
            nodes.hub.cut("home", "phone")
            await nodes.until(lambda: not nodes["home"].mesh.ready("phone"))
            heard.clear()
            nodes.hub.heal("home", "phone")
            await nodes.until(lambda: any(s.key == ROOM for s in heard))
            room = next(s for s in heard if s.key == ROOM)
            assert 500.0 <= time.time() - room.time_s < 560.0
            assert {s.key for s in heard} == {ROOM, PRESENCE}  # presence holds an hour, a tag 900 s

    asyncio.run(main())


def test_a_guest_hears_nothing_of_the_house(household: Any) -> None:
    people = {"phone": ("anna", "adult"), "other": ("gus", "guest")}

    async def main() -> None:
        async with household(people=people, phone="phone", other="phone") as nodes:
            heard: dict[str, list[str]] = {"phone": [], "other": []}
            for name, keys in heard.items():
                nodes[name].mesh.on_signals(
                    lambda meta, batch, keys=keys: keys.extend(s.key for s in batch)
                )
            await nodes.ask("home", "sense", signals=told())
            await nodes.until(lambda: bool(heard["phone"]))
            await asyncio.sleep(0.2)
            assert heard["other"] == []

    asyncio.run(main())


def test_a_thing_of_one_person_is_told_to_that_person_alone(household: Any) -> None:
    people = {"phone": ("anna", "adult"), "other": ("ben", "adult")}

    async def main() -> None:
        async with household(people=people, phone="phone", other="phone") as nodes:
            heard: dict[str, set[str]] = {"phone": set(), "other": set()}
            for name, keys in heard.items():
                nodes[name].mesh.on_signals(
                    lambda meta, batch, keys=keys: keys.update(s.key for s in batch)
                )
            bag = {"key": BAG, "value": True, "time_s": time.time(), "person": "anna"}
            await nodes.ask("home", "sense", signals=[bag])
            await nodes.ask("home", "sense", signals=told()[:1])  # the control: everybody's
            await nodes.until(lambda: all(ROOM in keys for keys in heard.values()))
            assert heard == {"phone": {BAG, ROOM}, "other": {ROOM}}

    asyncio.run(main())


def test_a_phone_refuses_a_house_that_is_ahead_of_its_clock(household: Any, tmp_path: Path) -> None:
    """One such reading would make all that follow look old."""

    async def main() -> None:
        async with household(people=ANNA, phone="phone") as nodes:
            file = history(tmp_path / "anna.csv")
            await nodes.ask("phone", "import", file=str(file), name="Anna", person_id="anna")
            phone, home = nodes["phone"], nodes["home"].mesh
            for ahead_s, celsius in ((3600.0, 30.0), (60.0, 20.0)):
                now_s = time.time() + ahead_s
                one = Signal(key=ROOM, value=celsius, time_s=now_s, unit="celsius", source="home")
                await home.publish_signals([one], "anticipate", reliable=True)
            store = phone.store
            await nodes.until(lambda: any(s.value == 20.0 for s in store.signals("anna")))
            assert [s.value for s in store.signals("anna") if s.key == ROOM] == [20.0]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("signals", "says"),
    [
        ([{"key": ROOM, "value": 99.0, "time_s": 1.0}], "out of its range"),
        ([{"key": ROOM, "value": 19.0, "time_s": 9e9}], "dated in the future"),
        ([{"key": "Home.Items.a b.Present", "value": True, "time_s": 1.0}], "no signal Hearthway"),
        ([{"key": "Home.Items.*.Present", "value": True, "time_s": 1.0}], "no signal Hearthway"),
        (
            [
                {"key": f"Home.Items.t{n}.Present", "value": True, "time_s": 1.0}
                for n in range(MAX_ITEMS + 1)
            ],
            f"tells of {MAX_ITEMS} things",
        ),
    ],
)
def test_a_home_refuses_what_it_cannot_tell(household: Any, signals: Any, says: str) -> None:
    async def main() -> None:
        async with household() as nodes:
            with pytest.raises(HearthwayError, match=says):
                await nodes.ask("home", "sense", signals=signals)
            assert nodes["home"].latest == {}
            assert (await nodes.ask("home", "sense", signals=told()))["signals"] == 3

    asyncio.run(main())


@pytest.mark.parametrize(
    ("key", "value", "ahead_s"),
    [
        ("Person.Items.Bag.WithPhone", True, 600.0),
        ("Person.Location.Latitude", 60.17, 2 * 86_400.0),
    ],
)
def test_a_phone_refuses_of_its_own_sensors_what_is_dated_in_the_future(
    household: Any, tmp_path: Path, key: str, value: Any, ahead_s: float
) -> None:
    """Beside it all that really comes next would look old."""

    async def main() -> None:
        async with household(people=ANNA, phone="phone") as nodes:
            file = history(tmp_path / "anna.csv")
            await nodes.ask("phone", "import", file=str(file), name="Anna", person_id="anna")
            now_s = time.time()
            ahead = [{"key": key, "value": value, "time_s": now_s + ahead_s}]
            with pytest.raises(HearthwayError, match="in the future"):
                await nodes.ask("phone", "sense", signals=ahead)
            now = [{"key": key, "value": value, "time_s": now_s}]
            assert (await nodes.ask("phone", "sense", signals=now))["signals"] == 1

    asyncio.run(main())


@pytest.mark.parametrize("collected", [False, True])
def test_a_home_takes_in_nothing_of_a_car(household: Any, tmp_path: Path, collected: bool) -> None:
    mine = 'keys = ["Home.*"]\nat = ["home"]'
    assert mine in FAMILY
    if collected:
        (tmp_path / "home").mkdir()
        text = FAMILY.replace(mine, mine.replace('"]\nat', '", "Vehicle.Speed"]\nat'))
        (tmp_path / "home" / "rules.toml").write_text(text)
    speed = [{"key": "Vehicle.Speed", "value": 1.0, "time_s": 1.0}]

    async def main() -> None:
        async with household() as nodes:
            if collected:
                with pytest.raises(HearthwayError, match="nothing of a house"):
                    await nodes.ask("home", "sense", signals=speed)
            else:
                assert (await nodes.ask("home", "sense", signals=speed))["signals"] == 0
            assert nodes["home"].latest == {}

    asyncio.run(main())


def test_what_is_kept_is_enough_to_learn_from_and_no_more() -> None:
    heard = HouseHeard()

    def keeps(key: str, value: float | bool, time_s: float) -> bool:
        signal = Signal(key=key, value=value, time_s=time_s)
        heard.hear([signal])
        kept = heard.keeps(signal)
        if kept:
            heard.note(signal)
        return kept

    assert keeps(ROOM, 20.0, 0.0)
    assert not keeps(ROOM, 20.2, 60.0)
    assert heard.latest[ROOM].value == 20.2, "what is known now is the last word"
    assert keeps(ROOM, 20.3, 120.0)
    assert not keeps(ROOM, 20.3, 1900.0)
    assert keeps(ROOM, 20.3, 1920.0)
    assert keeps(HEATING, True, 1930.0)
    assert not keeps(HEATING, True, 1990.0)
    assert keeps(HEATING, False, 2000.0)
    assert not keeps(ROOM, 25.0, 1999.0), "before what is stored"
    assert not keeps("Home.Energy.Price", 0.2, 3000.0), "nothing is learned from it"
    heard.clear()
    assert heard.latest == {}
    assert keeps(ROOM, 20.3, 2010.0)


def brain(store: Store, rules: Rules | None = None) -> Brain:
    return Brain(
        store,
        store.add_person("Anna", "anna"),
        pois=None,
        roads=None,
        name_of=None,
        settings=GateSettings(),
        synthetic=False,
        rules=rules,
    )


def at(minute: float, key: str, value: float | bool) -> Signal:
    return Signal(key=key, value=value, time_s=1.77e9 + 60.0 * minute, source="home")


def test_learned_live_and_again_from_the_store_is_the_same(tmp_path: Path) -> None:
    """Positions of another clock in between make nothing late, and a kill loses nothing."""
    with Store.open(tmp_path / "a.db", node_id="phone") as store:
        one = brain(store)
        for minute in range(600):
            fix = Fix(time_s=1.77e9 + 60.0 * minute + 7.0, lat=60.17, lon=24.94)
            one.observe([fix], [], "phone")
            heating = 60 <= minute < 240
            batch = [at(minute, ROOM, 18.0 + 0.01 * max(0, min(minute, 240) - 60))]
            if minute % 5 == 0:
                batch += [at(minute, PRESENCE, minute > 30), at(minute, HEATING, heating)]
            one.observe([], batch, "home")
        assert not one._behind
        assert one.life.state.house.warmings != []
        assert len(list(store.signals("anna"))) < 60
        lived = one.life.dump()
        again = brain(store)
        again.rebuild()
        assert again.life.dump() == lived
        one.snapshot()
        assert brain(store).life.dump() == lived


def test_a_house_full_of_tags_leaves_room_for_how_warm_it_is(tmp_path: Path) -> None:
    """And of as many things as are learned of, the same are learned of again, whatever the order within an instant."""
    with Store.open(tmp_path / "a.db", node_id="phone") as store:
        one = brain(store)
        tags = [at(1, f"Home.Items.thing{n}.Present", True) for n in reversed(range(MAX_ITEMS))]
        one.observe([], tags, "home")
        one.observe([], [at(2, ROOM, 20.0)], "home")
        house = one.life.state.house
        assert house.room is not None
        assert house.room.value == 20.0
        assert len(one.life.state.items.at_home) == MAX_THINGS
        lived = one.life.dump()
        one.rebuild()
        assert set(one.life.state.items.at_home) == {
            f"thing{MAX_ITEMS - 1 - n}" for n in range(MAX_THINGS)
        }
        assert brain(store).life.dump() == one.life.dump()
        assert lived == one.life.dump()


def test_nothing_is_learned_of_the_house_unless_the_rules_let(tmp_path: Path) -> None:
    family = Rules.parse(FAMILY, "test")
    never = Rules.parse(
        FAMILY.replace('    "Home.Climate.*",\n    "Home.Presence', '    "Home.Presence'), "t"
    )
    assert family.trains(key=ROOM)
    assert not never.trains(key=ROOM)
    for number, (rules, known) in enumerate(((family, True), (never, False))):
        with Store.open(tmp_path / f"{number}.db", node_id="phone") as store:
            one = brain(store, rules)
            one.observe([], [at(1, ROOM, 20.0)], "home")
            assert (one.life.state.house.room is not None) is known
