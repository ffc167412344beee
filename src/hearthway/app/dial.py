"""What each setting of the dial would have meant on the days that a phone still holds.

Walk-forward, through the very code that runs live, from all that the store keeps: positions, what car, house and things
told, the calendar as it is held now. Waits of venues are not kept, so none is known. Reads only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from hearthway.assist.deeds import Happened, became
from hearthway.assist.engine import Assistant
from hearthway.assist.memory import Memory, first_kind
from hearthway.assist.ranker import Ranker
from hearthway.assist.settings import Dial
from hearthway.atlas.store import Atlas
from hearthway.context.deeds import by_time, deeds_of, latest
from hearthway.context.events import MealVisited
from hearthway.context.life import Life
from hearthway.learn.came_true import Words
from hearthway.learn.dials import DialLogged, DialReplayed, from_log, judged
from hearthway.learn.outcome import learn_answer, learn_said, learn_visit
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.calendar import entries
from hearthway.mesh.state.store import Store
from hearthway.records.deeds import Deed
from hearthway.records.life import Person
from hearthway.records.poi import FOOD
from hearthway.records.signals import Fix, Signal
from hearthway.records.situation import Situation
from hearthway.records.suggestion import Answer, AnswerKind, Suggestion

from .brain import feed, history_of
from .calendar import days_off_of, situation_at
from .config import Config
from .equipment import equipment, gate_settings
from .house import HouseHeard, with_house
from .things import with_things

ON_WAY_S, AT_REST_S = 30.0, 120.0  # between two looks
BEFORE_S, AFTER_S = 3 * 3600.0, 1800.0  # of an entry's begin: at rest nothing else is spoken of
SAME_S = 3600.0  # so near in time the same matter is the same word
TELL_EVERY = 20_000  # fixes
_TELLS = {AnswerKind.ACCEPT: True, AnswerKind.DISMISS: False, AnswerKind.NEVER_HERE: False}


class DialDays(Struct, frozen=True, kw_only=True):
    """Each setting on the days from the first to the last position that is held (Unix s; None: there is none)."""

    days: int
    since_s: float | None
    until_s: float | None
    places: int
    places_on_map: int | None  # None without a map
    dials: tuple[DialReplayed, ...]
    log: tuple[DialLogged, ...]  # by the words that were said and answered here


def replay_dials(
    store: Store,
    person: Person,
    config: Config,
    atlas: Atlas | None,
    rules: Rules,
    progress: Callable[[int], None] | None = None,
    *,
    ranker: Ranker | None = None,
) -> DialDays:
    """Every setting over the same days, each with what it would have said itself; `progress` hears of fixes read.

    `ranker`: the one that ranks here now, on all days.
    """
    log = _Log(store, person, teaches=rules.trains(kind="answer"))
    walk = _Walk(store, person, config, atlas, log, ranker)
    count = 0
    for item in history_of(store, person.person_id):
        walk.until(item.time_s)
        for event in feed(walk.life, item, rules):
            if isinstance(event, MealVisited):
                walk.ate(event)
        walk.did()
        if isinstance(item, Signal):
            walk.house.note(item)
        elif isinstance(item, Fix):
            walk.stands(item)
            count += 1
            if progress is not None and count % TELL_EVERY == 0:
                progress(count)
    walk.until(math.inf)
    state, places = walk.life.state, walk.life.places()
    return DialDays(
        days=state.days,
        since_s=state.first_s,
        until_s=None if state.last is None else state.last.time_s,
        places=len(places),
        places_on_map=None if atlas is None else sum(atlas.covers(p.lat, p.lon) for p in places),
        dials=tuple(one.judged(state.days) for one in walk.settings),
        log=from_log(log.said, log.answers, dial=Dial(config.assist.dial)),
    )


class _Setting:
    """One setting of the dial: what it has said, and what it has learned meanwhile."""

    def __init__(
        self,
        dial: Dial,
        person: Person,
        config: Config,
        atlas: Atlas | None,
        ranker: Ranker | None,
    ) -> None:
        tools = equipment(config, atlas)
        tools["settings"] = replace(gate_settings(config), dial=dial)
        self.memory = Memory(person=person.person_id)
        self.words = Words()
        self._dial = dial
        self._assistant = Assistant(person.person_id, **tools, ranker=ranker)
        self._answered: dict[str, bool] = {}
        self._due: list[Answer] = []  # by time, of words that were said
        self._did: dict[Deed, None] = {}  # all days': a life remembers the latest alone

    def look(self, situation: Situation, log: _Log) -> None:
        """Say what is to be said. A word that was really said as well gets the answer that it really had."""
        while self._due and self._due[0].time_s <= situation.time_s:
            self.memory = learn_answer(self.memory, self._due.pop(0))
        outcome = self._assistant.consider(situation, self.memory)
        if not isinstance(outcome, Suggestion):
            return
        self.memory = learn_said(self.memory, outcome)
        self.words.add(outcome)
        for answer in log.of(outcome):
            if answer.kind in _TELLS:
                self._answered[outcome.suggestion_id] = _TELLS[answer.kind]
            if log.teaches:
                at_s = max(answer.time_s, outcome.time_s)
                self._due.append(replace(answer, suggestion_id=outcome.suggestion_id, time_s=at_s))
        self._due.sort(key=lambda answer: answer.time_s)

    def did(self, deeds: tuple[Deed, ...]) -> None:
        """What the life now knows to have been done, by time."""
        self.memory = self.memory.did(deeds)
        self._did |= dict.fromkeys(deeds)

    def judged(self, days: int) -> DialReplayed:
        """What it said, and what became of that: by its answer, else by facts as its need has them, else by a stay there."""
        notes = {note.suggestion_id: note for note in self.memory.said}
        happened = Happened(meals=self.memory.meals, deeds=by_time(self._did))
        told: dict[str, bool | None] = {}
        for word in self.words.said:
            note = notes.get(word.suggestion_id)
            pieces = () if note is None else became(note, happened)
            # A stay near a car park tells nothing of the car; one at a restaurant's door is a visit there.
            stayed = (
                self.words.right[word.suggestion_id] if first_kind(word.options) in FOOD else None
            )
            told[word.suggestion_id] = (
                any(piece.yes for piece in pieces) or stayed is True if pieces else stayed
            )
        return judged(self._dial.value, self.words, days, told | self._answered)


class _Log:
    """What was really said on these days, and answered. `teaches`: may be learned from, by the owner's rules."""

    def __init__(self, store: Store, person: Person, *, teaches: bool) -> None:
        self.teaches = teaches
        self.said = store.suggestions(person.person_id)
        self.answers = store.answers(person.person_id)

    def of(self, word: Suggestion) -> list[Answer]:
        """The answers to the same word, by time; none where it was not said."""
        same = [
            one
            for one in self.said
            if (one.need, one.about) == (word.need, word.about)
            and abs(one.time_s - word.time_s) <= SAME_S
        ]
        nearest = min(same, key=lambda one: abs(one.time_s - word.time_s), default=None)
        if nearest is None:
            return []
        return [one for one in self.answers if one.suggestion_id == nearest.suggestion_id]


