"""Members that lie: genuine devices of the household, with keys that count, which say what is not theirs to say."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import msgspec
import pytest

from hearthway.app import handoff
from hearthway.app.borrow import Borrower, position_signals
from hearthway.app.handoff import Tasks
from hearthway.app.household import Household
from hearthway.app.membership import CLAIM, LEAVE, MOVE, Claim, Claimed, Leave, Move
from hearthway.app.state import State
from hearthway.app.wheel import AT_WHEEL
from hearthway.app.wheel import Claim as Wheel
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.forget import sign_order
from hearthway.records.errors import HearthwayError, MeshError, RuleDeniedError
from hearthway.records.forgetting import ForgetOrder, SignedForget, Span
from hearthway.records.household import Decision, Party
from hearthway.records.messages import FORGET
from hearthway.records.signals import Fix
from hearthway.records.tasks import (
    TASK_OFFER,
    TASK_STATE,
    Conversation,
    NavigationTarget,
    Task,
    Turn,
)

PEOPLE = {
    "anna-phone": ("anna", "adult"),
    "kid-phone": ("kid", "child"),
    "gus-phone": ("gus", "guest"),
}
ROLES = {**dict.fromkeys(PEOPLE, "phone"), "car": "car"}
NOTHING = type(None)


class Liar(Rules):
    """Rules of a device that obeys none: whoever took it over deletes them first."""

    def decide(
        self, key: str, sender: Party, receiver: Party, purpose: str, about: str = ""
    ) -> Decision | None:
        """Everything."""
        return Decision(rule="none")


def lying(nodes: Any, *names: str) -> None:
    """These nodes let everything out, and in."""
    for name in names:
        nodes[name].mesh.use_rules(Liar(()))


def target(lat: float = 60.1) -> NavigationTarget:
    return NavigationTarget(name="Quarry", lat=lat, lon=24.9)


def task(person: str, sender: str, version: int = 2, task_id: str = "0a1b2c3d4e5f") -> Task:
    return Task(
        task_id=task_id,
        person=person,
        time_s=time.time(),
        content=target(),
        holder="car",
        version=version,
        holders=(sender, "car"),
    )


def talk(person: str, sender: str, version: int = 2, task_id: str = "0a1b2c3d4e5f") -> Task:
    """A task of which a person may have many."""
    turns = (Turn(by_person=True, text="and after that?", time_s=1.0),)
    one = task(person, sender, version, task_id)
    return msgspec.structs.replace(one, content=Conversation(turns=turns))


async def offer(nodes: Any, sender: str, wanted: Task, about: str | None = None) -> None:
    await nodes[sender].mesh.command(
        "car",
        TASK_OFFER,
        wanted,
        "handoff",
        NOTHING,
        5.0,
        about=wanted.person if about is None else about,
    )


def test_nobody_offers_a_task_in_anothers_name(household: Any) -> None:
    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            lying(nodes, *PEOPLE)
            await offer(nodes, "anna-phone", task("anna", "anna-phone"))  # the control
            tasks = nodes["car"].part(Tasks)
            assert len(tasks.held()) == 1
            for about in ("anna", "kid", ""):
                with pytest.raises(HearthwayError):
                    await offer(nodes, "kid-phone", task("anna", "kid-phone", 3), about)
            with pytest.raises(HearthwayError):
                await offer(nodes, "kid-phone", task("", "kid-phone", 3))
            await nodes["kid-phone"].mesh.publish(
                TASK_STATE, task("anna", "kid-phone", 4), "handoff", reliable=True, about="anna"
            )
            await asyncio.sleep(0.3)
            (kept,) = tasks.held()
            assert (kept.person, kept.version, kept.holders[0]) == ("anna", 2, "anna-phone")

    asyncio.run(main())


def test_a_task_that_is_none_is_kept_by_nobody(household: Any) -> None:
    """Tasks are kept beside the settings: their order must not become the settings' moment, nor their id any key."""
    wrong = [task("anna", "anna-phone", version) for version in (-1, 0, 2**48, 2**62)]
    wrong += [
        task("anna", "anna-phone", task_id=name) for name in ("", "x" * 300, "../x", "a b", "A\n")
    ]

    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            lying(nodes, "anna-phone")
            for one in wrong:
                with pytest.raises(HearthwayError):
                    await offer(nodes, "anna-phone", one)
            assert nodes["car"].part(Tasks)._all() == []
            await nodes["car"].part(State).write("Setting.Speaker", 3)

    asyncio.run(main())


