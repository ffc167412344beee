"""Who is in the household, on running nodes: put out, taken in, leaving, and what every node does about it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hearthway.app.phone import PhoneNode
from hearthway.cli.revoke import command as revoke
from hearthway.mesh.state.store import Store
from hearthway.records.errors import HearthwayError, InputError
from hearthway.records.household import PersonKind
from hearthway.records.signals import Fix, Signal

TWO = {"phone": ("anna", "adult"), "phone-bea": ("bea", "adult")}
DROPS_S = 5.0


def some(person: str, key: str = "Vehicle.Speed") -> list[Signal]:
    return [Signal(key=key, value=1.0, time_s=1.0e9, unit="km/h", source="car", person=person)]


def lives(store: Store, person: str) -> bool:
    return any(p.person_id == person for p in store.persons())


def roster(nodes: Any, name: str) -> Any:
    mesh = nodes[name].mesh
    assert mesh is not None
    return mesh.identity.roster


def reaches(nodes: Any, name: str, other: str) -> bool:
    mesh = nodes[name].mesh
    return mesh is not None and bool(mesh.ready(other))


@pytest.mark.parametrize("asked", ["home", "phone"])
def test_a_lost_phone_is_dropped_by_all_and_says_so_itself(household: Any, asked: str) -> None:
    async def main() -> None:
        roles = {"phone": "phone", "phone-bea": "phone", "car": "car"}
        async with household(people=TWO, **roles) as nodes:
            lost = nodes["phone-bea"]
            lost.store.add_person("Bea", "bea")
            began = time.monotonic()
            assert (await nodes.ask(asked, "revoke", device="phone-bea"))["device"] == "phone-bea"
            for name in ("home", "car", "phone"):
                await nodes.until(lambda n=name: not reaches(nodes, n, "phone-bea"))
                await nodes.until(lambda n=name: roster(nodes, n).member("phone-bea") is None)
            assert time.monotonic() - began < DROPS_S
            await nodes.until(lambda: lost.mesh is None)
            state = await nodes.ask("phone-bea", "status")
            assert not state["healthy"]
            assert "taken out of the household" in state["problem"]
            assert "stays" in state["next"]
            assert lives(lost.store, "bea")  # its own data is its own
            await nodes.reach("home", "car", "phone")  # the others go on
            assert len({roster(nodes, n).epoch for n in ("home", "car", "phone")}) == 1
            await nodes.down("phone-bea")
            await nodes.up("phone-bea")  # a restart says the same
            state = await nodes.ask("phone-bea", "status")
            assert "taken out of the household" in state["problem"]

    asyncio.run(main())


def test_only_an_adults_phone_puts_devices_out(household: Any) -> None:
    async def main() -> None:
        people = {"phone": ("anna", "adult"), "phone-kim": ("kim", "child")}
        async with household(
            people=people, phone="phone", **{"phone-kim": "phone"}, car="car"
        ) as n:
            before = roster(n, "home")
            for asker in ("phone-kim", "car"):
                with pytest.raises(HearthwayError, match="not an adult's phone"):
                    await n.ask(asker, "revoke", device="phone")
            with pytest.raises(HearthwayError, match="No device"):
                await n.ask("phone", "revoke", device="tv")
            with pytest.raises(HearthwayError, match="home itself"):
                await n.ask("phone", "revoke", device="home")
            assert roster(n, "home") == before
            n.hub.cut("phone", "home")
            await n.until(lambda: not reaches(n, "phone", "home"))
            with pytest.raises(HearthwayError, match="still in the household") as caught:
                await n.ask("phone", "revoke", device="car")
            assert "hearthway revoke car" in caught.value.next_step
            n.hub.heal("phone", "home")
            await n.reach("phone", "home")
            await n.ask("phone", "revoke", device="car")  # the control: an adult's phone may
            await n.until(lambda: roster(n, "home").member("car") is None)

    asyncio.run(main())


def test_the_first_phone_is_believed_the_second_is_confirmed_at_home(household: Any) -> None:
    async def main() -> None:
        async with household(phone="phone") as nodes:
            assert roster(nodes, "home").alone()
            assert (await nodes.ask("home", "people"))["people"] == []
            phone = nodes["phone"]
            assert isinstance(phone, PhoneNode)
            anna = phone.adopt("Anna").person_id
            nodes.hub.cut("phone", "home")
            mesh = phone.mesh
            assert mesh is not None
            await nodes.until(lambda: not mesh.ready("home"))
            nodes.hub.heal("phone", "home")
            await nodes.until(lambda: roster(nodes, "phone").people != ())
            (listed,) = (await nodes.ask("home", "people"))["people"]
            assert (listed["person"], listed["kind"]) == (anna, "adult")
            assert listed["devices"] == ["phone"]

    asyncio.run(main())


def test_whose_a_phone_is_it_tells_as_soon_as_somebody_lives_on_it(
    household: Any, tmp_path: Path
) -> None:
    file = tmp_path / "lived.csv"
    at = range(1_757_000_000, 1_757_000_000 + 86_400, 600)
    file.write_text("\n".join(["lat,lng,datetime", *(f"60.2,24.9,{time_s}" for time_s in at)]))

    async def main() -> None:
        async with household(phone="phone") as nodes:
            found = await nodes.ask("phone", "import", file=str(file), name="Anna")
            await nodes.until(lambda: roster(nodes, "phone").people != ())
            (listed,) = (await nodes.ask("home", "people"))["people"]
            assert (listed["person"], listed["devices"]) == (found["person_id"], ["phone"])

    asyncio.run(main())


def test_a_second_phone_waits_for_the_home(household: Any) -> None:
    async def main() -> None:
        people = {"phone": ("anna", "adult")}
        async with household(people=people, phone="phone", **{"phone-kim": "phone"}) as nodes:
            second = nodes["phone-kim"]
            kim = second.adopt("Kim").person_id
            nodes.hub.cut("phone-kim", "home")
            await nodes.until(lambda: not second.mesh.ready("home"))
            nodes.hub.heal("phone-kim", "home")
            home = nodes["home"]
            await nodes.until(lambda: home.mesh is not None and bool(_asked(home)))
            assert (await nodes.ask("phone-kim", "status"))["unconfirmed"]
            found = await nodes.ask("home", "people")
            assert found["asked"] == [{"device": "phone-kim", "person": kim}]
            party = roster(nodes, "home").party("phone-kim", time.time())
            assert (party.person, party.kind, party.alone) == (
                "",
                "",
                False,
            )  # nobody's, and not shared
            done = await nodes.ask("home", "people-add", person=kim[:6], kind="child")
            assert done["devices"] == ["phone-kim"]
            await nodes.until(lambda: roster(nodes, "phone-kim").person(kim) is not None)
            party = roster(nodes, "phone-kim").party("phone-kim", time.time())
            assert (party.person, party.kind) == (kim, "child")
            assert (await nodes.ask("home", "people"))["asked"] == []
            await nodes.ask("home", "people-set", person=kim, kind="adult")
            assert roster(nodes, "home").person(kim).kind is PersonKind.ADULT
            with pytest.raises(HearthwayError, match="in the household already"):
                await nodes.ask("home", "people-add", person=kim, kind="adult")
            with pytest.raises(HearthwayError, match="Nobody of the household"):
                await nodes.ask("home", "people-set", person="zoe", kind="adult")
            with pytest.raises(HearthwayError, match="nobody's part"):
                await nodes.ask("home", "people-set", person=kim, kind="king")

    asyncio.run(main())


def _asked(home: Any) -> dict[str, str]:
    from hearthway.app.membership import Membership

    asked: dict[str, str] = home.part(Membership).asked
    return asked


def test_a_phone_does_not_become_anothers_by_saying_so(household: Any) -> None:
    async def main() -> None:
        people = {"phone": ("anna", "adult")}
        async with household(people=people, phone="phone", **{"phone-eve": "phone"}) as nodes:
            eve = nodes["phone-eve"]
            eve.store.add_person("Anna", "anna")  # she knows the id
            eve.adopt("Anna")
            nodes.hub.cut("phone-eve", "home")
            await nodes.until(lambda: not eve.mesh.ready("home"))
            nodes.hub.heal("phone-eve", "home")
            await nodes.until(lambda: bool(_asked(nodes["home"])))
            assert roster(nodes, "home").member("phone-eve").person == ""

    asyncio.run(main())


@pytest.mark.parametrize("how", ["people-remove", "people-leave"])
def test_who_leaves_takes_their_data_along(household: Any, how: str) -> None:
    async def main() -> None:
        roles = {"phone": "phone", "phone-bea": "phone", "car": "car"}
        async with household(people=TWO, **roles) as nodes:
            for name in ("home", "car", "phone", "phone-bea"):
                store = nodes[name].store
                for person in ("anna", "bea"):
                    store.add_person(person, person)
                    store.add_signals(person, some(person))
                    store.add_fixes(person, [Fix(time_s=1.0e9, lat=60.1, lon=24.9)], "test")
            nodes.hub.cut("car", "home")  # the car hears of it later
            nodes.hub.cut("car", "phone")
            nodes.hub.cut("car", "phone-bea")
            asker, fields = (
                ("home", {"person": "bea"}) if how == "people-remove" else ("phone-bea", {})
            )
            done = await nodes.ask(asker, how, **fields)
            assert done["devices"] == ["phone-bea"]
            for name in ("home", "phone"):
                await nodes.until(lambda n=name: not lives(nodes[n].store, "bea"))
                assert list(nodes[name].store.signals("bea")) == []
                assert lives(nodes[name].store, "anna")
            gone = nodes["phone-bea"]
            await nodes.until(lambda: gone.mesh is None)
            assert lives(gone.store, "bea")
            assert len(list(gone.store.fixes("bea"))) == 1
            assert (await nodes.ask("phone-bea", "ping"))["node"] == "phone-bea"
            assert lives(nodes["car"].store, "bea")  # it has not heard yet
            nodes.hub.heal("car", "phone")  # from whoever knows
            await nodes.until(lambda: not lives(nodes["car"].store, "bea"))
            assert lives(nodes["car"].store, "anna")
            with pytest.raises(HearthwayError, match="Nobody of the household"):
                await nodes.ask("home", "people-remove", person="bea")

    asyncio.run(main())


def test_a_shared_device_has_nobody_who_could_leave(household: Any) -> None:
    async def main() -> None:
        async with household(people={"phone": ("anna", "adult")}, phone="phone", car="car") as n:
            with pytest.raises(HearthwayError, match="belongs to nobody"):
                await n.ask("car", "people-leave")
            await n.ask("home", "people-assign", device="car", person="anna")
            await n.until(lambda: roster(n, "car").member("car").person == "anna")

    asyncio.run(main())


def test_nobody_is_asked_about_a_device_that_there_is_not(household: Any) -> None:
    async def main() -> None:
        async with household(phone="phone", car="car") as nodes:
            home = str(nodes["home"].paths.root)

            async def put_out(device: str, said: str) -> Result:
                words = [device, "--data", home]
                return await asyncio.to_thread(CliRunner().invoke, revoke, words, input=said)

            done = await put_out("nobody", "y\n")
            assert isinstance(done.exception, InputError)
            assert "No device" in done.exception.message
            assert "for good?" not in done.output
            assert "for good?" in (await put_out("car", "n\n")).output  # the control
            assert roster(nodes, "home").member("car") is not None

    asyncio.run(main())
