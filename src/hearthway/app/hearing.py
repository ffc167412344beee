"""What a phone hears: the car's signals and its own sensors', in their turn checked, joined to fixes, stored and learned."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import InputError
from hearthway.records.signals import Fix, Signal
from hearthway.sense.catalogue import CAR_POSITION, HOUSE, item_of, normalise
from hearthway.sense.fixes import FixAssembler

from .borrow import position_signals
from .clock import EventClock
from .collecting import collected, collected_fixes
from .company import without_company
from .control_server import ControlServer
from .looking import Looking
from .part import PhonePart
from .personal import AHEAD_MAX_S
from .ruling import Ruling
from .sensing import signals_of

if TYPE_CHECKING:
    from .node import Node, Request

log = logging.getLogger("hearthway.phone")
CAR_FRESH_S = 30.0  # while the car's position is this young, the phone's own adds nothing
HOUSE_AHEAD_S = 300.0  # a reading from later would make all that follow look old
LATEST_MAX = 256  # keys; of things with a tag anybody can make up more


class Hearing(PhonePart):
    """`take_own` is the door of the phone's own sensors; the car's come by the mesh."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._assembler = FixAssembler()
        self._own_fixes = FixAssembler()
        self._car_s = self._own_s = float("-inf")

    def mesh_started(self, mesh: MeshNode) -> None:
        mesh.on_signals(self._heard)

    def verbs(self, control: ControlServer) -> None:
        control.on("sense", self._sense)

    def _heard(self, meta: Any, signals: list[Signal]) -> None:
        turns = self.phone.turns
        if turns.full:  # a car that talks faster than we learn: the newest waits
            log.warning("signals dropped", extra={"fields": {"count": len(signals)}})
            return
        rules, role = self.node.part(Ruling).rules, self.node.config.node.role
        taken = collected(rules, role, without_company(signals))
        if taken:
            since = time.monotonic()
            turns.add("signals of the car", lambda: self._take_heard(taken, since))

    async def _take_heard(self, signals: list[Signal], since: float) -> None:
        if self.phone.brain is not None:  # each hop to a thread costs two wake-ups
            await asyncio.to_thread(self._take, signals)
        looking = self.node.part(Looking)
        looking.since = since
        # What a house says is told at rest as well, and with its own age: it brings no look with it.
        driven = [s for s in signals if not s.key.startswith(HOUSE)]
        if not isinstance(self.node.clock, EventClock) and driven:
            await looking.consider(driven[-1].time_s)

    def _take(self, signals: Sequence[Signal]) -> None:
        """Signals of the car: validated, joined to fixes, stored, learned."""
        phone = self.phone
        if phone.brain is None:
            return
        plain = [normalise(signal) for signal in signals]
        for signal in plain:
            self._check_date(signal, "The car")
            if len(phone.latest) < LATEST_MAX or signal.key in phone.latest:
                phone.latest[signal.key] = signal
        fixes = [located.fix for located in self._assembler.feed_all(plain)]
        if fixes:
            self._car_s = fixes[-1].time_s
            phone.track.extend((fix.lat, fix.lon) for fix in fixes)
        phone.brain.observe(fixes, plain, signals[0].source if signals else "", CAR_POSITION)

    def _check_date(self, signal: Signal, sender: str) -> None:
        """InputError for a signal from the future: all that really comes next would look old beside it."""
        now_s = float("inf") if self.node.config.replay.clock else self.node.wall.now_s()
        strict = signal.key.startswith(HOUSE) or item_of(signal.key)
        if signal.time_s > now_s + (HOUSE_AHEAD_S if strict else AHEAD_MAX_S):
            raise InputError(
                f"{signal.source or sender} dates its signals in the future.", "Set its clock."
            )

    async def _sense(self, request: Request) -> Request:
        """The phone's own sensors, from an adapter on this machine."""
        me = self.node.config.node.id
        plain = [normalise(signal) for signal in signals_of(request)]
        signals = [msgspec.structs.replace(s, source=s.source or me) for s in plain]
        for signal in signals:
            self._check_date(signal, me)
        fixes = [located.fix for located in self._own_fixes.feed_all(signals)]
        await self.take_own(fixes, signals)
        return {"signals": len(signals), "fixes": len(fixes)}

    async def take_own(self, fixes: Sequence[Fix], signals: Sequence[Signal]) -> None:
        """What the phone's own sensors said (OwnTracks), in its turn; returns when it is stored."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        rules, role = self.node.part(Ruling).rules, self.node.config.node.role
        own, said = list(collected_fixes(rules, role, fixes)), collected(rules, role, signals)
        self.phone.turns.add("own signals", lambda: self._take_own(own, said, stored), stored)
        await stored

    async def _take_own(
        self, fixes: list[Fix], signals: list[Signal], stored: asyncio.Future[None]
    ) -> None:
        phone, brain = self.phone, self.phone.brain
        if brain is None:
            raise InputError(
                "Nobody lives on this phone yet.", "Run `hearthway import FILE --person NAME`."
            )
        for part in phone.parts:
            part.sensed([s for f in fixes for s in position_signals(f, "", "")])
        useful = [fix for fix in fixes if abs(fix.time_s - self._car_s) > CAR_FRESH_S]
        await asyncio.to_thread(brain.observe, useful, signals, "owntracks")
        if not stored.done():  # whoever told it may wait no more: it is stored, and looked at
            stored.set_result(None)
        latest = max((fix.time_s for fix in useful), default=float("-inf"))
        if latest > self._own_s:
            self._own_s = latest
            phone.track.extend((fix.lat, fix.lon) for fix in useful)
            looking = self.node.part(Looking)
            looking.since = time.monotonic()
            await looking.consider(latest)
