"""A missing peer: when it is dialled, that a lost packet does not hold the next dial up, and whose word is taken."""

from __future__ import annotations

import asyncio
import gc
import random
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.ports import free_address
from tests.waiting import until

from hearthway.mesh.links.presence import Presence
from hearthway.mesh.links.probe import split_address
from hearthway.mesh.links.seeking import Knocks
from hearthway.mesh.links.stream import PORT_OFFSET, Stream, Streams
from hearthway.mesh.links.ways import BYE, Ways
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.records.errors import MeshError

pytestmark = pytest.mark.usefixtures("no_blocking")


# -- when ------------------------------------------------------------------------------------------


def _dials(
    knocks: Knocks, missing: list[str], from_s: float, to_s: float
) -> dict[str, list[float]]:
    """When each was dialled, by a clock that goes from one due time to the next."""
    seen: dict[str, list[float]] = {d: [] for d in missing}
    now_s = from_s
    while now_s < to_s:
        for device_id in knocks.due(missing, now_s):
            seen[device_id].append(now_s)
        now_s = knocks.next_s if knocks.next_s is not None else to_s
    return seen


@pytest.mark.parametrize("seed", range(5))
def test_a_missing_peer_is_dialled_often_at_first_and_rarely_later(seed: int) -> None:
    knocks = Knocks(random.Random(seed))
    at_s = _dials(knocks, ["car"], 1000.0, 1600.0)["car"]
    pauses = [(b - 1000.0, b - a) for a, b in zip([1000.0, *at_s], at_s, strict=False)]
    assert all(0.2 <= pause <= 0.3001 for away, pause in pauses if away < 30.0)
    assert all(0.8 <= pause <= 1.2001 for away, pause in pauses if 31.5 < away < 60.0)
    assert all(4.0 <= pause <= 6.0001 for away, pause in pauses if away > 66.5)
    assert len({round(pause, 6) for _, pause in pauses}) > 50  # two never stay in step
    assert len(at_s) < 300


def test_whoever_is_away_for_long_slows_nobody_down() -> None:
    knocks = Knocks(random.Random(1))
    _dials(knocks, ["phone"], 0.0, 3600.0)
    seen = _dials(knocks, ["phone", "car"], 3600.0, 3610.0)
    assert len(seen["car"]) >= 33
    assert len(seen["phone"]) <= 3
    assert knocks.due([], 3611.0) == []
    assert knocks.next_s is None  # everybody is there: nothing is due, ever
    assert len(_dials(knocks, ["car"], 3700.0, 3710.0)["car"]) >= 33  # gone anew


def test_after_news_the_missing_are_dialled_at_once_and_for_a_moment_as_at_first() -> None:
    knocks = Knocks(random.Random(1))
    _dials(knocks, ["phone"], 0.0, 3600.0)
    knocks.news(3600.0)
    at_s = _dials(knocks, ["phone"], 3600.0, 3700.0)["phone"]
    assert at_s[0] == 3600.0
    assert 17 <= len([t for t in at_s if t < 3605.0]) <= 26
    assert len([t for t in at_s if t >= 3605.5]) < 50  # and then ever more rarely again


# -- dialling --------------------------------------------------------------------------------------


class _Wire:
    """Stands at a stream's port; of the connections the first so many are taken and never answered."""

    def __init__(self, swallows: int) -> None:
        self.swallows, self.count, self.open = swallows, 0, 0
        self._target = ("", 0)

    @asynccontextmanager
    async def before(self, front: str, behind: str) -> AsyncIterator[None]:
        host, port = split_address(behind)
        self._target = host, port + PORT_OFFSET
        host, port = split_address(front)
        server = await asyncio.start_server(self._take, host, port + PORT_OFFSET)
        try:
            yield
        finally:
            server.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.count, self.open = self.count + 1, self.open + 1
        there: asyncio.StreamWriter | None = None
        try:
            if self.count <= self.swallows:
                while await reader.read(4096):
                    pass
                return
            back, there = await asyncio.open_connection(*self._target)
            await asyncio.gather(_pump(reader, there), _pump(back, writer))
        except OSError:
            pass  # given up by whoever dialled
        finally:
            self.open -= 1
            writer.close()
            if there is not None:
                there.close()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65_536):
        target.write(data)
        await target.drain()
    target.close()


class _Node:
    """The ways of one node without zenoh, and what became of them."""

    def __init__(self, identity: DeviceIdentity, listen: str) -> None:
        self.got: list[bytes] = []
        self.broke: list[Stream] = []
        self.ways = Ways(
            identity,
            listen,
            time.time,
            by_zenoh=_nothing,
            deliver=lambda _d, payload, _s: self.got.append(payload),
            stands=lambda _d: None,
            broke=lambda _d, stream: self.broke.append(stream),
        )


