"""Whose phones ride along: told to the driver's phone alone, and only where rules and both people let it.

A phone with the car is no passenger's yet: in the garage whoever is at home is "with the car" (see `wheel`). It rides
along once it answered beside the car at two points of one drive 500 m apart and each time in between. No home's Wi-Fi
reaches as far, be it where the drive began or beside the way. Who has no phone is unknown.
"""

from __future__ import annotations

import asyncio

from hearthway.mesh.links.relay import Neighbouring
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.geo import distance_m
from hearthway.records.household import Role
from hearthway.records.signals import Fix, Signal
from hearthway.sense.catalogue import CAR_POSITION, WITH_CAR
from hearthway.sense.fixes import FixAssembler

from .clock import EventClock
from .node import Node
from .part import Part
from .ruling import Ruling
from .wheel import UNKNOWN, AtWheel

PURPOSE = "anticipate"
AWAY_M = 500.0  # twice as far as a strong access point reaches outdoors
LOOK_S = 15.0  # who was left behind is noticed within 250 m in a town
REST_M, REST_S = 50.0, 300.0  # a car that stands for so long has ended its drive: doors open
GAP_S = 300.0  # after as long without a position nobody knows where it was meanwhile


class RidesAlong(Part):
    """In the car."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._mesh: MeshNode | None = None
        self._fixes = FixAssembler()
        self._here: Fix | None = None
        self._rest: Fix | None = None  # since then no farther than `REST_M` from there
        self._looked_s = float("-inf")
        self._since: dict[str, Fix] = {}  # by device: where it first answered on this drive
        self._along: set[str] = set()  # devices that have done so for `AWAY_M`
        self._told: set[tuple[str, str]] = set()  # of whom whom: driver, passenger
        self._due = False
        self._looking = False

    def mesh_started(self, mesh: MeshNode) -> None:
        self._mesh = mesh

    def sensed(self, signals: list[Signal]) -> None:
        """The car's own sensors said something."""
        fixes = [one.fix for one in self._fixes.feed_all(signals) if one.prefix == CAR_POSITION]
        for fix in fixes:
            self._at(fix)
        replays = isinstance(self.node.clock, EventClock)  # then the car waits for `looked`
        if self._due and not replays and not self._looking:
            self.node.spawn(self.looked(), "who rides along")

    def _at(self, fix: Fix) -> None:
        last, self._here = self._here, fix
        if last is None or not 0.0 <= fix.time_s - last.time_s <= GAP_S:
            self._rest = None
            self._drive_is_over()
        rest = self._rest
        if rest is None or distance_m(rest.lat, rest.lon, fix.lat, fix.lon) > REST_M:
            self._rest = fix
        elif fix.time_s - rest.time_s >= REST_S:
            self._drive_is_over()
            return
        if not 0.0 <= fix.time_s - self._looked_s < LOOK_S:
            self._looked_s, self._due = fix.time_s, True

    def _drive_is_over(self) -> None:
        """Who rides along next is seen anew; of whom it was told it is taken back."""
        self._since.clear()
        self._along.clear()
        self._looked_s = float("-inf")
        self._due = self._due or bool(self._told)

    async def looked(self) -> None:
        """Look who is with the car, if that is due, and tell its driver; up to a second."""
        here, mesh = self._here, self._mesh
        if not self._due or here is None or mesh is None or self._looking:
            return
        self._due, self._looking = False, True
        try:
            driver = self.node.part(AtWheel).driver()
            phones = self._phones(mesh, driver, self._hearers(mesh, driver))
            for device in [one for one in self._since if one not in phones]:
                self._lost(device)
            along = await self._answering(phones, here)
            await self._tell(mesh, {(driver, person) for person in along}, here.time_s)
        finally:
            self._looking = False

    def _hearers(self, mesh: MeshNode, driver: str) -> list[str]:
        """The driver's phones, where it is certain who drives and they are with the car too: else nobody is with its driver."""
        wire = self._wire
        if driver in ("", UNKNOWN) or wire is None:
            return []
        return [device for device in _phones_of(mesh, driver) if wire.is_near(device)]

    @property
    def _wire(self) -> Neighbouring | None:
        wire: object = self.node.wire
        return wire if isinstance(wire, Neighbouring) else None

    def _phones(self, mesh: MeshNode, driver: str, hearers: list[str]) -> dict[str, str]:
        """Other people's phones in reach, and whose they are, as far as these may be told of them: no other is even asked."""
        if not hearers or not self.node.part(Ruling).rules.collects(WITH_CAR, Role.CAR):
            return {}
        roster, now_s = mesh.identity.roster, self.node.wall.now_s()
        parties = [roster.party(device, now_s) for device in mesh.ready(Role.PHONE)]
        return {
            party.device_id: party.person
            for party in parties
            if party is not None
            and party.person not in ("", driver)
            and any(_may_hear(mesh, device, party.person) for device in hearers)
        }

    async def _answering(self, phones: dict[str, str], here: Fix) -> set[str]:
        """The people whose phones ride along."""
        wire = self._wire
        if wire is None:
            return set()
        near = await asyncio.gather(*(wire.answers_near(device) for device in phones))
        for device, answers in zip(phones, near, strict=True):
            if not answers:
                self._lost(device)
                continue
            first = self._since.setdefault(device, here)
            if distance_m(first.lat, first.lon, here.lat, here.lon) >= AWAY_M:
                self._along.add(device)
        return {person for device, person in phones.items() if device in self._along}

    def _lost(self, device: str) -> None:
        self._since.pop(device, None)
        self._along.discard(device)

    async def _tell(self, mesh: MeshNode, along: set[tuple[str, str]], time_s: float) -> None:
        gone, self._told = self._told - along, along
        for of, value in ((gone, False), (along, True)):
            for driver, person in sorted(of):
                word = Signal(
                    key=WITH_CAR,
                    value=value,
                    time_s=time_s,
                    source=self.node.config.node.id,
                    person=person,
                )
                for device in _phones_of(mesh, driver):
                    if _may_hear(mesh, device, person):
                        await mesh.publish_signals([word], PURPOSE, reliable=True, to=device)


def _phones_of(mesh: MeshNode, person: str) -> list[str]:
    """That person's phones that are reached."""
    mine = (m.device_id for m in mesh.identity.roster.by_role(Role.PHONE) if m.person == person)
    return [device for device in mine if mesh.ready(device)]


def _may_hear(mesh: MeshNode, device: str, of: str) -> bool:
    """May that phone be told of that person: by the rules, and by the consent of both?"""
    return mesh.lets((WITH_CAR,), device, PURPOSE, about=of)
