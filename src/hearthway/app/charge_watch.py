"""While the car is plugged in, its charging plan is kept and made anew as soon as what it rests on has changed noticeably.

At rest this is one look a minute at what was told last; without a tariff in node.toml, and in a replay, it is nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from hearthway.records.charging import HOUR_S, Car
from hearthway.records.errors import HearthwayError, StoreError
from hearthway.records.signals import Signal
from hearthway.sense.catalogue import CHARGING, PLUGGED, PRICE

from .charge_known import CarKnown, known_of, need
from .clock import EventClock
from .config import ChargingTable
from .control_server import ControlServer
from .part import PhonePart
from .paths import NodePaths

if TYPE_CHECKING:
    from hearthway.assist.ask.facts import Planned

    from .brain import Brain
    from .charge_plan import Asked, Made
    from .node import Node, Request

log = logging.getLogger("hearthway.charging")
LOOK_S = 60.0
PLUGGED_S = 24 * HOUR_S  # a car that sleeps tells nothing while it waits for the night
CHARGE_PCT = 2.0  # off the plan
DEPARTURE_S = 300.0
PRICE_SHARE, PRICE_LEAST = 0.02, 0.001  # of a price, and of the currency
SUN_AGAIN_S = 900.0  # a meter writes each minute, and what it says moves a plan each quarter
AGAIN_S = (
    900.0  # after a failure with nothing changed: whoever mends what no file shows is heard then
)
EFFICIENCY = 0.9
Stamp = tuple[int, int] | None  # of a file: when changed, and how large; None: not there


class Basis(Struct, frozen=True, kw_only=True):
    """What a plan rests on."""

    charge_pct: float
    charge_s: float  # when that was told
    battery_kwh: float
    departure_s: float
    price: float | None
    price_hour: float
    prices: tuple[Stamp, ...]  # the tariff, and the table of told prices beside it
    house: Stamp


def moved(before: Basis, now: Basis, made: Made | None, now_s: float, age_s: float) -> bool:
    """Has anything changed by which the plan, `age_s` old, would be another? Without one: by which there might be one."""
    expected_pct = before.charge_pct if made is None else made.pct_at(now_s)
    if (
        before.prices != now.prices
        or before.battery_kwh != now.battery_kwh
        or abs(now.departure_s - before.departure_s) >= DEPARTURE_S
        or (
            (now.charge_s, now.charge_pct) != (before.charge_s, before.charge_pct)
            and abs(now.charge_pct - expected_pct) >= CHARGE_PCT
        )
        or (before.house != now.house and age_s >= SUN_AGAIN_S)
    ):
        return True
    told = (now.price, now.price_hour)
    if made is None or now.price is None or told == (before.price, before.price_hour):
        return False
    planned = made.buy_at(now_s)
    return abs(now.price - planned) > max(PRICE_LEAST, PRICE_SHARE * abs(planned))


class ChargePlans(PhonePart):
    """The phone's plan for the car that is plugged in."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self.made: Made | None = None
        self.made_s = 0.0
        self.known: CarKnown | None = (
            None  # what the plan rests on, with sources and ages as of then
        )
        self._basis: Basis | None = None
        self._why: HearthwayError | None = None  # why there is none
        self._stored: dict[str, Signal] | None = None  # the last words before this start
        self._tried_s = float("-inf")

    async def starting(self) -> None:
        if self._table.tariff and not isinstance(self.node.clock, EventClock):
            self.node.spawn(self._watch(), "charging plan")

    def verbs(self, control: ControlServer) -> None:
        control.on("charge-known", self._known)

    async def forgotten(self) -> None:
        self._stored = None
        self._drop()

    def status(self) -> dict[str, Any]:
        """The plan's sentence, or why there is none, while the car is plugged in."""
        if self.made is not None:
            now_s = self.node.clock.now_s()
            told = {"words": self.made.sentence, "age_s": max(0.0, now_s - self.made_s)}
            return {"charging": told | {"notes": list(self.made.notes)}}
        if self._why is not None:
            return {"charging": {"problem": self._why.message, "next": self._why.next_step}}
        return {}

    def planned(self) -> Planned | None:
        """For whoever asks when it will be full."""
        made = self.made
        if made is None:
            return None
        from hearthway.assist.ask.facts import Planned

        return Planned(
            begin_s=made.begin_s,
            ready_s=made.reading.ready_s,
            target_pct=made.plan.car.target_pct,
            final_pct=made.reading.final_pct,
            departure_s=made.plan.departure_s,
            made_s=self.made_s,
        )

    @property
    def _latest(self) -> dict[str, Signal]:
        return self.phone.latest

    @property
    def _brain(self) -> Brain | None:
        return self.phone.brain

    def _plugged(self, now_s: float) -> bool:
        """As told since this node started, else as it was stored."""
        told = plugged({**(self._stored or {}), **self._latest}, now_s)
        if told is not None:
            return told
        since_s = None if self._brain is None else self._brain.life.state.car.plugged_s
        return since_s is not None and now_s - since_s <= PLUGGED_S

    @property
    def _table(self) -> ChargingTable:
        return self.node.config.charging

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Keep, make anew or drop the plan, by what is known now."""
        now_s = self.node.clock.now_s()
        try:
            await self._recall(now_s)
            if not self._plugged(now_s):
                self._drop()
                return
            known = await self._in_turn(now_s)
        except StoreError as why:  # it is busy: the next minute comes
            log.warning("no look at the charge", extra={"fields": {"why": why.message}})
            return
        try:
            asked = asked_of(self._table, known, self.node.paths, now_s)
        except HearthwayError as why:
            self._drop()
            self._why = why
            return
        basis = basis_of(asked, known)
        if self._stands(basis, now_s):
            return
        self._basis, self._tried_s = basis, now_s
        from .charge_plan import made_apart  # what a phone at rest does not hold

        try:
            made = await made_apart(asked)
        except HearthwayError as why:
            self.made, self._why = None, why
            return
        self.made, self.made_s, self.known, self._why = made, now_s, known, None
        self.node.control.emit("charging-plan", words=made.sentence, time_s=now_s)

    def _stands(self, basis: Basis, now_s: float) -> bool:
        """Does what was found last still hold?"""
        before, made, age_s = self._basis, self.made, now_s - self._tried_s
        if before is None or (made is not None and now_s >= made.plan.departure_s):
            return False
        if made is None and age_s >= AGAIN_S:
            return False
        return not moved(before, basis, made, now_s, age_s)

    async def _recall(self, now_s: float) -> None:
        """Once, what was stored: a car whose cable is in tells nothing while it waits for the night, whoever starts meanwhile."""
        brain = self._brain
        if self._stored is not None or brain is None:
            return
        person_id, since_s = brain.life.person, now_s - PLUGGED_S

        def words() -> dict[str, Signal]:
            kept = self.node.store.signals(person_id, since_s)
            return {one.key: one for one in kept if one.key in (PLUGGED, CHARGING)}

        self._stored = await self.phone.in_turn(words)

    def _drop(self) -> None:
        self.made = self.known = self._basis = self._why = None
        self._tried_s = float("-inf")

    async def _in_turn(self, now_s: float) -> CarKnown:
        """Behind the signals that came before: a life is not read while it learns."""
        return await self.phone.in_turn(lambda: self._look_up(now_s))

    def _look_up(self, now_s: float) -> CarKnown:
        brain = self._brain
        if brain is None:
            return CarKnown()
        return known_of(brain.life, self.node.store, now_s, self._latest.get(PRICE))

    async def _known(self, request: Request) -> Request:
        """For the command line, as of its moment."""
        now_s = float(request.get("now_s", self.node.clock.now_s()))
        known = await self._in_turn(now_s)
        return {"known": msgspec.to_builtins(known)}


def plugged(latest: Mapping[str, Signal], now_s: float) -> bool | None:
    """By the cable where the car tells of one, or else by whether it charges; None where it told neither lately.

    Its last word holds while it sleeps.
    """
    cable, charging = (latest.get(key) for key in (PLUGGED, CHARGING))
    told = charging if cable is None else cable
    if charging is not None and cable is not None and charging.time_s > cable.time_s:
        told = charging if charging.value is True else cable
    if told is None or now_s - told.time_s > PLUGGED_S:
        return None
    return told.value is True


def at(paths: NodePaths, name: str) -> str:
    """A file that node.toml names, from the node's directory on; empty where it names none."""
    return str(paths.root / Path(name).expanduser()) if name else ""


