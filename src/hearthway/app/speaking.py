"""What a phone says: on its page and the car's surface, with its receipt, until it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from hearthway.assist.moment import render
from hearthway.assist.standing import stands
from hearthway.records.messages import SHOW, Surface
from hearthway.records.receipts import Crossing
from hearthway.records.situation import Evidence
from hearthway.records.suggestion import Silence, Suggestion
from hearthway.records.tasks import WaitingSuggestion

from .handoff import Tasks
from .part import PhonePart
from .witness import stages, told


class Speaking(PhonePart):
    """`PhoneNode.suggestion` and `.silence` are what it said last."""

    def be_silent(self, silence: Silence) -> None:
        """Nothing is said, and why; a reason that stood already is not told again."""
        phone = self.phone
        if phone.silence is None or phone.silence.code != silence.code:
            phone.control.emit(
                "silence", code=silence.code, words=silence.words, time_s=silence.time_s
            )
        phone.silence = silence

    async def speak(self, suggestion: Suggestion, started: float | None) -> None:
        """Show it and write its receipt; `started`: monotonic seconds of what it is about."""
        phone = self.phone
        phone.suggestion, phone.answered, phone.silence = suggestion, None, None
        lines = render(suggestion)
        if for_the_car(suggestion):
            await self._show_elsewhere(surface_of(suggestion, lines))
        await self._write_receipt(suggestion, started)
        phone.control.emit(
            "suggestion",
            lines=lines,
            record=msgspec.to_builtins(suggestion),
        )
        phone.changed("moment")

    async def withdraw(self, now_s: float) -> None:
        """What is over goes from the page, from the car's surface, and from what waits for a drive."""
        phone = self.phone
        said = phone.suggestion
        if said is None or stands(said, now_s, phone.situation):
            return
        phone.suggestion = phone.answered = None
        phone.part(Tasks).withdraw(said.suggestion_id, said.person)
        if for_the_car(said) and phone.mesh is not None:
            over = msgspec.structs.replace(surface_of(said, ()), over=True)
            await phone.mesh.publish(SHOW, over, "advise", reliable=True, about=said.person)
        phone.control.emit("withdrawn", id=said.suggestion_id)
        phone.changed("moment")

    async def _show_elsewhere(self, surface: Surface) -> None:
        """To the car's surface; where none is reached it waits here, and goes along when the drive begins."""
        shown: list[Crossing] = []
        if self.node.mesh is not None:
            shown = await self.node.mesh.publish(
                SHOW, surface, "advise", reliable=True, about=surface.person
            )
        if not any(crossing.rule for crossing in shown):
            task_id = surface.suggestion_id[:12]
            content = WaitingSuggestion(surface=surface)
            self.node.part(Tasks).start(content, surface.person, surface.time_s, task_id)

    async def _write_receipt(self, suggestion: Suggestion, started: float | None) -> None:
        phone = self.phone
        mesh, brain = phone.mesh, phone.brain
        if brain is None:
            return
        crossings = () if mesh is None else told(mesh.crossings())
        waits = tuple(
            Evidence(
                key=f"Venue.Wait/{o.poi.osm_id}", source=o.wait.source, age_s=o.wait.age_s or 0.0
            )
            for o in suggestion.options
            if o.wait.minutes is not None
        )
        model = await asyncio.to_thread(brain.model_digest)
        asked = phone.wait_desk.account()
        phone.receipts.write(
            suggestion_id=suggestion.suggestion_id,
            person=suggestion.person,
            time_s=suggestion.time_s,
            fields=(*suggestion.situation.evidence, *waits),
            crossings=(*crossings, *asked.crossings),
            computations=stages(
                phone.config.node.id, "sense", "context", "assist", "learn", "atlas", model=model
            ),
            disclosures=asked.disclosures,
            mesh=mesh,
            bytes_to=asked.bytes_to,
            since=started,
        )
        if mesh is not None:  # a phone that is not paired yet has receipts as well, with no witness
            await phone.receipts.show_head(mesh, suggestion.suggestion_id, suggestion.time_s)


def for_the_car(said: Suggestion) -> bool:
    """What is said at rest, or because of the calendar, is for who has the phone in hand: a car is anybody's to look at."""
    return said.situation.mode == "driving" and not said.phone_only


def surface_of(suggestion: Suggestion, lines: Sequence[str]) -> Surface:
    """What a surface elsewhere is told of it."""
    return Surface(
        suggestion_id=suggestion.suggestion_id,
        person=suggestion.person,
        time_s=suggestion.time_s,
        utc_offset_s=suggestion.utc_offset_s,
        lines=tuple(lines),
        osm_ids=tuple(option.poi.osm_id for option in suggestion.options),
        synthetic=suggestion.synthetic,
    )
