"""The car: gives its signals under the owner's rules, shows what the phone suggests, and works without the phone.

It advises in one line and never actuates.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from hearthway.assist.standing import STANDS_S
from hearthway.mesh.wire.envelope import Meta
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.codec import pack
from hearthway.records.errors import HearthwayError, InputError
from hearthway.records.household import Role
from hearthway.records.messages import ANSWER, SHOW, AnswerGiven, Surface
from hearthway.records.signals import Signal
from hearthway.records.situation import Evidence
from hearthway.sense.catalogue import normalise

from .aboard import RidesAlong
from .clock import EventClock
from .collecting import collected
from .handoff import Tasks
from .member import Member, answer_kind
from .node import Request
from .recording import read_recording, ticks
from .replay import Conductor
from .ruling import Ruling
from .sensing import signals_of
from .wheel import AtWheel
from .witness import stages, told

log = logging.getLogger("hearthway.car")
MISSED_S = 0.1  # a session opened anew was back after 5 to 15 ms, a phone killed and started again after 360
WITHOUT_PHONE = (
    "the phone is out of reach: no suggestions and no answers until it is back; "
    "position, battery and this screen go on"
)


class CarNode(Member):
    """Sensors or a replay in, a glance-safe surface out."""

    _conductor: Conductor | None = None
    _shown: Surface | None = None
    _with_phone: bool | None = None  # not known before it was there once

    def mesh_started(self, mesh: MeshNode) -> None:
        super().mesh_started(mesh)
        mesh.subscribe(SHOW, Surface, self._show)
        if isinstance(self.clock, EventClock):
            self._conductor = Conductor(mesh, self.clock, self._publish, self.note)

    def _verbs(self) -> None:
        super()._verbs()
        self.control.on("replay", self._replay)
        self.control.on("answer", self._answer)
        self.control.on("sense", self._sense)

    def peer_changed(self, device_id: str, alive: bool) -> None:  # the mesh's callback form
        super().peer_changed(device_id, alive)
        peer = self.mesh.peers().get(device_id) if self.mesh else None
        if peer is None or peer.role != Role.PHONE:
            return
        if not alive:
            self.spawn(self._miss(device_id), "missing the phone")
            return
        if self._with_phone is False:
            self.note("the phone is back")
        self._with_phone = True

    async def _miss(self, device_id: str) -> None:
        """Said once it stays away: a session that is opened anew is back in a moment."""
        await asyncio.sleep(MISSED_S)
        peer = self.mesh.peers().get(device_id) if self.mesh else None
        if self._with_phone is not False and (peer is None or not peer.alive):
            self._with_phone = False
            self.note(WITHOUT_PHONE)

    # signals ---------------------------------------------------------------------------------------------------

    async def _publish(self, signals: Sequence[Signal]) -> None:
        """What the rules let be sensed is taken in; of that, what they let go, goes, the rest is counted as refused."""
        signals = collected(self.part(Ruling).rules, self.config.node.role, signals)
        plain = [normalise(signal) for signal in signals]
        for part in self.parts:
            part.sensed(plain)
        if self._conductor is not None:  # a replay tells who rides along in its own order
            await self.part(RidesAlong).looked()
        if self.mesh is not None:
            for signal in signals:
                self.latest[signal.key] = signal
            await self.mesh.publish_signals(
                self.part(AtWheel).mark(plain),
                "anticipate",
                reliable=self._conductor is not None,  # a replay may not lose what real time may
            )

    async def _sense(self, request: Request) -> Request:
        """Live signals from an adapter on this machine."""
        signals = signals_of(request)
        await self._publish(signals)
        return {"signals": len(signals)}

    async def _replay(self, request: Request) -> Request:
        if self._conductor is None:
            raise InputError(
                "This node runs on the real clock and does not replay.",
                "Set [replay] clock = true.",
            )
        speed = float(request.get("speed", 0.0))
        if speed < 0:
            raise InputError(
                f"A speed of {speed} is not possible.", "Use 1 for real time, 0 for no pause."
            )
        signals = await asyncio.to_thread(lambda: list(read_recording(Path(str(request["file"])))))
        self._pause_s = float(request.get("pause_s", 0.0))
        self.spawn(self._play(self._conductor, signals, speed), "replay")
        return {"signals": len(signals)}

    _pause_s = 0.0

    async def _play(self, conductor: Conductor, signals: list[Signal], speed: float) -> None:
        count, error = 0, ""
        try:
            count = await conductor.play(ticks(signals), speed)
        except HearthwayError as why:
            error = str(why)
            raise
        finally:
            self.control.emit("replay-end", instants=count, error=error)

    # the surface -----------------------------------------------------------------------------------------------

    def driver(self) -> str:
        """Person id of whoever drives, as far as that is certain."""
        return self.part(AtWheel).driver()

    def _show(self, meta: Meta, surface: Surface) -> None:
        if (
            meta.about != surface.person
        ):  # the rules were asked about that person, not about this one
            raise InputError("A suggestion came in another person's name.", "It was refused.")
        self.show(surface)

    def show(self, surface: Surface) -> None:
        """On the glance-safe surface from now on; kept, and receipted. What is over goes from it, and comes no more."""
        if surface.over:
            self._withdraw(surface)
            return
        if self.clock.now_s() - surface.time_s >= STANDS_S:
            return
        self._shown = surface
        self.store.add_person(surface.person, surface.person)  # an id; the name stays on the phone
        self.store.add_event(
            "surface",
            surface.person,
            surface.time_s,
            pack(surface),
            suggestion_id=surface.suggestion_id,
        )
        if self._conductor is not None:
            self._conductor.linger_s = self._pause_s
        self.control.emit("shown", id=surface.suggestion_id, lines=list(surface.lines))
        self.spawn(self._receipt(surface), "receipt")

    def shown(self) -> Surface | None:
        """What stands on the surface now: where the phone is away, the car's own clock takes away what is over."""
        surface = self._shown
        if surface is not None and self.clock.now_s() - surface.time_s >= STANDS_S:
            self._withdraw(surface)
        return self._shown

    def _withdraw(self, over: Surface) -> None:
        """Its own person's alone: nobody takes away another's."""
        shown = self._shown
        if shown is not None and (shown.suggestion_id, shown.person) == (
            over.suggestion_id,
            over.person,
        ):
            self._shown = None
            self.control.emit("withdrawn", id=over.suggestion_id)
        self.part(Tasks).withdraw(over.suggestion_id, over.person)

    async def _receipt(self, surface: Surface) -> None:
        mesh, receipts = self._paired(), self.receipts
        now_s = self.clock.now_s()
        receipts.write(
            suggestion_id=surface.suggestion_id,
            person=surface.person,
            time_s=surface.time_s,
            fields=tuple(
                Evidence(
                    key=key,
                    source=signal.source or self.config.node.id,
                    age_s=max(0.0, now_s - signal.time_s),
                )
                for key, signal in sorted(self.latest.items())
            ),
            crossings=told(mesh.crossings()),
            computations=stages(self.config.node.id, "sense", "app"),
            mesh=mesh,
        )
        await receipts.show_head(mesh, surface.suggestion_id, surface.time_s)

    async def _answer(self, request: Request) -> Request:
        shown = self.shown()
        if shown is None:
            raise InputError(
                "Nothing is shown here that could be answered.",
                "`hearthway why` lists suggestions.",
            )
        kind = answer_kind(request.get("kind"))
        given = AnswerGiven(
            suggestion_id=shown.suggestion_id,
            kind=kind,
            time_s=self.clock.now_s(),
            osm_id=str(request.get("osm_id", "")),
        )
        sent = await self._paired().publish(
            ANSWER, given, "learn", reliable=True, about=shown.person
        )
        if not any(crossing.rule for crossing in sent):
            raise HearthwayError(
                "No rule lets an answer go to the phone.", "`hearthway rules` shows them."
            )
        return {"id": shown.suggestion_id}
