"""The car borrows the phone's processor: on running nodes, with the bundled map, under the rules and without them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from hearthway.app.config import OffloadTable
from hearthway.app.handoff import Tasks
from hearthway.app.lending import Lending
from hearthway.app.offload import Done, Offloading, pinned
from hearthway.app.offload_jobs import DETOURS, FACTORY, detours_asked, detours_of
from hearthway.app.ruling import Ruling
from hearthway.app.stops import Stops
from hearthway.app.worker import Worker
from hearthway.atlas.store import Atlas
from hearthway.mesh.offload.estimate import Line
from hearthway.mesh.offload.placement import HERE, PROVEN, Choice, Placement, Weights
from hearthway.mesh.policy.rules import Rules
from hearthway.records.codec import pack
from hearthway.records.errors import HearthwayError, InputError, MeshError, WireError
from hearthway.records.offload import PURPOSE, RUN, Job, OffloadResult, OffloadTask, Terms
from hearthway.records.poi import Detour
from hearthway.records.signals import Signal
from hearthway.records.tasks import NavigationTarget

ANNA = {"phone": ("anna", "adult")}
BUNDLED = json.dumps({"atlas": "bundled"})
KEYS = ("Vehicle.CurrentLocation.Latitude", "Vehicle.CurrentLocation.Longitude", "Task.Target")
A, B = (60.1699, 24.9384), (60.1640, 24.9500)
VIAS = [(60.165 + 0.0001 * n, 24.940 + 0.0001 * n) for n in range(20)]


class Never:
    """Chance for tests: nothing is checked unless it says so."""

    def __init__(self, value: float = 1.0) -> None:
        self.value = value

    def random(self) -> float:
        return self.value


@asynccontextmanager
async def borrowing(household: Any, **more: str) -> AsyncIterator[Any]:
    """Phone and car with the bundled map for their workers."""
    async with household(people=ANNA, phone="phone", car="car", **more) as nodes:
        for name, part in (("phone", Lending), ("car", Offloading)):
            nodes[name].part(part).worker = Worker(FACTORY, BUNDLED)
        car = nodes["car"].part(Offloading)
        car.placement = Placement(Weights(), Never())  # type: ignore[arg-type]  # as much of chance as is used
        yield nodes


async def ask(nodes: Any, *, vias: Any = VIAS, keys: Any = KEYS, **how: Any) -> Done:
    car: Offloading = nodes["car"].part(Offloading)
    data, job = detours_asked(A, B, vias), await car.job(DETOURS)
    options: dict[str, Any] = {"size": float(len(vias)), "within_s": 10.0, "about": "anna"} | how
    return await car.run(job, data, keys=keys, **options)


async def terms_known(nodes: Any) -> None:
    """The first task makes the car ask for them."""
    await ask(nodes)
    car: Offloading = nodes["car"].part(Offloading)
    await nodes.until(lambda: car.placement.knows_terms("phone", time.monotonic()))


async def proven(nodes: Any) -> None:
    await terms_known(nodes)
    car: Offloading = nodes["car"].part(Offloading)
    job = await car.job(DETOURS)
    for _ in range(PROVEN):
        await ask(nodes)
        count = car.placement._devices["phone"].known(job)
        await nodes.until(lambda seen=count.same, now=count: now.same >= seen)
    await nodes.until(lambda: count.same >= PROVEN)


def there(choice: Choice) -> Choice:
    return pinned("phone")(choice)


def test_the_phone_computes_what_the_car_would(household: Any) -> None:
    async def main() -> None:
        async with borrowing(household) as nodes:
            await proven(nodes)
            local = await ask(nodes, place=pinned(HERE))
            remote = await ask(nodes, place=there)
            assert (local.by, remote.by) == ("car", "phone")
            asked = detours_asked(A, B, VIAS)
            expected = Atlas.bundled().detours(A, B, VIAS)
            assert detours_of(asked, local.output) == detours_of(asked, remote.output) == expected
            assert any(expected)
            state = await nodes.ask("car", "status")
            assert {one["node"] for one in state["computed_by"]} == {"car", "phone"}
            assert state["computed_by"][1]["bytes"] >= len(remote.output)
            [served] = (await nodes.ask("phone", "status"))["computes_for"]
            assert served["node"] == "car"
            assert served["tasks"] >= PROVEN + 1

    asyncio.run(main())


@pytest.mark.parametrize("missing", ["", "Offload.*", "Task.Target", "Vehicle.CurrentLocation.*"])
def test_only_what_the_rules_let_leaves_the_car(household: Any, missing: str) -> None:
    async def main() -> None:
        async with borrowing(household) as nodes:
            await terms_known(nodes)
            ruling = nodes["car"].part(Ruling)
            rules = ruling.rules
            kept = [
                msgspec.structs.replace(r, keys=tuple(k for k in r.keys if k != missing))
                for r in rules.rules
            ]
            nodes["car"].mesh.use_rules(Rules(kept, collect=rules.collect))
            nodes["car"].mesh.crossings(drain=True)
            done = await ask(nodes)
            assert done.by == "car"  # the phone is not proven
            tried = [
                c.key for c in nodes["car"].mesh.crossings() if c.purpose == PURPOSE and c.rule
            ]
            assert ("rules" in done.choice.why_not.get("phone", "")) == bool(missing)
            assert (RUN in tried) != bool(missing)
            assert set(KEYS).isdisjoint(tried) == bool(missing)

    asyncio.run(main())


def test_the_phone_asks_its_own_rules_too(household: Any) -> None:
    async def main() -> None:
        async with borrowing(household) as nodes:
            await terms_known(nodes)
            rules = nodes["phone"].part(Ruling).rules
            mesh, job = nodes["car"].mesh, await nodes["car"].part(Offloading).job(DETOURS)
            task = OffloadTask(
                task_id="t", job=job, input=detours_asked(A, B, VIAS), within_s=5.0, keys=KEYS
            )

            async def asked() -> OffloadResult:
                result = await mesh.request(
                    "phone", RUN, task, PURPOSE, OffloadResult, 5.0, about="anna"
                )
                assert isinstance(result, OffloadResult)
                return result

            assert (await asked()).why_not == ""
            fewer = [
                msgspec.structs.replace(r, keys=tuple(k for k in r.keys if k != "Task.Target"))
                for r in rules.rules
            ]
            nodes["phone"].mesh.use_rules(Rules(fewer, collect=rules.collect))
            with pytest.raises(HearthwayError, match=r"Task\.Target"):
                await asked()

    asyncio.run(main())


def test_another_persons_phone_is_not_asked(household: Any) -> None:
    async def main() -> None:
        people = {"phone": ("anna", "adult"), "second": ("ben", "adult")}
        async with household(people=people, phone="phone", car="car", second="phone") as nodes:
            car: Offloading = nodes["car"].part(Offloading)
            helpers = car._helpers(KEYS, "anna")
            assert helpers["phone"].why_not == ""
            assert "rules" in helpers["second"].why_not

    asyncio.run(main())


@pytest.mark.parametrize(
    ("table", "words"),
    [(OffloadTable(lend=False), "nobody else"), (OffloadTable(battery_floor_pct=50.0), "40 %")],
)
def test_a_phone_that_spares_itself_refuses_with_the_reason(
    household: Any, table: OffloadTable, words: str
) -> None:
    async def main() -> None:
        async with borrowing(household) as nodes:
            await proven(nodes)
            lending: Lending = nodes["phone"].part(Lending)
            lending.condition._table = table
            lending.condition.hear(
                [Signal(key="Person.Phone.Battery", value=40.0, time_s=time.time(), unit="percent")]
            )
            done = await ask(nodes, place=lambda c: until_refused(c, "phone"))
            assert done.by == "car"
            done = await ask(nodes)  # now it is known
            assert done.choice.helper is None
            assert words in done.choice.why_not["phone"]
            assert words in (await nodes.ask("phone", "status"))["computes_why_not"]

    asyncio.run(main())


def until_refused(choice: Choice, where: str) -> Choice:
    """Asked at that device, and here as soon as it refuses."""
    return Choice(where, None, 5.0)


def test_a_helper_that_goes_amid_it_costs_no_answer(household: Any) -> None:
    async def main() -> None:
        async with borrowing(household) as nodes:
            await proven(nodes)
            lending = nodes["phone"].part(Lending)

            async def never(*_: Any) -> OffloadResult:
                await asyncio.sleep(60.0)
                return OffloadResult()

            lending._computed = never
            asked = asyncio.create_task(
                ask(nodes, place=lambda c: until_refused(c, "phone"), within_s=8.0)
            )
            await asyncio.sleep(0.3)
            begun_s = time.monotonic()
            await nodes.down("phone")
            done = await asked
            assert done.by == "car"
            assert detours_of(detours_asked(A, B, VIAS), done.output)
            assert time.monotonic() - begun_s < 4.0

    asyncio.run(main())


LIES: dict[str, Any] = {
    "another detour": lambda good: pack(
        [Detour(extra_s=1.0, extra_m=1.0, reach_s=1.0)] * len(VIAS)
    ),
    "too few": lambda good: pack([None]),
    "negative": lambda good: pack([Detour(extra_s=-1.0, extra_m=1.0, reach_s=1.0)] * len(VIAS)),
    "no number": lambda good: pack(
        [Detour(extra_s=float("nan"), extra_m=1.0, reach_s=1.0)] * len(VIAS)
    ),
    "no record": lambda good: b"\xc1",
    "empty": lambda good: b"",
    "huge": lambda good: bytes(3_500_000),
}


@pytest.mark.parametrize("how", ["at first", "once proven"])
def test_a_liar_is_caught_and_asked_no_more(household: Any, how: str) -> None:
    async def main() -> None:
        async with borrowing(household) as nodes:
            await proven(nodes)
            car: Offloading = nodes["car"].part(Offloading)
            lending, job = nodes["phone"].part(Lending), await car.job(DETOURS)
            honest, lie = lending._computed, ""
            expected = Atlas.bundled().detours(A, B, VIAS)

            async def lying(sender: str, task: OffloadTask) -> OffloadResult:
                result: OffloadResult = await honest(sender, task)
                return msgspec.structs.replace(result, output=LIES[lie](result.output))

            lending._computed = lying
            terms = await lending.terms()
            for lie in LIES:
                placement = car.placement = Placement(Weights(), Never())  # type: ignore[arg-type]
                placement.told("phone", terms, time.monotonic())
                for _ in range(PROVEN if how == "once proven" else 0):
                    placement.compared(job, "phone", same=True)
                place = None if how == "at first" else (lambda c: Choice("phone", HERE))
                done = await ask(nodes, place=place)
                if how == "at first" or lie != "another detour":
                    assert done.by == "car", lie
                    assert detours_of(detours_asked(A, B, VIAS), done.output) == expected
                await nodes.until(lambda seen=placement: bool(seen._devices["phone"].lied), 12.0)
                after = await ask(nodes)
                assert after.choice.helper is None
                assert detours_of(detours_asked(A, B, VIAS), after.output) == expected

    asyncio.run(main())


async def refused(asked: Any) -> str:
    """Why nothing came of it; "" where something did."""
    try:
        result = await asked
    except MeshError as why:
        return str(why)
    assert not (result.why_not and result.output)
    return str(result.why_not)


HOSTILE: dict[str, dict[str, Any]] = {
    "no time": {"within_s": 0.0},
    "no number": {"within_s": float("nan")},
    "no end": {"within_s": float("inf")},
    "no id": {"task_id": ""},
    "long id": {"task_id": "a" * 1000},
    "many keys": {"keys": ("Task.Target",) * 100},
    "large": {"input": bytes(2_500_000)},
    "no such job": {"job": Job("shell", "rm")},
    "another map": {"job": Job(DETOURS, "0" * 32)},
    "no record": {"input": b"\xc1"},
    "no points": {"input": pack(((1e9, 1e9), (0.0, 0.0), [(0.0, 0.0)]))},
    "many vias": {"input": pack(((60.0, 24.0), (60.0, 24.0), [(60.0, 24.0)] * 10_001))},
}


def test_the_phone_survives_whatever_is_asked(household: Any) -> None:
    async def main() -> None:
        async with borrowing(household) as nodes:
            await terms_known(nodes)
            mesh, job = nodes["car"].mesh, await nodes["car"].part(Offloading).job(DETOURS)
            good = OffloadTask(
                task_id="t", job=job, input=detours_asked(A, B, VIAS), within_s=5.0, keys=KEYS
            )

            async def asked(task: OffloadTask) -> OffloadResult:
                result = await mesh.request(
                    "phone", RUN, task, PURPOSE, OffloadResult, 8.0, about="anna"
                )
                assert isinstance(result, OffloadResult)
                return result

            for name, wrong in HOSTILE.items():
                why = await refused(asked(msgspec.structs.replace(good, **wrong)))
                assert why, name
                assert "Traceback" not in why, name
            result = await asked(good)  # the control
            assert result.why_not == ""
            twice = await asyncio.gather(asked(good), asked(good))  # joins: one id runs once
            assert twice[0].output == twice[1].output == result.output

    asyncio.run(main())


def test_a_task_is_called_off_where_its_answer_is_not_needed(household: Any) -> None:
    async def main() -> None:
        async with borrowing(household) as nodes:
            await proven(nodes)
            lending, ended = nodes["phone"].part(Lending), asyncio.Event()

            async def long(*_: Any) -> OffloadResult:
                try:
                    await asyncio.sleep(60.0)
                finally:
                    ended.set()
                return OffloadResult()

            lending._computed = long
            sent: list[str] = []
            done = await ask(nodes, place=lambda c: Choice("phone", None, 0.1), sent=sent.append)
            assert done.by == "car"
            assert sent == ["phone"], "it was given the input all the same"
            async with asyncio.timeout(5.0):
                await ended.wait()
            with pytest.raises(MeshError, match="not done within"):
                await ask(nodes, place=there, within_s=0.2, sent=sent.append)
            assert sent == ["phone"] * 2
            await ask(nodes, place=pinned(HERE), sent=sent.append)
            assert sent == ["phone"] * 2

    asyncio.run(main())


def test_a_caller_who_goes_takes_the_task_along(household: Any) -> None:
    async def main() -> None:
        async with borrowing(household) as nodes:
            car: Offloading = nodes["car"].part(Offloading)
            await car.job(DETOURS)
            many = [(60.16 + n * 1e-6, 24.94) for n in range(9000)]
            asked = asyncio.create_task(ask(nodes, vias=many))
            await asyncio.sleep(0.2)
            asked.cancel()
            await nodes.until(lambda: car.worker._now is None)

    asyncio.run(main())


def test_too_late_is_an_error_that_says_so(household: Any) -> None:
    async def main() -> None:
        async with borrowing(household) as nodes:
            many = [(60.16 + n * 1e-6, 24.94) for n in range(9000)]
            with pytest.raises(MeshError, match="not done within"):
                await ask(nodes, vias=many, within_s=0.05)
            assert (await ask(nodes)).by == "car"  # the control

    asyncio.run(main())


def position(lat: float, lon: float) -> list[dict[str, Any]]:
    now_s = time.time()
    return [
        msgspec.to_builtins(
            Signal(
                key=f"Vehicle.CurrentLocation.{name}",
                value=v,
                time_s=now_s,
                unit="degrees",
                source="car",
            )
        )
        for name, v in (("Latitude", lat), ("Longitude", lon))
    ]


def test_stops_on_the_way_say_who_computed_them_and_leave_a_receipt(household: Any) -> None:
    async def main() -> None:
        async with borrowing(household) as nodes:
            await proven(nodes)
            with pytest.raises(HearthwayError, match="where it is"):
                await nodes.ask("car", "stops", kind="food")
            await nodes.ask("car", "sense", signals=position(*A))
            with pytest.raises(HearthwayError, match="not on the way"):
                await nodes.ask("car", "stops", kind="food")
            task = await nodes.ask("phone", "task-start", name="Market", lat=B[0], lon=B[1])
            await nodes.ask("phone", "task-hand", id=task["id"], to="car")
            nodes["car"].part(Stops)._atlas = Atlas.bundled()
            with pytest.raises(HearthwayError, match="kind of stop"):
                await nodes.ask("car", "stops", kind="castle")
            await nodes.ask("car", "sense", signals=position(*A))
            alone = await nodes.ask("car", "stops", kind="food")
            assert len(alone["stops"]) > 10
            assert alone["stops"] == sorted(alone["stops"], key=lambda s: s["detour_s"])
            car: Offloading = nodes["car"].part(Offloading)
            slow = car.worker.run

            async def slower(*args: Any, **how: Any) -> Any:
                await asyncio.sleep(8.0)
                return await slow(*args, **how)

            car.worker.run = slower  # type: ignore[method-assign]
            job = await car.job(DETOURS)
            slow_line = car.placement._devices[HERE].known(job).compute = Line()
            slow_line.learn(500.0, 40.0)
            await nodes.ask("car", "sense", signals=position(*A))
            found = await nodes.ask("car", "stops", kind="food")
            assert found["computed_by"] == "phone"
            assert found["stops"] == alone["stops"]
            receipts = (await nodes.ask("car", "receipt", id="task-detours"))["receipts"]
            assert 1 <= len(receipts) <= 2  # what the car told by itself may have gone there too
            for receipt in receipts:
                assert receipt["person"] == "anna"
                [used] = [one["node"] for one in receipt["computations"] if one["used"]]
                assert {one["node"] for one in receipt["computations"]} == {used, "phone"}
                assert {
                    one["code"] for one in receipt["computations"] if one["node"] == "phone"
                } == {""}, "what runs elsewhere is not known by this node's sources"
                assert {c["key"] for c in receipt["crossings"]} == {RUN, *KEYS}

    asyncio.run(main())


def test_stops_are_on_the_drivers_own_way(household: Any) -> None:
    """What a rule lets go about the driver is not where another was going, which the car still holds."""

    async def main() -> None:
        async with borrowing(household) as nodes:
            stops, tasks = nodes["car"].part(Stops), nodes["car"].part(Tasks)
            stops._atlas = Atlas.bundled()
            for person, name in (("ben", "Club"), ("anna", "Market"), ("ben", "Doctor")):
                target = NavigationTarget(name=name, lat=B[0], lon=B[1])
                await nodes.ask("car", "sense", signals=position(*A))
                if person == "anna":
                    with pytest.raises(HearthwayError, match="not on the way"):
                        await nodes.ask("car", "stops", kind="food")
                await asyncio.to_thread(tasks.start, target, person, time.time())
            assert (await nodes.ask("car", "stops", kind="food"))["target"] == "Market"

    asyncio.run(main())


def test_an_output_that_cannot_be_is_refused() -> None:
    asked = detours_asked(A, B, VIAS[:1])
    assert detours_of(asked, pack([None])) == [None]
    for bad in (pack([]), pack([None, None]), b"", b"\xc1", pack({"a": 1})):
        with pytest.raises(WireError):
            detours_of(asked, bad)
    with pytest.raises(InputError, match="too many"):
        detours_asked(A, B, [A] * 10_001)


def test_terms_are_bounded() -> None:
    many = pack(Terms(jobs=tuple(Job("a", str(n)) for n in range(100))))
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(many, type=Terms)
