"""Tasks move between running nodes: by request, by themselves, and over everything that can go wrong between two words."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
import pytest

from hearthway.app.handoff import PARKED_S, PREFIX, Tasks
from hearthway.app.paths import NodePaths
from hearthway.mesh.state.hlc import Hlc
from hearthway.mesh.state.store import Store
from hearthway.records.codec import pack
from hearthway.records.errors import HearthwayError, InputError
from hearthway.records.messages import Surface
from hearthway.records.signals import Signal
from hearthway.records.tasks import NavigationTarget, Task, WaitingSuggestion

FORUM = {"name": "Forum", "lat": 60.1696, "lon": 24.9384}
ANNA = {"phone": ("anna", "adult")}


def held(nodes: Any, name: str) -> list[str]:
    return [task.title for task in nodes[name].part(Tasks).held()]


def speed(kmh: float, time_s: float) -> Signal:
    return Signal(key="Vehicle.Speed", value=kmh, time_s=time_s, unit="km/h", source="car")


def test_a_task_goes_to_the_car_and_back(household: Any) -> None:
    async def main() -> None:
        async with household(people=ANNA, phone="phone", car="car") as nodes:
            task = await nodes.ask("phone", "task-start", **FORUM)
            assert held(nodes, "phone") == ["on the way to Forum"]
            moved = await nodes.ask("phone", "task-hand", id=task["id"], to="car")
            assert moved["holder"] == "car"
            assert held(nodes, "phone") == []
            assert held(nodes, "car") == ["on the way to Forum"]
            await nodes.ask("car", "task-hand", id=task["id"], to="phone")
            assert held(nodes, "phone") == ["on the way to Forum"]
            assert held(nodes, "car") == []
            await nodes.ask("phone", "task-done", id=task["id"])
            assert (await nodes.ask("phone", "tasks"))["tasks"] == []
            await nodes.until(lambda: all(t.done for t in nodes["car"].part(Tasks)._all()))

    asyncio.run(main())


def test_a_conversation_keeps_every_turn(household: Any) -> None:
    async def main() -> None:
        async with household(people=ANNA, phone="phone", car="car") as nodes:
            talk = await nodes.ask("phone", "task-say", text="will I get home?")
            await nodes.ask("phone", "task-hand", id=talk["id"], to="car")
            await nodes.ask("car", "task-say", id=talk["id"], text="with 12 %", by_person=False)
            await nodes.ask("car", "task-hand", id=talk["id"], to="phone")
            (task,) = nodes["phone"].part(Tasks).held()
            assert [t.text for t in task.content.turns] == ["will I get home?", "with 12 %"]

    asyncio.run(main())


def test_a_waiting_suggestion_rides_along_and_is_shown(household: Any) -> None:
    surface = Surface(
        suggestion_id="abc",
        person="anna",
        time_s=time.time(),
        utc_offset_s=0,
        lines=("dinner?",),
        osm_ids=(),
    )

    async def main() -> None:
        async with household(people=ANNA, phone="phone", car="car") as nodes:
            tasks = nodes["phone"].part(Tasks)
            tasks.start(WaitingSuggestion(surface=surface), "anna", surface.time_s, "abc")
            now_s = time.time()
            await nodes.ask("car", "sense", signals=[msgspec.to_builtins(speed(40.0, now_s))])
            await nodes.until(lambda: held(nodes, "car") == ["dinner?"])
            await nodes.until(lambda: held(nodes, "phone") == [])
            assert nodes["car"]._shown == surface
            for later_s in (1.0, PARKED_S / 2, PARKED_S + 2):
                at_rest = msgspec.to_builtins(speed(0.0, now_s + later_s))
                await nodes.ask("car", "sense", signals=[at_rest])
            await nodes.until(lambda: held(nodes, "phone") == ["dinner?"])
            await nodes.until(lambda: held(nodes, "car") == [])

    asyncio.run(main())


def test_a_phone_that_is_away_leaves_the_task_where_it_is(household: Any) -> None:
    async def main() -> None:
        async with household(people=ANNA, phone="phone", car="car") as nodes:
            task = await nodes.ask("phone", "task-start", **FORUM)
            nodes.hub.cut("phone", "car")
            await nodes.until(lambda: not nodes["phone"].mesh.ready("car"))
            with pytest.raises(HearthwayError, match="not reached"):
                await nodes.ask("phone", "task-hand", id=task["id"], to="car")
            assert held(nodes, "phone") == ["on the way to Forum"]
            nodes.hub.heal("phone", "car")
            await nodes.reach("phone", "car")
            await nodes.ask("phone", "task-hand", id=task["id"], to="car")
            assert held(nodes, "car") == ["on the way to Forum"]

    asyncio.run(main())


def test_a_new_target_ends_the_one_before_here_and_where_it_goes(household: Any) -> None:
    """Nobody is on the way to two places; another person's target stays."""

    async def main() -> None:
        async with household(people=ANNA, phone="phone", car="car") as nodes:
            first = await nodes.ask("phone", "task-start", **FORUM)
            await nodes.ask("phone", "task-hand", id=first["id"], to="car")
            nodes["car"].part(Tasks).start(
                NavigationTarget(name="Bea's", lat=1.0, lon=2.0), "bea", 1.0
            )
            await nodes.ask("phone", "task-start", **FORUM | {"name": "Kamppi"})
            second = await nodes.ask("phone", "task-start", **FORUM | {"name": "Tripla"})
            assert held(nodes, "phone") == ["on the way to Tripla"]
            await nodes.ask("phone", "task-hand", id=second["id"], to="car")
            assert sorted(held(nodes, "car")) == ["on the way to Bea's", "on the way to Tripla"]

    asyncio.run(main())


