"""On the phone of whoever drives: who rides along, and what they like to eat, each as far as rules and both people let it.

The car tells who; the passenger's own phone is asked once what that person likes. Both are kept in memory alone, and go
with the ride: with the car's word, after two minutes without one, when a rule or a consent ends.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from hearthway.assist.company import checked
from hearthway.mesh.wire.envelope import Meta
from hearthway.mesh.wire.gate import EXACT
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.company import ASK_TASTE, TASTE, Companion, TasteAsked, TasteTold
from hearthway.records.errors import HearthwayError, InputError
from hearthway.records.household import Role
from hearthway.records.signals import Signal
from hearthway.records.situation import Aboard, Evidence, Situation
from hearthway.sense.catalogue import WITH_CAR, kind_of, normalise

from .clock import EventClock
from .collecting import collected
from .consents import Consenting
from .node import Node
from .part import PhonePart
from .ruling import Ruling

log = logging.getLogger("hearthway.company")
PURPOSE = "anticipate"
FRESH_S = kind_of(WITH_CAR).freshness_s
AHEAD_S = 60.0  # a car's word from later than that would stand for too long
PEOPLE_MAX = 8  # beside the driver
ANSWER_S = 3.0
TRIES_MAX = 3  # of a phone that does not answer: the car's word comes every quarter of a minute


def without_company(signals: list[Signal]) -> list[Signal]:
    """The signals that are of no passenger: those are for `Company`, and for no store and no model."""
    return [signal for signal in signals if signal.key != WITH_CAR]


class _Told(Struct, frozen=True):
    """What a passenger's phone told, and when (event time)."""

    taste: TasteTold
    device: str
    time_s: float