async def _silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _nothing(_device_id: str, _payload: bytes, _reliable: bool) -> bool:
    return False


@asynccontextmanager
async def _two(household: Any, *fronts: tuple[str, _Wire]) -> AsyncIterator[dict[str, _Node]]:
    """Car (it decides) and phone; before these stands a wire."""
    behind = dict(household.addresses)
    wires = dict(fronts)
    for device_id in wires:
        behind[device_id] = free_address()
    nodes = {d: _Node(household.identity(d), behind[d]) for d in ("car", "phone")}
    try:
        for node in nodes.values():
            await node.ways.open()
        async with _nested(
            [wire.before(household.addresses[d], behind[d]) for d, wire in wires.items()]
        ):
            yield nodes
            for node in nodes.values():
                await node.ways.close()
    finally:
        for node in nodes.values():
            await node.ways.close()


@asynccontextmanager
async def _nested(contexts: list[Any]) -> AsyncIterator[None]:
    if not contexts:
        yield
        return
    async with contexts[0], _nested(contexts[1:]):
        yield


@pytest.mark.parametrize("who", ["car", "phone"])
def test_a_dial_that_is_not_answered_holds_the_next_one_not_up(
    make_household: Any, who: str
) -> None:
    """Also where the other side decides which stream is used."""
    household = make_household(phone="phone", car="car")
    other = {"car": "phone", "phone": "car"}[who]
    wire = _Wire(swallows=1)

    async def scenario() -> None:
        async with _two(household, (other, wire)) as nodes:
            me, there = nodes[who].ways, nodes[other].ways
            me.knock(other)
            await until(lambda: wire.count == 1)
            await asyncio.sleep(0.1)
            assert me.stream(other) is None  # the control: that one stands never
            assert wire.open == 1
            first = me._knocks[other][0]
            me.knock(other)
            assert len(me._knocks[other]) == 2  # the first was not given up for it
            await until(lambda: me.stream(other) is not None and there.stream(who) is not None)
            await until(lambda: wire.open == 1 and first.done())
            assert first.cancelled()  # it is given up now, not when its own time is over
            assert me.write(other, b"Fhere") is me.stream(other)
            assert there.write(who, b"Fthere") is there.stream(who)
            await until(lambda: nodes[other].got == [b"Fhere"] and nodes[who].got == [b"Fthere"])
            me.knock(other)
            await asyncio.sleep(0.05)
            assert wire.count == 2  # who is there is not dialled

    asyncio.run(scenario())


