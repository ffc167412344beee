"""A node behind the page's protocol, in memory: it gives what it was handed and keeps what it is told."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from blockbuster import BlockBuster, blockbuster_ctx

from hearthway.atlas.store import BUNDLED
from hearthway.records.ask import Outcome, Reply, Source
from hearthway.records.errors import InputError
from hearthway.records.geo import offset
from hearthway.records.household import Peer
from hearthway.records.life import Place
from hearthway.records.page import PageEvent, PageState, Why
from hearthway.records.poi import Opening, OpenState, Poi
from hearthway.records.receipts import Computation, Crossing, Measured, Receipt
from hearthway.records.signals import Fix, Signal
from hearthway.records.situation import Battery, Destination, Evidence, NextPlaces, Situation
from hearthway.records.suggestion import AnswerKind, Option, Reason, Silence, Suggestion
from hearthway.records.venue import Wait
from hearthway.sense.catalogue import SOC
from hearthway.web.page import create_app
from hearthway.web.server import Server

TOKEN = "a-token-of-the-tests-only"
T0 = 1_700_000_000.0 - 1_700_000_000 % 86_400 + 16 * 3600 + 12 * 60  # 18:12 in Helsinki's winter
OFFSET_S = 7200
FORUM = (60.16885, 24.93785)

T = TypeVar("T")


def poi(number: int, name: str, north_m: float, east_m: float, hours: str = "") -> Poi:
    lat, lon = offset(*FORUM, north_m, east_m)
    return Poi(
        osm_id=f"node/{number}",
        kind="restaurant",
        name=name,
        lat=lat,
        lon=lon,
        cuisines=("nepalese",) if number % 2 else ("pizza", "italian"),
        opening_hours=hours,
    )


def situation(time_s: float = T0) -> Situation:
    lat, lon = offset(*FORUM, -900.0, -1050.0)
    forum = Place(place_id="p1", lat=FORUM[0], lon=FORUM[1], visits=31, name="Forum")
    return Situation(
        time_s=time_s,
        utc_offset_s=OFFSET_S,
        person="p-1",
        mode="driving",
        lat=lat,
        lon=lon,
        speed_mps=11.2,
        destinations=(Destination(place=forum, p=0.81),),
        p_new=0.05,
        places_known=214,
        battery=Battery(soc_pct=31.0, age_s=4.0, at_arrival_pct=28.0, at_home_pct=12.0),
    )


ONWARD = "Next, around 18:42: probably home (p 0.81)"


def staying(time_s: float = T0) -> Situation:
    """At the mall, from where one mostly goes home."""
    home = Place(place_id="p0", lat=60.1921, lon=24.9458, visits=60, label="home")
    return msgspec.structs.replace(
        situation(time_s),
        mode="staying",
        destinations=(),
        stays_known=80,
        next_places=NextPlaces(
            places=(Destination(place=home, p=0.81),), p_new=0.1, leave_s=time_s + 1800.0
        ),
    )


def suggestion(suggestion_id: str = "5f0c1d2e3a4b5c6d") -> Suggestion:
    first = poi(11, "Ravintola Kuusi", 120, -90, "Mo-Su 11:00-22:00")
    second = poi(12, "Pizzeria Vuori", -160, -260)
    third = poi(13, "<b>Koti & Käki</b>", 210, 140)
    return Suggestion(
        suggestion_id=suggestion_id,
        need="dinner",
        person="p-1",
        time_s=T0,
        utc_offset_s=OFFSET_S,
        headline="1.4 km before arrival · heading to Forum (p 0.81 of 214 places)",
        lines=(
            "dinnertime for you is 18:05-19:40 (61 evenings) · 2 open when you arrive; hours unknown last:",
            "Ravintola Kuusi    2 min on foot · wait 15 min (told by the place, 2 min ago) (node/11)",
            "Pizzeria Vuori     3 min detour  · wait unknown · hours unknown (node/12)",
            "<b>Koti & Käki</b> 3 min on foot · wait unknown (node/13)",
            "battery 31 % -> home with 12 %",
            "synthetic household: this is nobody's real life",
            "why · not now · never here",
        ),
        options=(
            Option(
                poi=first,
                utility=1.4,
                opening=Opening(state=OpenState.OPEN, until_s=T0 + 3.8 * 3600),
                arrive_s=T0 + 480,
                detour_s=20.0,
                walk_m=150.0,
                wait=Wait(osm_id=first.osm_id, minutes=15.0, age_s=120.0, source="the venue's key"),
                reasons=(Reason(feature="cuisine", weight=3.5, words="you often eat nepalese"),),
            ),
            Option(
                poi=second,
                utility=1.1,
                opening=Opening(state=OpenState.UNKNOWN),
                arrive_s=T0 + 420,
                detour_s=190.0,
                walk_m=0.0,
                wait=Wait(osm_id=second.osm_id, why="the place publishes no wait"),
            ),
            Option(
                poi=third,
                utility=0.8,
                opening=Opening(state=OpenState.OPEN),
                arrive_s=T0 + 560,
                detour_s=0.0,
                walk_m=252.0,
                wait=Wait(osm_id=third.osm_id, why="the place publishes no wait"),
            ),
        ),
        reasons=(
            Reason(feature="routine", weight=14.2, words="this is your dinnertime on 61 evenings"),
            Reason(feature="open", weight=6.1, words="three are open when you arrive"),
            Reason(feature="detour", weight=-2.4, words="a few minutes on foot"),
        ),
        p_useful=0.72,
        utility=11.3,
        threshold=6.0,
        propensity=1.0,
        situation=situation(),
        synthetic=True,
    )


def receipts(suggestion_id: str) -> tuple[Receipt, ...]:
    crossing = Crossing(
        key="Vehicle.CurrentLocation.Latitude",
        sender="car",
        receiver_role="phone",
        purpose="suggest",
        rule="car-position-to-phone",
        count=412,
    )
    shown = Crossing(
        key="Suggestion", sender="phone", receiver_role="car", purpose="show", rule="show-in-car"
    )
    phone = Receipt(
        suggestion_id=suggestion_id,
        node="phone-1",
        role="phone",
        person="p-1",
        time_s=T0,
        fields=(
            Evidence(key="Vehicle.CurrentLocation.Latitude", source="car-1", age_s=1.0),
            Evidence(
                key="Vehicle.Powertrain.TractionBattery.StateOfCharge.Current",
                source="car-1",
                age_s=4.0,
            ),
            Evidence(key="Person.Routine.Dinner", source="phone-1", age_s=86_400.0, person="p-1"),
        ),
        crossings=(crossing, shown),
        computations=(
            Computation(stage="context", node="phone-1", code="9d3a7be01c55f2aa", model="77aa01"),
            Computation(stage="assist", node="phone-1", code="1b22c3d4e5f60718"),
        ),
        measured=Measured(
            latency_ms=38.4,
            bytes_to={"car-1": 1830, "home-1": 402},
            internet_bytes=0,
            internet_refused=0,
            how="interface counters",
        ),
    )
    car = Receipt(
        suggestion_id=suggestion_id,
        node="car-1",
        role="car",
        person="p-1",
        time_s=T0,
        fields=(),
        crossings=(crossing, shown),
        computations=(),
        measured=Measured(bytes_to={"phone-1": 48_211}, how="not in a namespace of its own"),
    )
    return (phone, car)


def peers(*, car_alive: bool = True) -> tuple[Peer, ...]:
    return (
        Peer(device_id="phone-1", role="phone", alive=True, since_s=T0),
        Peer(
            device_id="car-1",
            role="car",
            alive=car_alive,
            since_s=T0,
            detail="" if car_alive else "no word for 8 s",
        ),
        Peer(device_id="home-1", role="home", alive=True, since_s=T0),
    )


def quiet_state() -> PageState:
    now = situation()
    return PageState(
        node="phone-1",
        role="phone",
        person="Aino",
        time_s=T0,
        utc_offset_s=OFFSET_S,
        synthetic=True,
        peers=peers(),
        silence=Silence(
            time_s=T0,
            person="p-1",
            code="not-mealtime",
            words="It is not your dinnertime: that is 18:05-19:40.",
        ),
        situation=now,
        track=tuple(offset(now.lat, now.lon, -60.0 * i, -45.0 * i) for i in range(40, -1, -1)),
        ahead=((now.lat, now.lon), offset(*FORUM, -400.0, -500.0), FORUM),
    )


@dataclass
class MemoryNode:
    """Keeps everything in lists; `push` is what a node does when something happened."""

    state: PageState = field(default_factory=quiet_state)
    answers: list[tuple[str, AnswerKind, str]] = field(default_factory=list)
    taken: list[tuple[str, Sequence[Fix], Sequence[Signal]]] = field(default_factory=list)
    snapshots: int = 0
    subscriptions: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)
    students: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    student_waits_s: float = 0.0
    queue: asyncio.Queue[PageEvent | Exception] = field(default_factory=asyncio.Queue)

    def now_s(self) -> float:
        return T0

    def snapshot(self) -> PageState:
        self.snapshots += 1
        return self.state

    async def subscribe(self) -> AsyncIterator[PageEvent]:
        self.subscriptions += 1
        while True:
            event = await self.queue.get()
            if isinstance(event, Exception):
                raise event
            yield event

    def push(self, state: PageState, kind: str = "state") -> None:
        self.state = state
        self.queue.put_nowait(PageEvent(kind=kind))

    async def why(self, suggestion_id: str) -> Why:
        known = self.state.suggestion
        if known is None or known.suggestion_id != suggestion_id:
            raise InputError(
                "That suggestion is not known here.", "`hearthway receipts` lists them."
            )
        return Why(
            suggestion=known,
            receipts=receipts(suggestion_id),
            verified="2 receipts, both chains verify; head countersigned by home-1",
        )

    async def answer(self, suggestion_id: str, kind: AnswerKind, osm_id: str) -> None:
        known = self.state.suggestion
        if known is None or known.suggestion_id != suggestion_id:
            raise InputError("That suggestion is not known here.", "Reload the page.")
        self.answers.append((suggestion_id, kind, osm_id))

    async def ask(self, text: str, language: str) -> Reply:
        if not text.strip():
            raise InputError("Nothing was asked.", "Ask something.")
        self.asked.append((text, language))
        source = Source(key="Home.Climate.Temperature", shown="19.2 °C", source="house", rule="r")
        charge = Source(key=SOC, shown="64 %", source="synthetic-car", rule="collect-on-phone")
        return Reply(outcome=Outcome.ANSWERED, line="19.2 °C at home.", sources=(source, charge))

    async def ingest(self, person: str, fixes: Sequence[Fix], signals: Sequence[Signal]) -> None:
        if person == "stranger":
            raise InputError("Nobody here is called stranger.", "Add the person first.")
        self.taken.append((person, tuple(fixes), tuple(signals)))

    async def student(self, task: str) -> tuple[str, bytes] | None:
        await asyncio.sleep(self.student_waits_s)
        return self.students.get(task)


@dataclass
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class RunningPage:
    """A real server on a real port, in a thread of its own; the test talks HTTP to it."""

    node: MemoryNode
    server: Server
    loop: asyncio.AbstractEventLoop
    app: Any

    def call(self, act: Callable[[], T]) -> T:
        """Runs `act` on the server's loop."""

        async def on_loop() -> T:
            return act()

        return self.run(on_loop())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def push(self, state: PageState, kind: str = "state") -> None:
        self.call(lambda: self.node.push(state, kind))

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answered:
        line = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            line.request(method, path, body=body, headers=headers or {})
            answer = line.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answered(answer.status, found, answer.read())
        finally:
            line.close()


