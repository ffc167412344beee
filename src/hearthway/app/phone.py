"""The phone: keeps one person's life, anticipates, and speaks. Personal data lives here and nowhere else by default.

    signals -> sense -> context -> assist -> (waits) -> Suggestion -> learn

One worker takes signals, ticks and answers in the order they came, so that a replayed day gives the same bytes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import msgspec
from msgspec import Struct

from hearthway.assist.engine import Proposal
from hearthway.assist.moment import destination_called, position_age_s, render
from hearthway.assist.onward import Onward, onward_of
from hearthway.assist.ranker import Ranker
from hearthway.assist.settings import Dial, GateSettings
from hearthway.assist.shape import NameOf
from hearthway.assist.standing import stands
from hearthway.assist.way import eta_s
from hearthway.atlas.store import Atlas
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.store import Store
from hearthway.mesh.wire.node import MeshNode
from hearthway.records.errors import HearthwayError, InputError
from hearthway.records.life import Person
from hearthway.records.messages import (
    ANSWER,
    SHOW,
    AnswerGiven,
    Surface,
    Tick,
)
from hearthway.records.poi import PoiIndex, Roads
from hearthway.records.receipts import Crossing
from hearthway.records.signals import Fix, Signal
from hearthway.records.situation import Evidence, Situation
from hearthway.records.suggestion import Answer, AnswerKind, Silence, Suggestion
from hearthway.records.tasks import NavigationTarget, WaitingSuggestion
from hearthway.records.venue import Wait
from hearthway.sense.catalogue import CAR_POSITION, HOUSE, item_of, normalise
from hearthway.sense.fixes import FixAssembler

from .borrow import position_signals
from .brain import Brain, EndedError
from .calendar import import_calendar, is_calendar, owner_of_calendar
from .clock import EventClock
from .collecting import collected, collected_fixes
from .config import Config
from .config_change import with_changes
from .handoff import Tasks
from .heap import give_back
from .importing import import_apart
from .maps import open_atlas
from .member import Member, answer_kind
from .node import Request
from .owner import listed_in, owner_in, to_import_for
from .personal import AHEAD_MAX_S, relearn_after
from .places import act
from .ranking import Ranking
from .renewal import Renewal
from .ruling import Ruling
from .sensing import signals_of
from .waits import WaitDesk
from .witness import stages, told
from .zones import in_a_child

log = logging.getLogger("hearthway.phone")
T = TypeVar("T")
CALENDAR_LOOK_S = 60.0
CAR_FRESH_S = 30.0  # while the car's position is this young, the phone's own adds nothing
TRACK_POINTS = 5000
ONWARD_STALE_S = (
    3600.0  # what was likely next when a position last came: phones at rest send one seldom
)
ONWARD_LATE_S = 900.0  # "around 17:10" is no more said at half past
QUEUE_MAX = 10_000
HOUSE_AHEAD_S = 300.0  # a reading from later would make all that follow look old
LATEST_MAX = 256  # keys; of things with a tag anybody can make up more


class _Heard(Struct, frozen=True):
    """One message of the car, as it came."""

    signals: list[Signal]
    since: float  # monotonic seconds


class _Own(Struct, frozen=True):
    """What the phone's own sensors said, and who waits for it to be stored."""

    fixes: list[Fix]
    signals: list[Signal]
    stored: asyncio.Future[None]


class _Relearn(Struct, frozen=True):
    """The store changed under the learned state; who waits for it to be learned again."""

    done: asyncio.Future[None]


class _InTurn(Struct, frozen=True):
    """Something asked or said that what came before counts for, and who waits for its end."""

    work: Callable[[], Any]
    done: asyncio.Future[Any]


class _Look(Struct, frozen=True):
    """Nothing came in, and the calendar has something soon: time alone may make it worth a word."""


Work = _Heard | _Own | _Relearn | _InTurn | _Look | Tick | AnswerGiven  # in the order they came


