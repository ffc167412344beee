"""What is on the way to where the car is driving, with what each stop costs: a batch of detours, computed where it is soonest."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from hearthway.records.errors import InputError
from hearthway.records.poi import FOOD, SHOPPING, Detour, Poi
from hearthway.records.situation import Evidence
from hearthway.records.tasks import NavigationTarget
from hearthway.sense.catalogue import CAR_POSITION, PHONE_POSITION

from .borrow import Borrower
from .control_server import ControlServer
from .handoff import Tasks
from .offload import Done, Offloading
from .offload_jobs import DETOURS, Point, detours_asked, detours_of
from .offload_receipt import computed, keep_receipt
from .part import Part
from .wheel import UNKNOWN, AtWheel

if TYPE_CHECKING:
    from hearthway.atlas.store import Atlas

    from .member import Member
    from .node import Node, Request

KINDS: dict[str, tuple[str, ...]] = {
    "food": FOOD,
    "charger": ("charger",),
    "shop": SHOPPING,
    "parking": ("parking",),
}
TARGET = "Task.Target"  # where one is driving to, as a part of a task
CORRIDOR_M = 1500.0  # beside the straight line
STOPS_MAX = 500
SHOWN_MAX = 50
WITHIN_S = 10.0


class Stops(Part):
    """In the car."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._atlas: Atlas | None = None

    def verbs(self, control: ControlServer) -> None:
        control.on("stops", self._stops)

    async def _stops(self, request: Request) -> Request:
        kind = str(request.get("kind", "food"))
        if kind not in KINDS:
            raise InputError(f"{kind!r} is no kind of stop.", f"Use {', '.join(KINDS)}.")
        position, about = self._position(), self.node.part(AtWheel).driver()
        target = self._target(about)
        here = float(position["lat"]), float(position["lon"])
        pois = await asyncio.to_thread(self._along, here, (target.lat, target.lon), KINDS[kind])
        if not pois:
            return {"target": target.name, "stops": []}
        done, found = await self._detours(position, target, pois, about)
        stops = sorted(
            (
                (detour.extra_s, poi.osm_id, poi, detour)
                for poi, detour in zip(pois, found, strict=True)
                if detour is not None
            ),
            key=lambda stop: stop[:2],
        )
        return {
            "target": target.name,
            "computed_by": done.by,
            "took_ms": round(done.took_s * 1000.0, 1),
            "not_asked": dict(done.choice.why_not),
            "stops": [_shown(poi, detour) for _, _, poi, detour in stops[:SHOWN_MAX]],
        }

    def _position(self) -> dict[str, Any]:
        position = self.node.part(Borrower).position()
        if position is None:
            raise InputError(
                "The car does not know where it is.", "Wait for a position: `hearthway status`."
            )
        return position

    def _target(self, driver: str) -> NavigationTarget:
        """The driver's: where somebody else was going is not told to the driver's phone."""
        anybodys = driver in ("", UNKNOWN)  # nobody is listed, or no phone is asked
        targets = [
            task.content
            for task in self.node.part(Tasks).held()
            if isinstance(task.content, NavigationTarget)
            and (anybodys or task.person in ("", driver))
        ]
        if not targets:
            raise InputError(
                "The car is not on the way to a place.",
                'Start one on the phone: `hearthway handoff --navigate "Forum" 60.169 24.938`; it rides along.',
            )
        return targets[-1]

    def _along(self, here: Point, there: Point, kinds: Sequence[str]) -> list[Poi]:
        from .maps import open_atlas  # a car at rest holds no map

        if self._atlas is None:
            self._atlas = open_atlas(self.node.config.map)
        if self._atlas is None:
            raise InputError("This car has no map.", 'Set [map] atlas = "bundled", or a path.')
        found = self._atlas.along((here, there), CORRIDOR_M, kinds)
        return [poi for poi in found if poi.name.strip()][:STOPS_MAX]

    async def _detours(
        self,
        position: dict[str, Any],
        target: NavigationTarget,
        pois: Sequence[Poi],
        about: str,
    ) -> tuple[Done, list[Detour | None]]:
        offloading = self.node.part(Offloading)
        keys = (*_position_keys(position), TARGET)
        here, there = (float(position["lat"]), float(position["lon"])), (target.lat, target.lon)
        asked = detours_asked(here, there, [(poi.lat, poi.lon) for poi in pois])
        job = await offloading.job(DETOURS)
        sent: list[str] = []
        by = ""
        try:
            done = await offloading.run(
                job,
                asked,
                size=float(len(pois)),
                within_s=WITHIN_S,
                keys=keys,
                about=about,
                sent=sent.append,
            )
            by = done.by
        finally:
            if sent:
                source, age_s = str(position["source"]), float(position["age_s"])
                fields = tuple(
                    Evidence(key=key, source=source, age_s=age_s) for key in keys if key != TARGET
                )
                ran = computed("atlas", self.node.config.node.id, by, sent, model=job.identity)
                await keep_receipt(cast("Member", self.node), DETOURS, about, keys, fields, ran)
        return done, detours_of(asked, done.output)


def _position_keys(position: dict[str, Any]) -> tuple[str, str]:
    stem = PHONE_POSITION if position["lent"] else CAR_POSITION
    return f"{stem}.Latitude", f"{stem}.Longitude"


def _shown(poi: Poi, detour: Detour) -> dict[str, Any]:
    return {
        "osm_id": poi.osm_id,
        "name": poi.name,
        "kind": poi.kind,
        "detour_s": round(detour.extra_s, 1),
        "reach_s": round(detour.reach_s, 1),
        "on_road": detour.on_road,
    }
