"""Whose phone it is: whom the household's list names, whatever other people's data lies on it."""

from __future__ import annotations

import asyncio
from typing import Any

from hearthway.app.membership import owner_of
from hearthway.app.phone import PhoneNode


def _thinks_for(phone: PhoneNode) -> str:
    return "" if phone.brain is None else phone.brain.person.person_id


def test_the_households_list_says_whose_phone_it_is(household: Any) -> None:
    async def main() -> None:
        async with household(people={"phone": ("zoe", "adult")}, phone="phone") as nodes:
            phone = nodes["phone"]
            assert isinstance(phone, PhoneNode)
            phone.store.add_person("Anna", "anna")  # first by name: somebody else's history
            assert owner_of(phone) == "anna"  # nobody else is known here yet
            phone.store.add_person("Zoe", "zoe")
            assert owner_of(phone) == "zoe"
            assert (await nodes.ask("phone", "people"))["owner"] == "zoe"
            await nodes.down("phone")
            await nodes.up("phone")
            phone = nodes["phone"]
            assert isinstance(phone, PhoneNode)
            await nodes.until(lambda: _thinks_for(phone) == "zoe")

    asyncio.run(main())


def test_a_phone_of_no_household_is_the_first_persons(household: Any) -> None:
    async def main() -> None:
        async with household(phone="phone") as nodes:
            phone = nodes["phone"]
            assert owner_of(phone) is None
            assert owner_of(nodes["home"]) is None
            phone.store.add_person("Zoe", "zoe")
            phone.store.add_person("Anna", "anna")
            assert owner_of(phone) == "anna"

    asyncio.run(main())
