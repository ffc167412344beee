"""When a phone looks, and what comes of it: the situation now, and a suggestion or the reason for silence."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from hearthway.assist.engine import Proposal
from hearthway.records.errors import HearthwayError
from hearthway.records.messages import Tick
from hearthway.records.suggestion import Silence, Suggestion

from .clock import EventClock
from .company import Company
from .part import PhonePart
from .speaking import Speaking

if TYPE_CHECKING:
    from .brain import Brain

log = logging.getLogger("hearthway.phone")
CALENDAR_LOOK_S = 60.0


class Looking(PhonePart):
    """Looks come with signals, with a replay's ticks, and by the minute while a calendar entry is near."""

    since: float | None = None  # monotonic seconds: when what the next look is about came in

    async def starting(self) -> None:
        if not isinstance(self.node.clock, EventClock):
            self.node.spawn(self._watch_calendar(), "calendar")

    async def tick(self, tick: Tick) -> None:
        """A step of a replay, in its turn."""
        if isinstance(self.node.clock, EventClock):
            self.node.clock.set(tick.time_s)
        try:
            await self.consider(tick.time_s)
        finally:  # a replay waits for this word, whatever came of the situation
            await self.phone.acknowledge(tick)

    async def consider(self, now_s: float) -> None:
        """Look, and speak or be silent, where it is time to; only ever in a turn."""
        phone, brain = self.phone, self.phone.brain
        if brain is None or not brain.due(now_s):
            return
        started, speaking = self.since, self.node.part(Speaking)
        situation = await asyncio.to_thread(brain.look, now_s)
        situation = await self.node.part(Company).with_aboard(situation)
        phone.situation = situation
        await speaking.withdraw(now_s)
        phone.control.emit(
            "situation", mode=situation.mode, p_new=round(situation.p_new, 3), time_s=now_s
        )
        outcome: Proposal | Silence | Suggestion = await asyncio.to_thread(brain.propose, situation)
        if isinstance(outcome, Proposal):
            outcome = await asyncio.to_thread(self._decide, brain, outcome, now_s)
        if isinstance(outcome, Silence):
            speaking.be_silent(outcome)
        elif isinstance(outcome, Suggestion):
            await speaking.speak(outcome, started)
        phone.changed("state")

    def _decide(self, brain: Brain, proposal: Proposal, now_s: float) -> Suggestion | Silence:
        """What to say, with the waits of the venues."""
        return brain.decide(proposal, self.phone.waits(proposal.arrivals, now_s))

    async def _watch_calendar(self) -> None:
        """A phone at rest hears nothing for half an hour: while an entry is near, look every minute.

        With little left in the phone's own battery, every six minutes.
        """
        while True:
            await asyncio.sleep(self._calendar_pause_s())
            brain = self.phone.brain
            try:
                near = brain is not None and await asyncio.to_thread(
                    brain.expects, self.node.clock.now_s()
                )
            except HearthwayError as why:  # the store is busy: the next minute comes
                log.warning("calendar not read", extra={"fields": {"why": why.message}})
                continue
            seen = self.phone.situation
            driving = seen is not None and seen.mode == "driving"
            if (
                near and not driving
            ):  # on a drive positions come all the time, and bring a look with them
                self.phone.turns.add("look", lambda: self.consider(self.node.clock.now_s()))

    def _calendar_pause_s(self) -> float:
        brain = self.phone.brain
        return CALENDAR_LOOK_S * (1 if brain is None else brain.rarer(self.node.clock.now_s()))