class _Walk:
    """One life, learned as it went, and the settings that look at it."""

    def __init__(
        self,
        store: Store,
        person: Person,
        config: Config,
        atlas: Atlas | None,
        log: _Log,
        ranker: Ranker | None,
    ) -> None:
        self._store, self._atlas = store, atlas
        off = days_off_of(store, person.person_id)
        self.life = Life(person.person_id, pois=atlas, roads=atlas, days_off=off)
        self.house = HouseHeard()
        self.settings = [_Setting(dial, person, config, atlas, ranker) for dial in Dial]
        self._log = log
        self._spans = _spans(store, person)
        self._latest = latest(self.life.state.deeds)
        self._due_s: float | None = None
        self._seen_s = -math.inf  # when the last thing was heard

    def until(self, time_s: float) -> None:
        """All looks that are due before what comes at `time_s`: on the way, and at rest while an entry is near."""
        state = self.life.state
        if state.here is None and state.departure is not None and state.last is not None:
            due_s = state.last.time_s if self._due_s is None else self._due_s
            if due_s < time_s:
                self._look(due_s)
                # In a recording hole nothing new is known: ask once, not for each half minute of a night.
                due_s = max(due_s + ON_WAY_S, time_s)
            self._due_s = due_s
        elif state.last is not None:
            self._due_s = None
            for at_s in self._at_rest(self._seen_s, time_s):
                self._look(at_s)
        self._seen_s = time_s

    def ate(self, event: MealVisited) -> None:
        """A meal out is over: each setting knows of it."""
        for one in self.settings:
            one.memory = learn_visit(one.memory, event.visit, self._atlas)

    def did(self) -> None:
        """What is known to have been done: each setting judges its own words by it."""
        state = self.life.state.deeds
        if latest(state) != self._latest:
            self._latest = latest(state)
            deeds = deeds_of(state)
            for one in self.settings:
                one.did(deeds)

    def stands(self, fix: Fix) -> None:
        """Where the person then was tells what became of the words."""
        for one in self.settings:
            one.words.watch(fix)

    def _look(self, now_s: float) -> None:
        seen: dict[tuple[tuple[str, float], ...], Situation] = {}
        for one in self.settings:
            # What was said about an entry is all that a situation has of what was said: mostly they share one.
            words = one.memory.said_about()
            key = tuple(words.items())
            if key not in seen:
                seen[key] = self._situation(now_s, words)
            one.look(seen[key], self._log)

    def _situation(self, now_s: float, words: dict[str, float]) -> Situation:
        found = situation_at(self._store, self.life, now_s, words)
        found = with_house(self.life, self.house.latest, found)
        return with_things(self._store, self.life, self.house.latest, found)

    def _at_rest(self, since_s: float, until_s: float) -> Iterator[float]:
        """The looks between two things heard; none after the last."""
        while until_s < math.inf and self._spans and self._spans[0][1] <= since_s:
            self._spans.pop(0)
        for begin_s, end_s in self._spans if until_s < math.inf else ():
            if begin_s >= until_s:
                return
            first = math.floor(max(begin_s, since_s) / AT_REST_S) + 1
            last = math.ceil(min(end_s, until_s) / AT_REST_S)
            yield from (n * AT_REST_S for n in range(first, last))


def _spans(store: Store, person: Person) -> list[tuple[float, float]]:
    """When an entry with a time and a place is near, by time and apart from one another."""
    found: list[tuple[float, float]] = []
    for entry in entries(store, person.person_id):
        if entry.all_day or entry.cancelled or entry.lat is None:
            continue
        begin_s, end_s = entry.start_s - BEFORE_S, entry.start_s + AFTER_S
        if found and begin_s <= found[-1][1]:
            begin_s = found.pop()[0]
        found.append((begin_s, end_s))
    return found