def test_what_is_over_makes_room_for_the_next_task(
    household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Years of drives: each task was ended, and the next one is taken."""
    monkeypatch.setattr(handoff, "TASKS_MAX", 3)

    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            lying(nodes, "anna-phone")
            tasks = nodes["car"].part(Tasks)
            for n in range(6):
                await offer(nodes, "anna-phone", talk("anna", "anna-phone", task_id=f"t-{n}"))
                if n != 1:
                    tasks.finish(f"t-{n}")
            assert sorted(one.task_id for one in tasks._all()) == ["t-1", "t-4", "t-5"]
            assert [one.task_id for one in tasks.held()] == ["t-1"]  # never one that is not over
            over = msgspec.structs.replace(talk("anna", "anna-phone", 9, task_id="t-0"), done=True)
            await offer(nodes, "anna-phone", over)  # told again by who keeps it still
            assert "t-0" not in {one.task_id for one in tasks._all()}

    asyncio.run(main())


@pytest.mark.parametrize(("bound", "most"), [("TASKS_MAX", 3), ("TASKS_MAX_BYTES", 600)])
def test_nobody_fills_a_node_with_tasks(
    household: Any, monkeypatch: pytest.MonkeyPatch, bound: str, most: int
) -> None:
    monkeypatch.setattr(handoff, bound, most)

    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            lying(nodes, *PEOPLE)
            tasks, refused = nodes["car"].part(Tasks), 0
            for n in range(8):
                try:
                    await offer(nodes, "kid-phone", talk("kid", "kid-phone", task_id=f"kid-{n}"))
                except MeshError as why:
                    refused += "Too many tasks of kid-phone" in str(why)
            assert 2 <= len(tasks.held()) == 8 - refused <= 4
            await offer(nodes, "kid-phone", talk("kid", "kid-phone", 3, task_id="kid-0"))
            await offer(
                nodes, "anna-phone", talk("anna", "anna-phone")
            )  # the others' room is theirs
            assert {one.person for one in tasks.held()} == {"kid", "anna"}

    asyncio.run(main())


def test_a_guest_does_not_take_the_wheel_of_the_households_car(household: Any) -> None:
    """A drive tells where its driver is: it is told to no guest, who would only have to say "I drive"."""

    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            lying(nodes, "gus-phone")
            assert nodes["car"].driver() == "unknown"  # two of the household are in reach
            await nodes.ask("anna-phone", "wheel")
            assert nodes["car"].driver() == "anna"
            for about in ("gus", ""):
                with pytest.raises(HearthwayError):
                    await nodes["gus-phone"].mesh.command(
                        "car", AT_WHEEL, Wheel(), "anticipate", NOTHING, 5.0, about=about
                    )
            assert nodes["car"].driver() == "anna"

    asyncio.run(main())


def test_only_the_driver_lends_a_position(household: Any) -> None:
    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            lying(nodes, "kid-phone", "gus-phone")
            await nodes.ask("anna-phone", "wheel")
            car = nodes["car"].part(Borrower)

            async def lend(name: str, person: str, lat: float) -> None:
                fix = Fix(time_s=time.time(), lat=lat, lon=24.0)
                signals = position_signals(fix, name, person)
                await nodes[name].mesh.publish_signals(signals, "borrow", reliable=True, to="car")
                await asyncio.sleep(0.3)

            for name, person in (("kid-phone", "kid"), ("gus-phone", "gus"), ("kid-phone", "")):
                await lend(name, person, 10.0)
                assert car.position() is None
            await lend("anna-phone", "anna", 60.0)  # the control
            found = car.position()
            assert found is not None
            assert (found["source"], found["lat"]) == ("anna-phone", 60.0)

    asyncio.run(main())


def test_what_acts_is_ordered_by_whom_the_owners_rules_name(household: Any, tmp_path: Any) -> None:
    """A child's and a guest's phone that obey no rules order nothing at the car or at home; honest ones do not try."""
    orders = (("car", "Command.Car.Unlock"), ("home", "Command.Home.Lock"))

    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            done: list[tuple[str, str]] = []
            for name, key in orders:
                nodes[name].mesh.serve(
                    key, int, lambda meta, _, name=name: done.append((name, meta.sender))
                )

            async def order(sender: str, purpose: str = "control", about: str = "") -> None:
                for name, key in orders:
                    await nodes[sender].mesh.command(
                        name, key, 1, purpose, NOTHING, 5.0, about=about
                    )

            for name, key in orders:  # at the source: not a byte of it leaves
                sent = nodes["kid-phone"].mesh.bytes_to()
                with pytest.raises(RuleDeniedError):
                    await nodes["kid-phone"].mesh.command(name, key, 1, "control", NOTHING, 5.0)
                assert nodes["kid-phone"].mesh.bytes_to() == sent
            lying(nodes, *PEOPLE)
            for sender, person in (("kid-phone", "kid"), ("gus-phone", "gus")):
                for purpose in ("control", "share", "household", "anticipate"):
                    for about in ("", person, "anna"):
                        with pytest.raises(HearthwayError):
                            await order(sender, purpose, about)
            assert done == []
            await order("anna-phone")  # the control
            assert done == [("car", "anna-phone"), ("home", "anna-phone")]
            done.clear()
            for name in ("car", "home"):  # and what the owner lets a child order, it orders
                rules = tmp_path / name / "rules.toml"
                rules.write_text(rules.read_text().replace('by = "adults"', 'by = "family"'))
                await nodes.ask(name, "use-rules")
            await order("kid-phone")
            assert done == [("car", "kid-phone"), ("home", "kid-phone")]
            with pytest.raises(HearthwayError):
                await order("gus-phone")
            assert len(done) == 2

    asyncio.run(main())


def test_no_address_spoils_the_households_list(household: Any) -> None:
    """A list that is too large, or that names no address, would be refused by every node, the home included."""
    wrong = ("a" * 300_000, "x", "host:0", "host:70000", "a b:1", "h:1#x=y", "h/x:1")

    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            lying(nodes, "car")

            async def move(address: str) -> None:
                await nodes["car"].mesh.request(
                    "home", MOVE, Move(address=address), "household", NOTHING, 5.0
                )

            for address in wrong:
                with pytest.raises(HearthwayError):
                    await move(address)
            for address in ("[fe80::1%eth0]:7447", "car.local:7447", "192.0.2.7:7447"):
                await move(address)
            await nodes.until(
                lambda: nodes["home"].mesh.identity.roster.member("car").address == "192.0.2.7:7447"
            )

    asyncio.run(main())


def test_a_car_takes_nobody_out_of_the_household(household: Any) -> None:
    """Leaving erases on every node: a car that is somebody's does not say it for them."""

    async def main() -> None:
        people = {**PEOPLE, "car": ("anna", "adult")}
        async with household(people=people, **ROLES) as nodes:
            lying(nodes, "car")
            with pytest.raises(HearthwayError):
                await nodes["car"].mesh.request("home", LEAVE, Leave(), "household", NOTHING, 5.0)
            assert nodes["home"].mesh.identity.roster.person("anna") is not None

    asyncio.run(main())


def test_whose_a_phone_says_it_is_is_an_id(household: Any) -> None:
    async def main() -> None:
        people = {"anna-phone": ("anna", "adult")}
        async with household(people=people, **{"anna-phone": "phone", "new": "phone"}) as nodes:
            lying(nodes, "new")

            async def claim(person: str) -> bool:
                said = await nodes["new"].mesh.request(
                    "home", CLAIM, Claim(person_id=person), "household", Claimed, 5.0
                )
                return bool(said.confirmed)

            for person in ("", "x" * 100, "anna\x1b[2J", "a b"):
                with pytest.raises(HearthwayError):
                    await claim(person)
            assert (await nodes.ask("home", "people"))["asked"] == []
            for person in ("ben", "anna"):  # somebody new, and somebody whose id it took
                assert not await claim(person)
            assert nodes["home"].mesh.identity.roster.member("new").person == ""

    asyncio.run(main())


def order(nodes: Any, name: str, number: int, **what: Any) -> SignedForget:
    made = ForgetOrder(order_id=f"{number:032x}", node=name, time_s=time.time(), **what)
    return sign_order(made, nodes[name].receipts.chain)


def test_nobody_makes_others_forget_what_is_about_somebody_else(household: Any) -> None:
    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            lying(nodes, *PEOPLE)
            car = nodes["car"].store
            for person in ("anna", "kid", "gus"):
                car.add_person(person, person)
                car.add_event("surface", person, 1000.0, b"x", suggestion_id=f"s-{person}")

            def left() -> set[str]:
                return {
                    person
                    for person in ("anna", "kid", "gus")
                    if car.database.row(
                        "SELECT 1 FROM events WHERE suggestion_id = ?", (f"s-{person}",)
                    )
                }

            async def ask(name: str, number: int, **what: Any) -> None:
                await nodes[name].mesh.request(
                    "car", FORGET, order(nodes, name, number, **what), "forget", NOTHING, 10.0
                )

            everybodys = (Span(since_s=0.0, until_s=2000.0),)
            annas = (Span(since_s=0.0, until_s=2000.0, person_id="anna"),)
            others: list[dict[str, Any]] = [{"persons": ("anna",)}, {"spans": annas}]
            others.append({"suggestions": ("s-anna",)})
            for number, what in enumerate(others, start=1):
                with pytest.raises(MeshError):
                    await ask("kid-phone", number, **what)
                assert left() == {"anna", "kid", "gus"}
            with pytest.raises(HearthwayError):
                await ask("gus-phone", 4, spans=everybodys)
            assert left() == {"anna", "kid", "gus"}
            await ask("kid-phone", 5, spans=everybodys)  # "everybody" on a phone: whose phone it is
            assert left() == {"anna", "gus"}
            await ask("anna-phone", 6, persons=("anna",))
            assert left() == {"gus"}

    asyncio.run(main())


def test_the_first_phone_is_believed_once(household: Any) -> None:
    """Two words at the same moment: one of them founds the household's people, the other waits for the home."""

    async def main() -> None:
        async with household(phone="phone") as nodes:
            home = nodes["home"].part(Household)

            class Meta:
                sender = "phone"

            said = await asyncio.gather(
                *(home._claim(Meta, Claim(person_id=person)) for person in ("eve", "anna", "ben"))
            )
            assert [s.confirmed for s in said].count(True) == 1
            root = await home._root()
            assert len(root.roster.people) == 1

    asyncio.run(main())


def test_no_message_carries_rules(household: Any) -> None:
    """What nodes answer and hear is this, and nothing of it is a rule; settings of that name change none."""
    known = {
        "Household.Renew", "Household.Person", "Household.Revoke", "Household.Leave", "Household.Move",
        "Household.Consent", "Household.State.Pull", "Household.State.Fresh", "Grant.HandOver",
    }  # fmt: skip

    async def main() -> None:
        async with household(people=PEOPLE, **ROLES) as nodes:
            lying(nodes, "car")
            before = (nodes["home"].paths.rules.read_bytes(), nodes["home"].rules().book)
            served = set(nodes["home"].mesh._answerer._servers)
            assert not {key for key in served if "rule" in key.lower()}
            for key in ("Household.Rules", "Rules.Set", "Household.Rules.Apply", *sorted(known)):
                with contextlib.suppress(HearthwayError):
                    await nodes["car"].mesh.request(
                        "home", key, {"rules": "version = 1"}, "household", NOTHING, 5.0
                    )
            await nodes["car"].part(State).write("Setting.Rules", "version = 1")
            await nodes.until(lambda: nodes["home"].store.get_register("Setting.Rules") is not None)
            assert (nodes["home"].paths.rules.read_bytes(), nodes["home"].rules().book) == before

    asyncio.run(main())
