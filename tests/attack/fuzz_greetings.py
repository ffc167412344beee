"""Greetings that no honest member sends: anew while another session counts, twice, overtaken, too many, in a session that was
over, useless while it is looked up, or cut off in the middle.

Each is one step. Before and after it the target must answer a genuine question; what is sealed in a session that was
over must not be answered.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from contextlib import suppress

from hearthway.mesh.wire import envelope as env

from .fuzz_corpus import Mutator
from .fuzz_member import PATIENCE_S, Answering, Life, Rogue

_FLOOD = 100  # greetings at once: more than two seconds let in
_PROVOKED_S = 0.05  # between two frames that do not open
_NOBODY = b">"  # hand this on, to nobody: refused at once
_Step = Callable[[], Coroutine[None, None, None]]


class Greetings:
    """The steps in a seeded order, again and again."""

    def __init__(self, rogue: Rogue, rng: random.Random) -> None:
        self._rogue, self._rng = rogue, rng
        self._mutate = Mutator(rng)
        steps: list[_Step] = [
            self._anew, self._twice, self._overtaken, self._older, self._flood,
            self._anew_when_looked_up, self._anew_meanwhile, self._over_when_looked_up,
            self._useless_when_looked_up, self._cut_when_looked_up,
        ]  # fmt: skip
        self._steps = deque(rng.sample(steps, len(steps)))
        self.done: Counter[str] = Counter()
        self.accepted: Counter[str] = Counter()

    async def step(self) -> None:
        """The next of them, with the target well before and after."""
        step = self._steps[0]
        await self._settled()
        await step()
        await self._settled()
        self._steps.rotate(-1)
        self.done[step.__name__[1:]] += 1

    # -- greeting by itself --------------------------------------------------------------------

    async def _anew(self) -> None:
        """As if it had restarted faster than the link noticed."""
        await self._is_over(self._rogue.begin())

    async def _twice(self) -> None:
        """Anew, and anew again before it answers what the target asks then: in the older of the two."""
        rogue = self._rogue
        before, between = rogue.begin(), rogue.life

        def greets_again(greeting: bytes) -> bytes:
            rogue.begin()
            rogue.asking(b"=" + rogue.life.greeting())
            return between.answer(greeting)

        asked = self._once(greets_again)
        await rogue.prove()
        await self._has_heard(asked)
        await self._is_over(before)
        await self._is_over(between)

    async def _overtaken(self) -> None:
        """Anew; what the target asks then is answered in the session that counted before, and spoken in the new one."""
        rogue = self._rogue
        before = rogue.begin()
        asked = self._once(before.answer)
        await rogue.prove()
        await self._has_heard(asked)
        await rogue.genuine()
        await self._is_over(before)

    async def _older(self) -> None:
        """A session of somebody who has the list of long ago, at no time at all: it is handed the list."""
        await self._is_over(self._rogue.begin(roster_serial=0, time_s=math.nan))

    async def _flood(self) -> None:
        """More than anybody needs: the target stops answering them, for a moment."""
        rogue = self._rogue
        async with asyncio.timeout(PATIENCE_S):
            answers = [b"."]
            while all(answers):
                asked = [rogue.asking(b"=" + rogue.life.greeting()) for _ in range(_FLOOD)]
                answers = await asyncio.gather(*asked)

    # -- when the target looks up which session it is in -----------------------------------------

    async def _anew_when_looked_up(self) -> None:
        """The answer is in another session than the one that counts."""
        before = self._rogue.begin()
        await self._looked_up(self._rogue.life.answer)
        await self._is_over(before)

    async def _anew_meanwhile(self) -> None:
        """It greets anew while it is looked up, and only then answers that, in the session before."""
        rogue = self._rogue
        before = rogue.begin()

        def greets_first(greeting: bytes) -> bytes:
            rogue.asking(b"=" + rogue.life.greeting())
            return before.answer(greeting)

        await self._looked_up(greets_first)
        await self._is_over(before)

    async def _over_when_looked_up(self) -> None:
        """It says that it is in a session that was over."""
        before = self._rogue.begin()
        await self._settled()
        await self._looked_up(before.answer)
        await self._is_over(before)

    async def _useless_when_looked_up(self) -> None:
        """Nothing; then something spoilt, or what answers another greeting."""
        life = self._rogue.life
        await self._looked_up(lambda _: b"")
        if self._rng.random() < 0.5:
            await self._looked_up(lambda greeting: self._mutate.bytes(life.answer(greeting)))
        else:
            await self._looked_up(lambda _: life.greeting(self._rng.randbytes(16)))

    async def _cut_when_looked_up(self) -> None:
        """It is gone before it answers, and there again at once."""
        await self._looked_up(lambda _: None)
        await self._rogue.close()
        await self._rogue.connect()

    # -- how -----------------------------------------------------------------------------------

    def _once(self, answer: Answering) -> asyncio.Event:
        """What the target asks next is answered so, and what it asks later in the life that is then; set when it asked."""
        rogue, asked = self._rogue, asyncio.Event()

        def answering(greeting: bytes) -> bytes | None:
            rogue.answering = rogue.life.answer
            asked.set()
            return answer(greeting)

        rogue.answering = answering
        return asked

    async def _looked_up(self, answer: Answering) -> None:
        """Frames that do not open, until the target asks which session this is: seldom, so it takes half a second."""
        rogue, asked = self._rogue, self._once(answer)
        async with asyncio.timeout(PATIENCE_S):
            while not asked.is_set():
                spoilt = env.header(env.RELIABLE, rogue.identity.epoch, 2**64 - 1)
                rogue.send(b"F=" + spoilt + self._rng.randbytes(32))
                with suppress(TimeoutError):
                    async with asyncio.timeout(_PROVOKED_S):
                        await asked.wait()
        await self._has_heard(asked)

    async def _has_heard(self, asked: asyncio.Event) -> None:
        """It asked, and the answer is not under way any more: what is said next is heard in a later turn of its loop."""
        async with asyncio.timeout(PATIENCE_S):
            await asked.wait()
            await self._rogue.ask(_NOBODY)

    async def _settled(self) -> None:
        """Both are in the session of this life, and no greeting is under way: streams keep their order.

        The target asked before it answered the first question, and heard our answer to that before the second.
        """
        await self._rogue.prove()
        await self._rogue.genuine()
        await self._rogue.genuine()

    async def _is_over(self, life: Life) -> None:
        """Both are in the session of this life; the same question in that one before is answered by nobody."""
        rogue = self._rogue
        await self._settled()
        answer = rogue.asking(b"=" + rogue.question(life)[1])
        await rogue.genuine()
        if answer.done() and answer.exception() is None:
            self.accepted["a session that was over"] += 1
