"""A car that two people share tells of the drive to its driver alone."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from hearthway.app.wheel import UNKNOWN, AtWheel
from hearthway.records.errors import HearthwayError
from hearthway.records.signals import Signal

TWO = {"anna-phone": ("anna", "adult"), "ben-phone": ("ben", "adult")}


def signals() -> list[dict[str, Any]]:
    now_s = time.time()
    return [
        msgspec.to_builtins(Signal(key=key, value=v, time_s=now_s, unit=unit, source="car"))
        for key, v, unit in (
            ("Vehicle.Speed", 30.0, "km/h"),
            ("Vehicle.CurrentLocation.Latitude", 60.1, "degrees"),
            ("Vehicle.CurrentLocation.Longitude", 24.9, "degrees"),
            ("Vehicle.Powertrain.TractionBattery.StateOfCharge.Current", 50.0, "percent"),
        )
    ]


async def heard(nodes: Any, name: str, told: list[list[Signal]]) -> set[str]:
    """Keys that reached a phone since the last call."""
    await asyncio.sleep(0.3)
    keys = {signal.key for batch in told for signal in batch}
    told.clear()
    return keys


def listen(nodes: Any, name: str) -> list[list[Signal]]:
    told: list[list[Signal]] = []
    nodes[name].mesh.on_signals(lambda meta, batch: told.append(batch))
    return told


def test_one_phone_in_reach_drives(household: Any) -> None:
    async def main() -> None:
        async with household(
            people={"phone": ("anna", "adult")}, phone="phone", car="car"
        ) as nodes:
            assert nodes["car"].driver() == "anna"
            told = listen(nodes, "phone")
            await nodes.ask("car", "sense", signals=signals())
            assert "Vehicle.CurrentLocation.Latitude" in await heard(nodes, "phone", told)

    asyncio.run(main())


def test_of_two_nobody_hears_until_one_says_so(household: Any) -> None:
    roles = {"anna-phone": "phone", "ben-phone": "phone", "car": "car"}

    async def main() -> None:
        async with household(people=TWO, **roles) as nodes:
            assert nodes["car"].driver() == UNKNOWN
            anna, ben = listen(nodes, "anna-phone"), listen(nodes, "ben-phone")
            await nodes.ask("car", "sense", signals=signals())
            for name, told in (("anna-phone", anna), ("ben-phone", ben)):
                keys = await heard(nodes, name, told)
                assert not [k for k in keys if "Location" in k or "Speed" in k]
            await nodes.ask("ben-phone", "wheel")
            assert nodes["car"].driver() == "ben"
            await nodes.ask("car", "sense", signals=signals())
            assert "Vehicle.CurrentLocation.Latitude" in await heard(nodes, "ben-phone", ben)
            assert not [k for k in await heard(nodes, "anna-phone", anna) if "Location" in k]
            await nodes.ask("anna-phone", "wheel")
            await nodes.ask("car", "sense", signals=signals())
            assert "Vehicle.CurrentLocation.Latitude" in await heard(nodes, "anna-phone", anna)
            assert not [k for k in await heard(nodes, "ben-phone", ben) if "Location" in k]

    asyncio.run(main())


ROLES = {"anna-phone": "phone", "ben-phone": "phone", "car": "car"}


def go_far(nodes: Any, *phones: str) -> None:
    """These phones still reach the car: by a relay, a router, a tunnel. The others are with it."""
    nodes.hub.far.clear()
    nodes.hub.far.update(frozenset((phone, "car")) for phone in phones)


def test_nobody_takes_the_wheel_from_afar(household: Any) -> None:
    """The attack with its control: the same adult, the same words, not with the car and then with it."""

    async def main() -> None:
        async with household(people=TWO, **ROLES) as nodes:
            car = nodes["car"]
            await nodes.ask("anna-phone", "wheel")
            assert car.driver() == "anna"
            go_far(nodes, "ben-phone")
            told = listen(nodes, "ben-phone")
            for _ in range(3):
                with pytest.raises(HearthwayError, match="may be anywhere") as refused:
                    await nodes.ask("ben-phone", "wheel")
                assert "wheel --driver" in refused.value.next_step
            assert car.driver() == "anna"
            await nodes.ask("car", "sense", signals=signals())
            assert not [k for k in await heard(nodes, "ben-phone", told) if "Location" in k]
            go_far(nodes)
            await nodes.ask("ben-phone", "wheel")
            assert car.driver() == "ben"
            await nodes.ask("car", "sense", signals=signals())
            keys = await heard(nodes, "ben-phone", told)
            assert "Vehicle.CurrentLocation.Latitude" in keys

    asyncio.run(main())


def test_a_phone_that_is_not_with_the_car_drives_nothing_by_being_reached(household: Any) -> None:
    """The only phone in reach is at home, by way of a relay: it is told nothing. With the car it is."""

    async def main() -> None:
        async with household(people=TWO, **ROLES) as nodes:
            await nodes.down("anna-phone")
            car = nodes["car"]
            await nodes.until(lambda: car.driver() == "ben")  # the control: alone with the car
            go_far(nodes, "ben-phone")
            told = listen(nodes, "ben-phone")
            assert car.driver() == UNKNOWN
            await nodes.ask("car", "sense", signals=signals())
            assert not [k for k in await heard(nodes, "ben-phone", told) if "Location" in k]
            go_far(nodes)
            assert car.driver() == "ben"

    asyncio.run(main())


def test_whoever_took_the_wheel_and_stayed_behind_is_not_told_of_anothers_drive(
    household: Any, monkeypatch: Any
) -> None:
    """Ben says that he drives while the car stands at home; Anna drives off with her phone alone in it."""
    clock = {"s": time.monotonic()}
    monkeypatch.setattr("hearthway.app.wheel.time", SimpleNamespace(monotonic=lambda: clock["s"]))

    async def main() -> None:
        async with household(people=TWO, **ROLES) as nodes:
            car = nodes["car"]
            await nodes.ask("ben-phone", "wheel")
            go_far(nodes, "ben-phone")
            assert car.driver() == UNKNOWN  # his word stands, and she is here
            clock["s"] += 601.0
            car.driver()
            assert car.driver() == "anna"  # as if nobody had said anything
            await nodes.ask("anna-phone", "wheel")
            go_far(nodes, "ben-phone", "anna-phone")
            assert car.driver() == "anna"  # a tunnel, a charger: nobody else is with the car
            clock["s"] += 599.0
            assert car.driver() == "anna"
            clock["s"] += 2.0
            assert car.driver() == UNKNOWN

    asyncio.run(main())


def test_on_the_car_itself_any_adult_is_named_and_nobody_else(
    household: Any, monkeypatch: Any
) -> None:
    clock = {"s": time.monotonic()}
    monkeypatch.setattr("hearthway.app.wheel.time", SimpleNamespace(monotonic=lambda: clock["s"]))
    people = {**TWO, "kim-phone": ("kim", "child")}

    async def main() -> None:
        async with household(people=people, **ROLES, **{"kim-phone": "phone"}) as nodes:
            car = nodes["car"]
            go_far(nodes, *people)  # a car that can tell of nobody that they are with it
            assert car.driver() == UNKNOWN
            for wrong in ("kim", "zoe", "", "x" * 500):
                with pytest.raises(HearthwayError, match="no adult"):
                    await nodes.ask("car", "wheel", person=wrong)
            assert (await nodes.ask("car", "wheel", person="an"))["driver"] == "anna"
            assert car.driver() == "anna"
            go_far(nodes, "anna-phone", "kim-phone")
            assert car.driver() == UNKNOWN  # Ben is with the car now, and she is not
            go_far(nodes, *people)
            assert car.driver() == "anna"
            clock["s"] += 12 * 3600.0 - 1.0
            assert car.driver() == "anna"
            clock["s"] += 700.0
            assert car.driver() == UNKNOWN

    asyncio.run(main())


def test_a_household_of_one_driver_needs_no_telling_apart(household: Any) -> None:
    async def main() -> None:
        people = {"phone": ("anna", "adult"), "gus-phone": ("gus", "guest")}
        roles = {"phone": "phone", "gus-phone": "phone", "car": "car"}
        async with household(people=people, **roles) as nodes:
            go_far(nodes, "phone", "gus-phone")
            assert nodes["car"].driver() == "anna"

    asyncio.run(main())


def test_a_wire_that_cannot_tell_lets_nobody_claim(household: Any) -> None:
    async def main() -> None:
        async with household(people=TWO, **ROLES) as nodes:
            wire, nodes["car"].wire = nodes["car"].wire, None
            with pytest.raises(HearthwayError, match="may be anywhere"):
                await nodes.ask("anna-phone", "wheel")
            assert nodes["car"].driver() == UNKNOWN
            nodes["car"].wire = wire  # the control
            await nodes.ask("anna-phone", "wheel")
            assert nodes["car"].driver() == "anna"

    asyncio.run(main())


def test_a_claim_whose_acknowledgement_was_lost_does_not_undo_what_another_said_since(
    household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for again, and answered, not carried out again."""

    async def main() -> None:
        async with household(people=TWO, **ROLES) as nodes:
            wheel = nodes["car"].part(AtWheel)
            now_drives, said = wheel._now_drives, list[str]()

            def cut_once(person: str, *, here: bool) -> None:
                now_drives(person, here=here)
                said.append(person)
                if len(said) == 1:
                    nodes.hub.cut("anna-phone", "car")

            monkeypatch.setattr(wheel, "_now_drives", cut_once)
            anna = asyncio.create_task(nodes.ask("anna-phone", "wheel"))
            await nodes.until(lambda: said == ["anna"])
            assert not anna.done()
            await nodes.ask("ben-phone", "wheel")
            assert nodes["car"].driver() == "ben"
            nodes.hub.heal("anna-phone", "car")
            assert await anna == {"car": "car"}  # the control: she is answered
            assert said == ["anna", "ben"]
            assert nodes["car"].driver() == "ben"

    asyncio.run(main())


def test_a_child_does_not_drive(household: Any) -> None:
    people = {"anna-phone": ("anna", "adult"), "kim-phone": ("kim", "child")}
    roles = {"anna-phone": "phone", "kim-phone": "phone", "car": "car"}

    async def main() -> None:
        async with household(people=people, **roles) as nodes:
            with pytest.raises(HearthwayError, match="child"):
                await nodes.ask("kim-phone", "wheel")
            await nodes.ask("anna-phone", "wheel")
            assert nodes["car"].driver() == "anna"

    asyncio.run(main())