def asked_of(table: ChargingTable, known: CarKnown, paths: NodePaths, now_s: float) -> Asked:
    """InputError names what the phone does not know."""
    from .charge_plan import Asked

    charge, battery = need(known, "charge"), need(known, "battery")
    departure = need(known, "departure")
    target = table.target_pct
    return Asked(
        tariff=at(paths, table.tariff),
        car=Car(
            battery_kwh=battery.value,
            charge_pct=charge.value,
            target_pct=target,
            full_pct=max(target, charge.value),
            charger_kw=table.charger_kw,
            efficiency=EFFICIENCY,
        ),
        departure_s=departure.value,
        now_s=now_s,
        house=at(paths, table.house),
        connection_kw=table.connection_kw or None,
        price=None if known.price is None else known.price.value,
        price_s=known.price_s,
        zone=known.zone,
    )


def basis_of(asked: Asked, known: CarKnown) -> Basis:
    """With the state of the files it names."""
    from .tariffs import prices_beside

    tariff = Path(asked.tariff)
    beside = prices_beside(tariff)
    return Basis(
        charge_pct=asked.car.charge_pct,
        charge_s=known.charge_s,
        battery_kwh=asked.car.battery_kwh,
        departure_s=asked.departure_s,
        price=asked.price,
        price_hour=asked.price_s // HOUR_S,
        prices=(_stamp(tariff), None if beside is None else _stamp(beside)),
        house=_stamp(Path(asked.house)) if asked.house else None,
    )


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size
