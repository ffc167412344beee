"""Two ways of asking a peer the same: greeting it, and looking which session it is in. Whoever is there gets ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from hearthway.mesh.wire import greeting
from hearthway.mesh.wire.greeting import Greeter
from hearthway.mesh.wire.sessions import Sessions
from hearthway.records.errors import MeshError

pytestmark = pytest.mark.usefixtures("no_blocking")


class _Wire:
    """Asks go straight to the other one's sessions, once the gate is open."""

    def __init__(self, other: Sessions, name: str) -> None:
        self.other, self.name = other, name
        self.gate, self.asked = asyncio.Event(), asyncio.Event()
        self.asks = self.puts = 0
        self.away = False
        self.before_put: Callable[[], None] | None = None

    async def ask(self, _: str, frame: bytes, __: float) -> bytes:
        if self.away:
            raise MeshError("Not reachable now.")
        self.asks += 1
        session, hello = self.other.hear_greeting(self.name, frame, answer=False)
        assert session.device_id == self.name
        answer = self.other.greeting(self.name, echo=hello.challenge)
        self.asked.set()
        await self.gate.wait()  # under way
        return answer

    async def put(self, *_: Any, **__: Any) -> int:
        self.puts += 1
        if self.before_put is not None:
            self.before_put()
            self.before_put = None
            await asyncio.sleep(0.01)
        return 1


class _Scene:
    def __init__(self, household: Any) -> None:
        self.ours = Sessions(household.identity("phone"), time.time)
        self.theirs = Sessions(household.identity("car"), time.time)
        self.wire = _Wire(self.theirs, "phone")
        self.told: list[bool] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.greeter = Greeter(self.ours, self.wire, time.time, self._tell, self._spawn)  # type: ignore[arg-type]  # asks and puts are all it uses
        self.greeter.active = True

    def _tell(self, _: str, *, ready: bool) -> None:
        self.told.append(ready)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        return task

    @property
    def ready(self) -> bool:
        session = self.ours.get("car")
        return session is not None and session.greeted

    async def done(self) -> None:
        async with asyncio.timeout(5.0):
            while any(not t.done() for t in self.tasks):
                await asyncio.gather(*self.tasks, return_exceptions=True)


@pytest.mark.parametrize("checked", [True, False])
def test_who_comes_while_it_is_looked_up_is_greeted(make_household: Any, checked: bool) -> None:
    """A frame of it that did not open came first, by a way that was not the link's; then the link sees it."""
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        scene = _Scene(household)
        # It greeted us already, so what it is asked brings no other session.
        scene.greeter.hear("car", scene.theirs.greeting("phone"))
        scene.greeter.stop("car")
        if checked:
            scene.greeter.recheck("car")
            await scene.wire.asked.wait()
        scene.greeter.greet_soon("car")
        scene.wire.gate.set()
        await scene.done()
        assert scene.ready
        assert scene.told == [True]

    asyncio.run(scenario())


def test_looking_up_whom_nobody_greets_tells_only_what_is_new(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        scene = _Scene(household)
        scene.wire.gate.set()
        scene.greeter.greet_soon("car")
        await scene.done()
        assert scene.told == [True]
        scene.greeter.recheck("car")
        await scene.done()
        assert scene.told == [True]  # the same session
        scene.theirs.drop("phone")  # it restarted
        scene.greeter._rechecked.clear()
        scene.greeter.recheck("car")
        await scene.done()
        assert scene.told == [True, False, True]
        scene.greeter.stop_all()
        scene.greeter.greet_soon("car")
        scene.greeter.recheck("car")
        assert scene.wire.asks == 3

    asyncio.run(scenario())


def test_who_begins_anew_while_it_is_handed_the_list_is_greeted_again(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        scene = _Scene(household)
        await asyncio.to_thread(household.add, "home", "home")
        scene.ours.use(household.identity("phone"))
        scene.greeter.signed_roster = b"newer"

        def restart() -> None:
            scene.theirs.drop("phone")
            scene.greeter.hear("car", scene.theirs.greeting("phone"))

        scene.wire.before_put = restart
        scene.wire.gate.set()
        scene.greeter.greet_soon("car")
        await scene.done()
        assert scene.wire.asks == 2
        assert scene.ready
        assert scene.told[-1] is True

    asyncio.run(scenario())


def test_a_list_is_handed_to_somebody_once_in_a_moment_and_a_newer_one_at_once(
    make_household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        scene, now_s = _Scene(household), 1000.0
        scene.greeter.signed_roster = b"the list"
        monkeypatch.setattr(greeting, "time", SimpleNamespace(monotonic=lambda: now_s))

        async def handed(device_id: str) -> bool:
            before = scene.wire.puts
            await scene.greeter.hand_roster(device_id)
            return scene.wire.puts > before

        assert await handed("car")
        assert not await handed("car")
        assert await handed("home")  # each for itself
        await asyncio.to_thread(household.add, "home", "home")
        scene.ours.use(household.identity("phone"))
        assert await handed("car")  # newer
        assert not await handed("car")
        now_s += 0.5
        assert await handed("car")

    asyncio.run(scenario())


def test_who_greets_too_often_is_answered_again_a_second_later(
    make_household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        scene, now_s = _Scene(household), 1000.0
        monkeypatch.setattr(greeting, "time", SimpleNamespace(monotonic=lambda: now_s))
        scene.greeter.active = False  # it is heard, and not greeted in return

        def answered() -> int:
            return sum(
                scene.greeter.hear("car", scene.theirs.greeting("phone")) != b"" for _ in range(60)
            )

        assert answered() == 40
        assert answered() == 0
        now_s += 1.0
        assert answered() == 40

    asyncio.run(scenario())


def test_who_is_away_is_asked_until_it_goes(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        scene = _Scene(household)
        scene.wire.away = True
        scene.greeter.greet_soon("car")
        await asyncio.sleep(0.05)
        assert scene.told == []
        scene.wire.away = False
        scene.wire.gate.set()
        await scene.done()
        assert scene.told == [True]
        scene.greeter.recheck("car")
        scene.greeter.stop("car")
        await scene.done()
        assert all(task.done() for task in scene.tasks)

    asyncio.run(scenario())
