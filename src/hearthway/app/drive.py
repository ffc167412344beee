"""`hearthway drive`: a synthetic household's drive at dinnertime on four real nodes, start to receipt.

Nothing here computes a suggestion: it starts nodes, pairs them as people would, hands the phone its history and
the car its recording, and prints what the nodes tell.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from hearthway.records.count import count_of
from hearthway.records.errors import ConfigError, HearthwayError
from hearthway.records.household import Role
from hearthway.synthetic.household import SyntheticHousehold

from .config import (
    AssistTable,
    Config,
    MapTable,
    MeshTable,
    NodeTable,
    ReplayTable,
    VenueTable,
    WebTable,
    save_config,
)
from .launch import NodeProcess, fresh_dir, stop_all
from .namespaces import Lan, Loopback
from .paths import NodePaths, private_dir
from .recording import fix_signals, write_recording

MESH_PORT = 7447
PAIR_PORT = 7448
VENUE_PORT = 7480
MARKER = ".made-by-hearthway-drive"
NODES = ("home", "car", "phone", "venue")
Say = Callable[[str], None]
Event = tuple[str, dict[str, Any]]


class DriveOptions(Struct, frozen=True, kw_only=True):
    """What `hearthway drive` was asked for; `household` holds the generator's settings."""

    data: Path
    atlas: Path | None = None  # None: the bundled one
    hours: dict[str, str] = {}
    speed: float = 0.0  # 0: as fast as it goes
    pause_s: float = 0.0  # how long the replay lingers at the moment
    sink: bool = False
    isolate: bool = True
    why_loopback: str = "asked for with --loopback"
    rules: Path | None = None
    drill: str = ""  # a node to kill -9 between situation and suggestion
    dial: str = "normal"
    ask: bool = False  # twelve questions afterwards
    page_port: int = 0  # serve the phone's page on this machine's loopback and keep the nodes up


class DriveResult(Struct, kw_only=True):
    """What happened: for `--json`. `measured` alone may differ between two runs."""

    synthetic: bool = True
    household: dict[str, Any] = {}
    suggestions: list[dict[str, Any]] = []
    silences: dict[str, int] = {}
    last_silence: dict[str, Any] | None = None
    receipts: list[dict[str, Any]] = []
    pairings: list[str] = []
    drill: list[str] = []
    replies: list[dict[str, Any]] = []
    measured: dict[str, Any] = {}


