"""What nobody answered was ignored: each suggestion for itself, also of two in one drive and after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hearthway.app.brain import IGNORED_AFTER_S, Brain
from hearthway.assist.settings import GateSettings
from hearthway.mesh.state.store import Store
from hearthway.records.life import Person
from hearthway.records.signals import Fix, Signal
from hearthway.records.situation import Situation
from hearthway.records.suggestion import Answer, AnswerKind, Suggestion
from hearthway.sense.catalogue import CAR_POSITION, SPEED

NOW_S = 1_758_294_720.0


def suggestion(person: Person, name: str, time_s: float) -> Suggestion:
    situation = Situation(
        time_s=time_s, utc_offset_s=0, person=person.person_id, mode="driving", lat=60.0, lon=24.0
    )
    return Suggestion(
        suggestion_id=name,
        need=name,
        person=person.person_id,
        time_s=time_s,
        utc_offset_s=0,
        headline=name,
        lines=(),
        options=(),
        reasons=(),
        p_useful=0.8,
        utility=5.0,
        threshold=1.0,
        propensity=1.0,
        situation=situation,
    )


class Says:
    """An assistant that says what it is given."""

    def decide(self, proposal: Any, waits: Any, memory: Any) -> Any:
        return proposal


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "node.db", node_id="phone") as store:
        yield store


def brain_of(store: Store, person: Person) -> Brain:
    brain = Brain(
        store,
        person,
        pois=None,
        roads=None,
        name_of=None,
        settings=GateSettings(),
        synthetic=False,
    )
    vars(brain)["_assistant"] = Says()
    return brain


def ignored(brain: Brain, now_s: float) -> list[tuple[str, float]]:
    return [(answer.need, answer.time_s) for answer in brain.expire(now_s)]


@pytest.mark.parametrize("restart", [False, True])
def test_two_that_nobody_answered_were_both_ignored(store: Store, *, restart: bool) -> None:
    person = store.add_person("Anna")
    brain = brain_of(store, person)
    said: Any = [suggestion(person, "charge", NOW_S), suggestion(person, "dinner", NOW_S + 180)]
    for one in said:
        brain.decide(one, {})
    if restart:
        brain = brain_of(store, person)
    first_s = NOW_S + IGNORED_AFTER_S
    assert ignored(brain, first_s - 1) == []
    assert ignored(brain, first_s) == [("charge", first_s)]
    assert ignored(brain, first_s + 180) == [("dinner", first_s + 180)]
    assert ignored(brain, first_s + 9999) == []
    kinds = [answer.kind for answer in store.answers(person.person_id)]
    assert kinds == [AnswerKind.IGNORED] * 2


def test_what_was_answered_was_not_ignored(store: Store) -> None:
    person = store.add_person("Anna")
    brain = brain_of(store, person)
    for name in ("charge", "dinner"):
        said: Any = suggestion(person, name, NOW_S)
        brain.decide(said, {})
    brain.answer(
        Answer(
            suggestion_id="dinner",
            person=person.person_id,
            kind=AnswerKind.ACCEPT,
            time_s=NOW_S + 20,
        )
    )
    assert [need for need, _ in ignored(brain, NOW_S + IGNORED_AFTER_S)] == ["charge"]


def test_an_answer_that_was_forgotten_is_not_made_up(store: Store) -> None:
    """Of long ago only the last one said can still be open; what lies before it was answered or erased."""
    person = store.add_person("Anna")
    store.add_suggestion(suggestion(person, "lunch", NOW_S - 5 * 3600))
    store.add_suggestion(suggestion(person, "dinner", NOW_S))
    brain = brain_of(store, person)
    assert [need for need, _ in ignored(brain, NOW_S + IGNORED_AFTER_S)] == ["dinner"]


def test_a_moving_car_is_noted_once_a_minute_and_known_after_a_restart(store: Store) -> None:
    """What was learned as it came equals what is learned again from the store."""
    person = store.add_person("Anna")
    brain = brain_of(store, person)
    brain.observe(
        [Fix(time_s=NOW_S - 60.0 * i, lat=60.0, lon=24.0) for i in range(90, 0, -1)], [], ""
    )
    for second in range(150):
        now_s = NOW_S + second
        kmh = 0.0 if second < 10 else 18.0
        spoken = Signal(key=SPEED, value=kmh, time_s=now_s, unit="km/h", source="car")
        fix = Fix(time_s=now_s, lat=60.0 + 5e-5 * second, lon=24.01, speed_mps=kmh / 3.6)
        brain.observe([fix], [spoken], "car", CAR_POSITION)
    kept = [s for s in store.signals(person.person_id) if s.key == SPEED]
    assert [s.time_s - NOW_S for s in kept] == [10.0, 70.0, 130.0]
    now = brain.life.situation(NOW_S + 149.0)
    assert now.mode == "driving"
    again = brain_of(store, person)
    assert again.life.dump() == brain.life.dump()
    again.observe(
        [Fix(time_s=NOW_S + 150.0, lat=60.0075, lon=24.01, speed_mps=5.0)],
        [Signal(key=SPEED, value=18.0, time_s=NOW_S + 150.0, unit="km/h", source="car")],
        "car",
        CAR_POSITION,
    )
    assert len([s for s in store.signals(person.person_id) if s.key == SPEED]) == 3