@contextmanager
def running_page(
    *,
    hosts: Sequence[str] = (),
    host: str = "127.0.0.1",
    heartbeat_s: float = 15.0,
    atlas: Path = BUNDLED,
) -> Iterator[RunningPage]:
    node = MemoryNode()
    app = create_app(
        node, token=TOKEN, hosts=hosts, atlas=atlas, pace_s=0.05, heartbeat_s=heartbeat_s
    )
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="page")
    thread.start()
    server = Server(app, host, 0)
    page = RunningPage(node, server, loop, app)
    try:
        page.run(server.start())
        try:
            yield page
        finally:
            page.run(server.stop())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture(autouse=True)
def nothing_blocks_the_loop() -> Iterator[BlockBuster]:
    """A blocking call in an async handler fails the test."""
    with blockbuster_ctx() as guard:
        yield guard


@pytest.fixture
def page() -> Iterator[RunningPage]:
    with running_page() as running:
        yield running


@pytest.fixture
def open_page() -> Callable[..., Any]:
    """For tests that need a server of their own."""
    return running_page


@pytest.fixture
def parked_state() -> PageState:
    """Nothing to say, and where one mostly goes from here."""
    return msgspec.structs.replace(
        quiet_state(), situation=staying(), onward=ONWARD, track=(), ahead=()
    )


@pytest.fixture
def moment_state() -> PageState:
    quiet = quiet_state()
    return PageState(
        **{
            **{name: getattr(quiet, name) for name in quiet.__struct_fields__},
            "silence": None,
            "suggestion": suggestion(),
        }
    )


@pytest.fixture
def token() -> str:
    return TOKEN


@pytest.fixture
def in_ci() -> bool:
    return os.environ.get("CI") == "true"
