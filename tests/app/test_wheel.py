"""A car that two people share tells of the drive to its driver alone."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
import pytest

from hearthway.app.wheel import UNKNOWN
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
