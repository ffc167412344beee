"""What was refused is said in words, and what a restart leaves behind is no trouble unless greeting does not mend it."""

from __future__ import annotations

import asyncio
import logging
import time
from types import SimpleNamespace
from typing import Any

import pytest

from hearthway.mesh.links.memory import MemoryHub
from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.mesh.wire.envelope import RECORD, Frame, Head
from hearthway.mesh.wire.lanes import UnopenedError
from hearthway.mesh.wire.node import MeshNode
from hearthway.mesh.wire.refusals import LINES_A_S, OVER_S, SETTLES_S, Refusals
from hearthway.mesh.wire.sessions import NewerEpochError
from hearthway.records.errors import HearthwayError, InputError, RuleDeniedError, WireError

RULES = Rules.parse(default_rules(), "default")
UNOPENED = UnopenedError("A message came from a stranger (car).", "")


class World:
    """A phone whose list has a car, a clock, and what was logged."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "hearthway.mesh")
        self._caplog = caplog
        self.now_s = 100.0
        self.session: Any = None
        roster = SimpleNamespace(member=lambda name: name if name == "car" else None)
        sessions: Any = SimpleNamespace(
            identity=SimpleNamespace(roster=roster), get=lambda _: self.session
        )
        self.refusals = Refusals(sessions, lambda: self.now_s)

    def begin(self, name: bytes) -> None:
        self.session = SimpleNamespace(own_session=b"own", session=name)

    def said(self, why: HearthwayError, after_s: float = 0.0, claimed: str = "car") -> str:
        """What one more refusal makes the owner hear; "" for nothing."""
        self.now_s += after_s
        self._caplog.clear()
        self.refusals.note(claimed, why)
        (line,) = self._caplog.records
        assert "Error" not in line.getMessage()
        return line.getMessage() if line.levelno >= logging.WARNING else ""


@pytest.fixture
def world(caplog: pytest.LogCaptureFixture) -> World:
    return World(caplog)


@pytest.mark.parametrize("why", [UNOPENED, NewerEpochError("newer", "")])
def test_what_does_not_open_after_a_restart_is_trouble_only_if_it_goes_on(
    world: World, why: HearthwayError
) -> None:
    assert world.said(why) == ""
    assert world.said(why, SETTLES_S - 1.0) == ""
    assert world.said(why, 2.0).startswith("A message from car was refused: it is ")
    world.begin(b"1")  # now it is greeted: what is still under way is of before
    assert world.said(why) == ""
    assert world.said(why, SETTLES_S + 1.0) != ""  # nothing explains these
    world.begin(b"2")
    assert world.said(why) == ""
    assert world.said(why, OVER_S + 1.0) == ""  # another restart, an hour later
    assert world.refusals.count == 7


def test_everything_else_is_said_at_once_and_in_words(world: World) -> None:
    assert "do not let it in" in world.said(RuleDeniedError("Vehicle.Speed = 51.5", ""))
    assert "cannot be used here" in world.said(InputError("60.17, 24.94 is out of range", ""))
    assert "does not decode" in world.said(WireError("A frame is of no time.", ""))
    assert "list of devices" in world.said(UNOPENED, claimed="eve")


def test_a_flood_is_one_line_more_and_as_grave_as_its_gravest(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    for why in (UNOPENED, WireError("x", "")):
        world.now_s += 2.0
        for n in range(LINES_A_S + 5):
            world.refusals.note("car", UNOPENED if n < LINES_A_S else why)
        world.begin(b"another")
    caplog.clear()
    world.now_s += 2.0
    world.refusals.note("car", UNOPENED)
    flood = next(one for one in caplog.records if "more messages" in one.getMessage())
    assert (flood.levelno, flood.getMessage()) == (logging.WARNING, "5 more messages were refused")


def test_frames_of_the_session_before_a_restart_are_no_trouble(
    make_household: Any, caplog: pytest.LogCaptureFixture
) -> None:
    household = make_household(phone="phone", car="car")
    caplog.set_level(logging.INFO, "hearthway.mesh")

    async def main() -> None:
        hub = MemoryHub()

        def node(name: str) -> MeshNode:
            return MeshNode(household.identity(name), hub.link(name, name), RULES, time.time)

        phone, car = node("phone"), node("car")
        try:
            await car.open()
            await phone.open()
            await phone.wait_ready(["car"], 10.0)
            await car.wait_ready(["phone"], 10.0)
            session = car._sessions.get("phone")
            assert session is not None
            head = Head(RECORD, "Household.Word", "household")
            late = car._sessions.seal(session, 0, Frame(1.0, (head,), [0], [b"\x01"]))[1]
            await phone.close()
            phone = node("phone")
            phone._hearing.hear("car", late)  # the first it hears
            await phone.open()
            await phone.wait_ready(["car"], 10.0)
            phone._hearing.hear("car", late)  # and one that was longer under way
            await asyncio.sleep(0.1)
            assert phone.refused_frames == 2
        finally:
            await phone.close()
            await car.close()

    asyncio.run(main())
    refused = [one for one in caplog.records if "was refused" in one.getMessage()]
    assert [one.levelno for one in refused] == [logging.INFO] * 2
