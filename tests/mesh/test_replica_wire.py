"""What a replica says to whom and when: on a wire of function calls, where each message is seen and any can be lost."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from hearthway.mesh.state.registers import Cursor
from hearthway.mesh.state.replica_wire import Changes, Pull
from hearthway.records.errors import IdentityError, InputError, MeshError, StoreError

from .replica_ends import LIMIT_S, Nodes, Wire, carry_out, home_state, quiet
from .replicas import ANNA, ROSTER, RULES
from .storm import until

FULL = StoreError("The disk is full.", "Free some space.")


# --- contact ------------------------------------------------------------------------------------


def test_on_contact_each_pulls_what_it_lacks(nodes: Nodes) -> None:
    nodes["car"].set("Setting.X", b"1")
    nodes["home"].set("Setting.Y", b"2")

    async def scenario(wire: Wire) -> None:
        car, home = wire.ends["car"], wire.ends["home"]
        await wire.join("car", "home")
        assert car.node.value("Setting.Y") == b"2"
        assert home.node.value("Setting.X") == b"1"
        assert car.asked[0] == ("home", Pull())
        assert (car.merged, home.merged) == (1, 1)
        assert car.sync.peers == home_state("home")
        assert home.sync.peers == home_state("car")
        assert not car.sync.refused
        asked = car.asks("home")
        await quiet(car, home)
        assert car.asks("home") == asked  # who is in step asks no more

    carry_out(nodes, scenario)


def test_a_long_pull_goes_on_page_by_page_and_says_how_far_it_is(nodes: Nodes) -> None:
    for number in range(1100):
        nodes["home"].set(f"Setting.N{number}", b"1")

    async def scenario(wire: Wire) -> None:
        car = wire.ends["car"]
        behind: list[int] = []

        def note() -> None:
            behind.extend(state.behind for state in car.sync.peers.values())

        car.fail = note
        wire.up.add(frozenset(("car", "home")))
        car.peer("home", True)
        await until(lambda: car.node.store.count_registers() == 1100, LIMIT_S)
        assert behind[:3] == [0, 600, 100]
        assert car.sync.peers["home"].behind == 0
        assert [q.since for _, q in car.asked[:3]] == [0, 500, 1000]
        assert car.node.store.count_registers() == 1100

    carry_out(nodes, scenario)


def test_whoever_comes_back_is_asked_from_where_one_was(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        car, home = wire.ends["car"], wire.ends["home"]
        await home.write("Setting.X")
        await wire.join("car", "home")
        wire.part("car", "home")
        asked = car.asks("home")
        await home.write("Setting.Y")
        await quiet(car, home)
        assert car.node.value("Setting.Y") is None
        assert home.told == []  # nobody is there
        assert car.asks("home") == asked
        await wire.join("car", "home")
        assert car.node.value("Setting.Y") == b"1"
        assert car.asked[asked][1].since == 1

    carry_out(nodes, scenario)


def test_a_pull_that_fails_is_tried_again_later_and_later(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        car = wire.ends["car"]
        wire.up.add(frozenset(("car", "home")))
        failing = MeshError("home did not answer.", "Try again.")
        car.fail = lambda: failing
        car.peer("home", True)
        await asyncio.sleep(80.0)
        assert car.waits_s() == [0.5, 2.0, 10.0, 30.0, 30.0]  # the last pause is the longest
        assert car.sync.peers["home"].problem == "home did not answer."
        car.sync.want("home")  # a push came: no need to wait
        await asyncio.sleep(1.0)
        assert len(car.asked) == 7
        car.fail = lambda: None
        car.sync.want("home")
        await until(lambda: car.sync.peers["home"].problem == "", LIMIT_S)
        await quiet(car)
        failures = iter([failing, failing, None])
        before, car.fail = len(car.asked), lambda: next(failures)
        car.sync.want("home")
        await quiet(car)
        assert car.waits_s()[before:] == [0.5, 2.0]  # the first pause again

    carry_out(nodes, scenario)


def test_once_in_a_while_everybody_is_asked_anyway(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        car, home = wire.ends["car"], wire.ends["home"]
        await wire.join("car", "home")
        await quiet(car, home)
        car.lose = lambda: "lost"  # and nobody notices
        await car.write("Setting.X")
        asked = len(home.asked)
        await asyncio.sleep(1000.0)
        assert home.waits_s()[asked - 1 :] == [300.0, 300.0, 300.0]
        assert home.node.value("Setting.X") == b"1"
        wire.part("car", "home")
        asked = len(home.asked)
        await asyncio.sleep(1000.0)
        assert len(home.asked) == asked

    carry_out(nodes, scenario)


def test_whoever_goes_is_waited_for_no_longer(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        car, home, never = wire.ends["car"], wire.ends["home"], asyncio.Event()

        async def silent(*_: Any) -> Changes:
            await never.wait()
            raise AssertionError

        heard, home.answer = home.answer, silent
        wire.up.add(frozenset(("car", "home")))
        car.peer("home", True)
        await until(lambda: car.asks("home") == 1, LIMIT_S)
        wire.part("car", "home")
        home.answer = heard
        await wire.join("car", "home")
        assert car.asks("home") >= 2

    carry_out(nodes, scenario)


# --- what was written just now --------------------------------------------------------------------


def test_a_fresh_write_is_told_at_once_and_once(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        car, home = wire.ends["car"], wire.ends["home"]
        await wire.join("car", "home")
        asked = home.asks("car")
        await car.write("Setting.X", b"7")
        await until(lambda: home.node.value("Setting.X") == b"7", LIMIT_S)
        await quiet(car, home)
        (told,) = car.told
        assert told[0] == "home"
        assert (told[1].since, told[1].next, told[1].digest) == (0, 1, b"")
        assert home.told == []  # it is the car's own: nothing to tell it
        assert home.asks("car") == asked
        assert home.sync.peers["car"].in_step is None  # not compared since
        assert home.merged == 1

    carry_out(nodes, scenario)


def test_writes_of_one_moment_travel_together(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        car, home = wire.ends["car"], wire.ends["home"]
        await wire.join("car", "home")
        for number in range(5):
            car.node.set(f"Setting.N{number}", b"1")
            car.sync.changed()
        await until(lambda: home.node.store.count_registers() == 5, LIMIT_S)
        assert len(car.told) == 1

    carry_out(nodes, scenario)


def test_many_fresh_writes_are_told_in_pages(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        car, home = wire.ends["car"], wire.ends["home"]
        await wire.join("car", "home")
        for number in range(1100):
            car.node.set(f"Setting.N{number}", b"1")
        asked = home.asks("car")
        car.sync.changed()
        await until(lambda: home.node.store.count_registers() == 1100, LIMIT_S)
        assert [(p.since, p.next) for _, p in car.told] == [(0, 500), (500, 1000), (1000, 1100)]
        assert home.asks("car") == asked

    carry_out(nodes, scenario)


def test_what_could_not_be_sent_goes_with_the_next(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        car, home = wire.ends["car"], wire.ends["home"]
        await wire.join("car", "home")
        asked = home.asks("car")
        car.lose = lambda: "full"
        await car.write("Setting.X")
        await until(lambda: len(car.told) == 1, LIMIT_S)
        car.lose = lambda: ""
        await car.write("Setting.Y")
        await until(lambda: home.node.value("Setting.Y") is not None, LIMIT_S)
        assert home.node.value("Setting.X") == b"1"
        assert home.asks("car") == asked

    carry_out(nodes, scenario)


def test_what_was_lost_shows_at_the_next_and_is_pulled(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        car, home = wire.ends["car"], wire.ends["home"]
        await wire.join("car", "home")
        asked = home.asks("car")
        car.lose = lambda: "lost"
        await car.write("Setting.X")
        await until(lambda: len(car.told) == 1, LIMIT_S)
        car.lose = lambda: ""
        await quiet(car, home)
        assert home.node.value("Setting.X") is None
        assert home.asks("car") == asked
        await car.write("Setting.Y")
        await until(lambda: home.node.value("Setting.X") == b"1", LIMIT_S)
        assert home.asks("car") > asked

    carry_out(nodes, scenario)


def test_what_a_peer_may_not_have_is_no_gap_for_it(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        home, other = wire.ends["home"], wire.ends["phone-bo"]
        await wire.join("home", "phone-bo")
        asked = other.asks("home")
        await home.write("Setting.X")
        await until(lambda: other.node.value("Setting.X") == b"1", LIMIT_S)
        await wire.join("home", "phone")
        await wire.ends["phone"].write(f"Person.{ANNA}.Dial", b"quiet")
        await until(lambda: home.node.value(f"Person.{ANNA}.Dial") == b"quiet", LIMIT_S)
        await quiet(home, other)
        told = [p for to, p in home.told if to == "phone-bo"]
        assert len(told) == 1
        await home.write("Setting.Y")
        await until(lambda: other.node.value("Setting.Y") == b"1", LIMIT_S)
        assert [p for to, p in home.told if to == "phone-bo"][1].since == told[0].next
        assert other.asks("home") == asked

    carry_out(nodes, scenario, "home", "phone", "phone-bo")


def test_the_home_hands_on_what_it_heard(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        home, car = wire.ends["home"], wire.ends["car"]
        await wire.join("home", "car")
        await wire.join("home", "phone")
        await wire.ends["phone"].write("Setting.X", b"5")
        await until(lambda: car.node.value("Setting.X") == b"5", LIMIT_S)
        home.node.store.bury_register("Setting.X", home.node.set("Setting.X", b"6").hlc)
        home.sync.changed()  # forgotten, and nothing else
        await until(lambda: car.node.value("Setting.X") is None, LIMIT_S)
        await until(lambda: wire.ends["phone"].node.value("Setting.X") is None, LIMIT_S)

    carry_out(nodes, scenario, "home", "car", "phone")


def test_one_peer_that_fails_keeps_nothing_from_the_next(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        home, phone = wire.ends["home"], wire.ends["phone"]
        await wire.join("home", "car")
        await wire.join("home", "phone")
        fates = iter([MeshError("The car is gone.", "Wait.")])

        def lose() -> str:
            if (why := next(fates, None)) is not None:
                raise why
            return ""

        home.lose = lose
        await home.write("Setting.X")
        await until(lambda: phone.node.value("Setting.X") == b"1", LIMIT_S)
        assert [to for to, _ in home.told] == ["car", "phone"]

    carry_out(nodes, scenario, "home", "car", "phone")


# --- differences ----------------------------------------------------------------------------------


def test_a_difference_leads_to_one_whole_pull_a_contact(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        car, home = wire.ends["car"], wire.ends["home"]
        await home.write("Setting.X")
        await wire.join("car", "home")
        wire.part("car", "home")
        with car.node.store.database.transaction() as db:
            db.execute("DELETE FROM registers")
        await wire.join("car", "home")
        assert car.node.value("Setting.X") == b"1"
        wire.part("car", "home")
        with car.node.store.database.transaction() as db:  # wins over what comes
            db.execute("UPDATE registers SET value = x'99'")
        answer = home.answer
        whole: list[int] = []

        async def count(meta: Any, pull: Pull) -> Changes:
            page: Changes = await answer(meta, pull)
            whole.append(pull.since)
            return page

        home.answer = count
        wire.up.add(frozenset(("car", "home")))
        home.peer("car", True)
        car.peer("home", True)
        await until(lambda: 0 in whole, LIMIT_S)
        await quiet(car, home)
        assert whole.count(0) == 1
        assert car.sync.peers["home"].in_step is False
        wire.part("car", "home")
        wire.up.add(frozenset(("car", "home")))
        car.peer("home", True)
        await until(lambda: whole.count(0) == 2, LIMIT_S)  # once more a contact

    carry_out(nodes, scenario)


def test_what_cannot_be_compared_yet_is_compared_once_later(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        car = wire.ends["car"]
        wire.ends["home"].node.set("Setting.X", b"1")
        wire.ends["car"].node.set("Setting.Y", b"1")
        wire.up.add(frozenset(("car", "home")))
        car.peer("home", True)  # the home does not ask: it never says what it has seen
        await quiet(car)
        assert car.asks("home") == 2
        assert car.sync.peers["home"].in_step is None
        wire.part("car", "home")
        wire.up.add(frozenset(("car", "home")))
        car.peer("home", True)
        wire.part("car", "home")  # gone before it is time
        await quiet(car)
        assert car.asks("home") <= 3

    carry_out(nodes, scenario)


def test_new_rules_begin_anew_with_whoever_is_there(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        home, car = wire.ends["home"], wire.ends["car"]
        none = type(RULES).parse("version = 1", "none")
        car.node.set("Setting.X", b"1")
        home.rules = none
        wire.up.add(frozenset(("car", "home")))
        home.peer("car", True)
        await until(lambda: home.sync.refused == {"no rule": 1}, LIMIT_S)
        await wire.join("home", "phone")
        wire.part("home", "phone")
        asked = home.asks("phone")
        home.rules = RULES
        await home.sync.begin_anew()
        await until(lambda: home.node.value("Setting.X") == b"1", LIMIT_S)
        assert home.asks("phone") == asked

    carry_out(nodes, scenario, "home", "car", "phone")


# --- the disk, the list, the end --------------------------------------------------------------------


def test_a_write_that_fails_says_so_until_one_succeeds(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(wire: Wire) -> None:
        car, home = wire.ends["car"], wire.ends["home"]
        await wire.join("car", "home")
        really = car.node.replica.set

        def problem() -> StoreError | None:
            return car.sync.problem

        def fails(*args: Any, **fields: Any) -> Any:
            really(*args, **fields)  # it is on the disk all the same
            raise FULL

        monkeypatch.setattr(car.node.replica, "set", fails)
        with pytest.raises(StoreError):
            await car.write("Setting.X")
        assert problem() is FULL
        await until(lambda: home.node.value("Setting.X") == b"1", LIMIT_S)  # so it is told
        monkeypatch.setattr(car.node.replica, "set", really)
        written = await car.sync.set("Setting.Y", b"2", ttl_s=9.0)
        assert problem() is None
        held = car.node.store.get_register("Setting.Y")
        assert held is not None
        assert held == replace(written, seq=held.seq)
        assert held.ttl_s == 9.0
        with pytest.raises(InputError):
            await car.write(f"Person.{ANNA}.Dial")
        assert problem() is None

    carry_out(nodes, scenario)


def test_a_push_that_cannot_be_kept_is_pulled_when_there_is_room(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(wire: Wire) -> None:
        car, home = wire.ends["car"], wire.ends["home"]
        await wire.join("car", "home")
        really, times = home.node.replica.apply, iter([FULL, FULL])

        def fails(*args: Any, **fields: Any) -> Any:
            if (why := next(times, None)) is not None:
                raise why
            return really(*args, **fields)

        monkeypatch.setattr(home.node.replica, "apply", fails)
        await car.write("Setting.X")
        await until(lambda: home.sync.peers["car"].problem == FULL.message, LIMIT_S)
        assert home.sync.problem is FULL
        await until(lambda: home.node.value("Setting.X") == b"1", LIMIT_S)
        await until(lambda: home.sync.problem is None, LIMIT_S)
        await until(lambda: home.sync.peers["car"].problem == "", LIMIT_S)

    carry_out(nodes, scenario)


def test_whoever_is_in_the_household_no_more_is_neither_heard_nor_told(nodes: Nodes) -> None:
    def without(name: str) -> SimpleNamespace:
        left = tuple(m for m in ROSTER.members if m.device_id != name)
        return SimpleNamespace(roster=replace(ROSTER, members=left))

    async def scenario(wire: Wire) -> None:
        home = wire.ends["home"]
        await wire.join("car", "home")
        page = Changes(database=b"d", since=0, next=1, last=1)
        home.identity = without("car")
        with pytest.raises(MeshError, match="car is not in the household any more"):
            await home.hear(SimpleNamespace(sender="car"), page)
        with pytest.raises(MeshError, match="car is not"):
            await home.answer(SimpleNamespace(sender="car"), Pull())
        home.identity = without("home")
        with pytest.raises(IdentityError, match="This device is not in the household"):
            await home.hear(SimpleNamespace(sender="car"), page)
        home.identity = without("")
        await home.hear(SimpleNamespace(sender="car"), page)  # the control

    carry_out(nodes, scenario)


def test_a_sync_that_is_closed_says_nothing_more(nodes: Nodes) -> None:
    async def scenario(wire: Wire) -> None:
        car, home = wire.ends["car"], wire.ends["home"]
        await wire.join("car", "home")
        await car.sync.close()
        asked = car.asks("home")
        car.sync.want("home")
        await car.sync.set("Setting.X", b"1")
        home.sync.want("car")
        await quiet(car, home)
        assert car.asks("home") == asked
        assert car.told == []
        assert home.node.value("Setting.X") == b"1"  # it still answers
        assert home.node.store.cursor("car") != Cursor()

    carry_out(nodes, scenario)