def test_a_lost_word_is_settled_at_the_next_contact(household: Any) -> None:
    """The receiver has stored it, the sender never heard so: both hold it, until they meet."""

    async def main() -> None:
        async with household(people=ANNA, phone="phone", car="car") as nodes:
            task = await nodes.ask("phone", "task-start", **FORUM)
            await nodes.ask("phone", "task-hand", id=task["id"], to="car")
            before = nodes["phone"].part(Tasks)._all()[0]
            await nodes.down("phone")
            store = nodes["car"].store
            assert len(store.registers("Task.")) == 1
            # the phone as it was before the word: version 1, held by itself
            early = msgspec.structs.replace(before, holder="phone", version=1)
            paths = NodePaths(nodes.path / "phone")
            with Store.open(paths.database, node_id="phone") as was:
                with was.database.transaction() as db:
                    db.execute("DELETE FROM registers WHERE key LIKE 'Task.%'")
                order = Hlc(early.version, 0, early.holder)
                assert was.put_register(
                    PREFIX + early.task_id, pack(early), order, person_id=early.person, time_s=1.0
                )
            await nodes.up("phone")
            await nodes.until(lambda: held(nodes, "phone") == [], 15.0)
            assert held(nodes, "car") == ["on the way to Forum"]

    asyncio.run(main())


def test_tasks_survive_a_restart(household: Any) -> None:
    async def main() -> None:
        async with household(people=ANNA, phone="phone", car="car") as nodes:
            task = await nodes.ask("phone", "task-start", **FORUM)
            await nodes.ask("phone", "task-hand", id=task["id"], to="car")
            await nodes.down("car")
            await nodes.up("car")
            assert held(nodes, "car") == ["on the way to Forum"]

    asyncio.run(main())


def test_nobody_hands_over_what_was_never_theirs(household: Any) -> None:
    """The home is no holder: what it offers in the car's name is refused; the control is the phone's own offer."""

    async def main() -> None:
        async with household(people=ANNA, phone="phone", car="car") as nodes:
            tasks = nodes["car"].part(Tasks)
            target = NavigationTarget(name="X", lat=1.0, lon=1.0)
            task = Task(
                task_id="t", person="anna", time_s=1.0, content=target, holder="car", version=9
            )

            class Meta:
                sender = "home"
                about = "anna"

            with pytest.raises(InputError):
                await tasks._offered(Meta(), task)
            owned = msgspec.structs.replace(task, holders=("home",))
            with pytest.raises(InputError):
                await tasks._offered(Meta(), msgspec.structs.replace(owned, person="eve"))
            assert held(nodes, "car") == []
            await tasks._offered(Meta(), owned)
            assert held(nodes, "car") == ["on the way to X"]

    asyncio.run(main())


@pytest.mark.parametrize(
    "fields", [{"name": "", "lat": 1, "lon": 1}, {"name": "x", "lat": 91, "lon": 0}]
)
def test_a_target_off_the_earth_is_refused(household: Any, fields: dict[str, Any]) -> None:
    async def main() -> None:
        async with household(phone="phone", car="car") as nodes:
            with pytest.raises(HearthwayError, match="name and a point"):
                await nodes.ask("phone", "task-start", **fields)

    asyncio.run(main())