class PhoneNode(Member):
    """Predicts, ranks, speaks, learns."""

    brain: Brain | None = None
    atlas: Atlas | None = None
    suggestion: Suggestion | None = None
    answered: AnswerKind | None = None
    silence: Silence | None = None
    situation: Situation | None = None

    async def started(self) -> None:
        self.track: deque[tuple[float, float]] = deque(maxlen=TRACK_POINTS)
        in_a_child()
        self._queue: asyncio.Queue[Work] = asyncio.Queue()
        self._importing = asyncio.Lock()
        self._import_now: asyncio.Future[Request] | None = None
        self._assembler = FixAssembler()
        self._own_fixes = FixAssembler()
        self._car_s = float("-inf")
        self._watchers: list[Callable[[str], None]] = []
        ruling = self.part(Ruling)
        ruling.watch(self._ruled)
        self._waits = WaitDesk(self.store, ruling.rules, self.config.node.id)
        self.atlas = await asyncio.to_thread(open_atlas, self.config.map)
        try:
            await asyncio.to_thread(self._wake)
        except EndedError:
            return
        self.spawn(self._work(), "anticipation")
        if not isinstance(self.clock, EventClock):
            self.spawn(self._watch_calendar(), "calendar")
        await super().started()

    async def stopping(self) -> None:
        if self.brain is not None:
            # What came late or was forgotten changes what was learned before: that is for the next start.
            with suppress(EndedError):
                await asyncio.to_thread(self.brain.snapshot)
        if self.atlas is not None:
            self.atlas.close()

    def watch_changes(self, told: Callable[[str], None]) -> None:
        """`told(kind)` is called when what a page shows changed: "state" or "moment"."""
        self._watchers.append(told)

    def _changed(self, kind: str) -> None:
        for watcher in self._watchers:
            watcher(kind)

    def mesh_started(self, mesh: MeshNode) -> None:
        super().mesh_started(mesh)
        mesh.on_signals(self._heard)
        mesh.subscribe(ANSWER, AnswerGiven, self._answered)
        mesh.on_roster(lambda: self.spawn(self._whose(), "owner"))
        self.spawn(self._whose(), "owner")

    async def _whose(self) -> None:
        """Think for whom the household's list names."""
        owner = await asyncio.to_thread(lambda: self.owner)
        brain = self.brain
        if owner is not None and (brain is None or brain.person.person_id != owner.person_id):
            if brain is not None:
                await asyncio.to_thread(brain.snapshot)
            await asyncio.to_thread(self._wake)

    def status(self) -> Request:
        """As of any node, whether the owner's home or work seems to be another, and where to next while staying."""
        brain = self.brain
        state = super().status() | {"changes": list(brain.life.changes) if brain else []}
        onward = self.onward()
        if onward is not None:
            state["onward"] = msgspec.to_builtins(onward)
        return state

    def onward(self) -> Onward | None:
        """Where to next while staying, as long as that was asked lately and its time has not gone by."""
        seen = self.situation
        if seen is None or seen.next_places is msgspec.UNSET:
            return None
        now_s = self.clock.now_s()
        gone = now_s - seen.next_places.leave_s > ONWARD_LATE_S
        position_s = seen.time_s - (position_age_s(seen) or 0.0)
        return None if gone or now_s - position_s > ONWARD_STALE_S else onward_of(seen)

    def _verbs(self) -> None:
        super()._verbs()
        on = self.control.on
        on("import", self._import, with_client=True)
        on("follow", self._follow)
        on("answer", self._answer)
        on("relearn", self._relearn)
        on("places", self._places)
        on("dial", self._dial)
        on("sense", self._sense)

    # who lives here --------------------------------------------------------------------------------------------

    @property
    def owner(self) -> Person | None:
        """The person whose phone this is: whom the household's list names, else the first who came."""
        roster = None if self.mesh is None else self.mesh.identity.roster
        return owner_in(self.store, roster, self.config.node.id)

    def _wake(self) -> None:
        owner = self.owner
        brain = None if owner is None else self.brain_of(owner)
        if brain is not None:
            brain.snapshot()  # a kill before the next stay ends must not cost learning everything again
        self.brain = brain

    def brain_of(self, person: Person) -> Brain:
        """Everything learned of `person`, ready to go on."""
        rules, ends = self.part(Ruling).rules, self._stop.is_set
        brain = brain_for(self.store, person, self.config, self.atlas, rules, ends)
        brain.use_ranker(self.part(Ranking).ranker)
        return brain

    def use_ranker(self, ranker: Ranker | None) -> None:
        """Another student of others' answers serves here, or none."""
        if self.brain is not None:
            self.brain.use_ranker(ranker)

    def _ruled(self, before: Rules, after: Rules) -> None:
        """Other rules are in force: venues are asked by them, and what may be learned from is learned anew."""
        self._waits.use_rules(after)
        if self._import_now is not None and before.book != after.book:
            self._import_now.cancel()  # it goes by the rules of before
        if before.train != after.train:
            self.spawn(self._learn_again(), "learning by other rules")

    # the path --------------------------------------------------------------------------------------------------

    def _heard(self, meta: Any, signals: list[Signal]) -> None:
        if (
            self._queue.qsize() >= QUEUE_MAX
        ):  # a car that talks faster than we learn: the newest waits
            log.warning("signals dropped", extra={"fields": {"count": len(signals)}})
            return
        taken = collected(self.part(Ruling).rules, self.config.node.role, signals)
        if taken:
            self._queue.put_nowait(_Heard(taken, time.monotonic()))

    async def _tick(self, meta: Any, tick: Tick) -> None:
        # Nobody else sets the time of a phone that lives.
        if not isinstance(self.clock, EventClock):
            raise InputError("A step of a replay came, and nothing is replayed here.")
        self._queue.put_nowait(tick)

    def _answered(self, meta: Any, given: AnswerGiven) -> None:
        if self._queue.qsize() >= QUEUE_MAX:
            raise InputError("Too many answers wait.")
        self._queue.put_nowait(given)

    async def _work(self) -> None:
        while True:
            work = await self._queue.get()
            try:
                await self._one(work)
            except HearthwayError as why:
                self._failed(work, why)
            except Exception as why:  # one bad message must not end anticipation
                log.exception("work failed", extra={"fields": {"work": type(work).__name__}})
                self._failed(
                    work,
                    HearthwayError(
                        f"The phone could not use that ({type(why).__name__}).",
                        "node.log has the line.",
                    ),
                )

    def _failed(self, work: Work, why: HearthwayError) -> None:
        waiting = (
            work.stored
            if isinstance(work, _Own)
            else work.done
            if isinstance(work, _Relearn | _InTurn)
            else None
        )
        if waiting is not None and not waiting.done():
            waiting.set_exception(why)
        else:
            self.note(str(why))

    async def _one(self, work: Work) -> None:
        if isinstance(work, _Heard):
            if self.brain is not None:  # each hop to a thread costs two wake-ups
                await asyncio.to_thread(self._take, work.signals)
            self._since = work.since
            # What a house says is told at rest as well, and with its own age: it brings no look with it.
            driven = [s for s in work.signals if not s.key.startswith(HOUSE)]
            if not isinstance(self.clock, EventClock) and driven:
                await self._consider(driven[-1].time_s)
        elif isinstance(work, _Own):
            await self._take_own(work)
        elif isinstance(work, Tick):
            if isinstance(self.clock, EventClock):
                self.clock.set(work.time_s)
            try:
                await self._consider(work.time_s)
            finally:  # a replay waits for this word, whatever came of the situation
                await self.acknowledge(work)
        elif isinstance(work, _Relearn):
            await asyncio.to_thread(relearn_after, self)
            work.done.set_result(None)
        elif isinstance(work, _InTurn):
            work.done.set_result(await asyncio.to_thread(work.work))
        elif isinstance(work, _Look):
            await self._consider(self.clock.now_s())
        else:
            await self.take_answer(work)

    async def _watch_calendar(self) -> None:
        """A phone at rest hears nothing for half an hour: while an entry is near, look every minute.

        With little left in the phone's own battery, every six minutes.
        """
        while True:
            await asyncio.sleep(self._calendar_pause_s())
            brain = self.brain
            try:
                near = brain is not None and await asyncio.to_thread(
                    brain.expects, self.clock.now_s()
                )
            except HearthwayError as why:  # the store is busy: the next minute comes
                log.warning("calendar not read", extra={"fields": {"why": why.message}})
                continue
            driving = self.situation is not None and self.situation.mode == "driving"
            if (
                near and not driving
            ):  # on a drive positions come all the time, and bring a look with them
                self._queue.put_nowait(_Look())

    def _calendar_pause_s(self) -> float:
        brain = self.brain
        return CALENDAR_LOOK_S * (1 if brain is None else brain.rarer(self.clock.now_s()))

    _since: float | None = None

    def _take(self, signals: Sequence[Signal]) -> None:
        """Signals of the car: validated, joined to fixes, stored, learned."""
        brain = self.brain
        if brain is None:
            return
        plain = [normalise(signal) for signal in signals]
        for signal in plain:
            self._check_date(signal, "The car")
            if len(self.latest) < LATEST_MAX or signal.key in self.latest:
                self.latest[signal.key] = signal
        fixes = [located.fix for located in self._assembler.feed_all(plain)]
        if fixes:
            self._car_s = fixes[-1].time_s
            self.track.extend((fix.lat, fix.lon) for fix in fixes)
        brain.observe(fixes, plain, signals[0].source if signals else "", CAR_POSITION)

    def _check_date(self, signal: Signal, sender: str) -> None:
        """InputError for a signal from the future: all that really comes next would look old beside it."""
        now_s = float("inf") if self.config.replay.clock else self.wall.now_s()
        strict = signal.key.startswith(HOUSE) or item_of(signal.key)
        if signal.time_s > now_s + (HOUSE_AHEAD_S if strict else AHEAD_MAX_S):
            raise InputError(
                f"{signal.source or sender} dates its signals in the future.", "Set its clock."
            )

    async def take_own(self, fixes: Sequence[Fix], signals: Sequence[Signal]) -> None:
        """What the phone's own sensors said (OwnTracks), in its turn; returns when it is stored."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        rules, role = self.part(Ruling).rules, self.config.node.role
        own = _Own(
            list(collected_fixes(rules, role, fixes)), collected(rules, role, signals), stored
        )
        self._queue.put_nowait(own)
        await stored

    async def _take_own(self, own: _Own) -> None:
        brain = self.brain
        if brain is None:
            raise InputError(
                "Nobody lives on this phone yet.", "Run `hearthway import FILE --person NAME`."
            )
        for part in self.parts:
            part.sensed([s for f in own.fixes for s in position_signals(f, "", "")])
        useful = [fix for fix in own.fixes if abs(fix.time_s - self._car_s) > CAR_FRESH_S]
        await asyncio.to_thread(brain.observe, useful, own.signals, "owntracks")
        own.stored.set_result(None)
        latest = max((fix.time_s for fix in useful), default=float("-inf"))
        if latest > self._own_s:
            self._own_s = latest
            self.track.extend((fix.lat, fix.lon) for fix in useful)
            self._since = time.monotonic()
            await self._consider(latest)

    _own_s = float("-inf")

    def adopt(self, name: str) -> Person:
        """The first person of a new phone: whoever its owner's own OwnTracks says, token in hand."""
        person = self.store.add_person(name)
        self._wake()
        return person

    async def _consider(self, now_s: float) -> None:
        brain = self.brain
        if brain is None or not brain.due(now_s):
            return
        started = self._since
        situation = await asyncio.to_thread(brain.look, now_s)
        self.situation = situation
        await self._withdraw(now_s)
        self.control.emit(
            "situation", mode=situation.mode, p_new=round(situation.p_new, 3), time_s=now_s
        )
        outcome: Proposal | Silence | Suggestion = await asyncio.to_thread(brain.propose, situation)
        if isinstance(outcome, Proposal):
            outcome = await asyncio.to_thread(self._decide, brain, outcome, now_s)
        if isinstance(outcome, Silence):
            self._silent(outcome)
        elif isinstance(outcome, Suggestion):
            await self._speak(outcome, started)
        self._changed("state")

    def _decide(self, brain: Brain, proposal: Proposal, now_s: float) -> Suggestion | Silence:
        """What to say, with the waits of the venues."""
        return brain.decide(proposal, self._waits.ask(proposal.arrivals, now_s))

    def _silent(self, silence: Silence) -> None:
        if self.silence is None or self.silence.code != silence.code:
            self.control.emit(
                "silence", code=silence.code, words=silence.words, time_s=silence.time_s
            )
        self.silence = silence

    async def _speak(self, suggestion: Suggestion, started: float | None) -> None:
        self.suggestion, self.answered, self.silence = suggestion, None, None
        lines = render(suggestion)
        if self._for_the_car(suggestion):
            await self._show_elsewhere(self._surface(suggestion, lines))
        await self._write_receipt(suggestion, started)
        self.control.emit(
            "suggestion",
            lines=lines,
            record=msgspec.to_builtins(suggestion),
        )
        self._changed("moment")

    @staticmethod
    def _for_the_car(said: Suggestion) -> bool:
        """What is said at rest, or because of the calendar, is for who has the phone in hand: a car is anybody's to look at."""
        return said.situation.mode == "driving" and not said.phone_only

    async def _withdraw(self, now_s: float) -> None:
        """What is over goes from the page, from the car's surface, and from what waits for a drive."""
        said = self.suggestion
        if said is None or stands(said, now_s, self.situation):
            return
        self.suggestion = self.answered = None
        self.part(Tasks).withdraw(said.suggestion_id, said.person)
        if self._for_the_car(said) and self.mesh is not None:
            over = msgspec.structs.replace(self._surface(said, ()), over=True)
            await self.mesh.publish(SHOW, over, "advise", reliable=True, about=said.person)
        self.control.emit("withdrawn", id=said.suggestion_id)
        self._changed("moment")

    async def _show_elsewhere(self, surface: Surface) -> None:
        """To the car's surface; where none is reached it waits here, and goes along when the drive begins."""
        shown: list[Crossing] = []
        if self.mesh is not None:
            shown = await self.mesh.publish(
                SHOW, surface, "advise", reliable=True, about=surface.person
            )
        if not any(crossing.rule for crossing in shown):
            task_id = surface.suggestion_id[:12]
            content = WaitingSuggestion(surface=surface)
            self.part(Tasks).start(content, surface.person, surface.time_s, task_id)

    @staticmethod
    def _surface(suggestion: Suggestion, lines: Sequence[str]) -> Surface:
        return Surface(
            suggestion_id=suggestion.suggestion_id,
            person=suggestion.person,
            time_s=suggestion.time_s,
            utc_offset_s=suggestion.utc_offset_s,
            lines=tuple(lines),
            osm_ids=tuple(option.poi.osm_id for option in suggestion.options),
            synthetic=suggestion.synthetic,
        )

    async def _write_receipt(self, suggestion: Suggestion, started: float | None) -> None:
        mesh, brain = self.mesh, self.brain
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
        asked = self._waits.account()
        self.receipts.write(
            suggestion_id=suggestion.suggestion_id,
            person=suggestion.person,
            time_s=suggestion.time_s,
            fields=(*suggestion.situation.evidence, *waits),
            crossings=(*crossings, *asked.crossings),
            computations=stages(
                self.config.node.id, "sense", "context", "assist", "learn", "atlas", model=model
            ),
            disclosures=asked.disclosures,
            mesh=mesh,
            bytes_to=asked.bytes_to,
            since=started,
        )
        if mesh is not None:  # a phone that is not paired yet has receipts as well, with no witness
            await self.receipts.show_head(mesh, suggestion.suggestion_id, suggestion.time_s)

    def ahead(self) -> tuple[tuple[float, float], ...]:
        """The expected way to the likeliest destination, where the map has roads."""
        situation, atlas = self.situation, self.atlas
        if situation is None or atlas is None or situation.mode != "driving":
            return ()
        if not situation.destinations:
            return ()
        place = situation.destinations[0].place
        _, route = eta_s(situation, place, atlas)
        return route.points if route.on_road else ()

    def heading(self) -> str:
        """What the likeliest destination is called, as in a suggestion; "" where nothing is likely, or it has no name."""
        situation, atlas = self.situation, self.atlas
        if situation is None or not situation.destinations:
            return ""
        goals = situation.destinations
        return destination_called(
            None if atlas is None else atlas.place_name, goals, goals[0].place
        )

    # answers ---------------------------------------------------------------------------------------------------

    async def take_answer(self, given: AnswerGiven) -> None:
        """Store and learn; InputError where the suggestion or the POI is not known."""
        brain = self.brain
        if brain is None:
            raise InputError("Nobody lives on this phone yet.")
        suggestion = await asyncio.to_thread(self.store.suggestion, given.suggestion_id)
        answer = answer_of(suggestion, given)
        await asyncio.to_thread(brain.answer, answer)
        if self.suggestion is not None and self.suggestion.suggestion_id == answer.suggestion_id:
            self.answered = answer.kind
        self._carry_on(suggestion, answer)
        self.control.emit("answer", id=answer.suggestion_id, kind=answer.kind.value)
        self._changed("state")

    def _carry_on(self, suggestion: Suggestion, answer: Answer) -> None:
        """Nothing waits any more; what was accepted is where the person is on the way to."""
        self.part(Tasks).withdraw(answer.suggestion_id, answer.person)
        chosen = next((o.poi for o in suggestion.options if o.poi.osm_id == answer.osm_id), None)
        if answer.kind is AnswerKind.ACCEPT and chosen is not None:
            target = NavigationTarget(
                name=chosen.name, lat=chosen.lat, lon=chosen.lon, osm_id=chosen.osm_id
            )
            self.part(Tasks).start(target, answer.person, answer.time_s)

    async def _answer(self, request: Request) -> Request:
        kind = answer_kind(request.get("kind"))
        wanted = str(request.get("id", ""))
        suggestion = self.store.suggestion(wanted)
        await self.take_answer(
            AnswerGiven(
                suggestion_id=suggestion.suggestion_id,
                kind=kind,
                time_s=self.clock.now_s(),
                osm_id=str(request.get("osm_id", "")),
            )
        )
        return {"id": suggestion.suggestion_id}

    # verbs -----------------------------------------------------------------------------------------------------

    async def _import(self, request: Request) -> Request:
        """Only the owner's: somebody else's would lie here unused, and be taken for whose phone it is."""
        said = request.get("person_id")
        if not isinstance(said, str | None):
            raise TypeError(said)
        owner = await asyncio.to_thread(lambda: self.owner)
        roster = None if self.mesh is None else self.mesh.identity.roster
        listed = listed_in(roster, self.config.node.id)
        name, person_id = to_import_for(owner, str(request.get("name", "")), said, listed)
        file = Path(str(request["file"]))
        if is_calendar(file):
            off = request.get("holidays") is True
            kept = await asyncio.to_thread(self._import_calendar, file, name, holidays=off)
            if kept["learn"]:
                await self._learn_again()
            await asyncio.to_thread(give_back, self.store)
            return kept
        if self._importing.locked():
            raise InputError("Another file is being taken in.", "Import this one after it.")
        async with self._importing:
            return await self._import_history(file, name, person_id)

    async def _import_history(self, file: Path, name: str, person_id: str | None) -> Request:
        self._import_now = asyncio.ensure_future(
            import_apart(self.paths, self.config, self.part(Ruling).rules, file, name, person_id)
        )
        try:
            found = await self._import_now
        except BaseException as why:
            if not self._stop.is_set():  # some of it may be stored
                self.spawn(self.in_turn(self._wake), "learning what was taken in")
            if isinstance(why, asyncio.CancelledError) and not _is_called_off():
                raise InputError(
                    "Other rules came into force while the file was taken in, so no more of it was.",
                    "Import it again under them.",
                ) from None
            raise
        await self.in_turn(self._wake)
        brain = self.brain
        if brain is None:
            raise InputError(
                "That file held no usable fix.", "Check it with `hearthway drive FILE`."
            )
        self.part(Renewal).with_home_soon()  # it is told whose phone this is
        await asyncio.to_thread(give_back, self.store)
        return {**found, "places": len(brain.life.places()), "trips": brain.life.state.trip_count}

    def _import_calendar(self, path: Path, name: str, *, holidays: bool) -> Request:
        person = owner_of_calendar(self.store, name)
        if self.brain is None:
            self._wake()
        brain = self.brain
        if brain is None or brain.person.person_id != person.person_id:
            brain = self.brain_of(person)
        rules, now_s = self.part(Ruling).rules, self.clock.now_s()
        return import_calendar(
            self.store, path, brain.life, self.atlas, rules, now_s, holidays=holidays
        )

    async def _sense(self, request: Request) -> Request:
        """The phone's own sensors, from an adapter on this machine."""
        me = self.config.node.id
        plain = [normalise(signal) for signal in signals_of(request)]
        signals = [msgspec.structs.replace(s, source=s.source or me) for s in plain]
        for signal in signals:
            self._check_date(signal, me)
        fixes = [located.fix for located in self._own_fixes.feed_all(signals)]
        await self.take_own(fixes, signals)
        return {"signals": len(signals), "fixes": len(fixes)}

    async def _follow(self, request: Request) -> Request:
        followed = self._waits.follow(str(request.get("code", "")), self.owner)
        return {"name": followed.name, "osm_id": followed.osm_id}

    async def _places(self, request: Request) -> Request:
        """Behind the signals that came before: what is said of a place holds from here on."""
        told = await self.in_turn(lambda: act(self.brain, self.store, request))
        self._changed("state")
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

    async def in_turn(self, work: Callable[[], T]) -> T:
        """Do `work` in a thread of its own, behind all that came before it; what it raises is raised here."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(_InTurn(work, done))
        return await done

    def waits(self, arrivals: dict[str, float], now_s: float) -> dict[str, Wait]:
        """Waits of those of these POIs that are followed, under the rules; blocks up to two seconds."""
        return self._waits.ask(arrivals, now_s)

    async def _relearn(self, _: Request) -> Request:
        """After `forget` changed the store from outside: learn again, and tell the other nodes."""
        await self.forgotten()
        await self.pass_on_orders()
        return {}

    async def forgotten(self) -> None:
        await super().forgotten()
        await self._learn_again()

    async def _learn_again(self) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(_Relearn(done))
        await done


def _is_called_off() -> bool:
    """Is the task that asks to end?"""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def gate_settings(config: Config) -> GateSettings:
    """How readily a phone of this configuration speaks."""
    return GateSettings(dial=Dial(config.assist.dial), daily_budget=config.assist.daily_budget)


class Equipment(TypedDict):
    """What a brain, and whoever asks as it does, is given beside the person."""

    pois: PoiIndex | None
    roads: Roads | None
    name_of: NameOf | None
    settings: GateSettings
    synthetic: bool


def equipment(config: Config, atlas: Atlas | None) -> Equipment:
    """As a phone of this configuration has it."""
    return Equipment(
        pois=atlas,
        roads=atlas,
        name_of=None if atlas is None else atlas.place_name,
        settings=gate_settings(config),
        synthetic=config.replay.synthetic,
    )


def brain_for(
    store: Store,
    person: Person,
    config: Config,
    atlas: Atlas | None,
    rules: Rules | None = None,
    ends: Callable[[], bool] = lambda: False,
) -> Brain:
    """A brain as a phone of this configuration has it; it learns from what `rules` let (None: from everything).

    `ends`: as for Brain.
    """
    return Brain(store, person, **equipment(config, atlas), rules=rules, ends=ends)


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
