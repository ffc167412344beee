"""One person's anticipation on the node that keeps that person's life: store -> context -> assist -> learn.

The same object serves the live phone, the replayed drive, the backtest and the replay tests: it takes signals
with event time and gives suggestions; it opens no socket and reads no clock.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec import UNSET

from hearthway.assist.engine import Assistant, Proposal
from hearthway.assist.memory import Memory
from hearthway.assist.ranker import Ranker
from hearthway.assist.settings import GateSettings
from hearthway.assist.shape import Scene
from hearthway.assist.standing import STANDS_S
from hearthway.context import mode_judge
from hearthway.context.because import Part, reasons
from hearthway.context.deeds import deeds_of, latest, note
from hearthway.context.destination import Posterior
from hearthway.context.events import LifeEvent, MealVisited
from hearthway.context.life import Life
from hearthway.context.places import KnownPlace
from hearthway.context.state import VERSION as LIFE_VERSION
from hearthway.learn.outcome import learn_answer, learn_said, learn_visit, relearn
from hearthway.mesh.policy.retention import learned_under
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.place_words import place_words, rename, say, unsay
from hearthway.mesh.state.store import Store
from hearthway.records.codec import digest
from hearthway.records.company import Companion
from hearthway.records.errors import HearthwayError
from hearthway.records.life import LIFE_MODEL, LIVED, Person, Place, PlaceWord
from hearthway.records.poi import PoiIndex, Roads
from hearthway.records.signals import Fix, Signal
from hearthway.records.situation import Situation
from hearthway.records.suggestion import Answer, AnswerKind, Reason, Silence, Suggestion
from hearthway.records.venue import Wait
from hearthway.sense.catalogue import (
    ALTITUDE,
    CAPACITY,
    CHARGING,
    ODOMETER,
    OUTSIDE,
    PHONE_POSITION,
    PLUGGED,
    SOC,
    SPEED,
)

from .calendar import days_off_of, near_entries, situation_at
from .house import HouseHeard, of_house, with_house
from .own_battery import OwnBattery
from .things import with_things

LAST_DAYS_S = 30 * 86_400.0
CONSIDER_EVERY_S = 5.0  # event time between two looks at the situation: a driver moves about 70 m
IGNORED_AFTER_S = STANDS_S
KEPT_KEYS = (SOC, ODOMETER, CAPACITY, OUTSIDE, CHARGING, PLUGGED)
KEEP_AGAIN_S = 900.0  # half as long as a temperature may be used
HEIGHT_AGAIN_S, HEIGHT_STEP_M = (
    60.0,
    2.0,
)  # a second's height says little: this keeps one in four on a steep road
WORD_AGAIN_S = 60.0  # half as long as a car's word stands that it moves
MOVES_KMH = 3.6
Item = Fix | Signal | PlaceWord


def history_of(
    store: Store, person_id: str, *, since_s: float | None = None, until_s: float | None = None
) -> Iterator[Item]:
    """Kept signals, fixes and the owner's words of places after `since_s` and before `until_s`, merged by time.

    That is their order at equal times, too.
    """
    fixes: Iterable[Item] = store.fixes(person_id, since_s, until_s)
    signals: Iterable[Item] = store.signals(person_id, since_s, until_s)
    words: Iterable[Item] = place_words(store, person_id, since_s, until_s)
    for item in heapq.merge(signals, fixes, words, key=lambda item: item.time_s):
        if since_s is None or item.time_s > since_s:
            yield item


def feed(life: Life, item: Item, rules: Rules) -> list[LifeEvent]:
    """Learn from it, where the owner's rules let that."""
    if isinstance(item, PlaceWord):
        life.hear(item)
        return []
    if not (rules.trains(kind="fix") if isinstance(item, Fix) else rules.trains(key=item.key)):
        return []
    events = life.observe(item) if isinstance(item, Fix) else life.observe_signal(item)
    last = life.state.last
    if isinstance(item, Signal) or (last is not None and last.time_s == item.time_s):
        note(life.state, item, events)  # a fix that the life dropped tells of no deed
    return events


