"""The phone: keeps one person's life, anticipates, and speaks. Personal data lives here and nowhere else by default.

    signals -> sense -> context -> assist -> (waits) -> Suggestion -> learn
    hearing ----------> looking -----------------------> speaking -> answering

What it does is done by its parts (a row each in `wiring.PARTS`), in turns; here is what they share: whose phone it is,
what was learned of them, the map, and what was last seen, said and answered.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from hearthway.assist.onward import Onward
from hearthway.assist.ranker import Ranker
from hearthway.atlas.store import Atlas
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import InputError, StoreError
from hearthway.records.life import Person
from hearthway.records.localtime import utc_offset_s
from hearthway.records.messages import AnswerGiven, Tick
from hearthway.records.signals import Fix, Signal
from hearthway.records.situation import Situation
from hearthway.records.suggestion import AnswerKind, Silence, Suggestion
from hearthway.records.venue import Wait

from .answering import Answering
from .brain import Brain, EndedError
from .clock import EventClock
from .config import Config
from .config_change import with_changes
from .equipment import brain_for, gate_settings
from .hearing import Hearing
from .looking import Looking
from .maps import open_atlas
from .member import Member
from .node import Request
from .owner import owner_in
from .paths import NodePaths
from .personal import relearn_after
from .places import act
from .ranking import Ranking
from .rough import rough_now, told
from .ruling import Ruling
from .turns import Turns
from .waits import WaitDesk
from .whereto import heading_called, onward_at, way_ahead
from .zones import in_a_child

T = TypeVar("T")
TRACK_POINTS = 5000


class PhoneNode(Member):
    """Predicts, ranks, speaks, learns."""

    brain: Brain | None = None
    atlas: Atlas | None = None
    suggestion: Suggestion | None = None
    answered: AnswerKind | None = None
    silence: Silence | None = None
    situation: Situation | None = None

    def __init__(self, paths: NodePaths, config: Config) -> None:
        super().__init__(paths, config)
        self.turns = Turns(self.note)
        self.track: deque[tuple[float, float]] = deque(maxlen=TRACK_POINTS)
        self._watchers: list[Callable[[str], None]] = []

    async def started(self) -> None:
        in_a_child()
        ruling = self.part(Ruling)
        ruling.watch(self._ruled)
        self.wait_desk = WaitDesk(self.store, ruling.rules, self.config.node.id)
        self.atlas = await asyncio.to_thread(open_atlas, self.config.map)
        try:
            await asyncio.to_thread(self.wake)
        except EndedError:
            return
        self.spawn(self.turns.run(), "anticipation")
        await super().started()

    async def stopping(self) -> None:
        if self.brain is not None:
            # What came late or was forgotten changes what was learned before: that is for the next start.
            with suppress(EndedError):
                await asyncio.to_thread(self.brain.snapshot)
        if self.atlas is not None:
            self.atlas.close()

    def ends(self) -> bool:
        """Was it asked to stop?"""
        return self._stop.is_set()

    def watch_changes(self, told: Callable[[str], None]) -> None:
        """`told(kind)` is called when what a page shows changed: "state" or "moment"."""
        self._watchers.append(told)

    def changed(self, kind: str) -> None:
        """Tell whoever watches that what a page shows changed."""
        for watcher in self._watchers:
            watcher(kind)

    def mesh_started(self, mesh: MeshNode) -> None:
        super().mesh_started(mesh)
        mesh.on_roster(lambda: self.spawn(self._whose(), "owner"))
        self.spawn(self._whose(), "owner")

    def status(self) -> Request:
        """As of any node, whether home or work seems to be another, where to next while staying, and positions too rough."""
        brain = self.brain
        state = super().status() | {"changes": list(brain.life.changes) if brain else []}
        onward = self.onward()
        if onward is not None:
            state["onward"] = msgspec.to_builtins(onward)
        rough = self.rough()
        if rough is not None:
            state["rough"] = rough
        return state

    def _verbs(self) -> None:
        super()._verbs()
        on = self.control.on
        on("follow", self._follow)
        on("relearn", self._relearn)
        on("places", self._places)
        on("dial", self._dial)

    # who lives here --------------------------------------------------------------------------------------------

    @property
    def owner(self) -> Person | None:
        """The person whose phone this is: whom the household's list names, else the first who came."""
        roster = None if self.mesh is None else self.mesh.identity.roster
        return owner_in(self.store, roster, self.config.node.id)

    async def _whose(self) -> None:
        """Think for whom the household's list names."""
        owner = await asyncio.to_thread(lambda: self.owner)
        brain = self.brain
        if owner is not None and (brain is None or brain.person.person_id != owner.person_id):
            if brain is not None:
                await asyncio.to_thread(brain.snapshot)
            await asyncio.to_thread(self.wake)

    def wake(self) -> None:
        """Go on with all that was learned of the owner, as it is stored."""
        owner = self.owner
        brain = None if owner is None else self.brain_of(owner)
        if brain is not None:
            brain.snapshot()  # a kill before the next stay ends must not cost learning everything again
        self.brain = brain

    def brain_of(self, person: Person) -> Brain:
        """Everything learned of `person`, ready to go on."""
        rules = self.part(Ruling).rules
        brain = brain_for(self.store, person, self.config, self.atlas, rules, self.ends)
        brain.use_ranker(self.part(Ranking).ranker)
        return brain

    def use_ranker(self, ranker: Ranker | None) -> None:
        """Another student of others' answers serves here, or none."""
        if self.brain is not None:
            self.brain.use_ranker(ranker)

    def adopt(self, name: str) -> Person:
        """The first person of a new phone: whoever its owner's own OwnTracks says, token in hand."""
        person = self.store.add_person(name)
        self.wake()
        return person

    def _ruled(self, before: Rules, after: Rules) -> None:
        """Other rules are in force: venues are asked by them, and what may be learned from is learned anew."""
        self.wait_desk.use_rules(after)
        if before.train != after.train:
            self.spawn(self.learn_again(), "learning by other rules")

    # what is done in turn --------------------------------------------------------------------------------------

    async def _tick(self, meta: Any, tick: Tick) -> None:
        # Nobody else sets the time of a phone that lives.
        if not isinstance(self.clock, EventClock):
            raise InputError("A step of a replay came, and nothing is replayed here.")
        looking = self.part(Looking)
        self.turns.add("tick", lambda: looking.tick(tick))

    async def in_turn(self, work: Callable[[], T]) -> T:
        """Do `work` in a thread of its own, behind all that came before it; what it raises is raised here."""
        return await self.turns.wait("in turn", lambda: asyncio.to_thread(work))

    async def take_own(self, fixes: Sequence[Fix], signals: Sequence[Signal]) -> None:
        """What the phone's own sensors said (OwnTracks), in its turn; returns when it is stored."""
        await self.part(Hearing).take_own(fixes, signals)

    async def take_answer(self, given: AnswerGiven) -> None:
        """Store and learn; InputError where the suggestion or the POI is not known."""
        await self.part(Answering).take(given)

    async def forgotten(self) -> None:
        await super().forgotten()
        await self.learn_again()

    async def learn_again(self) -> None:
        """The store changed under the learned state: returns when all that is left was learned again."""
        await self.in_turn(lambda: relearn_after(self))

    # what is asked of it ---------------------------------------------------------------------------------------

    def onward(self) -> Onward | None:
        """Where to next while staying, as long as that was asked lately and its time has not gone by."""
        return onward_at(self.situation, self.clock.now_s())

    def rough(self) -> dict[str, Any] | None:
        """That only rough positions come, since when, and what to do; None where surer ones do."""
        brain = self.brain
        last = None if brain is None else brain.life.state.last
        if brain is None or last is None:
            return None
        try:
            found = rough_now(self.store, brain.life, self.clock.now_s())
        except StoreError:
            return None  # what is wrong with the store `status` says itself, and the page goes on
        if found is None:
            return None
        return told(found, utc_offset_s(last.lat, last.lon, self.clock.now_s()))

    def ahead(self) -> tuple[tuple[float, float], ...]:
        """The expected way to the likeliest destination, where the map has roads."""
        return way_ahead(self.situation, self.atlas)

    def heading(self) -> str:
        """What the likeliest destination is called, as in a suggestion; "" where nothing is likely, or it has no name."""
        return heading_called(self.situation, self.atlas)

    def waits(self, arrivals: dict[str, float], now_s: float) -> dict[str, Wait]:
        """Waits of those of these POIs that are followed, under the rules; blocks up to two seconds."""
        return self.wait_desk.ask(arrivals, now_s)

    async def _follow(self, request: Request) -> Request:
        followed = self.wait_desk.follow(str(request.get("code", "")), self.owner)
        return {"name": followed.name, "osm_id": followed.osm_id}

    async def _places(self, request: Request) -> Request:
        """Behind the signals that came before: what is said of a place holds from here on."""
        told = await self.in_turn(lambda: act(self.brain, self.store, request))
        self.changed("state")
        return told

    async def _dial(self, request: Request) -> Request:
        """Another setting of the dial, which node.toml has already: for all that comes from here on."""
        config = with_changes(self.config, {("assist", "dial"): str(request["setting"])})

        def turn() -> None:
            self.config = config
            if self.brain is not None:
                self.brain.use(gate_settings(config))

        await self.in_turn(turn)
        return {"setting": config.assist.dial}

    async def _relearn(self, _: Request) -> Request:
        """After `forget` changed the store from outside: learn again, and tell the other nodes."""
        await self.forgotten()
        await self.pass_on_orders()
        return {}
