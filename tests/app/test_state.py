"""A setting made on one running node is there on the others, and the control socket says how it stands."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hearthway.app.state import State, checked, parsed
from hearthway.records.errors import HearthwayError, InputError

KEY = "Setting.Home.Arrival.Temperature"


def test_a_setting_is_on_every_node(household: Any) -> None:
    async def main() -> None:
        async with household(
            people={"phone": ("anna", "adult")}, phone="phone", car="car"
        ) as nodes:
            await nodes.ask("phone", "set", key=KEY, value=21.5)
            for name in ("home", "car"):
                store = nodes[name].store
                await nodes.until(lambda store=store: store.get_register(KEY) is not None)
                (one,) = (await nodes.ask(name, "get", key="Setting."))["registers"]
                assert (one["key"], one["value"], one["source"]) == (KEY, 21.5, "phone")
                assert not one["stale"]
                assert await nodes[name].part(State).current(KEY) == 21.5
            status = await nodes.ask("home", "status")
            assert status["state"]["registers"] == 1
            assert {p["node"] for p in status["state"]["peers"]} == {"phone", "car"}
            with pytest.raises(HearthwayError, match="not for phone to write"):
                await nodes.ask("phone", "set", key="Vehicle.Speed", value=1)

    asyncio.run(main())


def test_values_as_people_type_them() -> None:
    assert [parsed(x) for x in ("21", "2.5", "true", "warm", '"x"', "[1]", "null")] == [
        21,
        2.5,
        True,
        "warm",
        '"x"',
        "[1]",
        "null",
    ]
    for bad in (None, [1], float("nan"), 2**70, "x" * 5000):
        with pytest.raises(InputError):
            checked(bad)
