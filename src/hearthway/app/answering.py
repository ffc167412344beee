"""Answers to suggestions, from the page, the car or the command line: stored, learned, and acted upon."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import InputError
from hearthway.records.messages import ANSWER, AnswerGiven
from hearthway.records.suggestion import Answer, AnswerKind, Suggestion
from hearthway.records.tasks import NavigationTarget

from .control_server import ControlServer
from .handoff import Tasks
from .member import answer_kind
from .part import PhonePart

if TYPE_CHECKING:
    from .node import Request


class Answering(PhonePart):
    """`take` is the door for every answer."""

    def mesh_started(self, mesh: MeshNode) -> None:
        mesh.subscribe(ANSWER, AnswerGiven, self._answered)

    def verbs(self, control: ControlServer) -> None:
        control.on("answer", self._answer)

    def _answered(self, meta: Any, given: AnswerGiven) -> None:
        if self.phone.turns.full:
            raise InputError("Too many answers wait.")
        self.phone.turns.add("answer", lambda: self.take(given))

    async def take(self, given: AnswerGiven) -> None:
        """Store and learn; InputError where the suggestion or the POI is not known."""
        phone, brain = self.phone, self.phone.brain
        if brain is None:
            raise InputError("Nobody lives on this phone yet.")
        suggestion = await asyncio.to_thread(phone.store.suggestion, given.suggestion_id)
        answer = answer_of(suggestion, given)
        await asyncio.to_thread(brain.answer, answer)
        said = phone.suggestion
        if said is not None and said.suggestion_id == answer.suggestion_id:
            phone.answered = answer.kind
        self._carry_on(suggestion, answer)
        phone.control.emit("answer", id=answer.suggestion_id, kind=answer.kind.value)
        phone.changed("state")

    def _carry_on(self, suggestion: Suggestion, answer: Answer) -> None:
        """Nothing waits any more; what was accepted is where the person is on the way to."""
        tasks = self.node.part(Tasks)
        tasks.withdraw(answer.suggestion_id, answer.person)
        chosen = next((o.poi for o in suggestion.options if o.poi.osm_id == answer.osm_id), None)
        if answer.kind is AnswerKind.ACCEPT and chosen is not None:
            target = NavigationTarget(
                name=chosen.name, lat=chosen.lat, lon=chosen.lon, osm_id=chosen.osm_id
            )
            tasks.start(target, answer.person, answer.time_s)

    async def _answer(self, request: Request) -> Request:
        kind = answer_kind(request.get("kind"))
        wanted = str(request.get("id", ""))
        suggestion = self.node.store.suggestion(wanted)
        await self.take(
            AnswerGiven(
                suggestion_id=suggestion.suggestion_id,
                kind=kind,
                time_s=self.node.clock.now_s(),
                osm_id=str(request.get("osm_id", "")),
            )
        )
        return {"id": suggestion.suggestion_id}


def answer_of(suggestion: Suggestion, given: AnswerGiven) -> Answer:
    """The full Answer to a suggestion; InputError where the POI was not in it."""
    option = next((o for o in suggestion.options if o.poi.osm_id == given.osm_id), None)
    if not suggestion.options and (given.osm_id or given.kind is AnswerKind.NEVER_HERE):
        raise InputError(
            "That suggestion named nothing to choose from.", "Answer accept, dismiss or not-now."
        )
    if given.osm_id and option is None:
        names = ", ".join(o.poi.osm_id for o in suggestion.options)
        raise InputError(f"{given.osm_id} was not suggested.", f"It was one of {names}.")
    if (
        option is None
        and suggestion.options
        and given.kind in (AnswerKind.ACCEPT, AnswerKind.NEVER_HERE)
    ):
        option = suggestion.options[0]  # the answer is about the first where none is named
    return Answer(
        suggestion_id=suggestion.suggestion_id,
        person=suggestion.person,
        kind=given.kind,
        time_s=given.time_s,
        osm_id=option.poi.osm_id if option else "",
        need=suggestion.need,
        cuisines=option.poi.cuisines if option else (),
        utc_offset_s=suggestion.utc_offset_s,
        lat=option.poi.lat if option else None,
        lon=option.poi.lon if option else None,
    )
