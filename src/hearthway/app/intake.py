"""Files that come into a running phone: a history in a process of its own, a calendar here."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from hearthway.mesh.policy.rules import Rules
from hearthway.records.errors import InputError

from .calendar import import_calendar, is_calendar, owner_of_calendar
from .control_server import ControlServer
from .heap import give_back
from .importing import import_apart
from .owner import listed_in, to_import_for
from .part import PhonePart
from .renewal import Renewal
from .ruling import Ruling

if TYPE_CHECKING:
    from .node import Node, Request


class Intake(PhonePart):
    """One history at a time; what is half in when other rules come into force is called off."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._one = asyncio.Lock()
        self._now: asyncio.Future[Request] | None = None

    async def starting(self) -> None:
        self.node.part(Ruling).watch(self._ruled)

    def verbs(self, control: ControlServer) -> None:
        control.on("import", self._import, with_client=True)

    def _ruled(self, before: Rules, after: Rules) -> None:
        if self._now is not None and before.book != after.book:
            self._now.cancel()  # it goes by the rules of before

    async def _import(self, request: Request) -> Request:
        """Only the owner's: somebody else's would lie here unused, and be taken for whose phone it is."""
        phone = self.phone
        said = request.get("person_id")
        if not isinstance(said, str | None):
            raise TypeError(said)
        owner = await asyncio.to_thread(lambda: phone.owner)
        roster = None if phone.mesh is None else phone.mesh.identity.roster
        listed = listed_in(roster, phone.config.node.id)
        name, person_id = to_import_for(owner, str(request.get("name", "")), said, listed)
        file = Path(str(request["file"]))
        if is_calendar(file):
            off = request.get("holidays") is True
            kept = await asyncio.to_thread(self._import_calendar, file, name, holidays=off)
            if kept["learn"]:
                await phone.learn_again()
            await asyncio.to_thread(give_back, phone.store)
            return kept
        if self._one.locked():
            raise InputError("Another file is being taken in.", "Import this one after it.")
        async with self._one:
            return await self._import_history(file, name, person_id)

    async def _import_history(self, file: Path, name: str, person_id: str | None) -> Request:
        phone, rules = self.phone, self.node.part(Ruling).rules
        self._now = asyncio.ensure_future(
            import_apart(phone.paths, phone.config, rules, file, name, person_id)
        )
        try:
            found = await self._now
        except BaseException as why:
            if not phone.ends():  # some of it may be stored
                phone.spawn(phone.in_turn(phone.wake), "learning what was taken in")
            if isinstance(why, asyncio.CancelledError) and not _is_called_off():
                raise InputError(
                    "Other rules came into force while the file was taken in, so no more of it was.",
                    "Import it again under them.",
                ) from None
            raise
        await phone.in_turn(phone.wake)
        brain = phone.brain
        if brain is None:
            raise InputError(
                "That file held no usable fix.", "Check it with `hearthway drive FILE`."
            )
        phone.part(Renewal).with_home_soon()  # it is told whose phone this is
        await asyncio.to_thread(give_back, phone.store)
        return {**found, "places": len(brain.life.places()), "trips": brain.life.state.trip_count}

    def _import_calendar(self, path: Path, name: str, *, holidays: bool) -> Request:
        phone = self.phone
        person = owner_of_calendar(phone.store, name)
        if phone.brain is None:
            phone.wake()
        brain = phone.brain
        if brain is None or brain.person.person_id != person.person_id:
            brain = phone.brain_of(person)
        rules, now_s = phone.part(Ruling).rules, phone.clock.now_s()
        return import_calendar(
            phone.store, path, brain.life, phone.atlas, rules, now_s, holidays=holidays
        )


def _is_called_off() -> bool:
    """Is the task that asks to end?"""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