def check_rules(store: Store, rules: Rules) -> None:
    """What was learned under other rules, or by another version of Hearthway, is dropped."""
    learned_under(store, digest((LIFE_VERSION, mode_judge.IDENTITY, rules.train)))


class EndedError(HearthwayError):
    """The node was told to end while it learned. Nothing of it is kept: what it learns from is, and the next start does."""


def _goes_on() -> bool:
    return False


def because(life: Life, situation: Situation, goals: Sequence[Place]) -> tuple[Reason, ...]:
    """Why this situation, which is that life's now, has one heading to one of these places."""
    planned = () if situation.agenda is UNSET else situation.agenda.planned
    ids = {place.place_id for place in goals}
    indices = [place.index for place in life.state.places if f"p{place.index}" in ids]

    def ask(part: Part | None) -> Posterior:
        calendar = part is not None and part.calendar
        return life.posterior(() if calendar else planned, part) or Posterior((), 1.0)

    return reasons(ask, indices, planned="" in ids) if goals else ()


class Brain:
    """Learns one person's life from the store and proposes while it goes on."""

    def __init__(
        self,
        store: Store,
        person: Person,
        *,
        pois: PoiIndex | None,
        roads: Roads | None,
        name_of: Callable[[float, float], str | None] | None,
        settings: GateSettings,
        synthetic: bool,
        rules: Rules | None = None,
        ends: Callable[[], bool] = _goes_on,
    ) -> None:
        """`rules`: what may be learned from (None: everything, as for a history outside any node).

        `ends`: shall no more be learned from now on? Then EndedError, here and wherever a history is learned again.
        """
        self.person = person
        self._store = store
        self._rules = rules or Rules(())
        self._ends = ends
        self._pois, self._roads = pois, roads
        self._assistant = Assistant(
            person.person_id,
            pois=pois,
            roads=roads,
            name_of=name_of,
            settings=settings,
            synthetic=synthetic,
            because=self._because,
        )
        self._last_value: dict[str, object] = {}
        self._house = HouseHeard()
        self._word_s = float("-inf")  # of the last kept word of a car
        self._height: tuple[float, float] | None = None  # the last kept one, and when
        self._considered_slot = float("-inf")
        self._fix_times = (float("-inf"), float("-inf"))  # of the last two fixes
        # Kept apart from what is learned: where a fix came from must not change what it teaches.
        self._origin = (PHONE_POSITION, "")
        self._own_battery = OwnBattery()
        self._folded_s: float | None = None  # event time of the last item learned from
        self._behind = False  # older fixes came in than the life can still take in order
        self._life = self._load_life()
        self._memory = self._relearn()
        self._open = self._unanswered()

    @property
    def life(self) -> Life:
        """What is known of this person's places, trips and habits."""
        return self._life

    @property
    def memory(self) -> Memory:
        """Tastes, what was said, and how it was answered."""
        return self._memory

    def model_digest(self) -> str:
        """Hash of everything learned: for receipts, and to show that forgetting left nothing."""
        return digest(self._life.dump() + self._memory.dump())

    # learning ------------------------------------------------------------------------------------------------

    def _load_life(self, *, afresh: bool = False) -> Life:
        mode_judge.check()  # a damaged student shows itself here and not in the middle of a day
        # A life of another version of Hearthway counts as learned under other rules: it is learned anew.
        check_rules(self._store, self._rules)
        self._generation, self._history = self._store.generation(), self._store.history()
        days_off = days_off_of(self._store, self.person.person_id)
        snapshot = None if afresh else self._store.model(self.person.person_id, LIFE_MODEL)
        if snapshot is None:
            life, since_s = (
                Life(self.person.person_id, pois=self._pois, roads=self._roads, days_off=days_off),
                None,
            )
        else:
            since_s = snapshot.until_s
            life = Life.load(snapshot.data, pois=self._pois, roads=self._roads, days_off=days_off)
        self._folded_s, self._behind = since_s, True  # until all of it is learned
        self._remember_last(life.state.last.time_s if life.state.last else None)
        for item in history_of(self._store, self.person.person_id, since_s=since_s):
            if self._ends():
                raise EndedError("This node ends; it learns the rest when it starts next.")
            feed(life, item, self._rules)
            self._folded_s = item.time_s
            self._note_last(item)
        self._behind = False
        return life

    def _remember_last(self, until_s: float | None) -> None:
        """What the store says of the moments before a snapshot: a restart must not look like news."""
        if until_s is None:
            return
        person_id, since_s = self.person.person_id, until_s - LAST_DAYS_S
        for signal in self._store.signals(person_id, since_s=since_s):
            self._note_last(signal)
        for fix in self._store.fixes(person_id, since_s=until_s - 3600.0):
            self._note_last(fix)

    def _note_last(self, item: Item) -> None:
        if isinstance(item, Signal):
            self._last_value[item.key] = item.value
            self._house.note(item)
            if item.key == SPEED:
                self._word_s = item.time_s
        elif isinstance(item, Fix) and item.time_s > self._fix_times[1]:
            self._fix_times = (self._fix_times[1], item.time_s)

    def _relearn(self) -> Memory:
        person_id = self.person.person_id
        return relearn(
            person_id,
            [
                *self._life.meals,
                *self._store.suggestions(person_id),
                *(self._store.answers(person_id) if self._rules.trains(kind="answer") else ()),
            ],
            self._pois,
            deeds_of(self._life.state.deeds),
        )

    def rebuild(self) -> None:
        """Learn everything again from what the store holds: after an import or a forgetting."""
        self._last_value.clear()
        self._house.clear()
        self._life = self._load_life(afresh=True)
        self._memory = self._relearn()
        self._open = self._unanswered()
        self.snapshot()

    def snapshot(self) -> None:
        """Keep the learned state, so that a restart takes moments and not the whole history.

        Nothing is kept of a history that was changed beside it: whoever changed it has it learned anew.
        """
        if self._behind or self._store.generation() != self._generation:
            self.rebuild()  # late fixes, or another process forgot something: never keep the old state
        elif self._folded_s is not None:
            self._store.put_model(
                self.person.person_id,
                LIFE_MODEL,
                self._folded_s,
                self._life.dump(),
                self._history,
            )

    # what the owner says of places ------------------------------------------------------------------------------

    def said(self) -> list[PlaceWord]:
        """What the owner said of places, by time."""
        return place_words(self._store, self.person.person_id)

    def say(self, word: PlaceWord, instead: Sequence[PlaceWord] = ()) -> None:
        """Keep a word in place of those, then learn it: just after the last thing that is known."""
        said = self.said()
        known_s = max([self._folded_s or 0.0, *(one.time_s for one in said)])
        word = msgspec.structs.replace(word, time_s=math.nextafter(known_s, math.inf))
        self._change(lambda: say(self._store, self.person.person_id, word, instead))
        if any(one.kind in LIVED for one in instead):
            self.rebuild()  # trips were learned of by where home was said to be
            return
        self._life.hear(word)
        self._folded_s = word.time_s
        self.snapshot()

    def rename(self, place: KnownPlace, words: Sequence[PlaceWord], name: str) -> None:
        """The name that those words gave a place is another one, since then: what kept it apart from others does so still."""
        self._change(lambda: rename(self._store, self.person.person_id, words, name))
        self._life.rename(place, name)
        self.snapshot()

    def unsay(self, kind: str, place_id: str, words: Sequence[PlaceWord]) -> None:
        """Those words of a place are taken back: its `name`, or its `label`."""
        self._change(lambda: unsay(self._store, self.person.person_id, words))
        if kind == "label":
            self.rebuild()
            return
        self._life.unsay(kind, place_id)
        self.snapshot()

    def _change(self, work: Callable[[], None]) -> None:
        """Change the history by `work`, and know of that change."""
        with self._store.database.transaction():
            known = self._history == self._store.history()
            work()
            if known:
                self._history = self._store.history()

    # the path of every signal ----------------------------------------------------------------------------------

    def observe(
        self,
        fixes: Sequence[Fix],
        signals: Sequence[Signal],
        source: str,
        prefix: str = PHONE_POSITION,
    ) -> None:
        """Persist, then learn: what was acknowledged survives a kill. `prefix` is the key's stem of the fixes."""
        if fixes:
            self._origin = (prefix, source)
        self._house.hear(signals)
        self._own_battery.hear(signals)
        kept = [signal for signal in signals if self._worth_keeping(signal)]
        person_id = self.person.person_id
        if kept:
            self._store.add_signals(person_id, kept, durable=False, learned=True)
        if fixes:
            self._store.add_fixes(person_id, fixes, source, durable=False, learned=True)
        stays_before, late = self._life.state.stays, False
        done = latest(self._life.state.deeds)
        items: list[Fix | Signal] = [*kept, *fixes]
        for item in sorted(items, key=lambda item: item.time_s):
            if isinstance(item, Signal) and of_house(item):
                # Another clock than the car's: it is folded in its own order, and never waits or makes others late.
                self._note_last(item)
                feed(self._life, item, self._rules)
                continue
            if self._folded_s is not None and item.time_s < self._folded_s:
                late = self._behind = True  # a buffered upload: stored, and learned in order later
                continue
            self._folded_s = item.time_s
            self._note_last(item)
            for event in feed(self._life, item, self._rules):
                if isinstance(event, MealVisited):
                    self._memory = learn_visit(self._memory, event.visit, self._pois)
        deeds = self._life.state.deeds
        if latest(deeds) != done:
            self._memory = self._memory.did(deeds_of(deeds))
        if late:
            self._store.changed()  # who learns beside this one may have read on already
        if self._life.state.stays != stays_before:
            self.snapshot()

    def _worth_keeping(self, signal: Signal) -> bool:
        if signal.key == SPEED:
            return self._tells_mode(signal)
        if signal.key == ALTITUDE:
            return self._tells_height(signal)
        if signal.key not in KEPT_KEYS:
            return self._house.keeps(signal, self._life.state.trip_start_s)
        if self._last_value.get(signal.key) != signal.value:
            return True
        # the same temperature, told again on the way: what is known of it must not grow old
        stays = self._life.state.here is not None
        known_s = self._life.state.battery.air_time_s
        return signal.key == OUTSIDE and not stays and signal.time_s - known_s >= KEEP_AGAIN_S

    def _tells_height(self, signal: Signal) -> bool:
        """Where it is learned from: another height, or on the way the same one before it grows old."""
        told, kept = signal.value, self._height
        if not isinstance(told, float | int) or not self._rules.trains(key=ALTITUDE):
            return False
        on_way = self._life.state.here is None
        if kept is None or abs(told - kept[1]) >= HEIGHT_STEP_M:
            worth = True
        else:
            worth = on_way and signal.time_s - kept[0] >= HEIGHT_AGAIN_S
        if worth:
            self._height = (signal.time_s, float(told))
        return worth

    def _tells_mode(self, signal: Signal) -> bool:
        """A moving car's word, now and then: relearning has to know as well that one was in it."""
        return (
            isinstance(signal.value, float)
            and abs(signal.value) >= MOVES_KMH
            and signal.time_s - self._word_s >= WORD_AGAIN_S
        )

    # the moment ------------------------------------------------------------------------------------------------

    def look(self, now_s: float) -> Situation:
        """What is going on now; a suggestion that waited too long counts as ignored first."""
        self.expire(now_s)
        return self.situation(now_s)

    def situation(self, now_s: float) -> Situation:
        """What is going on, as far as this node knows; evidence names the sensor a position really came from."""
        situation = situation_at(self._store, self._life, now_s, self._memory.said_about())
        situation = with_house(self._life, self._house.latest, situation)
        situation = with_things(self._store, self._life, self._house.latest, situation)
        prefix, source = self._origin
        if prefix == PHONE_POSITION and not source:
            return situation
        return msgspec.structs.replace(
            situation,
            evidence=tuple(
                msgspec.structs.replace(
                    used, key=used.key.replace(PHONE_POSITION, prefix), source=source
                )
                if used.key.startswith(PHONE_POSITION)
                else used
                for used in situation.evidence
            ),
        )

    def _because(self, situation: Situation, goals: Sequence[Place]) -> tuple[Reason, ...]:
        """Why one is heading there; nothing where the life has gone on since that situation."""
        state = self._life.state
        last, gone_m = state.last, state.trip_way_m + state.track.length_m
        if last is None or (last.lat, last.lon, gone_m) != (
            situation.lat,
            situation.lon,
            situation.trip_distance_m,
        ):
            return ()
        return because(self._life, situation, goals)

    def scene(self, situation: Situation) -> Scene:
        """What needs look at: the situation, what was learned, and the map."""
        return self._assistant.scene(situation, self._memory)

    @property
    def house(self) -> Mapping[str, Signal]:
        """The latest word of each key of the house, as told."""
        return self._house.latest

    @property
    def settings(self) -> GateSettings:
        """By which it speaks."""
        return self._assistant.settings

    def use(self, settings: GateSettings) -> None:
        """From now on it speaks by these."""
        self._assistant.settings = settings

    def expects(self, now_s: float) -> bool:
        """Does the calendar have anything in the next hours?"""
        return bool(near_entries(self._store, self.person.person_id, now_s))

    def due(self, now_s: float) -> bool:
        """Is it time to look again? Once in each slot of event time, at its first moment, restarts or not."""
        every_s = CONSIDER_EVERY_S * self.rarer(now_s)
        slot = now_s // every_s
        # The slot of the fix before this moment tells what was considered, a killed process's looks included.
        seen = self._fix_times[0] if self._fix_times[1] >= now_s else self._fix_times[1]
        if slot in (self._considered_slot, seen // every_s):
            return False
        self._considered_slot = slot
        return True

    def rarer(self, now_s: float) -> int:
        """How many times more seldom than usual to look, by the phone's own battery."""
        return self._own_battery.rarer(now_s)

    @property
    def ranker(self) -> Ranker | None:
        """The student of others' answers that ranks; None: own counts alone do."""
        return self._assistant.ranker

    def use_ranker(self, ranker: Ranker | None) -> None:
        """Rank by this student of others' answers from now on; None: by own counts alone."""
        self._assistant.ranker = ranker

    def use_company(self, company: Sequence[Companion]) -> None:
        """From now on what is said of a meal goes by these as well, who are in the car; none: by the driver alone."""
        self._assistant.company = tuple(company)

    def propose(self, situation: Situation) -> Proposal | Silence:
        """What could be said, before any wait is asked for."""
        return self._assistant.propose(situation, self._memory)

    def decide(self, proposal: Proposal, waits: Mapping[str, Wait]) -> Suggestion | Silence:
        """Say it, or be silent with a reason; what is said is stored before anybody sees it."""
        outcome = self._assistant.decide(proposal, waits, self._memory)
        if isinstance(outcome, Suggestion):
            self._store.add_suggestion(outcome)
            self._memory = learn_said(self._memory, outcome)
            self._open.append(outcome)
        return outcome

    def answer(self, answer: Answer) -> None:
        """Store the answer, then learn from it."""
        self._store.add_answer(answer)
        if self._rules.trains(kind="answer"):
            self._memory = learn_answer(self._memory, answer)
        self._open = [one for one in self._open if one.suggestion_id != answer.suggestion_id]

    def expire(self, now_s: float) -> list[Answer]:
        """Suggestions that nobody answered within `IGNORED_AFTER_S` were ignored: that teaches as well."""
        ignored = [
            Answer(
                suggestion_id=one.suggestion_id,
                person=one.person,
                kind=AnswerKind.IGNORED,
                time_s=one.time_s + IGNORED_AFTER_S,
                need=one.need,
                utc_offset_s=one.utc_offset_s,
            )
            for one in self._open
            if now_s - one.time_s >= IGNORED_AFTER_S
        ]
        for answer in ignored:
            self.answer(answer)
        return ignored

    def _unanswered(self) -> list[Suggestion]:
        """The suggestions that still wait for their answer: the last, and what was said not long before it."""
        person_id = self.person.person_id
        said = list(self._store.suggestions(person_id))
        answered = {answer.suggestion_id for answer in self._store.answers(person_id)}
        return [
            one
            for one in said
            if one.suggestion_id not in answered and said[-1].time_s - one.time_s < IGNORED_AFTER_S
        ]