def test_dials_are_bounded_and_end_with_the_node(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")
    wire = _Wire(swallows=1000)

    async def scenario() -> None:
        async with _two(household, ("phone", wire)) as nodes:
            car = nodes["car"].ways
            for number in range(1, 11):
                car.knock("phone")
                await until(lambda number=number: wire.count == number)  # type: ignore[misc]
                await until(lambda number=number: wire.open == min(number, 4))  # type: ignore[misc]
            car.part("phone")  # zenoh says late that it is gone: what looks for it goes on
            await asyncio.sleep(0.05)
            assert wire.open == 4
            await car.close()
            await until(lambda: wire.open == 0)
            car.knock("phone")
            await asyncio.sleep(0.05)
            assert wire.count == 10

    asyncio.run(scenario())


def test_a_name_is_looked_up_once_at_a_time(
    make_household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    household = make_household(phone="phone", car="car")
    dialled: list[str] = []

    async def dial(_self: Streams, device_id: str, _address: str) -> None:
        dialled.append(device_id)
        await asyncio.sleep(60.0)

    monkeypatch.setattr(Streams, "dial", dial)

    async def scenario() -> None:
        async with _two(household) as nodes:
            car = nodes["car"].ways
            roster = car.identity.roster
            for address, count in (("phone.home.arpa:7447", 1), ("127.0.0.1:7447", 3)):
                members = tuple(msgspec.structs.replace(m, address=address) for m in roster.members)
                car.use_roster(
                    replace(car.identity, roster=msgspec.structs.replace(roster, members=members))
                )
                for _ in range(3):
                    car.knock("phone")
                    await asyncio.sleep(0.01)
                assert len(dialled) == count
                for task in car._knocks.pop("phone"):
                    task.cancel()
                dialled.clear()

    asyncio.run(scenario())


@pytest.mark.parametrize("seed", range(4))
def test_of_dials_from_both_sides_one_stream_is_used_by_both(
    make_household: Any, seed: int
) -> None:
    household = make_household(phone="phone", car="car")
    rng = random.Random(seed)

    async def scenario() -> None:
        async with _two(household) as nodes:
            car, phone = nodes["car"].ways, nodes["phone"].ways
            for _ in range(3):
                for ways, other in rng.sample([(car, "phone"), (phone, "car")], 2):
                    ways.knock(other)
                    await asyncio.sleep(rng.choice([0.0, 0.002, 0.01]))
            await until(lambda: car.stream("phone") is not None and phone.stream("car") is not None)
            await until(lambda: len(car.streams._standing) == len(phone.streams._standing) == 1)
            assert nodes["car"].broke == nodes["phone"].broke == []
            assert car.as_listed("phone")
            assert phone.as_listed("car")
            roster = car.identity.roster  # the control: the list says another address
            there = [msgspec.structs.replace(m, address="10.9.9.9:7447") for m in roster.members]
            moved = msgspec.structs.replace(roster, members=tuple(there))
            car.identity, before = replace(car.identity, roster=moved), car.identity
            assert not car.as_listed("phone")
            car.identity = before
            first = car.stream("phone")
            await car._redial(
                car.way("phone")
            )  # a renewed certificate asks for another, and gets it
            await until(lambda: car.stream("phone") is not first and bool(first and first.closed))
            assert nodes["car"].broke == nodes["phone"].broke == []

    asyncio.run(scenario())


def test_of_two_streams_soon_after_one_another_the_first_is_used(
    make_household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _two(household) as nodes:
            car, phone = nodes["car"].ways, nodes["phone"].ways
            phone.knock("car")
            await until(lambda: car.stream("phone") is not None and phone.stream("car") is not None)
            first = car.stream("phone")
            for young_s, stays in ((60.0, True), (0.0, False)):
                monkeypatch.setattr("hearthway.mesh.links.ways._YOUNG_S", young_s)
                await phone.streams.dial("car", household.addresses["car"])
                await until(lambda: len(car.streams._standing) == len(phone.streams._standing) == 1)
                assert (car.stream("phone") is first) == stays  # later: it had lost the first one
                assert phone.write("car", b"Fx") is phone.stream("car")
            await until(lambda: nodes["car"].got == [b"Fx", b"Fx"])

    asyncio.run(scenario())


def test_whoever_leaves_lets_nobody_in_and_whoever_is_back_does(make_household: Any) -> None:
    """Else a node that closes is missed, found and missed again; its streams stay to the end."""
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _two(household) as nodes:
            car, phone = nodes["car"].ways, nodes["phone"].ways
            car.knock("phone")
            await until(lambda: car.stream("phone") is not None and phone.stream("car") is not None)
            phone.leave()
            with pytest.raises(MeshError):
                await car.streams.dial("phone", household.addresses["phone"])
            assert phone.write("car", b"Fbye") is phone.stream("car")
            await until(lambda: nodes["car"].got == [b"Fbye"])
            await phone.close()
            await until(lambda: car.stream("phone") is None)
            await phone.open()
            await car.streams.dial("phone", household.addresses["phone"])
            await until(lambda: phone.stream("car") is not None)

    asyncio.run(scenario())


def test_a_dial_that_is_given_up_leaves_nothing(make_household: Any) -> None:
    """Also where the handshake was done and the other side had not said yet that it takes us."""
    household = make_household(phone="phone", car="car")

    async def scenario() -> None:
        async with _two(household) as nodes:
            car, phone = nodes["car"].ways, nodes["phone"].ways
            host, port = split_address(free_address())
            silent = await asyncio.start_server(_silent, host, port, ssl=phone.streams._serving)
            dialling = asyncio.create_task(
                car.streams.dial("phone", f"{host}:{port - PORT_OFFSET}")
            )
            await until(lambda: len(car.streams._standing) == 1)
            dialled = weakref.ref(next(iter(car.streams._standing)))
            dialling.cancel()
            with suppress(asyncio.CancelledError):
                await dialling
            del dialling
            assert car.streams._standing == {}
            await asyncio.sleep(0.05)  # its transport closes
            gc.collect()
            assert dialled() is None  # no timer keeps it until its certificate ends
            silent.close()

    asyncio.run(scenario())


# -- whose word is taken ---------------------------------------------------------------------------


class _Standing:
    """Ways of which the test says where a stream stands."""

    def __init__(self) -> None:
        self.standing: dict[str, _Answering | _Hangs] = {}
        self.listed = True
        self.parted: list[str] = []
        self.met: list[str] = []

    def stream(self, device_id: str) -> Any:
        return self.standing.get(device_id)

    def part(self, device_id: str) -> None:
        self.parted.append(device_id)
        self.standing.pop(device_id, None)

    async def meet(self, device_id: str) -> None:
        self.met.append(device_id)

    def as_listed(self, _device_id: str) -> bool:
        return self.listed


class _Answering:
    closed = False
    writable = True
    silent_s: float = 1.5  # neither heard just now nor missed yet

    def write(self, _payload: bytes) -> bool:
        return True

    def abort(self) -> None:
        raise AssertionError("the test is shorter than a peer may be silent")


class _Scene:
    def __init__(self, roster: Any) -> None:
        self.told: list[bool] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.ways = _Standing()
        self.presence = Presence(
            lambda: roster,
            lambda: True,
            self._spawn,
            lambda _device_id, alive: self.told.append(alive),
        )
        self.presence.ways = self.ways  # type: ignore[assignment]  # what presence uses of it

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        return task

    async def there(self) -> None:
        """Zenoh sees the car, and a stream to it stands."""
        self.ways.standing["car"] = _Answering()
        self.presence.notice("car", alive=True)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert self.told == [True]

    def breaks(self, *, unheard: bool) -> None:
        self.ways.standing.pop("car")
        self.presence.broke("car", unheard=unheard)


@contextmanager
def _ending(scene: _Scene) -> Iterator[_Scene]:
    try:
        yield scene
    finally:
        for task in scene.tasks:
            task.cancel()


def test_a_cut_wire_is_believed_before_zenoh(make_household: Any) -> None:
    """Zenoh may take 10 s to notice. Until then its word put the peer back, and greetings went into the cut wire."""
    roster = make_household(phone="phone", car="car").identity("phone").roster

    async def scenario() -> None:
        for unheard in (True, False):
            with _ending(_Scene(roster)) as scene:
                await scene.there()
                scene.breaks(unheard=unheard)
                await asyncio.sleep(0.01)
                assert "car" in scene.presence.tokens
                assert scene.presence.sees("car") != unheard
                # the control: a stream that broke otherwise says nothing about the wire
                assert scene.told == ([True, False] if unheard else [True, False, True])

    asyncio.run(scenario())


class _Hangs:
    """It says nothing from now on, and may be cut for that."""

    closed = False

    def __init__(self) -> None:
        self.heard_s = time.monotonic()
        self.pings = 0
        self.cut = asyncio.Event()

    @property
    def silent_s(self) -> float:
        return time.monotonic() - self.heard_s

    def write(self, _payload: bytes) -> bool:
        self.pings += 1
        return True

    def abort(self) -> None:
        self.cut.set()


async def _missed_after_s(stream: _Hangs) -> float:
    async with asyncio.timeout(5.0):
        await stream.cut.wait()
    return stream.silent_s


def test_whoever_only_its_stream_shows_is_missed_when_it_is_silent_and_no_beat_later(
    make_household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hearthway.mesh.links.presence._SILENT_S", 0.4)
    monkeypatch.setattr("hearthway.mesh.links.presence._BEAT_S", 0.8)
    roster = make_household(phone="phone", car="car").identity("phone").roster

    async def scenario() -> None:
        with _ending(_Scene(roster)) as scene:
            stream = scene.ways.standing["car"] = _Hangs()
            scene.presence.stands("car")
            await asyncio.sleep(0.1)
            stream.heard_s = time.monotonic()
            assert 0.39 < await _missed_after_s(stream) < 0.65

    asyncio.run(scenario())


def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hearthway.mesh.links.presence._SILENT_S", 0.3)
    monkeypatch.setattr("hearthway.mesh.links.presence._BEAT_S", 0.1)
    monkeypatch.setattr("hearthway.mesh.links.presence._SHAKEN_S", 0.6)


@pytest.mark.parametrize("how", ["fell silent", "was unheard", "said so", "hung up"])
def test_while_zenoh_may_be_blocked_by_a_cut_wire_the_others_are_asked_themselves(
    make_household: Any, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Closing a cut wire, zenoh told of a third that hung only after 5 s. Whoever leaves or is killed leaves no cut wire."""
    _hasty(monkeypatch)
    roster = make_household(phone="phone", car="car", home="home").identity("phone").roster

    def goes(scene: _Scene) -> None:
        home = scene.ways.standing["home"]
        if how == "said so":
            scene.presence.hear("home", BYE, home)  # type: ignore[arg-type]  # what presence uses of it
        if how in ("was unheard", "hung up"):
            del scene.ways.standing["home"]
            scene.presence.broke("home", unheard=how == "was unheard")
        scene.presence.notice("home", alive=False)

    async def scenario() -> None:
        for hangs in (True, False):
            with _ending(_Scene(roster)) as scene:
                await scene.there()
                car = scene.ways.standing["car"] = _Hangs()
                scene.ways.standing["home"] = _Answering()
                scene.presence.notice("home", alive=True)
                await asyncio.sleep(0.05)
                assert car.pings == 0, "zenoh is relied on"
                car.heard_s -= 3600.0  # nobody had anything to say
                goes(scene)
                if how in ("said so", "hung up"):
                    await asyncio.sleep(0.5)
                    assert (car.pings, car.cut.is_set()) == (0, False)
                    continue
                if hangs:
                    asked_s = time.monotonic()
                    assert await _missed_after_s(car) > 3600.0
                    assert 0.29 < time.monotonic() - asked_s < 0.55, "nobody is cut unasked"
                    assert not scene.presence.sees("car"), "its word of before counts no more"
                    continue
                begun_s = time.monotonic()
                while time.monotonic() < begun_s + 1.0:
                    car.heard_s = time.monotonic()
                    await asyncio.sleep(0.02)
                asked = car.pings
                assert asked > 1
                await asyncio.sleep(0.3)
                assert (car.pings, car.cut.is_set()) == (asked, False)

    asyncio.run(scenario())


def test_who_stood_still_himself_misses_nobody_for_that(
    make_household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped for a while, he finds answers unread and everybody silent for as long as he was."""
    _hasty(monkeypatch)
    roster = make_household(phone="phone", car="car").identity("phone").roster

    async def scenario() -> None:
        with _ending(_Scene(roster)) as scene:
            car = scene.ways.standing["car"] = _Hangs()
            scene.presence.stands("car")
            await asyncio.sleep(0.05)
            time.sleep(0.6)  # noqa: ASYNC251 - this node stands still
            await asyncio.sleep(0.2)
            assert not car.cut.is_set()
            assert await _missed_after_s(car) < 1.2, "who says nothing now is missed"

    asyncio.run(scenario())


def test_zenohs_late_word_ends_no_stream_that_came_since(make_household: Any) -> None:
    roster = make_household(phone="phone", car="car").identity("phone").roster

    async def scenario() -> None:
        with _ending(_Scene(roster)) as scene:
            await scene.there()
            scene.breaks(unheard=True)
            scene.ways.standing["car"] = _Answering()  # dialled: the wire is back
            scene.presence.stands("car")
            assert scene.told == [True, False, True]
            scene.presence.notice("car", alive=False)  # that was about the old wire
            assert scene.told == [True, False, True]
            scene.presence.notice("car", alive=True)
            scene.presence.notice("car", alive=False)  # and that is about this one
            assert scene.told == [True, False, True, False]
            assert scene.ways.parted[-1] == "car"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("silent_s", "listed", "gone"), [(0.3, True, False), (1.6, True, True), (0.3, False, True)]
)
def test_whoever_was_heard_just_now_is_there_whatever_zenoh_says(
    make_household: Any, silent_s: float, *, listed: bool, gone: bool
) -> None:
    """An old wire of zenoh's may end seconds after the return. A node that hangs was silent for longer.

    Whoever is somewhere else than the list says is missed all the same: its return is what mends the list.
    """
    roster = make_household(phone="phone", car="car").identity("phone").roster

    async def scenario() -> None:
        with _ending(_Scene(roster)) as scene:
            await scene.there()
            car = scene.ways.standing["car"] = _Answering()
            car.silent_s = silent_s
            scene.ways.listed = listed
            scene.presence.notice("car", alive=False)
            assert scene.told == ([True, False] if gone else [True])
            assert ("car" in scene.ways.parted) == gone

    asyncio.run(scenario())


def test_zenoh_is_believed_again_after_a_while(
    make_household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own wire may have lived on: then it says nothing anew."""
    monkeypatch.setattr("hearthway.mesh.links.presence._DOUBT_S", 0.1)
    roster = make_household(phone="phone", car="car").identity("phone").roster

    async def scenario() -> None:
        with _ending(_Scene(roster)) as scene:
            await scene.there()
            scene.breaks(unheard=True)
            await asyncio.sleep(0.03)
            assert scene.told == [True, False]
            await until(lambda: scene.presence.sees("car"), 2.0)
            await until(lambda: scene.told == [True, False, True], 2.0)
            assert scene.ways.met == ["car", "car"]

    asyncio.run(scenario())
