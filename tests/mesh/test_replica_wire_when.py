"""When a replica speaks and when it keeps silent: the moment of a push, of a comparison, of whoever comes, goes or closes."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from hearthway.mesh.state.replica_sync import ReplicaSync
from hearthway.records.errors import MeshError, StoreError

from .replica_ends import LIMIT_S, Nodes, Wire, carry_out, now_s, quiet
from .replicas import NOW_S, RULES
from .storm import until

CAR_HOME = frozenset(("car", "home"))


# --- the moment ---------------------------------------------------------------------------------


def test_a_write_is_told_20_ms_later_with_what_came_meanwhile(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        car, home = wire.ends["car"], wire.ends["home"]
        await wire.join("car", "home")
        await quiet(car, home)
        written_s, told_s = now_s(), []

        def lose() -> str:
            told_s.append(round(now_s() - written_s, 6))
            return ""

        car.lose = lose
        await car.write("Setting.X")
        await asyncio.sleep(0.019)
        await car.write("Setting.Y")
        await quiet(car, home)
        assert told_s == [0.02]
        assert home.node.store.count_registers() == 2

    carry_out(nodes, scenario)


def test_what_is_written_while_a_push_is_under_way_is_told_right_after(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        home, phone = wire.ends["home"], wire.ends["phone"]
        await wire.join("home", "car")
        await wire.join("home", "phone")
        more = iter(["Setting.Y"])

        def lose() -> str:
            for key in more:
                home.node.set(key, b"2")
                home.sync.changed()
            return ""

        home.lose = lose
        await home.write("Setting.X")
        await until(lambda: phone.node.value("Setting.Y") == b"2", 0.1)
        await until(lambda: wire.ends["car"].node.value("Setting.Y") == b"2", 0.1)

    carry_out(nodes, scenario, "home", "car", "phone")


def test_what_could_not_be_compared_is_asked_again_after_5_s_and_then_no_more(
    nodes: Nodes,
) -> None:
    async def scenario(wire: Wire) -> None:
        car = wire.ends["car"]
        wire.ends["home"].node.set("Setting.X", b"1")
        car.node.set("Setting.Y", b"1")
        wire.up.add(CAR_HOME)
        car.peer("home", True)  # the home does not ask: it never says what it has seen
        await asyncio.sleep(290.0)
        assert car.waits_s() == [5.0]

    carry_out(nodes, scenario)


def test_whoever_meets_in_step_asks_once_and_not_again(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        car, home = wire.ends["car"], wire.ends["home"]
        await car.write("Setting.X")
        await wire.join("car", "home")
        await quiet(car, home)
        wire.part("car", "home")
        asked = car.asks("home"), home.asks("car")
        await wire.join("car", "home")
        await asyncio.sleep(290.0)
        assert (car.asks("home"), home.asks("car")) == (asked[0] + 1, asked[1] + 1)

    carry_out(nodes, scenario)


# --- whoever comes and goes ---------------------------------------------------------------------


def test_whoever_asked_before_it_was_known_is_told_once_it_is(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        car, home = wire.ends["car"], wire.ends["home"]
        wire.up.add(CAR_HOME)
        home.peer("car", True)  # the home knows the car, the car not yet the home
        await quiet(car, home)
        asked = home.asks("car")
        wire.up.discard(CAR_HOME)
        await car.write("Setting.X")
        await asyncio.sleep(1.0)
        assert car.told == []
        wire.up.add(CAR_HOME)
        car.peer("home", True)
        await until(lambda: home.node.value("Setting.X") == b"1", LIMIT_S)
        assert home.asks("car") == asked

    carry_out(nodes, scenario)


def test_whoever_comes_back_is_told_nothing_until_it_asks(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        car, home = wire.ends["car"], wire.ends["home"]
        await wire.join("car", "home")
        wire.part("car", "home")
        await car.write("Setting.X")
        wire.up.add(CAR_HOME)
        car.peer("home", True)
        await quiet(car, home)
        assert car.told == []
        home.peer("car", True)
        await until(lambda: home.node.value("Setting.X") == b"1", LIMIT_S)
        await car.write("Setting.Y")  # the control: now it is told
        await until(lambda: home.node.value("Setting.Y") == b"1", LIMIT_S)
        assert len(car.told) == 1

    carry_out(nodes, scenario)


def test_whoever_is_out_of_reach_is_told_nothing_and_whoever_left_is_passed_over(
    nodes: Nodes,
) -> None:
    async def scenario(wire: Wire) -> None:
        home, last = wire.ends["home"], wire.ends["phone-bo"]
        for name in ("car", "phone", "phone-bo"):
            await wire.join("home", name)
        await quiet(*wire.ends.values())

        def leave() -> str:
            home.lose = lambda: ""
            wire.part("home", "phone")  # back at once, and has not asked
            wire.up.add(frozenset(("home", "phone")))
            return ""

        home.lose = leave
        await home.write("Setting.X")
        await until(lambda: last.node.value("Setting.X") == b"1", LIMIT_S)
        assert [to for to, _ in home.told] == ["car", "phone-bo"]
        wire.up.discard(CAR_HOME)  # and nobody said so yet
        home.told.clear()
        await home.write("Setting.Y")
        await quiet(*wire.ends.values())
        assert [to for to, _ in home.told] == ["phone-bo"]

    carry_out(nodes, scenario, "home", "car", "phone", "phone-bo")


def test_whoever_went_while_it_was_asked_keeps_nobody_waiting(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        car, home, ended = wire.ends["car"], wire.ends["home"], []

        async def silent(*_: Any) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(now_s())

        home.answer = silent
        wire.up.add(CAR_HOME)
        car.peer("home", True)
        await until(lambda: car.asks("home") == 1, LIMIT_S)
        wire.part("car", "home")
        gone_s = now_s()
        await asyncio.sleep(1.0)
        assert ended == [gone_s]

    carry_out(nodes, scenario)


def test_whoever_went_unnoticed_is_asked_again_when_something_is_wanted(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        car, home = wire.ends["car"], wire.ends["home"]
        await wire.join("car", "home")
        await quiet(car, home)
        wire.up.discard(CAR_HOME)
        car.sync.want("home")
        await quiet(car)  # nobody was there: the pull is over
        home.node.set("Setting.X", b"1")
        wire.up.add(CAR_HOME)
        car.sync.want("home")
        await until(lambda: car.node.value("Setting.X") == b"1", LIMIT_S)

    carry_out(nodes, scenario)


# --- the end, and what is written down ------------------------------------------------------------


def test_a_sync_that_is_closed_begins_nothing(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        car = wire.ends["car"]
        await wire.join("car", "home")
        running = asyncio.all_tasks()
        car.sync.changed()
        assert len(asyncio.all_tasks() - running) == 1  # the control
        await car.sync.close()
        running = asyncio.all_tasks()
        car.sync.changed()
        car.sync.want("home")
        assert asyncio.all_tasks() == running

    carry_out(nodes, scenario)


def test_a_sync_closed_by_its_own_push_ends_with_it(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(wire: Wire) -> None:
        car, home = wire.ends["car"], wire.ends["home"]
        await wire.join("car", "home")
        await quiet(car, home)
        publish = car.publish

        async def last(*args: Any, **fields: Any) -> list[object]:
            car.node.set("Setting.Y", b"1")
            car.sync.changed()
            await car.sync.close()
            return await publish(*args, **fields)

        monkeypatch.setattr(car, "publish", last)
        await car.write("Setting.X")
        await asyncio.sleep(1.0)
        (told,) = car.told
        assert [c.key for c in told[1].changes] == ["Setting.X"]
        assert home.node.value("Setting.X") == b"1"

    carry_out(nodes, scenario)


def test_nobody_needs_to_hear_of_what_was_merged(nodes: Nodes) -> None:
    nodes["home"].set("Setting.X", b"1")

    async def scenario(wire: Wire) -> None:
        car = wire.ends["car"]
        mesh: Any = car
        car.sync = ReplicaSync(car.node.replica, mesh, lambda: RULES, lambda: NOW_S)
        await wire.join("car", "home")
        assert car.node.value("Setting.X") == b"1"
        assert car.merged == 0

    carry_out(nodes, scenario)


def test_what_failed_is_in_the_log_by_its_kind_alone(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(wire: Wire) -> None:
        car, home = wire.ends["car"], wire.ends["home"]
        await wire.join("car", "home")
        await quiet(car, home)
        monkeypatch.setattr(home.node.replica, "apply", _always(StoreError("Setting.X?", "No.")))
        home.fail = lambda: MeshError("Setting.X?", "No.")
        await car.write("Setting.X")
        await asyncio.sleep(0.1)
        monkeypatch.setattr(car, "publish", _always(MeshError("Setting.Y?", "No.")))
        await car.write("Setting.Y")
        await asyncio.sleep(0.1)

    with caplog.at_level(logging.INFO, logger="hearthway.replica"):
        carry_out(nodes, scenario)
    assert [r.getMessage() for r in caplog.records if r.name == "hearthway.replica"] == [
        "A push of car could not be kept: StoreError",
        "A pull from car failed: MeshError",
        "A push to home failed: MeshError",
    ]


def _always(why: Exception) -> Any:
    def fails(*_: Any, **__: Any) -> Any:
        raise why

    return fails
