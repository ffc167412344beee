"""Borrowed sensors: when the car loses its own position, the driver's phone lends its own, and the source is shown.

The phone hears the car's signals, so it notices by itself that positions stopped while the car goes on. Only a
phone that hears them lends: the car tells of the drive to its driver's devices alone.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from hearthway.mesh.wire.node import MeshNode
from hearthway.records.signals import Fix, Signal
from hearthway.sense.catalogue import CAR_POSITION, PHONE_POSITION
from hearthway.sense.fixes import FixAssembler

from .clock import EventClock
from .collecting import collected
from .part import Part
from .ruling import Ruling
from .wheel import AtWheel

if TYPE_CHECKING:
    from .node import Node

LOST_S = 1.2  # a car says its position every second; so long without one is a loss
AWAKE_S = 30.0  # a car that said nothing at all for so long is asleep and needs no position
LENT_MAX_AGE_S = 10.0  # an older fix of the phone would mislead
OWN_FRESH_S = 1.5


class Lender(Part):
    """On the phone."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._mesh: MeshNode | None = None
        self._car = ""
        self._heard_s = self._position_s = float("-inf")
        self._own: Fix | None = None
        self._sent_s = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    def mesh_started(self, mesh: MeshNode) -> None:
        self._mesh = mesh
        mesh.on_signals(self._car_said)

    def sensed(self, signals: list[Signal]) -> None:
        """The phone's own sensors said something."""
        for located in FixAssembler().feed_all(signals):
            if self._own is None or located.fix.time_s >= self._own.time_s:
                self._own = located.fix
        self._look()

    def status(self) -> dict[str, Any]:
        return {"lends_position_to": self._car} if self._lost(self._now()) else {}

    async def stopping(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _now(self) -> float:
        """Event time in a replay, else time that nobody can set back."""
        clock = self.node.clock
        return clock.now_s() if isinstance(clock, EventClock) else time.monotonic()

    def _car_said(self, meta: Any, signals: list[Signal]) -> None:
        now = self._now()
        self._car, self._heard_s = meta.sender, now
        if any(s.key.startswith(CAR_POSITION + ".L") and s.value is not None for s in signals):
            self._position_s = now
        if self._timer is not None:
            self._timer.cancel()
        self._look()
        if not isinstance(self.node.clock, EventClock) and not self._lost(now):
            wait_s = self._position_s + LOST_S + 0.02 - now  # the car may fall silent altogether
            self._timer = asyncio.get_running_loop().call_later(max(0.0, wait_s), self._look)

    def _lost(self, now: float) -> bool:
        return now - self._heard_s <= AWAKE_S and now - self._position_s > LOST_S

    def _look(self) -> None:
        own, mesh = self._own, self._mesh
        if own is None or mesh is None or own.time_s <= self._sent_s or not self._lost(self._now()):
            return
        if abs(self.node.clock.now_s() - own.time_s) > LENT_MAX_AGE_S or not mesh.ready(self._car):
            return
        self._sent_s = own.time_s
        self.node.spawn(self._lend(mesh, own), "lent position")

    async def _lend(self, mesh: MeshNode, fix: Fix) -> None:
        roster = mesh.identity.roster
        me = roster.member(self.node.config.node.id)
        person = me.person if me is not None else ""
        await mesh.publish_signals(
            position_signals(fix, self.node.config.node.id, person),
            "borrow",
            reliable=True,
            to=self._car,
        )


class Borrower(Part):
    """In the car: takes what is lent, and says whose it is."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._assemble = FixAssembler()
        self._own: tuple[Fix, float] | None = None
        self._lent: tuple[Fix, float, str] | None = None
        self._borrowing = False

    def mesh_started(self, mesh: MeshNode) -> None:
        mesh.on_signals(self._taken)

    async def forgotten(self) -> None:
        self._lent = None

    def sensed(self, signals: list[Signal]) -> None:
        """The car's own sensors said something."""
        for located in self._assemble.feed_all(signals):
            if located.prefix == CAR_POSITION:
                self._own = (located.fix, self._now())
        self._say()

    def position(self) -> dict[str, Any] | None:
        """The car's own position while fresh, else a lent one while fresh, else None: never a stale one as current."""
        now = self._now()
        me = self.node.config.node.id
        if self._own is not None and now - self._own[1] <= OWN_FRESH_S:
            return _position(self._own[0], me, now - self._own[1], lent=False)
        if self._lent is not None and now - self._lent[1] <= LENT_MAX_AGE_S:
            return _position(self._lent[0], self._lent[2], now - self._lent[1], lent=True)
        return None

    def status(self) -> dict[str, Any]:
        return {"position": self.position()}

    def _now(self) -> float:
        clock = self.node.clock
        return clock.now_s() if isinstance(clock, EventClock) else time.monotonic()

    def _taken(self, meta: Any, signals: list[Signal]) -> None:
        if meta.purpose != "borrow" or not self._driven_by(meta):
            return
        signals = collected(self.node.part(Ruling).rules, self.node.config.node.role, signals)
        for located in FixAssembler().feed_all(signals):
            if located.prefix == PHONE_POSITION:
                self._lent = (located.fix, self._now(), meta.sender)
        self._say()

    def _driven_by(self, meta: Any) -> bool:
        """Is it the driver's phone? Nobody else's position is the car's."""
        driver = self.node.part(AtWheel).driver()
        party = meta.party
        return not driver or (party is not None and party.person == driver)

    def _say(self) -> None:
        found = self.position()
        borrowing = found is not None and bool(found["lent"])
        if borrowing != self._borrowing:
            self._borrowing = borrowing
            if borrowing and found is not None:
                self.node.note(f"position from {found['source']} (lent): the car lost its own")
            else:
                self.node.note("the car has its own position again")
        if borrowing and found is not None:
            self.node.control.emit("position", **found)


def position_signals(fix: Fix, source: str, person: str) -> list[Signal]:
    """A fix as the phone's signals."""
    parts = {
        "Latitude": (fix.lat, "degrees"),
        "Longitude": (fix.lon, "degrees"),
        "Accuracy": (fix.accuracy_m, "m"),
        "Speed": (fix.speed_mps, "m/s"),
    }
    return [
        Signal(
            key=f"{PHONE_POSITION}.{name}",
            value=value,
            time_s=fix.time_s,
            unit=unit,
            source=source,
            person=person,
        )
        for name, (value, unit) in parts.items()
        if value is not None
    ]


def _position(fix: Fix, source: str, age_s: float, *, lent: bool) -> dict[str, Any]:
    return {
        "lat": fix.lat,
        "lon": fix.lon,
        "source": source,
        "lent": lent,
        "age_s": round(max(0.0, age_s), 1),
    }
