"""What a backtest asks at each moment: the very proposal, gate and memory of a live phone, without venues' waits."""

from __future__ import annotations

from hearthway.assist.engine import Assistant
from hearthway.assist.memory import Memory
from hearthway.assist.settings import Dial, GateSettings
from hearthway.atlas.store import Atlas
from hearthway.context.life import Life
from hearthway.learn.outcome import learn_said, learn_visit
from hearthway.records.situation import Situation
from hearthway.records.suggestion import Silence, Suggestion


class Speaker:
    """One for a whole history; each person's memory is apart."""

    def __init__(self, atlas: Atlas, dial: str = "normal") -> None:
        self._atlas = atlas
        self._settings = GateSettings(dial=Dial(dial))
        self._assistants: dict[str, Assistant] = {}
        self._memories: dict[str, Memory] = {}
        self._learned: dict[str, float] = {}

    def __call__(self, situation: Situation, life: Life) -> Suggestion | Silence:
        """What would have been said, learning from visits so far; what is said counts against the day."""
        person = situation.person
        if person not in self._assistants:
            self._assistants[person] = Assistant(
                person,
                pois=self._atlas,
                roads=self._atlas,
                name_of=self._atlas.place_name,
                settings=self._settings,
            )
            self._memories[person] = Memory(person=person)
        memory = self._memories[person]
        since_s = self._learned.get(person, float("-inf"))
        for visit in life.meals:
            if visit.start_s > since_s:
                memory = learn_visit(memory, visit, self._atlas)
                self._learned[person] = visit.start_s
        outcome = self._assistants[person].consider(situation, memory)
        if isinstance(outcome, Suggestion):
            memory = learn_said(memory, outcome)
        self._memories[person] = memory
        return outcome


def each_dial(atlas: Atlas) -> dict[str, Speaker]:
    """One for each setting of the dial: they remember apart, as each would have said other things."""
    return {dial.value: Speaker(atlas, dial.value) for dial in Dial}