class Drive:
    """One run. Use as `await Drive(options, household, say).run()`."""

    def __init__(self, options: DriveOptions, household: SyntheticHousehold, say: Say) -> None:
        self._options = options
        self._household = household
        self._say = say
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._listeners: list[asyncio.Task[None]] = []
        self._nodes: dict[str, NodeProcess] = {}
        self._back_at: float | None = None  # monotonic second at which a drilled node was up again
        self._driver = household.person(household.driver_id)
        self.result = DriveResult(
            household={
                "settings": msgspec.to_builtins(household.settings),
                "words": household.describe(),
                "driver": household.driver_id,
            }
        )

    async def run(self) -> DriveResult:
        """Start to receipt. Every process it started is gone when it returns or raises."""
        started = time.monotonic()
        with self._lan() as lan:
            try:
                await self._start(lan)
                await self._pair(lan)
                await self._import()
                await self._follow()
                await self._replay()
                await self._receipts()
                if self._options.ask:
                    await self._ask()
                if self._options.page_port:
                    await self._stay()
            finally:
                for task in self._listeners:
                    task.cancel()
                await asyncio.gather(*self._listeners, return_exceptions=True)
                await asyncio.to_thread(stop_all, list(self._nodes.values()))
            if self._options.sink:
                self.result.measured["sink_packets"] = lan.sink_packets()
        self.result.measured["wall_s"] = round(time.monotonic() - started, 3)
        return self.result

    @contextlib.contextmanager
    def _lan(self) -> Iterator[Lan | Loopback]:
        plan = Lan.plan()
        reason = plan.why if self._options.isolate else self._options.why_loopback
        if reason and self._options.sink:
            raise ConfigError(
                f"A sink needs network namespaces, and there are none here: {reason}.",
                "Leave out --sink, or run it where namespaces are possible.",
            )
        if reason:
            self._say(f"four processes on loopback ({reason}); they share this machine's network")
            with Loopback(NODES, reason) as loopback:
                yield loopback
            return
        with Lan.create(NODES, sink=self._options.sink, plan=plan) as lan:
            route = "a default route into a sink" if self._options.sink else "no default route"
            self._say(f"four network namespaces on one private link, {route}")
            yield lan

    async def _start(self, lan: Lan | Loopback) -> None:
        fresh_dir(self._options.data, MARKER)
        for name in NODES:
            paths = NodePaths(private_dir(self._options.data / name))
            save_config(paths, self._config(name, lan))
            if self._options.rules is not None and name != "venue":
                shutil.copyfile(self._options.rules, paths.rules)
                paths.rules.chmod(0o600)
            process = NodeProcess(name, paths, lan.command)
            self._nodes[name] = process
            process.start()
        await asyncio.gather(*(process.ready() for process in self._nodes.values()))
        for process in self._nodes.values():
            self._listen(process)

    def _listen(self, process: NodeProcess) -> None:
        self._listeners.append(asyncio.create_task(process.events(self._events)))

    def _config(self, name: str, lan: Lan | Loopback) -> Config:
        role = Role(name)
        atlas = "bundled" if self._options.atlas is None else str(self._options.atlas)
        return Config(
            node=NodeTable(id=name, role=role),
            mesh=MeshTable(listen=f"{lan.address(name)}:{self._port(lan, MESH_PORT)}"),
            map=MapTable(
                # The car opens it when it is asked for stops, and not before.
                atlas=atlas if role in (Role.PHONE, Role.CAR) else "none",
                hours=self._options.hours if role is Role.PHONE else {},
            ),
            assist=AssistTable(dial=self._options.dial),
            venue=self._venue(lan) if role is Role.VENUE else VenueTable(),
            web=self._web() if role is Role.PHONE else WebTable(),
            replay=ReplayTable(clock=True, synthetic=True),
        )

    @staticmethod
    def _port(lan: Lan | Loopback, usual: int) -> int:
        """The usual port in a namespace of one's own; on loopback one that is free now."""
        if lan.namespaces:
            return usual
        with socket.socket() as probe:
            probe.bind((lan.address("home"), 0))
            return int(probe.getsockname()[1])

    def _web(self) -> WebTable:
        if not self._options.page_port:
            return WebTable()
        return WebTable(
            listen=f"127.0.0.1:{self._options.page_port}", token=secrets.token_urlsafe(18)
        )

    def _venue(self, lan: Lan | Loopback) -> VenueTable:
        venue = self._household.venues[0] if self._household.venues else None
        return VenueTable(
            osm_id=venue.osm_id if venue else "",
            name=venue.name if venue else "",
            listen=f"{lan.address('venue')}:{self._port(lan, VENUE_PORT)}",
        )

    async def _pair(self, lan: Lan | Loopback) -> None:
        home = self._nodes["home"]
        for name in ("phone", "car"):
            offer = await home.ask("pair-open", port=self._port(lan, PAIR_PORT))
            began = time.monotonic()
            await self._nodes[name].ask("pair", address=offer["address"], code=offer["code"])
            took = time.monotonic() - began
            self.result.pairings.append(name)
            self._say(
                f"{name} and home are one household (SPAKE2 over a 6-digit code, {took:.1f} s)"
            )
        await asyncio.gather(
            *(
                self._nodes[name].ask(
                    "await-peers", roles=[r for r in ("home", "phone", "car") if r != name]
                )
                for name in ("home", "phone", "car")
            )
        )

    async def _follow(self) -> None:
        if not self._household.venues:
            return
        venue = self._household.venues[0]
        code = (await self._nodes["venue"].ask("code"))["code"]
        await self._nodes["phone"].ask("follow", code=code)
        issued_s = self._household.drive.start_s
        await self._nodes["venue"].ask("wait", minutes=venue.wait_min, at_s=issued_s)

    async def _import(self) -> None:
        phone = self._nodes["phone"]
        person = self._driver
        with tempfile.TemporaryDirectory(prefix="hearthway-") as scratch:
            file = Path(scratch) / "history.jsonl"
            signals = [
                signal
                for fix in person.fixes
                for signal in fix_signals(fix, person.person_id, "phone")
            ]
            signals += person.car_signals
            signals.sort(key=lambda signal: signal.time_s)
            await asyncio.to_thread(write_recording, file, signals)
            answer = await phone.ask(
                "import",
                file=str(file),
                name=person.name,
                person_id=person.person_id,
                timeout_s=120.0,
            )
        self._say(
            f"phone learned {count_of(answer['places'], 'place')}, {count_of(answer['trips'], 'trip')} "
            f"from {count_of(answer['fixes'], 'fix', 'fixes')} of a synthetic life"
        )

    async def _replay(self) -> None:
        car = self._nodes["car"]
        file = car.paths.root / "drive.jsonl.gz"
        signals = [signal for _, batch in self._household.drive.ticks for signal in batch]
        try:
            await asyncio.to_thread(write_recording, file, signals)
            file.chmod(0o600)
            await car.ask(
                "replay", file=str(file), speed=self._options.speed, pause_s=self._options.pause_s
            )
            async for name, event in self._until_end():
                self._tell(name, event)
                if self._due(event):
                    await self._drill(self._options.drill)
        finally:
            file.unlink(missing_ok=True)

    async def _until_end(self) -> AsyncIterator[Event]:
        while True:
            name, event = await asyncio.wait_for(self._events.get(), 120.0)
            if event["event"] == "gone" and self._nodes[name].alive() is False:
                if name == self._options.drill:
                    continue
                raise HearthwayError(
                    f"The {name} node stopped: {self._nodes[name].said() or 'no message'}",
                    f"Its log is {self._nodes[name].paths.log}.",
                )
            yield name, event
            if name == "car" and event["event"] == "replay-end":
                # What the others still had to tell stands in the queue before they answer a ping.
                for other in self._nodes.values():
                    await other.ask("ping")
                while not self._events.empty():
                    yield self._events.get_nowait()
                return

    def _tell(self, name: str, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "suggestion" and name == "phone":
            if self._back_at is not None:
                waited_s = time.monotonic() - self._back_at
                self.result.measured["drill_return_to_suggestion_s"] = round(waited_s, 3)
                self._back_at = None
            self.result.suggestions.append(event["record"])
            self._say("")
            for line in event["lines"]:
                self._say(line)
            self._say("")
        elif kind == "silence" and name == "phone":
            code = event["code"]
            self.result.silences[code] = self.result.silences.get(code, 0) + 1
            self.result.last_silence = {k: v for k, v in event.items() if k != "event"}
        elif kind == "note":
            self._say(f"{name}: {event['text']}")
            if self.result.drill:  # what was said before the kill is not of the drill
                self.result.drill.append(f"{name}: {event['text']}")

    def _due(self, event: dict[str, Any]) -> bool:
        """Is this the moment of the drill: the first situation?"""
        wanted = bool(self._options.drill) and event["event"] == "situation"
        return wanted and "drill_restart_s" not in self.result.measured

    async def _drill(self, name: str) -> None:
        """kill -9 one node, let the others notice, start it again: what still works is theirs to say."""
        self.result.drill.append(f"killed {name}")
        self._say(f"drill: {name} is killed (kill -9) between situation and suggestion")
        process = self._nodes[name]
        await asyncio.to_thread(process.kill)
        others = [other for other in ("car", "home", "phone") if other != name]
        for other in others:
            status = await self._nodes[other].ask("await-gone", node=name, timeout_s=10.0)
            self.result.drill.append(f"{other} healthy: {status['healthy']}")
            self._say(
                f"drill: {other} is {'healthy' if status['healthy'] else 'NOT healthy'} without it"
            )
        began = time.monotonic()
        process.start()
        await process.ready()
        self._listen(process)
        self._back_at = time.monotonic()
        self.result.measured["drill_restart_s"] = round(self._back_at - began, 3)

    async def _ask(self) -> None:
        """Twelve questions by the driver, and four of them by a child and by a guest."""
        from .ask.show import Show

        show = Show(
            home=self._nodes["home"],
            phone=self._nodes["phone"],
            driver=self._household.driver_id,
            end_s=self._household.drive.ticks[-1][0],
            say=self._say,
        )
        self.result.replies = await show.run()

    async def _stay(self) -> None:
        """The page is worth looking at: stay until stopped."""
        self._say(f"the page stays at http://127.0.0.1:{self._options.page_port}/ until Ctrl-C")
        await asyncio.gather(*self._listeners)  # each ends with its node

    async def _receipts(self) -> None:
        for suggestion in self.result.suggestions:
            for name in ("phone", "car", "home"):
                answer = await self._nodes[name].ask("receipt", id=suggestion["suggestion_id"])
                self.result.receipts.extend(answer["receipts"])
                for line in answer["lines"]:
                    self._say(line)