class Company(PhonePart):
    """Who rides along, and what they like."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._mesh: MeshNode | None = None
        self._with: dict[str, Signal] = {}  # by person: the car's last word
        self._tastes: dict[str, _Told] = {}
        self._used: tuple[Companion, ...] = ()  # what the look of now goes by
        self._asked: dict[str, asyncio.Future[None]] = {}  # by person: until it is told
        self._tries: dict[str, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def starting(self) -> None:
        ruling = self.node.part(Ruling)
        ruling.watch(lambda before, after: self._weigh())
        ruling.watch_consents(self._weigh)

    def mesh_started(self, mesh: MeshNode) -> None:
        self._mesh = mesh
        mesh.on_signals(self._heard)
        mesh.subscribe(TASTE, TasteTold, self._told)

    def status(self) -> dict[str, Any]:
        aboard = sorted(self._with)
        return {"aboard": aboard} if aboard else {}

    async def stopping(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._drop(list(self._with))

    async def forgotten(self) -> None:
        self._drop(list(self._with))

    # what the car tells -------------------------------------------------------------------------------------------

    def _heard(self, meta: Meta, signals: list[Signal]) -> None:
        told = [s for s in signals if s.key == WITH_CAR]
        if not told or meta.purpose != PURPOSE:
            return
        for signal in collected(self.node.part(Ruling).rules, self.node.config.node.role, told):
            word = replace(normalise(signal), source=meta.sender)
            ahead_s = 0.0 if self._replays else word.time_s - self.node.wall.now_s()
            if word.value is not True or ahead_s > AHEAD_S:
                self._drop([word.person])
            elif word.person in self._with or len(self._with) < PEOPLE_MAX:
                self._with[word.person] = word
                self._ask_soon(word.person)
        self._weigh()
        self._again()

    def _again(self) -> None:
        """A car that falls silent takes nothing back by itself."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._with and not self._replays:
            self._timer = asyncio.get_running_loop().call_later(FRESH_S, self._stale)

    def _stale(self) -> None:
        self._weigh(self.node.wall.now_s())
        self._again()

    @property
    def _replays(self) -> bool:
        return isinstance(self.node.clock, EventClock)

    def _weigh(self, now_s: float | None = None) -> None:
        """Let go of whoever may not be told of any more, or of whom nothing was told for too long."""
        self._drop(
            [
                person
                for person, word in self._with.items()
                if not self._rule(WITH_CAR, word.source, person)
                or (now_s is not None and now_s - word.time_s > FRESH_S)
            ]
        )
        for person, told in list(self._tastes.items()):
            if not self._rule(TASTE, told.device, person):
                del self._tastes[person]
        self._use()

    def _drop(self, people: list[str]) -> None:
        for person in people:
            self._with.pop(person, None)
            self._tastes.pop(person, None)
            self._tries.pop(person, None)
            asked = self._asked.pop(person, None)
            if asked is not None:
                asked.cancel()
        self._use()

    def _rule(self, key: str, sender: str, person: str) -> str:
        """The rule by which that device may tell this phone the key about that person, both having agreed; "" where none does."""
        mesh = self._mesh
        if mesh is None:
            return ""
        roster, now_s = mesh.identity.roster, self.node.wall.now_s()
        ends = roster.party(sender, now_s), roster.party(self.node.config.node.id, now_s)
        if ends[0] is None or ends[1] is None or person in ("", ends[1].person):
            return ""
        found = self.node.part(Ruling).rules.decide(key, ends[0], ends[1], PURPOSE, person)
        return "" if found is None or found.precision != EXACT else found.rule

    # what they like -----------------------------------------------------------------------------------------------

    def _ask_soon(self, person: str) -> None:
        """Once a ride; where it may not be told nothing is asked."""
        mesh = self._mesh
        tries = self._tries.get(person, 0)
        if mesh is None or person in self._tastes or person in self._asked or tries >= TRIES_MAX:
            return
        theirs = (
            m.device_id for m in mesh.identity.roster.by_role(Role.PHONE) if m.person == person
        )
        able = [d for d in theirs if mesh.ready(d) and self._rule(TASTE, d, person)]
        device = (
            able[tries % len(able)] if able else ""
        )  # the other phone may be the one in the car
        if device and mesh.lets((ASK_TASTE,), device, PURPOSE):
            self._tries[person] = tries + 1
            asked = self._asked[person] = asyncio.get_running_loop().create_future()
            self.node.spawn(self._ask(mesh, person, device, asked), "asking for a taste")

    async def _ask(
        self, mesh: MeshNode, person: str, device: str, asked: asyncio.Future[None]
    ) -> None:
        if asked.done():  # the car took its word back before this began: nothing is asked
            return
        try:
            await mesh.request(device, ASK_TASTE, TasteAsked(), PURPOSE, type(None), ANSWER_S)
            async with asyncio.timeout(ANSWER_S):
                await asyncio.wait([asked])
        except (HearthwayError, TimeoutError) as why:  # the word is as it was without them
            log.info("no taste from %s: %s", device, type(why).__name__)
        finally:
            if self._asked.get(person) is asked:
                del self._asked[person]
            asked.cancel()

    def _told(self, meta: Meta, told: TasteTold) -> None:
        person, asked = meta.about, self._asked.get(meta.about)
        if asked is None:
            raise InputError("A taste came that nobody asked for.", "It was refused.")
        taste = checked(told)
        self._tastes[person] = _Told(taste, meta.sender, self.node.clock.now_s())
        if not asked.done():
            asked.set_result(None)
        self._use()

    def _companions(self) -> tuple[Companion, ...]:
        return tuple(
            Companion(person=person, taste=told.taste)
            for person, told in sorted(self._tastes.items())
            if person in self._with
        )

    def _use(self, *, anew: bool = False) -> None:
        """In the middle of a look somebody may be let go of, and nobody added: its situation says by what each is known."""
        held, before = self._companions(), self._used
        self._used = held if anew else tuple(one for one in held if one in before)
        brain = self.phone.brain
        if brain is not None and (before or self._used):
            brain.use_company(self._used)

    # the situation ------------------------------------------------------------------------------------------------

    async def with_aboard(self, situation: Situation) -> Situation:
        """The situation with who rides along, and by what that is known; the same where nobody is known to. It is used from now on."""
        if (
            self._replays and self._asked
        ):  # a replay goes on once everybody has said what there is to say
            await asyncio.wait(list(self._asked.values()), timeout=2 * ANSWER_S)
        self._weigh(situation.time_s)
        self._use(anew=True)
        mesh = self._mesh
        if not self._with or mesh is None or situation.mode != "driving":
            return situation
        aboard = [self._aboard(mesh, p, situation.time_s) for p in sorted(self._with)]
        used = [
            Evidence(key=WITH_CAR, source=a.source, age_s=a.age_s, person=a.person) for a in aboard
        ]
        for person, told in sorted(self._tastes.items()):
            age_s = max(0.0, situation.time_s - told.time_s)
            used.append(Evidence(key=TASTE, source=told.device, age_s=age_s, person=person))
        evidence = (*situation.evidence, *used)
        return replace(situation, aboard=tuple(aboard), evidence=evidence)

    def _aboard(self, mesh: MeshNode, person: str, now_s: float) -> Aboard:
        word, taste = self._with[person], self._tastes.get(person)
        listed = mesh.identity.roster.person(person)
        me = mesh.identity.roster.member(self.node.config.node.id)
        return Aboard(
            person=person,
            kind="" if listed is None else str(listed.kind),
            called="" if taste is None else taste.taste.called,
            source=word.source,
            age_s=max(0.0, now_s - word.time_s),
            rule=self._rule(WITH_CAR, word.source, person),
            consent=self.node.part(Consenting).between(
                person, "" if me is None else me.person, WITH_CAR, PURPOSE
            ),
        )
